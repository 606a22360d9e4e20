//! The lines of a ledger as they stand in its file, and where each id and each path is found among them.
//!
//! A hundred thousand records take too much room and time as values: they stay text, and one is understood when
//! somebody asks for it. Where everything stands can be kept beside the file (see [`super::Index`]), so that the text need
//! not be understood again only to find that out.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::Record;
use super::line;

/// All lines that count.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    /// All that is, or is about to be, in the file.
    text: Arc<Vec<u8>>,
    /// Lines that say what several lines of the file say together.
    merged: Vec<u8>,
    lines: Vec<Line>,
    /// Numbers of lines by the hashes of their ids, and of their paths.
    ids: HashTable<u32>,
    paths: HashTable<u32>,
    living: usize,
    /// Midnight, in seconds since 1970 → the places among the articles of that day that are taken.
    days: HashMap<i64, Vec<u32>>,
}

/// Where each line stands, without the text.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Places {
    lines: Vec<Line>,
    days: HashMap<i64, Vec<u32>>,
}

/// Where a line stands.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the text.
    Text(Range<usize>),
    /// In no file: it was merged.
    Nowhere(String),
}

/// What is known of a line without understanding it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "four things that are so or not, each by itself"
)]
struct Line {
    at: usize,
    len: u32,
    is_merged: bool,
    /// Whether no later line has replaced it.
    counts: bool,
    gone: bool,
    had_other_id: bool,
    nth: Option<u32>,
    id: u64,
    path: Option<u64>,
}

impl Lines {
    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.living
    }

    /// No lines yet, of this text.
    pub(super) fn of(text: Vec<u8>) -> Self {
        Self {
            text: Arc::new(text),
            ..Self::default()
        }
    }

    /// The lines of a text of which is known where they stand; `None` if that cannot be true.
    pub(super) fn placed(text: Vec<u8>, places: Places) -> Option<Self> {
        let mut all = Self::of(text);
        let Places { lines, days } = places;
        for line in &lines {
            let end = line.at.checked_add(line.len as usize);
            end.filter(|end| *end <= all.text.len() && !line.is_merged)?;
        }
        all.living = lines.iter().filter(|line| line.counts).count();
        (all.lines, all.days) = (lines, days);
        let lines = &all.lines;
        all.ids
            .reserve(all.living, |&number| lines[number as usize].id);
        let path = |number: &u32| lines[*number as usize].path.unwrap_or_default();
        all.paths.reserve(all.living, path);
        for (number, line) in (0..).zip(lines).filter(|(_, line)| line.counts) {
            all.ids
                .insert_unique(line.id, number, |&number| lines[number as usize].id);
            if let Some(hash) = line.path {
                all.paths.insert_unique(hash, number, path);
            }
        }
        Some(all)
    }

    /// Where each line stands; `None` if some stand nowhere. What was merged depends on all lines there are, and is found
    /// out anew where there are more.
    pub(super) fn places(&self) -> Option<Places> {
        self.merged.is_empty().then(|| Places {
            lines: self.lines.clone(),
            days: self.days.clone(),
        })
    }

    /// All that is, or is about to be, in the file.
    pub(super) fn text(&self) -> &Arc<Vec<u8>> {
        &self.text
    }

    /// Writes behind all that is in the text; where.
    pub(super) fn append(&mut self, text: &[u8]) -> Place {
        let all = Arc::make_mut(&mut self.text);
        let start = all.len();
        all.extend_from_slice(text);
        Place::Text(start..all.len())
    }

    /// Makes room for so many lines, which have so many bytes together.
    pub(super) fn reserve(&mut self, lines: usize, bytes: usize) {
        Arc::make_mut(&mut self.text).reserve(bytes);
        self.lines.reserve(lines);
        let known = &self.lines;
        self.ids.reserve(lines, |&number| known[number as usize].id);
        self.paths.reserve(lines, |&number| {
            known[number as usize].path.unwrap_or_default()
        });
    }

    pub(super) fn get(&self, id: &str) -> Option<Record> {
        let number = self.number_of(id)?;
        self.record(number)
    }

    /// The text of the line of `id`.
    pub(super) fn line(&self, id: &str) -> Option<&[u8]> {
        self.text_of(self.number_of(id)?)
    }

    pub(super) fn holds(&self, id: &str) -> bool {
        self.number_of(id).is_some()
    }

    pub(super) fn at(&self, path: &str) -> Option<Record> {
        self.record(self.number_at(path)?)
    }

    /// Every record, in the order of lines.
    pub(super) fn all(&self) -> impl Iterator<Item = Record> {
        self.which(|_| true)
    }

    /// Every record of what is withdrawn.
    pub(super) fn gone(&self) -> impl Iterator<Item = Record> {
        self.which(|line| line.gone)
    }

    /// Every record that bore another id once.
    pub(super) fn renamed(&self) -> impl Iterator<Item = Record> {
        self.which(|line| line.had_other_id)
    }

    fn which(&self, wanted: impl Fn(&Line) -> bool) -> impl Iterator<Item = Record> {
        let lines = self.lines.iter().enumerate();
        let wanted = lines.filter(move |(_, line)| line.counts && wanted(line));
        wanted.filter_map(|(number, _)| self.record(u32::try_from(number).ok()?))
    }

    /// The first place among the articles of a day, given by its midnight, that no record has.
    pub(super) fn next_of_day(&self, midnight: DateTime<Utc>) -> u32 {
        let taken = self.days.get(&midnight.timestamp()).into_iter().flatten();
        taken.max().map_or(0, |last| last + 1)
    }

    /// Puts a record behind all others, in the place of the one with its id; whether there was one.
    pub(super) fn push(&mut self, record: &Record, place: Place) -> bool {
        let replaced = self.remove(&record.id);
        let Ok(number) = u32::try_from(self.lines.len()) else {
            return replaced;
        };
        let id = hash(&record.id);
        let (at, is_merged) = match place {
            Place::Text(range) => (range, false),
            Place::Nowhere(text) => {
                let start = self.merged.len();
                self.merged.extend_from_slice(text.as_bytes());
                (start..self.merged.len(), true)
            }
        };
        self.lines.push(Line {
            at: at.start,
            len: u32::try_from(at.len()).unwrap_or_default(),
            is_merged,
            counts: true,
            gone: record.gone.is_some(),
            had_other_id: !record.was.is_empty(),
            nth: record.nth,
            id,
            path: None,
        });
        self.living += 1;
        if let Some(nth) = record.nth {
            self.days
                .entry(midnight(record, nth))
                .or_default()
                .push(nth);
        }
        let lines = &self.lines;
        self.ids
            .insert_unique(id, number, |&number| lines[number as usize].id);
        replaced
    }

    /// Lets the record's path lead to it, and to nobody else.
    pub(super) fn lead(&mut self, record: &Record) {
        let Some(path) = &record.path else { return };
        // whose line is the last is told by no search
        let last = self.lines.len().checked_sub(1);
        let last = last.filter(|last| self.lines[*last].id == hash(&record.id));
        if let Some(last) = last
            && self.lines[last].counts
            && self.lines[last].path.is_none()
            && self.number_at(path).is_none()
            && let Ok(number) = u32::try_from(last)
        {
            return self.lead_to(path, number);
        }
        if let Some(other) = self.number_at(path) {
            let hash = hash(path);
            if let Ok(entry) = self.paths.find_entry(hash, |&number| number == other) {
                entry.remove();
            }
            self.lines[other as usize].path = None;
        }
        self.lead_if_free(record);
    }

    /// Lets the record's path lead to it if it leads to nobody else; whether it did not.
    pub(super) fn lead_if_free(&mut self, record: &Record) -> bool {
        let (Some(path), Some(number)) = (&record.path, self.number_of(&record.id)) else {
            return true;
        };
        if let Some(other) = self.number_at(path) {
            return other == number;
        }
        self.lead_to(path, number);
        true
    }

    /// Lets a path that leads to nobody lead to a line.
    fn lead_to(&mut self, path: &str, number: u32) {
        let hash = hash(path);
        self.lines[number as usize].path = Some(hash);
        let lines = &self.lines;
        self.paths.insert_unique(hash, number, |&number| {
            lines[number as usize].path.unwrap_or_default()
        });
    }

    /// Takes the record of this id away; whether there was one.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(number) = self.number_of(id) else {
            return false;
        };
        let day = self.lines[number as usize].nth.is_some();
        if let Some(record) = day.then(|| self.record(number)).flatten()
            && let Some(nth) = record.nth
            && let Some(taken) = self.days.get_mut(&midnight(&record, nth))
            && let Some(index) = taken.iter().position(|other| *other == nth)
        {
            taken.swap_remove(index);
        }
        let line = self.lines[number as usize];
        if let Ok(entry) = self.ids.find_entry(line.id, |&other| other == number) {
            entry.remove();
        }
        if let Some(path) = line.path
            && let Ok(entry) = self.paths.find_entry(path, |&other| other == number)
        {
            entry.remove();
        }
        self.lines[number as usize].counts = false;
        self.living -= 1;
        true
    }

    fn number_at(&self, path: &str) -> Option<u32> {
        let hash = hash(path);
        let found = self.paths.find(hash, |&number| {
            self.lines[number as usize].path == Some(hash) && self.says(number, "path", path)
        });
        found.copied()
    }

    fn number_of(&self, id: &str) -> Option<u32> {
        let hash = hash(id);
        let found = self.ids.find(hash, |&number| {
            self.lines[number as usize].id == hash && self.says(number, "id", id)
        });
        found.copied()
    }

    /// Whether the line has this value. Quotes in values are escaped: what looks like a key is one.
    fn says(&self, number: u32, key: &str, value: &str) -> bool {
        let text = self.text_of(number).unwrap_or_default();
        let as_we_write = format!("\"{key}\":\"{value}\"");
        memchr::memmem::find(text, as_we_write.as_bytes()).is_some()
            || line::read_record(text).is_ok_and(|record| match key {
                "id" => record.id == value,
                _ => record.path.as_deref() == Some(value),
            })
    }

    fn text_of(&self, number: u32) -> Option<&[u8]> {
        let line = self.lines.get(number as usize)?;
        let text = if line.is_merged {
            &self.merged
        } else {
            &*self.text
        };
        text.get(line.at..line.at + line.len as usize)
    }

    fn record(&self, number: u32) -> Option<Record> {
        line::read_record(self.text_of(number)?).ok()
    }
}

fn midnight(record: &Record, nth: u32) -> i64 {
    (record.published - TimeDelta::seconds(i64::from(nth))).timestamp()
}

/// The same in every run of this program.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}
