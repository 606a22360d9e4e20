//! The state folder, `.tidings/`: what makes the next run better and may be lost. It lies beside the ledger.
//!
//! It holds which warnings were told, how many files there were, and the source of each article that subscribers
//! see, so that one that breaks keeps its last good version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::store::durable;

const FILE: &str = "state.json";

/// What the last run left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// How many files the folder of articles held.
    pub files: usize,
    /// The problems that were told, as text.
    pub told: BTreeSet<String>,
    /// The hash of each source that is kept, by path.
    pub kept: BTreeMap<String, String>,
}

impl State {
    /// Reads the state; one that is missing or damaged is empty, since it may be lost.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        std::fs::read(folder.join(FILE))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// Where it stands in the state folder.
    #[must_use]
    pub fn file(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// Writes the state.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).context("cannot write the state as JSON")?;
        durable::put(&folder.join(FILE), &text)
            .with_context(|| format!("cannot write `{}`", folder.join(FILE).display()))
    }

    /// Whether `problem` has not been told before.
    #[must_use]
    pub fn is_news(&self, problem: &Problem) -> bool {
        !self.told.contains(&problem.to_string())
    }

    /// Keeps the sources of `shown` (paths), of which `fresh` (path and bytes) are new, and forgets all others. The paths of
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
        let folder = folder.join("good");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        for path in self
            .kept
            .keys()
            .filter(|path| !shown.contains(path.as_str()))
        {
            // a copy that stays behind is not used: nothing names it any more
            let _ = std::fs::remove_file(place(&folder, path));
        }
        self.kept.retain(|path, _| shown.contains(path.as_str()));
        let kept = &self.kept;
        let fresh = fresh.par_iter().filter_map(|(path, source)| {
            let hash = blake3::hash(source.as_bytes()).to_hex().to_string();
            let is_new = kept.get(path) != Some(&hash);
            is_new.then(|| {
                let place = place(&folder, path);
                durable::put_loosely(&place, source.as_bytes())
                    .with_context(|| format!("cannot write `{}`", place.display()))?;
                Ok((path.clone(), hash))
            })
        });
        let fresh: Vec<(String, String)> = fresh.collect::<Result<_>>()?;
        self.kept.extend(fresh);
        let missing = shown.iter().filter(|path| !self.kept.contains_key(**path));
        Ok(missing.copied().collect())
    }

    /// The source that is kept of the article at `path`, if it is whole.
    #[must_use]
    pub fn good(&self, folder: &Path, path: &str) -> Option<Vec<u8>> {
        let hash = self.kept.get(path)?;
        let bytes = std::fs::read(place(&folder.join("good"), path)).ok()?;
        (blake3::hash(&bytes).to_hex().as_str() == hash).then_some(bytes)
    }
}

/// A name that any path can have, however long.
fn place(folder: &Path, path: &str) -> PathBuf {
    folder.join(&blake3::hash(path.as_bytes()).to_hex()[..32])
}
