//! From a feed to documents: one small file per format.

use bytes::Bytes;
use rayon::prelude::*;

use crate::edition::{Body, Document, Kind};
use crate::feed::{Content, Feed, Item};

mod atom;
mod json;
pub mod opml;
mod pieces;
mod rss;
mod xml;

pub use pieces::Pieces;

/// What `generator` says; without a version, so that an upgrade changes no byte.
const GENERATOR: &str = "tidings";

/// What stands around the entries of a document.
struct Frame {
    above: Vec<u8>,
    between: &'static [u8],
    below: &'static [u8],
}

/// So many entries are written at a time.
const SOME: usize = 1024;

/// Writes every document of a feed. An entry that was written before is taken from `pieces`.
///
/// # Errors
/// If a writer refuses (none is known to): the format and why.
pub fn documents(feed: &Feed, pieces: &Pieces) -> Result<Vec<Document>, String> {
    let digests: Vec<[u8; 32]> = feed.items.iter().map(Item::digest).collect();
    let formats = feed.spec.formats.par_iter();
    formats
        .map(|kind| document(feed, *kind, &digests, pieces))
        .collect()
}

fn document(
    feed: &Feed,
    kind: Kind,
    digests: &[[u8; 32]],
    known: &Pieces,
) -> Result<Document, String> {
    let key = |digest: &[u8; 32]| (kind, feed.spec.content, *digest);
    let entry = |item: &Item| match kind {
        Kind::Rss => rss::item(item, feed).map_err(|error| format!("RSS: {error}")),
        Kind::Atom => atom::entry(item, feed).map_err(|error| format!("Atom: {error}")),
        _ => json::item(item, feed).map_err(|error| format!("JSON Feed: {error}")),
    };
    let frame = match kind {
        Kind::Rss => rss::frame(feed).map_err(|error| format!("RSS: {error}"))?,
        Kind::Atom => atom::frame(feed).map_err(|error| format!("Atom: {error}"))?,
        _ => json::frame(feed).map_err(|error| format!("JSON Feed: {error}"))?,
    };
    let has_text = feed.spec.content != Content::Summary;
    let text = |item: &Item| if has_text { item.html.len() * 9 / 8 } else { 0 };
    let room = feed.items.iter().map(|item| text(item) + 2048);
    let mut bytes = Vec::with_capacity(frame.above.len() + room.sum::<usize>());
    bytes.extend_from_slice(&frame.above);
    let mut spans = Vec::with_capacity(feed.items.len());
    // some at a time: all would take as much room as the document, beside it
    for (items, digests) in feed.items.chunks(SOME).zip(digests.chunks(SOME)) {
        let entries = items.par_iter().zip(digests);
        let entries = entries.map(|(item, digest)| match known.get(&key(digest)) {
            Some(piece) => Ok(piece),
            None => entry(item).map(Bytes::from),
        });
        for entry in entries.collect::<Result<Vec<Bytes>, String>>()? {
            if !spans.is_empty() {
                bytes.extend_from_slice(frame.between);
            }
            spans.push(bytes.len()..bytes.len() + entry.len());
            bytes.extend_from_slice(&entry);
        }
    }
    bytes.extend_from_slice(frame.below);
    let bytes = Bytes::from(bytes);
    let route = feed.spec.route(kind);
    let pieces = digests.iter().map(key);
    let pieces = pieces.zip(spans.into_iter().map(|span| bytes.slice(span)));
    known.keep(&route, pieces.collect());
    #[cfg(debug_assertions)]
    let bytes = unprotected(kind, bytes);
    Ok(Document {
        route,
        kind,
        body: Body::Memory(bytes),
    })
}

/// For the tests of the gate alone, and in no release: takes a protection of the writers back, as
/// `TIDINGS_TEST_UNPROTECTED` says: the document's kind, what is right, and what a worse writer would have written, once or,
/// if there is a fourth part, everywhere.
#[cfg(debug_assertions)]
fn unprotected(kind: Kind, bytes: Bytes) -> Bytes {
    let Ok(order) = std::env::var("TIDINGS_TEST_UNPROTECTED") else {
        return bytes;
    };
    let parts: Vec<&str> = order.split('\t').collect();
    match parts[..] {
        [name, right, wrong, ref times @ ..] if format!("{kind:?}").eq_ignore_ascii_case(name) => {
            let times = if times.is_empty() { 1 } else { usize::MAX };
            String::from_utf8_lossy(&bytes)
                .replacen(right, wrong, times)
                .into_bytes()
                .into()
        }
        _ => bytes,
    }
}
