//! A look through a bucket now and then: what nobody needs any longer goes, and what somebody else took away comes back.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::keys::mirrored;
use super::remote::{Found, Listed};
use super::{BLOBS, Bucket, GRACE, LEDGER, MANIFEST, TOGETHER, blob, ledger};
use crate::edition::Manifest;
use crate::store::Disk;

impl Bucket {
    /// Once a day: deletes what no recent manifest names, and puts again what the manifest names and somebody else has deleted
    /// or cut short. Public keys that are missing are put by the next [`settle`](Self::settle).
    ///
    /// # Errors
    /// If the store does not answer, or the mirror is not what was published; what can be done is done.
    pub fn tidy(&self, disk: &Disk, manifest: &Manifest, now: DateTime<Utc>) -> Result<()> {
        let mut position = self.position();
        let Some(row) = &manifest.row else {
            return Ok(());
        };
        // it must be the manifest that stands there
        let known = position.manifest.clone();
        let is_newest = || {
            let found = self.remote.get(MANIFEST, known.as_ref());
            found.map(|found| found == Found::Same)
        };
        let is_due = position.tidied.is_none_or(|tidied| now - tidied >= GRACE);
        if !is_due || !is_newest()? {
            return Ok(());
        }
        let documents = manifest.documents.iter();
        let mut missing: HashMap<String, (&str, u64)> = documents
            .map(|(route, one)| (blob(&one.hash), (route.as_str(), one.size)))
            .collect();
        let left: HashSet<String> = row.left.keys().map(|hash| blob(hash)).collect();
        let segments = self.remote.list(LEDGER, |key| {
            ledger::number(key).is_some_and(|number| number < row.first)
        })?;
        let blobs = self.remote.list(BLOBS, is_blob)?;
        let unnamed = blobs
            .iter()
            .filter(|one| !missing.contains_key(&one.key) && !left.contains(&one.key));
        let is_old = |one: &&Listed| now - one.modified >= GRACE;
        let old = segments.iter().chain(unnamed).filter(is_old);
        let old: Vec<String> = old.map(|one| one.key.clone()).collect();
        // an edition that came meanwhile may name again what is old
        if !is_newest()? {
            return Ok(());
        }
        self.remote.delete(&old)?;
        for one in &blobs {
            if missing
                .get(&one.key)
                .is_some_and(|(_, size)| *size == one.size)
            {
                missing.remove(&one.key);
            }
        }
        let healed = self.heal(disk, manifest, &missing);
        // what else stands there, and how that is called, is not ours: where it cannot be listed it is left alone
        let is_ours = |key: &str| manifest.documents.contains_key(key);
        if let Ok(listed) = self.remote.list("", is_ours) {
            let sizes = listed.iter().map(|one| (one.key.as_str(), one.size));
            let sizes: HashMap<&str, u64> = sizes.collect();
            for (route, published) in &manifest.documents {
                if sizes.get(route.as_str()) != Some(&published.size) {
                    self.keys().remove(route);
                    position.doubtful.insert(route.clone());
                }
            }
        }
        // who was overtaken may have deleted what is needed again: the next turn sees to that, and to what could not be healed
        if healed.is_ok() && is_newest()? {
            position.tidied = Some(now);
        }
        position.save(&self.state)?;
        healed
    }

    /// Puts blobs again, each with the route whose it is.
    fn heal(
        &self,
        disk: &Disk,
        manifest: &Manifest,
        missing: &HashMap<String, (&str, u64)>,
    ) -> Result<()> {
        let mut healed = Ok(());
        let missing: Vec<_> = missing.iter().collect();
        for some in missing.chunks(TOGETHER) {
            let mut blobs = Vec::new();
            for (key, (route, _)) in some {
                match mirrored(disk, route, &manifest.documents[*route]) {
                    Ok(bytes) => blobs.push(((*key).clone(), bytes)),
                    Err(error) => healed = Err(error),
                }
            }
            self.remote.put(blobs)?;
        }
        healed
    }
}

/// Whether it is the key of a blob.
fn is_blob(key: &str) -> bool {
    let hash = key
        .strip_prefix(BLOBS)
        .and_then(|key| key.strip_prefix('/'));
    hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}
