//! When an article was published, changed, and goes.

use super::Keys;
use super::state::switch;
use crate::article::front_matter::Value;
use crate::article::{Date, date};
use crate::problem::{Level, Problem};

const PUBLISHED: [&str; 10] = [
    "publishdate",
    "pubdate",
    "published",
    "publishedat",
    "publisheddate",
    "pubdatetime",
    // a switch, or a date
    "publish",
    // MkDocs
    "date.created",
    "date",
    "created",
];
const UPDATED: [&str; 10] = [
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
    // MkDocs
    "date.updated",
];
const EXPIRES: [&str; 3] = ["expirydate", "expires", "unpublishdate"];

/// A date that an article declares, or ought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    /// It can be read.
    Read(Date),
    /// It stands there, and cannot be read; said already.
    Unreadable,
    /// There is none.
    Nothing,
}

impl Declared {
    fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Nothing => other(),
            found => found,
        }
    }

    /// The date; whether it cannot be read is noted.
    fn unless(self, is_unreadable: &mut bool) -> Option<Date> {
        match self {
            Self::Read(date) => Some(date),
            Self::Nothing => None,
            Self::Unreadable => {
                *is_unreadable = true;
                None
            }
        }
    }
}

const HELD: &str = "the article is held until then";

impl Keys<'_> {
    /// When it was or will be published. `held` is set where that was written and cannot be read: only its author knows
    /// whether it is for the public yet.
    pub(in crate::article) fn published(&mut self, held: &mut bool) -> Option<Date> {
        let declared = self.date("published", &PUBLISHED);
        let declared = declared.or_else(|| self.in_page());
        let declared = declared.or_else(|| self.in_path(self.path));
        let declared = declared.or_else(|| {
            let url = ["path", "permalink", "url"]
                .iter()
                .find_map(|key| self.head.get(key)?.1.text());
            url.map_or(Declared::Nothing, |url| self.in_path(&url))
        });
        declared.unless(held)
    }

    /// When it was changed. What cannot be read is a warning: it decides nothing but a date.
    pub(in crate::article) fn updated(&mut self) -> Option<Date> {
        let before = self.problems.len();
        let date = self.date("updated", &UPDATED);
        for problem in &mut self.problems[before..] {
            problem.level = Level::Warning;
            problem.remedy = problem
                .remedy
                .replace(HELD, "the ledger's date is used until then");
        }
        date.unless(&mut false)
    }

    /// When it goes; `held` as in [`published`](Self::published).
    pub(in crate::article) fn expires(&mut self, held: &mut bool) -> Option<Date> {
        self.date("expires", &EXPIRES).unless(held)
    }

    /// The `<time>` of an HTML page. HTML allows durations and times of day there, which are no dates of an article.
    fn in_page(&mut self) -> Declared {
        let Some((line, value)) = self.head.get("<time>") else {
            return Declared::Nothing;
        };
        let date = value
            .text()
            .and_then(|text| date::parse(&text, self.dialect.zone).ok());
        date.map_or(Declared::Nothing, |date| {
            self.note("published", "<time>", line);
            Declared::Read(date)
        })
    }

    /// What the name of a file, its folders or its URL say.
    fn in_path(&mut self, path: &str) -> Declared {
        if let Some(date) = date::in_path(path) {
            return Declared::Read(date);
        }
        let Some(form) = date::impossible_in_path(path) else {
            return Declared::Nothing;
        };
        let what = format!("`{form}` in `{path}` is a day that no calendar has");
        let remedy = format!("correct it, or write a `date`; {HELD}");
        self.problems
            .push(Problem::error(self.path, what).remedy(remedy));
        Declared::Unreadable
    }

    /// Reads the first of the keys that is there.
    fn date(&mut self, what: &'static str, keys: &[&str]) -> Declared {
        for key in keys {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            let is_switch = ["published", "publish"].contains(key) && switch(value).is_some();
            let text = value.text().filter(|_| !matches!(value, Value::Bool(_)));
            if is_switch && matches!(value, Value::Bool(_)) {
                continue;
            }
            let Some(text) = text else {
                let what = format!("`{key}` is {} where a date is expected", value.kind());
                self.wrong(
                    line,
                    what,
                    &format!("write a date like `2026-09-14`; {HELD}"),
                );
                return Declared::Unreadable;
            };
            match date::parse(&text, self.dialect.zone) {
                Ok(date) => {
                    self.note(what, key, line);
                    return Declared::Read(date);
                }
                Err(_) if is_switch => {}
                Err(message) => {
                    let (wrong, remedy) = message.split_once("; ").unwrap_or((&message, ""));
                    self.wrong(
                        line,
                        format!("`{key}`: {wrong}"),
                        &format!("{remedy}; {HELD}"),
                    );
                    return Declared::Unreadable;
                }
            }
        }
        Declared::Nothing
    }
}
