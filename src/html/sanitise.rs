//! The sanitiser proper: a library made for it, with one configuration.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

use super::tags::{ELEMENTS, EVERYWHERE, MORE_ELEMENTS};

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let elements = || ELEMENTS.iter().chain(&MORE_ELEMENTS);
    let attributes: HashMap<&str, HashSet<&str>> = elements()
        .map(|(name, own)| (*name, own.iter().copied().collect()))
        .collect();
    let mut builder = Builder::default();
    builder
        .tags(elements().map(|(name, _)| *name).collect())
        .tag_attributes(attributes)
        .generic_attributes(EVERYWHERE.into_iter().collect())
        .clean_content_tags(
            [
                "script", "style", "template", "noscript", "title", "textarea", "svg", "math",
            ]
            .into(),
        )
        .url_schemes(["http", "https", "mailto", "tel", "data"].into())
        .url_relative(UrlRelative::Deny)
        .filter_style_properties(["text-align"].into())
        .link_rel(None)
        .strip_comments(true);
    builder
});

/// Only what is listed remains. Addresses are absolute already; any that is not goes.
pub(super) fn sanitise(html: &str) -> String {
    SANITISER.clean(html).to_string()
}
