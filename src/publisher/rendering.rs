//! From a catalogue to documents: fragments, feeds, pages, and the assets that they show.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use chrono::{DateTime, SubsecRound, Utc};
use rayon::prelude::*;

use super::read::Folder;
use super::{Catalogue, Config, Edition, Ledger, Progress};
use crate::article::markdown::silenced;
use crate::edition::{Body, Document, Kind};
use crate::feed::{self, By, Channel, Feed, FeedSpec, Filter, Item, Terms};
use crate::fragment::{self, Fragment};
use crate::ledger::{FeedRecord, Minted};
use crate::link::PAGES;
use crate::problem::Problem;
use crate::render::{self, opml};
use crate::{page, site::Site};

/// What a catalogue becomes.
pub(super) struct Rendering {
    pub(super) edition: Edition,
    /// Feeds whose record is new or changed.
    pub(super) feeds: Vec<FeedRecord>,
    /// The entries that some document shows.
    pub(super) shown: BTreeSet<usize>,
    /// The routes of all feeds that there are to be.
    pub(super) wanted: BTreeSet<String>,
    /// The next instant at which an entry becomes too old for a feed.
    pub(super) next: Option<DateTime<Utc>>,
    /// What the author should know.
    pub(super) notes: Vec<Problem>,
}

/// Renders everything.
pub(super) fn render(
    config: &Config,
    catalogue: &Catalogue,
    folder: &Folder,
    ledger: &Ledger,
    now: DateTime<Utc>,
    progress: &dyn Progress,
) -> anyhow::Result<Rendering> {
    let site = &with_icon(config, folder);
    let wanted = wanted(config, catalogue, folder, ledger, now);
    let mut shown: BTreeSet<usize> = wanted
        .iter()
        .flat_map(|wanted| &wanted.selected)
        .copied()
        .collect();
    shown.extend(
        (0..catalogue.entries().len()).filter(|index| catalogue.entries()[*index].page.is_some()),
    );
    let mut notes = Vec::new();
    let fragments = fragments(&shown, catalogue, site, folder, progress, &mut notes);
    let mut rendering = Rendering {
        edition: Edition::default(),
        feeds: Vec::new(),
        shown,
        next: None,
        wanted: BTreeSet::new(),
        notes,
    };
    let channels: Vec<Channel> = wanted
        .iter()
        .map(|wanted| Channel::new(site, &wanted.spec))
        .collect();
    let feeds: Vec<(Feed, Option<FeedRecord>)> = wanted
        .par_iter()
        .zip(&channels)
        .map(|(wanted, channel)| feed(wanted, channel, &fragments, site, ledger, now))
        .collect();
    let documents = feeds.par_iter().map(|(feed, _)| render::documents(feed));
    let documents: Result<Vec<Vec<Document>>, String> = documents.collect();
    for document in documents
        .map_err(|error| anyhow!("cannot write {error}"))?
        .into_iter()
        .flatten()
    {
        rendering.wanted.insert(document.route.clone());
        rendering.put(document);
    }
    for (wanted, (_, record)) in wanted.iter().zip(feeds) {
        rendering.feeds.extend(record);
        rendering.next = feed::next_ageing(catalogue, &wanted.selected, &wanted.spec)
            .into_iter()
            .chain(rendering.next)
            .min();
    }
    rendering.put(opml::write(&site.title, &channels)?);
    if site.permalink.is_none() {
        rendering.pages(catalogue, &fragments, site, &channels[..config.specs.len()]);
        rendering.assets(config, &fragments, folder);
    }
    rendering.edition.moved = moved(catalogue, site, &rendering.edition);
    for (_, fragment) in fragments {
        rendering.notes.extend(fragment.problems);
    }
    Ok(rendering)
}

impl Rendering {
    fn put(&mut self, document: Document) {
        self.edition
            .documents
            .insert(document.route.clone(), document);
    }

    fn pages(
        &mut self,
        catalogue: &Catalogue,
        fragments: &Fragments,
        site: &Site,
        channels: &[Channel],
    ) {
        let pages: Vec<Document> = fragments
            .par_iter()
            .filter_map(|(index, fragment)| {
                let page = catalogue.entries()[*index].page.as_deref()?;
                Some(page::article(page, &fragment.item, site, channels))
            })
            .collect();
        if !pages.is_empty() {
            self.put(page::style());
        }
        pages.into_iter().for_each(|page| self.put(page));
    }

    /// An asset is public if, and only if, something published refers to it.
    fn assets(&mut self, config: &Config, fragments: &Fragments, folder: &Folder) {
        let icon = config.icon_asset.iter();
        for path in fragments
            .values()
            .flat_map(|fragment| &fragment.assets)
            .chain(icon)
        {
            let Some(place) = folder.places.get(path) else {
                continue;
            };
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
            } else if let Err(error) = std::fs::File::open(place) {
                let what = format!("cannot be read: {error}");
                let remedy =
                    "give the user of tidings the right to read it; pages miss it until then";
                self.notes.push(Problem::error(path, what).remedy(remedy));
            } else {
                self.put(Document {
                    route,
                    kind: Kind::Asset,
                    body: Body::File(place.clone()),
                });
            }
        }
    }
}

type Fragments = BTreeMap<usize, Fragment>;

fn fragments(
    shown: &BTreeSet<usize>,
    catalogue: &Catalogue,
    site: &Site,
    folder: &Folder,
    progress: &dyn Progress,
    notes: &mut Vec<Problem>,
) -> Fragments {
    let wanted: BTreeSet<String> = shown
        .par_iter()
        .flat_map_iter(|index| fragment::media_files(*index, catalogue, site, &folder.assets))
        .collect();
    let media = wanted.into_par_iter().filter_map(|path| {
        let media = crate::folder::media(folder.places.get(&path)?);
        Some((path, media))
    });
    let media = media.collect();
    progress.stage("rendering", shown.len());
    let rendered: Vec<(usize, Result<Fragment, String>)> = shown
        .par_iter()
        .map(|index| {
            let render = || fragment::render(*index, catalogue, site, &folder.assets, &media);
            let fragment = silenced(render);
            progress.step();
            (*index, fragment)
        })
        .collect();
    let mut fragments = Fragments::new();
    for (index, fragment) in rendered {
        match fragment {
            Ok(fragment) => {
                fragments.insert(index, fragment);
            }
            // a fault of ours in one article must not take the others along
            Err(cause) => {
                let path = &catalogue.entries()[index].article.path;
                notes.push(super::read::fault(path, &cause));
            }
        }
    }
    fragments
}

/// A feed that there is to be, with the entries that it may show.
struct Wanted {
    spec: FeedSpec,
    selected: Vec<usize>,
    /// The term that it is of.
    of: Option<String>,
}

/// The feeds of the configuration, and one of each term by which articles are sorted.
fn wanted(
    config: &Config,
    catalogue: &Catalogue,
    folder: &Folder,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Vec<Wanted> {
    let site = &config.site;
    let mut wanted: Vec<Wanted> = config
        .specs
        .iter()
        .map(|spec| Wanted {
            spec: spec.clone(),
            selected: feed::select(catalogue, spec, site, now),
            of: None,
        })
        .collect();
    let Some(main) = config.specs.first() else {
        return wanted;
    };
    for by in &config.by {
        for topic in feed::topics(*by, catalogue, ledger, site) {
            let section = folder
                .sections
                .get(&topic.term)
                .filter(|_| *by == By::Section);
            let name = section.and_then(|section| section.title.as_deref());
            let spec = FeedSpec {
                title: format!("{}: {}", site.title, name.unwrap_or(&topic.term)),
                description: section.and_then(|section| section.description.clone()),
                filter: Filter {
                    terms: vec![(*by, Terms::one(&topic.term))],
                    ..Filter::default()
                },
                name: topic.name,
                ..main.clone()
            };
            wanted.push(Wanted {
                selected: feed::newest(topic.entries.into_iter(), catalogue, &spec, now),
                of: Some(topic.term),
                spec,
            });
        }
    }
    wanted
}

/// The site with its icon's URL, if the icon is a file of the folder.
fn with_icon(config: &Config, folder: &Folder) -> Site {
    let mut site = config.site.clone();
    if let Some(icon) = config
        .icon_asset
        .as_ref()
        .filter(|icon| folder.assets.contains_key(*icon))
    {
        site.icon = Some(site.url(&format!("{PAGES}{icon}")));
    }
    site
}

/// The feed with its id and its date: a date that moves only when what the feed shows does.
/// Its record is given if it is new or changed.
fn feed(
    wanted: &Wanted,
    channel: &Channel,
    fragments: &Fragments,
    site: &Site,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> (Feed, Option<FeedRecord>) {
    let spec = &wanted.spec;
    let shown = wanted
        .selected
        .iter()
        .filter_map(|index| fragments.get(index));
    let mut items: Vec<Item> = shown
        .map(|fragment| fragment.item.in_feed_of(&channel.language, &site.language))
        .collect();
    items.truncate(feed::fit(&items, spec.max_bytes));
    let digest = Feed::digest(channel, &items, spec.content);
    let before = ledger.feed(&spec.name);
    let record = FeedRecord {
        of: wanted.of.clone(),
        ..feed_record(spec, digest, before, site, ledger, now)
    };
    let feed = Feed {
        spec: spec.clone(),
        id: record.id.clone(),
        changed: record.changed,
        channel: channel.clone(),
        items,
    };
    (feed, Some(record).filter(|record| before != Some(record)))
}

fn feed_record(
    spec: &FeedSpec,
    digest: String,
    before: Option<&FeedRecord>,
    site: &Site,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> FeedRecord {
    let kept = before.filter(|before| before.minted != Minted::Provisional || !site.is_public());
    let (id, minted) = kept.map_or_else(
        || {
            let id = format!(
                "tag:{},{}:{}",
                site.host(),
                now.format("%Y-%m-%d"),
                site.tag_path(&spec.route(Kind::Atom))
            );
            let id = crate::ledger::numbered(id, &|id| ledger.knows(id));
            (
                id,
                if site.is_public() {
                    Minted::Final
                } else {
                    Minted::Provisional
                },
            )
        },
        |before| (before.id.clone(), before.minted),
    );
    // readers know nothing of parts of a second
    let now = now.trunc_subsecs(0);
    let changed = match before {
        Some(before) if before.digest == digest => before.changed,
        // a clock that went back must not take the date with it
        Some(before) => now.max(before.changed + chrono::TimeDelta::seconds(1)),
        None => now,
    };
    FeedRecord {
        feed: spec.name.clone(),
        of: None,
        id,
        minted,
        changed,
        digest,
    }
}

/// The old addresses of articles, as far as they are below the base URL and nothing else is there.
fn moved(catalogue: &Catalogue, site: &Site, edition: &Edition) -> BTreeMap<String, String> {
    let mut moved = BTreeMap::new();
    for (index, entry) in catalogue.entries().iter().enumerate() {
        let link = catalogue.link(index);
        let aliases = entry.article.aliases.iter();
        for route in aliases.filter_map(|alias| crate::link::route_of(alias, site)) {
            let page = format!("{}/index.html", route.trim_end_matches('/'));
            let is_own = site.url(&route) == link;
            let taken = [&route, &page]
                .iter()
                .any(|route| edition.documents.contains_key(*route));
            if !is_own && !taken && !route.is_empty() {
                // of two articles with one old address the newest has it
                moved.entry(route).or_insert_with(|| link.to_owned());
            }
        }
    }
    moved
}
