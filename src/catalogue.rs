//! Everything that is public at one moment, in order, with what links between articles need.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use crate::article::{Article, Visibility};
use crate::site::Site;

/// A public article with its identity.
#[derive(Debug, Clone)]
pub struct Entry {
    /// By which readers know it.
    pub id: String,
    /// In whole seconds.
    pub published: DateTime<Utc>,
    /// Not before [`published`](Self::published).
    pub updated: DateTime<Utc>,
    /// Whether the front matter says when it was updated.
    pub updated_declared: bool,
    /// The path of its built-in page below `articles/`, if it has one.
    pub page: Option<String>,
    /// What the file says.
    pub article: Article,
}

impl Entry {
    /// Whether feeds show it.
    #[must_use]
    pub fn in_feeds(&self) -> bool {
        self.article.visibility == Visibility::Public
    }
}

/// All entries, newest first, ties by id, each with its link.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    links: Vec<String>,
    by_path: HashMap<String, usize>,
}

impl Catalogue {
    /// Puts entries in order and finds their links.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>, site: &Site) -> Self {
        entries.sort_by(|a, b| (Reverse(a.published), &a.id).cmp(&(Reverse(b.published), &b.id)));
        let links = entries
            .par_iter()
            .map(|entry| crate::link::of(entry, site))
            .collect();
        let by_path = entries
            .iter()
            .enumerate()
            .map(|(i, entry)| (entry.article.path.clone(), i))
            .collect();
        Self {
            entries,
            links,
            by_path,
        }
    }

    /// Newest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The absolute URL of the entry at `index` of [`entries`](Self::entries).
    #[must_use]
    pub fn link(&self, index: usize) -> &str {
        &self.links[index]
    }

    /// The absolute URL of the article whose file is `path`, if it is public.
    #[must_use]
    pub fn link_of(&self, path: &str) -> Option<&str> {
        self.by_path
            .get(path)
            .map(|index| self.links[*index].as_str())
    }
}
