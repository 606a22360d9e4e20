//! What `_index.md` says of its folder: the section of a site, in Hugo's and Zola's words.

use serde::{Deserialize, Serialize};

use super::front_matter::{Head, Value};
use super::keys::Keys;
use super::{Dialect, Markup, Problem, Source, Visibility, decode, front_matter, hidden, words};

/// A folder of articles, as its `_index.md` describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Plain text, never empty.
    pub title: Option<String>,
    /// Plain text, never empty.
    pub description: Option<String>,
    /// The language of the articles in it that declare none.
    pub language: Option<String>,
    /// Whether nothing in it is for the public.
    pub draft: bool,
    /// Whether that cannot be read: what is public stays so.
    pub is_broken: bool,
}

/// Understands an `_index.md`. One that cannot be read hides its folder: its switch might say so.
#[must_use]
pub fn section(source: Source<'_>, dialect: &Dialect) -> (Section, Vec<Problem>) {
    let path = source.path;
    let hidden = |problem| {
        let section = Section {
            draft: true,
            is_broken: true,
            ..Section::default()
        };
        (section, vec![problem])
    };
    let text = match decode::decode(path, source.bytes, dialect.encoding) {
        Ok(text) => text,
        Err(problem) => return hidden(problem),
    };
    let head = match front_matter::read(path, &text, Markup::of(path)) {
        Ok(parts) => parts.head,
        Err(problem) => return hidden(problem),
    };
    let mut keys = Keys {
        path,
        head: &head,
        dialect,
        problems: Vec::new(),
        origins: Vec::new(),
    };
    let shown = |text: String| {
        let shown = words::folded(&hidden::hide_in_words(&text));
        (!shown.is_empty()).then_some(shown)
    };
    let mut visibility = keys.visibility();
    let mut problems = std::mem::take(&mut keys.problems);
    // what it says of the pages below it
    for below in cascades(&head) {
        let mut keys = Keys {
            path,
            head: &below,
            dialect,
            problems: Vec::new(),
            origins: Vec::new(),
        };
        visibility = match (visibility, keys.visibility()) {
            (Some(own), Some(Visibility::Public)) => Some(own),
            // a page in no list would still be in no feed
            (Some(_), Some(_)) => Some(Visibility::Draft),
            _ => None,
        };
        problems.append(&mut keys.problems);
    }
    let section = Section {
        title: keys.title().and_then(shown),
        description: keys.summary().and_then(shown),
        language: keys.declared_language(),
        draft: visibility.is_none_or(|visibility| visibility == Visibility::Draft),
        is_broken: visibility.is_none(),
    };
    problems.append(&mut keys.problems);
    (section, problems)
}

/// The keys that Hugo gives to all pages below a section: those of `cascade`, unless they are for some of them.
fn cascades(head: &Head) -> Vec<Head> {
    let Some((line, value)) = head.get("cascade") else {
        return Vec::new();
    };
    let tables = match value {
        Value::List(list) => list.as_slice(),
        value => std::slice::from_ref(value),
    };
    let all = tables
        .iter()
        .filter(|table| table.get("target").is_none() && table.get("_target").is_none());
    let entries = all.filter_map(|table| match table {
        Value::Map(entries) => Some(entries),
        _ => None,
    });
    let heads = entries.map(|entries| {
        let entries = entries.iter();
        let entries = entries.map(|(key, value)| (front_matter::plain(key), line, value.clone()));
        Head {
            entries: entries.collect(),
        }
    });
    heads.collect()
}
