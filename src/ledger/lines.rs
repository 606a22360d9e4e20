//! The lines of a ledger as they stand in its file, and where each id and each path is found among them.
//!
//! A hundred thousand records take too much room and time as values: they stay text, and one is understood when
//! somebody asks for it.

use std::collections::HashMap;
use std::hash::BuildHasher;

use chrono::{DateTime, TimeDelta, Utc};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::Record;
use super::line;

/// All lines that count.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    lines: Vec<Line>,
    /// Numbers of lines by the hashes of their ids, and of their paths.
    ids: HashTable<u32>,
    paths: HashTable<u32>,
    hasher: DefaultHashBuilder,
    living: usize,
    /// Midnight → the places among the articles of that day that are taken.
    days: HashMap<DateTime<Utc>, Vec<u32>>,
}

/// What is known of a line without understanding it.
#[derive(Debug, Clone, Copy)]
struct Line {
    at: usize,
    len: u32,
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

    /// Makes room for so many lines, which have so many bytes together.
    pub(super) fn reserve(&mut self, lines: usize, bytes: usize) {
        self.text.reserve(bytes);
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
        let taken = self.days.get(&midnight).into_iter().flatten();
        taken.max().map_or(0, |last| last + 1)
    }

    /// Puts a record behind all others, in the place of the one with its id; whether there was one.
    pub(super) fn push(&mut self, record: &Record, text: &[u8]) -> bool {
        let replaced = self.remove(&record.id);
        let Ok(number) = u32::try_from(self.lines.len()) else {
            return replaced;
        };
        let id = self.hasher.hash_one(record.id.as_str());
        self.lines.push(Line {
            at: self.text.len(),
            len: u32::try_from(text.len()).unwrap_or_default(),
            counts: true,
            gone: record.gone.is_some(),
            had_other_id: !record.was.is_empty(),
            nth: record.nth,
            id,
            path: None,
        });
        self.text.extend_from_slice(text);
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
        let last =
            last.filter(|last| self.lines[*last].id == self.hasher.hash_one(record.id.as_str()));
        if let Some(last) = last
            && self.lines[last].counts
            && self.lines[last].path.is_none()
            && self.number_at(path).is_none()
            && let Ok(number) = u32::try_from(last)
        {
            return self.lead_to(path, number);
        }
        if let Some(other) = self.number_at(path) {
            let hash = self.hasher.hash_one(path.as_str());
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
        let hash = self.hasher.hash_one(path);
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
        let hash = self.hasher.hash_one(path);
        let found = self.paths.find(hash, |&number| {
            self.lines[number as usize].path == Some(hash) && self.says(number, "path", path)
        });
        found.copied()
    }

    fn number_of(&self, id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
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
        self.text.get(line.at..line.at + line.len as usize)
    }

    fn record(&self, number: u32) -> Option<Record> {
        line::read_record(self.text_of(number)?).ok()
    }
}

fn midnight(record: &Record, nth: u32) -> DateTime<Utc> {
    record.published - TimeDelta::seconds(i64::from(nth))
}
