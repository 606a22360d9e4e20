//! What this machine knows of a bucket: which manifest it mirrors, and how much of the ledger it has.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::remote::Version;
use crate::edition::LedgerMark;
use crate::store::durable;

/// The file, in the state folder.
pub(super) const FILE: &str = "bucket.json";

/// Where this machine is. It may be lost: all is fetched again then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    url: String,
    /// The manifest that is mirrored.
    pub(super) manifest: Option<Version>,
    /// Its edition; 0 if there is none.
    pub(super) edition: u64,
    /// The edition whose public keys are known to be there.
    pub(super) settled: u64,
    /// Routes whose public keys were touched for an edition, or are to be, and are not known to be what the newest one says.
    pub(super) doubtful: BTreeSet<String>,
    /// The first segment of the ledger that counts; 0 if there is none.
    pub(super) first: u64,
    /// The segment that is to be created next.
    pub(super) next: u64,
    /// The ledger here, when it was what all segments say.
    pub(super) ledger: LedgerMark,
    /// When the bucket was looked through for what is not needed.
    pub(super) tidied: Option<DateTime<Utc>>,
}

impl Position {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// What is known; nothing, if it is of another bucket or damaged.
    pub(super) fn load(state: &Path, url: &str) -> Self {
        let text = std::fs::read(state.join(FILE)).ok();
        let known: Option<Self> = text.and_then(|text| serde_json::from_slice(&text).ok());
        known
            .filter(|known| known.url == url)
            .unwrap_or_else(|| Self::new(url))
    }

    pub(super) fn save(&self, state: &Path) -> Result<()> {
        if Self::load(state, &self.url) == *self {
            return Ok(());
        }
        let path = state.join(FILE);
        let text = serde_json::to_vec(self).context("cannot write JSON")?;
        durable::put(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}
