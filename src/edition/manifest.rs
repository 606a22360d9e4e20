//! The manifest: every published document, with its hash and its date.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Kind;

/// The version that this program writes.
pub(crate) const VERSION: u32 = 1;

/// What is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the manifest's form.
    pub version: u32,
    /// The ledger that the documents depend on.
    pub ledger: LedgerMark,
    /// Every document, by its route.
    pub documents: BTreeMap<String, Published>,
    /// Old addresses of articles: route → absolute URL.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub moved: BTreeMap<String, String>,
    /// Routes of what was published once and is withdrawn.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub gone: BTreeSet<String>,
    /// Its place among the editions of a bucket, if it is published to one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row: Option<Row>,
}

/// The place of a manifest among the editions of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number, from 1; each is one more than the one before.
    pub edition: u64,
    /// The first segment of the ledger that counts.
    pub first: u64,
    /// Routes whose public keys may not be what the manifest says.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub unsettled: BTreeSet<String>,
    /// The hashes of blobs that are named no longer, with the instant from which they were not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub left: BTreeMap<String, DateTime<Utc>>,
    /// The settings of the publisher, with which replicas serve.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub settings: Option<serde_json::Value>,
}

/// Which ledger it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerMark {
    /// How many ids it held.
    pub count: usize,
    /// Of the length of its text and of the end of it: hexadecimal. A file to which lines are appended needs no more to be
    /// told from an older one, and a hash of all would cost what it has grown to.
    pub hash: String,
}

/// So much of the end of a ledger's text tells which one it is, in bytes.
pub const TAIL: usize = 64 << 10;

impl LedgerMark {
    /// The mark of a ledger of `count` ids with this text.
    #[must_use]
    pub fn of(text: &[u8], count: usize) -> Self {
        let tail = &text[text.len().saturating_sub(TAIL)..];
        Self::of_tail(text.len(), tail, count)
    }

    /// The same of a text that is so long and ends with `tail`.
    #[must_use]
    pub fn of_tail(length: usize, tail: &[u8], count: usize) -> Self {
        let tail = &tail[tail.len().saturating_sub(TAIL)..];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(length as u64).to_le_bytes()).update(tail);
        Self {
            count,
            hash: hasher.finalize().to_hex().to_string(),
        }
    }
}

/// A document as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// What it is.
    pub kind: Kind,
    /// Of its bytes: blake3, hexadecimal.
    pub hash: String,
    /// In bytes.
    pub size: u64,
    /// The first whole second after these bytes became current.
    pub last_modified: DateTime<Utc>,
    /// The encodings that lie beside it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub encodings: Vec<String>,
}

impl Manifest {
    /// # Errors
    /// If it was written by a newer version of the program.
    pub(crate) fn check_version(&self, name: &str) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.version <= VERSION,
            "`{name}` was written by a newer version of tidings; use that one"
        );
        Ok(())
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// One document a line, so that a difference can be read.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let mut text = format!(
            "{{\"version\":{},\n\"ledger\":{},\n\"documents\":{{",
            self.version,
            json(&self.ledger)
        );
        for (index, (route, published)) in self.documents.iter().enumerate() {
            let comma = if index == 0 { "\n" } else { ",\n" };
            text += &format!("{comma}{}:{}", json(route), json(published));
        }
        text += "\n}";
        if !self.moved.is_empty() {
            text += &format!(",\n\"moved\":{}", json(&self.moved));
        }
        if !self.gone.is_empty() {
            text += &format!(",\n\"gone\":{}", json(&self.gone));
        }
        if let Some(row) = &self.row {
            text += &format!(",\n\"row\":{}", json(row));
        }
        text += "}\n";
        text.into_bytes()
    }
}

/// Strings, numbers and dates: nothing here can fail to be JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The first whole second after `now`, and later than the date before.
pub(crate) fn last_modified(now: DateTime<Utc>, before: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let second = TimeDelta::seconds(1);
    let next = now.trunc_subsecs(0) + second;
    before.map_or(next, |before| next.max(before + second))
}
