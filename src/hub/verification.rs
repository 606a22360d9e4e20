//! Asking back: each host gets one question at a time, and who was silent comes after those that were not asked yet.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use super::books::{Asked, Seconds, seconds};
use super::courier::Verdict;
use super::delivery::Lane;
use super::request::Request;
use super::{AGAIN, Desk, lock};
use crate::client::Backoff;

/// Between the questions to one callback.
const QUESTIONS: Backoff = Backoff {
    first: Duration::from_secs(10),
    factor: 5,
    longest: Duration::from_mins(20),
};

/// Which hosts are to be asked, and when.
pub(super) struct Questions {
    queue: Mutex<Queue>,
    has_more: Notify,
    /// For hosts that are asked for the first time, and for those that were silent before.
    slots: [Arc<Semaphore>; 2],
}

#[derive(Default)]
struct Queue {
    /// First those that were not silent, each by when it is due.
    order: BTreeSet<(bool, Seconds, String)>,
    places: BTreeMap<String, (bool, Seconds)>,
    /// Those that are asked just now.
    asking: HashSet<String>,
}

impl Queue {
    /// Puts a host in its place, unless it has an earlier one.
    fn put(&mut self, host: String, was_silent: bool, due: Seconds) {
        if let Some((silent, before)) = self.places.get(&host).copied() {
            if (silent, before) <= (was_silent, due) {
                return;
            }
            self.order.remove(&(silent, before, host.clone()));
        }
        self.places.insert(host.clone(), (was_silent, due));
        self.order.insert((was_silent, due, host));
    }

    /// Takes out the first host of a kind that is due and is not asked already.
    fn take(&mut self, was_silent: bool, now: Seconds) -> Option<String> {
        let mut places = self
            .order
            .range((was_silent, Seconds::MIN, String::new())..);
        let place = places.find(|(silent, due, host)| {
            *silent != was_silent || *due > now || !self.asking.contains(host)
        });
        let place = place.filter(|(silent, due, _)| *silent == was_silent && *due <= now)?;
        let place = place.clone();
        self.order.remove(&place);
        self.places.remove(&place.2);
        self.asking.insert(place.2.clone());
        Some(place.2)
    }

    fn next(&self) -> Option<Seconds> {
        let first = |silent: bool| {
            let mut places = self.order.range((silent, Seconds::MIN, String::new())..);
            let first = places.next().filter(|place| place.0 == silent);
            first.map(|(_, due, _)| *due)
        };
        [first(false), first(true)].into_iter().flatten().min()
    }
}

impl Questions {
    pub(super) fn new(slots: usize) -> Self {
        let again = slots / 2;
        Self {
            queue: Mutex::default(),
            has_more: Notify::new(),
            slots: [(slots - again).max(1), again.max(1)]
                .map(|room| Arc::new(Semaphore::new(room))),
        }
    }

    /// A host has something to be asked.
    pub(super) fn add(&self, host: String, now: Seconds) {
        lock(&self.queue).put(host, false, now);
        self.has_more.notify_one();
    }
}

impl Desk {
    /// Asks whoever asked whether he meant it.
    pub(super) async fn verify(self: Arc<Self>) {
        // what an earlier process did not come to
        loop {
            if let Some(hosts) = self.told(self.books.hosts().await) {
                let mut queue = lock(&self.questions.queue);
                for (host, was_silent, due) in hosts {
                    queue.put(host, was_silent, due);
                }
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        loop {
            if self.follow() {
                for was_silent in [false, true] {
                    let slots = &self.questions.slots[usize::from(was_silent)];
                    while let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
                        let host = lock(&self.questions.queue).take(was_silent, self.now());
                        let Some(host) = host else { break };
                        let desk = Arc::clone(&self);
                        tokio::spawn(async move {
                            let asking = Asking {
                                questions: &desk.questions,
                                host: &host,
                            };
                            desk.verify_host(&host).await;
                            drop(asking);
                            drop(slot);
                            desk.questions.has_more.notify_one();
                        });
                    }
                }
            }
            let next = lock(&self.questions.queue).next();
            self.wait(&self.questions.has_more, next).await;
        }
    }

    /// Asks one host, question by question, until it is silent or there is nothing more to ask.
    async fn verify_host(&self, host: &str) {
        loop {
            let asked = self.books.asked_of(host.to_owned(), self.now()).await;
            let Some(asked) = self.told(asked) else {
                // nothing is asked that cannot be noted
                return self.put_off(host, false, self.now() + seconds(AGAIN));
            };
            let Some(asked) = asked else { break };
            if !self.verify_one(asked).await {
                break;
            }
        }
        let next = self.books.next_of(host.to_owned()).await;
        match self.told(next) {
            Some(Some((was_silent, due))) => self.put_off(host, was_silent, due),
            Some(None) => {}
            None => self.put_off(host, false, self.now() + seconds(AGAIN)),
        }
    }

    fn put_off(&self, host: &str, was_silent: bool, due: Seconds) {
        lock(&self.questions.queue).put(host.to_owned(), was_silent, due);
    }

    /// Asks one question; whether its answer is noted, and the host not silent.
    async fn verify_one(&self, asked: Asked) -> bool {
        let Request {
            mode,
            topic,
            callback,
            lease,
            ..
        } = &asked.request;
        let is_first = asked.tries == 0;
        let verdict = self
            .courier
            .verify(*mode, topic, callback, *lease, is_first)
            .await;
        let id = asked.id;
        let written = match verdict {
            Verdict::Meant => {
                self.count(|tally| tally.verified += 1);
                let settled = self.books.settle(asked, self.now()).await;
                for lane in [Lane::Quick, Lane::Slow] {
                    self.deliveries.has_due[lane as usize].notify_one();
                }
                settled
            }
            Verdict::NotMeant => {
                self.count(|tally| tally.unverified += 1);
                self.books.drop(id).await
            }
            Verdict::Silent => {
                self.count(|tally| tally.silent += 1);
                let again = self.now() + seconds(QUESTIONS.after(asked.tries + 1));
                self.books.postpone(id, again).await
            }
        };
        self.told(written).is_some() && verdict != Verdict::Silent
    }
}

/// A host that is asked; it is no longer when this goes.
struct Asking<'q> {
    questions: &'q Questions,
    host: &'q str,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        lock(&self.questions.queue).asking.remove(self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_once_at_a_time_and_after_silence_behind_the_others() {
        let mut queue = Queue::default();
        queue.put("silent".to_owned(), true, 5);
        queue.put("b".to_owned(), false, 7);
        queue.put("a".to_owned(), false, 8);
        queue.put("a".to_owned(), false, 9);
        assert_eq!(queue.next(), Some(5));
        assert_eq!(queue.take(false, 6), None);
        assert_eq!(queue.take(false, 8).as_deref(), Some("b"));
        // it asked again meanwhile
        queue.put("b".to_owned(), false, 8);
        assert_eq!(queue.take(false, 8).as_deref(), Some("a"));
        assert_eq!(queue.take(false, 8), None, "it is asked already");
        assert_eq!(queue.take(true, 8).as_deref(), Some("silent"));
        queue.asking.remove("b");
        assert_eq!(queue.take(false, 8).as_deref(), Some("b"));
        assert_eq!((queue.next(), queue.take(true, 99)), (None, None));
    }
}
