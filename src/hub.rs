//! The hub that `serve` is for its own feeds (WebSub): who asks is asked back whether he means it, and is then sent each
//! version of a feed when it is published. Nothing else is pushed here, and nobody else's.
//!
//! What must survive is in the books, a database; what runs is here. Two lanes deliver: one for callbacks that are quick,
//! and one for those that were not lately, or are not just now, so that slow ones hold up nobody.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use http::{StatusCode, header};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use url::Url;

use crate::announce::News;
use crate::client::hurried;
use crate::crank::Window;
use crate::served::Target;
use crate::store::Lock;

mod address;
mod books;
mod courier;
mod delivery;
mod request;
mod verification;

use books::{Books, Full, Seconds, seconds};
use courier::{Courier, Version};
use delivery::{Deliveries, Lane};
pub use request::Refusal;
use request::{Mode, Request};
use verification::Questions;

/// Requests that wait to be written; more are told to come again.
const WAITING: usize = 256;
/// Who hands something in need not wait longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A request is verified no earlier than this after it came, so that its answer is there before the question.
const POLITE: Duration = Duration::from_millis(100);
/// How often what is over is forgotten.
const TIDY: Duration = Duration::from_mins(1);
/// When the feeds were served at another public address for this time, subscriptions to the old one end.
const MOVED: Duration = Duration::from_hours(1);
/// How often is looked whether another hub at this database has gone, and whether one that refuses does so still.
const AGAIN: Duration = Duration::from_secs(5);
/// Held by the hub while it runs.
const LOCK: &str = "hub.lock";

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
            text: "the hub does not take anything just now; try again".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let letter = Letter { form, reply };
        self.letters.try_send(letter).map_err(|error| match error {
            TrySendError::Full(_) => busy(),
            TrySendError::Closed(_) => Refusal {
                status: StatusCode::NOT_FOUND,
                text: "the hub is not at this machine".to_owned(),
            },
        })?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(busy()),
        }
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
        let _lock = self.lock().await?;
        let desk = Arc::new(Desk {
            books: Books::open(&self.state)?,
            courier: Courier::new()?,
            window: self.window,
            news: self.news.clone(),
            clock: self.clock,
            deliveries: Deliveries::new(self.slots - self.slots / 4),
            questions: Questions::new(self.slots / 4),
            tally: self.tally,
            complaint: Mutex::default(),
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
                // whoever asked may have gone; what he asked for is asked for
                let _ = letter
                    .reply
                    .send(outcome.as_ref().map(drop).map_err(Clone::clone));
                if let Ok(host) = outcome {
                    tokio::time::sleep(POLITE).await;
                    desk.questions.add(host, desk.now());
                }
            });
        }
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    }

    /// Waits until no other hub works with this database: both would deliver.
    async fn lock(&self) -> Result<Lock> {
        loop {
            match Lock::try_of(&self.state, LOCK)? {
                Some(lock) => return Ok(lock),
                None => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

/// What all tasks of the hub share.
struct Desk {
    books: Books,
    courier: Courier,
    window: Window,
    news: watch::Receiver<News>,
    clock: fn() -> SystemTime,
    deliveries: Deliveries,
    questions: Questions,
    tally: Arc<Mutex<Tally>>,
    /// What the database refused last.
    complaint: Mutex<Option<String>>,
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

    /// The route of a topic, if it is written as ours are.
    fn route(&self, topic: &str) -> Option<String> {
        let news = self.news.borrow();
        let path = topic.strip_prefix(news.base.as_str())?;
        let route = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .ok()?;
        (news.url(&route) == topic).then(|| route.into_owned())
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

    /// Returns whether a topic is no feed of ours any more because the public address changed. A wrong address is corrected
    /// soon: the topic rests until the new one is public and was served for an hour.
    fn has_moved(&self, topic: &str, address: Option<&(Duration, Option<String>)>) -> bool {
        let Some((served, former)) = address else {
            return false;
        };
        if *served < hurried(MOVED) {
            return false;
        }
        let is_former = former
            .as_ref()
            .is_some_and(|former| topic.starts_with(former));
        match self.route(topic) {
            None => true,
            Some(route) if is_former => self
                .window
                .load_full()
                .is_some_and(|offer| offer.served.find(&route).is_none()),
            Some(_) => false,
        }
    }

    /// Notes that the feeds were served for some time more. Returns for how long they were at their public address in all,
    /// and what that was before; `None` if it is not public.
    async fn address(&self, more: Duration) -> Option<(Duration, Option<String>)> {
        let base = self.news.borrow().base.clone();
        let is_public = Url::parse(&base).is_ok_and(|base| crate::site::is_public(&base));
        if !is_public || self.window.load().is_none() {
            return None;
        }
        self.told(self.books.serve_at(base, more).await)
    }

    /// Takes a request in; the host that is to be asked.
    async fn file(&self, form: &[u8]) -> Result<String, Refusal> {
        let request = Request::parse(form)?;
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
        if !is_ours && request.mode == Mode::Subscribe {
            let text =
                "`hub.topic` is no feed of this site: use the address that its `rel=\"self\"` says";
            return refuse(StatusCode::NOT_FOUND, text);
        }
        if self.route(&request.topic).is_none() {
            return refuse(StatusCode::NOT_FOUND, "`hub.topic` is nothing of this site");
        }
        if self.courier.refuses(&request.callback) {
            let text = "`hub.callback` is at an address that is not public";
            return refuse(StatusCode::FORBIDDEN, text);
        }
        let host = request.callback.host().to_owned();
        match self.books.file(request, self.now()).await {
            Ok(Ok(())) => Ok(host),
            Ok(Err(Full::Host)) => refuse(
                StatusCode::TOO_MANY_REQUESTS,
                "this host has as many subscriptions as one may have",
            ),
            Ok(Err(Full::All)) => refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are as many subscriptions as this hub takes; try again later",
            ),
            Err(error) => {
                self.told::<()>(Err(error));
                refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the hub cannot keep this just now; try again",
                )
            }
        }
    }

    /// Forgets what is over, and ends what cannot go on, now and then.
    async fn tidy(self: Arc<Self>) {
        let mut news = self.news.clone();
        let mut last = Instant::now();
        loop {
            // a machine that slept served nobody
            let more = last.elapsed().min(hurried(TIDY) * 2);
            last = Instant::now();
            if let Some(count) = self.told(self.books.tidy(self.now()).await) {
                self.count(|tally| tally.subscriptions = count);
            }
            if self.follow() {
                let address = self.address(more).await;
                for topic in self.told(self.books.topics().await).unwrap_or_default() {
                    if self.is_gone(&topic) || self.has_moved(&topic, address.as_ref()) {
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

    /// A database that refuses is told of, once; the rest goes on, since what is not written is done again.
    fn told<T>(&self, outcome: Result<T>) -> Option<T> {
        let error = match outcome {
            Ok(value) => {
                if lock(&self.complaint).take().is_some() {
                    tracing::info!("the hub's database takes what it is told again");
                }
                return Some(value);
            }
            Err(error) => format!("{error:#}"),
        };
        let before = lock(&self.complaint).replace(error.clone());
        if before.as_ref() != Some(&error) {
            tracing::error!("the hub's database refuses: {error}");
        }
        None
    }

    /// Waits until something is said to be there, or it is time.
    async fn wait(&self, said: &Notify, time: Option<Seconds>) {
        let wait = time.map_or(TIDY, |time| {
            let seconds = u64::try_from(time - self.now()).unwrap_or_default();
            // what is due and cannot be done, since it is under way or the hub is off, is not tried without a pause
            Duration::from_secs(seconds).clamp(POLITE, TIDY)
        });
        // one that refuses is not asked all the time
        let wait = if lock(&self.complaint).is_some() {
            tokio::time::sleep(AGAIN).await;
            Duration::ZERO
        } else {
            wait
        };
        tokio::select! {
            () = said.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What it holds is whole whatever its last user did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
