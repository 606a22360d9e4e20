//! A clock that lies: of a board without a battery, or after a run in a wrong year. What the ledger recorded tells which of
//! the two is wrong.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::identity::same_date;
use super::{Candidate, FeedRecord, Ledger, Record};
use crate::site::Site;

/// Instants that the ledger recorded may be ahead by so much: articles that change in one run, or in quick succession, get
/// instants one second apart.
pub(super) const AHEAD: TimeDelta = TimeDelta::seconds(60);
/// A clock that is behind a recorded instant by no more than this is wrong itself; an instant further ahead is.
const YEAR: TimeDelta = TimeDelta::days(365);

/// On so many days a clock may have been wrong that is sound now.
const FEW: usize = 3;

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
        // RFC 3339 has no later year
        if now.year() > 9999 {
            let records = self.records().flat_map(|record| recorded(&record));
            let newest = records.chain(self.feeds().map(|feed| feed.changed)).max();
            return Verdict::Clock(newest.unwrap_or(DateTime::UNIX_EPOCH));
        }
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
        let past = all.iter().filter(|instant| **instant <= now).count();
        let ahead: Vec<&DateTime<Utc>> = all.iter().filter(|instant| is_ahead(instant)).collect();
        let days: BTreeSet<NaiveDate> = ahead.iter().map(|instant| instant.date_naive()).collect();
        // runs with a wrong clock leave few instants, or such as are close to each other; a blog leaves many, over years
        let is_like_a_run = newest - *nearest <= YEAR || ahead.len() < past || days.len() <= FEW;
        if past > 0 && *nearest - now > YEAR && is_like_a_run {
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

    /// What subscribers have, to be asked for many articles.
    #[must_use]
    pub fn living(&self) -> Living {
        let mut living = Living::default();
        for record in self.records().filter(|record| record.gone.is_none()) {
            if let Some(title) = record.title.clone() {
                living
                    .by_title
                    .entry(title)
                    .or_default()
                    .push(record.clone());
            }
            living
                .by_digest
                .entry(record.digest.clone())
                .or_default()
                .push(record);
        }
        living
    }

    /// Whether subscribers have this article: at its path, under its id, or, among the `living`, under the name that it had
    /// before.
    #[must_use]
    pub fn shows(&self, candidate: &Candidate, living: &Living, site: &Site) -> bool {
        let own = self.at(&candidate.path);
        let own = own.or_else(|| self.get(candidate.id.as_deref()?));
        match own {
            Some(own) => own.gone.is_none(),
            None => living.like(candidate, site).is_some(),
        }
    }
}

/// The records of what subscribers have, by what they say.
#[derive(Debug, Default)]
pub struct Living {
    by_digest: HashMap<String, Vec<Record>>,
    by_title: HashMap<String, Vec<Record>>,
}

impl Living {
    /// The record of an article that says the same as this one, or has the same title, of the same date.
    #[must_use]
    pub fn like(&self, candidate: &Candidate, site: &Site) -> Option<&Record> {
        let says = self.by_digest.get(&candidate.digest);
        let titled = candidate.title.as_ref();
        let titled = titled.and_then(|title| self.by_title.get(title));
        let mut alike = says.into_iter().chain(titled).flatten();
        alike.find(|record| same_date(candidate, record, site))
    }
}

/// The instants that a clock gave, and no author. The date of an undated article may be its file's, and where both are equal
/// `seen` may be a declared date, of a ledger that was rebuilt from the feeds.
fn recorded(record: &Record) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let seen = (record.seen != record.published).then_some(record.seen);
    [seen, record.updated, record.gone].into_iter().flatten()
}
