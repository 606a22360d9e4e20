//! Everything that is public at one moment, in order, with what links between articles need.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use crate::article::{Article, Visibility, location};
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
    /// By the last part of their names; made when somebody asks.
    by_name: OnceLock<HashMap<String, Vec<usize>>>,
}

/// A name of an article without what need not be written: the extension, `index`.
fn key(name: &str) -> &str {
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
            by_name: OnceLock::new(),
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

    /// The absolute URL of the article that another one names, as generators let it: by its path from the folder of
    /// content or from the folder it is in, with or without extension, or by its name alone if only one has it.
    #[must_use]
    pub fn find(&self, name: &str, from: &str) -> Option<&str> {
        let name = name
            .trim()
            .trim_start_matches("@/")
            .trim_start_matches("./");
        let (name, from) = match name.strip_prefix('/') {
            Some(rooted) => (rooted, ""),
            None => (name, location::folder(from)),
        };
        let wanted = key(name);
        let last = location::name(wanted).to_owned();
        let by_name = self.by_name.get_or_init(|| {
            let mut names: HashMap<String, Vec<usize>> = HashMap::new();
            for (index, entry) in self.entries.iter().enumerate() {
                let stem = location::stem(&entry.article.path);
                names
                    .entry(location::name(&stem).to_owned())
                    .or_default()
                    .push(index);
            }
            names
        });
        let named = by_name.get(&last)?;
        let stem = |index: usize| location::stem(&self.entries[index].article.path);
        let near = [format!("{from}/{wanted}"), wanted.to_owned()];
        let mut exact = named
            .iter()
            .filter(|index| near.iter().any(|near| *near == stem(**index)));
        let ends = |index: &&usize| {
            let stem = stem(**index);
            // Jekyll and Zola name the folders around the content too
            stem.ends_with(&format!("/{wanted}")) || wanted.ends_with(&format!("/{stem}"))
        };
        let mut alike = named.iter().filter(ends);
        let index = exact
            .next()
            .or_else(|| alike.next().filter(|_| alike.next().is_none()))?;
        Some(&self.links[*index])
    }

    /// The absolute URL of the article whose file is `path`, if it is public.
    #[must_use]
    pub fn link_of(&self, path: &str) -> Option<&str> {
        self.by_path
            .get(path)
            .map(|index| self.links[*index].as_str())
    }
}
