//! What articles are sorted by: each term of it can have a feed of its own.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::filter::folded;
use crate::article::location;
use crate::catalogue::{Catalogue, Entry, Number};
use crate::ledger::Ledger;
use crate::site::Site;
use crate::site::slug::{slug, slug_path};

/// A way in which articles are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// `/tags/NAME/`
    Tag,
    /// `/categories/NAME/`
    Category,
    /// `/authors/NAME/`
    Author,
    /// `/sections/FOLDER/`: an article is in the folder it lies in, and in all around it.
    Section,
    /// `/languages/TAG/`
    Language,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Tag,
        Self::Category,
        Self::Author,
        Self::Section,
        Self::Language,
    ];

    /// As it is called in `by = […]`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Category => "category",
            Self::Author => "author",
            Self::Section => "section",
            Self::Language => "language",
        }
    }

    /// The first segment of the routes of its feeds.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Tag => "tags",
            Self::Category => "categories",
            Self::Author => "authors",
            Self::Section => "sections",
            Self::Language => "languages",
        }
    }

    /// The way of sorting to which the feed `name` belongs, if any.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (folder, _) = name.split_once('/')?;
        Self::ALL.into_iter().find(|by| by.folder() == folder)
    }

    /// The terms of an entry, as its author writes them.
    #[must_use]
    pub fn terms(self, entry: &Entry, site: &Site) -> Vec<String> {
        let article = &entry.article;
        match self {
            Self::Tag => article.tags.clone(),
            Self::Category => article.categories.clone(),
            Self::Author => {
                let authors = article.authors.iter();
                let own: Vec<String> = authors.map(|author| author.name.clone()).collect();
                if own.is_empty() {
                    site.author
                        .iter()
                        .map(|author| author.name.clone())
                        .collect()
                } else {
                    own
                }
            }
            Self::Section => {
                let path = location::sections(&article.path);
                let ends = path
                    .match_indices('/')
                    .map(|(at, _)| at)
                    .chain([path.len()]);
                let folders = ends.map(|end| path[..end].to_owned());
                folders.filter(|folder| !folder.is_empty()).collect()
            }
            Self::Language => vec![article.language.as_ref().unwrap_or(&site.language).clone()],
        }
    }

    /// The last part of the route: every term has one, "C++" and "日本語" too.
    fn slug(self, term: &str) -> String {
        if self == Self::Section {
            return slug_path(term);
        }
        let words = term
            .replace('+', " plus ")
            .replace('#', " sharp ")
            .replace('&', " and ");
        slug(&words)
            .unwrap_or_else(|| format!("x-{}", &blake3::hash(term.as_bytes()).to_hex()[..8]))
    }
}

/// A term that has a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// What kind of term.
    pub by: By,
    /// As most articles write it.
    pub term: String,
    /// The name of its feed: `tags/rust`.
    pub name: String,
    /// The entries that have it, newest first; none if no article has it any more.
    pub entries: Vec<Number>,
}

/// Every term that entries have, or had when a feed of it was published; two never share a name.
#[must_use]
pub fn topics(by: By, catalogue: &Catalogue, ledger: &Ledger, site: &Site) -> Vec<Topic> {
    let mut found = terms(by, catalogue, site);
    let mut taken = BTreeSet::new();
    let mut topics = Vec::new();
    let folder = format!("{}/", by.folder());
    for record in ledger.feeds() {
        let Some(slug) = record.feed.strip_prefix(&folder) else {
            continue;
        };
        let term = record.of.clone().unwrap_or_else(|| slug.to_owned());
        let (term, entries) = found.remove(&folded(&term)).unwrap_or((term, Vec::new()));
        taken.insert(slug.to_owned());
        topics.push(Topic {
            by,
            term,
            name: record.feed.clone(),
            entries,
        });
    }
    // who is called as its slug gets it
    let mut new: Vec<_> = found.into_iter().collect();
    new.sort_by_key(|(key, _)| (by.slug(key) != *key, key.clone()));
    for (key, (term, entries)) in new {
        let slug = by.slug(&key);
        let numbered = (2..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone())
            .chain(numbered)
            .find(|slug| !taken.contains(slug));
        let slug = free.unwrap_or(slug);
        taken.insert(slug.clone());
        topics.push(Topic {
            by,
            term,
            name: format!("{folder}{slug}"),
            entries,
        });
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    topics
}

/// Folded term → as most write it, and who has it.
fn terms(by: By, catalogue: &Catalogue, site: &Site) -> BTreeMap<String, (String, Vec<Number>)> {
    let own = catalogue.order().par_iter().filter_map(|number| {
        catalogue.row(*number).filter(|row| row.in_feeds())?;
        Some((*number, by.terms(&catalogue.entry(*number)?, site)))
    });
    let own: Vec<(Number, Vec<String>)> = own.collect();
    let mut found: BTreeMap<String, (BTreeMap<String, usize>, Vec<Number>)> = BTreeMap::new();
    for (number, terms) in own {
        for term in terms {
            let (spellings, entries) = found.entry(folded(&term)).or_default();
            *spellings.entry(term).or_default() += 1;
            if entries.last() != Some(&number) {
                entries.push(number);
            }
        }
    }
    let usual = |spellings: BTreeMap<String, usize>| {
        let most = spellings.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map(|(term, _)| term).unwrap_or_default()
    };
    found
        .into_iter()
        .map(|(key, (spellings, entries))| (key, (usual(spellings), entries)))
        .collect()
}
