//! The state folder, `.tidings/`: what makes the next run better and may be lost. It lies beside the ledger.
//!
//! It holds which warnings were told, how many files there were, and the source of each article that subscribers see.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::store::durable;

mod sources;

pub use sources::{Fresh, Intake, Sources};

const FILE: &str = "state.json";

/// What the last run left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// How many files the folder of articles held.
    pub files: usize,
    /// Whether the site had a `permalink`.
    pub has_permalink: bool,
    /// The problems that were told, as text.
    pub told: BTreeSet<String>,
    /// The sources of the articles that subscribers see.
    pub sources: Sources,
    /// Why it could not be read, if it is there.
    #[serde(skip)]
    pub trouble: Option<Problem>,
}

impl State {
    /// Reads the state; one that is missing or damaged is empty, since it may be lost.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        let path = folder.join(FILE);
        match durable::read_if_there(&path) {
            Ok(text) => text
                .and_then(|text| serde_json::from_slice(&text).ok())
                .unwrap_or_default(),
            Err(error) => {
                let what = format!("cannot be read: {error}");
                let problem = Problem::warning(path.display().to_string(), what);
                let remedy = "this run goes on without it: an article that is broken may have no last good version";
                Self {
                    trouble: Some(problem.remedy(remedy)),
                    ..Self::default()
                }
            }
        }
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

    /// Writes the state, after room that nobody needs was given back.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn settle(&mut self, folder: &Path) -> Result<()> {
        // where there is no room to give any back, it is given back later
        let is_tidied = self.sources.tidy(folder).unwrap_or_default();
        self.save(folder)?;
        if is_tidied {
            self.sources.forget_old(folder);
        }
        Ok(())
    }

    /// Whether `problem` has not been told before.
    #[must_use]
    pub fn is_news(&self, problem: &Problem) -> bool {
        !self.told.contains(&problem.to_string())
    }
}
