//! What is published: documents under routes. An [`Edition`] is immutable; a new one takes the place of the old.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub mod encode;
pub(crate) mod manifest;

pub use manifest::{LedgerMark, Manifest, Published, Row, TAIL};

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
    /// Whether readers subscribe to it.
    #[must_use]
    pub fn is_feed(self) -> bool {
        matches!(self, Self::Rss | Self::Atom | Self::Json)
    }

    /// Whether gzip, brotli and `ETag` siblings lie beside it on disk: feeds and OPML alone.
    #[must_use]
    pub fn has_siblings(self) -> bool {
        self.is_feed() || self == Self::Opml
    }

    /// Whether it is asked for so often, or so small, that a server keeps it in memory.
    #[must_use]
    pub fn stays_in_memory(self) -> bool {
        self.has_siblings() || self == Self::Style
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
    Memory(Bytes),
    /// A file of the author's, to be copied as it was when it was found: an asset.
    File(std::path::PathBuf, crate::article::Stamp),
    /// What was published last, and lies where it should.
    Kept,
}

/// All documents of one moment, by route.
#[derive(Debug, Clone, Default)]
pub struct Edition {
    /// Every document, by its route.
    pub documents: BTreeMap<String, Document>,
    /// Old addresses of articles: route → absolute URL. A route that is a document's is none of these.
    pub moved: BTreeMap<String, String>,
    /// Routes of what was published once and is withdrawn for good.
    pub gone: BTreeSet<String>,
}

/// The opaque part of a document's entity tag: 128 bits, hexadecimal, of the hash of its bytes salted with its
/// route. The same for all encodings.
#[must_use]
pub fn tag(route: &str, hash: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(route.as_bytes())
        .update(b"\0")
        .update(hash.as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The entity tag of a document: weak, so that a proxy that compresses leaves it alone (RFC 9110 §8.8.3).
#[must_use]
pub fn etag(route: &str, hash: &str) -> String {
    format!("W/\"{}\"", tag(route, hash))
}

/// The hash of a document's bytes: blake3, hexadecimal.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
