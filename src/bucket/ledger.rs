//! The ledger in a bucket: a row of segments, each created where there is none and never changed. All that exist count, in
//! their order, whether a manifest followed them or not: an id that was given is given.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use super::position::Position;
use super::remote::Found;
use super::{Bucket, LEDGER, Lost};
use crate::edition::LedgerMark;
use crate::store::durable;

/// After so many segments the next one holds the whole ledger, and those before it are not needed any longer …
const MANY: u64 = 64;
/// … if they are so many bytes in the mean as this part of it, or so many more.
const PART: usize = 256;

/// A segment that was created.
pub(super) struct Claim {
    pub(super) number: u64,
    /// Whether it is the first that counts from now on.
    pub(super) is_fold: bool,
}

impl Bucket {
    /// Claims a turn with what it adds to the ledger; if that is all of it, the segment is the first that counts from now
    /// on.
    pub(super) fn claim(
        &self,
        position: &Position,
        text: &[u8],
        whole: &[u8],
    ) -> Result<Option<Claim>> {
        // a new bucket gets all there is, whether the turn adds anything to it or not
        if text.is_empty() && (position.first != 0 || whole.is_empty()) {
            return Ok(None);
        }
        let number = position.next.max(1);
        let behind = number.saturating_sub(position.first);
        let is_fold = text.len() == whole.len()
            || position.first == 0
            || behind >= MANY * 16
            || behind >= MANY && text.len() >= whole.len() / PART;
        let segment = if is_fold { whole } else { text };
        match self
            .remote
            .create(&key(number), Bytes::copy_from_slice(segment))?
        {
            Some(_) => Ok(Some(Claim { number, is_fold })),
            None => bail!(Lost),
        }
    }

    /// Notes that the ledger here is what all segments say.
    pub fn note_ledger(&self, text: &[u8]) -> Result<()> {
        let mut position = self.position();
        position.ledger = LedgerMark::of(text, 0);
        position.save(&self.state)
    }

    /// Brings the ledger at `path` up to what all segments say. One that says something that they do not is put aside; in an
    /// empty bucket it is the beginning.
    pub(super) fn pull_ledger(
        &self,
        position: &mut Position,
        path: &Path,
    ) -> Result<Option<PathBuf>> {
        let failed = || format!("cannot read `{}`", path.display());
        let mut text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.with_context(failed)?,
        };
        let is_known = position.next > position.first
            && position.first > 0
            && LedgerMark::of(&text, 0) == position.ledger;
        if is_known {
            let from = text.len();
            let mut next = position.next;
            while let Found::Other(segment, _) = self.remote.get(&key(next), None)? {
                text.extend_from_slice(&segment);
                next += 1;
            }
            if next > position.next {
                durable::append(path, &text[from..])
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
            }
            position.next = next;
            position.ledger = LedgerMark::of(&text, 0);
            return Ok(None);
        }
        let first = position.first.max(1);
        let listed = self.remote.list(LEDGER, |_| true)?;
        let mut numbers: Vec<u64> = listed.iter().filter_map(|one| number(&one.key)).collect();
        numbers.sort_unstable();
        let older: Vec<u64> = numbers.extract_if(.., |number| *number < first).collect();
        position.next = numbers.last().map_or(first, |last| last + 1);
        if numbers.is_empty() {
            // what there is here becomes the first segment
            position.first = 0;
            position.ledger = LedgerMark::default();
            return Ok(None);
        }
        position.first = numbers[0];
        let keys: Vec<String> = numbers.into_iter().map(key).collect();
        let mut whole = Vec::new();
        for (key, segment) in keys.iter().zip(self.remote.fetch(&keys)?) {
            let segment =
                segment.with_context(|| format!("`{key}` in `{}` was just there", self.url))?;
            whole.extend_from_slice(&segment);
        }
        // what all segments said once is nothing that the bucket does not know: a fold leaves out what is over
        let aside = if LedgerMark::of(&text, 0) == position.ledger {
            None
        } else {
            self.put_aside(&text, &whole, older)?
        };
        if text != whole {
            durable::put(path, &whole)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        position.ledger = LedgerMark::of(&whole, 0);
        Ok(aside)
    }

    /// Keeps a copy of a ledger with lines that the bucket does not know: neither in the segments that count nor in those
    /// that were folded and are there still.
    fn put_aside(&self, text: &[u8], whole: &[u8], older: Vec<u64>) -> Result<Option<PathBuf>> {
        let says_more = |known: &[u8]| {
            let known: HashSet<&[u8]> = known.split(|byte| *byte == b'\n').collect();
            let mut lines = text.split(|byte| *byte == b'\n');
            lines.any(|line| !line.is_empty() && !known.contains(line))
        };
        if !says_more(whole) {
            return Ok(None);
        }
        let keys: Vec<String> = older.into_iter().map(key).collect();
        // what is not there any longer is over
        let older = self.remote.fetch(&keys)?.into_iter().flatten();
        let mut known = older.collect::<Vec<_>>().concat();
        known.extend_from_slice(whole);
        if !says_more(&known) {
            return Ok(None);
        }
        let hash = blake3::hash(text).to_hex();
        let copy = self
            .state
            .join(format!("ledger.aside-{}.jsonl", &hash[..8]));
        durable::put(&copy, text).with_context(|| format!("cannot write `{}`", copy.display()))?;
        Ok(Some(copy))
    }
}

/// The key of a segment; in the order of their numbers they are in the order of their names.
fn key(number: u64) -> String {
    format!("{LEDGER}/{number:012}.jsonl")
}

/// The number of a segment, if it is one.
pub(super) fn number(key: &str) -> Option<u64> {
    let name = key.strip_prefix(LEDGER)?.strip_prefix('/')?;
    name.strip_suffix(".jsonl")?.parse().ok()
}
