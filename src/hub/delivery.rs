//! Delivering what changed: page by page to all who do not have it, on two lanes, some at once to each host, and again what
//! was not taken.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::books::{Candidate, Due, seconds};
use super::courier::{Delivered, Version};
use super::{AGAIN, Desk, lock};
use crate::announce::BURST;
use crate::client::{Backoff, hurried};

/// So many subscriptions are read at once.
const PAGE: u32 = 256;
/// So many deliveries of a lane have begun or wait for their host.
const BEGUN: usize = 4096;
/// So many are under way to one host …
const OF_HOST: usize = 32;
/// … and so many more of the quick lane that are no longer prompt: many that are about to turn out slow must not keep
/// their host from the others.
const LINGERING: usize = 96;
/// How long a delivery is prompt.
const PROMPT: Duration = Duration::from_millis(250);
/// A delivery that takes longer is no longer in the way of others.
const QUICK: Duration = Duration::from_secs(1);
/// How long a delivery that has begun is not tried again, if nobody hears what became of it.
const UNDER_WAY: Duration = Duration::from_mins(2);
/// Between the tries of one delivery.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(10),
    factor: 3,
    longest: Duration::from_hours(1),
};

/// Which callbacks are delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Quick,
    /// Those that took long, or did not take it, the last time.
    Slow,
}

/// What is delivered just now, and how much room there is for more.
pub(super) struct Deliveries {
    /// The subscriptions that are delivered to.
    under_way: Mutex<HashSet<i64>>,
    /// The version of each topic that everybody is to have.
    wanted: Mutex<HashMap<String, String>>,
    hosts: [Mutex<HashMap<String, Weak<Semaphore>>>; 3],
    pub(super) has_due: [Notify; 2],
    begun: [Arc<Semaphore>; 2],
    slots: [Arc<Semaphore>; 2],
}

impl Deliveries {
    pub(super) fn new(slots: usize) -> Self {
        let quick = (slots - slots / 3).max(1);
        let slow = slots.saturating_sub(quick).max(1);
        Self {
            under_way: Mutex::default(),
            wanted: Mutex::default(),
            hosts: Default::default(),
            has_due: [Notify::new(), Notify::new()],
            begun: [BEGUN, BEGUN].map(|room| Arc::new(Semaphore::new(room))),
            slots: [quick, slow].map(|room| Arc::new(Semaphore::new(room))),
        }
    }

    /// The room that a host has.
    fn host(&self, host: &str, lane: Lane) -> Arc<Semaphore> {
        self.room(host, lane as usize, OF_HOST)
    }

    /// The room that a host has for what is no longer prompt.
    fn lingering(&self, host: &str) -> Arc<Semaphore> {
        self.room(host, 2, LINGERING)
    }

    fn room(&self, host: &str, which: usize, permits: usize) -> Arc<Semaphore> {
        let mut hosts = lock(&self.hosts[which]);
        if let Some(room) = hosts.get(host).and_then(Weak::upgrade) {
            return room;
        }
        if hosts.len() >= BEGUN {
            hosts.retain(|_, room| room.strong_count() > 0);
        }
        let room = Arc::new(Semaphore::new(permits));
        hosts.insert(host.to_owned(), Arc::downgrade(&room));
        room
    }

    fn slot(&self, lane: Lane) -> Arc<Semaphore> {
        Arc::clone(&self.slots[lane as usize])
    }
}

impl Desk {
    /// Delivers what changed, and what is due, on one lane.
    pub(super) async fn deliver(self: Arc<Self>, lane: Lane) {
        let mut news = self.news.clone();
        news.mark_changed();
        // the versions that everybody was sent
        let mut sent: BTreeMap<String, String> = BTreeMap::new();
        loop {
            if self.follow() {
                if news.has_changed().unwrap_or_default() {
                    let current = news.borrow_and_update().clone();
                    sent.retain(|route, _| current.topics.contains_key(route));
                    for (route, hash) in &current.topics {
                        if sent.get(route) == Some(hash) {
                            continue;
                        }
                        if self.deliver_topic(&current.url(route), lane).await {
                            sent.insert(route.clone(), hash.clone());
                        } else {
                            // the database refused: later
                            news.mark_changed();
                        }
                    }
                }
                self.deliver_due(lane).await;
            }
            let next = self.told(self.books.next_due(lane, self.now()).await);
            tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => {
                        news.mark_changed();
                        // what follows at once is delivered with it
                        tokio::time::sleep(hurried(BURST)).await;
                        if next.is_none() {
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                    Err(_) => return,
                },
                () = self.wait(&self.deliveries.has_due[lane as usize], next.flatten()) => {}
            }
        }
    }

    /// Delivers what a topic is now to all of a lane who do not have it; whether the database said who they are.
    async fn deliver_topic(self: &Arc<Self>, topic: &str, lane: Lane) -> bool {
        let mut after = 0;
        loop {
            // one that is not there just now comes with the next news
            let Some(version) = self.version(topic) else {
                return true;
            };
            // who is just being sent an older one is sent this one then
            lock(&self.deliveries.wanted).insert(topic.to_owned(), version.tag.clone());
            let behind =
                self.books
                    .behind(topic.to_owned(), version.tag, lane, after, self.now(), PAGE);
            let Some(behind) = self.told(behind.await) else {
                return false;
            };
            let Some(last) = behind.last() else {
                return true;
            };
            after = last.id;
            for candidate in behind {
                self.start(candidate, lane).await;
            }
        }
    }

    async fn deliver_due(self: &Arc<Self>, lane: Lane) {
        let mut after = (0, 0);
        loop {
            let due = self.books.due(lane, after, self.now(), PAGE).await;
            let due = self.told(due).unwrap_or_default();
            let Some((instant, last)) = due.last() else {
                return;
            };
            after = (*instant, last.id);
            for (_, candidate) in due {
                self.start(candidate, lane).await;
            }
        }
    }

    /// Begins a delivery as soon as not too many have, unless it is under way already.
    async fn start(self: &Arc<Self>, candidate: Candidate, lane: Lane) {
        let begun = Arc::clone(&self.deliveries.begun[lane as usize]);
        let Ok(begun) = begun.acquire_owned().await else {
            return;
        };
        if !lock(&self.deliveries.under_way).insert(candidate.id) {
            return;
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            desk.deliver_to(&candidate, lane).await;
            drop(begun);
        });
    }

    /// Delivers what a topic is now, and again what everybody is to have by then.
    async fn deliver_to(&self, candidate: &Candidate, lane: Lane) {
        let mut under_way = UnderWay {
            deliveries: &self.deliveries,
            id: candidate.id,
            is_over: false,
        };
        let of_host = self.deliveries.host(&candidate.host, lane).acquire_owned();
        let Ok(of_host) = of_host.await else {
            return;
        };
        let Ok(slot) = self.deliveries.slot(lane).acquire_owned().await else {
            return;
        };
        let mut place = Place {
            lane,
            _slot: slot,
            of_host,
        };
        // of a topic that is not there just now nothing is delivered until it is
        while let Some(version) = self.version(&candidate.topic) {
            let until = self.now() + seconds(UNDER_WAY);
            let due = self
                .books
                .take(candidate.id, version.tag.clone(), self.now(), until);
            // it may have ended, or have another secret, by now
            let Some(Some(due)) = self.told(due.await) else {
                break;
            };
            let began = Instant::now();
            let outcome = self.send(&due, &version, &mut place).await;
            let is_slow = began.elapsed() > QUICK;
            self.note(&due, version.tag.clone(), outcome, is_slow).await;
            if under_way.ends(&candidate.topic, &version.tag) {
                break;
            }
        }
    }

    /// Sends a version. If that takes long, it goes on at another place, as soon as there is one, so that whoever is quick
    /// need not wait for it.
    async fn send(&self, due: &Due, version: &Version, place: &mut Place) -> Delivered {
        let secret = due.secret.as_deref();
        let sending = self
            .courier
            .deliver(version, &due.callback, secret, place.lane);
        tokio::pin!(sending);
        if place.lane == Lane::Quick {
            if let Ok(outcome) = tokio::time::timeout(PROMPT, &mut sending).await {
                return outcome;
            }
            let lingering = self.deliveries.lingering(due.callback.host());
            if let Ok(lingering) = lingering.try_acquire_owned() {
                place.of_host = lingering;
            }
            if let Ok(outcome) =
                tokio::time::timeout(QUICK.saturating_sub(PROMPT), &mut sending).await
            {
                return outcome;
            }
            // where there is no room aside it is tried again later, on the other lane: waiting here is at the cost of the quick
            let slot = self.deliveries.slot(Lane::Slow).try_acquire_owned();
            let of_host = self.deliveries.host(due.callback.host(), Lane::Slow);
            let (Ok(slot), Ok(of_host)) = (slot, of_host.try_acquire_owned()) else {
                return Delivered::Failed("it is slow, as too many others are".to_owned());
            };
            *place = Place {
                lane: Lane::Slow,
                _slot: slot,
                of_host,
            };
        }
        sending.await
    }

    async fn note(&self, due: &Due, tag: String, outcome: Delivered, is_slow: bool) {
        let written = match outcome {
            Delivered::Taken => {
                self.count(|tally| tally.delivered += 1);
                let lane = if is_slow { Lane::Slow } else { Lane::Quick };
                self.books.delivered(due.key(), tag, lane).await
            }
            Delivered::Gone => {
                self.count(|tally| tally.gone += 1);
                self.books.end(due.key()).await
            }
            Delivered::Failed(why) => {
                self.count(|tally| tally.failed += 1);
                tracing::debug!("{} was not delivered: {why}", due.callback.as_str());
                let wait = |failures| BACKOFF.after(failures);
                let written = self.books.failed(due.key(), tag, self.now(), wait).await;
                // from now on it is on the other lane, and due at another time
                self.deliveries.has_due[Lane::Slow as usize].notify_one();
                written
            }
        };
        self.told(written);
    }

    /// Tells all who are subscribed to a topic that it is gone.
    pub(super) async fn disband(self: &Arc<Self>, topic: &str) {
        loop {
            let subscribers = self.books.disband(topic.to_owned(), PAGE).await;
            let subscribers = self.told(subscribers).unwrap_or_default();
            if subscribers.is_empty() {
                return;
            }
            for callback in subscribers {
                let Ok(slot) = self.deliveries.slot(Lane::Slow).acquire_owned().await else {
                    return;
                };
                let (desk, topic) = (Arc::clone(self), topic.to_owned());
                tokio::spawn(async move {
                    let reason = "this feed is published no longer";
                    desk.courier.deny(&topic, &callback, reason).await;
                    drop(slot);
                });
            }
        }
    }
}

/// The room that a delivery takes up.
struct Place {
    lane: Lane,
    _slot: OwnedSemaphorePermit,
    of_host: OwnedSemaphorePermit,
}

/// A delivery; it is over when this goes, however it ended.
struct UnderWay<'d> {
    deliveries: &'d Deliveries,
    id: i64,
    is_over: bool,
}

impl UnderWay<'_> {
    /// Whether everybody is to have what was just sent; if so, it is over.
    fn ends(&mut self, topic: &str, tag: &str) -> bool {
        let mut under_way = lock(&self.deliveries.under_way);
        // asked under the lock: whoever wants another version has said so before he looks whether this is under way
        let wanted = lock(&self.deliveries.wanted);
        let is_newest = wanted.get(topic).is_none_or(|wanted| wanted == tag);
        if is_newest {
            under_way.remove(&self.id);
            self.is_over = true;
        }
        is_newest
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // once it is over another delivery may have begun, and that is no affair of this one
        if !self.is_over {
            lock(&self.deliveries.under_way).remove(&self.id);
        }
    }
}
