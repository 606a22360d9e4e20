//! The source of each article that subscribers see, so that one that breaks keeps its last good version. All lie in one
//! file, one behind the other: thousands of files cost more than what is in them. What is new is appended; when most of
//! the file is of no use any more, it is written anew under another name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A file with more bytes than this that nobody needs, and more than are needed, is written anew.
const WASTE: u64 = 1 << 20;

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

impl Sources {
    /// Keeps the sources of `shown` (paths), of which `fresh` (path and text) are new, and forgets all others. The paths of
    /// those that neither were kept nor are new are given back.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep<'s>(
        &mut self,
        folder: &Path,
        shown: &BTreeSet<&'s str>,
        fresh: &BTreeMap<String, String>,
    ) -> Result<Vec<&'s str>> {
        self.kept.retain(|path, _| shown.contains(path.as_str()));
        let kept = &self.kept;
        let fresh = fresh.par_iter().filter_map(|(path, source)| {
            let hash = hash(source.as_bytes());
            let is_new = kept.get(path).is_none_or(|kept| kept.hash != hash);
            is_new.then_some((path, source, hash))
        });
        let fresh: Vec<(&String, &String, String)> = fresh.collect();
        if !fresh.is_empty() {
            let file = self.append(folder, fresh.into_iter());
            file.with_context(|| format!("cannot write `{}`", self.place(folder).display()))?;
        }
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
        let length = fs::metadata(self.place(folder)).map_or(0, |file| file.len());
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
        let place = new.place(folder);
        // one that a run left that died
        let _ = fs::remove_file(&place);
        let sources = self.kept.iter().filter_map(|(path, kept)| {
            let source = kept.read(&old)?;
            Some((path, source, kept.hash.clone()))
        });
        new.append(folder, sources)
            .with_context(|| format!("cannot write `{}`", place.display()))?;
        *self = new;
        Ok(true)
    }

    /// Deletes the file that was there before it was [tidied](Sources::tidy).
    pub fn forget_old(&self, folder: &Path) {
        let old = Self {
            file: self.file.wrapping_sub(1),
            ..Self::default()
        };
        // one that stays behind is not used: nothing names it any more
        let _ = fs::remove_file(old.place(folder));
    }

    fn place(&self, folder: &Path) -> PathBuf {
        folder.join(format!("sources-{}", self.file))
    }

    fn append<'s, S: AsRef<[u8]>>(
        &mut self,
        folder: &Path,
        sources: impl Iterator<Item = (&'s String, S, String)>,
    ) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        // what a run that died had appended is of no use, and does no harm
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.place(folder))?;
        let mut at = file.seek(SeekFrom::End(0))?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        let mut fresh = Vec::new();
        for (path, source, hash) in sources {
            let source = source.as_ref();
            out.write_all(source)?;
            let length = source.len() as u64;
            fresh.push((path.clone(), Kept { hash, at, length }));
            at += length;
        }
        out.flush()?;
        self.kept.extend(fresh);
        Ok(())
    }
}

impl Kept {
    fn read(&self, file: &File) -> Option<Vec<u8>> {
        let end = self.at.checked_add(self.length)?;
        // what was lost is not asked for
        (end <= file.metadata().ok()?.len()).then_some(())?;
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
        let first: BTreeMap<String, String> = [
            ("a.md".to_owned(), long(0)),
            ("b.md".to_owned(), "b".to_owned()),
        ]
        .into();
        assert_eq!(sources.keep(&folder, &shown, &first).unwrap(), ["c.md"]);
        let mut most = 0;
        for mark in 1..100 {
            let fresh = [("a.md".to_owned(), long(mark))].into();
            sources.keep(&folder, &shown, &fresh).unwrap();
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
        assert_eq!(
            sources
                .keep(&folder, &["b.md"].into(), &BTreeMap::new())
                .unwrap(),
            [""; 0]
        );
        assert_eq!(sources.get(&folder, "b.md"), None);
        assert_eq!(sources.kept.len(), 1);
    }
}
