//! Whether an article is for the public: its switches fail closed.

use super::Keys;
use crate::article::Visibility;
use crate::article::front_matter::Value;

/// Switches that keep an article from the public, with the value that does.
const NOWHERE: [(&str, bool); 20] = [
    ("draft", true),
    ("isdraft", true),
    ("published", false),
    ("publish", false),
    // Obsidian's Digital Garden
    ("dgpublish", false),
    ("render", false),
    ("unlisted", true),
    ("private", true),
    ("public", false),
    ("ispublished", false),
    ("isprivate", true),
    ("ishidden", true),
    ("ispublic", false),
    ("unpublished", true),
    ("visible", false),
    ("listed", false),
    ("wip", true),
    // Hugo: a bundle that other pages take parts of
    ("headless", true),
    // Hexo's plugins, and several themes
    ("encrypt", true),
    ("encrypted", true),
];

/// Switches that keep an article out of feeds, with the value that does.
const NOT_IN_FEEDS: [(&str, bool); 17] = [
    ("feed", false),
    ("rss", false),
    ("rss.exclude", true),
    ("rss.hide", true),
    ("feed.exclude", true),
    ("feed.hide", true),
    ("excludefeed", true),
    ("excludefromrss", true),
    ("rssexclude", true),
    ("disablefeed", true),
    ("feedexclude", true),
    ("excludefromfeed", true),
    ("hiddeninrss", true),
    ("showonrssfeed", false),
    ("includeinfeeds", false),
    ("eleventyexcludefromcollections", true),
    ("hidden", true),
];

/// Values of `status` and `visibility` that keep an article from the public. Any other value is none of ours.
const UNPUBLISHED: [&str; 14] = [
    "draft",
    "private",
    "hidden",
    "skip",
    "pending",
    "trash",
    "unlisted",
    "password",
    "unpublished",
    "false",
    "members",
    "paid",
    "tiers",
    "nobody",
];

impl Keys<'_> {
    /// `None` if a switch cannot be understood: nothing may be published then.
    pub(in crate::article) fn visibility(&mut self) -> Option<Visibility> {
        // the first that is noted is given as the reason: what keeps it from the public comes before the rest
        let is_kept_back = self.is_kept_back();
        let is_nowhere = self.switches(&NOWHERE);
        let build = self.build();
        let is_out = self.switches(&NOT_IN_FEEDS);
        let found = if is_nowhere? || is_kept_back {
            Visibility::Draft
        } else if is_out? {
            Visibility::PageOnly
        } else {
            Visibility::Public
        };
        Some(stricter(found, build?))
    }

    /// Whether one of some switches is set so; `None` if one cannot be understood.
    fn switches(&mut self, switches: &[(&str, bool)]) -> Option<bool> {
        let mut is_set = false;
        let mut is_clear = true;
        for (key, means) in switches {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            match switch(value) {
                Some(value) if value == *means => {
                    self.note("state", key, line);
                    is_set = true;
                }
                Some(_) => {}
                None if is_no_switch(key, value) => {}
                None => {
                    is_clear = false;
                    self.not_a_switch(key, line, value);
                }
            }
        }
        is_clear.then_some(is_set)
    }

    fn not_a_switch(&mut self, key: &str, line: u32, value: &Value) {
        let shown = value
            .text()
            .map_or_else(|| value.kind().to_owned(), |text| format!("`{text}`"));
        let what = format!("`{key}` is {shown}, which is neither true nor false");
        let remedy = "write `true` or `false`; nothing of the file is published until then";
        self.wrong(line, what, remedy);
    }

    /// Hugo's `build` (once `_build`): whether a page is made, and listed. `None` if that cannot be understood.
    fn build(&mut self) -> Option<Visibility> {
        let mut found = Visibility::Public;
        // it is a table, or nothing that Hugo knows
        if let Some((line, value)) = self.head.get("build")
            && !matches!(value, Value::Map(_))
        {
            // other programs count their builds here
            let word = value.text().unwrap_or_default().trim().to_lowercase();
            let is_list = matches!(value, Value::List(list) if list.iter().any(|one| matches!(one, Value::Map(_))));
            if !is_list && !matches!(word.as_str(), "false" | "never") {
                return Some(found);
            }
            let what = "`build` is no table with the keys `list` and `render`";
            let remedy =
                "write `build: {list: never}`; nothing of the file is published until then";
            self.wrong(line, what.to_owned(), remedy);
            return None;
        }
        for (key, means) in [
            ("build.render", Visibility::Draft),
            ("build.list", Visibility::PageOnly),
        ] {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            let word = value.text().unwrap_or_default().trim().to_lowercase();
            match (switch(value), word.as_str()) {
                (Some(true), _) | (None, "always") => {}
                (Some(false), _) | (None, "never" | "local" | "link") => {
                    self.note("state", key, line);
                    found = stricter(found, means);
                }
                _ => {
                    let what = format!("`{key}` is `{word}`, which Hugo does not know");
                    let remedy =
                        "write `always` or `never`; nothing of the file is published until then";
                    self.wrong(line, what, remedy);
                    return None;
                }
            }
        }
        Some(found)
    }

    /// Whether a key that is no switch keeps the article back.
    fn is_kept_back(&mut self) -> bool {
        let mut is_kept_back = false;
        let head = self.head;
        let mut note = |keys: &mut Self, key: &str, line: u32| {
            keys.note("state", key, line);
            is_kept_back = true;
        };
        // Eleventy: no page is written
        if let Some((line, value)) = head.get("permalink")
            && switch(value) == Some(false)
        {
            note(self, "permalink", line);
        }
        for key in ["status", "visibility"] {
            let Some((line, value)) = head.get(key) else {
                continue;
            };
            // Obsidian writes lists where others write a word
            let words = match value {
                Value::List(list) => list.as_slice(),
                value => std::slice::from_ref(value),
            };
            let mut words = words
                .iter()
                .filter_map(|word| Some(word.text()?.trim().to_lowercase()));
            if words.any(|word| {
                // `draft, needs review`
                let first = word.split(|c: char| !c.is_alphanumeric()).next();
                UNPUBLISHED.contains(&&*word) || first == Some("draft")
            }) {
                note(self, key, line);
            }
        }
        // whoever sets one wants readers to be asked for it, and a feed cannot ask
        if let Some((line, value)) = head.get("password") {
            let is_none = match value {
                Value::List(list) => list.is_empty(),
                value => {
                    *value == Value::Bool(false)
                        || value.text().is_some_and(|text| text.trim() == "false")
                }
            };
            if !is_none {
                note(self, "password", line);
            }
        }
        is_kept_back
    }
}

/// Of two the one that shows less.
fn stricter(a: Visibility, b: Visibility) -> Visibility {
    let rank = |visibility: &Visibility| match visibility {
        Visibility::Public => 0,
        Visibility::PageOnly => 1,
        Visibility::Draft => 2,
    };
    std::cmp::max_by_key(a, b, rank)
}

/// Whether a value that is neither true nor false is none of a switch: the key has another meaning, too.
fn is_no_switch(key: &str, value: &Value) -> bool {
    match key {
        // a date, read elsewhere
        "published" | "publish" => value
            .text()
            .is_some_and(|text| text.contains(|c: char| c.is_ascii_digit())),
        // Hugo's and Jekyll's `render` knows words of its own
        "render" => {
            let word = value.text().unwrap_or_default().trim().to_lowercase();
            matches!(value, Value::Text(_)) && !matches!(word.as_str(), "never" | "maybe" | "none")
        }
        // settings of a feed: what of them is a switch has a key of its own
        "feed" | "rss" => matches!(value, Value::Map(_) | Value::List(_)),
        // words that have other meanings
        "wip" | "listed" | "visible" | "unpublished" => true,
        _ => false,
    }
}

/// A boolean, or what people write for one.
pub(super) fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        value => match value.text()?.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "y" => Some(true),
            "false" | "no" | "off" | "0" | "n" => Some(false),
            _ => None,
        },
    }
}
