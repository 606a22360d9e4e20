//! What a publication is about to do: each document with its hash, its date, and how it lies on disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use rayon::prelude::*;

use crate::edition::encode::{self, Coding, Effort, Encoded};
use crate::edition::{self, Body, Document, Kind, Manifest, Published, manifest};
use crate::problem::Problem;

/// A publication that is about to happen, or has: what a server needs to know to show it.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Every document, by route.
    pub steps: Vec<Step<'a>>,
    /// What is published with it.
    pub manifest: Manifest,
    /// Whether it is on disk.
    pub durable: bool,
    /// What could not be read; it stays what it was.
    pub problems: Vec<Problem>,
}

/// One document on its way.
#[derive(Debug)]
pub struct Step<'a> {
    /// What is to be published.
    pub document: &'a Document,
    /// Its entry in the manifest.
    pub published: Published,
    /// What was encoded of it already.
    pub encoded: Vec<Encoded>,
    pub(super) place: PathBuf,
    /// Whether the bytes on disk are these.
    pub(super) lies: Lies,
}

impl Step<'_> {
    /// Whether it is what it was, and nobody looked further.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self.document.body, Body::Kept)
    }

    /// The bytes that are to be published.
    ///
    /// # Errors
    /// If the author's file cannot be read, or is another one by now.
    pub fn bytes(&self) -> Result<bytes::Bytes> {
        let bytes: bytes::Bytes = match &self.document.body {
            Body::Memory(bytes) => bytes.clone(),
            Body::File(source, _) => fs::read(source)
                .with_context(|| format!("cannot read `{}`", source.display()))?
                .into(),
            Body::Kept => bail!("a document is kept that never was published"),
        };
        if edition::hash(&bytes) != self.published.hash {
            bail!("`{}` changes while it is published", self.document.route);
        }
        Ok(bytes)
    }

    /// Whether the file on disk has these bytes.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.lies != Lies::Differently
    }
}

impl<'a> Ready<'a> {
    /// The documents whose bytes are not on disk.
    pub fn changed(&self) -> impl Iterator<Item = &Step<'a>> {
        self.steps
            .iter()
            .filter(|step| step.lies == Lies::Differently)
    }

    /// Whether assets have to be copied before anybody may be shown what refers to them.
    #[must_use]
    pub fn waits_for_assets(&self) -> bool {
        self.changed().any(|step| step.document.kind == Kind::Asset)
    }

    /// Encodes, on all cores and in each of `codings`, the changed documents that are served encoded. Of each step its
    /// encodings, in their order.
    ///
    /// # Errors
    /// If an encoder refuses.
    pub(super) fn encode(&self, codings: &[Coding]) -> Result<Vec<Vec<Encoded>>> {
        let is_encoded = |step: &Step<'_>| {
            step.lies == Lies::Differently && step.document.kind.stays_in_memory()
        };
        let count = self.steps.iter().filter(|step| is_encoded(step)).count();
        let steps = self.steps.iter().enumerate();
        let steps = steps.filter(|(_, step)| is_encoded(step));
        // each by itself: one of three documents, or the slowest of three encodings, is much for one core
        let work = steps.flat_map(|step| codings.iter().map(move |coding| (step, *coding)));
        let work: Vec<_> = work.collect();
        let made = work.par_iter().with_max_len(1);
        let made = made.map(|((index, step), coding)| {
            let Body::Memory(bytes) = &step.document.body else {
                return Ok(None);
            };
            let effort = if bytes.len() > LARGE {
                Effort::Hasty
            } else {
                Effort::of(count)
            };
            let encoded = encode::smaller(*coding, effort, bytes)
                .with_context(|| format!("cannot encode `{}`", step.document.route))?;
            Ok(encoded.map(|encoded| (*index, encoded)))
        });
        let made: Vec<Option<(usize, Encoded)>> = made.collect::<Result<_>>()?;
        let mut encoded = vec![Vec::new(); self.steps.len()];
        for (index, one) in made.into_iter().flatten() {
            encoded[index].push(one);
        }
        Ok(encoded)
    }
}

/// A document with more bytes than this is encoded in haste.
const LARGE: usize = 4 << 20;

/// How a document lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    /// These bytes, with their date.
    Well,
    /// These bytes, with another date.
    Misdated,
    /// Other bytes, or none.
    Differently,
}

pub(super) fn step<'a>(
    document: &'a Document,
    place: PathBuf,
    previous: Option<&Manifest>,
    now: DateTime<Utc>,
) -> Result<Step<'a>> {
    let is_source = matches!(&document.body, Body::File(source, _) if is_same_file(source, &place));
    let before = previous.and_then(|manifest| manifest.documents.get(&document.route));
    let (hash, size) = match (&document.body, before) {
        (Body::Kept, Some(before)) => {
            return Ok(Step {
                document,
                published: before.clone(),
                encoded: Vec::new(),
                place,
                lies: Lies::Well,
            });
        }
        (body, _) => fingerprint(body)?,
    };
    let current = before.filter(|before| before.hash == hash);
    let last_modified = match (current, before) {
        (Some(current), _) => current.last_modified,
        (None, before) => manifest::last_modified(now, before.map(|before| before.last_modified)),
    };
    let encodings = current
        .map(|current| current.encodings.clone())
        .unwrap_or_default();
    let published = Published {
        kind: document.kind,
        hash,
        size,
        last_modified,
        encodings,
    };
    let lies = match before.filter(|_| !is_source).filter(|_| current.is_none()) {
        // what was published lies there still: it need not be read to be told from this
        Some(before) if is_dated(&place, before) => Lies::Differently,
        // where folders overlap the author's file is the document: it is never written
        _ if is_source => Lies::Well,
        _ => lies(&place, &published, current.is_some()),
    };
    Ok(Step {
        document,
        published,
        encoded: Vec::new(),
        place,
        lies,
    })
}

/// The step of a document that stays what it was; `None` if it was never published.
pub(super) fn kept<'a>(
    document: &'a Document,
    place: PathBuf,
    previous: Option<&Manifest>,
) -> Option<Step<'a>> {
    let published = previous?.documents.get(&document.route)?.clone();
    Some(Step {
        document,
        published,
        encoded: Vec::new(),
        place,
        lies: Lies::Well,
    })
}

/// Whether both names lead to one file.
pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    id(a).is_some_and(|a| id(b) == Some(a))
}

/// A file of the author's that became another one while it was read.
#[derive(Debug, thiserror::Error)]
#[error("`{}` was written while it was read", .0.display())]
pub struct Written(pub(super) PathBuf);

fn fingerprint(body: &Body) -> Result<(String, u64)> {
    match body {
        Body::Memory(bytes) => Ok((edition::hash(bytes), bytes.len() as u64)),
        Body::File(source, stamp) => {
            let failed = || format!("cannot read `{}`", source.display());
            let mut hasher = blake3::Hasher::new();
            let mut file = fs::File::open(source).with_context(failed)?;
            let size = std::io::copy(&mut file, &mut hasher).with_context(failed)?;
            let after = crate::folder::stamp_of_file(&file).with_context(failed)?;
            if after.size != size || (after.size, after.mtime) != (stamp.size, stamp.mtime) {
                return Err(Written(source.clone()).into());
            }
            Ok((hasher.finalize().to_hex().to_string(), size))
        }
        Body::Kept => bail!("a document is kept that never was published"),
    }
}

/// Whether a file is there that has the size and the date of these bytes.
pub(super) fn is_dated(place: &Path, published: &Published) -> bool {
    let mtime = std::time::SystemTime::from(published.last_modified);
    fs::symlink_metadata(place).is_ok_and(|meta| {
        let same_date = meta.modified().is_ok_and(|found| found == mtime);
        meta.is_file() && meta.len() == published.size && same_date
    })
}

/// Size and date tell, if the manifest names these bytes; else they are read (a `git clone` gives every file the time
/// of the clone).
fn lies(place: &Path, published: &Published, current: bool) -> Lies {
    let Ok(meta) = fs::symlink_metadata(place) else {
        return Lies::Differently;
    };
    if !meta.is_file() || meta.len() != published.size {
        return Lies::Differently;
    }
    let dated = meta
        .modified()
        .is_ok_and(|mtime| mtime == std::time::SystemTime::from(published.last_modified));
    if current && dated {
        return Lies::Well;
    }
    match fs::read(place) {
        Ok(bytes) if edition::hash(&bytes) == published.hash => Lies::Misdated,
        _ => Lies::Differently,
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "an author's file is written")]
mod tests {
    use super::{Body, Written, fingerprint};

    #[test]
    fn a_file_that_is_not_what_it_was_when_it_was_found_is_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("talk.mp3");
        std::fs::write(&place, "whole").unwrap();
        let stamp = crate::folder::stamp_of(&place).unwrap();
        let found = Body::File(place.clone(), stamp);
        assert_eq!(fingerprint(&found).unwrap().1, 5);
        std::fs::write(&place, "ha").unwrap();
        assert!(fingerprint(&found).unwrap_err().is::<Written>());
    }
}
