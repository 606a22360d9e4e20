//! The hand on the crank: [`Publisher::turn`] is the program's table of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::edition::{Edition, Manifest};
use crate::folder::{Fingerprint, Finished};
use crate::ledger::{Ledger, Observation};
use crate::problem::{Level, Problem};
use crate::state::State;
use crate::store::{Disk, Lock, LockError, Ready};

mod announce;
mod books;
mod gate;
mod read;
mod rendering;
mod survey;

use books::Books;
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
    /// The world failed.
    #[error("{0:#}; nothing was published, the old feeds stay")]
    World(#[from] anyhow::Error),
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
    /// What the folder looked like.
    pub fingerprint: Option<Fingerprint>,
}

impl Turn {
    /// Whether anything is not as it was.
    #[must_use]
    pub fn changed(&self) -> bool {
        let lists = [
            &self.new,
            &self.updated,
            &self.withdrawn,
            &self.returned,
            &self.written,
            &self.deleted,
        ];
        lists.iter().any(|list| !list.is_empty())
            || !self.renamed.is_empty()
            || !self.changed_ids.is_empty()
    }
}

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
        let _lock = self.lock(order)?;
        let state = State::load(&self.config.state());
        let (books, folder) = rayon::join(
            || Books::open(self.config, state.clone()),
            || read::folder(self.config, &state, order, self.progress),
        );
        let (mut books, mut folder) = (books?, folder?);
        books.mend(self.config, &mut folder);
        let candidates = std::mem::take(&mut folder.candidates);
        let found = candidates.len();
        let mut seen =
            books
                .ledger
                .observe(&folder.present, candidates, &self.config.site, order.now);
        let catalogue = Catalogue::new(std::mem::take(&mut seen.entries), &self.config.site);
        let rendering = rendering::render(
            self.config,
            &catalogue,
            &folder,
            &books.ledger,
            order.now,
            self.progress,
        )?;
        let lines = books.record(&seen, &rendering.feeds);
        let (mut edition, refused) = gate::pass(self.config, rendering.edition, &books, &catalogue);
        edition.gone = books.gone(&rendering.wanted, &edition);
        let mut turn = announce::turn(self.config, &mut seen, &catalogue);
        turn.fingerprint = folder.fingerprint;
        turn.articles = announce::counts(&folder, found, catalogue.entries().len());
        turn.next = seen.next.into_iter().chain(rendering.next).min();
        let of_articles = [folder.problems.split_off(0), seen.problems, rendering.notes].concat();
        turn.problems
            .extend(announce::in_folder(self.config, of_articles));
        turn.problems
            .extend(books.problems.drain(..).chain(refused));
        books.commit(self.config, order, &edition, &lines, show, &mut turn)?;
        books.remember(
            self.config,
            order,
            &folder,
            &catalogue,
            &rendering.shown,
            &mut turn,
        )?;
        // nobody waits for ten thousand articles to be forgotten
        rayon::spawn(move || drop((catalogue, folder, books)));
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
