//! The crank of `tidings serve`: turns the publisher whenever something wakes it, and puts each new edition in the place
//! of the old. Synchronous, on a thread of its own; requests never wait for it.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};

use crate::config::{Config, Serve, Target};
use crate::edition::{Manifest, encode};
use crate::folder::{self, Finished};
use crate::problem::{Level, Problem};
use crate::publisher::{Desk, Halt, Order, Progress, Publisher, Turn};
use crate::served::{Resource, Served, Terms};
use crate::status::Board;
use crate::store::{Disk, ManifestStamp, Ready, Shelf};
use crate::watch::{Identity, Stamp, Wake, Watch, When, clock};

mod elsewhere;
mod gallery;
mod mending;
mod offer;
mod offering;
mod trouble;

use gallery::Gallery;
use mending::Mending;
use trouble::{GAP, Trouble};

/// What the server offers now: an edition, and the shelf that its larger documents lie on.
#[derive(Debug)]
pub struct Offer {
    /// Every path that is answered.
    pub served: Arc<Served>,
    /// Where the larger documents lie.
    pub shelf: Option<Shelf>,
    /// What `[serve]` says.
    pub settings: Serve,
}

/// The place where the server finds what it offers; empty until there is an edition.
pub type Window = Arc<ArcSwapOption<Offer>>;

/// How to get the configuration anew.
pub type Reload = Box<dyn Fn() -> Result<Config, Vec<Problem>> + Send>;

/// Who hears what the author or the operator should know.
pub trait Herald: Send {
    /// A problem that was not there before.
    fn problem(&self, problem: &Problem);
    /// What a turn changed for subscribers.
    fn turn(&self, turn: &Turn, config: &Config);
    /// That this is published, durable and offered.
    fn published(&self, manifest: &Manifest, config: &Config);
    /// That something stands in the way, and that it does no longer.
    fn state(&self, level: Level, text: &str);
}

/// How often is looked for what no event tells: a swapped folder, another configuration, another publisher.
const TICK: Duration = Duration::from_secs(1);
/// How often a configuration that is being written is looked at.
const SETTLING: Duration = Duration::from_millis(50);
/// How often the folder is walked where there are no events.
const POLL: Duration = Duration::from_secs(2);
/// A periodic walk gives way to what happens in the folder, until it is so many times overdue.
const OVERDUE: u32 = 5;
/// How long nothing must happen before better encodings are made.
const IDLE: Duration = Duration::from_secs(1);
/// How long to wait for a run of `tidings build`.
const LOCK: Duration = Duration::from_secs(10);

/// A path, with its document in better encodings, if there are any.
type Better = (String, Option<Arc<Resource>>);

/// Turns the publisher.
pub struct Crank {
    config: Config,
    config_file: PathBuf,
    reload: Reload,
    window: Window,
    board: Board,
    herald: Box<dyn Herald>,
    clock: fn() -> SystemTime,
    finished: Finished,
    /// What the folder and the configuration were when they were last read.
    identity: Identity,
    /// What the configuration became, and since when it is that.
    settling: Option<(Stamp, Instant)>,
    /// The manifest that is offered.
    manifest: Option<Manifest>,
    /// What the last turn left for the next.
    desk: Desk,
    next: Option<DateTime<Utc>>,
    /// Problems of the last turn, as text.
    told: BTreeSet<String>,
    trouble: Option<Trouble>,
    /// Why there are no events, as it was told.
    deaf: Option<String>,
    /// Aliases that lead nowhere, as they were told.
    astray: Vec<String>,
    /// The pages that show the feeds.
    gallery: Gallery,
    /// By which the manifest on disk is known to be ours.
    stamp: Option<ManifestStamp>,
    /// Entity tags of what has its best encodings.
    best: HashSet<String>,
    /// Where better encodings come from, while they are made.
    better: Option<Receiver<Better>>,
    last_turn: Instant,
}

struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &'static str, _: usize) {}
    fn step(&self) {}
}

impl Crank {
    /// For a site. Nothing is read yet.
    #[must_use]
    pub fn new(
        config: Config,
        config_file: PathBuf,
        reload: Reload,
        herald: Box<dyn Herald>,
        clock_of_day: fn() -> SystemTime,
    ) -> Self {
        Self {
            identity: Identity::of(&config.articles, &config_file),
            config,
            config_file,
            reload,
            window: Window::default(),
            board: Board::default(),
            herald,
            clock: clock_of_day,
            finished: Finished::watching(),
            manifest: None,
            desk: Desk::that_stays(),
            next: None,
            told: BTreeSet::new(),
            trouble: None,
            settling: None,
            deaf: None,
            astray: Vec::new(),
            gallery: Gallery::default(),
            stamp: None,
            best: HashSet::new(),
            better: None,
            last_turn: clock(),
        }
    }

    /// Where the server finds what it offers.
    #[must_use]
    pub fn window(&self) -> Window {
        Arc::clone(&self.window)
    }

    /// How it is doing.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// When something appears or goes next by itself.
    #[must_use]
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// Turns once. Whether anything was published that is another than before.
    pub fn turn(
        &mut self,
        now: DateTime<Utc>,
        allow_shrink: bool,
        heard: Option<BTreeSet<PathBuf>>,
    ) -> bool {
        let began = clock();
        let order = Order {
            now,
            allow_shrink: allow_shrink
                || self
                    .trouble
                    .as_ref()
                    .is_some_and(|trouble| trouble.is_meant(now)),
            dry_run: false,
            wait: LOCK,
            clock: self.clock,
            finished: self.finished.clone(),
            heard,
        };
        let terms = self.terms();
        let window = Arc::clone(&self.window);
        let config = self.config.clone();
        let disk = self.disk();
        let previous = self.manifest.take();
        let mut manifest = None;
        let mut show = |ready: &Ready<'_>| {
            let before = window.load_full();
            let before = before.as_deref().map(|offer| &*offer.served);
            let exhibit = |step| offer::ready(step, ready.durable, before, &disk);
            // whoever has no offer yet makes it of what lies on disk
            if let Some(before) = before {
                let changed = ready.steps.iter().filter(|step| !step.is_kept());
                let changed = changed.map(exhibit);
                let served = previous.as_ref().and_then(|previous| {
                    before.after(&terms, (previous, &ready.manifest), changed)
                });
                let anew = || {
                    let exhibits = ready.steps.iter().map(exhibit);
                    Served::new(&terms, &ready.manifest, exhibits, Some(before))
                        .with_leaves_of(before, &terms)
                };
                debug_assert!(served.as_ref().is_none_or(|it| it.is_like(&anew())));
                let served = served.unwrap_or_else(anew);
                window.store(Some(Arc::new(offer::offer(served, &config))));
            }
            manifest = Some(ready.manifest.clone());
        };
        let outcome =
            Publisher::new(&self.config, &Silent).turn_at(&mut self.desk, &order, &mut show);
        self.manifest = manifest.or(previous);
        let has_changed = outcome.as_ref().is_ok_and(Turn::changed);
        match outcome {
            Ok(turn) => {
                self.trouble = None;
                self.next = turn.next;
                self.stamp = self.disk().stamp();
                self.load_again();
                self.report(&turn, now, clock() - began);
            }
            Err(halt) => {
                self.stumble(&halt, now);
                self.offer_encoded();
            }
        }
        self.last_turn = clock();
        has_changed
    }

    /// Turns until it is told to stop.
    pub fn run(mut self, wakes: &Receiver<Wake>, waker: &Sender<Wake>, allow_shrink: bool) {
        // what one edit takes is done, mostly, before another thread is awake: this one works with the others. One core is
        // left to requests: however courteous a thread is, who wakes up beside it waits for some milliseconds
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let _threads = rayon::ThreadPoolBuilder::new()
            .use_current_thread()
            .num_threads((cores - 1).max(1))
            .thread_name(|_| "publisher".to_owned())
            // requests come first
            .start_handler(|_| encode::give_way())
            .build();
        encode::give_way();
        // reading makes events too, and a large folder more of them than can be held: nobody listens until it is read, and
        // what happened meanwhile is found by a look at everything
        self.turn(self.now(), allow_shrink, None);
        let mut watch = self.watch(waker);
        if self.trouble.is_none() && self.is_changed(&AtomicBool::new(false)) == Some(true) {
            self.turn(self.now(), allow_shrink, None);
        }
        let mut is_polled = false;
        let mut walked = clock();
        let mut ticked = clock();
        let mut mending = Mending::default();
        loop {
            // what happens from here on is heard below, or else it cuts the walk short
            let stirred = watch.quiet();
            let wait = self.wait(&watch, walked);
            let mut woken: Vec<Wake> = match wakes.recv_timeout(wait) {
                Ok(wake) => vec![wake],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            woken.extend(wakes.try_iter());
            let now = clock();
            // whether somebody must look at everything, whatever was heard
            let mut at_all = false;
            if now.duration_since(ticked) >= TICK || !woken.is_empty() || self.settling.is_some() {
                ticked = now;
                // it is opened by the first turn that comes so far
                if let Some(bucket) = self.desk.open_bucket().filter(|_| !is_polled) {
                    elsewhere::poll(bucket, waker.clone());
                    is_polled = true;
                }
                let seen =
                    self.settled(Identity::of(&self.config.articles, &self.config_file), now);
                let replaced = watch.replaced(&seen);
                self.identity = seen;
                watch.believe(seen);
                if replaced.contains(&Wake::Folder) {
                    // whoever swaps a folder has filled the new one before
                    at_all = true;
                    watch.stop();
                    watch = self.watch(waker);
                } else if watch.is_torn() || watch.is_doubtful() && mending.is_due(now) {
                    watch.stop();
                    let whole = self.watch(waker);
                    whole.inherit(&watch);
                    watch = whole;
                    mending = mending.after(now, self.config.serve.scan);
                }
                woken.extend(replaced);
                if woken.contains(&Wake::Elsewhere) {
                    self.catch_up();
                } else {
                    self.follow();
                }
            }
            if woken.contains(&Wake::Stop) {
                return;
            }
            self.improved();
            let reloaded = woken.contains(&Wake::Settings) && self.reconfigure();
            at_all |= reloaded || woken.contains(&Wake::Refresh);
            let mut due = self.is_due(now);
            match watch.when(now) {
                When::Now => due = true,
                When::Look => {
                    watch.looked(now);
                    at_all |= self.is_changed(&AtomicBool::new(false)) == Some(true);
                }
                When::At(_) | When::Never => {}
            }
            let every = self.walk_every(&watch);
            if !due && now.duration_since(walked) >= every {
                let is_overdue = now.duration_since(walked) >= every * OVERDUE;
                let never = AtomicBool::new(false);
                let stop = if is_overdue { &never } else { &*stirred };
                if let Some(is_changed) = self.is_changed(stop) {
                    walked = now;
                    at_all |= is_changed;
                    if is_changed && watch.deaf.is_none() {
                        watch.distrust();
                    }
                }
            }
            due |= at_all;
            if due {
                let has_lost = watch.has_lost();
                let heard = watch.answer().filter(|_| !at_all && self.trouble.is_none());
                if self.turn(self.now(), false, heard) && has_lost {
                    watch.distrust();
                }
                watch.forget();
            } else if clock().duration_since(self.last_turn) >= IDLE {
                self.improve(waker);
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.clock)().into()
    }

    fn served(&self) -> Option<Arc<Served>> {
        self.window
            .load_full()
            .map(|offer| Arc::clone(&offer.served))
    }

    fn terms(&self) -> Terms {
        offer::terms(&self.config, self.manifest.as_ref())
    }

    fn watch(&mut self, waker: &Sender<Wake>) -> Watch {
        let Config { articles, .. } = &self.config;
        let Self { finished, .. } = self;
        let watch = Watch::new(articles, &self.config_file, self.identity, finished, waker);
        if let Some(why) = &watch.deaf
            && articles.exists()
        {
            let text = format!(
                "`{}` is looked at every {} seconds: {why}",
                articles.display(),
                POLL.as_secs()
            );
            if self.deaf.as_ref() != Some(&text) {
                self.herald.state(Level::Warning, &text);
                self.deaf = Some(text);
            }
        }
        watch
    }

    /// What there is now, but the configuration as it was until it is left alone: an editor that empties the file, or puts
    /// it aside, before it writes the new text must not make us believe in what lies between.
    fn settled(&mut self, seen: Identity, now: Instant) -> Identity {
        if seen.config == self.identity.config {
            self.settling = None;
            return seen;
        }
        let since = match self.settling {
            Some((config, since)) if config == seen.config => since,
            _ => now,
        };
        self.settling = Some((seen.config, since));
        let patience = if seen.config.is_some() {
            folder::QUIET
        } else {
            GAP
        };
        if now.duration_since(since) < patience {
            return Identity {
                config: self.identity.config,
                ..seen
            };
        }
        self.settling = None;
        seen
    }

    /// How long nothing needs to be done.
    fn wait(&self, watch: &Watch, walked: Instant) -> Duration {
        let now = clock();
        let mut wait = if self.settling.is_some() {
            SETTLING
        } else {
            TICK
        };
        match watch.when(now) {
            When::Now | When::Look => return Duration::ZERO,
            When::At(instant) => wait = wait.min(instant.saturating_duration_since(now)),
            When::Never => {}
        }
        // while something stands in the way, what is due waits too
        let due = match (&self.trouble, self.next) {
            (Some(trouble), _) => Some(trouble.again.saturating_duration_since(now)),
            (None, Some(next)) => Some((next - self.now()).to_std().unwrap_or_default()),
            (None, None) => None,
        };
        wait = due.map_or(wait, |due| wait.min(due));
        let walk = walked + self.walk_every(watch);
        wait.min(walk.saturating_duration_since(now))
    }

    fn walk_every(&self, watch: &Watch) -> Duration {
        let every = self.config.serve.scan;
        if watch.deaf.is_some() {
            every.min(POLL)
        } else {
            every
        }
    }

    /// Whether something appears, goes or is tried again by now.
    fn is_due(&self, now: Instant) -> bool {
        match &self.trouble {
            Some(trouble) => trouble.again <= now,
            None => self.next.is_some_and(|next| next <= self.now()),
        }
    }

    /// Whether the folder is another one than at the last turn, whatever events said; `None` if `stop` came first.
    fn is_changed(&self, stop: &AtomicBool) -> Option<bool> {
        if self.config.articles.exists() {
            self.desk.is_outdated(&self.config, stop)
        } else {
            Some(self.trouble.is_none())
        }
    }

    fn disk(&self) -> Disk {
        Disk::new(
            &self.config.feeds,
            &self.config.state(),
            &self.config.compress,
        )
    }

    /// Takes over another configuration; whether there is one.
    fn reconfigure(&mut self) -> bool {
        let mut config = match (self.reload)() {
            Ok(config) => config,
            Err(problems) => {
                problems
                    .iter()
                    .for_each(|problem| self.herald.problem(problem));
                let text = "the configuration is refused; the old one stays";
                self.herald.state(Level::Error, text);
                return false;
            }
        };
        let old = &self.config;
        let mut kept = Vec::new();
        let mut keep = |name: &'static str, differs: bool| {
            if differs {
                kept.push(format!("`{name}`"));
            }
        };
        keep("listen", config.serve.listen != old.serve.listen);
        keep("admin", config.serve.admin != old.serve.admin);
        keep("articles", config.articles != old.articles);
        let url = |config: &Config| config.bucket.as_ref().map(|bucket| bucket.url.clone());
        keep(
            "feeds",
            config.feeds != old.feeds || url(&config) != url(old),
        );
        keep("ledger", config.ledger != old.ledger);
        if !kept.is_empty() {
            let text = format!(
                "{} changed: restart for that; the old one stays",
                kept.join(", ")
            );
            self.herald.state(Level::Warning, &text);
        }
        config.serve.listen.clone_from(&old.serve.listen);
        config.serve.admin.clone_from(&old.serve.admin);
        config.articles.clone_from(&old.articles);
        config.feeds.clone_from(&old.feeds);
        config.bucket = match (config.bucket.take(), &old.bucket) {
            (Some(new), Some(old)) => Some(Target {
                url: old.url.clone(),
                ..new
            }),
            (_, old) => old.clone(),
        };
        config.ledger.clone_from(&old.ledger);
        self.config = config;
        self.herald
            .state(Level::Info, "the configuration is read anew");
        // what depends on it alone is offered anew whatever the turn finds
        if let Some(served) = self.served() {
            self.window
                .store(Some(Arc::new(offer::offer(served, &self.config))));
        }
        true
    }

    fn report(&mut self, turn: &Turn, now: DateTime<Utc>, took: Duration) {
        let problems: BTreeSet<String> = turn.problems.iter().map(ToString::to_string).collect();
        for problem in turn
            .problems
            .iter()
            .filter(|problem| problem.level > Level::Info)
        {
            if !self.told.contains(&problem.to_string()) {
                self.herald.problem(problem);
            }
        }
        self.told = problems;
        if turn.changed() {
            self.herald.turn(turn, &self.config);
        }
        self.board.update(|status| {
            status.turns += 1;
            status.build = took;
            status.next = turn.next;
            if !turn.written.is_empty() || !turn.deleted.is_empty() {
                status.editions += 1;
                status.changed = Some(now);
            }
            status.articles = turn.articles.clone();
            status.problems = [Level::Info, Level::Warning, Level::Error]
                .map(|level| {
                    let count = turn
                        .problems
                        .iter()
                        .filter(|problem| problem.level == level);
                    (level, count.count() as u64)
                })
                .into();
        });
    }

    /// A turn that published nothing: what was published stays, and it is tried again.
    fn stumble(&mut self, halt: &Halt, now: DateTime<Utc>) {
        let offers = self.manifest.is_some();
        let (trouble, speaks) = Trouble::of(halt, self.trouble.as_ref(), offers, now, clock());
        if speaks {
            self.herald.state(Level::Error, &trouble.text);
        }
        self.trouble = Some(trouble);
        self.board.update(|status| status.failed += 1);
    }
}
