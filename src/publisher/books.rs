//! What is remembered between turns: the ledger, the manifest and the state, opened, mended and closed in the right order.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::read::{Folder, Lost, fall_back, still_published};
use super::{
    Catalogue, Config, Disk, Edition, Ledger, Level, Manifest, Observation, Order, Problem, Turn,
};
use crate::article::{Article, Body, Date, Markup, Person, Title, TitleFrom, Visibility};
use crate::check::read::{Published, PublishedEntry, read};
use crate::edition::{Kind, LedgerMark};
use crate::ledger::{Candidate, Fault, FeedRecord, Remembered};
use crate::link::PAGES;
use crate::state::State;
use crate::store::{Ready, durable};

/// The books of one turn.
pub(super) struct Books {
    pub(super) ledger: Ledger,
    /// What the ledger's file will hold; what it held is a prefix of it unless `rewrite` is set.
    text: Vec<u8>,
    written: usize,
    rewrite: bool,
    faults: Vec<Fault>,
    pub(super) manifest: Option<Manifest>,
    pub(super) disk: Disk,
    pub(super) state: State,
    pub(super) problems: Vec<Problem>,
}

impl Books {
    /// Reads everything that an earlier turn left.
    pub(super) fn open(config: &Config, state: State) -> Result<Self> {
        let text = match std::fs::read(&config.ledger) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read `{}`", config.ledger.display()));
            }
        };
        let (ledger, faults) = Ledger::parse(&text);
        let disk = Disk::new(&config.feeds, &config.state());
        let mut problems = Vec::new();
        let manifest = disk.manifest(&mut problems)?;
        let written = text.len();
        // an editor may have taken the last line end, and a line must not be appended to a line
        let rewrite = !faults.is_empty() || !(text.is_empty() || text.ends_with(b"\n"));
        Ok(Self {
            ledger,
            text,
            written,
            rewrite,
            faults,
            manifest,
            disk,
            state,
            problems,
        })
    }

    /// Takes back from the published feeds what the ledger should know and does not, and what broken articles were.
    pub(super) fn mend(&mut self, config: &Config, folder: &mut Folder) {
        self.tell_faults(config);
        self.hold_closed(config, folder);
        let suspect = self.is_suspect(config);
        if !suspect && folder.lost.is_empty() {
            return;
        }
        let published = self.published(config);
        if suspect {
            self.rebuild(config, folder, &published);
        }
        self.resurrect(config, folder, &published);
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
        if mark.hash == LedgerMark::of(&self.text, self.ledger.len()).hash {
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

    fn rebuild(&mut self, config: &Config, folder: &Folder, published: &[(Issue, Published)]) {
        for (issue, feed) in published {
            if let (Kind::Atom, Some(id), Some(updated)) = (issue.kind, &feed.id, feed.updated) {
                self.ledger.rebuild_feed(&issue.feed, id, updated);
            }
            let entries: Vec<Remembered> = feed.entries.iter().filter_map(remembered).collect();
            self.ledger
                .rebuild(&entries, &folder.candidates, &config.site);
        }
        self.rewrite = true;
    }

    /// What was published from a folder that cannot be listed is not gone: it keeps its last good version.
    fn hold_closed(&self, config: &Config, folder: &mut Folder) {
        if folder.closed.is_empty() {
            return;
        }
        let closed = std::mem::take(&mut folder.closed);
        let inside = |path: &str| {
            let mut rests = closed
                .iter()
                .filter_map(|folder| path.strip_prefix(folder.as_str()));
            rests.any(|rest| rest.starts_with('/'))
        };
        let living = self.ledger.records().filter(|record| record.gone.is_none());
        for record in living.filter(|record| record.path.as_deref().is_some_and(inside)) {
            let Some(path) = record.path.clone() else {
                continue;
            };
            folder.present.insert(path.clone());
            let lost = Lost {
                path,
                modified: record.seen,
            };
            fall_back(folder, lost, config, &self.state);
        }
    }

    /// The published entry serves where even the kept source of a broken article is gone.
    fn resurrect(
        &mut self,
        config: &Config,
        folder: &mut Folder,
        published: &[(Issue, Published)],
    ) {
        for lost in std::mem::take(&mut folder.lost) {
            let Some(record) = self
                .ledger
                .at(&lost.path)
                .filter(|record| record.gone.is_none())
            else {
                continue;
            };
            let entries = published.iter().flat_map(|(_, feed)| &feed.entries);
            let entry = entries
                .filter(|entry| entry.id == record.id)
                .find(|entry| entry.content_html.is_some());
            match entry {
                Some(entry) => {
                    folder.problems.push(still_published(&lost.path));
                    folder.resurrected.insert(lost.path.clone());
                    let article = article(entry, &lost.path, &record.digest, config);
                    folder.candidates.push(Candidate { article, modified: lost.modified });
                }
                None => folder.problems.push(
                    Problem::error(&lost.path, "no earlier version of this article is left: it is withdrawn until the file is mended")
                        .remedy("mend the file"),
                ),
            }
        }
    }

    /// What was published once and is no longer: the pages of withdrawn articles, and feeds that left the
    /// configuration. Whoever asks is told so.
    pub(super) fn gone(&self, wanted: &BTreeSet<String>, edition: &Edition) -> BTreeSet<String> {
        let withdrawn = self.ledger.records().filter(|record| record.gone.is_some());
        let pages = withdrawn
            .filter_map(|record| record.page.as_deref())
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
        let mut lines = String::new();
        for feed in feeds {
            lines += &self.ledger.put_feed(feed.clone());
        }
        for record in &seen.records {
            lines += &self.ledger.put(record.clone());
        }
        lines.into_bytes()
    }

    /// Ledger, then documents, then manifest.
    pub(super) fn commit(
        &mut self,
        config: &Config,
        order: &Order,
        edition: &Edition,
        lines: &[u8],
        show: &mut dyn FnMut(&Ready<'_>),
        turn: &mut Turn,
    ) -> Result<()> {
        if self.rewrite || self.ledger.wants_compaction() {
            self.rewrite = true;
            self.text = self.ledger.to_text().into_bytes();
        } else {
            self.text.extend_from_slice(lines);
        }
        let mark = LedgerMark::of(&self.text, self.ledger.len());
        if order.dry_run {
            let plan = self.disk.plan(edition, self.manifest.as_ref())?;
            turn.written = plan.written;
            turn.deleted = plan.deleted;
            return Ok(());
        }
        let previous = self.manifest.as_ref();
        let mut ready = self.disk.prepare(edition, previous, mark, order.now)?;
        self.write_ledger(config, lines)?;
        if !ready.waits_for_assets() {
            show(&ready);
        }
        ready.encode()?;
        let published = self.disk.publish(&mut ready, previous)?;
        show(&ready);
        turn.written = published.written;
        turn.deleted = published.deleted;
        turn.problems.extend(published.problems);
        Ok(())
    }

    fn write_ledger(&self, config: &Config, lines: &[u8]) -> Result<()> {
        let path = &config.ledger;
        let failed = || format!("cannot write `{}`", path.display());
        if !self.rewrite {
            return if lines.is_empty() {
                Ok(())
            } else {
                durable::append(path, lines).with_context(failed)
            };
        }
        if self.written > 0
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
        durable::put(path, &self.text).with_context(failed)
    }

    /// Keeps what makes the next turn better. Failing here costs no subscriber anything, so it is a warning.
    pub(super) fn remember(
        &mut self,
        config: &Config,
        order: &Order,
        folder: &Folder,
        catalogue: &Catalogue,
        shown: &BTreeSet<usize>,
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
        let sources: BTreeMap<&str, &[u8]> = shown
            .iter()
            .map(|index| &catalogue.entries()[*index].article)
            .filter(|article| !folder.resurrected.contains(&article.path))
            .map(|article| (article.path.as_str(), article.body.file.as_bytes()))
            .collect();
        self.state.files = folder.files;
        self.state.told = turn
            .problems
            .iter()
            .filter(|p| p.level < Level::Error)
            .map(ToString::to_string)
            .collect();
        self.state.keep(&config.state(), &sources)?;
        if self.state == before {
            Ok(())
        } else {
            self.state.save(&config.state())
        }
    }
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
