//! Editions that others published: to the bucket that we publish to as well, or, for a replica, to the one that it follows.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Crank, IDLE, TICK};
use crate::bucket::Bucket;
use crate::edition::Manifest;
use crate::problem::Level;
use crate::publisher::{Halt, Publisher};
use crate::watch::{Wake, clock};

/// A store that does not answer is asked no less often than this.
const LONGEST: Duration = Duration::from_secs(30);

/// Looks each second whether others published to the bucket, on a thread of its own, and says so. It ends with the process, or
/// when nobody listens any longer.
pub(super) fn poll(bucket: Arc<Bucket>, waker: Sender<Wake>) {
    let work = move || {
        let mut outage = Outage::default();
        let mut settled = clock();
        loop {
            std::thread::sleep(outage.pause);
            let seen = bucket.is_behind();
            let is_behind = *seen.as_ref().unwrap_or(&false);
            if let Some((level, text)) = outage.after(seen.map(drop), bucket.url()) {
                if level == Level::Info {
                    tracing::info!("{text}");
                } else {
                    tracing::warn!("{text}");
                }
            }
            // keys that could not be put are tried again, but not all the time
            let is_left = !bucket.is_settled() && settled.elapsed() >= LONGEST;
            if is_left {
                settled = clock();
            }
            if (is_behind || outage.is_over() && is_left) && waker.send(Wake::Elsewhere).is_err() {
                return;
            }
        }
    };
    // without it others are seen when we publish ourselves
    let _ = std::thread::Builder::new()
        .name("bucket".to_owned())
        .spawn(work);
}

/// Whether a store answers, and how long to wait before it is asked again.
struct Outage {
    pause: Duration,
    text: Option<String>,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            pause: TICK,
            text: None,
        }
    }
}

impl Outage {
    fn is_over(&self) -> bool {
        self.text.is_none()
    }

    /// After an answer, or none: what is to be said of it, once.
    fn after(&mut self, answer: anyhow::Result<()>, url: &str) -> Option<(Level, String)> {
        match answer {
            Ok(()) => {
                self.pause = TICK;
                let before = self.text.take();
                before.map(|_| (Level::Info, format!("`{url}` answers again")))
            }
            Err(error) => {
                self.pause = (self.pause * 2).min(LONGEST);
                let text = format!("{error:#}; what there is is served until `{url}` answers");
                let is_known = self.text.is_some();
                self.text = Some(text.clone());
                (!is_known).then_some((Level::Warning, text))
            }
        }
    }
}

impl Crank {
    /// Offers what others published to the bucket.
    pub(super) fn catch_up(&mut self) {
        let publisher = Publisher::new(&self.config, &super::Silent);
        match publisher.catch_up_now(&mut self.desk) {
            Ok(problems) => {
                problems
                    .iter()
                    .for_each(|problem| self.herald.problem(problem));
            }
            // whoever is at it will be done soon, and of an outage the next look tells
            Err(Halt::Locked | Halt::Settings(_) | Halt::World(_)) => {}
            Err(halt) => self.herald.state(Level::Warning, &halt.to_string()),
        }
        self.follow();
    }

    /// Serves what is published to a bucket until it is told to stop: a replica, which has no articles.
    pub fn run_replica(mut self, bucket: &Bucket, wakes: &Receiver<Wake>, waker: &Sender<Wake>) {
        crate::edition::encode::give_way();
        let mut outage = Outage::default();
        self.offer_encoded();
        // whether the settings that came could not be taken over, or what came was damaged
        let mut is_refused = false;
        loop {
            let mut woken: Vec<Wake> = match wakes.recv_timeout(outage.pause) {
                Ok(wake) => vec![wake],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            woken.extend(wakes.try_iter());
            if woken.contains(&Wake::Stop) {
                return;
            }
            self.improved();
            if woken.contains(&Wake::Settings) {
                self.reconfigure();
                self.load();
            }
            let before = self.settings();
            let pulled = bucket.pull(&self.disk(), None);
            // another replica in this folder, or one that was cut short, may have mirrored what is not served yet
            let is_other = pulled.is_ok() && self.disk().stamp() != self.stamp;
            if let Some((level, text)) = outage.after(pulled.map(drop), bucket.url()) {
                self.herald.state(level, &text);
            }
            if is_other {
                is_refused = !self.adopt(before.as_ref().filter(|_| !is_refused));
                if is_refused && self.disk().stamp() != self.stamp {
                    bucket.distrust(&self.disk());
                }
            } else if clock().duration_since(self.last_turn) >= IDLE {
                self.improve(waker);
            }
        }
    }

    /// Offers the edition that is mirrored now, with the settings of who published it. Whether all of that could be done.
    fn adopt(&mut self, before: Option<&serde_json::Value>) -> bool {
        let began = clock();
        let disk = self.disk();
        let manifest = disk.manifest(&mut Vec::new()).ok().flatten();
        let row = manifest.as_ref().and_then(|manifest| manifest.row.as_ref());
        let is_settled = row.and_then(|row| row.settings.as_ref()) == before || self.reconfigure();
        let stamp = self.stamp;
        if !self.load() {
            self.stamp = stamp;
            let text = "the edition that was fetched is damaged; it is fetched again";
            self.herald.state(Level::Error, text);
            return false;
        }
        self.offer_encoded();
        self.last_turn = clock();
        let edition = row.map_or(0, |row| row.edition);
        self.herald
            .state(Level::Info, &format!("edition {edition} is served"));
        let (now, took) = (self.now(), clock() - began);
        self.board.update(|status| {
            status.turns += 1;
            status.editions += 1;
            status.build = took;
            status.changed = Some(now);
        });
        is_settled
    }

    fn settings(&self) -> Option<serde_json::Value> {
        let manifest = self.manifest.as_ref()?;
        manifest.row.as_ref()?.settings.clone()
    }
}

/// When a page that is made of the documents of a bucket became what it is: the same on each machine.
pub(super) fn made_at(manifest: &Manifest) -> Option<DateTime<Utc>> {
    manifest.row.as_ref()?;
    let documents = manifest.documents.values();
    documents.map(|document| document.last_modified).max()
}
