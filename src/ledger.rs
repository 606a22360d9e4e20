//! The ledger: ids and dates, once given, for ever. A text file, committed with the articles.
//!
//! This room holds the records and reads and writes their lines; [`observe`](Ledger::observe) decides.
//! It opens no file: the store does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

mod identity;
mod line;
mod observe;
mod rebuild;

pub(crate) use identity::numbered;
pub use line::{FeedRecord, Minted, Record};
pub use observe::{Candidate, Observation};
pub use rebuild::Remembered;

/// All that was ever published, by id.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    records: BTreeMap<String, Record>,
    feeds: BTreeMap<String, FeedRecord>,
    /// Which id a path belongs to.
    paths: HashMap<String, String>,
    /// Ids that some record bore before its present one: never given again.
    former: BTreeSet<String>,
    /// Lines that later lines have replaced: when there are many, the file is written anew.
    superseded: usize,
}

/// What was wrong with a ledger's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The last line was cut off in mid-write; what it said is lost.
    Torn {
        /// Counted from 1.
        line: u32,
    },
    /// A merge left its conflict markers; the lines on both sides were taken.
    Conflict {
        /// The first of them, counted from 1.
        line: u32,
    },
    /// A line that is no record.
    Damaged {
        /// Counted from 1.
        line: u32,
        /// Why.
        cause: String,
    },
}

impl Ledger {
    /// Reads a ledger's text; what cannot be read is told, and the rest taken.
    #[must_use]
    pub fn parse(text: &[u8]) -> (Self, Vec<Fault>) {
        let mut ledger = Self::default();
        let faults = line::read(text, &mut ledger);
        ledger.settle_paths();
        (ledger, faults)
    }

    /// The whole ledger as text: the feeds, then the articles in path order.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut records: Vec<&Record> = self.records.values().collect();
        records.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
        let feeds = self.feeds.values().map(line::write_feed);
        feeds.chain(records.into_iter().map(line::write)).collect()
    }

    /// How many ids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.feeds.is_empty()
    }

    /// Whether so many lines are out of date that the file is better written anew.
    #[must_use]
    pub fn wants_compaction(&self) -> bool {
        self.superseded > 100 + self.records.len()
    }

    /// The record of `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    /// The record of the article at `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Record> {
        self.paths.get(path).and_then(|id| self.records.get(id))
    }

    /// Every record, in the order of ids.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The record of the feed `name`.
    #[must_use]
    pub fn feed(&self, name: &str) -> Option<&FeedRecord> {
        self.feeds.get(name)
    }

    /// The records of all feeds, in the order of names.
    pub fn feeds(&self) -> impl Iterator<Item = &FeedRecord> {
        self.feeds.values()
    }

    /// Whether `id` was once an article's that bears another one now.
    #[must_use]
    pub fn is_former(&self, id: &str) -> bool {
        self.former.contains(id)
    }

    /// Whether `id` is, or ever was, somebody's.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.records.contains_key(id)
            || self.former.contains(id)
            || self.feeds.values().any(|feed| feed.id == id)
    }

    /// Takes over what a line says, as [`parse`](Self::parse) does; the text to append.
    pub fn put(&mut self, record: Record) -> String {
        let text = line::write(&record);
        for id in record.was.iter().chain([&record.id]) {
            if let Some(path) = self.records.get(id).and_then(|before| before.path.as_ref())
                && self.paths.get(path) == Some(id)
            {
                self.paths.remove(path);
            }
        }
        if let Some(path) = &record.path {
            self.paths.insert(path.clone(), record.id.clone());
        }
        self.insert(record);
        text
    }

    /// Takes over a feed's record; the text to append.
    pub fn put_feed(&mut self, record: FeedRecord) -> String {
        let text = line::write_feed(&record);
        if self.feeds.insert(record.feed.clone(), record).is_some() {
            self.superseded += 1;
        }
        text
    }

    /// Replaces the record of the same id, and those whose ids it bore before.
    fn insert(&mut self, record: Record) {
        for id in &record.was {
            self.former.insert(id.clone());
            if self.records.remove(id).is_some() {
                self.superseded += 1;
            }
        }
        if self.records.insert(record.id.clone(), record).is_some() {
            self.superseded += 1;
        }
    }

    /// Of two ids for one path the earlier first-seen keeps it; the other stays as gone, without a path.
    fn settle_paths(&mut self) {
        self.paths.clear();
        let mut order: Vec<(DateTime<Utc>, String, String)> = self
            .records
            .values()
            .filter_map(|r| Some((r.seen, r.id.clone(), r.path.clone()?)))
            .collect();
        order.sort();
        for (_, id, path) in order {
            if let std::collections::hash_map::Entry::Vacant(e) = self.paths.entry(path) {
                e.insert(id);
            } else if let Some(record) = self.records.get_mut(&id) {
                record.path = None;
                record.gone.get_or_insert(record.seen);
            }
        }
    }
}
