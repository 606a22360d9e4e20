//! Files that are wholly there or not at all, whatever happens.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use tempfile::{NamedTempFile, TempPath};

/// The beginning of the names of temporary files; hidden, so that no server serves them.
pub(super) const PREFIX: &str = ".tidings-";

/// Puts `bytes` at `path`, replacing what is there: temporary file, fsync, rename, fsync of the folder.
/// Folders that are missing are made.
///
/// # Errors
/// If the disk refuses; what was there stays.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, |file| file.write_all(bytes), None, Durable::All)
}

/// As [`put`], with a modification time; its name is durable when its folder is synced next.
///
/// # Errors
/// As [`put`].
pub fn put_dated(path: &Path, bytes: &[u8], mtime: DateTime<Utc>) -> io::Result<()> {
    write(
        path,
        |file| file.write_all(bytes),
        Some(mtime),
        Durable::Bytes,
    )
}

/// More files than this are not synced one by one: the file system is asked once to write everything.
pub(super) const MANY: usize = 64;

/// A file that is to be put at a place, with a modification time.
#[derive(Debug)]
pub struct Dated<'a> {
    /// Where it is to be.
    pub path: PathBuf,
    /// What is to be in it.
    pub bytes: std::borrow::Cow<'a, [u8]>,
    /// When it was made.
    pub mtime: DateTime<Utc>,
}

/// As [`put_dated`], of many at a time; their names are durable when it returns.
///
/// # Errors
/// As [`put`]; each is then wholly the old or wholly the new one.
pub fn put_all(files: &[Dated<'_>]) -> io::Result<()> {
    place_all(stage_all(files)?, files)
}

/// Writes many files, and makes their bytes durable; [`place_all`] gives them their names.
///
/// # Errors
/// As [`put`].
pub fn stage_all(files: &[Dated<'_>]) -> io::Result<Vec<TempPath>> {
    let write = |file: &Dated<'_>| -> io::Result<NamedTempFile> {
        let mut temporary = temporary(folder_of(&file.path))?;
        temporary.write_all(&file.bytes)?;
        temporary.as_file().set_modified(file.mtime.into())?;
        Ok(temporary)
    };
    let Some(first) = files.first() else {
        return Ok(Vec::new());
    };
    stage(files, folder_of(&first.path), write)
}

/// Gives files that were written their names, which are durable when it returns.
///
/// # Errors
/// As [`put`]; each is then wholly the old or wholly the new one.
pub fn place_all(temporaries: Vec<TempPath>, files: &[Dated<'_>]) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for (temporary, file) in temporaries.into_iter().zip(files) {
        rename(temporary, &file.path)?;
        folders.insert(folder_of(&file.path));
    }
    folders.into_iter().try_for_each(sync_folder)
}

/// Writes a temporary file for each of `items`, all of them in the file system of `folder`, and makes their bytes
/// durable; their names they get next.
///
/// # Errors
/// If the disk refuses, and those of `write`.
pub fn stage<T: Sync, E: From<io::Error> + Send>(
    items: &[T],
    folder: &Path,
    write: impl Fn(&T) -> Result<NamedTempFile, E> + Sync + Send,
) -> Result<Vec<TempPath>, E> {
    if items.len() > MANY {
        // opened before anything is written, it is told of all that fails from here on
        let file_system = File::open(named(folder))?;
        // a process may have so many files only if they are not open all at once
        let written = items.par_iter().map(write);
        let closed = written.map(|file| file.map(NamedTempFile::into_temp_path));
        let closed = closed.collect::<Result<_, E>>()?;
        rustix::fs::syncfs(file_system).map_err(io::Error::from)?;
        return Ok(closed);
    }
    let open: Vec<NamedTempFile> = items.iter().map(write).collect::<Result<_, E>>()?;
    sync_each(&open.iter().map(NamedTempFile::as_file).collect::<Vec<_>>())?;
    Ok(open
        .into_iter()
        .map(NamedTempFile::into_temp_path)
        .collect())
}

/// Makes the bytes of files durable. What is asked for at once a file system writes in one go: many threads wait for it
/// together, each of which does nothing else.
fn sync_each(files: &[&File]) -> io::Result<()> {
    const THREADS: usize = 16;
    let share = files.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let sync = |files: &[&File]| files.iter().try_for_each(|file| file.sync_all());
        let waiting = files.chunks(share).map(|files| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, move || sync(files));
            // where there can be no more threads, it is done here
            thread.map_err(|_| sync(files))
        });
        let waiting: Vec<_> = waiting.collect();
        let died = |_| Err(io::Error::other("a thread that wrote to the disk died"));
        waiting.into_iter().try_for_each(|thread| match thread {
            Ok(thread) => thread.join().unwrap_or_else(died),
            Err(done) => done,
        })
    })
}

/// As [`put`], but not fsynced: for what may be lost and is verified when it is read.
///
/// # Errors
/// As [`put`].
pub fn put_loosely(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, |file| file.write_all(bytes), None, Durable::Nothing)
}

/// As [`put_loosely`], of what `fill` writes piece by piece.
///
/// # Errors
/// As [`put`], and those of `fill`.
pub fn fill_loosely(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    write(path, |file| fill(file), None, Durable::Nothing)
}

/// What is durable when a function returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    Nothing,
    Bytes,
    All,
}

fn write(
    path: &Path,
    fill: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
    mtime: Option<DateTime<Utc>>,
    sync: Durable,
) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let mut file = temporary(folder)?;
    fill(&mut file)?;
    if let Some(mtime) = mtime {
        file.as_file().set_modified(mtime.into())?;
    }
    if sync != Durable::Nothing {
        file.as_file().sync_all()?;
    }
    rename(file.into_temp_path(), path)?;
    if sync == Durable::All {
        sync_folder(folder)
    } else {
        Ok(())
    }
}

/// Appends `bytes` to the file at `path`, which is made if it is missing; durable when it returns (one fdatasync).
///
/// # Errors
/// If the disk refuses; a part of `bytes` may then stand at the end of the file.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = match OpenOptions::new().append(true).open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return put(path, bytes),
        Err(error) => return Err(error),
    };
    file.write_all(bytes)?;
    file.sync_data()
}

/// Cuts the file at `path` to `length` bytes and appends `bytes`, in place; durable when it returns.
///
/// # Errors
/// As [`append`].
pub fn mend(path: &Path, length: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.set_len(length)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether an error says that there is no such file. Any other one (a disk that fails, a right that is missing) says
/// nothing of the kind: who takes it for absence writes a new file over the old one.
#[must_use]
pub fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(
        error.kind(),
        NotFound | NotADirectory | InvalidFilename | InvalidInput
    )
}

/// Reads a file; `None` if there is none.
///
/// # Errors
/// If it may be there and cannot be read.
pub fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a single file is mounted at `path`, as containers do: it can be written, and no other can take its place.
#[must_use]
pub fn is_mount_point(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let mount = |path: &Path| {
        let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
        StatxFlags::from_bits_retain(found.stx_mask)
            .contains(StatxFlags::MNT_ID)
            .then_some(found.stx_mnt_id)
    };
    let (file, folder) = (mount(path), mount(folder_of(path)));
    file.zip(folder)
        .is_some_and(|(file, folder)| file != folder)
}

/// A temporary file in `folder`, that everybody may read when it is renamed; it vanishes if it is not.
///
/// # Errors
/// If the disk refuses.
pub fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    // the umask takes away what the user does not grant
    tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// Gives a temporary file its name, in the same folder.
///
/// # Errors
/// If the disk refuses; the temporary file is gone then.
pub fn rename(file: TempPath, path: &Path) -> io::Result<()> {
    file.persist(path).map_err(|error| error.error)
}

/// Makes the names in `folder` durable.
///
/// # Errors
/// If the disk refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(named(folder))?.sync_all()
}

/// The folder of a path without one is the one that is open.
fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// Makes everything durable that was written to the file system of `path`.
///
/// # Errors
/// If the disk refuses.
pub fn sync_file_system(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(named(path))?)?)
}

/// Makes the folders from `root` down to `folder`; one that is a symlink is refused. They are durable when those are synced
/// that are told: those that got a new one. Many that are made in few are so with few calls.
///
/// # Errors
/// If the disk refuses, or something that is no folder is in the way.
pub fn make_folders(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut grown = Vec::new();
    let Ok(inside) = folder.strip_prefix(root) else {
        return Ok(grown);
    };
    let mut current = root.to_owned();
    for part in inside.components() {
        let parent = current.clone();
        current.push(part);
        match fs::symlink_metadata(&current) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                let what = format!("`{}` is in the way: it is no folder", current.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, what));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&current)?;
                grown.push(parent);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(grown)
}

/// Does `wait`, which mostly waits for the disk, on a thread of its own while `work` is done here.
///
/// # Errors
/// Those of `wait`, and if its thread died.
pub fn beside<T: Send, E: From<io::Error> + Send, U>(
    wait: impl Fn() -> Result<T, E> + Sync,
    work: impl FnOnce() -> U,
) -> (Result<T, E>, U) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, &wait);
        let done = work();
        let waited = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| {
                Err(io::Error::other("a thread that wrote to the disk died").into())
            }),
            // where there can be no more threads, it is done here
            Err(_) => wait(),
        };
        (waited, done)
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
