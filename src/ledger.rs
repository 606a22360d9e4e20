//! The ledger: ids and dates, once given, for ever. A text file, committed with the articles.
//!
//! This room holds the records and reads and writes their lines; [`observe`](Ledger::observe) decides.
//! It opens no file: the store does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod clock;
mod identity;
mod instant;
mod line;
mod lines;
mod observe;
mod rebuild;

pub use clock::{Living, Verdict};
pub(crate) use identity::numbered;
pub use line::{DefaultTitle, FeedRecord, Minted, Record, Unsound, default_title};
use lines::{Lines, Place, Places};
pub use observe::{Candidate, Now, Observation, Present, Public};
pub use rebuild::Remembered;

/// All that was ever published, by id.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    lines: Lines,
    feeds: BTreeMap<String, FeedRecord>,
    /// Ids that some record bore before its present one: never given again.
    former: BTreeSet<String>,
    /// Lines that later lines have replaced: when there are many, the file is written anew.
    superseded: usize,
}

/// Where everything stands in a ledger's text: what need not be found out again. It is true of that text alone, and of those
/// that begin with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    /// Of the text, in bytes.
    length: usize,
    places: Places,
    /// As lines.
    feeds: Vec<String>,
    former: BTreeSet<String>,
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
        /// What it says, if that can be read: its own, unless subscribers know better.
        says: Option<Unsound>,
    },
}

impl Fault {
    /// What a damaged line says of this id counts no longer.
    fn forget(&mut self, id: &str) {
        if let Self::Damaged { says, .. } = self
            && matches!(says, Some(Unsound::Article(record)) if record.id == id)
        {
            *says = None;
        }
    }
}

impl Ledger {
    /// Reads a ledger's text; what cannot be read is told, and the rest taken.
    #[must_use]
    pub fn parse(text: &[u8]) -> (Self, Vec<Fault>) {
        Self::of(text.to_vec())
    }

    /// Reads a ledger's text as [`parse`](Self::parse) does, and keeps it.
    #[must_use]
    pub fn of(text: Vec<u8>) -> (Self, Vec<Fault>) {
        let count = memchr::memchr_iter(b'\n', &text).count();
        let mut ledger = Self {
            lines: Lines::of(text),
            ..Self::default()
        };
        ledger.lines.reserve(count, 0);
        let faults = ledger.read(0);
        (ledger, faults)
    }

    /// Reads a ledger's text of which an earlier run found out where everything stands; what stands behind that is
    /// read now. `None` if the index can be none of this text.
    #[must_use]
    pub fn indexed(text: Vec<u8>, index: Index) -> Option<(Self, Vec<Fault>)> {
        let from = index.length;
        let is_whole = from <= text.len() && (from == 0 || text[from - 1] == b'\n');
        let lines = is_whole.then(|| Lines::placed(text, index.places))??;
        let mut ledger = Self {
            lines,
            former: index.former,
            superseded: index.superseded,
            ..Self::default()
        };
        for line in index.feeds {
            let feed: FeedRecord = serde_json::from_str(&line).ok()?;
            ledger.feeds.insert(feed.feed.clone(), feed);
        }
        let faults = ledger.read(from);
        Some((ledger, faults))
    }

    /// Where everything stands in its text; `None` where that must be found out anew each time.
    #[must_use]
    pub fn index(&self) -> Option<Index> {
        Some(Index {
            length: self.text().len(),
            places: self.lines.places()?,
            feeds: self.feeds.values().map(line::write_feed).collect(),
            former: self.former.clone(),
            superseded: self.superseded,
        })
    }

    /// Reads what stands behind `from` in the text.
    fn read(&mut self, from: usize) -> Vec<Fault> {
        let text = Arc::clone(self.lines.text());
        let (faults, contested) = line::read(&text, from, self);
        drop(text);
        let ledger = self;
        for id in contested {
            if let Some(record) = ledger.get(&id) {
                ledger.settle(record);
            }
        }
        faults
    }

    /// All that was read, and behind it all that was put since then: what is to be in the file, unless it is
    /// written anew as [`to_text`](Self::to_text).
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.lines.text()
    }

    /// The whole ledger as text: the feeds, then the articles in path order.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut records: Vec<Record> = self.lines.all().collect();
        records.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
        let feeds = self.feeds.values().map(line::write_feed);
        feeds.chain(records.iter().map(line::write)).collect()
    }

    /// How many ids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.feeds.is_empty()
    }

    /// Whether so many lines are out of date that the file is better written anew.
    #[must_use]
    pub fn wants_compaction(&self) -> bool {
        self.superseded > 100 + self.len()
    }

    /// The record of `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Record> {
        self.lines.get(id)
    }

    /// Whether the line of `id` has a sum: one that was written by hand has none.
    #[must_use]
    pub fn is_summed(&self, id: &str) -> bool {
        self.lines.line(id).is_some_and(line::has_sum)
    }

    /// The record of the article at `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Record> {
        self.lines.at(path)
    }

    /// Every record.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.lines.all()
    }

    /// The records of what is withdrawn.
    pub fn gone(&self) -> impl Iterator<Item = Record> {
        self.lines.gone()
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
        self.lines.holds(id)
            || self.former.contains(id)
            || self.feeds.values().any(|feed| feed.id == id)
    }

    /// Takes over what a line says, as [`parse`](Self::parse) does, and appends it to the text.
    pub fn put(&mut self, record: &Record) {
        self.put_line(record, &line::write(record));
    }

    /// Makes room for so many records, whose lines have so many bytes together.
    pub fn reserve(&mut self, records: usize, bytes: usize) {
        self.lines.reserve(records, bytes);
    }

    /// The same, of a record whose line is written already.
    pub fn put_line(&mut self, record: &Record, line: &str) {
        let place = self.lines.append(line.as_bytes());
        self.insert(record, place);
        self.lines.lead(record);
    }

    /// The line of a record.
    #[must_use]
    pub fn line(record: &Record) -> String {
        line::write(record)
    }

    /// Takes over a feed's record, and appends its line to the text.
    pub fn put_feed(&mut self, record: FeedRecord) {
        self.lines.append(line::write_feed(&record).as_bytes());
        self.take_feed(record);
    }

    fn take_feed(&mut self, record: FeedRecord) {
        if self.feeds.insert(record.feed.clone(), record).is_some() {
            self.superseded += 1;
        }
    }

    /// Replaces the record of the same id, and those whose ids it bore before.
    fn insert(&mut self, record: &Record, place: Place) {
        for id in &record.was {
            self.former.insert(id.clone());
            if self.lines.remove(id) {
                self.superseded += 1;
            }
        }
        if self.lines.push(record, place) {
            self.superseded += 1;
        }
    }

    /// Of two ids for one path the earlier first-seen keeps it; the other stays as gone, without a path.
    fn settle(&mut self, record: Record) {
        let other = record.path.as_deref().and_then(|path| self.lines.at(path));
        let mut loser = match other {
            Some(other) if other.id == record.id => return,
            Some(other) if (other.seen, &other.id) <= (record.seen, &record.id) => record,
            Some(other) => {
                self.lines.lead(&record);
                other
            }
            None => return self.lines.lead(&record),
        };
        loser.path = None;
        loser.gone.get_or_insert(loser.seen);
        self.lines.push(&loser, Place::Nowhere(line::write(&loser)));
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use crate::extent::cases;

    use super::{Index, Ledger, Minted, Record, line};

    /// A line of a ledger in which ids and paths meet again and again.
    fn lines() -> impl Strategy<Value = String> {
        let at = |second: i64| DateTime::<Utc>::from_timestamp(1_700_000_000 + second, 0).unwrap();
        let parts = (0..6u8, 0..7u8, 0..4i64, 0..4i64, 0..8u8, 0..4u32);
        parts.prop_map(move |(id, path, seen, published, state, nth)| {
            let record = Record {
                path: (path < 6).then(|| format!("{path}.md")),
                id: format!("tag:x,2026:{id}"),
                minted: Minted::Final,
                seen: at(seen),
                published: at(published),
                nth: (nth > 0).then_some(nth),
                undated: false,
                updated: (state & 1 > 0).then(|| at(seen + 5)),
                digest: "d".to_owned(),
                title: None,
                page: None,
                gone: (state == 2).then(|| at(9)),
                was: if state == 4 { vec![format!("tag:x,2026:{}", (id + 1) % 6)] } else { Vec::new() },
            };
            match state {
                5 => format!(
                    "{{\"feed\":\"f{path}\",\"id\":\"i\",\"changed\":\"2026-01-0{}T00:00:00Z\",\"digest\":\"d\"}}\n",
                    seen + 1
                ),
                6 => "\n".to_owned(),
                _ => line::write(&record),
            }
        })
    }

    proptest! {
        #![proptest_config(cases(500, 5_000))]

        #[test]
        fn what_is_known_of_the_beginning_of_a_ledger_changes_nothing(
            lines in prop::collection::vec(lines(), 0..14), cut in 0usize..14
        ) {
            let text = lines.concat().into_bytes();
            let known = lines[..cut.min(lines.len())].concat().into_bytes();
            let (expected, faults) = Ledger::of(text.clone());
            let (beginning, _) = Ledger::of(known);
            let Some(index) = beginning.index() else { return Ok(()) };
            let kept = postcard::to_stdvec(&index).unwrap();
            let index: Index = postcard::from_bytes(&kept).unwrap();
            let (found, found_faults) = Ledger::indexed(text, index).unwrap();
            prop_assert_eq!(found.to_text(), expected.to_text());
            prop_assert_eq!((found.len(), found.superseded, &found.former), (expected.len(), expected.superseded, &expected.former));
            prop_assert_eq!(found_faults, faults);
            for path in (0..6).map(|path| format!("{path}.md")) {
                prop_assert_eq!(found.at(&path), expected.at(&path));
            }
            for id in (0..6).map(|id| format!("tag:x,2026:{id}")) {
                prop_assert_eq!(found.get(&id), expected.get(&id));
            }
            for midnight in expected.records().filter_map(|r| Some(r.published - chrono::TimeDelta::seconds(i64::from(r.nth?)))) {
                prop_assert_eq!(found.lines.next_of_day(midnight), expected.lines.next_of_day(midnight));
            }
            // lines that a run appends are found as if they had been read
            let mut grown = Ledger::of(Vec::new()).0;
            for record in expected.records() {
                grown.put(&record);
            }
            let (read, _) = Ledger::of(grown.text().to_vec());
            prop_assert_eq!(read.to_text(), grown.to_text());
        }
    }
}
