//! Where documents live: a folder on disk, written as if the power will fail at any moment.
//!
//! Order of a publication: what is about to be put is noted in the state folder; documents, each by temporary file,
//! fsync and rename; their encodings; the manifest; then what is no longer published goes. So each document is
//! wholly the old or wholly the new one at any instant, and nothing that we wrote is ever forgotten.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::edition::encode::{Coding, Encoded};
use crate::edition::{self, Document, Edition, LedgerMark, Manifest, Published, etag, manifest};
use crate::link::PAGES;
use crate::problem::Problem;

pub mod durable;
mod lock;
mod mirror;
mod publication;
mod ready;
mod replaced;
mod shelf;

pub use lock::{Lock, LockError};
pub use publication::Begun;
pub use ready::{Ready, Step, Written};
pub use shelf::{Cut, Shelf};

/// The file that names everything that is published.
const MANIFEST: &str = "tidings.json";
/// What it was called once. Web apps have a file of that name, too: one is only taken over if it is ours.
const FORMER: &str = "manifest.json";
/// What a run was about to put, in the state folder.
const PENDING: &str = "pending.json";

/// The folder of documents, and the state folder beside the ledger.
#[derive(Debug, Clone)]
pub struct Disk {
    feeds: PathBuf,
    state: PathBuf,
    /// What lies encoded beside each document.
    compress: Vec<Coding>,
    /// The folder of articles, where it may overlap with the folder of documents.
    articles: Option<PathBuf>,
}

/// When changed documents are encoded, and how.
#[derive(Debug, Clone, Copy)]
pub enum Encode<'c> {
    /// While the disk takes them: nobody asks for them meanwhile.
    Beside(&'c [Coding]),
    /// When they lie in their places, on threads that give way: they are served, and whoever asks comes first.
    After(&'c [Coding]),
}

/// What a publication changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Routes whose bytes are new or different.
    pub written: Vec<String>,
    /// Routes that are published no longer.
    pub deleted: Vec<String>,
}

/// What a publication did.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    /// Routes whose bytes are new or different.
    pub written: Vec<String>,
    /// Routes that are published no longer.
    pub deleted: Vec<String>,
    /// What the user should know.
    pub problems: Vec<Problem>,
}

/// What tells one manifest on disk from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestStamp(u64, u64, (i64, i64));

/// A document as it lies on disk.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its route.
    pub route: String,
    /// Its entry in the manifest.
    pub published: Published,
    /// Its bytes, if it is served from memory …
    pub bytes: Option<bytes::Bytes>,
    /// … and what lies encoded beside it, of these very bytes.
    pub encoded: Vec<Encoded>,
    /// When its file was put there.
    pub mtime: std::time::SystemTime,
}

impl Disk {
    /// Nothing is read or made yet.
    #[must_use]
    pub fn new(feeds: &Path, state: &Path, compress: &[Coding]) -> Self {
        Self {
            feeds: feeds.to_owned(),
            state: state.to_owned(),
            compress: compress.to_owned(),
            articles: None,
        }
    }

    /// The same, which never deletes what lies among these articles as their author's own.
    #[must_use]
    pub fn apart_from(self, articles: &Path) -> Self {
        Self {
            articles: Some(articles.to_owned()),
            ..self
        }
    }

    /// Whether a document is its author's own file, which lies where it is published.
    fn is_source(&self, route: &str, place: &Path) -> bool {
        let source = self.articles.as_ref().zip(route.strip_prefix(PAGES));
        source.is_some_and(|(articles, path)| ready::is_same_file(&articles.join(path), place))
    }

    /// What the last publication left; a damaged manifest counts as none, and is told.
    ///
    /// # Errors
    /// If it is there and cannot be read, or is of a newer version.
    pub fn manifest(&self, problems: &mut Vec<Problem>) -> Result<Option<Manifest>> {
        let read = |name: &str| {
            let path = self.feeds.join(name);
            let text = durable::read_if_there(&path);
            text.with_context(|| format!("cannot read `{}`", path.display()))
        };
        let path = self.feeds.join(MANIFEST);
        let Some(text) = read(MANIFEST)? else {
            let former = read(FORMER)?.and_then(|text| Manifest::parse(&text).ok());
            if let Some(manifest) = &former {
                manifest.check_version(&self.feeds.join(FORMER).display().to_string())?;
            }
            return Ok(former);
        };
        match Manifest::parse(&text) {
            Ok(manifest) => {
                manifest.check_version(&path.display().to_string())?;
                Ok(Some(manifest))
            }
            Err(error) => {
                let what = format!("is damaged, or none of ours: {error}");
                let remedy = "it is kept in `.tidings/replaced/` and written anew; nothing is deleted in this run";
                problems.push(Problem::error(path.display().to_string(), what).remedy(remedy));
                Ok(None)
            }
        }
    }

    /// By which the manifest that lies there is known to be the same; `None` if there is none.
    #[must_use]
    pub fn stamp(&self) -> Option<ManifestStamp> {
        let meta = fs::metadata(self.feeds.join(MANIFEST));
        let meta = meta
            .or_else(|_| fs::metadata(self.feeds.join(FORMER)))
            .ok()?;
        Some(ManifestStamp(
            meta.ino(),
            meta.size(),
            (meta.mtime(), meta.mtime_nsec()),
        ))
    }

    /// The bytes of a document as they lie on disk.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self, route: &str) -> Result<Vec<u8>> {
        let place = self.place(route)?;
        fs::read(&place).with_context(|| format!("cannot read `{}`", place.display()))
    }

    /// Every document of a manifest as it lies on disk: what is served from memory read, and the rest looked at. `None`
    /// if a feed is not what the manifest says; a page or an asset that is not is left out.
    #[must_use]
    pub fn load(&self, manifest: &Manifest) -> Option<Vec<Loaded>> {
        let mut loaded = Vec::with_capacity(manifest.documents.len());
        for (route, published) in &manifest.documents {
            match self.load_one(route, published) {
                Some(document) => loaded.push(document),
                None if published.kind.stays_in_memory() => return None,
                None => {}
            }
        }
        Some(loaded)
    }

    fn load_one(&self, route: &str, published: &Published) -> Option<Loaded> {
        let place = self.place(route).ok()?;
        let meta = fs::symlink_metadata(&place).ok()?;
        let mtime = meta.modified().ok()?;
        let is_dated = mtime == std::time::SystemTime::from(published.last_modified);
        let in_memory = published.kind.stays_in_memory();
        if !meta.is_file() || meta.len() != published.size {
            return None;
        }
        let bytes: Option<bytes::Bytes> = if in_memory || !is_dated {
            let bytes = fs::read(&place).ok()?;
            if edition::hash(&bytes) != published.hash {
                return None;
            }
            in_memory.then(|| bytes.into())
        } else {
            None
        };
        let encoded = match &bytes {
            Some(bytes) => siblings(&place, route, published, bytes),
            None => Vec::new(),
        };
        Some(Loaded {
            route: route.to_owned(),
            published: published.clone(),
            bytes,
            encoded,
            mtime,
        })
    }

    /// Whether a document is on disk as it was published, with all that lies beside it. What has its date and its size is
    /// believed to have its bytes.
    #[must_use]
    pub fn lies_well(&self, route: &str, published: &Published) -> bool {
        let Ok(place) = self.place(route) else {
            return false;
        };
        let names = published.encodings.iter();
        let codings = names.filter_map(|name| Coding::ALL.into_iter().find(|c| c.name() == name));
        let tag = (!self.compress.is_empty()).then_some("etag");
        let mut siblings = codings.map(Coding::extension).chain(tag);
        ready::is_dated(&place, published)
            && (!published.kind.has_siblings()
                || siblings.all(|extension| with_suffix(&place, extension).exists()))
    }

    /// Whether a run that died left something to be tidied up.
    #[must_use]
    pub fn was_interrupted(&self) -> bool {
        let noted = fs::symlink_metadata(self.state.join(PENDING));
        !noted.is_err_and(|error| durable::is_absent(&error))
    }

    /// Takes away the temporary files of runs that died.
    pub fn tidy(&self) {
        self.sweep(&BTreeMap::new(), std::iter::empty());
    }

    /// What [`publish`](Self::publish) would change.
    ///
    /// # Errors
    /// If a route is not fit to be a file, or an asset cannot be read.
    pub fn plan(&self, edition: &Edition, previous: Option<&Manifest>) -> Result<Plan> {
        let ready = self.prepare(
            edition,
            previous,
            LedgerMark::default(),
            DateTime::UNIX_EPOCH,
        )?;
        let written = ready
            .changed()
            .map(|step| step.document.route.clone())
            .collect();
        let known = previous
            .map(|manifest| manifest.documents.clone())
            .unwrap_or_default();
        let deleted = known
            .into_keys()
            .filter(|route| !edition.documents.contains_key(route))
            .collect();
        Ok(Plan { written, deleted })
    }

    /// Finds out what is to be done, and reads the assets that are to be copied; nothing is written yet.
    ///
    /// # Errors
    /// If a route is not fit to be a file, or an asset cannot be read.
    pub fn prepare<'a>(
        &self,
        edition: &'a Edition,
        previous: Option<&Manifest>,
        ledger: LedgerMark,
        now: DateTime<Utc>,
    ) -> Result<Ready<'a>> {
        let documents: Vec<&Document> = edition.documents.values().collect();
        let steps = documents.into_par_iter().map(|document| {
            let place = self.place(&document.route)?;
            match ready::step(document, place.clone(), previous, now) {
                // an author's file that cannot be read harms no other document
                Err(error) if matches!(document.body, edition::Body::File(..)) => {
                    let kept = ready::kept(document, place, previous);
                    Ok((kept, Some(unreadable(document, &error))))
                }
                step => step.map(|step| (Some(step), None)),
            }
        });
        let steps: Vec<(Option<Step<'_>>, Option<Problem>)> = steps.collect::<Result<_>>()?;
        let (steps, problems): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        let steps: Vec<Step<'_>> = steps.into_iter().flatten().collect();
        let documents = steps
            .iter()
            .map(|step| (step.document.route.clone(), step.published.clone()))
            .collect();
        let manifest = Manifest {
            version: manifest::VERSION,
            ledger,
            documents,
            moved: edition.moved.clone(),
            gone: edition.gone.clone(),
            row: None,
        };
        Ok(Ready {
            steps,
            manifest,
            durable: false,
            problems: problems.into_iter().flatten().collect(),
        })
    }

    fn place(&self, route: &str) -> Result<PathBuf> {
        let fit = |segment: &str| {
            !segment.is_empty() && !segment.starts_with('.') && !segment.contains(['\0', '\\'])
        };
        if route.split('/').all(fit) {
            Ok(self.feeds.join(route))
        } else {
            bail!("`{route}` is no fit name for a document")
        }
    }
}

fn unreadable(document: &Document, error: &anyhow::Error) -> Problem {
    let name = match &document.body {
        edition::Body::File(source, _) => source.display().to_string(),
        _ => document.route.clone(),
    };
    if error.is::<Written>() {
        return Problem::warning(name, "is being written")
            .remedy("the next run publishes it; what subscribers have of it stays");
    }
    let remedy = "mend the disk, or give the user of tidings the right to read it; what subscribers have of it stays";
    Problem::error(name, format!("{error:#}")).remedy(remedy)
}

/// What lies encoded beside a document. The tag beside it was put last: it tells of which version it is.
fn siblings(place: &Path, route: &str, published: &Published, content: &[u8]) -> Vec<Encoded> {
    let tag = etag(route, &published.hash);
    let names = |coding: &Coding| published.encodings.iter().any(|name| name == coding.name());
    let codings = Coding::SIBLINGS.into_iter().filter(names);
    let encoded = codings.filter_map(|coding| {
        let extension = coding.extension();
        let told = fs::read(with_suffix(place, &format!("{extension}.etag"))).ok()?;
        let bytes = fs::read(with_suffix(place, extension)).ok()?;
        let is_its = told == tag.as_bytes() && (bytes.len() as u64) < published.size;
        let is_its =
            is_its && (coding != Coding::Gzip || edition::encode::is_gzip_of(&bytes, content));
        is_its.then(|| Encoded {
            coding,
            bytes: bytes.into(),
        })
    });
    encoded.collect()
}

fn with_suffix(place: &Path, suffix: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}
