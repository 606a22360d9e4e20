//! The cache, in `.tidings/`: all that was understood of the folder, so that what did not change need not be read again.
//! It may be lost: then the next run takes longer, and does the same.
//!
//! Two files, and some with one thing each: one with everything, in parts that are checked and understood on all cores, and one to which each run appends
//! what changed. What is damaged, or of another version of the program, counts for nothing.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::durable;

const FILE: &str = "cache";
const LOG: &str = "cache.log";
/// Changes with the form of what is written.
const MAGIC: &[u8] = b"tidings cache 02";
/// So many things are in a part.
const PART: usize = 2048;
/// With more bytes than this in its second file, and more than a quarter of the first's, the cache is written anew.
const LONG: u64 = 1 << 20;

/// What the cache holds: a head, and many things.
#[derive(Debug)]
pub struct Cached<H, T> {
    /// The last head.
    pub head: H,
    /// Everything there was when the cache was written, in that order.
    pub things: Vec<T>,
    /// What each later run appended to it.
    pub later: Vec<T>,
}

/// Reads the cache of a state folder; `None` if there is none that is whole.
#[must_use]
pub fn load<H: DeserializeOwned, T: DeserializeOwned + Send>(
    folder: &Path,
) -> Option<Cached<H, T>> {
    // part by part: what is understood takes enough room, without the bytes of all of it beside
    let file = File::open(folder.join(FILE)).ok()?;
    let mut parts = places(&file)?;
    let name = read(&file, &parts.pop()?)?;
    let mut parts = parts.into_iter();
    let mut head = postcard::from_bytes(&read(&file, &parts.next()?)?).ok()?;
    let parts: Vec<Place> = parts.collect();
    let things: Option<Vec<Vec<T>>> = parts
        .par_iter()
        .map(|part| postcard::from_bytes(&read(&file, part)?).ok())
        .collect();
    let things = things?.into_iter().flatten().collect();
    let log = fs::read(folder.join(LOG)).unwrap_or_default();
    let mut later = Vec::new();
    // one that was cut off tells nothing: all that it says is found again in the folder
    for pair in self::parts(log.strip_prefix(&*name).unwrap_or_default())
        .unwrap_or_default()
        .chunks(2)
    {
        let [first, second] = pair else { break };
        let understood = || {
            let head = postcard::from_bytes(check(first)?).ok()?;
            let things: Vec<T> = postcard::from_bytes(check(second)?).ok()?;
            Some((head, things))
        };
        let (newer, things) = understood()?;
        head = newer;
        later.extend(things);
    }
    Some(Cached {
        head,
        things,
        later,
    })
}

/// Writes the whole cache.
///
/// # Errors
/// If the disk refuses.
pub fn save<H: Serialize, T: Serialize + Sync>(
    folder: &Path,
    head: &H,
    things: &[&T],
) -> Result<()> {
    let failed = || format!("cannot write the cache in `{}`", folder.display());
    let mut name = [0; 16];
    let fill = |file: &mut dyn Write| {
        let head = part(&pack(head));
        let mut hasher = blake3::Hasher::new();
        hasher.update(&head);
        file.write_all(MAGIC)?;
        file.write_all(&head)?;
        // a few at a time: all would take as much room as what they are made of
        for things in things.chunks(PART * rayon::current_num_threads()) {
            let parts = things.par_chunks(PART).map(|things| part(&pack(things)));
            for part in parts.collect::<Vec<_>>() {
                hasher.update(&part[..part.len().min(64)]);
                file.write_all(&part)?;
            }
        }
        name.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        file.write_all(&part(&name))
    };
    durable::fill_loosely(&folder.join(FILE), fill).with_context(failed)?;
    // what was appended to the old one has another name in front
    durable::put_loosely(&folder.join(LOG), &name).with_context(failed)
}

/// Appends to the cache what changed; whether there is one, and it is not better written anew.
///
/// # Errors
/// If the disk refuses.
pub fn append<H: Serialize, T: Serialize>(folder: &Path, head: &H, things: &[&T]) -> Result<bool> {
    let (file, log) = (folder.join(FILE), folder.join(LOG));
    let (Ok(whole), Ok(appended)) = (fs::metadata(&file), fs::metadata(&log)) else {
        return Ok(false);
    };
    if appended.len() > LONG.max(whole.len() / 4) {
        return Ok(false);
    }
    let bytes = [part(&pack(head)), part(&pack(&things))].concat();
    let mut file = fs::OpenOptions::new().append(true).open(&log)?;
    file.write_all(&bytes)
        .with_context(|| format!("cannot write `{}`", log.display()))?;
    Ok(true)
}

/// Writes one value into a file of its own; by what it is found again.
///
/// # Errors
/// If the disk refuses.
pub fn remember(folder: &Path, file: &str, value: &impl Serialize) -> Result<u64> {
    let packed = pack(value);
    let hash = blake3::hash(&packed);
    let name = hash.as_bytes()[..8].try_into().unwrap_or_default();
    let failed = || format!("cannot write `{file}` in `{}`", folder.display());
    let bytes = [MAGIC, &*part(&packed)].concat();
    durable::put_loosely(&folder.join(file), &bytes).with_context(failed)?;
    Ok(u64::from_le_bytes(name))
}

/// The value that was [`remember`]ed under this name; `None` if it is not there any longer.
#[must_use]
pub fn recall<T: DeserializeOwned>(folder: &Path, file: &str, name: u64) -> Option<T> {
    let bytes = fs::read(folder.join(file)).ok()?;
    let parts = parts(bytes.strip_prefix(MAGIC)?)?;
    let (sum, _) = parts.first()?;
    let is_it = **sum == name.to_le_bytes();
    postcard::from_bytes(is_it.then(|| check(parts.first()?))??).ok()
}

fn pack(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    // numbers, flags and strings: nothing in it can fail to be written; what did would not be read again
    postcard::to_stdvec(value).unwrap_or_default()
}

/// Length, checksum, bytes.
fn part(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed.len() + 16);
    bytes.extend_from_slice(&(packed.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&blake3::hash(packed).as_bytes()[..8]);
    bytes.extend_from_slice(packed);
    bytes
}

/// Where a part stands in a file: its checksum, its first byte, its length.
struct Place([u8; 8], u64, usize);

/// Where all parts of a cache stand; `None` if it is none, or is cut off.
fn places(file: &File) -> Option<Vec<Place>> {
    let length = file.metadata().ok()?.len();
    let mut magic = [0; MAGIC.len()];
    file.read_exact_at(&mut magic, 0).ok()?;
    let mut at = (magic == *MAGIC).then_some(MAGIC.len() as u64)?;
    let mut places = Vec::new();
    while at < length {
        let (mut size, mut sum) = ([0; 8], [0; 8]);
        file.read_exact_at(&mut size, at).ok()?;
        file.read_exact_at(&mut sum, at + 8).ok()?;
        let size = u64::from_le_bytes(size);
        let start = at + 16;
        at = start.checked_add(size).filter(|end| *end <= length)?;
        places.push(Place(sum, start, usize::try_from(size).ok()?));
    }
    Some(places)
}

fn read(file: &File, Place(sum, start, size): &Place) -> Option<Vec<u8>> {
    let mut bytes = vec![0; *size];
    file.read_exact_at(&mut bytes, *start).ok()?;
    check((&sum[..], &bytes[..]))?;
    Some(bytes)
}

fn parts(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at_checked(8)?;
        let length = u64::from_le_bytes(length.try_into().ok()?);
        let (sum, rest) = rest.split_at_checked(8)?;
        let (part, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        parts.push((sum, part));
        bytes = rest;
    }
    Some(parts)
}

fn check<'p>(part: impl std::borrow::Borrow<(&'p [u8], &'p [u8])>) -> Option<&'p [u8]> {
    let (sum, part) = part.borrow();
    (&blake3::hash(part).as_bytes()[..8] == *sum).then_some(part)
}
