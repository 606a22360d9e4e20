//! The hand on the crank: [`Publisher::turn`] is the program's table of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::bucket::Lost;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::edition::{Edition, Manifest};
use crate::folder::Finished;
use crate::ledger::{FeedRecord, Ledger, Observation};
use crate::problem::{Level, Problem};
use crate::state::State;
use crate::store::{Begun, Disk, Lock, LockError, Ready, Written};

mod announce;
mod aside;
mod books;
mod bucket;
mod desk;
mod early;
mod fallback;
mod fragments;
mod gate;
mod meeting;
mod read;
mod recovery;
mod rendering;
mod settings;
mod stock;
mod survey;
pub mod title;
mod wanted;

use books::Books;
pub use desk::Desk;
use gate::Gated;
use meeting::{Met, observe};
use rendering::Studio;
pub use survey::{Listed, State as ArticleState, Survey};

/// How far a build has come, for whoever looks on.
pub trait Progress: Sync {
    /// A stage of so many steps begins.
    fn stage(&self, name: &'static str, steps: usize);
    /// One step of the stage is done.
    fn step(&self);
}

/// What a turn is to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The present, as articles, ledger and documents see it.
    pub now: DateTime<Utc>,
    /// Whether it is meant that more than half of the files are gone.
    pub allow_shrink: bool,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// How long to wait for another run.
    pub wait: Duration,
    /// The time of day by which files were written, whatever `now` pretends to be.
    pub clock: fn() -> SystemTime,
    /// Which files are whole though they were written a moment ago.
    pub finished: Finished,
    /// The files of which something was heard, if nothing else can have changed.
    pub heard: Option<BTreeSet<PathBuf>>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Another run is at work.
    #[error("another run of tidings is at work here; wait for it, or use `--wait SECONDS`")]
    Locked,
    /// The folder of articles is missing or unreadable.
    #[error("{0}")]
    Folder(String),
    /// The folder of articles is suddenly too small.
    #[error("{0}")]
    Shrunk(String),
    /// The configuration lacks what it had.
    #[error("{0}")]
    Settings(String),
    /// The world failed.
    #[error("{}", said(.0))]
    World(#[from] anyhow::Error),
}

/// What is said of a failing world: the truth about what readers see.
fn said(error: &anyhow::Error) -> String {
    if error.is::<Begun>() || error.is::<Ahead>() {
        format!("{error:#}")
    } else {
        format!("{error:#}; nothing was published, the old feeds stay")
    }
}

/// A publication that failed when some readers had it already.
#[derive(Debug, thiserror::Error)]
#[error("{cause:#}; {readers} have the new feeds already, the files do not; the next run finishes")]
struct Ahead {
    readers: &'static str,
    cause: anyhow::Error,
}

impl Ahead {
    /// Says so of an error, unless it tells how far the publication came itself.
    fn of(readers: &'static str) -> impl FnOnce(anyhow::Error) -> anyhow::Error {
        move |cause| {
            if cause.is::<Begun>() {
                cause
            } else {
                Self { readers, cause }.into()
            }
        }
    }
}

/// What a turn did, or would do.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Paths of articles that subscribers see for the first time.
    pub new: Vec<String>,
    /// Paths of articles whose text changed.
    pub updated: Vec<String>,
    /// Paths of articles that were public until now.
    pub withdrawn: Vec<String>,
    /// Paths of articles that were withdrawn and are back.
    pub returned: Vec<String>,
    /// Paths of articles that were renamed, with the path before.
    pub renamed: Vec<(String, String)>,
    /// Paths of articles whose id is another one now, with the id before and the id now.
    pub changed_ids: Vec<(String, String, String)>,
    /// The next instant at which something appears or goes by itself.
    pub next: Option<DateTime<Utc>>,
    /// Routes of documents that were written.
    pub written: Vec<String>,
    /// Routes of documents that were deleted.
    pub deleted: Vec<String>,
    /// How many articles are public.
    pub entries: usize,
    /// How many articles there are, by their state: public, scheduled, draft …
    pub articles: BTreeMap<&'static str, u64>,
    /// What the author should know, in the order of files.
    pub problems: Vec<Problem>,
    /// Those problems, as text, that no earlier run told.
    pub news: BTreeSet<String>,
}

impl Turn {
    /// Whether any article is another one for subscribers.
    #[must_use]
    pub fn tells_of_articles(&self) -> bool {
        let lists = [&self.new, &self.updated, &self.withdrawn, &self.returned];
        lists.iter().any(|list| !list.is_empty())
    }

    /// Whether anything is not as it was.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.tells_of_articles()
            || !self.written.is_empty()
            || !self.deleted.is_empty()
            || !self.renamed.is_empty()
            || !self.changed_ids.is_empty()
    }
}

/// So often another publisher may be quicker before a turn is put off.
const RACES: u32 = 20;

/// Turns a folder into feeds, once per [`turn`](Self::turn).
pub struct Publisher<'a> {
    config: &'a Config,
    progress: &'a dyn Progress,
}

impl<'a> Publisher<'a> {
    /// For a site. Nothing is read yet.
    #[must_use]
    pub fn new(config: &'a Config, progress: &'a dyn Progress) -> Self {
        Self { config, progress }
    }

    /// One turn: what is in the folder now becomes what is published. `show` is told as soon as the ledger is
    /// durable, if nothing that is shown waits for a file to be copied, and again when everything is on disk.
    ///
    /// # Errors
    /// If nothing was written: see [`Halt`]. What is wrong with articles is in [`Turn::problems`] instead.
    pub fn turn(&self, order: &Order, show: &mut dyn FnMut(&Ready<'_>)) -> Result<Turn, Halt> {
        self.turn_at(&mut Desk::default(), order, show)
    }

    /// One turn as [`turn`](Self::turn), which begins with what the one before left on the desk.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn turn_at(
        &self,
        desk: &mut Desk,
        order: &Order,
        show: &mut dyn FnMut(&Ready<'_>),
    ) -> Result<Turn, Halt> {
        let _lock = self.lock(order)?;
        let mut order = order.clone();
        let mut notes = Vec::new();
        for _ in 0..RACES {
            if !order.dry_run {
                notes.extend(self.catch_up(desk)?);
            }
            match self.turn_alone(desk, &order, show) {
                // what it has now is to be seen first; then the turn is another one
                Err(Halt::World(error)) if error.is::<Lost>() => {
                    desk.is_behind = true;
                    order.heard = None;
                }
                // a file that is being written waits in the next one
                Err(Halt::World(error)) if error.is::<Written>() => order.heard = None,
                Ok(mut turn) => {
                    notes.extend(self.finish(desk, &order));
                    turn.news.extend(notes.iter().map(ToString::to_string));
                    turn.problems.extend(notes);
                    return Ok(turn);
                }
                Err(halt) => return Err(halt),
            }
        }
        Err(Halt::World(anyhow::anyhow!(
            "other publishers, or who writes a file, were quicker {RACES} times; tried again later"
        )))
    }

    fn turn_alone(
        &self,
        desk: &mut Desk,
        order: &Order,
        show: &mut dyn FnMut(&Ready<'_>),
    ) -> Result<Turn, Halt> {
        let config = self.config;
        desk.open(config);
        let mut state = desk.take_state(config);
        if state.files == 0 && config.bucket.is_some() {
            // a machine that takes over knows how much there must be: a checkout that failed is none
            let text = crate::store::durable::read_if_there(&config.ledger);
            let text =
                text.with_context(|| format!("cannot read `{}`", config.ledger.display()))?;
            let (ledger, _) = Ledger::of(text.unwrap_or_default());
            let living = ledger.records().filter(|record| record.gone.is_none());
            state.files = living.count();
        }
        let look = read::look(config, desk, &state, order, self.progress)?;
        if desk.is_quiet(config, &look, order.now) {
            desk.has_walked |= look.is_thorough();
            if desk.stays && desk.ledger.is_none() {
                // the first save after a start need not wait for what is read once
                Books::open(config, desk, state.clone())?.put_back(desk);
                desk.fetch_stock(config);
            }
            let turn = desk.rest(config, &state, order);
            desk.keep_state(config, state);
            return Ok(turn);
        }
        let outcome = self.work(desk, look, state, order, show);
        if outcome.is_err() || order.dry_run {
            // what it has is not what is published
            desk.clear();
        }
        outcome
    }

    fn work(
        &self,
        desk: &mut Desk,
        look: read::Look,
        state: State,
        order: &Order,
        show: &mut dyn FnMut(&Ready<'_>),
    ) -> Result<Turn, Halt> {
        let config = self.config;
        let mut books = Books::open(config, desk, state)?;
        settings::refuse_half(config, &books, order)?;
        let clock = order.now;
        let order = &books.at_a_sound_time(config, order, desk.turned);
        let is_thorough = look.is_thorough();
        if desk.manifest_stamp != books.disk.stamp() {
            desk.distrust_all();
        }
        if desk.turned.is_none_or(|turned| turned > order.now) {
            // a clock that went back takes articles along that nobody touched
            desk.is_settled = false;
        }
        let Met {
            mut seen,
            touched,
            gone,
        } = observe(config, &mut books, desk, look, order, clock);
        books.record(std::mem::take(&mut seen.records));
        let is_dry = order.dry_run;
        let now = order.now;
        let draw = |books: &Books, desk: &mut Desk| {
            let studio = Studio {
                config,
                ledger: &books.ledger,
                state: &books.state,
                disk: &books.disk,
                manifest: books.manifest.as_ref(),
                thorough: is_thorough,
                is_dry,
                now,
                progress: self.progress,
            };
            rendering::render(&studio, desk)
        };
        let mut rendering = draw(&books, desk)?;
        settings::refuse_few(config, &books, order, &rendering.wanted)?;
        let recorded: Vec<FeedRecord> = books.ledger.feeds().cloned().collect();
        books.record_feeds(std::mem::take(&mut rendering.feeds));
        let edition = std::mem::take(&mut rendering.edition);
        let mut gated =
            books.append_beside(config, order, |books| gate::pass(config, edition, books))?;
        let mut made = std::mem::take(&mut gated.made);
        // an entry takes a few steps; what is wrong then is wrong with the document
        for _ in 0..fallback::STEPS {
            if !desk.fall_back(gated.culprits(&books, desk), &made) {
                break;
            }
            // what was refused was never published: the feeds are what they were
            books.forget_feeds(&recorded);
            rendering = draw(&books, desk)?;
            books.record_feeds(std::mem::take(&mut rendering.feeds));
            gated = gate::pass(config, std::mem::take(&mut rendering.edition), &books);
            made.append(&mut gated.made);
        }
        let Gated {
            mut edition,
            problems: refused,
            told,
            ..
        } = gated;
        desk.distrust(&told);
        edition.gone = books.gone(&rendering.wanted, &edition);
        // what is said once is not to be said again by a turn that finds nothing to do
        let is_news = !seen.new.is_empty() || !seen.changed_ids.is_empty();
        let spoke_once = !books.problems.is_empty() || is_news && !seen.problems.is_empty();
        let mut turn = announce::turn(config, &mut seen, &desk.catalogue);
        for paths in [&mut turn.new, &mut turn.updated] {
            paths.retain(|path| !desk.is_withheld(path));
        }
        turn.articles = announce::counts(&desk.catalogue);
        turn.next = seen
            .next
            .into_iter()
            .chain(rendering.next)
            .chain(desk.aside.until.filter(|_| order.finished.is_watching()))
            .min();
        let of_articles = desk
            .aside
            .problems
            .iter()
            .cloned()
            .chain(desk.catalogue.notes());
        let of_articles = of_articles.chain(seen.problems).chain(rendering.notes);
        let of_articles = of_articles.map(|problem| announce::in_folder(config, problem));
        turn.problems.extend(of_articles);
        turn.problems
            .extend(books.problems.drain(..).chain(refused));
        let told = turn.problems.len();
        books.commit(config, desk, order, &edition, show, &mut turn)?;
        desk.may_rest = !spoke_once && turn.problems.len() == told;
        let remembered = books.remember(
            config,
            desk,
            order,
            &rendering.shown,
            rendering.sources,
            &mut turn,
        );
        if let Err(error) = remembered {
            // what is on disk is true
            books.state = State::load(&config.state());
            let what = format!("cannot be kept: {error:#}");
            let problem = Problem::warning(config.state().display().to_string(), what);
            let remedy =
                "everything is published; an article that breaks may have no last good version";
            turn.problems.push(problem.remedy(remedy));
        }
        desk.keep_state(config, std::mem::take(&mut books.state));
        if let Err(error) = desk.close(config, order, &touched, gone, &turn) {
            let what = format!("cannot be kept: {error:#}");
            let problem =
                Problem::warning(config.state().join("cache").display().to_string(), what);
            let remedy = "everything is published; the next run takes longer";
            turn.problems.push(problem.remedy(remedy));
        }
        Ok(turn)
    }

    /// Looks at every file as a turn would, and writes nothing.
    ///
    /// # Errors
    /// If the folder or the ledger cannot be read.
    pub fn survey(&self, order: &Order) -> Result<Survey, Halt> {
        survey::survey(self.config, order, self.progress)
    }

    /// A run that only looks need not keep others waiting, and must not write a lock file.
    fn lock(&self, order: &Order) -> Result<Option<Lock>, Halt> {
        if order.dry_run {
            return Ok(None);
        }
        match Lock::acquire(&self.config.state(), order.wait) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Held) => Err(Halt::Locked),
            Err(LockError::World(error)) => Err(Halt::World(error)),
        }
    }
}
