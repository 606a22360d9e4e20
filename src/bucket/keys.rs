//! The public keys, which anybody may fetch, and what goes from a bucket when nobody needs it any longer.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, bail};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::remote::{Found, Public};
use super::{BLOBS, Bucket, GRACE, MANIFEST, TOGETHER, blob, ledger};
use crate::edition::{Manifest, Published};
use crate::served;
use crate::store::Disk;

impl Bucket {
    /// Puts the public keys that may not be what the manifest says, and takes those away that it does not name. Whether it
    /// is the manifest that stands there when that is done; if not, it is to be done again with the one that does, since a
    /// publisher that was held up may have put what a newer one has taken away. What could not be done is done by the next
    /// one who comes by.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn settle(&self, disk: &Disk, manifest: &Manifest, fresh: u64) -> Result<bool> {
        let mut position = self.position();
        let Some(row) = &manifest.row else {
            return Ok(true);
        };
        if position.settled == row.edition && position.doubtful.is_empty() {
            return Ok(true);
        }
        // durable before anything is touched: who dies in between looks at it again
        position.doubtful.extend(row.unsettled.iter().cloned());
        position.save(&self.state)?;
        let (here, gone): (Vec<&String>, Vec<&String>) = position
            .doubtful
            .iter()
            .partition(|route| manifest.documents.contains_key(*route));
        for routes in here.chunks(TOGETHER) {
            // what an earlier try has put is there
            let is_put = |route: &str| {
                let keys = self.keys();
                keys.get(route).is_some_and(|(_, of)| *of == row.edition)
            };
            let routes: Vec<&String> = { routes.iter().copied() }
                .filter(|route| !is_put(route))
                .collect();
            let public = routes.iter().map(|route| {
                let published = &manifest.documents[*route];
                Ok(Public {
                    key: (*route).clone(),
                    bytes: mirrored(disk, route, published)?,
                    media: served::media_type(route, published.kind),
                    cache: served::cache_control(published.kind, fresh),
                    edition: row.edition,
                    known: self.keys().get(*route).map(|(version, _)| version.clone()),
                })
            });
            let public: Vec<Public> = public.collect::<Result<_>>()?;
            let versions = self.remote.publish(public)?;
            let mut keys = self.keys();
            for (route, version) in routes.iter().zip(versions) {
                match version {
                    Some(version) => keys.insert((*route).clone(), (version, row.edition)),
                    None => keys.remove(*route),
                };
            }
        }
        let is_newest = || self.remote.get(MANIFEST, position.manifest.as_ref());
        // a key must not go that a newer edition has put again
        if !gone.is_empty() && is_newest()? == Found::Same {
            let gone: Vec<String> = gone.into_iter().cloned().collect();
            self.remote.delete(&gone)?;
            let mut keys = self.keys();
            gone.iter().for_each(|route| drop(keys.remove(route)));
        }
        if is_newest()? != Found::Same {
            return Ok(false);
        }
        position.doubtful.clear();
        position.settled = row.edition;
        position.save(&self.state)?;
        Ok(true)
    }

    /// Looks through the bucket now and then: deletes what no recent manifest names, and puts again what the manifest names and
    /// somebody else has deleted or cut short. Public keys that are missing are put by the next [`settle`](Self::settle).
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn tidy(&self, disk: &Disk, manifest: &Manifest, now: DateTime<Utc>) -> Result<()> {
        let mut position = self.position();
        let Some(row) = &manifest.row else {
            return Ok(());
        };
        let is_due = position.tidied.is_none_or(|tidied| now - tidied >= GRACE);
        // it must be the manifest that stands there
        if !is_due || self.remote.get(MANIFEST, position.manifest.as_ref())? != Found::Same {
            return Ok(());
        }
        let listed = self.remote.list("")?;
        let sizes: HashMap<&str, u64> = listed
            .iter()
            .map(|one| (one.key.as_str(), one.size))
            .collect();
        let is_whole = |key: &str, published: &Published| sizes.get(key) == Some(&published.size);
        let mut lost = Vec::new();
        for (route, published) in &manifest.documents {
            let key = blob(&published.hash);
            if !is_whole(&key, published) {
                lost.push((key, mirrored(disk, route, published)?));
            }
            if !is_whole(route, published) {
                self.keys().remove(route);
                position.doubtful.insert(route.clone());
            }
        }
        for some in lost.chunks(TOGETHER) {
            self.remote.put(some.to_vec())?;
        }
        let documents = manifest.documents.values();
        let mut named: BTreeSet<String> = documents.map(|one| blob(&one.hash)).collect();
        named.extend(row.left.keys().map(|hash| blob(hash)));
        let old = listed.iter().filter(|one| now - one.modified >= GRACE);
        let old = old.map(|one| &one.key).filter(|key| {
            let number = ledger::number(key);
            match number {
                Some(number) => number < row.first,
                None => is_blob(key) && !named.contains(*key),
            }
        });
        let old: Vec<String> = old.cloned().collect();
        self.remote.delete(&old)?;
        position.tidied = Some(now);
        position.save(&self.state)
    }
}

/// The bytes of a document as they are mirrored.
fn mirrored(disk: &Disk, route: &str, published: &Published) -> Result<Bytes> {
    let bytes = disk.read(route)?;
    if crate::edition::hash(&bytes) != published.hash {
        disk.forget();
        bail!("`{route}` is not what was published; the next run fetches it");
    }
    Ok(bytes.into())
}

/// Whether it is the key of a blob, and not of a document that lies beside them.
fn is_blob(key: &str) -> bool {
    let hash = key
        .strip_prefix(BLOBS)
        .and_then(|key| key.strip_prefix('/'));
    hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}
