//! The folder of articles: which files there are, and what is in them. Reads only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use crate::problem::Problem;

mod media;
mod name;

pub use media::media;

use name::{Class, classify};

/// A file that is longer is refused before it is read: 16 MiB.
pub const LONGEST: u64 = 16 << 20;

/// How often a file that changes while it is read is read again.
const TRIES: usize = 5;

/// Text that was written a moment ago may be half of what is to come.
pub const QUIET: Duration = Duration::from_millis(200);
/// Text whose writer is known not to have closed the file: it may be slow, or on a slow disk.
pub const OPEN: Duration = Duration::from_secs(1);

/// What tells that a file is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// Seconds and nanoseconds since 1970.
    pub mtime: (i64, i64),
    /// Seconds and nanoseconds since 1970.
    pub ctime: (i64, i64),
    /// The number of the file in its file system.
    pub inode: u64,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }

    /// When the file was last written, in whole seconds.
    #[must_use]
    pub fn modified(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.mtime.0, 0).unwrap_or_default()
    }
}

/// A file that is there and may be read.
#[derive(Debug, Clone)]
pub struct Found {
    /// Inside the folder, `/` between segments; bytes that are no UTF-8 percent-encoded.
    pub path: String,
    /// Where it lies.
    pub place: PathBuf,
    /// Whether it lies in a `_drafts` folder.
    pub draft: bool,
    /// As the scan saw it.
    pub stamp: Stamp,
}

/// What is known of a folder that changes while it is looked at: which files their writers are done with, though they
/// were written a moment ago, and which files there were. Shared with whoever hears of it; empty where nobody looked
/// before.
#[derive(Debug, Clone, Default)]
pub struct Finished(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// As they were when they were finished: what was written since is another text.
    done: HashMap<PathBuf, Stamp>,
    open: HashSet<PathBuf>,
    seen: HashMap<String, u64>,
}

impl Finished {
    /// The writer of this file has closed it, or put it in its place as a whole.
    pub fn put(&self, place: &Path) {
        let stamp = fs::symlink_metadata(place).map(|meta| Stamp::of(&meta));
        let mut known = self.lock();
        known.open.remove(place);
        if let Ok(stamp) = stamp {
            known.done.insert(place.to_owned(), stamp);
        }
    }

    /// Somebody writes this file, and has not closed it.
    pub fn open(&self, place: &Path) {
        let mut known = self.lock();
        known.done.remove(place);
        known.open.insert(place.to_owned());
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

    /// Takes down which articles there are.
    pub fn remember(&self, scan: &Scan) {
        let articles = scan.articles.iter();
        self.lock().seen = articles
            .map(|found| (found.path.clone(), found.stamp.inode))
            .collect();
    }

    /// Whether an article is missing, and has not only another name: perhaps its next version is on the way.
    #[must_use]
    pub fn misses(&self, scan: &Scan) -> bool {
        let known = self.lock();
        if known.seen.is_empty() {
            return false;
        }
        let here = |path: &String| {
            let at = |found: &Found| found.path.as_str().cmp(path);
            scan.articles.binary_search_by(at).is_ok() || scan.broken.contains(path)
        };
        let mut missing = known.seen.iter().filter(|(path, _)| !here(path)).peekable();
        if missing.peek().is_none() {
            return false;
        }
        let inodes: HashSet<u64> = scan
            .articles
            .iter()
            .map(|found| found.stamp.inode)
            .collect();
        missing.any(|(_, inode)| !inodes.contains(inode))
    }

    /// How long this file must have been left alone to be read.
    fn patience(&self, found: &Found) -> Duration {
        let known = self.lock();
        if known.done.get(&found.place) == Some(&found.stamp) {
            Duration::ZERO
        } else if known.open.contains(&found.place) {
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

/// What a scan found.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// In the order of paths.
    pub articles: Vec<Found>,
    /// What describes a folder (`_index.md`), in the order of paths.
    pub sections: Vec<Found>,
    /// Every other file, by its path.
    pub assets: BTreeMap<String, Found>,
    /// Paths of articles that are there but cannot be read.
    pub broken: Vec<String>,
    /// Paths of folders that cannot be listed: what was in them is not gone.
    pub closed: Vec<String>,
    /// How many files there are.
    pub files: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// What tells one state of a folder from another: every name with its stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Scan {
    /// Of all that was found.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        let files = self.articles.iter().chain(&self.sections);
        for found in files.chain(self.assets.values()) {
            let Stamp {
                size,
                mtime,
                ctime,
                inode,
            } = found.stamp;
            hasher.update(found.path.as_bytes()).update(&[0]);
            for number in [mtime.0, mtime.1, ctime.0, ctime.1] {
                hasher.update(&number.to_le_bytes());
            }
            hasher
                .update(&size.to_le_bytes())
                .update(&inode.to_le_bytes());
        }
        for path in self.broken.iter().chain(&self.closed) {
            hasher.update(path.as_bytes()).update(&[1]);
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }
}

/// Whether a name says that a file or folder is none of ours: hidden, or an editor's leftover.
#[must_use]
pub fn is_ignored(name: &OsStr) -> bool {
    // what is said of a README is said of the top alone
    let path = format!("_/{}", readable(name));
    let is_folder_of_ours = matches!(name.as_bytes(), b"_posts" | b"_drafts");
    !is_folder_of_ours && matches!(classify(name, &path), Class::Ignored)
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

/// Walks the folder; nothing is opened but folders.
///
/// # Errors
/// If the folder itself cannot be read. What is wrong inside it is in [`Scan::problems`].
pub fn scan(root: &Path) -> Result<Scan, Unreadable> {
    let unreadable = |cause| Unreadable {
        root: root.to_owned(),
        cause,
    };
    let real = root.canonicalize().map_err(unreadable)?;
    fs::read_dir(&real).map_err(unreadable)?;
    let mut walk = Walk {
        root: &real,
        found: Scan::default(),
        seen: HashSet::new(),
        links: Vec::new(),
        unread: BTreeSet::new(),
    };
    walk.folder(&real, "", Kin::default());
    // what is reached by its own name comes first, so that a link to it is the second
    for link in std::mem::take(&mut walk.links) {
        walk.link(link);
    }
    let mut found = walk.found;
    for extension in walk.unread {
        let what = format!("not read: files ending in `.{extension}`");
        found.problems.push(
            Problem::warning(format!("*.{extension}"), what)
                .remedy("write them as Markdown, HTML or plain text"),
        );
    }
    found.articles.sort_by(|a, b| a.path.cmp(&b.path));
    found.sections.sort_by(|a, b| a.path.cmp(&b.path));
    found.broken.sort();
    Ok(found)
}

/// What the folders above say of a file.
#[derive(Debug, Clone, Copy, Default)]
struct Kin {
    draft: bool,
}

struct Link {
    place: PathBuf,
    path: String,
    kin: Kin,
}

struct Walk<'a> {
    root: &'a Path,
    found: Scan,
    /// Device and inode of each folder and file that was met.
    seen: HashSet<(u64, u64)>,
    links: Vec<Link>,
    unread: BTreeSet<String>,
}

impl Walk<'_> {
    fn folder(&mut self, place: &Path, path: &str, kin: Kin) {
        match fs::metadata(place) {
            Ok(meta) if !self.seen.insert((meta.dev(), meta.ino())) => return,
            Ok(_) => {}
            Err(error) => return self.closed(path, &error),
        }
        let entries = match fs::read_dir(place) {
            Ok(entries) => entries,
            Err(error) => return self.closed(path, &error),
        };
        let mut names: Vec<(std::ffi::OsString, Option<fs::FileType>)> = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push((entry.file_name(), entry.file_type().ok())),
                Err(error) => self.unreadable(path, &error),
            }
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in names {
            let inner = if path.is_empty() {
                readable(&name)
            } else {
                format!("{path}/{}", readable(&name))
            };
            self.entry(&place.join(&name), inner, &name, kind, kin);
        }
    }

    fn closed(&mut self, path: &str, error: &std::io::Error) {
        self.unreadable(path, error);
        self.found.closed.push(path.to_owned());
    }

    fn unreadable(&mut self, path: &str, error: &std::io::Error) {
        let what = format!("cannot be read: {error}");
        self.found.problems.push(
            Problem::error(path, what).remedy("give the user of tidings the right to read it"),
        );
    }

    fn entry(
        &mut self,
        place: &Path,
        path: String,
        name: &OsStr,
        kind: Option<fs::FileType>,
        kin: Kin,
    ) {
        let Some(kind) = kind else { return };
        if kind.is_dir() {
            match name.as_bytes() {
                b"_drafts" => self.folder(place, &path, Kin { draft: true }),
                b"_posts" => self.folder(place, &path, kin),
                [b'.' | b'_', ..] => {}
                _ => self.folder(place, &path, kin),
            }
        } else if kind.is_symlink() {
            if !matches!(classify(name, &path), Class::Ignored) {
                self.links.push(Link {
                    place: place.to_owned(),
                    path,
                    kin,
                });
            }
        } else if kind.is_file() {
            match fs::symlink_metadata(place) {
                Ok(meta) => self.file(place, path, name, &meta, kin),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.unreadable(&path, &error),
            }
        } else if !matches!(classify(name, &path), Class::Ignored) {
            self.special(path, name, kind);
        }
    }

    fn special(&mut self, path: String, name: &OsStr, kind: fs::FileType) {
        let what = if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        };
        self.found.problems.push(
            Problem::warning(&path, format!("is {what}, no file"))
                .remedy("it is not read; take it out of the folder"),
        );
        if matches!(classify(name, &path), Class::Article) {
            self.found.broken.push(path);
        }
    }

    fn file(&mut self, place: &Path, path: String, name: &OsStr, meta: &Metadata, kin: Kin) {
        self.found.files += 1;
        let class = classify(name, &path);
        if matches!(class, Class::Ignored) {
            return;
        }
        // a second hard link is a second file: the ledger sees that it is a copy
        self.seen.insert((meta.dev(), meta.ino()));
        let found = Found {
            path,
            place: place.to_owned(),
            draft: kin.draft,
            stamp: Stamp::of(meta),
        };
        match class {
            Class::Article if meta.size() > LONGEST => {
                let what = format!("is {} bytes long; at most {LONGEST} are read", meta.size());
                self.found
                    .problems
                    .push(Problem::error(&found.path, what).remedy("shorten or split it"));
                self.found.broken.push(found.path);
            }
            Class::Article => self.found.articles.push(found),
            Class::Section => self.found.sections.push(found),
            Class::Unread(extension) => {
                self.unread.insert(extension);
            }
            Class::Asset | Class::Ignored => {
                self.found.assets.insert(found.path.clone(), found);
            }
        }
    }

    /// A symlink is followed only while its target stays inside the folder.
    fn link(&mut self, link: Link) {
        let Link { place, path, kin } = link;
        let target = match place.canonicalize() {
            Ok(target) => target,
            Err(error) => {
                let why = if error.kind() == std::io::ErrorKind::NotFound {
                    "leads nowhere".to_owned()
                } else {
                    format!("cannot be followed: {error}")
                };
                return self.refused(path, &format!("is a symlink that {why}"));
            }
        };
        if !target.starts_with(self.root) {
            return self.refused(path, "is a symlink that leads out of the folder");
        }
        let inside = target.strip_prefix(self.root).unwrap_or(&target);
        let hidden = inside.components().any(|part| {
            let name = part.as_os_str().as_bytes();
            matches!(name, [b'.' | b'_', ..]) && name != b"_posts"
        });
        match fs::metadata(&target) {
            Ok(meta) if self.seen.contains(&(meta.dev(), meta.ino())) => {
                self.found.problems.push(Problem::info(
                    path,
                    "is a symlink to what is read under its own name",
                ));
            }
            Ok(_) if hidden => self.refused(path, "is a symlink to a hidden file"),
            Ok(meta) if meta.is_dir() => self.folder(&target, &path, kin),
            Ok(meta) if meta.is_file() => {
                let name = place.file_name().unwrap_or_default().to_owned();
                self.file(&target, path, &name, &meta, kin);
            }
            Ok(_) => self.refused(path, "is a symlink to something that is no file"),
            Err(error) => self.unreadable(&path, &error),
        }
    }

    fn refused(&mut self, path: String, what: &str) {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        self.found.problems.push(
            Problem::warning(&path, what)
                .remedy("it is not read; put the file itself into the folder"),
        );
        if matches!(classify(OsStr::new(&name), &path), Class::Article) {
            self.found.broken.push(path);
        }
    }
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
    for _ in 0..TRIES {
        let flags = rustix::fs::OFlags::NONBLOCK
            | rustix::fs::OFlags::NOFOLLOW
            | rustix::fs::OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&found.place)
            .map_err(failed)?;
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
        if Stamp::of(&before) == Stamp::of(&after) && bytes.len() as u64 == after.size() {
            return Ok((bytes, Stamp::of(&after)));
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
    let age = |found: &Found| {
        let (seconds, nanos) = found.stamp.mtime;
        let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
            + Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
        clock
            .duration_since(SystemTime::UNIX_EPOCH + since)
            .ok()
            .filter(|age| *age < OPEN)
    };
    let young = scan
        .articles
        .iter()
        .chain(&scan.sections)
        .filter_map(|found| Some((age(found)?, found)));
    let left = young.map(|(age, found)| finished.patience(found).saturating_sub(age));
    left.max().unwrap_or(Duration::ZERO)
}
