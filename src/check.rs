//! The gate: what every document must be before it is published, judged by a reader that shares no code with the
//! writers. Its rules bear the names that the W3C Feed Validator gives them, where it has one.

use std::collections::HashSet;

use crate::edition::Kind;

mod atom;
mod forms;
mod html;
mod json;
mod memory;
mod opml;
pub mod read;
mod rss;
mod xml;

pub use memory::{Fit, fit, trust};

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

/// What the W3C Feed Validator calls a warning. Of our own documents it forbids publication nevertheless.
const WARNINGS: [&str; 24] = [
    "CharacterData",
    "ContainsHTML",
    "ContainsRelRef",
    "ContainsUndeclaredHTML",
    "DangerousStyleAttr",
    "DuplicateDescriptionSemantics",
    "DuplicateItemSemantics",
    "DuplicateTitle",
    "DuplicateUpdated",
    "ImplausibleDate",
    "MissingDescription",
    "MissingGuid",
    "MissingSelf",
    "NeedDescriptionBeforeContent",
    "NonCanonicalURI",
    "NotBlank",
    "NotHtml",
    "SchemeNotIANARegistered",
    "SecurityRisk",
    "SecurityRiskAttr",
    "SelfDoesntMatchLocation",
    "ShouldIncludeExample",
    "UriNotIri",
    "UseZeroForUnknown",
];

impl Finding {
    /// Whether readers will cope: the W3C Feed Validator only warns of it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !self.refuses || WARNINGS.contains(&self.rule)
    }
}

/// Where a document will be published.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The URL at which readers will find it: its `rel=self`, `feed_url`.
    pub url: &'a str,
}

/// What is reported, but refuses nothing: two entries changed in one instant because their author says so; a date that
/// is older than feeds are; a title that speaks of HTML; an id that the author chose.
const REPORTED: [&str; 4] = [
    "DuplicateUpdated",
    "ImplausibleDate",
    "ContainsHTML",
    "SchemeNotIANARegistered",
];

/// So many findings tell enough of one document.
const ENOUGH: usize = 100;

/// Checks one document; empty if it is fit. Pages, styles and assets have no findings.
#[must_use]
pub fn check(kind: Kind, bytes: &[u8], place: Place<'_>) -> Vec<Finding> {
    let mut findings = Findings::default();
    match kind {
        Kind::Rss => rss::check(bytes, place, &mut findings),
        Kind::Atom => atom::check(bytes, place, &mut findings),
        Kind::Json => json::check(bytes, place, &mut findings),
        Kind::Opml => opml::check(bytes, &mut findings),
        Kind::Page | Kind::Style | Kind::Asset => {}
    }
    findings.found
}

/// Returns the ids of entries that are not well formed by themselves, in a document that is not, as our writers write it.
#[must_use]
pub fn broken_entries(kind: Kind, bytes: &[u8]) -> Vec<String> {
    let (start, end, id) = match kind {
        Kind::Rss => ("<item>", "</item>", "<guid"),
        Kind::Atom => ("<entry>", "</entry>", "<id>"),
        _ => return Vec::new(),
    };
    let text = String::from_utf8_lossy(bytes);
    let entries = text.split(start).skip(1);
    let broken = entries.filter_map(|entry| {
        let inside = entry.split(end).next()?;
        if xml::is_well_formed(inside) {
            return None;
        }
        let (_, rest) = inside.split_once(id)?;
        let rest = if kind == Kind::Rss {
            rest.split_once('>')?.1
        } else {
            rest
        };
        let id = rest.split('<').next()?;
        quick_xml::escape::unescape(id)
            .ok()
            .map(std::borrow::Cow::into_owned)
    });
    broken.collect()
}

/// What a document is, by how it begins; `None` if it is no feed.
#[must_use]
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    let text = String::from_utf8_lossy(bytes);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('{') {
        return Some(Kind::Json);
    }
    // the first element: what stands before it are declarations and comments
    let mut rest = start;
    loop {
        let at = rest.find('<')?;
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = &comment[comment.find("-->")? + 3..];
        } else if rest.starts_with(['?', '!']) {
            rest = &rest[rest.find('>')? + 1..];
        } else {
            break;
        }
    }
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))?;
    let name = rest[..end].rsplit(':').next()?;
    match name {
        "rss" => Some(Kind::Rss),
        "feed" => Some(Kind::Atom),
        "opml" => Some(Kind::Opml),
        _ => None,
    }
}

/// The address at which a document says that it is published: its `rel=self`, its `feed_url`.
#[must_use]
pub fn location(kind: Kind, bytes: &[u8]) -> Option<String> {
    if kind == Kind::Json {
        let feed: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        return feed.get("feed_url")?.as_str().map(str::to_owned);
    }
    let depth = if kind == Kind::Rss { 3 } else { 2 };
    let mut found = None;
    xml::walk(
        bytes,
        depth,
        &mut Findings::default(),
        &mut |element, level, _| {
            if level == depth
                && element.name == "atom:link"
                && element.attribute("rel") == Some("self")
            {
                found = element.attribute("href").map(str::to_owned);
            }
        },
    );
    found
}

/// Collects findings, with the entry that is being looked at.
#[derive(Debug, Default)]
struct Findings {
    found: Vec<Finding>,
    entry: Option<String>,
}

impl Findings {
    fn add(&mut self, rule: &'static str, what: impl Into<String>) {
        if self.found.len() < ENOUGH {
            let refuses = !REPORTED.contains(&rule);
            self.found.push(Finding {
                rule,
                refuses,
                entry: self.entry.clone(),
                what: what.into(),
            });
        }
    }

    fn expect(&mut self, fits: bool, rule: &'static str, what: impl FnOnce() -> String) {
        if !fits {
            self.add(rule, what());
        }
    }

    /// Each id once.
    fn unique(&mut self, seen: &mut HashSet<String>, id: &str) {
        self.expect(seen.insert(id.to_owned()), "DuplicateValue", || {
            format!("the id `{}` stands twice", shown(id))
        });
    }
}

/// Text as a message shows it: not all of a long one.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(80)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
