//! The public keys, which anybody may fetch.

use anyhow::{Result, bail};
use bytes::Bytes;

use super::remote::{Found, Public};
use super::{Bucket, MANIFEST, TOGETHER};
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
}

/// The bytes of a document as they are mirrored.
pub(super) fn mirrored(disk: &Disk, route: &str, published: &Published) -> Result<Bytes> {
    let bytes = disk.read(route)?;
    if crate::edition::hash(&bytes) != published.hash {
        disk.forget();
        bail!("`{route}` is not what was published; the next run fetches it");
    }
    Ok(bytes.into())
}
