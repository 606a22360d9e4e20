//! What hubs elsewhere know, as the state folder keeps it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{News, Outcome};
use crate::client::Backoff;
use crate::store::durable;

const FILE: &str = "hubs.json";

/// Between the tries of one ping.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_mins(1),
    factor: 2,
    longest: Duration::from_hours(1),
};
/// After so long it is given up: by then subscribers have polled.
const DAY: TimeDelta = TimeDelta::hours(24);

/// What each hub knows of each topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told {
    hubs: BTreeMap<String, BTreeMap<String, Mark>>,
}

/// What a hub knows of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The hash of the bytes that it was told of last; empty, if of none.
    hash: String,
    /// What it could not be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    failing: Option<Failing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failing {
    /// The hash of the bytes that it is about.
    hash: String,
    since: DateTime<Utc>,
    tries: u32,
    next: DateTime<Utc>,
}

/// A ping that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The hub's URL.
    pub hub: String,
    /// The topic's URL.
    pub topic: String,
    /// Its route.
    pub route: String,
    /// The hash of its bytes.
    pub hash: String,
}

impl Told {
    /// Reads what is kept; what is missing or damaged is empty.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn load(state: &Path) -> Result<Self> {
        let path = state.join(FILE);
        match std::fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// Takes over what others kept of hubs that are not known here.
    pub fn merge(&mut self, others: Self) {
        for (hub, marks) in others.hubs {
            self.hubs.entry(hub).or_insert(marks);
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&self, state: &Path) -> Result<()> {
        let path = state.join(FILE);
        let text = serde_json::to_vec(self).context("cannot write JSON")?;
        durable::put(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Takes hubs of which nothing is known for such that know all of this, and forgets those that are not to be told any
    /// longer; whether there were any.
    pub fn begin(&mut self, hubs: &[String], known: &News) -> bool {
        let before = self.hubs.len();
        self.hubs.retain(|hub, _| hubs.contains(hub));
        let mut is_other = self.hubs.len() != before;
        for hub in hubs {
            self.hubs.entry(hub.clone()).or_insert_with(|| {
                is_other = true;
                let topics = known.topics.iter();
                let known = topics.map(|(route, hash)| {
                    let mark = Mark {
                        hash: hash.clone(),
                        failing: None,
                    };
                    (route.clone(), mark)
                });
                known.collect()
            });
        }
        is_other
    }

    /// The pings that are to be sent: all of which a hub was not told, or those of them that may be tried at `now`.
    #[must_use]
    pub fn outstanding(&self, news: &News, now: Option<DateTime<Utc>>) -> Vec<Ping> {
        let mut pings = Vec::new();
        for hub in &news.hubs {
            let known = self.hubs.get(hub);
            for (route, hash) in &news.topics {
                let mark = known.and_then(|known| known.get(route));
                let failing = mark.and_then(|mark| mark.failing.as_ref());
                let failing = failing.filter(|failing| failing.hash == *hash);
                let is_told = mark.is_some_and(|mark| mark.hash == *hash);
                let waits = failing
                    .zip(now)
                    .is_some_and(|(failing, now)| failing.next > now);
                if !is_told && !waits {
                    pings.push(Ping {
                        hub: hub.clone(),
                        topic: news.url(route),
                        route: route.clone(),
                        hash: hash.clone(),
                    });
                }
            }
        }
        pings
    }

    /// Notes what came of a ping.
    pub fn note(&mut self, ping: &Ping, outcome: &Outcome, now: DateTime<Utc>) {
        let hub = self.hubs.entry(ping.hub.clone()).or_default();
        let mark = hub.entry(ping.route.clone()).or_default();
        let before = mark.failing.take();
        let before = before.filter(|failing| failing.hash == ping.hash);
        let since = before.as_ref().map_or(now, |failing| failing.since);
        if *outcome == Outcome::Taken || now - since >= DAY {
            mark.hash.clone_from(&ping.hash);
            return;
        }
        let tries = before.map_or(0, |failing| failing.tries) + 1;
        mark.failing = Some(Failing {
            hash: ping.hash.clone(),
            since,
            tries,
            next: now + BACKOFF.after(tries),
        });
    }

    /// When the next ping that failed may be tried again.
    #[must_use]
    pub fn next(&self, news: &News) -> Option<DateTime<Utc>> {
        let marks = self.hubs.iter().filter(|(hub, _)| news.hubs.contains(hub));
        let marks = marks.flat_map(|(_, marks)| marks);
        let failing = marks.filter_map(|(route, mark)| {
            let failing = mark.failing.as_ref()?;
            // one that was replaced is not tried again
            (news.topics.get(route) == Some(&failing.hash)).then_some(failing.next)
        });
        failing.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(topics: &[(&str, &str)]) -> News {
        let topics = topics.iter();
        News {
            base: "https://example.org/".to_owned(),
            hub: crate::config::Hub::default(),
            hubs: vec!["https://hub.example/".to_owned()],
            topics: topics
                .map(|(route, hash)| ((*route).to_owned(), (*hash).to_owned()))
                .collect(),
        }
    }

    fn routes(pings: &[Ping]) -> Vec<&str> {
        pings.iter().map(|ping| ping.route.as_str()).collect()
    }

    #[test]
    fn a_hub_of_which_nothing_is_known_is_told_what_changes_from_then_on() {
        let mut told = Told::default();
        let before = news(&[("rss.xml", "1"), ("atom.xml", "1")]);
        assert!(told.begin(&before.hubs, &before));
        assert!(!told.begin(&before.hubs, &before));
        assert_eq!(told.outstanding(&before, None), []);
        let after = news(&[("rss.xml", "2"), ("atom.xml", "1"), ("x/rss.xml", "1")]);
        let pings = told.outstanding(&after, None);
        assert_eq!(routes(&pings), ["rss.xml", "x/rss.xml"]);
        assert_eq!(pings[1].topic, "https://example.org/x/rss.xml");
    }

    #[test]
    fn what_failed_is_tried_again_later_or_by_the_next_run_and_a_day_long() {
        let mut told = Told::default();
        let now = DateTime::UNIX_EPOCH;
        let news = news(&[("rss.xml", "2")]);
        told.begin(&news.hubs, &News::default());
        let ping = told.outstanding(&news, Some(now)).remove(0);
        told.note(&ping, &Outcome::Failed("x".to_owned()), now);
        assert_eq!(told.outstanding(&news, Some(now)), []);
        let again = told.outstanding(&news, None);
        assert_eq!(again, std::slice::from_ref(&ping), "the next run");
        let next = told.next(&news).unwrap();
        assert!(next - now >= TimeDelta::seconds(30) && next - now <= TimeDelta::seconds(90));
        let again = told.outstanding(&news, Some(next));
        assert_eq!(again, std::slice::from_ref(&ping));
        let mut later = next;
        let mut tries = 1;
        while let Some(next) = told.next(&news) {
            later = next;
            tries += 1;
            told.note(&ping, &Outcome::Failed("x".to_owned()), next);
        }
        assert!(later - now >= DAY && later - now < DAY * 2, "{later}");
        assert!(tries > 20 && tries < 60, "{tries}");
        assert_eq!(told.outstanding(&news, None), [], "given up");
    }

    #[test]
    fn a_newer_version_is_told_at_once() {
        let mut told = Told::default();
        let now = DateTime::UNIX_EPOCH;
        let old = news(&[("rss.xml", "2")]);
        told.begin(&old.hubs, &News::default());
        let ping = told.outstanding(&old, Some(now)).remove(0);
        told.note(&ping, &Outcome::Failed("x".to_owned()), now);
        let new = news(&[("rss.xml", "3")]);
        assert_eq!(told.next(&new), None);
        let ping = told.outstanding(&new, Some(now)).remove(0);
        told.note(&ping, &Outcome::Taken, now);
        assert_eq!(told.outstanding(&new, None), []);
        assert_eq!(told.next(&new), None);
    }

    #[test]
    fn hubs_that_left_the_configuration_are_forgotten() {
        let mut told = Told::default();
        let news = news(&[("rss.xml", "1")]);
        told.begin(&news.hubs, &news);
        assert!(told.begin(&[], &news));
        assert_eq!(told, Told::default());
    }
}
