//! When an article was published, changed, and goes.

use super::Keys;
use super::state::switch;
use crate::article::front_matter::Value;
use crate::article::{Date, date};

const PUBLISHED: [&str; 8] = [
    "publishdate",
    "pubdate",
    "published",
    "publishedat",
    "publisheddate",
    "pubdatetime",
    "date",
    "created",
];
const UPDATED: [&str; 9] = [
    "updated",
    "lastmod",
    "lastmodifiedat",
    "lastmodified",
    "modified",
    "updatedat",
    // Astro
    "updateddate",
    "moddatetime",
    "lastupdate.date",
];
const EXPIRES: [&str; 3] = ["expirydate", "expires", "unpublishdate"];

impl Keys<'_> {
    pub(in crate::article) fn published(&mut self) -> Option<Date> {
        let declared = self
            .date("published", &PUBLISHED)
            .or_else(|| self.date("published", &["<time>"]));
        let in_url = |keys: &Self| {
            let url = ["path", "permalink", "url"]
                .iter()
                .find_map(|key| keys.head.get(key)?.1.text());
            url.and_then(|url| date::in_path(&url))
        };
        declared
            .or_else(|| date::in_path(self.path))
            .or_else(|| in_url(self))
    }

    pub(in crate::article) fn updated(&mut self) -> Option<Date> {
        self.date("updated", &UPDATED)
    }

    pub(in crate::article) fn expires(&mut self) -> Option<Date> {
        self.date("expires", &EXPIRES)
    }

    fn date(&mut self, what: &'static str, keys: &[&str]) -> Option<Date> {
        for key in keys {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            let Some(text) = value.text().filter(|_| !matches!(value, Value::Bool(_))) else {
                if !(*key == "published" && matches!(value, Value::Bool(_))) {
                    let what = format!("`{key}` is {} where a date is expected", value.kind());
                    self.wrong(line, what, "write a date like `2026-09-14`");
                }
                continue;
            };
            if *key == "published"
                && switch(value).is_some()
                && date::parse(&text, self.dialect.zone).is_err()
            {
                continue;
            }
            match date::parse(&text, self.dialect.zone) {
                Ok(date) => {
                    self.note(what, key, line);
                    return Some(date);
                }
                Err(message) => {
                    let (wrong, remedy) = message.split_once("; ").unwrap_or((&message, ""));
                    self.wrong(line, format!("`{key}`: {wrong}"), remedy);
                }
            }
        }
        None
    }
}
