//! The hub that `serve` is for its own feeds (WebSub): who asks is asked back whether he means it, and is then sent each
//! version of a feed when it is published. Nothing else is pushed here, and nobody else's.
//!
//! What must survive is in the books, a database; what runs is here. Two lanes deliver: one for callbacks that are quick,
//! and one for those that were not lately, or are not just now, so that slow ones hold up nobody.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use http::{StatusCode, header};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::announce::{BURST, News};
use crate::client::{Backoff, hurried};
use crate::crank::Window;
use crate::served::Target;

mod address;
mod books;
mod courier;
mod request;

use books::{Asked, Books, Due, Full, Seconds, seconds};
use courier::{Courier, Delivered, Verdict, Version};
pub use request::Refusal;
use request::{Callback, Request};

/// Requests that wait to be written; more are told to come again.
const WAITING: usize = 256;
/// A request is verified no earlier than this after it came, so that its answer is there before the question.
const POLITE: Duration = Duration::from_millis(100);
/// So many hosts are asked at once whether they meant it.
const ASKING: usize = 256;
/// So many subscriptions are read at once.
const PAGE: u32 = 256;
/// A delivery that takes longer is no longer in the way of others.
const QUICK: Duration = Duration::from_secs(1);
/// How long a delivery that is under way is not tried again, whatever became of it.
const UNDER_WAY: Duration = Duration::from_mins(2);
/// How often what is over is forgotten.
const TIDY: Duration = Duration::from_mins(1);
/// Between the tries of one delivery.
const DELIVERIES: Backoff = Backoff {
    first: Duration::from_secs(10),
    factor: 3,
    longest: Duration::from_hours(1),
};
/// Between the questions to one callback.
const QUESTIONS: Backoff = Backoff {
    first: Duration::from_secs(10),
    factor: 5,
    longest: Duration::from_mins(20),
};

/// What the hub has done, for `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many subscriptions there are.
    pub subscriptions: u64,
    /// Versions that were taken.
    pub delivered: u64,
    /// Tries that came to nothing.
    pub failed: u64,
    /// Subscriptions that their callbacks ended with 410.
    pub gone: u64,
    /// Requests that were meant.
    pub verified: u64,
    /// Requests that were not.
    pub unverified: u64,
    /// Questions that a callback did not answer.
    pub silent: u64,
}

/// Where requests are handed in.
#[derive(Debug, Clone)]
pub struct Inbox {
    letters: mpsc::Sender<Letter>,
    tally: Arc<Mutex<Tally>>,
}

#[derive(Debug)]
struct Letter {
    form: Vec<u8>,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

impl Inbox {
    /// Hands in a form. It is durable when this returns, and is verified then.
    ///
    /// # Errors
    /// If it is refused: what the subscriber is to be told.
    pub async fn hand_in(&self, form: Vec<u8>) -> Result<(), Refusal> {
        let busy = || Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "the hub has too much to do; try again".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let letter = Letter { form, reply };
        self.letters.try_send(letter).map_err(|_| busy())?;
        answer.await.unwrap_or_else(|_| Err(busy()))
    }

    /// What the hub has done.
    #[must_use]
    pub fn tally(&self) -> Tally {
        *lock(&self.tally)
    }
}

/// The hub.
pub struct Hub {
    letters: mpsc::Receiver<Letter>,
    news: watch::Receiver<News>,
    window: Window,
    state: PathBuf,
    clock: fn() -> SystemTime,
    slots: usize,
    tally: Arc<Mutex<Tally>>,
}

impl Hub {
    /// A hub for what stands in `window`, with its database in the state folder `state`. At most `slots` connections to
    /// callbacks are open at once.
    #[must_use]
    pub fn new(
        news: watch::Receiver<News>,
        window: Window,
        state: PathBuf,
        clock: fn() -> SystemTime,
        slots: usize,
    ) -> (Self, Inbox) {
        let (sender, letters) = mpsc::channel(WAITING);
        let tally = Arc::default();
        let inbox = Inbox {
            letters: sender,
            tally: Arc::clone(&tally),
        };
        let hub = Self {
            letters,
            news,
            window,
            state,
            clock,
            slots,
            tally,
        };
        (hub, inbox)
    }

    /// Works as long as the process lives, or until nobody can hand anything in.
    ///
    /// # Errors
    /// If the database cannot be opened, or the machine has no certificates to trust.
    pub async fn run(mut self) -> Result<()> {
        // without `[hub]` there is not even a file
        while !self.news.borrow_and_update().hub.enabled {
            if self.news.changed().await.is_err() {
                return Ok(());
            }
        }
        let quick = self.slots.div_ceil(3);
        let desk = Arc::new(Desk {
            books: Books::open(&self.state)?,
            courier: Courier::new()?,
            window: self.window,
            news: self.news.clone(),
            clock: self.clock,
            under_way: Mutex::default(),
            asking: Mutex::default(),
            has_letters: Notify::new(),
            has_due: [Notify::new(), Notify::new()],
            lanes: [
                Arc::new(Semaphore::new(quick)),
                Arc::new(Semaphore::new(self.slots.saturating_sub(quick).max(1))),
            ],
            tally: self.tally,
        });
        desk.follow();
        let tasks = [
            tokio::spawn(Arc::clone(&desk).verify()),
            tokio::spawn(Arc::clone(&desk).deliver(Lane::Quick)),
            tokio::spawn(Arc::clone(&desk).deliver(Lane::Slow)),
            tokio::spawn(Arc::clone(&desk).tidy()),
        ];
        while let Some(letter) = self.letters.recv().await {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move {
                let outcome = desk.file(&letter.form).await;
                let is_filed = outcome.is_ok();
                // whoever asked may have gone; what he asked for is asked for
                let _ = letter.reply.send(outcome);
                if is_filed {
                    tokio::time::sleep(POLITE).await;
                    desk.has_letters.notify_one();
                }
            });
        }
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    }
}

/// Which callbacks are delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Quick,
    /// Those that took long, or did not take it, the last time.
    Slow,
}

/// What all tasks of the hub share.
struct Desk {
    books: Books,
    courier: Courier,
    window: Window,
    news: watch::Receiver<News>,
    clock: fn() -> SystemTime,
    /// The subscriptions that are delivered to just now, and whether they are to be again at once.
    under_way: Mutex<HashMap<i64, bool>>,
    /// The hosts that are asked just now whether they meant it.
    asking: Mutex<HashSet<String>>,
    has_letters: Notify,
    has_due: [Notify; 2],
    lanes: [Arc<Semaphore>; 2],
    tally: Arc<Mutex<Tally>>,
}

impl Desk {
    fn now(&self) -> Seconds {
        let since = (self.clock)().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, seconds)
    }

    /// Takes over what the configuration says now; whether the hub is switched on.
    fn follow(&self) -> bool {
        let news = self.news.borrow();
        self.courier.allow(&news.hub.allow);
        news.hub.enabled
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut lock(&self.tally));
    }

    /// The route of a topic, if it is one of ours.
    fn route(&self, topic: &str) -> Option<String> {
        let base = self.news.borrow().base.clone();
        let path = topic.strip_prefix(base.as_str())?;
        let route = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .ok()?;
        Some(route.into_owned())
    }

    /// What a topic is now, if it is a feed that is served.
    fn version(&self, topic: &str) -> Option<Version> {
        let route = self.route(topic)?;
        let offer = self.window.load_full()?;
        let resource = offer.served.resource(&route)?;
        // one that has aliases is subscribed to by its own address
        if !resource.kind.is_feed() || resource.route != route {
            return None;
        }
        let headers = resource.identity_headers()?;
        Some(Version {
            tag: resource.tag.clone(),
            bytes: resource.identity()?.clone(),
            media: headers.get(header::CONTENT_TYPE)?.clone(),
            links: headers.get(header::LINK)?.clone(),
        })
    }

    /// Whether a topic of ours went for good.
    fn is_gone(&self, topic: &str) -> bool {
        let target = self.route(topic).and_then(|route| {
            let offer = self.window.load_full()?;
            offer.served.find(&route).cloned()
        });
        matches!(target, Some(Target::Gone))
    }

    /// Takes a request in.
    async fn file(&self, form: &[u8]) -> Result<(), Refusal> {
        let mut request = Request::parse(form)?;
        // the same address may be written in several ways
        if let Ok(topic) = url::Url::parse(&request.topic) {
            request.topic = topic.into();
        }
        let refuse = |status, text: &str| {
            Err(Refusal {
                status,
                text: text.to_owned(),
            })
        };
        if !self.follow() {
            return refuse(StatusCode::NOT_FOUND, "there is no hub here");
        }
        let is_ours = self.version(&request.topic).is_some();
        // who has what went may still end it
        if !is_ours && request.mode == request::Mode::Subscribe {
            let text =
                "`hub.topic` is no feed of this site: use the address that its `rel=\"self\"` says";
            return refuse(StatusCode::NOT_FOUND, text);
        }
        if !is_ours && self.route(&request.topic).is_none() {
            return refuse(StatusCode::NOT_FOUND, "`hub.topic` is nothing of this site");
        }
        if self.courier.refuses(&request.callback) {
            let text = "`hub.callback` is at an address that is not public";
            return refuse(StatusCode::FORBIDDEN, text);
        }
        match self.books.file(request, self.now()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Full::Host)) => refuse(
                StatusCode::TOO_MANY_REQUESTS,
                "this host has as many subscriptions as one may have",
            ),
            Ok(Err(Full::All)) => refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are as many subscriptions as this hub takes; try again later",
            ),
            Err(error) => {
                tracing::error!("a subscription cannot be kept: {error:#}");
                refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the hub cannot keep this just now; try again",
                )
            }
        }
    }

    /// Asks whoever asked whether he meant it: one question to a host at a time.
    async fn verify(self: Arc<Self>) {
        let slots = Arc::new(Semaphore::new(ASKING));
        loop {
            if self.follow() {
                let asked = self.books.asked(self.now()).await;
                for asked in told(asked).unwrap_or_default() {
                    if !lock(&self.asking).insert(asked.host.clone()) {
                        continue;
                    }
                    let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                        return;
                    };
                    let desk = Arc::clone(&self);
                    tokio::spawn(async move {
                        let host = asked.host.clone();
                        desk.verify_host(asked).await;
                        lock(&desk.asking).remove(&host);
                        drop(slot);
                        // what came for this host in the meantime was passed over
                        desk.has_letters.notify_one();
                    });
                }
            }
            let next = told(self.books.next_asked().await).flatten();
            self.wait(&self.has_letters, next).await;
        }
    }

    /// Asks one host, question by question.
    async fn verify_host(&self, first: Asked) {
        let host = first.host.clone();
        let mut next = Some(first);
        while let Some(asked) = next {
            self.verify_one(asked).await;
            next = told(self.books.asked_of(host.clone(), self.now()).await).flatten();
        }
    }

    async fn verify_one(&self, asked: Asked) {
        let Request {
            mode,
            topic,
            callback,
            lease,
            ..
        } = &asked.request;
        let verdict = self.courier.verify(*mode, topic, callback, *lease).await;
        let id = asked.id;
        let written = match verdict {
            Verdict::Meant => {
                self.count(|tally| tally.verified += 1);
                let settled = self.books.settle(asked, self.now()).await;
                self.has_due[Lane::Quick as usize].notify_one();
                self.has_due[Lane::Slow as usize].notify_one();
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
        told(written);
    }

    /// Delivers what changed, and what is due again, on one lane.
    async fn deliver(self: Arc<Self>, lane: Lane) {
        let is_slow = lane == Lane::Slow;
        let mut news = self.news.clone();
        news.mark_changed();
        // the versions that everybody was sent
        let mut sent: BTreeMap<String, String> = BTreeMap::new();
        loop {
            if self.follow() {
                if news.has_changed().unwrap_or_default() {
                    let current = news.borrow_and_update().clone();
                    for (route, hash) in &current.topics {
                        if sent.get(route) != Some(hash) {
                            self.deliver_topic(&current.url(route), lane).await;
                        }
                    }
                    sent = current.topics;
                }
                loop {
                    let (now, until) = (self.now(), self.now() + seconds(UNDER_WAY));
                    let due = self.books.due(is_slow, now, until, PAGE).await;
                    let due = told(due).unwrap_or_default();
                    let is_last = due.len() < PAGE as usize;
                    for due in due {
                        self.start(due, lane).await;
                    }
                    if is_last {
                        break;
                    }
                }
            }
            let next = told(self.books.next_due(is_slow).await).flatten();
            tokio::select! {
                changed = news.changed() => match changed {
                    // what follows at once is delivered with it
                    Ok(()) => {
                        news.mark_changed();
                        tokio::time::sleep(hurried(BURST)).await;
                    }
                    Err(_) => return,
                },
                () = self.wait(&self.has_due[lane as usize], next) => {}
            }
        }
    }

    /// Delivers what a topic is now to all of a lane who do not have it.
    async fn deliver_topic(self: &Arc<Self>, topic: &str, lane: Lane) {
        let mut after = 0;
        loop {
            let Some(version) = self.version(topic) else {
                return;
            };
            let is_slow = lane == Lane::Slow;
            let behind = self.books.behind(
                topic.to_owned(),
                version.tag,
                is_slow,
                after,
                self.now(),
                PAGE,
            );
            let behind = told(behind.await).unwrap_or_default();
            let Some(last) = behind.last() else { return };
            after = last.id;
            for due in behind {
                self.start(due, lane).await;
            }
        }
    }

    /// Begins a delivery when there is room on its lane.
    async fn start(self: &Arc<Self>, due: Due, lane: Lane) {
        // one that is under way may be of an older version
        if let Some(again) = lock(&self.under_way).get_mut(&due.id) {
            *again = true;
            return;
        }
        let Ok(slot) = Arc::clone(&self.lanes[lane as usize]).acquire_owned().await else {
            return;
        };
        if lock(&self.under_way).insert(due.id, false).is_some() {
            // the other lane was quicker
            lock(&self.under_way).insert(due.id, true);
            return;
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            desk.deliver_to(due, lane, slot).await;
        });
    }

    /// Delivers what a topic is now, and again what it has become in the meantime.
    async fn deliver_to(self: Arc<Self>, due: Due, lane: Lane, slot: OwnedSemaphorePermit) {
        let mut place = (lane, slot);
        // however it ends, it is not under way any longer
        let mut under_way = UnderWay {
            under_way: &self.under_way,
            id: due.id,
            is_over: false,
        };
        // of a topic that is not there just now nothing is delivered until it is
        while let Some(version) = self.version(&due.topic) {
            let began = Instant::now();
            let outcome = self.send(&due, &version, &mut place).await;
            let is_slow = began.elapsed() > QUICK;
            self.note(&due, version.tag, outcome, is_slow).await;
            if under_way.ends() {
                break;
            }
        }
    }

    /// Sends a version. If that takes long, it goes on at another place, as soon as there is one, so that whoever is quick
    /// need not wait for it.
    async fn send(
        &self,
        due: &Due,
        version: &Version,
        place: &mut (Lane, OwnedSemaphorePermit),
    ) -> Delivered {
        let secret = due.secret.as_deref();
        let sending = self.courier.deliver(version, &due.callback, secret);
        tokio::pin!(sending);
        if place.0 == Lane::Quick {
            if let Ok(outcome) = tokio::time::timeout(QUICK, &mut sending).await {
                return outcome;
            }
            let aside = Arc::clone(&self.lanes[Lane::Slow as usize]).acquire_owned();
            tokio::select! {
                outcome = &mut sending => return outcome,
                room = aside => if let Ok(room) = room {
                    *place = (Lane::Slow, room);
                },
            }
        }
        sending.await
    }

    async fn note(&self, due: &Due, tag: String, outcome: Delivered, is_slow: bool) {
        let written = match outcome {
            Delivered::Taken => {
                self.count(|tally| tally.delivered += 1);
                self.books.delivered(due.id, tag, is_slow).await
            }
            Delivered::Gone => {
                self.count(|tally| tally.gone += 1);
                self.books.end(due.id).await
            }
            Delivered::Failed(why) => {
                self.count(|tally| tally.failed += 1);
                tracing::debug!(
                    "{} was not delivered to {}: {why}",
                    due.topic,
                    due.callback.as_str()
                );
                let wait = |failures| DELIVERIES.after(failures);
                let written = self.books.failed(due.id, tag, self.now(), wait).await;
                // from now on it is on the other lane, and due at another time
                self.has_due[Lane::Slow as usize].notify_one();
                written
            }
        };
        told(written);
    }

    /// Forgets what is over, and ends what cannot go on, now and then.
    async fn tidy(self: Arc<Self>) {
        let mut news = self.news.clone();
        loop {
            if let Some(count) = told(self.books.tidy(self.now()).await) {
                self.count(|tally| tally.subscriptions = count);
            }
            if self.follow() {
                for topic in told(self.books.topics().await).unwrap_or_default() {
                    if self.is_gone(&topic) {
                        self.disband(&topic).await;
                    }
                }
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(hurried(TIDY)) => {}
            }
        }
    }

    /// Tells all who are subscribed to a topic that it is gone.
    async fn disband(self: &Arc<Self>, topic: &str) {
        loop {
            let subscribers = self.books.disband(topic.to_owned(), PAGE).await;
            let subscribers: Vec<Callback> = told(subscribers).unwrap_or_default();
            if subscribers.is_empty() {
                return;
            }
            for callback in subscribers {
                let lane = Arc::clone(&self.lanes[Lane::Slow as usize]);
                let Ok(slot) = lane.acquire_owned().await else {
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

    /// Waits until something is said to be there, or it is time.
    async fn wait(&self, said: &Notify, time: Option<Seconds>) {
        let wait = time.map_or(TIDY, |time| {
            let seconds = u64::try_from(time - self.now()).unwrap_or_default();
            // what is due and cannot be done, since the database refuses or the hub is off, is not tried without a pause
            Duration::from_secs(seconds).clamp(POLITE, TIDY)
        });
        tokio::select! {
            () = said.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A delivery; it is over when this goes, however it ended.
struct UnderWay<'d> {
    under_way: &'d Mutex<HashMap<i64, bool>>,
    id: i64,
    is_over: bool,
}

impl UnderWay<'_> {
    /// Whether there is no newer version that is to follow at once; if so, it is over.
    fn ends(&mut self) -> bool {
        let mut under_way = lock(self.under_way);
        match under_way.get_mut(&self.id) {
            Some(again) if *again => {
                *again = false;
                false
            }
            _ => {
                under_way.remove(&self.id);
                self.is_over = true;
                true
            }
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // once it is over another delivery may have begun, and that is no affair of this one
        if !self.is_over {
            lock(self.under_way).remove(&self.id);
        }
    }
}

/// A database that refuses is told of; the rest goes on, since what is not written is done again.
fn told<T>(outcome: Result<T>) -> Option<T> {
    outcome
        .inspect_err(|error| tracing::error!("the hub's database refuses: {error:#}"))
        .ok()
}

/// What it holds is whole whatever its last user did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
