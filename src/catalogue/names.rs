//! How articles find each other: by name, by link, by digest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Catalogue, Class, Number, Row, row};
use crate::article::{Date, Stamp, location};
use crate::ledger::{Candidate, Present};
use crate::site::Site;

impl Catalogue {
    /// The absolute URL of a public article.
    #[must_use]
    pub fn link(&self, number: Number, site: &Site) -> Option<String> {
        self.entry(number)
            .map(|entry| crate::link::of(&entry, site))
    }

    /// The absolute URL of the article whose file is `path`, if it is public.
    #[must_use]
    pub fn link_of(&self, path: &str, site: &Site) -> Option<String> {
        let number = self.number(path)?;
        self.row(number).filter(|row| row.is_public())?;
        self.link(number, site)
    }

    /// What tells that the file at `path` is as it was, if it is one that articles may show.
    #[must_use]
    pub fn asset(&self, path: &str) -> Option<Stamp> {
        let row = self.at(path).filter(|row| row.class == Class::Asset)?;
        Some(row.stamp)
    }

    /// Public articles that have one link, each group in the order of dates.
    #[must_use]
    pub fn sharing_links(&self) -> Vec<Vec<Number>> {
        if self.links.len() == self.order.len() {
            return Vec::new();
        }
        let mut groups: BTreeMap<u64, Vec<Number>> = BTreeMap::new();
        for number in &self.order {
            let link = self.row(*number).map(|row| row.link).unwrap_or_default();
            if self.links.get(&link).is_some_and(|count| *count > 1) {
                groups.entry(link).or_default().push(*number);
            }
        }
        groups.into_values().collect()
    }

    /// The absolute URL of the article that another one names, as generators let it: by its path from the folder of
    /// content or from the folder it is in, with or without extension, or by its name alone if only one has it.
    #[must_use]
    pub fn find(&self, name: &str, from: &str, site: &Site) -> Option<String> {
        let name = name
            .trim()
            .trim_start_matches("@/")
            .trim_start_matches("./");
        let (name, from) = match name.strip_prefix('/') {
            Some(rooted) => (rooted, ""),
            None => (name, location::folder(from)),
        };
        let wanted = bare(name);
        let last = location::name(wanted).to_owned();
        let by_name = self.by_name.get_or_init(|| {
            let mut names: HashMap<String, Vec<Number>> = HashMap::new();
            for (number, row) in self.rows().filter(|(_, row)| row.class == Class::Article) {
                let stem = location::stem(&row.path);
                let name = location::name(&stem).to_owned();
                names.entry(name).or_default().push(number);
            }
            names
        });
        let is_public = |number: &&Number| self.row(**number).is_some_and(Row::is_public);
        let mut named: Vec<Number> = by_name
            .get(&last)?
            .iter()
            .filter(is_public)
            .copied()
            .collect();
        named.sort_by_key(|number| Reverse(self.row(*number).map(|row| row.published)));
        let stem = |number: Number| location::stem(self.path(number));
        let near = [format!("{from}/{wanted}"), wanted.to_owned()];
        let mut exact = named
            .iter()
            .filter(|number| near.iter().any(|near| *near == stem(**number)));
        let ends = |number: &&Number| {
            let stem = stem(**number);
            // Jekyll and Zola name the folders around the content too
            stem.ends_with(&format!("/{wanted}")) || wanted.ends_with(&format!("/{stem}"))
        };
        let mut alike = named.iter().filter(ends);
        let number = exact
            .next()
            .or_else(|| alike.next().filter(|_| alike.next().is_none()))?;
        self.link(*number, site)
    }

    fn by_digest(&self) -> &HashMap<u64, Vec<Number>> {
        self.by_digest.get_or_init(|| {
            let mut digests: HashMap<u64, Vec<Number>> = HashMap::new();
            for (number, row) in self.rows().filter(|(_, row)| row.is_public()) {
                digests.entry(row.digest).or_default().push(number);
            }
            digests
        })
    }
}

/// A name of an article without what need not be written: the extension, `index`.
fn bare(name: &str) -> &str {
    let extensions = [
        ".md",
        ".markdown",
        ".mdown",
        ".mkd",
        ".html",
        ".htm",
        ".txt",
    ];
    let name = name.trim_end_matches('/');
    let name = extensions
        .iter()
        .find_map(|extension| name.strip_suffix(extension))
        .unwrap_or(name);
    let name = name
        .strip_suffix("/index")
        .or(name.strip_suffix("/_index"))
        .unwrap_or(name);
    name.strip_prefix("_posts/").unwrap_or(name)
}

/// The catalogue as the ledger sees it in one turn.
#[derive(Debug)]
pub struct Touched<'a> {
    /// All files, as they are now.
    pub catalogue: &'a Catalogue,
    /// The rows of which something is new, or may be.
    pub numbers: &'a BTreeSet<Number>,
    /// The paths of those, and of files that are gone; `None` if there was no turn before.
    pub paths: Option<&'a BTreeSet<String>>,
}

impl Present for Touched<'_> {
    fn holds(&self, path: &str) -> bool {
        self.catalogue.at(path).is_some_and(Row::is_article)
    }

    fn twin(&self, digest: &str, published: Option<Date>) -> Option<String> {
        self.paths?;
        let alike = self.catalogue.by_digest().get(&row::hash(digest))?.iter();
        let untouched = alike.filter(|number| !self.numbers.contains(number));
        let articles = untouched.filter_map(|number| self.catalogue.article(*number));
        let twins = articles.filter(|a| a.digest == digest && a.published == published);
        twins.map(|article| article.path).min()
    }

    fn copied(&self, candidate: &Candidate) -> Option<String> {
        let (folder, name) = candidate
            .path
            .rsplit_once('/')
            .unwrap_or(("", &candidate.path));
        let original = location::original(name)?;
        let path = if folder.is_empty() {
            original
        } else {
            format!("{folder}/{original}")
        };
        // copies may have another spelling of the extension
        let stem = path
            .rsplit_once('.')
            .map_or(path.as_str(), |(stem, _)| stem);
        let others =
            ["md", "markdown", "html", "txt"].map(|extension| format!("{stem}.{extension}"));
        let mut paths = std::iter::once(path.clone()).chain(others);
        let path =
            paths.find(|path| self.catalogue.number(path).is_some() && *path != candidate.path)?;
        let article = self.catalogue.article(self.catalogue.number(&path)?)?;
        let title = article.title.as_ref().map(|title| &title.text);
        let is_same = title == candidate.title.as_ref() && article.published == candidate.published;
        is_same.then_some(path)
    }

    fn touched(&self) -> Option<&BTreeSet<String>> {
        self.paths
    }
}
