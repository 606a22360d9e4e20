//! A ledger that is lost, damaged or too old comes back from what was published.

use std::collections::BTreeMap;

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

    /// Takes over what damaged lines say of articles whose entries are published: the entry tells the id and the dates, and
    /// the line all the rest. To be done before [`rebuild`](Self::rebuild), which knows nothing of the rest.
    pub fn salvage(
        &mut self,
        lines: &[&Record],
        published: &[Remembered],
        articles: &[Article],
        site: &Site,
    ) {
        for says in lines {
            let Some(entry) = self.entry_of(says, published, site) else {
                continue;
            };
            let at_path = |article: &&Article| says.path.as_ref() == Some(&article.path);
            let free = |article: &&Article| {
                let other = self.at(&article.path);
                other.is_none_or(|other| other.id == entry.id)
            };
            let free: Vec<&Article> = articles.iter().filter(free).collect();
            let article = articles.iter().find(at_path);
            // the damage may be in its path
            let article = article
                .or_else(|| only(&free, |article| has_id(article, &entry.id, site)))
                .or_else(|| only(&free, |article| article.digest == says.digest))
                .or_else(|| only(&free, |article| has_title_and_date(article, entry, site)));
            let found = record(entry, article, site);
            self.put(&Record {
                path: found.path.clone().or_else(|| says.path.clone()),
                minted: says.minted,
                seen: says.seen,
                nth: found.nth.or(says.nth.filter(|_| article.is_none())),
                undated: article.map_or(says.undated, |article| article.published.is_none()),
                digest: article.map_or_else(|| says.digest.clone(), |a| a.digest.clone()),
                page: says.page.clone().or_else(|| found.page.clone()),
                gone: None,
                was: says.was.clone(),
                ..found
            });
        }
    }

    /// The published entry that a damaged line speaks of: of its id, or, if the damage is there, the only one that nobody knows
    /// and that has its page, or its title and its date.
    fn entry_of<'p>(
        &self,
        says: &Record,
        published: &'p [Remembered],
        site: &Site,
    ) -> Option<&'p Remembered> {
        if let Some(entry) = published.iter().find(|entry| entry.id == says.id) {
            return Some(entry);
        }
        let unknown: BTreeMap<&str, &Remembered> = published
            .iter()
            .rev()
            .filter(|entry| !self.knows(&entry.id))
            .map(|entry| (entry.id.as_str(), entry))
            .collect();
        let is_it = |entry: &&&Remembered| {
            let page = entry.link.as_deref().and_then(|link| page(link, site));
            let has_page = page.is_some() && page == says.page;
            has_page || entry.title == says.title && entry.published == says.published
        };
        let mut fitting = unknown.values().filter(is_it);
        fitting.next().filter(|_| fitting.next().is_none()).copied()
    }

    /// Takes over what damaged lines say of what no feed shows, as far as no other line knows better.
    pub fn salvage_rest(&mut self, lines: &[&Record], published: &[Remembered]) {
        for says in lines {
            if published.iter().any(|entry| entry.id == says.id) {
                continue;
            }
            // the damage may be in its id: then an earlier line knows the article, or its path has another record
            let is_it = |other: &Record| {
                let same_words = other.title.is_some() && other.title == says.title;
                other.digest == says.digest || same_words && other.published == says.published
            };
            let path = says.path.as_ref();
            let is_taken = path
                .and_then(|path| self.at(path))
                .is_some_and(|other| other.id != says.id);
            let is_known = self.get(&says.id).is_some();
            let is_other = !is_known && (self.knows(&says.id) || self.records().any(|r| is_it(&r)));
            if !is_taken && !is_other {
                self.put(says);
            }
        }
    }

    /// Takes over what a damaged line says of a feed. What the feed is called its documents know better.
    pub fn salvage_feed(&mut self, says: &FeedRecord, published_title: Option<&str>) {
        let title = says
            .title
            .as_ref()
            .map(|title| published_title.unwrap_or(title).to_owned());
        match self.feed(&says.feed) {
            None => self.put_feed(FeedRecord {
                title,
                ..says.clone()
            }),
            Some(known) if known.title != title => {
                let known = known.clone();
                self.put_feed(FeedRecord { title, ..known });
            }
            Some(_) => {}
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

    /// Takes over the id of a published feed that the ledger does not know.
    pub fn rebuild_feed(&mut self, name: &str, id: &str, changed: DateTime<Utc>) {
        if self.feed(name).is_none() {
            let minted = minted(id);
            self.put_feed(FeedRecord {
                feed: name.to_owned(),
                title: None,
                of: None,
                id: id.to_owned(),
                minted,
                changed,
                digest: String::new(),
            });
        }
    }
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
