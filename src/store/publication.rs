//! How a publication happens, as if the power will fail at any moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::durable::{self, Dated, MANY};
use super::ready::{Lies, Ready, Step, Written};
use super::{Disk, Encode, FORMER, Lock, MANIFEST, PENDING, Publication, with_suffix};
use crate::edition::encode::{self, Coding, Effort, Encoded};
use crate::edition::{self, Body, Manifest, Published, etag};
use crate::page;
use crate::problem::{Level, Problem};

/// Documents that are ours: their routes, with the hashes of the bytes that we put there or were about to.
pub(super) type Claims = BTreeMap<String, Vec<String>>;

impl Disk {
    /// Makes what is ready what is published.
    ///
    /// # Errors
    /// If the disk refuses; every document is then wholly the old or wholly the new one, and the old manifest stays.
    pub fn publish(
        &self,
        ready: &mut Ready<'_>,
        previous: Option<&Manifest>,
        encode: Encode<'_>,
    ) -> Result<Publication> {
        fs::create_dir_all(&self.feeds)
            .with_context(|| format!("cannot make `{}`", self.feeds.display()))?;
        let pending = self.pending()?;
        let coming = ready.changed().map(|step| &step.place);
        self.sweep(&pending, coming);
        let leaving = leaving(&pending, previous, &ready.manifest);
        if !leaving.is_empty() || ready.changed().next().is_some() {
            self.note(&pending, &leaving, ready.changed())?;
        }
        for step in ready
            .steps
            .iter()
            .filter(|step| step.lies == Lies::Misdated)
        {
            // nobody is harmed if the date cannot be set: the manifest has the true one
            let mtime = step.published.last_modified.into();
            let _ = fs::File::options()
                .append(true)
                .open(&step.place)
                .and_then(|file| file.set_modified(mtime));
        }
        let mut done = Publication::default();
        let total = ready.changed().count();
        let stage = || self.stage_documents(&ready.steps, previous, &pending);
        match encode {
            Encode::Beside(codings) => {
                // of many, both are work for all threads
                let (staged, encoded) = if total > MANY {
                    (stage()?, ready.encode(codings)?)
                } else {
                    let (staged, encoded) = durable::beside(stage, || ready.encode(codings));
                    (staged?, encoded?)
                };
                take_encoded(ready, encoded);
                let siblings =
                    self.siblings(&ready.steps, &mut ready.manifest, &pending, &leaving)?;
                let waiting = durable::stage_all(&siblings);
                let waiting = waiting.with_context(|| self.failed_beside())?;
                // all bytes are on the disk: from here on names change, and nothing more is written
                let place = |done: &mut Publication| -> Result<()> {
                    self.place_documents(staged, &ready.steps, done)?;
                    durable::place_all(waiting, &siblings).with_context(|| self.failed_beside())
                };
                place(&mut done).map_err(|error| Begun::after(error, &done, total))?;
            }
            Encode::After(codings) => {
                let staged = stage()?;
                let place = self.place_documents(staged, &ready.steps, &mut done);
                place.map_err(|error| Begun::after(error, &done, total))?;
                let mut more = || -> Result<()> {
                    let encoded = encode::aside(|| ready.encode(codings))?;
                    take_encoded(ready, encoded);
                    let siblings =
                        self.siblings(&ready.steps, &mut ready.manifest, &pending, &leaving)?;
                    durable::put_all(&siblings).with_context(|| self.failed_beside())
                };
                more().map_err(|error| Begun::after(error, &done, total))?;
            }
        }
        let finish = |done: &mut Publication| -> Result<()> {
            self.put_manifest(&ready.manifest, previous)?;
            self.delete(&leaving, done)
        };
        finish(&mut done).map_err(|error| Begun::after(error, &done, total))?;
        ready.durable = true;
        Ok(done)
    }

    /// What is missing beside documents, which the manifest then names.
    fn siblings<'s>(
        &self,
        steps: &'s [Step<'_>],
        manifest: &mut Manifest,
        pending: &Claims,
        leaving: &Claims,
    ) -> Result<Vec<Dated<'s>>> {
        let completed = steps.par_iter().map(|step| self.complete(step));
        let completed: Vec<Completion<'_>> = completed.collect::<Result<_>>()?;
        let mut missing = Vec::new();
        let mut incomplete = Vec::new();
        for (step, completion) in steps.iter().zip(completed) {
            if step.is_on_disk() && !completion.missing.is_empty() {
                incomplete.push(step);
            }
            missing.extend(completion.missing);
            if let Some(published) = manifest.documents.get_mut(&step.document.route) {
                published.encodings = completion.encodings;
            }
        }
        if !incomplete.is_empty() {
            let coming = changed(steps).into_iter().chain(incomplete);
            self.note(pending, leaving, coming)?;
        }
        Ok(missing)
    }

    fn failed_beside(&self) -> String {
        format!(
            "cannot write beside documents in `{}`",
            self.feeds.display()
        )
    }

    /// Puts better encodings beside a document that is published, if it still has the bytes that `hash` names.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn improve(&self, route: &str, published: &Published, encoded: &[Encoded]) -> Result<()> {
        let place = self.place(route)?;
        let failed = || format!("cannot write beside `{}`", place.display());
        // who replaces the document meanwhile would have it beside another's encodings
        let _lock = Lock::acquire(&self.state, Duration::ZERO)
            .map_err(|_| anyhow::anyhow!("another run is at work here"))?;
        if edition::hash(&fs::read(&place)?) != published.hash {
            return Ok(());
        }
        for one in encoded.iter().filter(|one| {
            published
                .encodings
                .iter()
                .any(|name| name == one.coding.name())
        }) {
            let sibling = with_suffix(&place, one.coding.extension());
            durable::put_dated(&sibling, &one.bytes, published.last_modified)
                .with_context(failed)?;
        }
        durable::sync_folder(place.parent().unwrap_or(&self.feeds)).with_context(failed)
    }

    /// What a run that died was about to put, or to delete.
    fn pending(&self) -> Result<Claims> {
        let path = self.state.join(PENDING);
        let pending = durable::read_if_there(&path);
        let pending = pending.with_context(|| format!("cannot read `{}`", path.display()))?;
        let claims = pending.and_then(|text| serde_json::from_slice(&text).ok());
        Ok(claims.unwrap_or_default())
    }

    /// Takes away the temporary files of runs that died. Nobody else writes here: we hold the lock.
    pub(super) fn sweep<'p>(&self, pending: &Claims, coming: impl Iterator<Item = &'p PathBuf>) {
        let beside = self
            .state
            .parent()
            .filter(|home| !home.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new(".")).to_path_buf();
        let mut folders = BTreeSet::from([self.feeds.clone(), self.state.clone(), beside]);
        let places = pending.keys().map(|route| self.feeds.join(route));
        let places = places.chain(coming.cloned());
        folders.extend(places.filter_map(|place| place.parent().map(Path::to_path_buf)));
        for entry in folders
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .flatten()
        {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(durable::PREFIX)
            {
                // what cannot be deleted is hidden, and tried again
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Notes what is about to be put and to be deleted, beside what was noted before and never done.
    fn note<'s>(
        &self,
        pending: &Claims,
        leaving: &Claims,
        coming: impl Iterator<Item = &'s Step<'s>>,
    ) -> Result<()> {
        let mut pending = pending.clone();
        let coming = coming.map(|step| (&step.document.route, &step.published.hash));
        let leaving = leaving
            .iter()
            .flat_map(|(route, hashes)| hashes.iter().map(move |hash| (route, hash)));
        for (route, hash) in leaving.chain(coming) {
            let hashes = pending.entry(route.clone()).or_default();
            if !hashes.contains(hash) {
                hashes.push(hash.clone());
            }
        }
        let text = serde_json::to_vec(&pending).context("cannot write JSON")?;
        durable::put(&self.state.join(PENDING), &text).with_context(|| {
            let place = self.state.display();
            format!("cannot note in `{place}` what is about to be published")
        })
    }

    /// Writes the changed documents beside their places, with what was in the way kept.
    fn stage_documents(
        &self,
        steps: &[Step<'_>],
        previous: Option<&Manifest>,
        pending: &Claims,
    ) -> Result<Staged> {
        let mut problems = Vec::new();
        let steps: Vec<&Step<'_>> = changed(steps);
        let mut grown = BTreeSet::new();
        for step in &steps {
            let folder = step.place.parent().unwrap_or(&self.feeds);
            problems.extend(self.clear_folders(folder)?);
            if Self::is_foreign(step, previous, pending) {
                problems.extend(self.set_aside(step)?);
            }
            grown.extend(durable::make_folders(&self.feeds, folder).with_context(|| failed(step))?);
        }
        for folder in grown {
            let failed = || format!("cannot write the folder `{}`", folder.display());
            durable::sync_folder(&folder).with_context(failed)?;
        }
        let write = |step: &&Step<'_>| self.write_beside(step).with_context(|| failed(step));
        let files = durable::stage(&steps, &self.feeds, write);
        let files = files.with_context(|| format!("cannot write in `{}`", self.feeds.display()))?;
        Ok(Staged { files, problems })
    }

    /// Gives the documents that were written their names.
    fn place_documents(
        &self,
        staged: Staged,
        steps: &[Step<'_>],
        done: &mut Publication,
    ) -> Result<()> {
        let steps = changed(steps);
        done.problems.extend(staged.problems);
        let mut folders = BTreeSet::new();
        for (temporary, step) in staged.files.into_iter().zip(&steps) {
            put_in_place(temporary, step)?;
            folders.insert(step.place.parent().unwrap_or(&self.feeds));
            done.written.push(step.document.route.clone());
        }
        let failed = |folder: &Path| format!("cannot write the folder `{}`", folder.display());
        if steps.len() > MANY {
            return durable::sync_file_system(&self.feeds).with_context(|| failed(&self.feeds));
        }
        for folder in folders {
            durable::sync_folder(folder).with_context(|| failed(folder))?;
        }
        Ok(())
    }

    /// Finds out which encodings and tags are missing beside a document, and takes away those that are not wanted any longer.
    fn complete<'s>(&self, step: &'s Step<'_>) -> Result<Completion<'s>> {
        let mut found = Completion::default();
        if !step.published.kind.has_siblings() {
            return Ok(found);
        }
        let known = |coding: &Coding| {
            let mut names = step.published.encodings.iter();
            names.any(|name| name == coding.name())
        };
        let Body::Memory(bytes) = &step.document.body else {
            if step.is_kept() {
                found.encodings.clone_from(&step.published.encodings);
            }
            return Ok(found);
        };
        let failed = || format!("cannot write beside `{}`", step.place.display());
        if Coding::SIBLINGS
            .iter()
            .any(|coding| known(coding) && !self.compress.contains(coding))
        {
            // what is wanted of them is put again
            unlink_siblings(&step.place)?;
        }
        let mtime = step.published.last_modified;
        let tag = etag(&step.document.route, &step.published.hash).into_bytes();
        let mut put = |suffix: &str, bytes: Cow<'s, [u8]>| {
            let path = with_suffix(&step.place, suffix);
            found.missing.push(Dated { path, bytes, mtime });
        };
        let is_old = |suffix: &str| {
            step.lies == Lies::Differently || !with_suffix(&step.place, suffix).exists()
        };
        for coding in &self.compress {
            let extension = coding.extension();
            if is_old(extension) || !known(coding) {
                let made = step.encoded.iter().find(|made| made.coding == *coding);
                let encoded: Cow<'s, [u8]> = match made {
                    Some(made) => (&*made.bytes).into(),
                    None => encode::encode(*coding, Effort::Quick, bytes)
                        .with_context(failed)?
                        .to_vec()
                        .into(),
                };
                if encoded.len() >= bytes.len() {
                    continue;
                }
                put(extension, encoded);
                put(&format!("{extension}.etag"), tag.clone().into());
            }
            found.encodings.push(coding.name().to_owned());
        }
        if !self.compress.is_empty() && is_old("etag") {
            put("etag", tag.into());
        }
        Ok(found)
    }

    /// Writes a document beside its place, with its date.
    fn write_beside(&self, step: &Step<'_>) -> Result<tempfile::NamedTempFile> {
        let folder = step.place.parent().unwrap_or(&self.feeds);
        let mut temporary = durable::temporary(folder)?;
        match &step.document.body {
            Body::Memory(bytes) => std::io::Write::write_all(&mut temporary, bytes)?,
            Body::File(source, _) => {
                let mut hasher = blake3::Hasher::new();
                let mut copied = Both(&mut temporary, &mut hasher);
                std::io::copy(&mut fs::File::open(source)?, &mut copied)?;
                if hasher.finalize().to_hex().as_str() != step.published.hash {
                    return Err(Written(source.clone()).into());
                }
            }
            Body::Kept => {}
        }
        temporary
            .as_file()
            .set_modified(step.published.last_modified.into())?;
        Ok(temporary)
    }

    fn put_manifest(&self, manifest: &Manifest, previous: Option<&Manifest>) -> Result<()> {
        let path = self.feeds.join(MANIFEST);
        let there = durable::read_if_there(&path).ok().flatten();
        if let Some(text) = there.filter(|text| Manifest::parse(text).is_err()) {
            self.keep_replaced(MANIFEST, &text)?;
        }
        let former = self.feeds.join(FORMER);
        let old = durable::read_if_there(&former).ok().flatten();
        let is_ours = old.is_some_and(|text| Manifest::parse(&text).is_ok());
        if previous == Some(manifest) && !is_ours {
            return Ok(());
        }
        durable::put(&path, &manifest.to_text())
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        if is_ours {
            // it was taken over; if it stays, it is taken away next time
            let _ = fs::remove_file(&former);
        }
        Ok(())
    }

    /// Deletes what is published no longer: only files that we named, with the bytes that we named.
    fn delete(&self, leaving: &Claims, done: &mut Publication) -> Result<()> {
        for (route, hashes) in leaving {
            let place = self.place(route)?;
            let bytes = match durable::read_if_there(&place) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    let what = format!("is withdrawn, and cannot be deleted: {error}");
                    let problem = Problem::error(place.display().to_string(), what);
                    let remedy = "delete it, or let the next run try again";
                    done.problems.push(problem.remedy(remedy));
                    continue;
                }
            };
            if self.is_source(route, &place) && !page::is_ours(&bytes) {
                continue;
            }
            if !hashes.contains(&edition::hash(&bytes)) {
                continue;
            }
            unlink_siblings(&place)?;
            fs::remove_file(&place)
                .with_context(|| format!("cannot delete `{}`", place.display()))?;
            done.deleted.push(route.clone());
            let folders = place
                .ancestors()
                .skip(1)
                .take_while(|folder| *folder != self.feeds);
            for folder in folders {
                // a folder with something in it stays: somebody else's, or ours of another document
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        if done
            .problems
            .iter()
            .any(|problem| problem.level == Level::Error)
        {
            // what is noted is not done yet
            return Ok(());
        }
        match fs::remove_file(self.state.join(PENDING)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot tidy `{}`", self.state.display()))
            }
            _ => Ok(()),
        }
    }
}

fn failed(step: &Step<'_>) -> String {
    format!("cannot write `{}`", step.place.display())
}

/// What we put there, or were about to, and is published no longer.
fn leaving(pending: &Claims, previous: Option<&Manifest>, manifest: &Manifest) -> Claims {
    let is_left = |route: &String| !manifest.documents.contains_key(route);
    let pending = pending.iter().filter(|(route, _)| is_left(route));
    let mut leaving: Claims = pending
        .map(|(route, hashes)| (route.clone(), hashes.clone()))
        .collect();
    let before = previous.iter().flat_map(|manifest| &manifest.documents);
    for (route, published) in before.filter(|(route, _)| is_left(route)) {
        let hashes = leaving.entry(route.clone()).or_default();
        hashes.push(published.hash.clone());
    }
    leaving
}

/// Documents that are written, and have no names yet.
struct Staged {
    files: Vec<tempfile::TempPath>,
    /// What was in their way.
    problems: Vec<Problem>,
}

fn changed<'s, 'a>(steps: &'s [Step<'a>]) -> Vec<&'s Step<'a>> {
    let steps = steps.iter();
    steps
        .filter(|step| step.lies == Lies::Differently)
        .collect()
}

fn take_encoded(ready: &mut Ready<'_>, encoded: Vec<Vec<Encoded>>) {
    for (step, encoded) in ready.steps.iter_mut().zip(encoded) {
        step.encoded = encoded;
    }
}

/// A publication that failed when some documents had their names already.
#[derive(Debug, thiserror::Error)]
#[error("{cause:#}; {new} of {of} documents are new; the next run finishes")]
pub struct Begun {
    new: usize,
    of: usize,
    cause: anyhow::Error,
}

impl Begun {
    fn after(cause: anyhow::Error, done: &Publication, of: usize) -> anyhow::Error {
        let new = done.written.len();
        if new == 0 {
            return cause;
        }
        Self { new, of, cause }.into()
    }
}

/// What lies, and is to lie, beside a document.
#[derive(Default)]
struct Completion<'a> {
    /// The encodings that there are when all is put that is missing.
    encodings: Vec<String>,
    missing: Vec<Dated<'a>>,
}

/// The siblings go first, the document comes, then the new siblings: no server ever mixes two versions.
fn put_in_place(temporary: tempfile::TempPath, step: &Step<'_>) -> Result<()> {
    if step.published.kind.has_siblings() {
        unlink_siblings(&step.place)?;
    }
    durable::rename(temporary, &step.place)
        .with_context(|| format!("cannot write `{}`", step.place.display()))
}

fn unlink_siblings(place: &Path) -> Result<()> {
    for extension in ["gz.etag", "br.etag", "etag", "gz", "br"] {
        let sibling = with_suffix(place, extension);
        match fs::remove_file(&sibling) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot delete `{}`", sibling.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes to two places at once.
struct Both<A, B>(A, B);

impl<A: std::io::Write, B: std::io::Write> std::io::Write for Both<A, B> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.write_all(&bytes[..written])?;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
