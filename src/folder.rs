//! The folder of articles: which files there are, what of them is new, and what is in them. Reads only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::article::Stamp;
use crate::catalogue::{Catalogue, Class};
use crate::problem::Problem;

mod coming;
mod media;
mod name;
mod ours;
mod walk;

pub use coming::{Coming, is_asset, target_of};
pub use media::media;
pub use ours::Ours;
pub use walk::{glance, look, scan};

use name::classify;

/// A file that is longer is refused before it is read: 16 MiB.
pub const LONGEST: u64 = 16 << 20;

/// How often a file that changes while it is read is read again.
const TRIES: usize = 5;

/// Text that was written a moment ago may be half of what is to come.
pub const QUIET: Duration = Duration::from_millis(200);
/// Text whose writer is known not to have closed the file: it may be slow, or on a slow disk.
pub const OPEN: Duration = Duration::from_secs(1);

/// The stamp of a file; `None` if there is none.
#[must_use]
pub fn stamp_of(place: &Path) -> Option<Stamp> {
    fs::metadata(place).ok().map(|meta| stamp(&meta))
}

/// The stamp of a file that is open.
///
/// # Errors
/// If the system tells nothing of it.
pub fn stamp_of_file(file: &File) -> std::io::Result<Stamp> {
    file.metadata().map(|meta| stamp(&meta))
}

fn stamp(meta: &Metadata) -> Stamp {
    Stamp {
        size: meta.size(),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        ctime: (meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
    }
}

/// A file that is there and may be read.
#[derive(Debug, Clone)]
pub struct Found {
    /// Inside the folder, `/` between segments; bytes that are no UTF-8 percent-encoded.
    pub path: String,
    /// Where it lies.
    pub place: PathBuf,
    /// What it is.
    pub class: Class,
    /// Whether it lies in a `_drafts` folder.
    pub draft: bool,
    /// As the scan saw it.
    pub stamp: Stamp,
}

/// What is known of a folder that changes while it is looked at: which files their writers are done with, though they
/// were written a moment ago. Shared with whoever hears of it; empty where nobody looked
/// before.
#[derive(Debug, Clone, Default)]
pub struct Finished(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// As they were when they were finished: what was written since is another text.
    done: HashMap<PathBuf, Stamp>,
    open: HashSet<PathBuf>,
    /// What will get these names when it is whole.
    temporary: HashMap<PathBuf, PathBuf>,
    watches: bool,
}

impl Finished {
    /// The writer of this file has closed it, or put it in its place as a whole.
    pub fn put(&self, place: &Path) {
        let seen = fs::symlink_metadata(place).map(|meta| stamp(&meta));
        let mut known = self.lock();
        known.open.remove(place);
        if let Ok(stamp) = seen {
            known.done.insert(place.to_owned(), stamp);
        }
    }

    /// Somebody writes this file, and has not closed it. Whether that is new.
    #[must_use]
    pub fn open(&self, place: &Path) -> bool {
        let mut known = self.lock();
        known.done.remove(place);
        known.open.insert(place.to_owned())
    }

    /// Somebody writes, at `temporary`, what will lie at `place` when it is whole.
    pub fn expect(&self, place: PathBuf, temporary: &Path) {
        self.lock().temporary.insert(place, temporary.to_owned());
    }

    /// Where files will lie that are not whole yet, and what grows for now.
    fn growing(&self) -> Vec<(PathBuf, PathBuf)> {
        let mut known = self.lock();
        known.temporary.retain(|_, temporary| temporary.exists());
        let open = known
            .open
            .iter()
            .map(|place| (place.clone(), place.clone()));
        let temporary = known.temporary.iter();
        let temporary = temporary.map(|(place, temporary)| (place.clone(), temporary.clone()));
        open.chain(temporary).collect()
    }

    /// Whether the writer of this file is done with it.
    fn is_done(&self, found: &Found) -> bool {
        self.lock().done.get(&found.place) == Some(&found.stamp)
    }

    /// Whether somebody writes this file.
    fn is_open(&self, place: &Path) -> bool {
        self.lock().open.contains(place)
    }

    /// This file is gone.
    pub fn take(&self, place: &Path) {
        let mut known = self.lock();
        known.done.remove(place);
        known.open.remove(place);
    }

    /// Forgets what was finished: after a while nobody asks for it any more.
    pub fn clear(&self) {
        self.lock().done.clear();
    }

    /// Whether somebody hears what happens in the folder.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.lock().watches
    }

    /// Returns one for a program that keeps running: it waits a moment before it believes that a file is gone.
    #[must_use]
    pub fn watching() -> Self {
        Self(Arc::new(Mutex::new(Known {
            watches: true,
            ..Known::default()
        })))
    }

    /// Returns whether an article, or the file that describes a folder, is missing and was not just renamed: its next
    /// version may be on the way.
    #[must_use]
    pub fn misses(&self, scan: &Scan, known: &Catalogue) -> bool {
        if !self.is_watching() {
            return false;
        }
        let gone = scan.gone.iter().filter(|path| !scan.broken.contains(*path));
        let gone = gone.filter_map(|path| known.at(path));
        // without the file that describes a folder, the drafts in it would be published
        let mut texts = gone.filter(|row| row.class != Class::Asset && row.stamp.inode != 0);
        let inodes: HashSet<u64> = scan.changed.iter().map(|found| found.stamp.inode).collect();
        texts.any(|row| !inodes.contains(&row.stamp.inode))
    }

    /// How long this file must have been left alone to be read.
    fn patience(&self, found: &Found) -> Duration {
        if self.is_done(found) {
            Duration::ZERO
        } else if self.is_open(&found.place) {
            OPEN
        } else {
            QUIET
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // sets of names are whole whatever their holder did
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a scan found, beside what was known before.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Files that are new, or not as they were, in the order of paths.
    pub changed: Vec<Found>,
    /// The paths of files that are no longer there.
    pub gone: BTreeSet<String>,
    /// Paths of articles that are there but cannot be read.
    pub broken: BTreeSet<String>,
    /// Paths of folders that cannot be listed: what was in them is not gone.
    pub closed: Vec<String>,
    /// How many files there are.
    pub files: usize,
    /// Where files lie whose paths do not tell.
    pub places: BTreeMap<String, PathBuf>,
    /// What copying programs write for now, with its modification time, by the paths of the files that it will be.
    pub temporary: BTreeMap<String, (PathBuf, (i64, i64))>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Scan {
    /// Notes what will get the name of the file at `path`; of several the one that was written last counts.
    fn expect(&mut self, path: String, growing: (PathBuf, (i64, i64))) {
        let known = self
            .temporary
            .entry(path)
            .or_insert_with(|| growing.clone());
        if known.1 < growing.1 {
            *known = growing;
        }
    }
}

/// Whether a name says that a file or folder is none of ours: hidden, or an editor's leftover.
#[must_use]
pub fn is_ignored(name: &OsStr) -> bool {
    // what is said of a README is said of the top alone
    let path = format!("_/{}", readable(name));
    let is_folder_of_ours = matches!(name.as_bytes(), b"_posts" | b"_drafts");
    !is_folder_of_ours && matches!(classify(name, &path), name::Class::Ignored)
}

/// Why there is nothing to scan.
#[derive(Debug, thiserror::Error)]
#[error("the folder of articles `{}` cannot be read: {cause}", .root.display())]
pub struct Unreadable {
    root: PathBuf,
    cause: std::io::Error,
}

/// Whether so many files are gone that it looks like an accident: fewer than half, where there were ten or more.
#[must_use]
pub fn shrunk(before: usize, now: usize) -> bool {
    before >= 10 && now * 2 < before
}

/// A name as text; bytes that are no UTF-8 percent-encoded.
fn readable(name: &OsStr) -> String {
    match name.to_str() {
        Some(text) => text.to_owned(),
        None => name
            .as_bytes()
            .utf8_chunks()
            .fold(String::new(), |text, chunk| {
                chunk
                    .invalid()
                    .iter()
                    .fold(text + chunk.valid(), |text, byte| {
                        format!("{text}%{byte:02X}")
                    })
            }),
    }
}

/// Reads a file that a scan found: wholly, or not at all.
///
/// # Errors
/// If it cannot be read, is no regular file or too long, or changes again and again.
pub fn read(found: &Found) -> Result<(Vec<u8>, Stamp), Problem> {
    let refuse = |what: String, remedy: &str| Problem::error(&found.path, what).remedy(remedy);
    let failed = |error: std::io::Error| {
        refuse(
            format!("cannot be read: {error}"),
            "give the user of tidings the right to read it",
        )
    };
    for attempt in 0..TRIES {
        let flags = rustix::fs::OFlags::NONBLOCK
            | rustix::fs::OFlags::NOFOLLOW
            | rustix::fs::OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&found.place)
            .map_err(failed)?;
        // what is still as the scan saw it when it has been read was so all the time: one look is enough
        if attempt == 0 {
            let size = usize::try_from(found.stamp.size.min(LONGEST)).unwrap_or_default();
            let mut bytes = vec![0; size + 1];
            let length = file.read(&mut bytes).unwrap_or_default();
            bytes.truncate(length);
            let after = file.metadata().map_err(failed)?;
            if after.is_file() && stamp(&after) == found.stamp && length as u64 == after.size() {
                return Ok((bytes, found.stamp));
            }
            // what cannot be read again is no regular file: it is told next
            let _ = file.rewind();
        }
        let before = file.metadata().map_err(failed)?;
        if !before.is_file() {
            return Err(refuse(
                "is no regular file".to_owned(),
                "take it out of the folder",
            ));
        }
        if before.size() > LONGEST {
            return Err(refuse(
                format!(
                    "is {} bytes long; at most {LONGEST} are read",
                    before.size()
                ),
                "shorten or split it",
            ));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.size()).unwrap_or_default() + 1);
        (&mut file as &mut File)
            .take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let after = file.metadata().map_err(failed)?;
        if stamp(&before) == stamp(&after) && bytes.len() as u64 == after.size() {
            return Ok((bytes, stamp(&after)));
        }
    }
    Err(refuse(
        "is being written all the time".to_owned(),
        "it is read by the next run",
    ))
}

/// How long to wait before reading, so that nobody's half-written text is read: until the newest file of which it is
/// not known that it is finished has been left alone for 200 ms (a second, if it is known
/// to be written still). A modification time in the future counts for nothing.
#[must_use]
pub fn unrest(scan: &Scan, finished: &Finished, clock: SystemTime) -> Duration {
    let texts = scan
        .changed
        .iter()
        .filter(|found| found.class != Class::Asset);
    let young = texts.filter_map(|found| {
        let age = age(found.stamp.mtime, clock).filter(|age| *age < OPEN)?;
        Some((age, found))
    });
    let left = young.map(|(age, found)| finished.patience(found).saturating_sub(age));
    left.max().unwrap_or(Duration::ZERO)
}

/// How long ago that was, in seconds and nanoseconds since 1970; `None` if it is in the future.
#[must_use]
pub fn age((seconds, nanos): (i64, i64), clock: SystemTime) -> Option<Duration> {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
        + Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
    clock.duration_since(SystemTime::UNIX_EPOCH + since).ok()
}
