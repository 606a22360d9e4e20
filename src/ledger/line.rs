//! The lines of a ledger: one JSON object each.

use std::ops::Range;

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Fault, Ledger, Place, instant};

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
    #[serde(serialize_with = "instant::write")]
    pub seen: DateTime<Utc>,
    /// When it was published, as readers were told last.
    #[serde(serialize_with = "instant::write")]
    pub published: DateTime<Utc>,
    /// Its place among the articles of its day, for a date without a time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nth: Option<u32>,
    /// Whether the file does not say when it was published: `published` is all there is.
    #[serde(skip_serializing_if = "is_false", default)]
    pub undated: bool,
    /// The instant at which its digest last changed.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant::write_some",
        default
    )]
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
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "instant::write_some",
        default
    )]
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

/// What a damaged line says: some of it is not true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsound {
    /// Of an article.
    Article(Box<Record>),
    /// Of a feed.
    Feed(FeedRecord),
}

/// What is remembered of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// Its name: the folder of its documents; the main feed's is empty.
    pub feed: String,
    /// What it was called when it was first published, if nobody gave it a title: clones in other folders agree on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
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

/// A line ends in the sum of its values: a damaged one is told from one that was edited on purpose, and has none.
fn to_line(value: &impl Serialize) -> String {
    // strings, dates and numbers: nothing in a record can fail to be JSON
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.pop();
    let sum = sum(line.as_bytes());
    line += &format!("{SUM}{sum}\"}}\n");
    line
}

/// What stands between the values of a line and their sum.
const SUM: &str = ",\"sum\":\"";
/// How many hexadecimal digits a sum has.
const DIGITS: usize = 8;

/// The sum of values, of which these bytes are the JSON as it is written here, without the brace at its end.
fn sum(values: &[u8]) -> String {
    blake3::hash(values).to_hex()[..DIGITS].to_owned()
}

/// Understands a line of an article.
pub(super) fn read_record(line: &[u8]) -> Result<Record, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Whether a line says what it said when it was written. One without a sum is old, or written by hand, and is believed.
fn is_sound(line: &[u8], value: &impl Serialize) -> bool {
    /// What of a line tells whether the rest is true.
    #[derive(Deserialize)]
    struct Summed {
        sum: Option<String>,
    }
    // most lines are as they are written here
    let values = line.len().checked_sub(SUM.len() + DIGITS + 2);
    if let Some((values, end)) = values.map(|at| line.split_at(at))
        && let Some(told) = end.strip_prefix(SUM.as_bytes())
        && told[..DIGITS] == *sum(values).as_bytes()
    {
        return true;
    }
    let Ok(Summed { sum: told }) = serde_json::from_slice(line) else {
        return false;
    };
    told.is_none_or(|told| {
        let values = serde_json::to_string(value).unwrap_or_default();
        told == sum(&values.as_bytes()[..values.len().saturating_sub(1)])
    })
}

/// Whether a line has a sum.
pub(super) fn has_sum(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"sum\"").is_some()
}

/// What a line is.
enum Line {
    Empty,
    Marker,
    Feed(FeedRecord),
    Article(Box<Record>),
    /// It can be read, and is not what was written.
    Unsound(Unsound),
    Fault(String),
}

/// So many bytes are understood by one thread at a time.
const PIECE: usize = 1 << 20;

/// Reads every line behind `from` into `ledger`, whose text it is, merging those of one id; says what could not be read,
/// and which ids have a path that is another's too.
pub(super) fn read(text: &[u8], from: usize, ledger: &mut Ledger) -> (Vec<Fault>, Vec<String>) {
    let (mut faults, mut contested) = (Vec::new(), Vec::new());
    let mut number = u32::try_from(memchr::memchr_iter(b'\n', &text[..from]).count()).unwrap_or(0);
    let mut at = from;
    let mut conflict = None;
    // a few pieces at a time: understood, all would take several times the room of their text
    for pieces in pieces(&text[from..]).chunks(rayon::current_num_threads() * 2) {
        let understood: Vec<Vec<(&[u8], Line)>> = pieces
            .par_iter()
            .map(|piece| lines(piece).map(|line| (line, understand(line))).collect())
            .collect();
        for (line, is) in understood.into_iter().flatten() {
            number += 1;
            let start = at + line.len() - line.trim_ascii_start().len();
            at += line.len();
            match is {
                Line::Empty => {}
                Line::Marker => {
                    conflict.get_or_insert(number);
                }
                Line::Unsound(unsound) => faults.push(Fault::Damaged {
                    line: number,
                    cause: "its values are not those of its `sum`".to_owned(),
                    says: Some(unsound),
                }),
                Line::Feed(mut feed) => {
                    if let Some(earlier) = ledger.feeds.get(&feed.feed) {
                        feed.changed = feed.changed.max(earlier.changed);
                    }
                    ledger.take_feed(feed);
                }
                Line::Article(record) => {
                    // what a later line says counts, whatever became of an earlier one
                    for fault in &mut faults {
                        fault.forget(&record.id);
                    }
                    // what stands around it is not understood again
                    let place = start..start + line.trim_ascii().len();
                    contested.extend(take(*record, place, ledger));
                }
                Line::Fault(_) if !line.ends_with(b"\n") => {
                    faults.push(Fault::Torn { line: number });
                }
                Line::Fault(cause) => faults.push(Fault::Damaged {
                    line: number,
                    cause,
                    says: None,
                }),
            }
        }
    }
    faults.extend(conflict.map(|line| Fault::Conflict { line }));
    (faults, contested)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Whole lines, together about as long as is good for one thread.
fn pieces(mut text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let least = text.len().min(PIECE);
        let end = memchr::memchr(b'\n', &text[least..]).map_or(text.len(), |at| least + at + 1);
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// What a ledger says that the main feed is called, where nobody gave it a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultTitle {
    /// It says so.
    Is(String),
    /// It said so, in a line that is damaged.
    Damaged,
    /// It has none: somebody gave it a title when it was published.
    None,
    /// It does not know the main feed.
    Unknown,
}

/// Finds in whole lines of a ledger what the main feed is called; the last line that says so counts.
#[must_use]
pub fn default_title(lines: &[u8]) -> DefaultTitle {
    let mut end = lines.len();
    let mut found = DefaultTitle::Unknown;
    // most lines are of articles, and are not understood
    while let Some(at) = memchr::memmem::rfind(&lines[..end], b"\"feed\"") {
        let start = memchr::memrchr(b'\n', &lines[..at]).map_or(0, |newline| newline + 1);
        let stop = memchr::memchr(b'\n', &lines[at..]).map_or(lines.len(), |newline| at + newline);
        match understand(&lines[start..stop]) {
            Line::Feed(feed) if feed.feed.is_empty() => match feed.title {
                Some(title) => return DefaultTitle::Is(title),
                None => found = DefaultTitle::None,
            },
            Line::Unsound(Unsound::Feed(feed)) if feed.feed.is_empty() => {
                return DefaultTitle::Damaged;
            }
            // which feed's line that was cannot be told
            Line::Fault(_) => return DefaultTitle::Damaged,
            _ => {}
        }
        end = start;
    }
    found
}

fn sound_feed(line: &[u8], feed: FeedRecord) -> Line {
    if is_sound(line, &feed) {
        Line::Feed(feed)
    } else {
        Line::Unsound(Unsound::Feed(feed))
    }
}

/// A feed's line with other spaces, or another order of keys, than it is written with here.
fn feed_in_another_form(line: &[u8]) -> Option<FeedRecord> {
    // no article has such a key
    memchr::memmem::find(line, b"\"feed\"")?;
    memchr::memmem::find(line, b"\"changed\"")?;
    serde_json::from_slice(line).ok()
}

fn understand(line: &[u8]) -> Line {
    const MARKERS: [&[u8]; 4] = [b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||"];
    let line = line.trim_ascii();
    let is = if line.is_empty() {
        Ok(Line::Empty)
    } else if MARKERS.iter().any(|marker| line.starts_with(marker)) {
        Ok(Line::Marker)
    } else if line.starts_with(b"{\"feed\"") {
        serde_json::from_slice(line).map(|feed| sound_feed(line, feed))
    } else if let Some(feed) = feed_in_another_form(line) {
        Ok(sound_feed(line, feed))
    } else {
        read_record(line).map(Box::new).map(|record| {
            if is_sound(line, &record) {
                Line::Article(record)
            } else {
                Line::Unsound(Unsound::Article(record))
            }
        })
    };
    is.unwrap_or_else(|error| match readable(line) {
        Some(unsound) => Line::Unsound(unsound),
        None => Line::Fault(error.to_string()),
    })
}

/// What can still be read of a line that is no JSON any more, if it tells which article or feed it is of.
fn readable(line: &[u8]) -> Option<Unsound> {
    // one that was cut off is torn, and not damaged
    if !line.ends_with(b"}") {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    let mut values = serde_json::Map::new();
    for key in [
        "feed",
        "path",
        "id",
        "kind",
        "seen",
        "published",
        "updated",
        "digest",
        "title",
        "of",
        "page",
        "gone",
        "changed",
    ] {
        let Some((_, rest)) = text.split_once(&format!("\"{key}\":")) else {
            continue;
        };
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        if let Some(Ok(value)) = stream.next() {
            values.insert(key.to_owned(), value.into());
        }
    }
    if text.contains("\"undated\":true") {
        values.insert("undated".to_owned(), true.into());
    }
    let first = ["seen", "published", "changed"];
    let instant = first.iter().find_map(|key| values.get(*key)).cloned()?;
    for key in first {
        values.entry(key).or_insert_with(|| instant.clone());
    }
    values.entry("digest").or_insert_with(|| "".into());
    let is_feed = text.contains("\"feed\"");
    let values = serde_json::Value::Object(values);
    if is_feed {
        serde_json::from_value(values).ok().map(Unsound::Feed)
    } else {
        let record: Record = serde_json::from_value(values).ok()?;
        Some(Unsound::Article(Box::new(record)))
    }
}

/// Takes over what a line says of an article; its id, if its path is another's too.
fn take(mut record: Record, place: Range<usize>, ledger: &mut Ledger) -> Option<String> {
    // a branch that had not yet seen the new id may stand last: the new id stays
    if ledger.former.contains(&record.id) {
        return None;
    }
    let ids = std::iter::once(&record.id).chain(&record.was);
    let former: Vec<Record> = ids.filter_map(|id| ledger.get(id)).collect();
    let seen = former.iter().map(|earlier| earlier.seen).min();
    let seen = seen.map_or(record.seen, |earlier| earlier.min(record.seen));
    let updated = former.iter().filter_map(|earlier| earlier.updated).max();
    let updated = record.updated.max(updated);
    let is_merged = (seen, updated) != (record.seen, record.updated);
    (record.seen, record.updated) = (seen, updated);
    let place = if is_merged {
        Place::Nowhere(write(&record))
    } else {
        Place::Text(place)
    };
    ledger.insert(&record, place);
    (!ledger.lines.lead_if_free(&record)).then_some(record.id)
}
