//! What is kept from turn to turn, so that a turn costs what changed: all that was understood of the folder, the ledger,
//! what was published, and of what that was made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::books::{self, Indexed};
use super::fallback::{Fallback, Fallbacks, Step};
use super::read::{Aside, Look};
use super::{Config, Ledger, Order, Problem, Turn, announce};
use crate::article::{Section, Stamp};
use crate::bucket::Bucket;
use crate::cache;
use crate::catalogue::{Catalogue, Number, Row};
use crate::edition::Manifest;
use crate::feed::Register;
use crate::fragment::Fragment;
use crate::link::{Asked, PAGES};
use crate::render::Pieces;
use crate::state::State;
use crate::store::{Disk, ManifestStamp};

/// Of what a rendering of an article was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// The article's version.
    pub(super) version: u64,
    /// What was decided of the article, if anything was.
    pub(super) step: Option<Step>,
    /// What was asked of other files, with the answers.
    pub(super) asked: Vec<(Asked, u64)>,
    /// The assets that it shows.
    pub(super) assets: BTreeSet<String>,
    /// What the author should know, as JSON.
    pub(super) notes: String,
    /// Of what its page was made, if it has one.
    pub(super) page: Option<u64>,
    /// Whether the cache does not know it yet.
    #[serde(skip)]
    pub(super) is_new: bool,
}

/// The smaller part of a desk, as it is cached.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    terms: u64,
    sections: BTreeMap<String, Section>,
    places: BTreeMap<String, PathBuf>,
    files: usize,
    closed: Vec<String>,
    broken: BTreeSet<String>,
    /// As JSON.
    noticed: String,
    ledger: Option<Stamp>,
    index: Option<Indexed>,
    stock: Option<u64>,
    manifest: Option<ManifestStamp>,
    /// By the paths of articles.
    fallbacks: Vec<(String, Fallback)>,
    feeds: BTreeMap<String, u64>,
    assets: BTreeMap<String, Stamp>,
    turned: Option<DateTime<Utc>>,
    next: Option<DateTime<Utc>>,
    problems: String,
    may_rest: bool,
}

/// One of many things that are cached.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Thing {
    Row(Row),
    /// The path of a file that is gone.
    Gone(String),
    /// A path, and what is known of its rendering.
    Shown(String, Option<Shown>),
}

/// What a publisher keeps from turn to turn. It may be lost: the next turn takes longer then, and does the same.
#[allow(
    clippy::struct_excessive_bools,
    reason = "things that are so or not, each by itself"
)]
#[derive(Debug, Default)]
pub struct Desk {
    /// What the configuration was; another one may understand everything otherwise.
    pub(super) terms: u64,
    pub(super) catalogue: Catalogue,
    /// By which terms what is public in it is sorted.
    pub(super) register: Register,
    pub(super) aside: Aside,
    /// Whether what is public in the catalogue is so by this very ledger.
    pub(super) is_settled: bool,
    pub(super) ledger: Option<Ledger>,
    /// What is kept of where everything stands in it.
    pub(super) index: Option<Indexed>,
    pub(super) manifest: Option<(ManifestStamp, Manifest)>,
    /// What the manifest was when the last turn ended.
    pub(super) manifest_stamp: Option<ManifestStamp>,
    /// What stands in the state folder, and what its file was then.
    pub(super) state: Option<(Stamp, State)>,
    /// What the file of the ledger was when it was last read or written.
    pub(super) ledger_stamp: Option<Stamp>,
    /// Renderings, by the paths of their articles.
    pub(super) shown: HashMap<String, Shown>,
    /// The paths of those that are no longer known, since the cache was written.
    pub(super) unshown: Vec<String>,
    /// The versions of all that they are made of, and the outlook of the catalogue then.
    pub(super) looks: (u64, HashMap<Number, u64>),
    /// The renderings themselves, each with the version of all that it was made of; only where turns follow each other.
    pub(super) fragments: HashMap<Number, (u64, Arc<Fragment>)>,
    /// What was decided of entries that made documents unfit.
    pub(super) fallbacks: Fallbacks,
    /// Those of them that the configured feeds show.
    pub(super) favourites: BTreeSet<Number>,
    /// Which stock of them lies in the state folder; whether it was fetched, and whether there is more to keep.
    pub(super) stock: Option<u64>,
    pub(super) has_fetched: bool,
    pub(super) is_restocked: bool,
    /// The entries of the documents that were made last.
    pub(super) pieces: Pieces,
    /// Of what the documents of each feed were made.
    pub(super) feeds: BTreeMap<String, u64>,
    /// The assets that are published, as they were then.
    pub(super) assets: BTreeMap<String, Stamp>,
    /// When the last turn was, and when something appears or goes by itself.
    pub(super) turned: Option<DateTime<Utc>>,
    pub(super) next: Option<DateTime<Utc>>,
    /// What the last turn told, as JSON.
    pub(super) problems: String,
    /// Whether all that is true as long as nothing changes.
    pub(super) may_rest: bool,
    /// Whether the cache is what the desk was before this turn.
    is_cached: bool,
    /// Whether this process looked at the whole folder: what it hears from then on is all there is.
    pub(super) has_walked: bool,
    /// Whether renderings are kept in memory.
    pub(super) stays: bool,
    /// The bucket that is published to.
    pub(super) bucket: Option<Arc<Bucket>>,
    /// Whether the mirror of it is to be looked at before the next turn.
    pub(super) is_behind: bool,
}

/// Of another configuration, or another program, nothing is believed.
fn terms(config: &Config) -> u64 {
    let program = std::env::current_exe().ok();
    let program = program.and_then(|place| crate::folder::stamp_of(&place));
    let version = env!("CARGO_PKG_VERSION");
    // how and where it is served changes nothing of it
    let Config {
        name,
        site,
        dialect,
        articles,
        feeds,
        bucket,
        ledger,
        specs,
        by,
        icon_asset,
        has_base_url,
        compress,
        hubs: _,
        hub: _,
        serve: _,
        notes: _,
    } = config;
    // what replicas are told is published too
    let bucket = bucket
        .as_ref()
        .map(|target| (&target.url, target.settings.to_string()));
    let places = (name, articles, feeds, bucket, ledger, compress);
    let sense = (site, dialect, specs, by, icon_asset, has_base_url);
    crate::catalogue::row::hash(&format!("{version} {program:?} {places:?} {sense:?}"))
}

impl Desk {
    /// For a process that turns again and again.
    #[must_use]
    pub fn that_stays() -> Self {
        Self {
            stays: true,
            ..Self::default()
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self {
            stays: self.stays,
            bucket: self.bucket.take(),
            is_behind: self.is_behind,
            ..Self::default()
        };
    }

    /// The bucket that is published to, if there is one.
    #[must_use]
    pub fn open_bucket(&self) -> Option<Arc<Bucket>> {
        self.bucket.clone()
    }

    /// The bucket of this configuration, if it has one; it is opened once.
    pub(super) fn bucket(&mut self, config: &Config) -> Result<Option<Arc<Bucket>>> {
        let Some(target) = &config.bucket else {
            return Ok(None);
        };
        if self
            .bucket
            .as_ref()
            .is_none_or(|open| open.url() != target.url)
        {
            self.bucket = Some(Arc::new(Bucket::open(&target.url, &config.state())?));
            self.is_behind = true;
        }
        Ok(self.bucket.clone())
    }

    /// Takes what the cache has, if there is nothing on the desk that is true for this configuration.
    pub(super) fn open(&mut self, config: &Config) {
        let terms = terms(config);
        if self.terms == terms {
            return;
        }
        self.clear();
        self.terms = terms;
        let Some(cached) = cache::load::<Head, Thing>(&config.state()) else {
            return;
        };
        if cached.head.terms != terms {
            return;
        }
        let mut rows = Vec::with_capacity(cached.things.len());
        for thing in cached.things {
            match thing {
                Thing::Row(row) => rows.push(row),
                Thing::Shown(path, Some(shown)) => {
                    self.shown.insert(path, shown);
                }
                Thing::Shown(_, None) | Thing::Gone(_) => {}
            }
        }
        self.catalogue = Catalogue::of(rows);
        self.replay(cached.later);
        let head = cached.head;
        self.catalogue.sections = head.sections;
        self.catalogue.places = head.places;
        self.aside = Aside {
            files: head.files,
            closed: head.closed,
            broken: head.broken,
            problems: serde_json::from_str(&head.noticed).unwrap_or_default(),
            // another process has another clock, and looks at everything
            until: None,
        };
        (self.is_settled, self.is_cached) = (true, true);
        self.ledger_stamp = head.ledger;
        self.index = head.index;
        self.stock = head.stock;
        self.manifest_stamp = head.manifest;
        let fallbacks = head.fallbacks.into_iter();
        let fallbacks = fallbacks
            .filter_map(|(path, fallback)| Some((self.catalogue.number(&path)?, fallback)));
        self.fallbacks = fallbacks.collect();
        self.feeds = head.feeds;
        self.assets = head.assets;
        self.turned = head.turned;
        self.next = head.next;
        self.problems = head.problems;
        self.may_rest = head.may_rest;
    }

    /// What the last turn remembered, read only if another process wrote it since.
    pub(super) fn take_state(&mut self, config: &Config) -> State {
        let stamp = crate::folder::stamp_of(&State::file(&config.state()));
        let known = self.state.take();
        let known = known.filter(|(known, _)| Some(*known) == stamp);
        known.map_or_else(|| State::load(&config.state()), |(_, state)| state)
    }

    /// Keeps what stands in the state folder now.
    pub(super) fn keep_state(&mut self, config: &Config, state: State) {
        let stamp = crate::folder::stamp_of(&State::file(&config.state()));
        self.state = stamp.map(|stamp| (stamp, state));
    }

    /// Takes over what later runs appended.
    fn replay(&mut self, later: Vec<Thing>) {
        if later.is_empty() {
            return;
        }
        let mut rows: BTreeMap<String, Option<Row>> = BTreeMap::new();
        for thing in later {
            match thing {
                Thing::Row(row) => {
                    rows.insert(row.path.to_string(), Some(row));
                }
                Thing::Gone(path) => {
                    rows.insert(path, None);
                }
                Thing::Shown(path, Some(shown)) => {
                    self.shown.insert(path, shown);
                }
                Thing::Shown(path, None) => {
                    self.shown.remove(&path);
                }
            }
        }
        self.catalogue.replay(rows);
    }

    /// What was published is another thing than what was made here: nothing of it can be kept.
    pub(super) fn distrust_all(&mut self) {
        self.feeds.clear();
        self.assets.clear();
        for shown in self.shown.values_mut() {
            shown.page = None;
            shown.is_new = true;
        }
    }

    /// Whether a published article shows the asset at this path.
    pub(super) fn shows(&self, path: &str) -> bool {
        self.shown.values().any(|shown| shown.assets.contains(path))
    }

    /// These documents were made, and are not what is published: none of them can be kept, and no asset of theirs.
    pub(super) fn distrust_made(&mut self, made: &BTreeSet<String>) {
        self.assets.clear();
        for route in made {
            let folder = route.rsplit_once('/').map_or("", |(folder, _)| folder);
            self.feeds.remove(folder);
        }
        let catalogue = &self.catalogue;
        for (path, shown) in &mut self.shown {
            let page = catalogue
                .number(path)
                .and_then(|number| catalogue.row(number)?.page());
            if page.is_some_and(|page| made.contains(&crate::page::route(page))) {
                shown.page = None;
                shown.is_new = true;
            }
        }
    }

    /// These documents are to be made again in the next turn.
    pub(super) fn distrust(&mut self, routes: &BTreeSet<String>) {
        for route in routes {
            let folder = route.rsplit_once('/').map_or("", |(folder, _)| folder);
            self.feeds.remove(folder);
        }
        if routes.iter().any(|route| route.starts_with(PAGES)) {
            for shown in self.shown.values_mut() {
                shown.page = None;
                shown.is_new = true;
            }
        }
    }

    /// Whether nothing can be other than it was after the last turn.
    pub(super) fn is_quiet(&self, config: &Config, look: &Look, now: DateTime<Utc>) -> bool {
        let is_then = self.turned.is_some_and(|turned| turned <= now);
        let is_due = self.next.is_some_and(|next| next <= now);
        if !self.is_settled || !self.may_rest || !look.is_empty(&self.aside) || !is_then || is_due {
            return false;
        }
        let disk = Disk::new(&config.feeds, &config.state(), &config.compress);
        let ledger = crate::folder::stamp_of(&config.ledger);
        if ledger.is_none() || ledger != self.ledger_stamp || disk.was_interrupted() {
            return false;
        }
        let stamp = disk.stamp();
        if stamp.is_none() || stamp != self.manifest_stamp {
            return false;
        }
        let known = self
            .manifest
            .as_ref()
            .filter(|(known, _)| Some(*known) == stamp);
        let read;
        let manifest = match known {
            Some((_, manifest)) => manifest,
            None => match disk.manifest(&mut Vec::new()) {
                Ok(Some(manifest)) => {
                    read = manifest;
                    &read
                }
                _ => return false,
            },
        };
        let mut documents = manifest.documents.iter();
        documents.all(|(route, published)| disk.lies_well(route, published))
    }

    /// The account of a turn that has nothing to do.
    pub(super) fn rest(&self, config: &Config, state: &State, order: &Order) -> Turn {
        // who only looks has no lock: what lies about may be another run's
        if !order.dry_run {
            Disk::new(&config.feeds, &config.state(), &config.compress).tidy();
        }
        let problems: Vec<Problem> = serde_json::from_str(&self.problems).unwrap_or_default();
        let news = problems.iter().filter(|problem| state.is_news(problem));
        Turn {
            news: news.map(ToString::to_string).collect(),
            problems,
            entries: self.catalogue.order().len(),
            articles: announce::counts(&self.catalogue),
            next: self.next,
            ..Turn::default()
        }
    }

    /// Takes down how the turn ended, and caches what it found.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn close(
        &mut self,
        config: &Config,
        order: &Order,
        touched: &BTreeSet<Number>,
        gone: Vec<String>,
        turn: &Turn,
    ) -> Result<()> {
        self.turned = Some(order.now);
        self.next = turn.next;
        self.problems = serde_json::to_string(&turn.problems).unwrap_or_default();
        self.manifest_stamp = self.manifest.as_ref().map(|(stamp, _)| *stamp);
        if order.dry_run {
            return Ok(());
        }
        if let Some(ledger) = &self.ledger {
            self.index = books::keep_index(config, ledger, self.index)?;
        }
        self.keep_stock(config)?;
        let fallbacks = self.fallbacks.iter();
        let fallbacks = fallbacks.filter_map(|(number, fallback)| {
            let path = self.catalogue.row(*number)?.path.to_string();
            Some((path, fallback.clone()))
        });
        let head = Head {
            terms: self.terms,
            sections: self.catalogue.sections.clone(),
            places: self.catalogue.places.clone(),
            files: self.aside.files,
            closed: self.aside.closed.clone(),
            broken: self.aside.broken.clone(),
            noticed: serde_json::to_string(&self.aside.problems).unwrap_or_default(),
            ledger: self.ledger_stamp,
            index: self.index,
            stock: self.stock,
            manifest: self.manifest_stamp,
            fallbacks: fallbacks.collect(),
            feeds: self.feeds.clone(),
            assets: self.assets.clone(),
            turned: self.turned,
            next: self.next,
            problems: self.problems.clone(),
            may_rest: self.may_rest,
        };
        let shown = self.shown.iter().filter(|(_, shown)| shown.is_new);
        let shown = shown.map(|(path, shown)| Thing::Shown(path.clone(), Some(shown.clone())));
        let unshown = std::mem::take(&mut self.unshown).into_iter();
        let unshown = unshown.filter(|path| !self.shown.contains_key(path));
        let rows = touched
            .iter()
            .filter_map(|number| self.catalogue.row(*number));
        let few = touched.len() * 8 < self.catalogue.len() || touched.len() < 64;
        // what fails half-way is no cache to append to
        let is_appended = few && std::mem::take(&mut self.is_cached) && {
            let things: Vec<Thing> = gone
                .into_iter()
                .map(Thing::Gone)
                .chain(rows.cloned().map(Thing::Row))
                .chain(shown)
                .chain(unshown.map(|path| Thing::Shown(path, None)))
                .collect();
            let things: Vec<&Thing> = things.iter().collect();
            cache::append(&config.state(), &head, &things)?
        };
        if !is_appended {
            let rows = self.catalogue.rows().map(|(_, row)| Borrowed::Row(row));
            let shown = self.shown.iter();
            let shown = shown.map(|(path, shown)| Borrowed::Shown(path, Some(shown)));
            let things: Vec<Borrowed<'_>> = rows.chain(shown).collect();
            let things: Vec<&Borrowed<'_>> = things.iter().collect();
            cache::save(&config.state(), &head, &things)?;
        }
        self.is_cached = true;
        for shown in self.shown.values_mut() {
            shown.is_new = false;
        }
        Ok(())
    }

    /// Whether the folder is another one than at the last turn, whatever events said. `None` if `stop` came first.
    #[must_use]
    pub fn is_outdated(&self, config: &Config, stop: &AtomicBool) -> Option<bool> {
        let Ok(scan) = crate::folder::glance(
            &config.articles,
            &super::read::ours(config),
            &self.catalogue,
            stop,
        ) else {
            return Some(true);
        };
        let scan = scan?;
        Some(
            !scan.changed.is_empty()
                || scan.gone.iter().any(|path| !scan.broken.contains(path))
                || scan.broken != self.aside.broken
                || scan.closed != self.aside.closed,
        )
    }
}

/// A [`Thing`] of which nothing is copied: its variants are in the same order.
#[derive(Serialize)]
enum Borrowed<'a> {
    Row(&'a Row),
    #[allow(dead_code, reason = "it keeps the order")]
    Gone(&'a str),
    Shown(&'a str, Option<&'a Shown>),
}
