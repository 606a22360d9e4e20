//! The walk through the folder, and the look at single files of it.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustix::fs::{AtFlags, Stat, statat};

use super::coming;
use super::name::{self, classify};
use super::{Found, LONGEST, Ours, Scan, Unreadable, readable};
use crate::article::Stamp;
use crate::catalogue::{Catalogue, Class, Number};
use crate::problem::Problem;

/// So many files of one folder are looked at by one thread at a time.
const BATCH: usize = 512;

/// Walks the folder, on all cores; nothing is opened but folders. What is as it is `known` to be is not told.
///
/// # Errors
/// If the folder itself cannot be read. What is wrong inside it is in [`Scan::problems`].
pub fn scan(root: &Path, ours: &Ours, known: &Catalogue) -> Result<Scan, Unreadable> {
    glance(root, ours, known, &AtomicBool::new(false)).map(Option::unwrap_or_default)
}

/// Walks the folder as [`scan`] does, until somebody has something better to do: then `None`.
///
/// # Errors
/// As [`scan`].
pub fn glance(
    root: &Path,
    ours: &Ours,
    known: &Catalogue,
    stop: &AtomicBool,
) -> Result<Option<Scan>, Unreadable> {
    let unreadable = |cause| Unreadable {
        root: root.to_owned(),
        cause,
    };
    let real = root.canonicalize().map_err(unreadable)?;
    fs::read_dir(&real).map_err(unreadable)?;
    let numbers = known.rows().map(|(number, _)| number).max();
    let numbers = numbers.map_or(0, |last| last as usize + 1);
    let walk = Walk {
        root: &real,
        ours,
        known,
        stop,
        met: (0..numbers).map(|_| AtomicBool::new(false)).collect(),
    };
    let mut found = walk.folder(&real, "", Kin::default());
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    if found.scan.closed.iter().any(String::is_empty) {
        // nothing is known of any article
        let problem = found
            .scan
            .problems
            .iter()
            .find(|problem| problem.path.is_empty());
        let what = problem.map_or_else(String::new, |problem| problem.what.clone());
        return Err(unreadable(std::io::Error::other(what)));
    }
    // what is reached by its own name comes first, so that a link to it is the second
    let mut links = std::mem::take(&mut found.links);
    links.sort_by(|a, b| a.path.cmp(&b.path));
    let mut followed = HashSet::new();
    for link in links {
        walk.link(link, &mut found, &mut followed);
    }
    let mut scan = found.scan;
    for extension in found.unread {
        let what = format!("not read: files ending in `.{extension}`");
        scan.problems.push(
            Problem::warning(format!("*.{extension}"), what)
                .remedy("write them as Markdown, HTML or plain text"),
        );
    }
    let unmet = |number: &Number| !walk.met[*number as usize].load(Ordering::Relaxed);
    let gone = known.rows().filter(|(number, _)| unmet(number));
    scan.gone = gone.map(|(_, row)| row.path.to_string()).collect();
    scan.changed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Some(scan))
}

/// Looks at single files, of which something was heard. `None` if that does not tell all: somebody must walk.
#[must_use]
pub fn look(
    root: &Path,
    ours: &Ours,
    known: &Catalogue,
    places: &BTreeSet<PathBuf>,
) -> Option<Scan> {
    let real = root.canonicalize().ok()?;
    let mut scan = Scan::default();
    for place in places.iter().filter(|place| !ours.holds(place)) {
        let path = place.strip_prefix(&real).ok()?.to_str()?.to_owned();
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let before = known.at(&path);
        let is_plain = classify(OsStr::new(file), &path) == name::Class::Article
            && !known.places.contains_key(&path)
            && before.is_none_or(|row| row.class == Class::Article && row.stamp.inode != 0);
        // what had a name like an article's may have been a folder
        let is_plain = is_plain && known.folder(&path).is_empty();
        let is_known = folder.is_empty() || !known.folder(folder).is_empty();
        if !is_plain || !is_known {
            return None;
        }
        match fs::symlink_metadata(place) {
            Ok(meta) if meta.is_file() && meta.size() <= LONGEST => scan.changed.push(Found {
                class: Class::Article,
                draft: folder.split('/').any(|part| part == "_drafts"),
                stamp: super::stamp(&meta),
                place: place.clone(),
                path,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                scan.gone.extend(before.map(|_| path));
            }
            _ => return None,
        }
    }
    scan.changed.sort_by(|a, b| a.path.cmp(&b.path));
    Some(scan)
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

/// What was found in a part of the folder.
#[derive(Default)]
struct Part {
    scan: Scan,
    links: Vec<Link>,
    unread: BTreeSet<String>,
}

impl Part {
    fn and(mut self, other: Self) -> Self {
        let (scan, more) = (&mut self.scan, other.scan);
        if scan.changed.is_empty() {
            scan.changed = more.changed;
        } else {
            scan.changed.extend(more.changed);
        }
        scan.broken.extend(more.broken);
        scan.closed.extend(more.closed);
        scan.files += more.files;
        scan.places.extend(more.places);
        for (path, growing) in more.temporary {
            scan.expect(path, growing);
        }
        scan.problems.extend(more.problems);
        self.links.extend(other.links);
        self.unread.extend(other.unread);
        self
    }

    /// What a file is that is to be looked at; of any other it is counted, and told, that it is there.
    fn class(&mut self, name: &OsStr, path: &str) -> Option<Class> {
        match classify(name, path) {
            name::Class::Article => return Some(Class::Article),
            name::Class::Section => return Some(Class::Section),
            name::Class::Asset => return Some(Class::Asset),
            name::Class::Unread(extension) => {
                self.unread.insert(extension);
            }
            name::Class::Conflict => {
                let what = "is a copy that a sync or merge program made; it is not read";
                let remedy = "take over what is missing in the file itself, and delete the copy";
                self.scan
                    .problems
                    .push(Problem::warning(path, what).remedy(remedy));
            }
            name::Class::Ignored => {}
        }
        self.scan.files += 1;
        None
    }

    fn closed(&mut self, path: &str, error: &std::io::Error) {
        self.unreadable(path, error);
        self.scan.closed.push(path.to_owned());
    }

    fn unreadable(&mut self, path: &str, error: &std::io::Error) {
        let what = format!("cannot be read: {error}");
        self.scan.problems.push(
            Problem::error(path, what).remedy("give the user of tidings the right to read it"),
        );
    }

    fn special(&mut self, path: String, name: &OsStr, kind: fs::FileType) {
        let what = if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        };
        self.scan.problems.push(
            Problem::warning(&path, format!("is {what}, no file"))
                .remedy("it is not read; take it out of the folder"),
        );
        if classify(name, &path) == name::Class::Article {
            self.scan.broken.insert(path);
        }
    }

    fn refused(&mut self, path: String, what: &str) {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        self.scan.problems.push(
            Problem::warning(&path, what)
                .remedy("it is not read; put the file itself into the folder"),
        );
        if classify(OsStr::new(&name), &path) == name::Class::Article {
            self.scan.broken.insert(path);
        }
    }
}

struct Walk<'a> {
    root: &'a Path,
    ours: &'a Ours,
    known: &'a Catalogue,
    /// Whether nobody waits for it any longer.
    stop: &'a AtomicBool,
    /// Which rows of the catalogue were met.
    met: Vec<AtomicBool>,
}

/// A folder that is walked.
struct Opened<'a> {
    folder: &'a File,
    place: &'a Path,
    path: &'a str,
    kin: Kin,
}

/// What is known of the files of a folder, by name; asked for in the order of names.
struct Neighbours<'a> {
    known: &'a Catalogue,
    rest: &'a [Number],
    /// How many bytes of a path come before the name.
    above: usize,
}

impl Neighbours<'_> {
    fn find(&mut self, name: &str) -> Option<Number> {
        while let Some((number, rest)) = self.rest.split_first() {
            let other = &self.known.row(*number)?.path[self.above..];
            match other.cmp(name) {
                std::cmp::Ordering::Less => self.rest = rest,
                std::cmp::Ordering::Equal => return Some(*number),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }
}

impl Walk<'_> {
    fn folder(&self, place: &Path, path: &str, kin: Kin) -> Part {
        let mut part = Part::default();
        let listed = File::open(place).and_then(|folder| Ok((folder, fs::read_dir(place)?)));
        let (folder, entries) = match listed {
            Ok(listed) => listed,
            Err(error) => {
                part.closed(path, &error);
                return part;
            }
        };
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    // which files there are more is not known: none of them is gone
                    part.closed(path, &error);
                    continue;
                }
            };
            let name = entry.file_name();
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) => {
                    self.unseen(&inside(path, &name), &name, &error, &mut part);
                    continue;
                }
            };
            if kind.is_file() {
                files.push(name);
            } else if kind.is_dir() {
                folders.push(name);
            } else {
                let inner = inside(path, &name);
                if classify(&name, &inner) == name::Class::Ignored {
                } else if kind.is_symlink() {
                    let place = place.join(&name);
                    part.links.push(Link {
                        place,
                        path: inner,
                        kin,
                    });
                } else {
                    part.special(inner, &name, kind);
                }
            }
        }
        files.sort_unstable();
        let above = if path.is_empty() { 0 } else { path.len() + 1 };
        let rest = self.known.folder(path);
        let opened = Opened {
            folder: &folder,
            place,
            path,
            kin,
        };
        let batch = |names: &[OsString]| {
            let mut neighbours = Neighbours {
                known: self.known,
                rest,
                above,
            };
            // files whose names are no text are found out of order
            let first = names.first().map(|name| readable(name)).unwrap_or_default();
            let name = |number: &Number| self.known.row(*number).map(|row| &row.path[above..]);
            let start = rest.partition_point(|number| name(number) < Some(first.as_str()));
            neighbours.rest = &rest[start..];
            let mut part = Part::default();
            if self.stop.load(Ordering::Relaxed) {
                return part;
            }
            for name in names {
                self.file(&opened, name, &mut neighbours, &mut part);
            }
            part
        };
        let files = files.par_chunks(BATCH).map(batch);
        let folders = folders.par_iter().filter_map(|name| {
            let kin = match name.as_bytes() {
                b"_drafts" => Kin { draft: true },
                b"_posts" => kin,
                [b'.' | b'_', ..] => return None,
                _ => kin,
            };
            let place = place.join(name);
            (!self.ours.is_folder(&place)).then(|| self.folder(&place, &inside(path, name), kin))
        });
        part.and(files.chain(folders).reduce(Part::default, Part::and))
    }

    fn file(
        &self,
        opened: &Opened<'_>,
        name: &OsStr,
        neighbours: &mut Neighbours<'_>,
        part: &mut Part,
    ) {
        let Opened {
            folder,
            place,
            path,
            kin,
        } = *opened;
        if self.ours.holds(&place.join(name)) {
            return;
        }
        // most files are as they were: nothing is made of their names
        let known = name.to_str().and_then(|text| neighbours.find(text));
        let row = known.and_then(|number| Some((number, self.known.row(number)?)));
        if let Some((number, row)) = row {
            match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(meta) if row.trusted && row.draft == kin.draft && row.stamp == stamp(&meta) => {
                    part.scan.files += 1;
                    self.met[number as usize].store(true, Ordering::Relaxed);
                    return;
                }
                _ => {}
            }
        }
        let folder_path = path;
        let path = inside(folder_path, name);
        let Some(class) = part.class(name, &path) else {
            if let Some(target) = coming::target(name)
                && let Ok(meta) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            {
                let target = inside(folder_path, OsStr::new(target));
                let growing = (place.join(name), stamp(&meta).mtime);
                part.scan.expect(target, growing);
            }
            return;
        };
        let place = place.join(name);
        match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(meta) => {
                if name.to_str().is_none() {
                    part.scan.places.insert(path.clone(), place.clone());
                }
                let stamp = stamp(&meta);
                self.found(
                    Found {
                        path,
                        place,
                        class,
                        draft: kin.draft,
                        stamp,
                    },
                    part,
                );
            }
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => self.unseen(&path, name, &error.into(), part),
        }
    }

    /// A file is there, and cannot be looked at: what is known of it stays true.
    fn unseen(&self, path: &str, name: &OsStr, error: &std::io::Error, part: &mut Part) {
        if error.kind() == std::io::ErrorKind::NotFound {
            return;
        }
        part.unreadable(path, error);
        part.scan.files += 1;
        if classify(name, path) == name::Class::Article {
            part.scan.broken.insert(path.to_owned());
        } else if let Some(number) = self.known.number(path) {
            self.met[number as usize].store(true, Ordering::Relaxed);
        }
    }

    /// A file is there, under whatever name.
    fn found(&self, found: Found, part: &mut Part) {
        part.scan.files += 1;
        if found.class == Class::Article && found.stamp.size > LONGEST {
            let what = format!(
                "is {} bytes long; at most {LONGEST} are read",
                found.stamp.size
            );
            let problem = Problem::error(&found.path, what).remedy("shorten or split it");
            part.scan.problems.push(problem);
            part.scan.broken.insert(found.path);
            return;
        }
        if let Some(number) = self.known.number(&found.path)
            && let Some(row) = self.known.row(number)
        {
            self.met[number as usize].store(true, Ordering::Relaxed);
            let is_same = row.trusted && row.stamp == found.stamp && row.draft == found.draft;
            if is_same && row.class == found.class {
                return;
            }
        }
        part.scan.changed.push(found);
    }

    /// A symlink is followed only while its target stays inside the folder.
    fn link(&self, link: Link, part: &mut Part, followed: &mut HashSet<(u64, u64)>) {
        let Link { place, path, kin } = link;
        let target = match place.canonicalize() {
            Ok(target) => target,
            Err(error) => {
                let why = if error.kind() == std::io::ErrorKind::NotFound {
                    "leads nowhere".to_owned()
                } else {
                    format!("cannot be followed: {error}")
                };
                return part.refused(path, &format!("is a symlink that {why}"));
            }
        };
        if !target.starts_with(self.root) {
            return part.refused(path, "is a symlink that leads out of the folder");
        }
        if self.ours.holds(&target) {
            return part.refused(path, "is a symlink to a document that tidings made");
        }
        let meta = match fs::metadata(&target) {
            Ok(meta) => meta,
            Err(error) => return part.unreadable(&path, &error),
        };
        let inner = target.strip_prefix(self.root).unwrap_or(&target);
        let is_new = || !followed.contains(&(meta.dev(), meta.ino()));
        if walks_to(inner, &meta, &part.scan.closed) || !is_new() {
            part.scan.problems.push(Problem::info(
                path,
                "is a symlink to what is read under its own name",
            ));
            return;
        }
        // what is hidden is private, but for the folders that Kubernetes swaps: `a.md` → `..data/a.md`
        let private = inner.components().find_map(|component| {
            let name = component.as_os_str().as_bytes();
            let is_hidden = matches!(name, [b'.' | b'_', ..]) && name != b"_posts";
            (is_hidden && !name.starts_with(b".."))
                .then(|| component.as_os_str().to_string_lossy().into_owned())
        });
        if let Some(name) = private {
            return part.refused(
                path,
                &format!("is a symlink into `{name}`, which is not read"),
            );
        }
        followed.insert((meta.dev(), meta.ino()));
        if meta.is_dir() {
            let inside = std::mem::take(part);
            *part = inside.and(self.folder(&target, &path, kin));
        } else if meta.is_file() {
            let name = place.file_name().unwrap_or_default();
            let Some(class) = part.class(name, &path) else {
                return;
            };
            part.scan.places.insert(path.clone(), target.clone());
            let stamp = super::stamp(&meta);
            let found = Found {
                path,
                place: target,
                class,
                draft: kin.draft,
                stamp,
            };
            self.found(found, part);
        } else {
            part.refused(path, "is a symlink to something that is no file");
        }
    }
}

/// Whether the walk comes to what lies at `inner` by itself.
fn walks_to(inner: &Path, meta: &fs::Metadata, closed: &[String]) -> bool {
    let is_closed = closed.iter().any(|folder| inner.starts_with(folder));
    let (folders, file) = if meta.is_dir() {
        (Some(inner), None)
    } else {
        (inner.parent(), inner.file_name())
    };
    let goes_in = |name: &OsStr| {
        !matches!(name.as_bytes(), [b'.' | b'_', ..]) || name == "_posts" || name == "_drafts"
    };
    let names = folders.into_iter().flat_map(Path::components);
    let mut names = names.map(std::path::Component::as_os_str);
    !is_closed
        && names.all(goes_in)
        && file.is_none_or(|file| {
            meta.is_file() && classify(file, &inner.to_string_lossy()) != name::Class::Ignored
        })
}

fn inside(path: &str, name: &OsStr) -> String {
    if path.is_empty() {
        readable(name)
    } else {
        format!("{path}/{}", readable(name))
    }
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "its types are other ones on other architectures"
)]
fn stamp(meta: &Stat) -> Stamp {
    Stamp {
        size: meta.st_size as u64,
        mtime: (meta.st_mtime as i64, meta.st_mtime_nsec as i64),
        ctime: (meta.st_ctime as i64, meta.st_ctime_nsec as i64),
        inode: meta.st_ino as u64,
    }
}
