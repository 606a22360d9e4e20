//! What is remembered between turns: the ledger, the manifest and the state, opened and closed in the right order.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::fallback;
use super::read::phantom;
use super::{Ahead, Config, Disk, Edition, Ledger, Level, Manifest, Order, Problem, Turn};
use crate::announce;
use crate::cache;
use crate::catalogue::{Number, Reading, Row};
use crate::edition::LedgerMark;
use crate::edition::encode::Coding;
use crate::ledger::{Fault, FeedRecord, Index, Record, Verdict};
use crate::link::PAGES;
use crate::state::{Fresh, State};
use crate::store::{Encode, Ready, durable};

/// The books of one turn.
pub(super) struct Books {
    pub(super) ledger: Ledger,
    /// How long the file of the ledger is; the rest of the ledger's text is to be appended to it …
    length: usize,
    /// … unless all of it is to be written anew.
    pub(super) rewrite: bool,
    /// Whether the manifest was written with this very ledger.
    pub(super) is_marked: bool,
    /// To so many bytes the file is cut before, where no other file can take its place.
    cut: Option<usize>,
    pub(super) faults: Vec<Fault>,
    pub(super) manifest: Option<Manifest>,
    pub(super) disk: Disk,
    pub(super) state: State,
    pub(super) problems: Vec<Problem>,
}

impl Books {
    /// Reads what an earlier turn left, as far as the desk does not have it.
    pub(super) fn open(config: &Config, desk: &mut Desk, mut state: State) -> Result<Self> {
        let stamp = crate::folder::stamp_of(&config.ledger);
        let is_same = stamp.is_some() && stamp == desk.ledger_stamp;
        desk.is_settled &= is_same;
        let known = desk.ledger.take().filter(|_| is_same);
        let (mut ledger, mut faults) = match known {
            Some(ledger) => (ledger, Vec::new()),
            None => read_ledger(config, desk, is_same)?,
        };
        desk.ledger_stamp = stamp;
        let disk = Disk::new(&config.feeds, &config.state(), &config.compress)
            .apart_from(&config.articles);
        let mut problems: Vec<Problem> = state.trouble.take().into_iter().collect();
        let stamp = disk.stamp();
        let known = desk
            .manifest
            .take()
            .filter(|(known, _)| stamp == Some(*known));
        let manifest = match known {
            Some((_, manifest)) => Some(manifest),
            None => disk.manifest(&mut problems)?,
        };
        let mark = manifest.as_ref().map(|manifest| &manifest.ledger);
        let is_marked =
            mark.is_some_and(|mark| mark.hash == LedgerMark::of(ledger.text(), ledger.len()).hash);
        if !is_marked && desk.index.is_some() {
            // an index says nothing of what a line became since
            desk.index = None;
            (ledger, faults) = Ledger::of(ledger.text().to_vec());
        }
        // an editor may have taken the last line end, and a line must not be appended to a line
        let text = ledger.text();
        let rewrite = !faults.is_empty() || !(text.is_empty() || text.ends_with(b"\n"));
        Ok(Self {
            length: text.len(),
            ledger,
            rewrite,
            is_marked,
            cut: None,
            faults,
            manifest,
            disk,
            state,
            problems,
        })
    }

    /// The order at the time that it is: a clock that lies neither withdraws nor dates anything. Instants that a wrong clock
    /// left in the ledger are replaced.
    pub(super) fn at_a_sound_time(
        &mut self,
        config: &Config,
        order: &Order,
        last: Option<DateTime<Utc>>,
    ) -> Order {
        let mut order = order.clone();
        let name = config.ledger.display().to_string();
        let said = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self.ledger.judge(order.now, last) {
            Verdict::Sound => {}
            Verdict::Clock(newest) => {
                if (newest - order.now).abs() > TimeDelta::hours(1) {
                    let what = format!(
                        "was written at {}, and the clock says {}",
                        said(newest),
                        said(order.now)
                    );
                    let remedy = "set the clock; until then what is public stays so, and what is scheduled waits";
                    self.problems
                        .push(Problem::warning(name, what).remedy(remedy));
                }
                order.now = newest;
            }
            Verdict::Ledger(newest) => {
                let (records, feeds) = self.ledger.recalled(order.now);
                let what = format!(
                    "holds dates that a wrong clock recorded, up to {}: {} of articles, {} of feeds",
                    said(newest),
                    records.len(),
                    feeds.len()
                );
                let remedy = "they are replaced by now";
                self.problems
                    .push(Problem::warning(name, what).remedy(remedy));
                self.record(records);
                self.record_feeds(feeds);
                // of several lines of one id the latest date counts: the wrong ones must go
                self.rewrite = true;
            }
        }
        order
    }

    /// Gives back what was read, when nothing is to be written.
    pub(super) fn put_back(self, desk: &mut Desk) {
        let stamp = self.disk.stamp();
        desk.ledger = Some(self.ledger).filter(|_| self.faults.is_empty());
        desk.manifest = stamp.zip(self.manifest);
    }

    /// What was published from a folder that cannot be listed is not gone: it keeps its last good version.
    pub(super) fn hold_closed(&self, closed: &[String]) -> Vec<Row> {
        if closed.is_empty() {
            return Vec::new();
        }
        let inside = |path: &str| {
            let mut rests = closed
                .iter()
                .filter_map(|folder| path.strip_prefix(folder.as_str()));
            rests.any(|rest| rest.starts_with('/'))
        };
        let living = self.ledger.records().filter(|record| record.gone.is_none());
        let paths = living.filter_map(|record| record.path);
        let paths = paths.filter(|path| inside(path));
        paths.map(|path| phantom(&path)).collect()
    }

    /// What was published once and is no longer: the pages of withdrawn articles, and feeds that left the
    /// configuration. Whoever asks is told so.
    pub(super) fn gone(&self, wanted: &BTreeSet<String>, edition: &Edition) -> BTreeSet<String> {
        let withdrawn = self.ledger.gone();
        let pages = withdrawn
            .filter_map(|record| record.page)
            .map(|page| format!("{PAGES}{page}/index.html"));
        let manifest = self.manifest.iter();
        let feeds = manifest.flat_map(|manifest| {
            let left = manifest.documents.iter();
            let left = left.filter(|(_, document)| document.kind.is_feed());
            left.map(|(route, _)| route.clone()).chain(
                manifest
                    .gone
                    .iter()
                    .filter(|route| !route.starts_with(PAGES))
                    .cloned(),
            )
        });
        pages
            .chain(feeds)
            .filter(|route| !edition.documents.contains_key(route))
            // one that the gate refuses, and of which no good version is left, is missing for a while, not gone
            .filter(|route| !wanted.contains(route))
            .collect()
    }

    /// Takes over what the turn found of feeds: what is to be durable before a document is seen.
    pub(super) fn record_feeds(&mut self, feeds: Vec<FeedRecord>) {
        for feed in feeds {
            self.ledger.put_feed(feed);
        }
    }

    /// Gives feeds back the records that they had.
    pub(super) fn forget_feeds(&mut self, recorded: &[FeedRecord]) {
        for feed in recorded {
            if self.ledger.feed(&feed.feed) != Some(feed) {
                self.ledger.put_feed(feed.clone());
                // of several lines of one feed the latest date counts: the refused ones must go
                self.rewrite = true;
            }
        }
    }

    /// Takes over what the turn found of articles.
    pub(super) fn record(&mut self, records: Vec<Box<Record>>) {
        self.ledger.reserve(records.len(), 0);
        // some at a time: both the records and the lines of all would take their room twice
        let mut records = records.into_iter();
        loop {
            let records: Vec<Box<Record>> = records.by_ref().take(LINES).collect();
            if records.is_empty() {
                return;
            }
            let lines: Vec<String> = records.par_iter().map(|r| Ledger::line(r)).collect();
            self.ledger
                .reserve(0, lines.iter().map(String::len).sum::<usize>());
            for (record, line) in records.iter().zip(lines) {
                self.ledger.put_line(record, &line);
            }
        }
    }

    /// Does some work that waits for no ledger while the disk takes what is to be appended to it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn append_beside<T>(
        &mut self,
        config: &Config,
        order: &Order,
        work: impl FnOnce(&Self) -> T,
    ) -> Result<T> {
        let text = &self.ledger.text()[self.length..];
        // in a bucket it is not durable before it is there
        let is_whole = self.rewrite || self.ledger.wants_compaction() || config.bucket.is_some();
        if order.dry_run || is_whole || text.is_empty() {
            return Ok(work(self));
        }
        let append = || durable::append(&config.ledger, text);
        let (written, done) = durable::beside(append, || work(self));
        written.with_context(|| format!("cannot write `{}`", config.ledger.display()))?;
        self.length = self.ledger.text().len();
        Ok(done)
    }

    /// Ledger, then documents, then manifest.
    pub(super) fn commit(
        &mut self,
        config: &Config,
        desk: &mut Desk,
        order: &Order,
        edition: &Edition,
        show: &mut dyn FnMut(&Ready<'_>),
        turn: &mut Turn,
    ) -> Result<()> {
        let had_text = self.length > 0;
        let mut ledger = std::mem::take(&mut self.ledger);
        let is_due = self.rewrite || ledger.wants_compaction();
        if is_due && durable::is_mount_point(&config.ledger) {
            let what =
                "is mounted as a single file: it can be appended to, and never be written anew";
            let problem = Problem::warning(config.ledger.display().to_string(), what);
            turn.problems
                .push(problem.remedy("mount the folder in which it lies"));
            ledger = self.only_append(&ledger);
            desk.index = None;
        } else if is_due {
            self.rewrite = true;
            (ledger, _) = Ledger::of(ledger.to_text().into_bytes());
            desk.index = None;
        }
        let mark = LedgerMark::of(ledger.text(), ledger.len());
        if order.dry_run {
            let plan = self.disk.plan(edition, self.manifest.as_ref())?;
            turn.written = plan.written;
            turn.deleted = plan.deleted;
            return Ok(());
        }
        let previous = self.manifest.as_ref();
        let mut ready = self.disk.prepare(edition, previous, mark, order.now)?;
        turn.problems.append(&mut ready.problems);
        let is_news = turn.tells_of_articles();
        if let Err(error) = announce::begin(config, previous, &ready.manifest, is_news) {
            let what = format!("hubs may be told of nothing, or too much: {error:#}");
            let problem = Problem::warning(config.state().display().to_string(), what);
            turn.problems
                .push(problem.remedy("everything is published; make room, or let it be written"));
        }
        let from = if self.rewrite { 0 } else { self.length };
        let text = &ledger.text()[from..];
        let bucket = desk.bucket(config)?.zip(config.bucket.as_ref());
        if let Some((bucket, target)) = &bucket {
            // whoever is not the first has shown nothing
            let parts = (text, ledger.text());
            bucket.commit(&mut ready, previous, parts, &target.settings, order.now)?;
        }
        let replicas = || Ahead::of("replicas of the bucket");
        let written = self.write_ledger(config, text, had_text);
        match &bucket {
            None => written?,
            Some((bucket, _)) => written
                .and_then(|()| bucket.note_ledger(ledger.text()))
                .map_err(replicas())?,
        }
        desk.ledger_stamp = crate::folder::stamp_of(&config.ledger);
        desk.ledger = Some(ledger);
        let is_shown = !ready.waits_for_assets();
        if is_shown {
            show(&ready);
        }
        let encode = if desk.stays {
            Encode::After(&Coding::ALL)
        } else {
            Encode::Beside(&config.compress)
        };
        let published = self.disk.publish(&mut ready, previous, encode);
        let published = match &bucket {
            Some(_) => published.map_err(replicas())?,
            None if desk.stays && is_shown => {
                published.map_err(Ahead::of("readers of this server"))?
            }
            None => published?,
        };
        show(&ready);
        desk.manifest = self.disk.stamp().map(|stamp| (stamp, ready.manifest));
        turn.written = published.written;
        turn.deleted = published.deleted;
        turn.problems.extend(published.problems);
        Ok(())
    }

    /// The ledger as its file will be if it is only appended to, and a torn last line cut off.
    fn only_append(&mut self, ledger: &Ledger) -> Ledger {
        let (file, new) = ledger.text().split_at(self.length);
        let is_torn = self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::Torn { .. }));
        let whole = memchr::memrchr(b'\n', file).map_or(0, |end| end + 1);
        let kept = if is_torn { whole } else { file.len() };
        let mut text = file[..kept].to_vec();
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(new);
        self.rewrite = false;
        self.length = kept;
        self.cut = Some(kept);
        Ledger::of(text).0
    }

    /// Writes the text of the ledger, or appends to it.
    fn write_ledger(&self, config: &Config, text: &[u8], had_text: bool) -> Result<()> {
        // a link to the file stays one
        let place = config.ledger.canonicalize();
        let path = place.as_ref().unwrap_or(&config.ledger);
        let failed = || format!("cannot write `{}`", path.display());
        if let Some(length) = self.cut {
            return durable::mend(path, length as u64, text).with_context(failed);
        }
        if !self.rewrite {
            return if text.is_empty() {
                Ok(())
            } else {
                durable::append(path, text).with_context(failed)
            };
        }
        if had_text
            && self
                .faults
                .iter()
                .any(|fault| matches!(fault, Fault::Damaged { .. }))
        {
            let old =
                std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            let copy = config.state().join(format!(
                "ledger.damaged-{}.jsonl",
                &blake3::hash(&old).to_hex()[..8]
            ));
            durable::put(&copy, &old)
                .with_context(|| format!("cannot write `{}`", copy.display()))?;
        }
        durable::put(path, text).with_context(failed)
    }

    /// Keeps what makes the next turn better. Failing here costs no subscriber anything, so it is a warning.
    pub(super) fn remember(
        &mut self,
        config: &Config,
        desk: &Desk,
        order: &Order,
        shown: &BTreeSet<Number>,
        sources: Fresh,
        turn: &mut Turn,
    ) -> Result<()> {
        turn.problems
            .sort_by(|a, b| (&a.path, a.line, b.level).cmp(&(&b.path, b.line, a.level)));
        turn.problems.dedup();
        turn.news = turn
            .problems
            .iter()
            .filter(|p| self.state.is_news(p))
            .map(ToString::to_string)
            .collect();
        if order.dry_run {
            return Ok(());
        }
        let before = self.state.clone();
        let catalogue = &desk.catalogue;
        let rows = shown.iter().filter_map(|number| catalogue.row(*number));
        let paths: BTreeSet<&str> = rows.map(|row| &*row.path).collect();
        self.state.files = desk.aside.files;
        self.state.has_permalink = config.site.permalink.is_some();
        self.state.told = turn
            .problems
            .iter()
            .filter(|p| p.level < Level::Error)
            .map(ToString::to_string)
            .collect();
        let missing = self.state.sources.keep(&config.state(), &paths, sources)?;
        let intake = self.state.sources.intake(&config.state());
        for path in missing {
            let number = catalogue.number(path);
            // what was refused is no good version
            let whole =
                number.filter(|number| fallback::of(&desk.fallbacks, catalogue, *number).is_none());
            let whole = whole.filter(|number| {
                let row = catalogue.row(*number);
                row.is_some_and(|row| row.reading == Reading::Whole)
            });
            let article =
                whole.and_then(|number| super::read::whole(config, catalogue, &self.state, number));
            if let Some(article) = article {
                intake.put(path, article.body.file.as_bytes());
            }
        }
        let fresh = intake.close();
        self.state.sources.keep(&config.state(), &paths, fresh)?;
        if self.state == before {
            Ok(())
        } else {
            self.state.settle(&config.state())
        }
    }
}

fn read_ledger(config: &Config, desk: &mut Desk, is_same: bool) -> Result<(Ledger, Vec<Fault>)> {
    let text = || match read_with_room(&config.ledger) {
        Err(error) if durable::is_absent(&error) => Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read `{}`", config.ledger.display())),
    };
    // what was found out of another ledger is not true of this one
    let index = desk.index.take().filter(|_| is_same);
    let index = index.and_then(|index| {
        let known: Index = cache::recall(&config.state(), INDEX, index.name)?;
        Some((index, known))
    });
    if let Some((index, known)) = index
        && let Some(read) = Ledger::indexed(text()?, known)
    {
        desk.index = Some(index);
        return Ok(read);
    }
    Ok(Ledger::of(text()?))
}

/// A file, with room behind it: lines are appended, and all that was read would be moved for the first of them.
fn read_with_room(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    let mut text = Vec::with_capacity(length + SHORT);
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// What tells which index in the state folder is true of the ledger.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Indexed {
    name: u64,
    /// Of the text that it is of, in bytes.
    length: usize,
}

/// Keeps where everything stands in the ledger, where that saves reading much of it again.
pub(super) fn keep_index(
    config: &Config,
    ledger: &Ledger,
    kept: Option<Indexed>,
) -> Result<Option<Indexed>> {
    let length = ledger.text().len();
    let behind = length - kept.map_or(0, |kept| kept.length.min(length));
    if behind < SHORT {
        return Ok(kept);
    }
    let Some(index) = ledger.index() else {
        return Ok(None);
    };
    let name = cache::remember(&config.state(), INDEX, &index)?;
    Ok(Some(Indexed { name, length }))
}

/// The file of the index, in the state folder.
const INDEX: &str = "ledger.index";
/// So many bytes of a ledger are read again as quickly as they are looked up.
const SHORT: usize = 256 << 10;
/// So many lines of the ledger are written at a time.
const LINES: usize = 4096;
