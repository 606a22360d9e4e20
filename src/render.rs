//! From a feed to documents: one small file per format.

use crate::edition::{Body, Document, Kind};
use crate::feed::Feed;

mod atom;
mod json;
pub mod opml;
mod rss;
mod xml;

/// What `generator` says; without a version, so that an upgrade changes no byte.
const GENERATOR: &str = "tidings";

/// Writes every document of a feed.
///
/// # Errors
/// If a writer refuses (none is known to): the format and why.
pub fn documents(feed: &Feed) -> Result<Vec<Document>, String> {
    feed.spec
        .formats
        .iter()
        .map(|kind| document(feed, *kind))
        .collect()
}

fn document(feed: &Feed, kind: Kind) -> Result<Document, String> {
    let bytes = match kind {
        Kind::Rss => rss::write(feed).map_err(|error| format!("RSS: {error}"))?,
        Kind::Atom => atom::write(feed).map_err(|error| format!("Atom: {error}"))?,
        _ => json::write(feed).map_err(|error| format!("JSON Feed: {error}"))?,
    };
    #[cfg(debug_assertions)]
    let bytes = unprotected(kind, bytes);
    Ok(Document {
        route: feed.spec.route(kind),
        kind,
        body: Body::Memory(bytes.into()),
    })
}

/// For the tests of the gate alone, and in no release: takes a protection of the writers back, as
/// `TIDINGS_TEST_UNPROTECTED` says: the document's kind, what is right, and what a worse writer would have written.
#[cfg(debug_assertions)]
fn unprotected(kind: Kind, bytes: Vec<u8>) -> Vec<u8> {
    let Ok(order) = std::env::var("TIDINGS_TEST_UNPROTECTED") else {
        return bytes;
    };
    let parts: Vec<&str> = order.split('\t').collect();
    match parts[..] {
        [name, right, wrong] if format!("{kind:?}").eq_ignore_ascii_case(name) => {
            String::from_utf8_lossy(&bytes)
                .replacen(right, wrong, 1)
                .into_bytes()
        }
        _ => bytes,
    }
}
