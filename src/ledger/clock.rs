//! A clock that lies: of a board without a battery, or after a run in a wrong year. What the ledger recorded tells which of
//! the two is wrong.

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::same_date;
use super::{Candidate, FeedRecord, Ledger, Record};
use crate::site::Site;

/// Instants that the ledger recorded may be ahead by so much: articles that change in one run, or in quick succession, get
/// instants one second apart.
pub(super) const AHEAD: TimeDelta = TimeDelta::seconds(60);
/// A clock that is behind a recorded instant by no more than this is wrong itself; an instant further ahead is.
const YEAR: TimeDelta = TimeDelta::days(365);

/// Which of clock and ledger is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Neither.
    Sound,
    /// The clock is: nothing can be earlier than this instant, the newest that was recorded.
    Clock(DateTime<Utc>),
    /// Instants that were recorded are, up to this one.
    Ledger(DateTime<Utc>),
}

impl Ledger {
    /// Compares the clock with what was recorded. Declared dates say nothing: they may lie ahead on purpose.
    ///
    /// `last` is the instant of the last run, if it is known. Records are looked at only if it, or a feed, lies ahead.
    #[must_use]
    pub fn judge(&self, now: DateTime<Utc>, last: Option<DateTime<Utc>>) -> Verdict {
        let is_ahead = |instant: &DateTime<Utc>| *instant > now + AHEAD;
        let mut hints = self.feeds().map(|feed| feed.changed).chain(last);
        if !hints.any(|hint| is_ahead(&hint)) {
            return Verdict::Sound;
        }
        let records = self.records().flat_map(|record| recorded(&record));
        let mut all: Vec<DateTime<Utc>> = records
            .chain(self.feeds().map(|feed| feed.changed))
            .collect();
        all.sort_unstable();
        let Some(nearest) = all.iter().find(|instant| is_ahead(instant)) else {
            return Verdict::Sound;
        };
        let newest = all.last().copied().unwrap_or(now);
        let has_past = all.first().is_some_and(|first| *first <= now);
        // a run or two with a wrong clock leave instants close to each other; a blog leaves them over years
        let is_far_off = *nearest - now > YEAR && newest - *nearest <= YEAR;
        if has_past && is_far_off {
            Verdict::Ledger(newest)
        } else {
            Verdict::Clock(newest)
        }
    }

    /// The records of articles and of feeds whose instants lie ahead of a sound clock, with those replaced by now.
    #[must_use]
    pub fn recalled(&self, now: DateTime<Utc>) -> (Vec<Box<Record>>, Vec<FeedRecord>) {
        let past = |instant: DateTime<Utc>| if instant > now + AHEAD { now } else { instant };
        let records = self.records().filter_map(|record| {
            let recalled = Record {
                seen: past(record.seen),
                updated: record.updated.map(past),
                gone: record.gone.map(past),
                published: if record.undated {
                    past(record.published)
                } else {
                    record.published
                },
                ..record.clone()
            };
            (recalled != record).then(|| Box::new(recalled))
        });
        let feeds = self
            .feeds()
            .filter(|feed| past(feed.changed) != feed.changed);
        let feeds = feeds.map(|feed| FeedRecord {
            changed: past(feed.changed),
            ..feed.clone()
        });
        (records.collect(), feeds.collect())
    }

    /// Whether subscribers have this article: at its path, under its id, or under the name that it had before.
    #[must_use]
    pub fn shows(&self, candidate: &Candidate, site: &Site) -> bool {
        let lives = |record: &Record| record.gone.is_none();
        let own = self.at(&candidate.path);
        let own = own.or_else(|| self.get(candidate.id.as_deref()?));
        own.as_ref().is_some_and(lives)
            || self.records().any(|record| {
                let has_title = candidate.title.is_some() && record.title == candidate.title;
                let is_alike = record.digest == candidate.digest || has_title;
                lives(&record) && is_alike && same_date(candidate, &record, site)
            })
    }
}

/// The instants that a clock gave, and no author. The date of an undated article may be its file's, and where both are equal
/// `seen` may be a declared date, of a ledger that was rebuilt from the feeds.
fn recorded(record: &Record) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let seen = (record.seen != record.published).then_some(record.seen);
    [seen, record.updated, record.gone].into_iter().flatten()
}
