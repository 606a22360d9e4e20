//! What the keys of a head mean: the table of the README, as code. Here is what keys have in common, and those that are
//! text alone; the others have files of their own.

use std::collections::BTreeSet;

use super::front_matter::{Head, Value};
use super::hidden::hide_in_words;
use super::words::folded;
use super::{Body, Dialect, Problem, hidden, language, location};

mod media;
mod people;
mod place;
mod state;
mod time;

/// The head of one file, with the problems that its values have.
pub(super) struct Keys<'a> {
    pub(super) path: &'a str,
    pub(super) head: &'a Head,
    pub(super) dialect: &'a Dialect,
    pub(super) problems: Vec<Problem>,
    /// Which keys gave something, in the order in which they were asked.
    pub(super) origins: Vec<Origin>,
}

/// What of a head gave one value of an article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it gave: `title`, `published` …
    pub what: &'static str,
    /// The key, without case, `-` and `_`.
    pub key: String,
    /// Its line in the file, from 1.
    pub line: u32,
}

/// What stands between several values in one text.
#[derive(Clone, Copy)]
enum Separators {
    None,
    Commas,
    CommasOrSpaces,
}

impl Keys<'_> {
    fn wrong(&mut self, line: u32, what: String, remedy: &str) {
        self.problems
            .push(Problem::error(self.path, what).at(line).remedy(remedy));
    }

    fn note(&mut self, what: &'static str, key: &str, line: u32) {
        let key = key.strip_suffix("[0]").unwrap_or(key).to_owned();
        self.origins.push(Origin { what, key, line });
    }

    /// The first of `keys` that is present and is text.
    fn text(&mut self, what: &'static str, keys: &[&str]) -> Option<String> {
        for key in keys {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            match value
                .text()
                .map(|text| folded(&text))
                .filter(|text| !text.is_empty())
            {
                Some(text) => {
                    self.note(what, key, line);
                    return Some(text);
                }
                None if matches!(value, Value::List(_) | Value::Map(_)) => {
                    let what = format!("`{key}` is {} where text is expected", value.kind());
                    self.wrong(line, what, "write one text; the key is ignored");
                }
                None => {}
            }
        }
        None
    }

    /// Says what the text hides. Whether how much of it is for readers is a guess: then nothing of it is.
    pub(super) fn hidden(&mut self, body: &Body) -> bool {
        let hidden = hidden::find(body.source(), body.markup);
        let line = |at: usize| {
            let above = body.source()[..at].bytes().filter(|b| *b == b'\n').count();
            body.line + u32::try_from(above).unwrap_or_default()
        };
        if let Some(first) = hidden.obsidian.first() {
            let count = hidden.obsidian.len();
            let times = if count > 1 {
                format!(", {count} times")
            } else {
                String::new()
            };
            let what =
                format!("text between `%%` and `%%` is a comment and is not published{times}");
            let remedy = "put backticks around it to show it";
            self.problems.push(
                Problem::info(self.path, what)
                    .at(line(*first))
                    .remedy(remedy),
            );
        }
        let Some((at, what, remedy)) = hidden.held else {
            return false;
        };
        self.wrong(
            line(at),
            what,
            &format!("{remedy}; the article is held until then"),
        );
        true
    }

    pub(super) fn id(&mut self) -> Option<String> {
        self.text("id", &["id", "guid", "uuid"])
    }

    pub(super) fn title(&mut self) -> Option<String> {
        self.text("title", &["title", "newstitle", "linktitle"])
    }

    pub(super) fn tags(&mut self) -> Vec<String> {
        let tags = self.terms("tags", &["taxonomies.tags", "keywords", "tag"]);
        // collections of Eleventy
        tags.into_iter()
            .filter(|tag| !["post", "posts", "all"].contains(&tag.as_str()))
            .collect()
    }

    pub(super) fn categories(&mut self) -> Vec<String> {
        let mut categories = self.terms("categories", &["category", "taxonomies.categories"]);
        // Jekyll: the folders around `_posts`
        if let Some((around, _)) = self.path.split_once("/_posts/") {
            for folder in around.split('/') {
                if !folder.starts_with('_') && !categories.iter().any(|other| other == folder) {
                    categories.push(folder.to_owned());
                }
            }
        }
        categories
    }

    /// Jekyll's plural keys hold words with spaces between them, if there are no commas.
    fn terms(&mut self, plural: &'static str, others: &[&str]) -> Vec<String> {
        let spaced = self.head.get(plural).is_some();
        if spaced {
            self.list(plural, &[plural], Separators::CommasOrSpaces)
        } else {
            self.list(plural, others, Separators::Commas)
        }
    }

    /// A list, or text with commas; each once, none empty.
    fn list(&mut self, what: &'static str, keys: &[&str], separators: Separators) -> Vec<String> {
        let Some((key, line, value)) = keys
            .iter()
            .find_map(|key| self.head.get(key).map(|(line, value)| (key, line, value)))
        else {
            return Vec::new();
        };
        self.note(what, key, line);
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut take = |text: &str| {
            let text = folded(&hide_in_words(text));
            if !text.is_empty() && seen.insert(text.clone()) {
                found.push(text);
            }
        };
        let mut wrong = None;
        match value {
            Value::List(list) => {
                for value in list {
                    match value.text() {
                        Some(text) => take(&text),
                        None if *value == Value::Null => {}
                        None => wrong = Some(value.kind()),
                    }
                }
            }
            value => match value.text() {
                Some(text) => match separators {
                    Separators::CommasOrSpaces if !text.contains(',') => {
                        text.split_whitespace().for_each(take);
                    }
                    Separators::CommasOrSpaces | Separators::Commas => {
                        text.split(',').for_each(take);
                    }
                    Separators::None => take(&text),
                },
                None => wrong = Some(value.kind()),
            },
        }
        if let Some(kind) = wrong {
            self.wrong(
                line,
                format!("`{key}` holds {kind} where text is expected"),
                "write a list of texts",
            );
        }
        found
    }

    pub(super) fn summary(&mut self) -> Option<String> {
        self.text(
            "summary",
            &["summary", "excerpt", "description", "intro", "subtitle"],
        )
    }

    /// As declared, else as the file's name says (`name.fr.md`).
    pub(super) fn language(&mut self) -> Option<String> {
        self.declared_language()
            .or_else(|| location::language(self.path))
    }

    pub(super) fn declared_language(&mut self) -> Option<String> {
        for key in ["lang", "language", "locale"] {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            let text = value.text();
            if let Some(tag) = text.as_deref().and_then(language::tag) {
                self.note("language", key, line);
                return Some(tag);
            }
            let shown = text.map_or_else(|| value.kind().to_owned(), |text| format!("`{text}`"));
            let what = format!("`{key}` is {shown}, which is no language tag");
            self.wrong(line, what, "use one like `en`, `de` or `pt-BR`");
        }
        None
    }
}
