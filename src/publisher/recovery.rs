//! What was published tells what the ledger forgot, and what articles were that cannot be read any longer.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::books::Books;
use super::read::still_published;
use super::rendering::Studio;
use super::{Catalogue, Config, Disk, Ledger, Manifest, Problem};
use crate::article::head::Labels;
use crate::article::{Article, Body, Date, Markup, Person, Title, TitleFrom, Visibility, id};
use crate::catalogue::Number;
use crate::check::read::{Published, PublishedEntry, read};
use crate::edition::Kind;
use crate::feed::By;
use crate::ledger::{Candidate, Fault, Record, Remembered, Unsound};
use crate::link::PAGES;
use crate::site::encode_path;
use crate::store::durable;

impl Books {
    /// Says what is wrong with the ledger, and finds out whether it must be rebuilt from what was published.
    pub(super) fn examine(&mut self, config: &Config, catalogue: &Catalogue) -> bool {
        let is_suspect = self.is_suspect(config, catalogue);
        self.tell_faults(config, is_suspect);
        is_suspect
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

    fn tell_faults(&mut self, config: &Config, is_suspect: bool) {
        let name = config.ledger.display().to_string();
        let torn = if is_suspect {
            "it is taken out; what it said is taken from the published feeds"
        } else {
            "it is taken out; nothing that was published depends on it"
        };
        let (unreadable, damaged) = if durable::is_mount_point(&config.ledger) {
            (
                "what it said is taken from the published feeds; mount the folder, so that the line can be taken out",
                "the published id and dates are used, where there are any; mount the folder, so that the line can be taken out",
            )
        } else {
            (
                "a copy of the file is kept in `.tidings/`, and what the line said is taken from the published feeds, as far as they have it",
                "the published id and dates are used, where there are any; to keep your edit, delete `sum`",
            )
        };
        for fault in &self.faults {
            self.problems.push(match fault {
                Fault::Torn { line } => {
                    Problem::warning(&name, "the last line was cut off while it was written")
                        .at(*line)
                        .remedy(torn)
                }
                Fault::Conflict { line } => Problem::warning(
                    &name,
                    "holds the marks of a merge conflict",
                )
                .at(*line)
                .remedy(
                    "both sides are taken; put `ledger.jsonl merge=union` into `.gitattributes`",
                ),
                Fault::Damaged {
                    line,
                    cause,
                    says: None,
                } => Problem::error(&name, format!("this line is no record: {cause}"))
                    .at(*line)
                    .remedy(unreadable),
                Fault::Damaged {
                    line,
                    cause,
                    says: Some(_),
                } => Problem::error(&name, format!("this line is damaged: {cause}"))
                    .at(*line)
                    .remedy(damaged),
            });
        }
    }

    /// Whether the ledger is damaged, missing, or older than what was published with it.
    fn is_suspect(&mut self, config: &Config, catalogue: &Catalogue) -> bool {
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
        if self.is_marked {
            return false;
        }
        let published = self.published(config);
        let entries = || published.iter().flat_map(|(_, feed)| &feed.entries);
        let missing = entries()
            .filter(|entry| !self.ledger.knows(&entry.id))
            .count();
        let feeds = published.iter().filter(|(issue, feed)| {
            let known = self.ledger.feed(&issue.feed).map(|known| known.changed);
            issue.kind == Kind::Atom && feed.id.is_some() && known < feed.updated
        });
        let is_older = entries().any(|entry| self.is_behind(entry, catalogue));
        let count = self.ledger.len();
        let what = if count == 0 {
            format!("is missing or empty, but {} ids were published", mark.count)
        } else if count < mark.count || missing > 0 {
            format!(
                "is older than the feeds: it holds {count} ids of {}",
                mark.count.max(count + missing)
            )
        } else if is_older {
            "is older than the feeds: articles were updated since".to_owned()
        } else {
            match feeds.count() {
                0 => return false,
                count => format!("is older than {count} of the feeds"),
            }
        };
        let name = config.ledger.display().to_string();
        let remedy = "it is rebuilt from the published feeds; restore it from your backup or from git if you can";
        self.problems
            .push(Problem::error(name, what).remedy(remedy));
        true
    }

    /// Whether an entry was published with a later update than the ledger and the article know. A line without a sum is what
    /// somebody wrote by hand, and meant.
    fn is_behind(&self, entry: &PublishedEntry, catalogue: &Catalogue) -> bool {
        let (Some(updated), Some(record)) = (entry.updated, self.ledger.get(&entry.id)) else {
            return false;
        };
        if updated <= record.effective_update() || !self.ledger.is_summed(&entry.id) {
            return false;
        }
        // an article that says what the record says was not changed since; its author may have taken a date out
        let number = record.path.and_then(|path| catalogue.number(&path));
        let article = number.and_then(|number| catalogue.article(number));
        article.is_some_and(|article| article.updated.is_none() && article.digest != record.digest)
    }

    /// Every feed that the manifest names and that is still there, with its kind.
    fn published(&self, config: &Config) -> Vec<(Issue, Published)> {
        published(config, self.manifest.as_ref(), &self.ledger)
    }

    fn rebuild(&mut self, config: &Config, articles: &[Article], published: &[(Issue, Published)]) {
        let entries = published.iter().flat_map(|(_, feed)| &feed.entries);
        let entries: Vec<Remembered> = entries.filter_map(remembered).collect();
        let (mut records, mut feeds) = (Vec::new(), Vec::new());
        for fault in &self.faults {
            match fault {
                Fault::Damaged {
                    says: Some(Unsound::Article(record)),
                    ..
                } => records.push(&**record),
                Fault::Damaged {
                    says: Some(Unsound::Feed(feed)),
                    ..
                } => feeds.push(feed),
                _ => {}
            }
        }
        self.ledger
            .salvage(&records, &entries, articles, &config.site);
        self.ledger.rebuild(&entries, articles, &config.site);
        self.ledger.salvage_rest(&records, &entries, articles);
        let by_path: HashMap<&str, &Article> = articles
            .iter()
            .map(|article| (article.path.as_str(), article))
            .collect();
        for (issue, feed) in published {
            if let (Kind::Atom, Some(id), Some(updated)) = (issue.kind, &feed.id, feed.updated) {
                let term = self.term(config, &issue.feed, feed, &by_path);
                self.ledger.rebuild_feed(&issue.feed, id, updated, term);
            }
        }
        for says in feeds {
            let mut documents = published
                .iter()
                .filter(|(issue, _)| issue.feed == says.feed);
            let document = documents.next().map(|(_, feed)| feed);
            let title = document.and_then(|feed| feed.title.as_deref());
            let term = document.and_then(|feed| self.term(config, &says.feed, feed, &by_path));
            let said = says.of.clone().filter(|term| {
                By::of(&says.feed).is_some_and(|by| by.is_name_of(&says.feed, term))
            });
            self.ledger.salvage_feed(says, title, term.or(said));
        }
        self.rewrite = true;
    }

    /// The term that a feed of one tag, author … is of: the one from which its name can come, and that most of its entries
    /// have.
    fn term(
        &self,
        config: &Config,
        name: &str,
        feed: &Published,
        articles: &HashMap<&str, &Article>,
    ) -> Option<String> {
        let by = By::of(name)?;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &feed.entries {
            let path = self.ledger.get(&entry.id).and_then(|record| record.path);
            let Some(article) = path.and_then(|path| articles.get(path.as_str())) else {
                continue;
            };
            for term in by.terms(&Labels::from(*article), &config.site) {
                if by.is_name_of(name, &term) {
                    *counts.entry(term.into_owned()).or_default() += 1;
                }
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(term, _)| term)
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
                    let article = article(entry, &path, &record, config);
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
}

/// Every feed that the manifest names and that is still there, with its kind.
fn published(
    config: &Config,
    manifest: Option<&Manifest>,
    ledger: &Ledger,
) -> Vec<(Issue, Published)> {
    let Some(manifest) = manifest else {
        return Vec::new();
    };
    let feeds = manifest
        .documents
        .iter()
        .filter(|(_, document)| matches!(document.kind, Kind::Rss | Kind::Atom | Kind::Json));
    let mut found: Vec<(Issue, Published)> = feeds
        .filter_map(|(route, document)| {
            let bytes = std::fs::read(config.feeds.join(route)).ok()?;
            // what somebody else put there says nothing of our articles
            if crate::edition::hash(&bytes) != document.hash {
                return None;
            }
            let feed = route.rsplit_once('/').map_or("", |(folder, _)| folder);
            let issue = Issue {
                feed: feed.to_owned(),
                kind: document.kind,
            };
            Some((issue, read(document.kind, &bytes)?))
        })
        .collect();
    name_as_others_do(&mut found, ledger);
    // what Atom says is most exact: it has the feed's id, and both dates
    found.sort_by_key(|(issue, _)| issue.kind != Kind::Atom);
    found
}

/// Gives the entries of Atom documents the ids that they have in the other formats, and in the ledger: some have a form
/// of their own in Atom.
fn name_as_others_do(found: &mut [(Issue, Published)], ledger: &Ledger) {
    let (atom, others): (Vec<_>, Vec<_>) = found
        .iter_mut()
        .partition(|(issue, _)| issue.kind == Kind::Atom);
    let own = |id: &str| matches!(id::in_atom(id), Cow::Owned(form) if form != id);
    let ids = others.iter().flat_map(|(_, feed)| &feed.entries);
    let mut names: HashMap<String, String> = ids
        .filter(|entry| own(&entry.id))
        .map(|entry| (id::in_atom(&entry.id).into_owned(), entry.id.clone()))
        .collect();
    let records = ledger.records().map(|record| record.id);
    for id in records.filter(|id| own(id)) {
        names.insert(id::in_atom(&id).into_owned(), id);
    }
    for entry in atom.into_iter().flat_map(|(_, feed)| &mut feed.entries) {
        if let Some(name) = names.get(&entry.id).filter(|_| !ledger.knows(&entry.id)) {
            entry.id.clone_from(name);
        }
    }
}

/// What the main feed is called, as it was published last.
pub(super) fn published_title(feeds: &Path, state: &Path) -> Option<String> {
    let manifest = Disk::new(feeds, state, &[])
        .manifest(&mut Vec::new())
        .ok()??;
    let documents = manifest.documents.iter();
    let mut of_main = documents.filter(|(route, document)| {
        !route.contains('/') && matches!(document.kind, Kind::Rss | Kind::Atom | Kind::Json)
    });
    of_main.find_map(|(route, document)| {
        let bytes = std::fs::read(feeds.join(route)).ok()?;
        let is_ours = crate::edition::hash(&bytes) == document.hash;
        is_ours.then(|| read(document.kind, &bytes)?.title)?
    })
}

/// What a published feed says of an article.
pub(super) fn published_article(studio: &Studio<'_>, record: &Record) -> Option<Article> {
    let published = published(studio.config, studio.manifest, studio.ledger);
    let mut entries = published.iter().flat_map(|(_, feed)| &feed.entries);
    let entry = entries.find(|entry| entry.id == record.id && entry.content_html.is_some())?;
    Some(article(
        entry,
        record.path.as_deref()?,
        record,
        studio.config,
    ))
}

/// What a published feed says of the article at a path.
pub(super) fn published_entry(studio: &Studio<'_>, path: &str) -> Option<PublishedEntry> {
    let record = studio.ledger.at(path)?;
    let published = published(studio.config, studio.manifest, studio.ledger);
    let mut entries = published.into_iter().flat_map(|(_, feed)| feed.entries);
    entries.find(|entry| entry.id == record.id && entry.updated.is_some())
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
fn article(entry: &PublishedEntry, path: &str, record: &Record, config: &Config) -> Article {
    let (page, digest) = (record.page.as_deref(), &record.digest);
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
        is_dated: true,
        updated: None,
        expires: None,
        visibility: Visibility::Public,
        why: None,
        // its page is ours again
        url: entry.link.clone().filter(|link| {
            let page =
                page.map(|page| format!("{}{PAGES}{}/", config.site.base, encode_path(page)));
            page.as_ref() != Some(link)
        }),
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
        digest: digest.clone(),
    }
}
