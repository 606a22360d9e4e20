//! What an entry is in a document: written once, and cut out of the last document as long as it says the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::edition::Kind;
use crate::feed::Content;

/// The format, how much of the article is shown, and the digest of the item.
pub(super) type Key = (Kind, Content, [u8; 32]);

/// The entries of documents that were written before, as they stand in them: nothing is copied.
#[derive(Debug, Default)]
pub struct Pieces(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pieces: HashMap<Key, Bytes>,
    /// Which were cut out of which document, by its route.
    documents: HashMap<String, Vec<Key>>,
}

impl Pieces {
    /// An entry as it was written before, if it was.
    pub(super) fn get(&self, key: &Key) -> Option<Bytes> {
        self.lock().pieces.get(key).cloned()
    }

    /// Takes over the entries of the document at `route`, in the place of those of its last version.
    pub(super) fn keep(&self, route: &str, pieces: Vec<(Key, Bytes)>) {
        let mut inner = self.lock();
        let keys = pieces.iter().map(|(key, _)| *key).collect();
        // what is cut out of an older document would keep all of it
        for key in inner
            .documents
            .insert(route.to_owned(), keys)
            .unwrap_or_default()
        {
            inner.pieces.remove(&key);
        }
        inner.pieces.extend(pieces);
    }

    /// Forgets documents that there are not to be any longer.
    pub fn retain(&self, wanted: impl Fn(&str) -> bool) {
        let Inner { pieces, documents } = &mut *self.lock();
        documents.retain(|route, keys| {
            let stays = wanted(route);
            if !stays {
                keys.iter().for_each(|key| {
                    pieces.remove(key);
                });
            }
            stays
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // whatever its holder did, a piece is whole
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
