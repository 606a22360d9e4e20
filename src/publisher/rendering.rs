//! From a catalogue to documents: fragments, feeds, pages, and the assets that they show.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::desk::Desk;
use super::fragments::{Fragments, Looks, fragments, looks};
use super::wanted::{feed, wanted};
use super::{Catalogue, Config, Disk, Edition, Ledger, Manifest, Progress};
use crate::catalogue::Number;
use crate::edition::{Body, Document, Kind};
use crate::feed::{self, Channel, Feed};
use crate::ledger::FeedRecord;
use crate::link::PAGES;
use crate::problem::Problem;
use crate::render::{self, opml};
use crate::state::{Fresh, State};
use crate::{page, site::Site};

/// What a catalogue becomes.
pub(super) struct Rendering {
    pub(super) edition: Edition,
    /// Feeds whose record is new or changed.
    pub(super) feeds: Vec<FeedRecord>,
    /// The entries that some document shows.
    pub(super) shown: BTreeSet<Number>,
    /// The sources of those that were rendered in this turn.
    pub(super) sources: Fresh,
    /// The routes of all feeds that there are to be.
    pub(super) wanted: BTreeSet<String>,
    /// The next instant at which an entry becomes too old for a feed.
    pub(super) next: Option<DateTime<Utc>>,
    /// What the author should know.
    pub(super) notes: Vec<Problem>,
}

/// What is the same on all pages of articles.
struct Frame<'a> {
    site: &'a Site,
    channels: &'a [Channel],
    version: u64,
}

impl<'a> Frame<'a> {
    fn new(site: &'a Site, channels: &'a [Channel]) -> Self {
        Self {
            site,
            channels,
            version: page::made_of(site, channels),
        }
    }
}

/// What a rendering is made from.
pub(super) struct Studio<'a> {
    pub(super) config: &'a Config,
    pub(super) ledger: &'a Ledger,
    pub(super) state: &'a State,
    pub(super) disk: &'a Disk,
    pub(super) manifest: Option<&'a Manifest>,
    /// Whether everything that was published is looked at, though nothing was heard of it.
    pub(super) thorough: bool,
    /// Whether nothing is to be written.
    pub(super) is_dry: bool,
    pub(super) now: DateTime<Utc>,
    pub(super) progress: &'a dyn Progress,
}

impl Studio<'_> {
    /// A document that is as it was when it was published last; `None` if it must be made.
    fn kept(&self, route: &str) -> Option<Document> {
        let published = self.manifest?.documents.get(route)?;
        // there may be many pages; of feeds and assets a look costs nothing, and somebody may have replaced one
        let is_looked_at = self.thorough || published.kind != Kind::Page;
        let lies_well = !is_looked_at || self.disk.lies_well(route, published);
        lies_well.then(|| Document {
            route: route.to_owned(),
            kind: published.kind,
            body: Body::Kept,
        })
    }
}

/// Renders what is not as it was.
pub(super) fn render(studio: &Studio<'_>, desk: &mut Desk) -> anyhow::Result<Rendering> {
    let Studio { config, now, .. } = *studio;
    let site = &with_icon(config, &desk.catalogue);
    let stirred = desk.catalogue.take_stirred();
    desk.register
        .update(&config.by, &desk.catalogue, &stirred, site);
    let wanted = wanted(config, desk, studio.ledger, now);
    let mut shown: BTreeSet<Number> = wanted
        .iter()
        .flat_map(|wanted| &wanted.selected)
        .copied()
        .collect();
    let pages = pages(&desk.catalogue, site);
    shown.extend(pages.iter().map(|(number, _)| *number));
    let mut rendering = Rendering {
        edition: Edition::default(),
        feeds: Vec::new(),
        shown,
        sources: Fresh::default(),
        next: None,
        wanted: BTreeSet::new(),
        notes: Vec::new(),
    };
    desk.fetch_stock(config);
    let mut looks = looks(&rendering.shown, &stirred, desk, site);
    let channels: Vec<Channel> = wanted
        .iter()
        .map(|wanted| Channel::new(site, &wanted.spec))
        .collect();
    let mut stale = BTreeSet::new();
    let mut kept: Vec<Option<Vec<Document>>> = Vec::with_capacity(wanted.len());
    for (wanted, channel) in wanted.iter().zip(&channels) {
        let before = desk.feeds.get(&wanted.spec.name);
        let is_same =
            before.is_some() && wanted.made_of(channel, &looks, studio.ledger) == before.copied();
        let routes = wanted
            .spec
            .formats
            .iter()
            .map(|kind| wanted.spec.route(*kind));
        let documents = is_same
            .then(|| routes.map(|route| studio.kept(&route)).collect())
            .flatten();
        if documents.is_none() {
            stale.extend(&wanted.selected);
        }
        kept.push(documents);
    }
    let frame = Frame::new(site, &channels[..config.specs.len()]);
    let known = &*desk;
    let kept_page = |(number, page): &(Number, String)| {
        let path = known.catalogue.row(*number).map_or("", |row| &row.path);
        let before = known.shown.get(path).and_then(|shown| shown.page);
        let made_of = looks.get(number).map(|look| look ^ frame.version);
        let is_same = before.is_some() && made_of == before;
        let kept = is_same.then(|| studio.kept(&page::route(page)));
        (*number, kept.flatten())
    };
    let looked: Vec<(Number, Option<Document>)> = pages.par_iter().map(kept_page).collect();
    let mut kept_pages = BTreeMap::new();
    for (number, document) in looked {
        match document {
            Some(document) => {
                kept_pages.insert(number, document);
            }
            None => {
                stale.insert(number);
            }
        }
    }
    let fragments = fragments(&stale, studio, desk, site, &mut looks, &mut rendering);
    let favourites = wanted[..config.specs.len()].iter();
    let favourites: Vec<Number> = favourites
        .flat_map(|wanted| &wanted.selected)
        .copied()
        .collect();
    desk.sort_out(&favourites, |number| rendering.shown.contains(&number));
    let feeds: Vec<Option<(Feed, Option<FeedRecord>)>> = wanted
        .par_iter()
        .zip(&channels)
        .zip(&kept)
        .map(|((wanted, channel), kept)| {
            let is_stale = kept.is_none();
            is_stale.then(|| feed(wanted, channel, &fragments, site, studio.ledger, now))
        })
        .collect();
    let documents = feeds.par_iter().flatten();
    let documents = documents.map(|(feed, _)| render::documents(feed, &desk.pieces));
    let documents: Result<Vec<Vec<Document>>, String> = documents.collect();
    let documents = documents.map_err(|error| anyhow!("cannot write {error}"))?;
    for document in documents
        .into_iter()
        .chain(kept.into_iter().flatten())
        .flatten()
    {
        rendering.wanted.insert(document.route.clone());
        rendering.put(document);
    }
    desk.pieces.retain(|route| rendering.wanted.contains(route));
    let names: BTreeSet<&str> = wanted
        .iter()
        .map(|wanted| wanted.spec.name.as_str())
        .collect();
    desk.feeds.retain(|name, _| names.contains(name.as_str()));
    for ((wanted, channel), made) in wanted.iter().zip(&channels).zip(feeds) {
        if let Some((_, record)) = made {
            let known = record.as_ref().or(studio.ledger.feed(&wanted.spec.name));
            let made_of = known.and_then(|record| wanted.made_of_all(channel, &looks, record));
            match made_of {
                Some(made_of) => desk.feeds.insert(wanted.spec.name.clone(), made_of),
                None => desk.feeds.remove(&wanted.spec.name),
            };
            rendering.feeds.extend(record);
        }
        rendering.next = feed::next_ageing(&desk.catalogue, &wanted.selected, &wanted.spec)
            .into_iter()
            .chain(rendering.next)
            .min();
    }
    rendering.put(opml::write(&site.title, &channels)?);
    if site.permalink.is_none() {
        rendering.pages(&pages, kept_pages, desk, &fragments, &looks, &frame);
        rendering.assets(studio, desk);
    }
    rendering.edition.moved = moved(&desk.catalogue, site, &rendering.edition);
    let paths: HashSet<&str> = rendering
        .shown
        .iter()
        .filter_map(|number| Some(&*desk.catalogue.row(*number)?.path))
        .collect();
    let leaving = desk
        .shown
        .keys()
        .filter(|path| !paths.contains(path.as_str()));
    desk.unshown.extend(leaving.cloned().collect::<Vec<_>>());
    desk.shown.retain(|path, _| paths.contains(path.as_str()));
    desk.looks = (desk.catalogue.outlook(), looks);
    for shown in desk.shown.values() {
        if !shown.notes.is_empty() {
            let notes: Vec<Problem> = serde_json::from_str(&shown.notes).unwrap_or_default();
            rendering.notes.extend(notes);
        }
    }
    Ok(rendering)
}

/// The articles that have a page of ours.
fn pages(catalogue: &Catalogue, site: &Site) -> Vec<(Number, String)> {
    if site.permalink.is_some() {
        return Vec::new();
    }
    let order = catalogue.order().par_iter();
    let pages = order.filter_map(|number| {
        let page = catalogue.row(*number)?.page()?;
        Some((*number, page.to_owned()))
    });
    pages.collect()
}

impl Rendering {
    fn put(&mut self, document: Document) {
        self.edition
            .documents
            .insert(document.route.clone(), document);
    }

    fn pages(
        &mut self,
        pages: &[(Number, String)],
        kept: BTreeMap<Number, Document>,
        desk: &mut Desk,
        fragments: &Fragments,
        looks: &Looks,
        frame: &Frame<'_>,
    ) {
        let stale = pages
            .par_iter()
            .filter(|(number, _)| !kept.contains_key(number));
        let made: Vec<(Number, Document)> = stale
            .filter_map(|(number, page)| {
                let fragment = fragments.get(number)?;
                Some((
                    *number,
                    page::article(page, &fragment.item, frame.site, frame.channels),
                ))
            })
            .collect();
        if !made.is_empty() || !kept.is_empty() {
            self.put(page::style());
        }
        for (number, page) in made {
            let path = desk.catalogue.row(number).map_or("", |row| &row.path);
            if let Some(shown) = desk.shown.get_mut(path) {
                shown.page = looks.get(&number).map(|look| look ^ frame.version);
                shown.is_new = true;
            }
            self.put(page);
        }
        kept.into_values().for_each(|page| self.put(page));
    }

    /// An asset is public if, and only if, something published refers to it.
    fn assets(&mut self, studio: &Studio<'_>, desk: &mut Desk) {
        let config = studio.config;
        let numbers = self.shown.iter();
        let shown =
            numbers.filter_map(|number| desk.shown.get(&*desk.catalogue.row(*number)?.path));
        let assets = shown
            .flat_map(|shown| &shown.assets)
            .chain(&config.icon_asset);
        let assets: BTreeSet<String> = assets.cloned().collect();
        let mut published = BTreeMap::new();
        for path in assets {
            let Some(stamp) = desk.catalogue.asset(&path) else {
                continue;
            };
            let place = super::read::place(config, &desk.catalogue, &path);
            let route = format!("{PAGES}{path}");
            let inside = format!("{route}/");
            let taken = self
                .edition
                .documents
                .get(&route)
                .is_some_and(|other| other.kind != Kind::Asset)
                || self
                    .edition
                    .documents
                    .range(inside.clone()..)
                    .next()
                    .is_some_and(|(other, _)| other.starts_with(&inside));
            if taken {
                let what =
                    format!("the page of an article is in the way of this file, at `{route}`");
                self.notes.push(
                    Problem::error(path, what)
                        .remedy("rename the file, or give the article a `slug`"),
                );
                continue;
            }
            let is_same = desk.assets.get(&path) == Some(&stamp);
            if let Some(kept) = is_same.then(|| studio.kept(&route)).flatten() {
                self.put(kept);
            } else if let Err(error) = std::fs::File::open(&place) {
                let what = format!("cannot be read: {error}");
                let kept = studio.kept(&route);
                let remedy = match kept {
                    Some(_) => {
                        "give the user of tidings the right to read it; its last version stays until then"
                    }
                    None => {
                        "give the user of tidings the right to read it; pages miss it until then"
                    }
                };
                self.notes.push(Problem::error(path, what).remedy(remedy));
                if let Some(kept) = kept {
                    self.put(kept);
                }
                // it is looked at again
                continue;
            } else {
                self.put(Document {
                    route,
                    kind: Kind::Asset,
                    body: Body::File(place, stamp),
                });
            }
            published.insert(path, stamp);
        }
        desk.assets = published;
    }
}

/// The site with its icon's URL, if the icon is a file of the folder.
fn with_icon(config: &Config, catalogue: &Catalogue) -> Site {
    let mut site = config.site.clone();
    if let Some(icon) = config
        .icon_asset
        .as_ref()
        .filter(|icon| catalogue.asset(icon).is_some())
    {
        site.icon = Some(site.url(&format!("{PAGES}{icon}")));
    }
    site
}

/// The old addresses of articles, as far as they are below the base URL and nothing else is there.
fn moved(catalogue: &Catalogue, site: &Site, edition: &Edition) -> BTreeMap<String, String> {
    let mut moved = BTreeMap::new();
    for entry in catalogue
        .aliased()
        .filter_map(|number| catalogue.entry(number))
    {
        let link = crate::link::of(&entry, site);
        let aliases = entry.article.aliases.iter();
        for route in aliases.filter_map(|alias| crate::link::route_of(alias, site)) {
            let page = format!("{}/index.html", route.trim_end_matches('/'));
            let is_own = site.url(&route) == link;
            let taken = [&route, &page]
                .iter()
                .any(|route| edition.documents.contains_key(*route));
            if !is_own && !taken && !route.is_empty() {
                // of two articles with one old address the newest has it
                moved.entry(route).or_insert_with(|| link.clone());
            }
        }
    }
    moved
}
