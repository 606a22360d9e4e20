//! An edition as HTTP offers it: every path with its prebuilt answer. A request only chooses.
//!
//! Built from documents and a manifest alone, so that the last edition can be offered before any article is read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderValue;

use crate::edition::encode::Encoded;
use crate::edition::{Kind, Manifest, Published};
use crate::page::STYLE;
use crate::render::opml;
use crate::site::{self, Site};

mod resource;

pub use resource::{Blob, Content, Resource, Variant};
pub(crate) use resource::{cache_control, media_type};

/// The page that a person sees at the base URL.
pub const INDEX: &str = "";
/// The last segment of the page that shows a feed.
pub const PREVIEW: &str = "preview/";
/// Where programs look for the list of feeds, from the top of the host.
const WELL_KNOWN: &str = ".well-known/feeds";

/// Paths that the user wants answered beside the documents. Keys have no slash in front and are not percent-encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detours {
    /// Path → the route whose document is the answer.
    pub aliases: BTreeMap<String, String>,
    /// Path → the absolute URL that it moved to.
    pub moved: BTreeMap<String, String>,
    /// Paths that are gone.
    pub gone: Vec<String>,
}

/// What is the same for all editions until the configuration changes.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The site.
    pub site: Site,
    /// In seconds: how long a reader need not ask again.
    pub fresh: u64,
    /// What the user wants beside the documents.
    pub detours: Detours,
}

impl Terms {
    /// Tells any two apart.
    fn sense(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{self:?}").hash(&mut hasher);
        hasher.finish()
    }

    /// Tells terms apart of which other headers are made.
    fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.fresh, self.site.base.as_str(), &self.site.hubs).hash(&mut hasher);
        hasher.finish()
    }
}

/// One document with what HTTP must know of it.
#[derive(Debug, Clone)]
pub struct Exhibit<'a> {
    /// As [`Document::route`](crate::edition::Document::route).
    pub route: &'a str,
    /// Hash, size and date.
    pub published: &'a Published,
    /// Its bytes, or the modification time of the file that has them.
    pub body: Exhibited<'a>,
}

/// Where the bytes of an [`Exhibit`] are.
#[derive(Debug, Clone)]
pub enum Exhibited<'a> {
    /// In memory.
    Memory(Bytes, &'a [Encoded]),
    /// On the shelf of published documents.
    Shelf(SystemTime),
}

/// A page that is made of the feeds, and belongs to the server alone.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The path at which it is answered, without a slash in front.
    pub path: String,
    /// The page.
    pub html: Bytes,
    /// When it became what it is, if that is known and the same on all machines.
    pub made: Option<SystemTime>,
}

/// What is answered at a path.
#[derive(Debug, Clone)]
pub enum Target {
    /// A document.
    Resource(Arc<Resource>),
    /// It moved: an absolute URL.
    Moved(HeaderValue),
    /// It was published once and is withdrawn.
    Gone,
    /// Our hub takes forms there.
    Hub,
}

/// Every path that is answered. Immutable; a new one takes the place of the old.
#[derive(Debug, Clone)]
pub struct Served {
    /// The path of the base URL, without the slash in front; empty or ending in `/`.
    prefix: String,
    targets: HashMap<String, Target>,
    /// Of which terms it was made.
    terms: u64,
}

impl Served {
    /// Makes the offer. What `previous` has of the same version is taken over with its encodings.
    #[must_use]
    pub fn new<'a>(
        terms: &Terms,
        manifest: &Manifest,
        exhibits: impl Iterator<Item = Exhibit<'a>>,
        previous: Option<&Self>,
    ) -> Self {
        let mut served = Self {
            prefix: terms.site.base.path().trim_start_matches('/').to_owned(),
            targets: HashMap::with_capacity(manifest.documents.len() + 16),
            terms: terms.sense(),
        };
        for (route, url) in &manifest.moved {
            served.insert(route.clone(), moved(url));
        }
        for route in &manifest.gone {
            served.insert(path_of(route), Some(Target::Gone));
        }
        for exhibit in exhibits {
            let path = path_of(exhibit.route);
            let before = previous.and_then(|previous| previous.resource(&path));
            served.exhibit(&exhibit, terms, before);
        }
        if terms.site.is_hub {
            served.insert(site::HUB.to_owned(), Some(Target::Hub));
        }
        if !served.targets.contains_key(STYLE) {
            let before = previous.and_then(|previous| previous.resource(STYLE));
            let style = Resource::style(terms, before);
            served.insert(STYLE.to_owned(), Some(Target::Resource(style)));
        }
        served
    }

    /// The same offer with other versions of some of its documents: what nobody touched costs next to nothing. `None` if
    /// more is another than these, so that the offer is to be made anew: `before` and `now` are the manifests of the two.
    #[must_use]
    pub fn after<'a>(
        &self,
        terms: &Terms,
        (before, now): (&Manifest, &Manifest),
        mut changed: impl Iterator<Item = Exhibit<'a>> + Clone,
    ) -> Option<Self> {
        let is_like = self.terms == terms.sense()
            && (&before.moved, &before.gone) == (&now.moved, &now.gone)
            && before.documents.len() == now.documents.len();
        let others: HashSet<&str> = changed.clone().map(|exhibit| exhibit.route).collect();
        let mut pairs = before.documents.iter().zip(&now.documents);
        let is_same = |((route, one), (other_route, other)): (
            (&String, &Published),
            (&String, &Published),
        )| {
            route == other_route
                && ((&one.hash, one.last_modified) == (&other.hash, other.last_modified)
                    || others.contains(route.as_str()))
        };
        if !is_like || !pairs.all(is_same) {
            return None;
        }
        let mut served = self.clone();
        changed.try_for_each(|exhibit| {
            let before = self.resource(&path_of(exhibit.route))?;
            served.exhibit(&exhibit, terms, Some(before));
            Some(())
        })?;
        Some(
            served
                .with_leaves(&[], terms, None, SystemTime::UNIX_EPOCH)
                .0,
        )
    }

    /// Whether the same is answered everywhere, whatever it is encoded in.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let is_same = |(path, target): (&String, &Target)| match (target, other.targets.get(path)) {
            (Target::Resource(one), Some(Target::Resource(other))) => {
                one.tag == other.tag && one.headers == other.headers
            }
            (Target::Moved(one), Some(Target::Moved(other))) => one == other,
            (Target::Gone, Some(Target::Gone)) | (Target::Hub, Some(Target::Hub)) => true,
            _ => false,
        };
        self.targets.len() == other.targets.len() && self.targets.iter().all(is_same)
    }

    /// Whether it was made of these terms.
    #[must_use]
    pub fn is_made_of(&self, terms: &Terms) -> bool {
        self.terms == terms.sense()
    }

    fn exhibit(&mut self, exhibit: &Exhibit<'_>, terms: &Terms, before: Option<&Arc<Resource>>) {
        let target = Target::Resource(Resource::of(exhibit, terms, before));
        if exhibit.route == opml::ROUTE {
            self.insert(WELL_KNOWN.to_owned(), Some(target.clone()));
        }
        self.insert(path_of(exhibit.route), Some(target));
    }

    /// The same offer with the pages that are made of its feeds, first seen at `now`, and the user's own detours.
    /// Names of aliases that lead nowhere are given back.
    #[must_use]
    pub fn with_leaves(
        mut self,
        leaves: &[Leaf],
        terms: &Terms,
        previous: Option<&Self>,
        now: SystemTime,
    ) -> (Self, Vec<String>) {
        for leaf in leaves {
            let before = previous.and_then(|previous| previous.resource(&leaf.path));
            let resource = Resource::leaf(leaf, terms, before, now);
            // an article's own page goes first; a leaf of an earlier edition does not
            let is_own =
                |target: &Target| !matches!(target, Target::Resource(other) if other.is_leaf);
            if !self.targets.get(&leaf.path).is_some_and(is_own) {
                self.targets
                    .insert(leaf.path.clone(), Target::Resource(resource));
            }
        }
        let mut astray = Vec::new();
        for (path, route) in &terms.detours.aliases {
            match self.targets.get(route).cloned() {
                Some(target) => self.insert(path.clone(), Some(target)),
                None => astray.push(path.clone()),
            }
        }
        for (path, url) in &terms.detours.moved {
            self.insert(path.clone(), moved(url));
        }
        for path in &terms.detours.gone {
            self.insert(path.clone(), Some(Target::Gone));
        }
        (self, astray)
    }

    /// The same offer with the leaves of `previous`, until new ones are made.
    #[must_use]
    pub fn with_leaves_of(mut self, previous: &Self, terms: &Terms) -> Self {
        for (path, target) in &previous.targets {
            if let Target::Resource(resource) = target
                && resource.is_leaf
            {
                self.targets
                    .entry(path.clone())
                    .or_insert_with(|| target.clone());
            }
        }
        self.with_leaves(&[], terms, None, SystemTime::UNIX_EPOCH).0
    }

    /// The same offer with other forms of these documents, wherever they are answered.
    #[must_use]
    pub fn with(mut self, others: Vec<(String, Arc<Resource>)>) -> Self {
        for (path, resource) in others {
            self.targets.insert(path, Target::Resource(resource));
        }
        self
    }

    /// What is answered at the path of a request, percent-decoded and without the slash in front; with and without
    /// the path of the base URL.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Target> {
        let below = path
            .strip_prefix(self.prefix.as_str())
            .filter(|_| !self.prefix.is_empty());
        below
            .and_then(|below| self.targets.get(below))
            .or_else(|| self.targets.get(path))
    }

    /// Whether there is something at this path with a slash behind it: `articles/hello` for `articles/hello/`.
    #[must_use]
    pub fn wants_slash(&self, path: &str) -> bool {
        !path.is_empty()
            && !path.ends_with('/')
            && (matches!(self.find(&format!("{path}/")), Some(Target::Resource(_)))
                || self.prefix == format!("{path}/"))
    }

    /// The document at the path.
    #[must_use]
    pub fn resource(&self, path: &str) -> Option<&Arc<Resource>> {
        match self.targets.get(path) {
            Some(Target::Resource(resource)) => Some(resource),
            _ => None,
        }
    }

    /// Every document with its path; one that is answered at several paths comes several times.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &Arc<Resource>)> {
        self.targets
            .iter()
            .filter_map(|(path, target)| match target {
                Target::Resource(resource) => Some((path.as_str(), resource)),
                _ => None,
            })
    }

    fn insert(&mut self, path: String, target: Option<Target>) {
        if let Some(target) = target {
            self.targets.insert(path, target);
        }
    }
}

fn moved(url: &str) -> Option<Target> {
    HeaderValue::from_str(url).ok().map(Target::Moved)
}

/// Where a document is asked for: a page by its folder.
fn path_of(route: &str) -> String {
    match route.strip_suffix("index.html") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => folder.to_owned(),
        _ => route.to_owned(),
    }
}

/// The path of the page that shows the feed whose document is at `route`.
#[must_use]
pub fn preview_of(route: &str, kind: Kind) -> Option<String> {
    let folder = route.rfind('/').map_or("", |at| &route[..=at]);
    kind.is_feed().then(|| format!("{folder}{PREVIEW}"))
}
