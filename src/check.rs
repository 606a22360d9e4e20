//! The gate: what every document must be before it is published, judged by a reader of its own.

use crate::edition::Kind;

pub mod read;

/// A document that is not fit to be published, or not quite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The W3C Feed Validator's name for it, `ContainsRelRef`, or our own in the same manner.
    pub rule: &'static str,
    /// Whether it forbids publication; a finding that does not is only reported.
    pub refuses: bool,
    /// The id of the entry that it stands in, if it is one entry's.
    pub entry: Option<String>,
    /// What is wrong: lower case, no final stop, names the element and shows the text.
    pub what: String,
}

/// Where a document will be published.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The URL at which readers will find it: its `rel=self`, `feed_url`.
    pub url: &'a str,
}

/// Checks one document; empty if it is fit. Pages, styles and assets have no findings.
#[must_use]
pub fn check(_kind: Kind, _bytes: &[u8], _place: Place<'_>) -> Vec<Finding> {
    Vec::new()
}
