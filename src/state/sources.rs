//! The source of each article that subscribers see, so that one that breaks keeps its last good version. All lie in one
//! file, one behind the other: thousands of files cost more than what is in them. What is new is appended; when most of
//! the file is of no use any more, it is written anew under another name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::store::durable;

/// A file with more bytes than this that nobody needs, and more than are needed, is written anew.
const WASTE: u64 = 1 << 20;

/// What the name of the file begins with.
const NAME: &str = "sources-";

/// Where the sources stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Which file they stand in: it counts how often it was written anew.
    file: u64,
    kept: BTreeMap<String, Kept>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    hash: String,
    at: u64,
    length: u64,
}

/// Sources that were written, and count when they are kept.
#[derive(Debug, Default)]
pub struct Fresh {
    written: BTreeMap<String, Kept>,
    failed: Option<std::io::Error>,
}

/// Takes sources, from any thread.
#[derive(Debug)]
pub struct Intake<'a> {
    known: &'a Sources,
    place: PathBuf,
    /// Of the file, before anything is put.
    length: u64,
    inner: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    file: Option<(BufWriter<File>, u64)>,
    fresh: Fresh,
}

impl Sources {
    /// Where sources can be put before it is certain that they are kept. A run that ends before has done no harm: nothing
    /// names what it wrote.
    #[must_use]
    pub fn intake(&self, folder: &Path) -> Intake<'_> {
        Intake {
            known: self,
            place: self.place(folder),
            length: self.length(folder),
            inner: Mutex::default(),
        }
    }

    /// Keeps the sources of `shown` (paths), of which `fresh` are new, and forgets all others. The paths of those that neither
    /// were kept nor are new are given back.
    ///
    /// # Errors
    /// If the disk refused one of the new ones.
    pub fn keep<'s>(
        &mut self,
        folder: &Path,
        shown: &BTreeSet<&'s str>,
        fresh: Fresh,
    ) -> Result<Vec<&'s str>> {
        if let Some(error) = fresh.failed {
            return Err(error).context("cannot keep the sources of articles in the state folder");
        }
        self.kept.extend(fresh.written);
        let length = self.length(folder);
        self.kept
            .retain(|path, kept| shown.contains(path.as_str()) && kept.end() <= length);
        let missing = shown.iter().filter(|path| !self.kept.contains_key(**path));
        Ok(missing.copied().collect())
    }

    /// The source that is kept of the article at `path`, if it is whole.
    #[must_use]
    pub fn get(&self, folder: &Path, path: &str) -> Option<Vec<u8>> {
        let kept = self.kept.get(path)?;
        kept.read(&File::open(self.place(folder)).ok()?)
    }

    /// Writes those that are kept into a file of their own, where most of the one that there is is of no use any more;
    /// whether that was done. The old one stays until [`Sources::forget_old`].
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn tidy(&mut self, folder: &Path) -> Result<bool> {
        let length = self.length(folder);
        let needed: u64 = self.kept.values().map(|kept| kept.length).sum();
        if length.saturating_sub(needed) <= WASTE.max(needed) {
            return Ok(false);
        }
        let old = File::open(self.place(folder));
        let old = old.with_context(|| format!("cannot read `{}`", self.place(folder).display()))?;
        let mut new = Self {
            file: self.file + 1,
            kept: BTreeMap::new(),
        };
        let intake = new.intake(folder);
        for (path, kept) in &self.kept {
            if let Some(source) = kept.read(&old) {
                intake.put(path, &source);
            }
        }
        let fresh = intake.close();
        let all = self.kept.keys().map(String::as_str).collect();
        let kept = new.keep(folder, &all, fresh).and_then(|_| {
            // the old one goes
            File::open(new.place(folder))?.sync_all()?;
            Ok(durable::sync_folder(folder)?)
        });
        if let Err(error) = kept {
            let _ = fs::remove_file(new.place(folder));
            return Err(error);
        }
        *self = new;
        Ok(true)
    }

    /// Deletes the files that were there before it was [tidied](Sources::tidy).
    pub fn forget_old(&self, folder: &Path) {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let old = files.filter(|file| {
            file.file_name().to_string_lossy().starts_with(NAME)
                && file.path() != self.place(folder)
        });
        // one that stays behind is not used: nothing names it any more
        old.for_each(|file| drop(fs::remove_file(file.path())));
    }

    fn length(&self, folder: &Path) -> u64 {
        fs::metadata(self.place(folder)).map_or(0, |file| file.len())
    }

    fn place(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{NAME}{}", self.file))
    }
}

impl Intake<'_> {
    /// Takes the source of the article at `path`.
    pub fn put(&self, path: &str, source: &[u8]) {
        let hash = hash(source);
        let known = self.known.kept.get(path);
        let known = known.filter(|kept| kept.hash == hash && kept.end() <= self.length);
        // each put is whole: a thread that panics does so before or after one
        let mut open = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if open.fresh.failed.is_some() {
            return;
        }
        let written = match known {
            Some(known) => Ok(known.clone()),
            None => open.append(self, source, hash),
        };
        match written {
            Ok(kept) => drop(open.fresh.written.insert(path.to_owned(), kept)),
            Err(error) => open.fresh.failed = Some(error),
        }
    }

    /// What was taken.
    #[must_use]
    pub fn close(self) -> Fresh {
        let open = self.inner.into_inner();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        let flushed = open.file.as_mut().map_or(Ok(()), |(out, _)| out.flush());
        open.fresh.failed = open.fresh.failed.or(flushed.err());
        open.fresh
    }
}

impl Open {
    fn append(
        &mut self,
        intake: &Intake<'_>,
        source: &[u8],
        hash: String,
    ) -> std::io::Result<Kept> {
        let (out, end) = match &mut self.file {
            Some(open) => open,
            closed => {
                let place = &intake.place;
                fs::create_dir_all(place.parent().unwrap_or(place))?;
                let file = OpenOptions::new().create(true).append(true).open(place)?;
                // what runs appended that died, or failed, is of no use
                let needed = intake.known.kept.values().map(Kept::end).max();
                let end = intake.length.min(needed.unwrap_or_default());
                file.set_len(end)?;
                closed.insert((BufWriter::with_capacity(1 << 16, file), end))
            }
        };
        out.write_all(source)?;
        let (at, length) = (*end, source.len() as u64);
        *end += length;
        Ok(Kept { hash, at, length })
    }
}

impl Kept {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.length)
    }

    fn read(&self, file: &File) -> Option<Vec<u8>> {
        // what was lost is not asked for
        (self.end() <= file.metadata().ok()?.len()).then_some(())?;
        let mut bytes = vec![0; usize::try_from(self.length).ok()?];
        file.read_exact_at(&mut bytes, self.at).ok()?;
        (hash(&bytes) == self.hash).then_some(bytes)
    }
}

fn hash(source: &[u8]) -> String {
    blake3::hash(source).to_hex()[..32].to_owned()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail, and damages files"
)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_what_is_not_needed_takes_no_room_for_long() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state");
        let mut sources = Sources::default();
        let long = |mark: u32| format!("{mark} {}", "x".repeat(100_000));
        let paths = ["a.md", "b.md", "c.md"];
        let shown: BTreeSet<&str> = paths.into();
        let put = |sources: &Sources, pairs: &[(&str, String)]| {
            let intake = sources.intake(&folder);
            pairs
                .iter()
                .for_each(|(path, source)| intake.put(path, source.as_bytes()));
            intake.close()
        };
        let fresh = put(&sources, &[("a.md", long(0)), ("b.md", "b".to_owned())]);
        assert_eq!(sources.keep(&folder, &shown, fresh).unwrap(), ["c.md"]);
        let mut most = 0;
        for mark in 1..100 {
            let fresh = put(&sources, &[("a.md", long(mark)), ("b.md", "b".to_owned())]);
            sources.keep(&folder, &shown, fresh).unwrap();
            if sources.tidy(&folder).unwrap() {
                sources.forget_old(&folder);
            }
            assert_eq!(sources.get(&folder, "a.md").unwrap(), long(mark).as_bytes());
            assert_eq!(sources.get(&folder, "b.md").unwrap(), b"b");
            let files = fs::read_dir(&folder).unwrap();
            let lengths: Vec<u64> = files
                .map(|file| file.unwrap().metadata().unwrap().len())
                .collect();
            assert_eq!(lengths.len(), 1);
            most = most.max(lengths[0]);
        }
        assert!(sources.file > 2 && most < 1_500_000, "{sources:?} {most}");
        // what is damaged, or gone, is not given out
        fs::write(sources.place(&folder), "?".repeat(1_000_000)).unwrap();
        assert_eq!(sources.get(&folder, "a.md"), None);
        fs::remove_file(sources.place(&folder)).unwrap();
        assert_eq!(sources.get(&folder, "a.md"), None);
        assert!(!sources.tidy(&folder).unwrap());
        let missing = sources.keep(&folder, &["b.md"].into(), Fresh::default());
        assert_eq!(missing.unwrap(), ["b.md"]);
        // it is taken again, and what a run that failed has put takes no room
        for _ in 0..3 {
            drop(put(&sources, &[("a.md", long(0))]));
        }
        let fresh = put(&sources, &[("b.md", "b".to_owned())]);
        assert_eq!(
            sources.keep(&folder, &["b.md"].into(), fresh).unwrap(),
            [""; 0]
        );
        assert_eq!(sources.get(&folder, "b.md").unwrap(), b"b");
        assert_eq!(sources.length(&folder), 1);
    }
}
