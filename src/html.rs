//! The feed's HTML: one pass over every body, since readers, mail gateways and aggregators are no browsers.

use url::Url;

/// What the pass needs to know of the article around the HTML.
pub struct Surroundings<'a> {
    /// The article's URL: `#fragment` becomes this and the fragment.
    pub base: &'a Url,
    /// Put before ids of footnotes, so that two articles shown together do not share them; `[a-z0-9-]`, ends in `-`.
    pub prefix: &'a str,
    /// Any reference that is neither a fragment nor absolute, as written (entities decoded, trimmed), to its
    /// absolute URL; `None` if there is none.
    pub resolve: &'a dyn Fn(&str) -> Option<String>,
}

/// Makes `html` (a fragment) safe, absolute and well nested.
///
/// Idempotent: `clean(clean(x)) == clean(x)` in the same surroundings.
#[must_use]
pub fn clean(_html: &str, _around: &Surroundings<'_>) -> String {
    String::new()
}

/// The text that a reader would see: no markup, entities decoded, white space folded, no space at the ends.
/// Block elements and `<br>` separate words.
#[must_use]
pub fn text(_html: &str) -> String {
    String::new()
}

/// The text of the first `<p>` that has any, as [`text`]; else of everything.
#[must_use]
pub fn first_paragraph(_html: &str) -> String {
    String::new()
}

/// The text of the first `<h1>`, if it has any.
#[must_use]
pub fn first_heading(_html: &str) -> Option<String> {
    None
}

/// `html` without the first `<h1>` (or the first heading of any level, if that comes first) whose text is `title`.
#[must_use]
pub fn without_heading(_html: &str, _title: &str) -> String {
    String::new()
}

/// Of a whole page the part that is the article: its only `<article>`, else `<main>`, else `<body>`, else everything but the head.
#[must_use]
pub fn content(_page: &str) -> &str {
    ""
}
