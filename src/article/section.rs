//! What `_index.md` says of its folder: the section of a site, in Hugo's and Zola's words.

use serde::{Deserialize, Serialize};

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
}

/// Understands an `_index.md`. One that cannot be read hides its folder: its switch might say so.
#[must_use]
pub fn section(source: Source<'_>, dialect: &Dialect) -> (Section, Vec<Problem>) {
    let path = source.path;
    let hidden = |problem| {
        let section = Section {
            draft: true,
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
    let section = Section {
        title: keys.title().and_then(shown),
        description: keys.summary().and_then(shown),
        language: keys.declared_language(),
        draft: keys
            .visibility()
            .is_none_or(|visibility| visibility == Visibility::Draft),
    };
    (section, keys.problems)
}
