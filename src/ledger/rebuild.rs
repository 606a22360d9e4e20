//! A ledger that is lost, damaged or too old comes back from what was published.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;
use url::Url;

use super::{FeedRecord, Ledger, Minted, Record};
use crate::article::{Article, Date, id, location};
use crate::link::{self, PAGES};
use crate::site::Site;

/// What a published document says of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// By which readers know it.
    pub id: String,
    /// Its link.
    pub link: Option<String>,
    /// Its title, as plain text.
    pub title: Option<String>,
    /// When it was published.
    pub published: DateTime<Utc>,
    /// When it was last changed.
    pub updated: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Takes over every published entry that the ledger does not know; those without a file stay as gone.
    ///
    /// An entry is the file whose minted id, else link, else title and published date it has, if exactly one fits.
    pub fn rebuild(
        &mut self,
        published: &[Remembered],
        articles: &[Article],
        site: &Site,
    ) -> Vec<Record> {
        let mut found = Vec::new();
        for entry in published {
            if let Some(known) = self.get(&entry.id) {
                // an older line does not know what came after it
                if entry
                    .updated
                    .is_some_and(|updated| updated > known.effective_update())
                {
                    self.restore(known, entry, articles);
                }
                continue;
            }
            if self.knows(&entry.id) {
                continue;
            }
            let free = articles.iter().filter(|a| self.at(&a.path).is_none());
            let free: Vec<&Article> = free.collect();
            let candidate = only(&free, |article| has_id(article, &entry.id, site))
                .or_else(|| only(&free, |article| has_link(article, entry, site)))
                .or_else(|| only(&free, |article| has_title_and_date(article, entry, site)));
            let record = record(entry, candidate, site);
            self.put(&record);
            found.push(record);
        }
        found
    }

    /// Takes over what damaged lines say of articles whose entries are published: the entry tells the id, the dates and the
    /// page, and the line the rest. To be done before [`rebuild`](Self::rebuild), which knows nothing of the rest.
    pub fn salvage(
        &mut self,
        lines: &[&Record],
        published: &[Remembered],
        articles: &[Article],
        site: &Site,
    ) {
        if lines.is_empty() {
            return;
        }
        let (files, entries) = (Files::of(articles), Entries::of(published, site));
        for says in lines {
            let Some(entry) = self.entry_of(says, &entries, &files) else {
                continue;
            };
            let is_free = |article: &Article| {
                let other = self.at(&article.path);
                other.is_none_or(|other| other.id == entry.id)
            };
            let search = |fits: &dyn Fn(&Article) -> bool| {
                let mut found = articles
                    .iter()
                    .filter(|article| fits(article) && is_free(article));
                found.next().filter(|_| found.next().is_none())
            };
            let at_path = says.path.as_deref().and_then(|path| files.at(path));
            let at_path = at_path.filter(|article| is_free(article));
            // the damage may be in its path
            let article = at_path
                .filter(|article| {
                    article.digest == says.digest
                        || has_title(article, says.title.as_deref())
                        || has_id(article, &entry.id, site)
                })
                .or_else(|| files.with_digest(&says.digest, is_free))
                .or_else(|| search(&|article| has_id(article, &entry.id, site)))
                .or_else(|| search(&|article| has_title_and_date(article, entry, site)))
                .or(at_path);
            let found = record(entry, article, site);
            self.put_if_new(&Record {
                path: found.path.clone().or_else(|| says.path.clone()),
                minted: says.minted,
                seen: says.seen,
                nth: found.nth.or(says.nth.filter(|_| article.is_none())),
                undated: article.map_or(says.undated, |article| article.published.is_none()),
                digest: article.map_or_else(|| says.digest.clone(), |a| a.digest.clone()),
                page: found.page.clone().or_else(|| says.page.clone()),
                gone: None,
                was: says.was.clone(),
                ..found
            });
        }
    }

    /// The published entry that a damaged line speaks of: that of its id, if something else agrees with it; or, if the damage
    /// is in the id, the only one that no line knows and that has its page, or its title and its date.
    fn entry_of<'p>(
        &self,
        says: &Record,
        entries: &Entries<'p>,
        files: &Files<'_>,
    ) -> Option<&'p Remembered> {
        let own = entries.by_id.get(says.id.as_str()).filter(|(entry, page)| {
            // a sound line of a file that is there has the id already
            let other = self.get(&entry.id).and_then(|record| record.path);
            let is_of_other = other
                .is_some_and(|path| Some(&path) != says.path.as_ref() && files.at(&path).is_some());
            let agrees = page.is_some() && *page == says.page
                || entry.title == says.title
                || entry.published == says.published;
            agrees && !is_of_other
        });
        let unknown = |entry: &&'p Remembered| !self.knows(&entry.id);
        let by_page = || {
            let page = says.page.as_deref()?;
            (*entries.by_page.get(page)?).filter(unknown)
        };
        let by_title = || {
            let key = (says.title.as_deref(), says.published);
            (*entries.by_title.get(&key)?).filter(unknown)
        };
        own.map(|(entry, _)| *entry)
            .or_else(by_page)
            .or_else(by_title)
    }

    /// Takes over what damaged lines say of what no feed shows, as far as no other line knows better.
    pub fn salvage_rest(
        &mut self,
        lines: &[&Record],
        published: &[Remembered],
        articles: &[Article],
    ) {
        if lines.is_empty() {
            return;
        }
        let files = Files::of(articles);
        let published: HashSet<&str> = published.iter().map(|entry| entry.id.as_str()).collect();
        let mut digests = HashSet::new();
        let mut titles = HashSet::new();
        for record in self.records() {
            titles.extend(record.title.map(|title| (title, record.published)));
            digests.insert(record.digest);
        }
        for says in lines {
            if published.contains(says.id.as_str()) {
                continue;
            }
            // the damage may be in its id: then an earlier line knows the article
            let title = says.title.clone().map(|title| (title, says.published));
            let is_like_another = || {
                digests.contains(&says.digest) || title.is_some_and(|title| titles.contains(&title))
            };
            let is_known = self.get(&says.id).is_some();
            if !is_known && (self.knows(&says.id) || is_like_another()) {
                continue;
            }
            // or in its path: then that is another's, or there is no such file
            let is_free = |path: &str| self.at(path).is_none_or(|other| other.id == says.id);
            let path = says.path.as_deref().filter(|path| is_free(path));
            let is_there = path.is_some_and(|path| files.at(path).is_some());
            let moved = (!is_there)
                .then(|| files.with_digest(&says.digest, |article| is_free(&article.path)))
                .flatten();
            let path = moved.map(|article| article.path.as_str()).or(path);
            self.put_if_new(&Record {
                path: path.map(str::to_owned),
                // without a file it waits to be found again
                gone: says.gone.or_else(|| path.is_none().then_some(says.seen)),
                ..(*says).clone()
            });
        }
    }

    fn put_if_new(&mut self, record: &Record) {
        if self.get(&record.id).as_ref() != Some(record) {
            self.put(record);
        }
    }

    /// Takes over what a damaged line says of a feed. What the feed is called, and what it is of, its documents know better.
    pub fn salvage_feed(&mut self, says: &FeedRecord, title: Option<&str>, of: Option<String>) {
        let known = self.feed(&says.feed);
        // the damage may be in its name: then another has its id
        if known.is_none() && self.feeds().any(|feed| feed.id == says.id) {
            return;
        }
        let of = of.or_else(|| known?.of.clone());
        let known = known.unwrap_or(says);
        let title = says.title.as_deref().map(|said| title.unwrap_or(said));
        let found = FeedRecord {
            title: title.map(str::to_owned).or_else(|| known.title.clone()),
            of,
            ..known.clone()
        };
        if self.feed(&says.feed) != Some(&found) {
            self.put_feed(found);
        }
    }

    /// Gives a record the dates that subscribers know. What its article says now is what they have: whether it was changed
    /// since then nobody remembers.
    fn restore(&mut self, known: Record, entry: &Remembered, articles: &[Article]) {
        let mut articles = articles.iter();
        let article = articles.find(|article| known.path.as_ref() == Some(&article.path));
        let digest = article.map_or_else(|| known.digest.clone(), |article| article.digest.clone());
        self.put(&Record {
            published: entry.published,
            updated: entry.updated.filter(|updated| *updated > entry.published),
            digest,
            ..known
        });
    }

    /// Takes over the id of a published feed that the ledger does not know, and the term that it is `of`; and the date of one
    /// that was changed after the ledger was written.
    pub fn rebuild_feed(
        &mut self,
        name: &str,
        id: &str,
        changed: DateTime<Utc>,
        of: Option<String>,
    ) {
        let digest = String::new();
        match self.feed(name).cloned() {
            Some(known) if known.changed >= changed => {}
            Some(known) => self.put_feed(FeedRecord {
                changed,
                digest,
                ..known
            }),
            None => self.put_feed(FeedRecord {
                feed: name.to_owned(),
                title: None,
                of,
                id: id.to_owned(),
                minted: minted(id),
                changed,
                digest,
            }),
        }
    }
}

/// Articles, as a rebuild looks for them.
struct Files<'a> {
    by_path: HashMap<&'a str, &'a Article>,
    by_digest: HashMap<&'a str, Vec<&'a Article>>,
}

impl<'a> Files<'a> {
    fn of(articles: &'a [Article]) -> Self {
        let mut by_digest: HashMap<&str, Vec<&Article>> = HashMap::new();
        for article in articles {
            by_digest.entry(&article.digest).or_default().push(article);
        }
        let by_path = articles
            .iter()
            .map(|article| (article.path.as_str(), article));
        Self {
            by_path: by_path.collect(),
            by_digest,
        }
    }

    fn at(&self, path: &str) -> Option<&'a Article> {
        self.by_path.get(path).copied()
    }

    /// The only one that says this, and that fits.
    fn with_digest(&self, digest: &str, fits: impl Fn(&Article) -> bool) -> Option<&'a Article> {
        let mut alike = self
            .by_digest
            .get(digest)?
            .iter()
            .filter(|article| fits(article));
        alike.next().filter(|_| alike.next().is_none()).copied()
    }
}

/// Published entries, as a rebuild looks for them; `None` where several fit.
struct Entries<'p> {
    /// With the paths of their pages.
    by_id: HashMap<&'p str, (&'p Remembered, Option<String>)>,
    by_page: HashMap<String, Option<&'p Remembered>>,
    by_title: HashMap<(Option<&'p str>, DateTime<Utc>), Option<&'p Remembered>>,
}

impl<'p> Entries<'p> {
    fn of(published: &'p [Remembered], site: &Site) -> Self {
        let mut entries = Self {
            by_id: HashMap::new(),
            by_page: HashMap::new(),
            by_title: HashMap::new(),
        };
        for entry in published {
            if entries.by_id.contains_key(entry.id.as_str()) {
                continue;
            }
            let page = entry.link.as_deref().and_then(|link| page(link, site));
            if let Some(page) = &page {
                let of_page = entries.by_page.entry(page.clone());
                of_page
                    .and_modify(|other| *other = None)
                    .or_insert(Some(entry));
            }
            let of_title = entries
                .by_title
                .entry((entry.title.as_deref(), entry.published));
            of_title
                .and_modify(|other| *other = None)
                .or_insert(Some(entry));
            entries.by_id.insert(&entry.id, (entry, page));
        }
        entries
    }
}

fn has_title(article: &Article, title: Option<&str>) -> bool {
    title.is_some() && article.title.as_ref().map(|title| title.text.as_str()) == title
}

fn only<'a>(articles: &[&'a Article], fits: impl Fn(&Article) -> bool) -> Option<&'a Article> {
    let mut fitting = articles.iter().filter(|article| fits(article));
    fitting.next().filter(|_| fitting.next().is_none()).copied()
}

/// The declared id, or the path part of a minted one: its date cannot be known without the ledger.
fn has_id(article: &Article, known: &str, site: &Site) -> bool {
    if let Some(declared) = &article.id {
        return declared == known || id::in_atom(declared) == known;
    }
    let path: String = location::stem(&article.path).nfc().collect();
    let minted = known
        .strip_prefix("tag:")
        .and_then(|rest| rest.split_once(':'))
        .map(|(_, path)| path);
    minted == Some(site.tag_path(&path).as_str())
}

fn has_link(article: &Article, entry: &Remembered, site: &Site) -> bool {
    let Some(link) = entry.link.as_deref() else {
        return false;
    };
    let expected = link::declared(article, site).unwrap_or_else(|| match &site.permalink {
        Some(pattern) => pattern.apply(article, site, site.day(entry.published)),
        None => format!(
            "{}{PAGES}{}/",
            site.base,
            crate::site::encode_path(&crate::site::slug::slug_path(&location::stem(
                &article.path
            )))
        ),
    });
    link::canonical(&expected).as_deref() == Some(link)
}

fn has_title_and_date(article: &Article, entry: &Remembered, site: &Site) -> bool {
    let title = article.title.as_ref().map(|title| title.text.as_str());
    let same_day = match article.published {
        Some(Date::Instant(instant)) => instant == entry.published,
        Some(day @ Date::Day(_)) => nth(day, entry.published, site).is_some(),
        None => false,
    };
    same_day && title.is_some() && title == entry.title.as_deref()
}

/// The place among the articles of a day that a published date shows.
fn nth(day: Date, published: DateTime<Utc>, site: &Site) -> Option<u32> {
    let behind = published - day.instant(site.zone, 0);
    (behind >= TimeDelta::zero() && behind < TimeDelta::days(1))
        .then(|| u32::try_from(behind.num_seconds()).ok())
        .flatten()
}

fn record(entry: &Remembered, article: Option<&Article>, site: &Site) -> Record {
    let explicit = article.is_some_and(|article| {
        let declared = article.id.as_deref();
        declared.is_some_and(|declared| declared == entry.id || id::in_atom(declared) == entry.id)
    });
    let published_nth = article
        .and_then(|article| article.published)
        .and_then(|date| match date {
            Date::Day(_) => nth(date, entry.published, site),
            Date::Instant(_) => None,
        });
    Record {
        path: article.map(|article| article.path.clone()),
        id: entry.id.clone(),
        minted: if explicit {
            Minted::Explicit
        } else {
            minted(&entry.id)
        },
        seen: entry.published,
        published: entry.published,
        nth: published_nth,
        undated: article.is_some_and(|article| article.published.is_none()),
        updated: entry.updated.filter(|updated| *updated > entry.published),
        digest: article
            .map(|article| article.digest.clone())
            .unwrap_or_default(),
        title: entry.title.clone(),
        page: entry.link.as_deref().and_then(|link| page(link, site)),
        gone: article.is_none().then_some(entry.published),
        was: Vec::new(),
    }
}

/// The path of a built-in page, from its URL.
fn page(link: &str, site: &Site) -> Option<String> {
    if site.permalink.is_some() {
        return None;
    }
    let path = link
        .strip_prefix(site.base.as_str())?
        .strip_prefix(PAGES)?
        .strip_suffix('/')?;
    percent_decode_str(path)
        .decode_utf8()
        .ok()
        .map(String::from)
}

/// Whether an id was minted under an address that nobody else could reach.
fn minted(id: &str) -> Minted {
    let host = id
        .strip_prefix("tag:")
        .and_then(|rest| rest.split_once(','))
        .map(|(host, _)| host);
    let base = host.and_then(|host| Url::parse(&format!("http://{host}/")).ok());
    if base.is_some_and(|base| !crate::site::is_public(&base)) {
        Minted::Provisional
    } else {
        Minted::Final
    }
}
