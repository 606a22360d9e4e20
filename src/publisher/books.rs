//! What is remembered between turns: the ledger, the manifest and the state, opened, mended and closed in the right order.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::desk::Desk;
use super::read::{phantom, still_published};
use super::{
    Catalogue, Config, Disk, Edition, Ledger, Level, Manifest, Observation, Order, Problem, Turn,
};
use crate::article::{Article, Body, Date, Markup, Person, Title, TitleFrom, Visibility};
use crate::catalogue::{Number, Reading, Row};
use crate::check::read::{Published, PublishedEntry, read};
use crate::edition::encode::{self, Coding};
use crate::edition::{Kind, LedgerMark, TAIL};
use crate::ledger::{Candidate, Fault, FeedRecord, Remembered};
use crate::link::PAGES;
use crate::state::State;
use crate::store::{Ready, durable};

/// The ledger, with what tells its file from an older one.
#[derive(Debug, Default)]
pub(super) struct Kept {
    ledger: Ledger,
    /// In bytes.
    length: usize,
    /// The end of its text.
    tail: Vec<u8>,
}

impl Kept {
    fn append(&mut self, text: &[u8]) {
        self.length += text.len();
        self.tail.extend_from_slice(text);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
    }

    fn mark(&self) -> LedgerMark {
        LedgerMark::of_tail(self.length, &self.tail, self.ledger.len())
    }
}

/// The books of one turn.
pub(super) struct Books {
    pub(super) ledger: Ledger,
    /// How long the file of the ledger will be, and its end; what it was is the beginning of it unless `rewrite` is set.
    length: usize,
    tail: Vec<u8>,
    rewrite: bool,
    faults: Vec<Fault>,
    pub(super) manifest: Option<Manifest>,
    pub(super) disk: Disk,
    pub(super) state: State,
    pub(super) problems: Vec<Problem>,
}

impl Books {
    /// Reads what an earlier turn left, as far as the desk does not have it.
    pub(super) fn open(config: &Config, desk: &mut Desk, state: State) -> Result<Self> {
        let stamp = crate::folder::stamp_of(&config.ledger);
        let is_same = stamp.is_some() && stamp == desk.ledger_stamp;
        desk.is_settled &= is_same;
        let known = desk.ledger.take().filter(|_| is_same);
        let (kept, faults) = match known {
            Some(kept) => (kept, Vec::new()),
            None => read_ledger(config)?,
        };
        desk.ledger_stamp = stamp;
        let disk = Disk::new(&config.feeds, &config.state());
        let mut problems = Vec::new();
        let stamp = disk.stamp();
        let known = desk
            .manifest
            .take()
            .filter(|(known, _)| stamp == Some(*known));
        let manifest = match known {
            Some((_, manifest)) => Some(manifest),
            None => disk.manifest(&mut problems)?,
        };
        // an editor may have taken the last line end, and a line must not be appended to a line
        let rewrite = !faults.is_empty() || !(kept.length == 0 || kept.tail.ends_with(b"\n"));
        let Kept {
            ledger,
            length,
            tail,
        } = kept;
        Ok(Self {
            ledger,
            length,
            tail,
            rewrite,
            faults,
            manifest,
            disk,
            state,
            problems,
        })
    }

    /// Says what is wrong with the ledger, and finds out whether it must be rebuilt from what was published.
    pub(super) fn examine(&mut self, config: &Config) -> bool {
        self.tell_faults(config);
        self.is_suspect(config)
    }

    /// Takes back from the published feeds what the ledger should know and does not, and what broken articles were.
    pub(super) fn mend(
        &mut self,
        config: &Config,
        catalogue: &mut Catalogue,
        is_suspect: bool,
        lost: &[Number],
        candidates: &mut Vec<Box<Candidate>>,
        problems: &mut Vec<Problem>,
    ) {
        if !is_suspect && lost.is_empty() {
            return;
        }
        let published = self.published(config);
        if is_suspect {
            let numbers = candidates.iter().filter_map(|c| catalogue.number(&c.path));
            let articles: Vec<Article> = numbers.filter_map(|n| catalogue.article(n)).collect();
            self.rebuild(config, &articles, &published);
        }
        self.resurrect(config, catalogue, lost, candidates, problems, &published);
    }

    fn tell_faults(&mut self, config: &Config) {
        let name = config.ledger.display().to_string();
        for fault in &self.faults {
            self.problems.push(match fault {
                Fault::Torn { line } => Problem::warning(&name, "the last line was cut off while it was written")
                    .at(*line)
                    .remedy("it is taken out; nothing that was published depends on it"),
                Fault::Conflict { line } => Problem::warning(&name, "holds the marks of a merge conflict")
                    .at(*line)
                    .remedy("both sides are taken; put `ledger.jsonl merge=union` into `.gitattributes`"),
                Fault::Damaged { line, cause } => Problem::error(&name, format!("this line is no record: {cause}"))
                    .at(*line)
                    .remedy("a copy of the file is kept in `.tidings/`, and what the line said is taken from the published feeds"),
            });
        }
    }

    /// Whether the ledger is damaged, missing, or older than what was published with it.
    fn is_suspect(&mut self, config: &Config) -> bool {
        if self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::Damaged { .. }))
        {
            return true;
        }
        let Some(mark) = self.manifest.as_ref().map(|manifest| &manifest.ledger) else {
            return false;
        };
        if mark.hash == LedgerMark::of_tail(self.length, &self.tail, self.ledger.len()).hash {
            return false;
        }
        let published = self.published(config);
        let unknown = |entry: &&PublishedEntry| !self.ledger.knows(&entry.id);
        let missing = published
            .iter()
            .flat_map(|(_, feed)| &feed.entries)
            .filter(unknown)
            .count();
        if self.ledger.len() >= mark.count && missing == 0 {
            return false;
        }
        let name = config.ledger.display().to_string();
        let what = match self.ledger.len() {
            0 => format!("is missing or empty, but {} ids were published", mark.count),
            count => format!(
                "is older than the feeds: it holds {count} ids of {}",
                mark.count.max(count + missing)
            ),
        };
        let remedy = "it is rebuilt from the published feeds; restore it from your backup or from git if you can";
        self.problems
            .push(Problem::error(name, what).remedy(remedy));
        true
    }

    /// Every feed that the manifest names and that is still there, with its kind.
    fn published(&self, config: &Config) -> Vec<(Issue, Published)> {
        let Some(manifest) = &self.manifest else {
            return Vec::new();
        };
        let feeds = manifest
            .documents
            .iter()
            .filter(|(_, document)| matches!(document.kind, Kind::Rss | Kind::Atom | Kind::Json));
        let mut found: Vec<(Issue, Published)> = feeds
            .filter_map(|(route, document)| {
                let bytes = std::fs::read(config.feeds.join(route)).ok()?;
                let feed = route.rsplit_once('/').map_or("", |(folder, _)| folder);
                let issue = Issue {
                    feed: feed.to_owned(),
                    kind: document.kind,
                };
                Some((issue, read(document.kind, &bytes)?))
            })
            .collect();
        // what Atom says is most exact: it has the feed's id, and both dates
        found.sort_by_key(|(issue, _)| issue.kind != Kind::Atom);
        found
    }

    fn rebuild(&mut self, config: &Config, articles: &[Article], published: &[(Issue, Published)]) {
        for (issue, feed) in published {
            if let (Kind::Atom, Some(id), Some(updated)) = (issue.kind, &feed.id, feed.updated) {
                self.ledger.rebuild_feed(&issue.feed, id, updated);
            }
            let entries: Vec<Remembered> = feed.entries.iter().filter_map(remembered).collect();
            self.ledger.rebuild(&entries, articles, &config.site);
        }
        self.rewrite = true;
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

    /// The published entry serves where even the kept source of a broken article is gone.
    fn resurrect(
        &mut self,
        config: &Config,
        catalogue: &mut Catalogue,
        lost: &[Number],
        candidates: &mut Vec<Box<Candidate>>,
        problems: &mut Vec<Problem>,
        published: &[(Issue, Published)],
    ) {
        for number in lost {
            let Some(row) = catalogue.row(*number) else {
                continue;
            };
            let (path, modified) = (row.path.to_string(), row.stamp.modified());
            let record = self.ledger.at(&path);
            let Some(record) = record.filter(|record| record.gone.is_none()) else {
                continue;
            };
            let entries = published.iter().flat_map(|(_, feed)| &feed.entries);
            let entry = entries
                .filter(|entry| entry.id == record.id)
                .find(|entry| entry.content_html.is_some());
            match entry {
                Some(entry) => {
                    problems.push(still_published(&path));
                    let article = article(entry, &path, &record.digest, config);
                    candidates.push(Box::new(Candidate::new(&article, modified, &config.site)));
                    catalogue.stand_in(*number, Some(article));
                }
                None => problems.push(
                    Problem::error(&path, "no earlier version of this article is left: it is withdrawn until the file is mended")
                        .remedy("mend the file"),
                ),
            }
        }
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

    /// Takes over what the turn found; the lines that are to be durable before a document is seen.
    pub(super) fn record(&mut self, seen: &Observation, feeds: &[FeedRecord]) -> Vec<u8> {
        let records: Vec<String> = seen.records.par_iter().map(|r| Ledger::line(r)).collect();
        let mut lines = String::with_capacity(records.iter().map(String::len).sum());
        self.ledger.reserve(records.len(), lines.capacity());
        for feed in feeds {
            lines += &self.ledger.put_feed(feed.clone());
        }
        for (record, line) in seen.records.iter().zip(records) {
            self.ledger.put_line(record, &line);
            lines += &line;
        }
        lines.into_bytes()
    }

    /// Ledger, then documents, then manifest.
    pub(super) fn commit(
        &mut self,
        config: &Config,
        desk: &mut Desk,
        order: &Order,
        (edition, lines): (&Edition, &[u8]),
        show: &mut dyn FnMut(&Ready<'_>),
        turn: &mut Turn,
    ) -> Result<()> {
        let mut whole = Vec::new();
        if self.rewrite || self.ledger.wants_compaction() {
            self.rewrite = true;
            whole = self.ledger.to_text().into_bytes();
        }
        let had_text = self.length > 0;
        let mut kept = Kept {
            ledger: std::mem::take(&mut self.ledger),
            length: self.length,
            tail: std::mem::take(&mut self.tail),
        };
        if self.rewrite {
            (kept.length, kept.tail) = (0, Vec::new());
            kept.append(&whole);
        } else {
            kept.append(lines);
        }
        let mark = kept.mark();
        if order.dry_run {
            let plan = self.disk.plan(edition, self.manifest.as_ref())?;
            turn.written = plan.written;
            turn.deleted = plan.deleted;
            return Ok(());
        }
        let previous = self.manifest.as_ref();
        let mut ready = self.disk.prepare(edition, previous, mark, order.now)?;
        self.write_ledger(config, if self.rewrite { &whole } else { lines }, had_text)?;
        drop(whole);
        desk.ledger_stamp = crate::folder::stamp_of(&config.ledger);
        desk.ledger = Some(kept);
        if !ready.waits_for_assets() {
            show(&ready);
        }
        if desk.stays {
            encode::aside(|| ready.encode(&Coding::ALL))?;
        } else {
            ready.encode(&Coding::SIBLINGS)?;
        }
        let published = self.disk.publish(&mut ready, previous)?;
        show(&ready);
        desk.manifest = self.disk.stamp().map(|stamp| (stamp, ready.manifest));
        turn.written = published.written;
        turn.deleted = published.deleted;
        turn.problems.extend(published.problems);
        Ok(())
    }

    /// Writes the text of the ledger, or appends to it.
    fn write_ledger(&self, config: &Config, text: &[u8], had_text: bool) -> Result<()> {
        let path = &config.ledger;
        let failed = || format!("cannot write `{}`", path.display());
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
        sources: &BTreeMap<String, String>,
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
        self.state.told = turn
            .problems
            .iter()
            .filter(|p| p.level < Level::Error)
            .map(ToString::to_string)
            .collect();
        let missing = self.state.keep(&config.state(), &paths, sources)?;
        let missing = missing.into_iter().filter_map(|path| {
            let number = catalogue.number(path)?;
            catalogue
                .row(number)
                .filter(|row| row.reading == Reading::Whole)?;
            let article = super::read::whole(config, catalogue, &self.state, number)?;
            Some((path.to_owned(), article.body.file))
        });
        let missing: BTreeMap<String, String> = missing.collect();
        if !missing.is_empty() {
            self.state.keep(&config.state(), &paths, &missing)?;
        }
        if self.state == before {
            Ok(())
        } else {
            self.state.save(&config.state())
        }
    }
}

fn read_ledger(config: &Config) -> Result<(Kept, Vec<Fault>)> {
    let text = match std::fs::read(&config.ledger) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot read `{}`", config.ledger.display()));
        }
    };
    let (ledger, faults) = Ledger::parse(&text);
    let mut kept = Kept {
        ledger,
        ..Kept::default()
    };
    kept.append(&text[text.len().saturating_sub(TAIL)..]);
    kept.length = text.len();
    Ok((kept, faults))
}

/// A document of a feed: which feed's, and in which format.
struct Issue {
    feed: String,
    kind: Kind,
}

fn remembered(entry: &PublishedEntry) -> Option<Remembered> {
    Some(Remembered {
        id: entry.id.clone(),
        link: entry.link.clone(),
        title: entry.title.clone(),
        published: entry.published.or(entry.updated)?,
        updated: entry.updated,
    })
}

/// A published entry, as the article that it was.
fn article(entry: &PublishedEntry, path: &str, digest: &str, config: &Config) -> Article {
    let person = |(name, email, url): &(String, Option<String>, Option<String>)| Person {
        name: name.clone(),
        email: email.clone(),
        url: url.clone(),
    };
    Article {
        path: path.to_owned(),
        id: None,
        title: entry.title.clone().map(|text| Title {
            text,
            from: TitleFrom::Sentence,
        }),
        published: entry.published.map(Date::Instant),
        updated: None,
        expires: None,
        visibility: Visibility::Public,
        why: None,
        url: entry.link.clone(),
        slug: None,
        canonical: None,
        aliases: Vec::new(),
        external_url: entry.external_url.clone(),
        link: None,
        tags: entry.tags.clone(),
        categories: Vec::new(),
        authors: entry.authors.iter().map(person).collect(),
        summary: entry.summary.clone(),
        image: None,
        enclosures: Vec::new(),
        language: entry
            .language
            .clone()
            .filter(|language| *language != config.site.language),
        body: Body {
            markup: Markup::Html,
            file: entry.content_html.clone().unwrap_or_default(),
            start: 0,
            line: 1,
        },
        digest: digest.to_owned(),
    }
}
