//! A bucket as the place where feeds live, when one machine is not enough: the object store is what all agree on.
//!
//! Beneath the prefix stand `manifest.json`, `ledger/N`, `blobs/HASH`, and every document at its route for anybody to
//! fetch. The order of a publication: a segment of the ledger is created where there is none, which claims the turn; the blobs
//! of what changed are put; the manifest takes the place of the one that is known, which is the commit; then the public keys are
//! put. So who loses a race has shown nothing, and who dies leaves nothing that the next one cannot go on with.
//!
//! Each machine has a mirror of what is published, a folder in the form that documents have on disk; all else works on
//! that. This is no cluster: nobody speaks to anybody but the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::edition::{Manifest, Published, Row};
use crate::store::{Disk, Ready};

mod keys;
mod ledger;
mod position;
mod remote;
mod tidy;

use position::Position;
use remote::{Found, Remote};

/// The key of the manifest.
const MANIFEST: &str = "manifest.json";
/// The folder of segments of the ledger.
const LEDGER: &str = "ledger";
/// The folder of blobs.
const BLOBS: &str = "blobs";
/// How old what no recent manifest names must be to be deleted: a publisher that was held up may be about to name it.
const GRACE: TimeDelta = TimeDelta::days(1);
/// So long a blob counts as named when the manifest that named it is no longer the newest.
const RECENT: TimeDelta = TimeDelta::minutes(10);
/// So many documents are put or fetched together.
const TOGETHER: usize = 64;

/// Another publisher was quicker: what there is now must be looked at first.
#[derive(Debug, thiserror::Error)]
#[error("another publisher was quicker")]
pub struct Lost;

/// A bucket, with what is known of it here.
#[derive(Debug)]
pub struct Bucket {
    url: String,
    state: PathBuf,
    remote: Arc<Remote>,
    position: Mutex<Position>,
    /// The versions of public keys, as they were put last by this process, and the editions that they are of.
    keys: Mutex<HashMap<String, (remote::Version, u64)>>,
}

impl Bucket {
    /// The bucket at `url`. What is known of it is in the state folder `state`. Nothing is asked yet.
    ///
    /// # Errors
    /// If the URL is none of a bucket, or there are no credentials.
    pub fn open(url: &str, state: &Path) -> Result<Self> {
        Ok(Self {
            url: url.to_owned(),
            state: state.to_owned(),
            remote: Arc::new(Remote::open(url)?),
            position: Mutex::new(Position::load(state, url)),
            keys: Mutex::default(),
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether another manifest stands there than the one that is mirrored. One small question.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn is_behind(&self) -> Result<bool> {
        let known = self.position().manifest.clone();
        let found = self.remote.get(MANIFEST, known.as_ref())?;
        Ok(match found {
            Found::Same | Found::Nothing => false,
            Found::Other(_, version) => Some(version) != self.position().manifest,
        })
    }

    /// Whether this machine has mirrored it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.position().edition > 0
    }

    /// Lets everything in the mirror be looked at anew, byte by byte, by the next [`pull`](Self::pull).
    pub fn distrust(&self, disk: &Disk) {
        disk.forget();
        self.position().manifest = None;
    }

    /// Whether all that is left to be done of the last publication is known to be done.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let position = self.position();
        position.settled == position.edition && position.doubtful.is_empty()
    }

    /// Brings the mirror up to what the bucket says, and the ledger at `ledger`, if there is to be one. Where a ledger was
    /// put aside that the bucket does not know is given.
    ///
    /// # Errors
    /// If the store does not answer, or holds something else; the mirror is wholly what it was, or wholly new.
    pub fn pull(&self, disk: &Disk, ledger: Option<&Path>) -> Result<Option<PathBuf>> {
        let mut position = self.position();
        let mirrored = disk.manifest(&mut Vec::new()).ok().flatten();
        let edition = mirrored.as_ref().and_then(|manifest| manifest.row.as_ref());
        let edition = edition.map_or(0, |row| row.edition);
        if edition == 0 || edition != position.edition {
            // what is known is of another mirror
            position.manifest = None;
        }
        match self.remote.get(MANIFEST, position.manifest.as_ref())? {
            Found::Same => {}
            Found::Nothing if position.edition > 0 => bail!(
                "`{}` is empty, and was not: if that is meant, delete `{}`",
                self.url,
                self.state.join(position::FILE).display()
            ),
            Found::Nothing => {
                // what is mirrored is another bucket's: of that nothing stands here
                disk.forget();
                *position = Position::new(&self.url);
            }
            Found::Other(bytes, version) => {
                let (manifest, row) = self.read(&bytes)?;
                // a store that answers with what it was must not take anybody back
                if row.edition < position.edition {
                    bail!(
                        "`{}` holds edition {}, and held {}: if it was put back, delete `{}`",
                        self.url,
                        row.edition,
                        position.edition,
                        self.state.join(position::FILE).display()
                    );
                }
                disk.mirror(&manifest, |wanted| self.fetch(wanted))?;
                position.edition = row.edition;
                if position.first != row.first {
                    // it was folded: what is here may have come another way
                    position.next = 0;
                }
                position.first = row.first;
                position.manifest = Some(version);
            }
        }
        let aside = ledger.map(|path| self.pull_ledger(&mut position, path));
        let aside = aside.transpose()?.flatten();
        position.save(&self.state)?;
        Ok(aside)
    }

    fn read(&self, bytes: &[u8]) -> Result<(Manifest, Row)> {
        let what = || format!("`manifest.json` in `{}` is none of tidings", self.url);
        let manifest = Manifest::parse(bytes).with_context(what)?;
        manifest.check_version(&self.url)?;
        let row = manifest.row.clone().with_context(what)?;
        Ok((manifest, row))
    }

    /// The bytes of documents, each with the hash that it is to have.
    fn fetch(&self, wanted: &[&Published]) -> Result<Vec<Bytes>> {
        let keys: Vec<String> = wanted.iter().map(|one| blob(&one.hash)).collect();
        let fetched = self.remote.fetch(&keys)?;
        let fetched = keys.iter().zip(wanted).zip(fetched);
        fetched
            .map(|((key, published), bytes)| {
                let what = match bytes {
                    Some(bytes) if crate::edition::hash(&bytes) == published.hash => {
                        return Ok(bytes);
                    }
                    Some(_) => "damaged",
                    None => "missing",
                };
                let url = &self.url;
                bail!(
                    "`{key}` in `{url}` is {what}: a machine that has published there puts it again when it builds, once a \
                     day; if there is none, delete `{MANIFEST}` there, and all is published anew, with the ids that it has"
                )
            })
            .collect()
    }

    /// Commits a publication: what `text` adds to the ledger, of which `whole` is all, and the documents that are ready. The
    /// manifest that is ready gets its place in the row of editions.
    ///
    /// # Errors
    /// [`Lost`] if another publisher was quicker, and whatever keeps the store from answering. Then nobody has seen anything
    /// of it.
    pub fn commit(
        &self,
        ready: &mut Ready<'_>,
        previous: Option<&Manifest>,
        ledger: (&[u8], &[u8]),
        settings: &serde_json::Value,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut position = self.position();
        let (text, whole) = ledger;
        let before = previous.and_then(|previous| previous.row.clone());
        let mut row = Row {
            // a row whose manifest was lost is over: no key that was put for it is of a later edition than any of the new one
            edition: match position.edition {
                0 => seconds(),
                known => known + 1,
            },
            first: position.first,
            unsettled: BTreeSet::new(),
            left: BTreeMap::new(),
            settings: Some(settings.clone()),
        };
        // a publication that changes nothing has the row of the one before
        if let Some(before) = &before {
            ready.manifest.row = Some(Row {
                settings: row.settings.clone(),
                ..before.clone()
            });
            let has_ledger = position.first != 0 || whole.is_empty();
            if text.is_empty() && has_ledger && previous == Some(&ready.manifest) {
                return Ok(());
            }
        }
        let claim = self.claim(&position, text, whole)?;
        if let Some(claim) = claim.as_ref().filter(|claim| claim.is_fold) {
            row.first = claim.number;
        }
        let is_other = |route: &String, published: &Published| {
            let before = previous.and_then(|previous| previous.documents.get(route));
            before.is_none_or(|before| before.hash != published.hash)
        };
        let changed: Vec<&crate::store::Step<'_>> = ready
            .steps
            .iter()
            .filter(|step| is_other(&step.document.route, &step.published))
            .collect();
        for steps in changed.chunks(TOGETHER) {
            let blobs = steps.iter().map(|step| {
                let bytes = step.bytes()?;
                Ok((blob(&step.published.hash), bytes))
            });
            self.remote.put(blobs.collect::<Result<_>>()?)?;
        }
        row.unsettled = changed
            .iter()
            .map(|step| step.document.route.clone())
            .collect();
        let documents = &ready.manifest.documents;
        let fresh = |settings: &serde_json::Value| settings.pointer("/serve/fresh").cloned();
        let before_settings = before.as_ref().and_then(|before| before.settings.as_ref());
        if before_settings.is_some_and(|before| fresh(before) != fresh(settings)) {
            // how long each may be kept stands at its key
            let kept = documents.iter().filter(|(_, one)| one.kind.has_siblings());
            row.unsettled.extend(kept.map(|(route, _)| route.clone()));
        }
        let named: BTreeSet<&str> = documents.values().map(|one| one.hash.as_str()).collect();
        if let (Some(previous), Some(before)) = (previous, before) {
            let gone = previous.documents.keys();
            let gone = gone.filter(|route| !documents.contains_key(*route));
            row.unsettled.extend(gone.cloned());
            if position.settled != before.edition {
                row.unsettled.extend(before.unsettled);
            }
            let left = previous.documents.values();
            let left = left.map(|published| (published.hash.clone(), now));
            row.left = left.chain(before.left).collect();
            row.left
                .retain(|hash, left| !named.contains(hash.as_str()) && now - *left < RECENT);
        }
        let edition = row.edition;
        let first = row.first;
        ready.manifest.row = Some(row);
        let text = Bytes::from(ready.manifest.to_text());
        let put = match &position.manifest {
            Some(known) => self.remote.swap(MANIFEST, text.clone(), known),
            None => self.remote.create(MANIFEST, text.clone()),
        };
        let version = match put {
            Ok(Some(version)) => version,
            // an answer that was lost on its way says nothing of what was done
            other => match self.remote.get(MANIFEST, None) {
                Ok(Found::Other(bytes, version)) if bytes == text => version,
                _ => return other.and_then(|_| bail!(Lost)),
            },
        };
        position.manifest = Some(version);
        position.edition = edition;
        position.first = first;
        if let Some(claim) = claim {
            position.next = claim.number + 1;
        }
        Ok(())
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        // it is whole whatever its last user did
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, (remote::Version, u64)>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The seconds since 1970, whatever time is published for: what a machine has put is to be older than what is put later.
#[allow(
    clippy::disallowed_methods,
    reason = "it is no time that anybody is shown"
)]
fn seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs().max(1))
}

/// The key of the bytes with this hash.
fn blob(hash: &str) -> String {
    format!("{BLOBS}/{hash}")
}

#[cfg(all(test, feature = "bucket"))]
mod tests;
