//! Files that are being copied. Readers must never get half of one. Until the copy is complete, the file counts as it was
//! before, and articles that show it wait.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aho_corasick::AhoCorasick;
use percent_encoding::percent_decode;

use super::name::{self, classify};
use super::{Finished, Found, Scan, age, readable, stamp_of};
use crate::catalogue::Class;

/// A file whose writer has not closed or renamed it counts as being copied until this long after it last grew.
const SIGNS: Duration = Duration::from_secs(10);
/// The same for a file whose writer is unknown.
const STILL: Duration = Duration::from_secs(2);

/// Returns the final name of a temporary file: that of rsync, rclone, Syncthing, Nextcloud, `ProFTPD` or lftp, or one with
/// `.part` and the like appended. Returns `None` if the name is not temporary, or is not an asset's.
pub(super) fn target(temporary: &OsStr) -> Option<&str> {
    let name = temporary.to_str()?;
    let appended = [".part", ".filepart", ".crdownload"];
    let appended = appended.iter().find_map(|end| name.strip_suffix(end));
    // rclone puts eight digits in between
    let rclone = || {
        let (target, digits) = name.strip_suffix(".partial")?.rsplit_once('.')?;
        let is_random = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_alphanumeric());
        is_random.then_some(target)
    };
    let appended = appended.or_else(rclone).or(name.strip_suffix(".partial"));
    let hidden = name.strip_prefix('.').and_then(|rest| {
        let syncthing = || rest.strip_prefix("syncthing.")?.strip_suffix(".tmp");
        let ftp = || rest.strip_prefix("in.")?.strip_suffix('.');
        let rsync = || {
            let (target, end) = rest.rsplit_once('.')?;
            let is_random = end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric());
            (is_random || end.starts_with('~')).then_some(target)
        };
        syncthing().or_else(ftp).or_else(rsync)
    });
    let target = hidden.or_else(|| appended.map(|name| name.strip_prefix('.').unwrap_or(name)))?;
    (classify(OsStr::new(target), target) == name::Class::Asset).then_some(target)
}

/// One file that is being copied.
#[derive(Debug, Clone)]
struct Sign {
    /// The file that grows: the asset itself, or the temporary file that will be renamed to it.
    place: PathBuf,
    patience: Duration,
    /// When it counts as whole if it does not grow any more.
    until: SystemTime,
}

impl Sign {
    fn of(
        place: PathBuf,
        mtime: (i64, i64),
        patience: Duration,
        clock: SystemTime,
    ) -> Option<Self> {
        let left = patience.checked_sub(age(mtime, clock)?)?;
        Some(Self {
            place,
            patience,
            until: clock + left,
        })
    }
}

/// The files of the folder that are being copied.
#[derive(Debug, Default)]
pub struct Coming {
    /// By their paths.
    signs: BTreeMap<String, Sign>,
    /// Finds their names in texts, in the same order.
    names: Option<AhoCorasick>,
}

impl Coming {
    /// Removes files that are being copied from a scan. A later scan finds them when they are complete.
    #[must_use]
    pub fn take(scan: &mut Scan, root: &Path, finished: &Finished, clock: SystemTime) -> Self {
        let mut signs = BTreeMap::new();
        let mut add = |path: String, place: PathBuf, mtime, patience| {
            if let Some(sign) = Sign::of(place, mtime, patience, clock) {
                signs.insert(path, sign);
            }
        };
        for (path, (place, mtime)) in std::mem::take(&mut scan.temporary) {
            add(path, place, mtime, SIGNS);
        }
        for (target, growing) in finished.growing() {
            let root = root.canonicalize();
            let inside = root
                .as_ref()
                .ok()
                .and_then(|root| target.strip_prefix(root).ok());
            let is_asset = target.file_name().is_some_and(is_asset);
            if let (Some(inside), true, Some(stamp)) = (inside, is_asset, stamp_of(&growing)) {
                add(readable(inside.as_os_str()), growing, stamp.mtime, SIGNS);
            }
        }
        for found in scan
            .changed
            .iter()
            .filter(|found| found.class == Class::Asset)
        {
            if !finished.is_done(found) {
                let patience = if finished.is_open(&found.place) {
                    SIGNS
                } else {
                    STILL
                };
                if age(found.stamp.mtime, clock).is_none_or(|age| age >= patience) {
                    // if it grows after all, that is news
                    finished.take(&found.place);
                }
                add(
                    found.path.clone(),
                    found.place.clone(),
                    found.stamp.mtime,
                    patience,
                );
            }
        }
        let is_growing = |path: &String, place: &PathBuf| {
            signs
                .get(path)
                .is_some_and(|sign: &Sign| sign.place == *place)
        };
        scan.changed
            .retain(|found| !is_growing(&found.path, &found.place));
        // what comes under another name has gone only for a while
        scan.gone.retain(|path| !signs.contains_key(path));
        let names = signs
            .keys()
            .map(|path| path.rsplit('/').next().unwrap_or(path));
        // too many names to find them all at once are no reason to fail
        let names = AhoCorasick::new(names).ok().filter(|_| !signs.is_empty());
        Self { signs, names }
    }

    /// Whether nothing is being copied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signs.is_empty()
    }

    /// Whether the file with this path is being copied.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        self.signs.contains_key(path)
    }

    /// Puts published copies of what is being copied into a scan that found no whole file.
    pub fn stand_in(&self, scan: &mut Scan, copy: impl Fn(&str) -> Option<PathBuf>) {
        let found: BTreeSet<String> = scan
            .changed
            .iter()
            .map(|found| found.path.clone())
            .collect();
        for path in self.signs.keys().filter(|path| !found.contains(*path)) {
            let Some(place) = copy(path) else { continue };
            let Some(stamp) = stamp_of(&place) else {
                continue;
            };
            scan.places.insert(path.clone(), place.clone());
            scan.changed.push(Found {
                path: path.clone(),
                place,
                class: Class::Asset,
                draft: false,
                stamp,
            });
        }
        scan.changed.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// Returns the path of a file that is being copied and whose name occurs in this text. This is a hint: references may be
    /// written in other ways.
    #[must_use]
    pub fn named_in(&self, text: &[u8]) -> Option<&str> {
        let names = self.names.as_ref()?;
        let found = names.find(text);
        let found = found.or_else(|| {
            // as it stands in a URL
            memchr::memchr(b'%', text)?;
            names.find(&*Cow::from(percent_decode(text)))
        });
        self.paths().nth(found?.pattern().as_usize())
    }

    /// The paths of all of them.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.signs.keys().map(String::as_str)
    }

    /// When the first of them counts as whole, if nothing more happens.
    #[must_use]
    pub fn until(&self) -> Option<SystemTime> {
        self.signs.values().map(|sign| sign.until).min()
    }

    /// Whether the file with this path still grows, or may do so.
    #[must_use]
    pub fn still_grows(&self, path: &str, clock: SystemTime) -> bool {
        let Some(sign) = self.signs.get(path) else {
            return false;
        };
        // what will get its name is gone when it has
        stamp_of(&sign.place)
            .is_some_and(|stamp| age(stamp.mtime, clock).is_some_and(|age| age < sign.patience))
    }
}

/// Whether a name is one of a file that articles may show.
#[must_use]
pub fn is_asset(name: &OsStr) -> bool {
    classify(name, &name.to_string_lossy()) == name::Class::Asset
}

/// Where the file will lie that a copying program writes at `place` for now; `None` if it is no such place.
#[must_use]
pub fn target_of(place: &Path) -> Option<PathBuf> {
    Some(place.with_file_name(target(place.file_name()?)?))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::target;

    #[test]
    fn what_a_copying_program_writes_for_now_is_known_by_its_name() {
        for (temporary, expected) in [
            (".boat.png.Ab3dE9", Some("boat.png")),
            (".talk one.mp3.a1b2c3", Some("talk one.mp3")),
            (".syncthing.boat.png.tmp", Some("boat.png")),
            (".boat.png.~1f0c", Some("boat.png")),
            (".in.boat.png.", Some("boat.png")),
            ("boat.png.part", Some("boat.png")),
            ("boat.png.filepart", Some("boat.png")),
            ("boat.png.crdownload", Some("boat.png")),
            ("boat.png.1a2b3c4d.partial", Some("boat.png")),
            ("boat.png.partial", Some("boat.png")),
            // articles are read when they are whole, whatever their names were
            (".a.md.Ab3dE9", None),
            (".boat.png.swp", None),
            (".boat.png", None),
            ("boat.png", None),
            (".DS_Store", None),
        ] {
            assert_eq!(target(OsStr::new(temporary)), expected, "{temporary}");
        }
    }
}
