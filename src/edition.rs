//! What is published: documents under routes. An [`Edition`] is immutable; a new one takes the place of the old.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a document is, which decides how it is checked, stored and served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// RSS 2.0.
    Rss,
    /// Atom 1.0.
    Atom,
    /// JSON Feed 1.1.
    Json,
    /// OPML 2.0, the list of feeds.
    Opml,
    /// A page that a person reads.
    Page,
    /// A style sheet of our pages.
    Style,
    /// A file of the author's that a page refers to.
    Asset,
}

impl Kind {
    /// Whether gzip, brotli and `ETag` siblings lie beside it on disk: feeds and OPML alone.
    #[must_use]
    pub fn has_siblings(self) -> bool {
        matches!(self, Self::Rss | Self::Atom | Self::Json | Self::Opml)
    }
}

/// One document: the bytes that a reader gets from a route.
#[derive(Debug, Clone)]
pub struct Document {
    /// The path below the base URL, without a slash in front, as it lies on disk: `rss.xml`,
    /// `articles/hello/index.html`. Not percent-encoded. Never holds `..`, empty or hidden segments.
    pub route: String,
    /// What it is.
    pub kind: Kind,
    /// Where its bytes are.
    pub body: Body,
}

/// The bytes of a document, or where to copy them from.
#[derive(Debug, Clone)]
pub enum Body {
    /// Made by us, in memory.
    Memory(Vec<u8>),
    /// A file of the author's, to be copied: an asset.
    File(std::path::PathBuf),
}

/// All documents of one moment, by route.
#[derive(Debug, Clone, Default)]
pub struct Edition {
    /// Every document, by its route.
    pub documents: BTreeMap<String, Document>,
}

/// The entity tag of a document: weak, so that a proxy that compresses leaves it alone, and the same for all
/// encodings; 128 bits of the hash of the bytes, salted with the route.
#[must_use]
pub fn etag(route: &str, bytes: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(route.as_bytes()).update(b"\0").update(bytes);
    format!("W/\"{}\"", &hasher.finalize().to_hex()[..32])
}
