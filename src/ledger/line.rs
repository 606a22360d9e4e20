//! The lines of a ledger: one JSON object each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Fault, Ledger};

/// How an article came by its id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Minted {
    /// By us, under a public base URL: final.
    #[default]
    Final,
    /// By us, under a base URL that nobody else could reach: minted anew, once, under a public one.
    Provisional,
    /// By the author, in the front matter.
    Explicit,
}

impl Minted {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_final(&self) -> bool {
        *self == Self::Final
    }
}

/// What is remembered of an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it is, or was last, inside the articles folder; `None` if that is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// By which readers know it.
    pub id: String,
    /// How it came by the id.
    #[serde(rename = "kind", skip_serializing_if = "Minted::is_final", default)]
    pub minted: Minted,
    /// The instant at which it could first be published.
    pub seen: DateTime<Utc>,
    /// When it was published, as readers were told last.
    pub published: DateTime<Utc>,
    /// Its place among the articles of its day, for a date without a time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nth: Option<u32>,
    /// Whether the file does not say when it was published: `published` is all there is.
    #[serde(skip_serializing_if = "is_false", default)]
    pub undated: bool,
    /// The instant at which its digest last changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub updated: Option<DateTime<Utc>>,
    /// Of the text that was published last.
    pub digest: String,
    /// Its title then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The path of its built-in page, below `articles/`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page: Option<String>,
    /// Since when it is withdrawn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gone: Option<DateTime<Utc>>,
    /// Ids that it bore before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub was: Vec<String>,
}

impl Record {
    /// What readers were told last of when it changed.
    #[must_use]
    pub fn effective_update(&self) -> DateTime<Utc> {
        self.updated.unwrap_or(self.published).max(self.published)
    }
}

/// What is remembered of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// Its name: the folder of its documents; the main feed's is empty.
    pub feed: String,
    /// What it is about, as articles write it: the tag of a feed of one tag, and so on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<String>,
    /// By which readers know it.
    pub id: String,
    /// How it came by the id.
    #[serde(rename = "kind", skip_serializing_if = "Minted::is_final", default)]
    pub minted: Minted,
    /// The instant at which what it shows last changed.
    pub changed: DateTime<Utc>,
    /// Of what it shows.
    pub digest: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A record as a line.
pub(super) fn write(record: &Record) -> String {
    to_line(record)
}

/// A feed's record as a line.
pub(super) fn write_feed(record: &FeedRecord) -> String {
    to_line(record)
}

fn to_line(value: &impl Serialize) -> String {
    // strings, dates and numbers: nothing in a record can fail to be JSON
    serde_json::to_string(value)
        .map(|line| line + "\n")
        .unwrap_or_default()
}

/// Reads every line into `ledger`, merging those of one id, and says what could not be read.
pub(super) fn read(text: &[u8], ledger: &mut Ledger) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut number = 0;
    let mut conflict = None;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        number += 1;
        let whole = line.ends_with(b"\n");
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if [&b"<<<<<<<"[..], b"=======", b">>>>>>>", b"|||||||"]
            .iter()
            .any(|marker| line.starts_with(marker))
        {
            conflict.get_or_insert(number);
            continue;
        }
        match read_line(line, ledger) {
            Ok(()) => {}
            Err(_) if !whole => faults.push(Fault::Torn { line: number }),
            Err(cause) => faults.push(Fault::Damaged {
                line: number,
                cause: cause.to_string(),
            }),
        }
    }
    faults.extend(conflict.map(|line| Fault::Conflict { line }));
    faults
}

fn read_line(line: &[u8], ledger: &mut Ledger) -> Result<(), serde_json::Error> {
    if line.starts_with(b"{\"feed\"") {
        let mut feed: FeedRecord = serde_json::from_slice(line)?;
        if let Some(earlier) = ledger.feeds.get(&feed.feed) {
            feed.changed = feed.changed.max(earlier.changed);
        }
        ledger.put_feed(feed);
    } else {
        let mut record: Record = serde_json::from_slice(line)?;
        let former: Vec<&Record> = std::iter::once(&record.id)
            .chain(&record.was)
            .filter_map(|id| ledger.records.get(id))
            .collect();
        let seen = former.iter().map(|earlier| earlier.seen).min();
        let updated = former.iter().filter_map(|earlier| earlier.updated).max();
        record.seen = seen.map_or(record.seen, |earlier| earlier.min(record.seen));
        record.updated = record.updated.max(updated);
        // a branch that had not yet seen the new id may stand last: the new id stays
        if !ledger.former.contains(&record.id) {
            ledger.insert(record);
        }
    }
    Ok(())
}
