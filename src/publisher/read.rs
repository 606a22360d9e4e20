//! From the folder to rows: scan, read and parse what is new, and what stands in for what is broken.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::aside;
use super::books::Books;
use super::desk::Desk;
use super::rendering::Studio;
use super::{Halt, Order, Progress};
use crate::article::markdown::silenced;
use crate::article::{self, Article, Outcome, Section, Source, Stamp, Visibility, location};
use crate::catalogue::{Catalogue, Class, Number, Reading, Row};
use crate::config::Config;
use crate::edition::Kind;
use crate::folder::{self, Coming, Found, Ours, Scan};
use crate::ledger::{Candidate, Living};
use crate::link::PAGES;
use crate::problem::Problem;
use crate::state::State;
use crate::store::Disk;

/// What is known of the folder beside its files.
#[derive(Debug, Clone, Default)]
pub(super) struct Aside {
    /// How many files there are.
    pub(super) files: usize,
    /// Folders that cannot be listed.
    pub(super) closed: Vec<String>,
    /// Paths of articles that are there but cannot be read.
    pub(super) broken: BTreeSet<String>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// When something that is being copied counts as whole, if nothing more happens.
    pub(super) until: Option<DateTime<Utc>>,
}

/// What a look at the folder found.
#[derive(Debug, Default)]
pub(super) struct Look {
    scan: Scan,
    rows: Vec<Row>,
    sections: BTreeMap<String, Section>,
    /// Whether the whole folder was walked.
    walked: bool,
    /// What is being copied.
    pub(super) coming: Coming,
}

impl Look {
    /// Whether everything is as it was.
    pub(super) fn is_empty(&self, aside: &Aside) -> bool {
        let Self { scan, .. } = self;
        let mut gone = scan.gone.iter().filter(|path| !scan.broken.contains(*path));
        let is_same =
            !self.walked || (&scan.broken, &scan.closed) == (&aside.broken, &aside.closed);
        scan.changed.is_empty() && gone.next().is_none() && is_same && self.coming.is_empty()
    }

    /// Whether all files were looked at.
    pub(super) fn is_thorough(&self) -> bool {
        self.walked
    }

    /// Takes over what was found.
    pub(super) fn apply(mut self, catalogue: &mut Catalogue, aside: &mut Aside) -> Applied {
        let mut folders: BTreeSet<String> = self.sections.keys().cloned().collect();
        for path in &self.scan.gone {
            let is_section = catalogue
                .at(path)
                .is_some_and(|row| row.class == Class::Section);
            if is_section {
                let folder = location::folder(path);
                catalogue.sections.remove(folder);
                folders.insert(folder.to_owned());
            }
        }
        // one that cannot be read any more says what it said before
        self.sections.retain(|folder, section| {
            let known = catalogue.sections.get(folder);
            !section.is_broken || known.is_none_or(|known| known.is_broken)
        });
        catalogue.sections.append(&mut self.sections);
        let until = self.coming.until().map(DateTime::from);
        aside.until = until;
        // what lies beside an index belongs to it: that another one is there now, or none, changes what they are
        let is_new =
            |row: &&Row| aside::is_index(&row.path) && catalogue.number(&row.path).is_none();
        let coming = self.rows.iter().filter(is_new).map(|row| &*row.path);
        let leaving = self.scan.gone.iter().map(String::as_str);
        let leaving = leaving.filter(|path| aside::is_index(path));
        folders.extend(
            coming
                .chain(leaving)
                .map(|path| location::folder(path).to_owned()),
        );
        let gone = std::mem::take(&mut self.scan.gone);
        if self.walked {
            let broken = self.scan.broken.iter();
            self.rows.extend(broken.map(|path| phantom(path)));
            let leaving = gone.iter().filter(|path| !self.scan.broken.contains(*path));
            catalogue.remove(&leaving.cloned().collect());
            catalogue.places = self.scan.places;
            *aside = Aside {
                files: self.scan.files,
                closed: self.scan.closed,
                broken: self.scan.broken,
                problems: self.scan.problems,
                until,
            };
        } else {
            let before = catalogue.len();
            catalogue.remove(&gone);
            aside.files -= before - catalogue.len();
        }
        let before = catalogue.len();
        let mut numbers: BTreeSet<Number> = catalogue.put(self.rows).into_iter().collect();
        if !self.walked {
            aside.files += catalogue.len() - before;
        }
        if !folders.is_empty() {
            let is_below = |row: &Row| {
                let mut above = folders.iter().filter_map(|folder| {
                    let rest = row.path.strip_prefix(folder.as_str())?;
                    (folder.is_empty() || rest.starts_with('/')).then_some(())
                });
                above.next().is_some()
            };
            numbers.extend(
                catalogue
                    .rows()
                    .filter(|(_, row)| is_below(row))
                    .map(|(number, _)| number),
            );
        }
        numbers.extend(catalogue.restless());
        Applied { numbers, gone }
    }
}

/// What was taken over from a look.
pub(super) struct Applied {
    /// The rows of which something may be new.
    pub(super) numbers: BTreeSet<Number>,
    /// The paths of files that were missed.
    pub(super) gone: BTreeSet<String>,
}

/// The row of an article that is there, or was a moment ago, and cannot be read.
pub(super) fn phantom(path: &str) -> Row {
    let mut row = Row::new(path, Class::Article, Stamp::default(), false);
    row.trusted = false;
    row.with(Reading::Broken, None, &[])
}

/// What of our own lies among the articles.
pub(super) fn ours(config: &Config) -> Ours {
    Ours::among(&config.articles, &config.feeds, || {
        let disk = Disk::new(&config.feeds, &config.state(), &config.compress);
        let manifest = disk.manifest(&mut Vec::new()).ok().flatten();
        let documents = manifest
            .map(|manifest| manifest.documents)
            .unwrap_or_default();
        // a file that is published as it is may be the author's own
        let made = documents
            .into_iter()
            .filter(|(_, document)| document.kind != Kind::Asset);
        made.map(|(route, _)| route).collect()
    })
}

/// Looks at the folder: at the files of which something was heard, if that is enough, else at all.
pub(super) fn look(
    config: &Config,
    desk: &Desk,
    state: &State,
    order: &Order,
    progress: &dyn Progress,
) -> Result<Look, Halt> {
    let (catalogue, aside) = (&desk.catalogue, &desk.aside);
    let root = &config.articles;
    let ours = ours(config);
    let mut waited = Duration::ZERO;
    let mut missing_since = None;
    let mut heard = order.heard.as_ref();
    // what is being copied may be whole without a word
    heard = heard.filter(|_| desk.has_walked && aside.until.is_none());
    let mut media_waited = Duration::ZERO;
    loop {
        let few = heard.and_then(|heard| {
            let is_whole = aside.closed.is_empty() && aside.broken.is_empty();
            is_whole.then(|| folder::look(root, &ours, catalogue, heard))?
        });
        let (mut scan, walked) = match few {
            Some(scan) if folder::unrest(&scan, &order.finished, (order.clock)()).is_zero() => {
                (scan, false)
            }
            _ => (settled(root, &ours, catalogue, order, &mut waited)?, true),
        };
        if walked && !order.allow_shrink && folder::shrunk(state.files, scan.files) {
            return Err(Halt::Shrunk(format!(
                "`{}` held {} files and holds {} now; the old feeds stay: use `--allow-shrink` if that is meant",
                root.display(),
                state.files,
                scan.files
            )));
        }
        let coming = Coming::take(&mut scan, root, &order.finished, (order.clock)());
        if !coming.is_empty() {
            coming.stand_in(&mut scan, published_copy(config, catalogue));
        }
        progress.stage("reading", scan.changed.len());
        let parsed: Vec<Parsed> = scan
            .changed
            .par_iter()
            .map(|found| {
                let parsed = parse(found, config, order, &coming);
                progress.step();
                parsed
            })
            .collect();
        // whoever wrote between the look and the reading may not be done
        let is_whole = parsed.iter().all(|parsed| parsed.as_seen)
            && folder::unrest(&scan, &order.finished, (order.clock)()).is_zero();
        // an editor that puts the text aside before it writes the new one leaves a gap, and half a deployment too. The
        // watcher waits for that too, but not for what happens after it has decided
        let has_gap = if order.finished.misses(&scan, catalogue) {
            let now = (order.clock)();
            let gap = now.duration_since(*missing_since.get_or_insert(now));
            gap.is_ok_and(|gap| gap < folder::QUIET)
        } else {
            missing_since = None;
            false
        };
        // a program that keeps running is told when a file is whole, but not of what happened before it began
        let is_told = order.finished.is_watching() && desk.has_walked;
        if !is_told && media_waited < MEDIA_PATIENCE {
            let shown = parsed
                .iter()
                .filter_map(|parsed| parsed.waits_for.as_deref());
            let known = coming.paths().filter(|path| desk.shows(path));
            let mut awaited: BTreeSet<&str> = shown.chain(known).collect();
            if !awaited.is_empty() {
                while !awaited.is_empty() && media_waited < MEDIA_PATIENCE {
                    std::thread::sleep(PAUSE);
                    media_waited += PAUSE;
                    awaited.retain(|path| coming.still_grows(path, (order.clock)()));
                }
                continue;
            }
        }
        if (is_whole && !has_gap) || waited >= PATIENCE {
            let mut look = Look {
                scan,
                walked,
                coming,
                ..Look::default()
            };
            // that there are any is all that is asked from here on
            look.scan.changed.truncate(1);
            look.scan.changed.shrink_to_fit();
            look.rows.reserve_exact(parsed.len());
            for parsed in parsed {
                let folder = location::folder(&parsed.row.path);
                let section = parsed.section.map(|section| (folder.to_owned(), section));
                look.sections.extend(section);
                look.rows.push(parsed.row);
            }
            return Ok(look);
        }
        waited += PAUSE;
        // what is going on is more than what was heard
        heard = None;
        std::thread::sleep(PAUSE);
    }
}

/// How long a file that is written again and again may keep others waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a file that is being copied may keep others waiting, where nobody tells when it is whole.
const MEDIA_PATIENCE: Duration = Duration::from_secs(2);
/// Before what changed under our eyes is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// A scan in which no file was written a moment ago: it might be half written. Waits at most as long as is left.
fn settled(
    root: &Path,
    ours: &Ours,
    known: &Catalogue,
    order: &Order,
    waited: &mut Duration,
) -> Result<Scan, Halt> {
    loop {
        let scan = folder::scan(root, ours, known).map_err(|error| {
            let remedy = "make it, or name another one with `--articles`";
            Halt::Folder(format!("{error}; {remedy}; until then the old feeds stay"))
        })?;
        let wait = folder::unrest(&scan, &order.finished, (order.clock)());
        if wait.is_zero() || *waited >= PATIENCE {
            return Ok(scan);
        }
        // in small steps: who writes may be done long before
        let pause = wait.min(PAUSE);
        std::thread::sleep(pause);
        *waited += pause;
    }
}

struct Parsed {
    row: Row,
    section: Option<Section>,
    /// Whether what was read is what the scan saw.
    as_seen: bool,
    /// A file that it seems to show and that is being copied.
    waits_for: Option<String>,
}

fn parse(found: &Found, config: &Config, order: &Order, coming: &Coming) -> Parsed {
    let path = &found.path;
    let mut row = Row::new(path, found.class, found.stamp, found.draft);
    let (mut as_seen, mut section, mut waits_for) = (true, None, None);
    if found.class != Class::Asset {
        // what was written a moment ago may be written again within the same tick of the file system's clock
        let age = folder::age(found.stamp.ctime, (order.clock)());
        row.trusted = age.is_none_or(|age| age > folder::QUIET);
        match folder::read(found) {
            Ok((bytes, stamp)) => {
                as_seen = stamp == found.stamp;
                let named = coming.named_in(&bytes).map(str::to_owned);
                let source = Source { path, bytes };
                if found.class == Class::Section {
                    let (said, notes) = article::section(source, &config.dialect);
                    section = Some(said);
                    row = row.with(Reading::Other, None, &notes);
                } else {
                    // a fault of ours in one file must not take the others along
                    let parsed = silenced(|| article::parse(source, &config.dialect));
                    let (outcome, notes) =
                        parsed.unwrap_or_else(|cause| (Outcome::Broken, vec![fault(path, &cause)]));
                    row = match outcome {
                        Outcome::Article(article) => {
                            let is_draft = article.visibility == Visibility::Draft || found.draft;
                            waits_for = named.filter(|_| !is_draft);
                            row.with(Reading::Whole, Some(&article), &notes)
                        }
                        Outcome::Held(_) | Outcome::Broken | Outcome::Empty => {
                            row.with(Reading::Broken, None, &notes)
                        }
                        Outcome::Other => row.with(Reading::Other, None, &notes),
                    };
                }
            }
            Err(problem) => {
                // what is in the way may go without a trace in the stamp
                row.trusted = false;
                if found.class == Class::Section {
                    section = Some(Section {
                        draft: true,
                        is_broken: true,
                        ..Section::default()
                    });
                    row = row.with(Reading::Other, None, &[problem]);
                } else {
                    row = row.with(Reading::Broken, None, &[problem]);
                }
            }
        }
    }
    Parsed {
        row,
        section,
        as_seen,
        waits_for,
    }
}

/// Where the published copies of assets lie that no row tells of.
fn published_copy<'a>(
    config: &'a Config,
    catalogue: &'a Catalogue,
) -> impl Fn(&str) -> Option<PathBuf> + use<'a> {
    let disk = Disk::new(&config.feeds, &config.state(), &config.compress);
    let manifest = disk.manifest(&mut Vec::new()).ok().flatten();
    move |path| {
        let route = format!("{PAGES}{path}");
        let published = manifest.as_ref()?.documents.get(&route)?;
        let is_copy = catalogue.at(path).is_none()
            && published.kind == Kind::Asset
            && disk.lies_well(&route, published);
        is_copy.then(|| config.feeds.join(route))
    }
}

/// What the author is told where we fail.
pub(super) fn fault(path: &str, cause: &str) -> Problem {
    Problem::error(path, format!("makes tidings fail ({cause})"))
        .remedy("please report this with the file; try to write it in a simpler way until then")
}

/// What an article is to the ledger.
pub(super) enum Offer {
    /// For the public, if its dates allow.
    Candidate(Box<Candidate>),
    /// Kept back by its author: why.
    Hidden(String),
    /// It cannot be understood, and no earlier version of it is in the state folder.
    Lost,
    /// It is no article: why.
    Aside(String),
    /// None.
    No,
}

/// What the row of a file offers that is whole.
pub(super) fn offer(catalogue: &Catalogue, number: Number, config: &Config) -> Offer {
    let Some(row) = catalogue.row(number).filter(|row| row.is_article()) else {
        return Offer::No;
    };
    let Some(article) = catalogue.article(number) else {
        return Offer::No;
    };
    if let Some(why) = aside::why(&article, catalogue, config) {
        Offer::Aside(why)
    } else if article.visibility == Visibility::Draft {
        Offer::Hidden(article.why.unwrap_or_default())
    } else if row.draft {
        Offer::Hidden("lies in a folder `_drafts`".to_owned())
    } else if catalogue.around(&row.path).any(|section| section.draft) {
        Offer::Hidden("the `_index.md` of its folder is a draft".to_owned())
    } else {
        let candidate = Candidate::new(&article, row.stamp.modified(), &config.site);
        Offer::Candidate(Box::new(candidate))
    }
}

/// What the row of a file offers that cannot be understood: an earlier version of it stands in for it.
pub(super) fn fall_back(
    catalogue: &mut Catalogue,
    number: Number,
    config: &Config,
    books: &Books,
    order: &Order,
    living: &OnceCell<Living>,
    problems: &mut Vec<Problem>,
) -> Offer {
    let Some(row) = catalogue.row(number) else {
        return Offer::No;
    };
    if row.reading == Reading::Early {
        // what waits is offered, or is no article any more
        let offer = offer(catalogue, number, config);
        if !matches!(offer, Offer::Candidate(_)) {
            return offer;
        }
    }
    let path = row.path.to_string();
    let modified = if row.stamp.inode == 0 {
        order.now
    } else {
        row.stamp.modified()
    };
    if catalogue.around(&path).any(|section| section.draft) {
        return Offer::No;
    }
    let kept = books.state.sources.get(&config.state(), &path);
    let Some(article) = kept.and_then(|bytes| again(&path, bytes, config)) else {
        return under_another_name(catalogue, number, config, books, living).unwrap_or(Offer::Lost);
    };
    if row.reading == Reading::Broken {
        problems.push(still_published(&path));
    }
    catalogue.stand_in(number, Some(article));
    match catalogue.article(number) {
        Some(article) => {
            Offer::Candidate(Box::new(Candidate::new(&article, modified, &config.site)))
        }
        None => Offer::No,
    }
}

/// What an article offers that waits for a file, and had another name when it was published: it is not withdrawn.
fn under_another_name(
    catalogue: &mut Catalogue,
    number: Number,
    config: &Config,
    books: &Books,
    living: &OnceCell<Living>,
) -> Option<Offer> {
    let row = catalogue.row(number)?;
    if row.reading != Reading::Early || books.ledger.at(&row.path).is_some() {
        return None;
    }
    let (path, modified) = (row.path.to_string(), row.stamp.modified());
    let article = catalogue.article(number)?;
    let candidate = Candidate::new(&article, modified, &config.site);
    let living = living.get_or_init(|| books.ledger.living());
    let former = living.like(&candidate, &config.site)?.path.clone()?;
    if catalogue.number(&former).is_some() {
        return None;
    }
    let kept = books.state.sources.get(&config.state(), &former);
    let Some(article) = kept.and_then(|bytes| again(&path, bytes, config)) else {
        return Some(Offer::Candidate(Box::new(candidate)));
    };
    let candidate = Candidate::new(&article, modified, &config.site);
    catalogue.stand_in(number, Some(article));
    Some(Offer::Candidate(Box::new(candidate)))
}

/// Reads what subscribers have already. What would hold an article back that nobody has seen yet does not matter any more.
fn again(path: &str, bytes: Vec<u8>, config: &Config) -> Option<Article> {
    match article::parse(Source { path, bytes }, &config.dialect).0 {
        Outcome::Article(article) | Outcome::Held(article)
            if article.visibility != Visibility::Draft =>
        {
            Some(*article)
        }
        _ => None,
    }
}

/// What the author of a broken article is told when subscribers keep its last good version.
pub(super) fn still_published(path: &str) -> Problem {
    Problem::warning(
        path,
        "subscribers keep the last good version of this article",
    )
    .remedy("mend the file, or delete it to withdraw the article")
}

/// Where the file of a row lies.
pub(super) fn place(config: &Config, catalogue: &Catalogue, path: &str) -> PathBuf {
    match catalogue.places.get(path) {
        Some(place) => place.clone(),
        None => config.articles.join(path),
    }
}

/// An article with its text, read again.
pub(super) fn whole(
    config: &Config,
    catalogue: &Catalogue,
    state: &State,
    number: Number,
) -> Option<Article> {
    let known = catalogue.article(number)?;
    let row = catalogue.row(number)?;
    if row.reading == Reading::Broken || catalogue.is_stood_in_for(number) {
        return Some(known);
    }
    let found = Found {
        path: known.path.clone(),
        place: place(config, catalogue, &known.path),
        class: row.class,
        draft: row.draft,
        stamp: row.stamp,
    };
    let path = &found.path;
    let parsed = folder::read(&found)
        .ok()
        .and_then(|(bytes, _)| again(path, bytes, config));
    let is_same = |article: &Article| article.digest == known.digest;
    // whoever writes it right now is read in the next turn
    let mut article = match parsed {
        Some(article) if is_same(&article) => article,
        parsed => {
            let good = state.sources.get(&config.state(), path);
            let good = good.and_then(|bytes| again(path, bytes, config));
            good.filter(is_same).or(parsed)?
        }
    };
    catalogue.lend_language(&mut article);
    Some(article)
}

/// An article as subscribers have it: from its last good source, else from a published feed.
pub(super) fn previous(
    studio: &Studio<'_>,
    catalogue: &Catalogue,
    number: Number,
) -> Option<Article> {
    let path = &catalogue.row(number)?.path;
    let config = studio.config;
    let kept = studio.state.sources.get(&config.state(), path);
    let mut article = kept
        .and_then(|bytes| again(path, bytes, config))
        .or_else(|| {
            let record = studio.ledger.at(path)?;
            super::recovery::published_article(studio, &record)
        })?;
    catalogue.lend_language(&mut article);
    Some(article)
}
