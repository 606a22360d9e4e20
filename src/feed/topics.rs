//! What articles are sorted by: each term of it can have a feed of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use super::filter::folded;
use crate::article::head::Labels;
use crate::article::location;
use crate::catalogue::{Catalogue, Number};
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

    /// The terms of an article, as its author writes them.
    #[must_use]
    pub fn terms<'a>(self, labels: &Labels<'a>, site: &'a Site) -> Vec<Cow<'a, str>> {
        let each = |terms: &[&'a str]| terms.iter().map(|term| (*term).into()).collect();
        match self {
            Self::Tag => each(&labels.tags),
            Self::Category => each(&labels.categories),
            Self::Author if labels.authors.is_empty() => {
                let author = site.author.iter();
                author.map(|author| author.name.as_str().into()).collect()
            }
            Self::Author => each(&labels.authors),
            Self::Section => {
                let path = location::sections(labels.path);
                let ends = path
                    .match_indices('/')
                    .map(|(at, _)| at)
                    .chain([path.len()]);
                let folders = ends.map(|end| path[..end].to_owned().into());
                folders
                    .filter(|folder: &Cow<'_, str>| !folder.is_empty())
                    .collect()
            }
            Self::Language => vec![labels.language.unwrap_or(&site.language).into()],
        }
    }

    /// Whether `name` is what a feed of this term is called: its slug, with a number after it if that was taken.
    #[must_use]
    pub fn is_name_of(self, name: &str, term: &str) -> bool {
        let Some((_, last)) = name.split_once('/') else {
            return false;
        };
        let rest = last.strip_prefix(&self.slug(&folded(term)));
        rest.is_some_and(|rest| {
            let number = rest.strip_prefix('-');
            rest.is_empty() || number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        })
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
pub struct Topic<'a> {
    /// What kind of term.
    pub by: By,
    /// As most articles write it.
    pub term: String,
    /// The name of its feed: `tags/rust`.
    pub name: String,
    /// The entries that have it, newest first; none if no article has it any more.
    pub entries: &'a [Number],
}

/// Who has which terms, kept from turn to turn: a turn costs what is new.
#[derive(Debug, Default)]
pub struct Register {
    tables: BTreeMap<By, Table>,
}

/// Who has which terms of one kind.
#[derive(Debug, Default)]
struct Table {
    /// Each way in which a term is written, which term that is, and how many write it so.
    spellings: Vec<(Box<str>, u32, usize)>,
    by_spelling: HashMap<Box<str>, u32>,
    /// Each term as it is compared, and who has it, newest first.
    terms: Vec<(String, Vec<Number>)>,
    by_term: BTreeMap<String, u32>,
    /// How each article writes its terms.
    own: HashMap<Number, Box<[u32]>>,
}

impl Register {
    /// Makes it what the catalogue is, of which only the rows in `stirred` may be other than they were.
    pub fn update(
        &mut self,
        kinds: &[By],
        catalogue: &Catalogue,
        stirred: &BTreeSet<Number>,
        site: &Site,
    ) {
        for by in kinds {
            let table = self.tables.get_mut(by);
            let few = stirred.len() * 8 < catalogue.len().max(64);
            match table.filter(|_| few) {
                Some(table) => table.update(*by, catalogue, stirred, site),
                None => {
                    self.tables.insert(*by, Table::of(*by, catalogue, site));
                }
            }
        }
    }

    /// Every term that entries have, or had when a feed of it was published; two never share a name.
    #[must_use]
    pub fn topics(&self, by: By, ledger: &Ledger) -> Vec<Topic<'_>> {
        let mut found = self.tables.get(&by).map(Table::found).unwrap_or_default();
        let mut taken = BTreeSet::new();
        let mut topics = Vec::new();
        let folder = format!("{}/", by.folder());
        let terms = ledger.feeds().filter_map(|record| record.of.as_deref());
        let known: BTreeSet<String> = terms.map(folded).collect();
        for record in ledger.feeds() {
            let Some(slug) = record.feed.strip_prefix(&folder) else {
                continue;
            };
            // a ledger that was lost does not know the term
            let called = || {
                let fitting = found
                    .keys()
                    .filter(|term| !known.contains(&***term) && by.is_name_of(&record.feed, term));
                let nearest = fitting.min_by_key(|term| (by.slug(term) != *slug, **term));
                nearest.map_or(slug.to_owned(), |term| (**term).to_owned())
            };
            let term = record.of.clone().unwrap_or_else(called);
            let entries: &[Number] = &[];
            let (term, entries) = found
                .remove(folded(&term).as_str())
                .unwrap_or((term, entries));
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
        new.sort_by_cached_key(|(key, _)| (by.slug(key) != *key, (*key).to_owned()));
        for (key, (term, entries)) in new {
            let slug = by.slug(key);
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
}

impl Table {
    fn of(by: By, catalogue: &Catalogue, site: &Site) -> Self {
        let own = catalogue.order().par_iter().filter_map(|number| {
            catalogue.row(*number).filter(|row| row.in_feeds())?;
            Some((*number, by.terms(&catalogue.labels(*number)?, site)))
        });
        let own: Vec<(Number, Vec<Cow<'_, str>>)> = own.collect();
        let mut table = Self::default();
        for (number, terms) in own {
            for term in table.put(number, &terms) {
                table.terms[term as usize].1.push(number);
            }
        }
        table
    }

    fn update(&mut self, by: By, catalogue: &Catalogue, stirred: &BTreeSet<Number>, site: &Site) {
        for number in stirred {
            for spelling in self.own.remove(number).unwrap_or_default() {
                let (_, term, count) = &mut self.spellings[spelling as usize];
                *count -= 1;
                let (_, entries) = &mut self.terms[*term as usize];
                if let Some(at) = entries.iter().position(|other| other == number) {
                    entries.remove(at);
                }
            }
        }
        for number in stirred {
            let row = catalogue.row(*number).filter(|row| row.in_feeds());
            let Some(labels) = row.and_then(|_| catalogue.labels(*number)) else {
                continue;
            };
            for term in self.put(*number, &by.terms(&labels, site)) {
                let (_, entries) = &mut self.terms[term as usize];
                let at =
                    entries.partition_point(|other| catalogue.by_date(*other, *number).is_lt());
                entries.insert(at, *number);
            }
        }
    }

    /// Takes down how an article writes its terms. Each of them once.
    fn put(&mut self, number: Number, terms: &[Cow<'_, str>]) -> BTreeSet<u32> {
        let own: Box<[u32]> = terms.iter().map(|term| self.spelling(term)).collect();
        let mut found = BTreeSet::new();
        for spelling in &own {
            let (_, term, count) = &mut self.spellings[*spelling as usize];
            *count += 1;
            found.insert(*term);
        }
        self.own.insert(number, own);
        found
    }

    fn spelling(&mut self, written: &str) -> u32 {
        if let Some(known) = self.by_spelling.get(written) {
            return *known;
        }
        let key = folded(written);
        let next = index(self.terms.len());
        let term = *self.by_term.entry(key.clone()).or_insert(next);
        if term == next {
            self.terms.push((key, Vec::new()));
        }
        let spelling = index(self.spellings.len());
        self.spellings.push((written.into(), term, 0));
        self.by_spelling.insert(written.into(), spelling);
        spelling
    }

    /// Folded term → as most write it, and who has it.
    fn found(&self) -> BTreeMap<&str, (String, &[Number])> {
        let mut usual: HashMap<u32, (usize, &str)> = HashMap::new();
        for (written, term, count) in &self.spellings {
            let most = usual.entry(*term).or_insert((0, written));
            // of those that are written as often the first in the alphabet
            if (*count, std::cmp::Reverse(&**written)) > (most.0, std::cmp::Reverse(most.1)) {
                *most = (*count, written);
            }
        }
        let terms = self.by_term.values().filter_map(|term| {
            let (key, entries) = self.terms.get(*term as usize)?;
            let (_, written) = usual.get(term)?;
            Some((key.as_str(), ((*written).to_owned(), entries.as_slice())))
        });
        terms
            .filter(|(_, (_, entries))| !entries.is_empty())
            .collect()
    }
}

/// There are not so many terms as that it could be another.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
