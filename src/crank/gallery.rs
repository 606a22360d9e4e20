//! The pages that are made of the feeds: an index of all, and a preview of each. They are made anew only where a feed
//! changed.

use std::collections::HashMap;

use super::offer::language_of;
use crate::check::read::{self, Published};
use crate::config::Config;
use crate::edition::Kind;
use crate::feed::{By, Channel};
use crate::page::{self, Shown};
use crate::served::{INDEX, Leaf, PREVIEW, Served};
use crate::site::Site;

/// What was made of each feed, by its folder.
#[derive(Debug, Default)]
pub(super) struct Gallery {
    /// What of the site the pages show.
    site: String,
    pictures: HashMap<String, Picture>,
}

#[derive(Debug, Clone)]
struct Picture {
    /// Of the documents of which it was made.
    tags: Vec<String>,
    channel: Channel,
    preview: Leaf,
}

impl Gallery {
    /// The pages for what is served.
    pub(super) fn leaves(&mut self, config: &Config, site: &Site, served: &Served) -> Vec<Leaf> {
        let shows = format!("{site:?}{:?}", config.specs);
        if self.site != shows {
            self.site = shows;
            self.pictures.clear();
        }
        let mut before = std::mem::take(&mut self.pictures);
        let mut newest = None;
        let mut order = Vec::new();
        for folder in folders(config, served) {
            let documents = documents(&folder, served);
            let tags: Vec<String> = documents.iter().map(|(_, _, tag)| tag.clone()).collect();
            let known = before
                .remove(&folder)
                .filter(|picture| picture.tags == tags);
            // the index shows the newest articles of the first
            if known.is_none() || order.is_empty() {
                let Some(shown) = shown(config, site, served, &folder, &documents) else {
                    continue;
                };
                let picture = Picture {
                    tags,
                    preview: Leaf {
                        path: format!("{folder}{PREVIEW}"),
                        html: page::preview(site, &shown).into(),
                        made: None,
                    },
                    channel: shown.channel.clone(),
                };
                if order.is_empty() {
                    newest = Some(shown.published);
                }
                self.pictures.insert(folder.clone(), picture);
            } else if let Some(known) = known {
                self.pictures.insert(folder.clone(), known);
            }
            order.push(folder);
        }
        let pictures = order
            .iter()
            .filter_map(|folder| Some((folder, self.pictures.get(folder)?)));
        let feeds: Vec<(&str, &Channel)> = pictures
            .clone()
            .map(|(folder, picture)| (folder.as_str(), &picture.channel))
            .collect();
        let index = page::index(site, &feeds, &newest.unwrap_or_default());
        let previews = pictures.map(|(_, picture)| picture.preview.clone());
        let index = Leaf {
            path: INDEX.to_owned(),
            html: index.into(),
            made: None,
        };
        std::iter::once(index).chain(previews).collect()
    }
}

/// The folders of all feeds, each empty or ending in `/`: the main feed's, those of the configuration, the rest.
fn folders(config: &Config, served: &Served) -> Vec<String> {
    let folder = |route: &str| route.rfind('/').map_or("", |at| &route[..=at]).to_owned();
    let mut folders: Vec<String> = config
        .specs
        .iter()
        .map(|spec| folder(&spec.route(Kind::Rss)))
        .collect();
    let resources = served.resources();
    let mut topics: Vec<String> = resources
        .filter(|(_, resource)| resource.kind.is_feed())
        .map(|(path, _)| folder(path))
        .filter(|folder| By::of(folder).is_some())
        .collect();
    topics.sort_by_key(|folder| (By::of(folder), folder.clone()));
    topics.dedup();
    folders.extend(topics);
    folders
}

/// The documents of a feed: format, path, entity tag.
fn documents(folder: &str, served: &Served) -> Vec<(Kind, String, String)> {
    let kinds = [
        (Kind::Rss, "rss.xml"),
        (Kind::Atom, "atom.xml"),
        (Kind::Json, "feed.json"),
    ];
    let documents = kinds.into_iter().filter_map(|(kind, name)| {
        let path = format!("{folder}{name}");
        let resource = served.resource(&path)?;
        (resource.kind == kind).then(|| (kind, path, resource.tag.clone()))
    });
    documents.collect()
}

fn shown(
    config: &Config,
    site: &Site,
    served: &Served,
    folder: &str,
    documents: &[(Kind, String, String)],
) -> Option<Shown> {
    // JSON is read back in the shortest time
    let (kind, path, _) = documents.iter().max_by_key(|(kind, ..)| match kind {
        Kind::Json => 2,
        Kind::Atom => 1,
        _ => 0,
    })?;
    let published: Published = read::read(*kind, served.resource(path)?.identity()?)?;
    let name = folder.trim_end_matches('/');
    let spec = config.specs.iter().find(|spec| spec.name == name);
    let channel = match spec {
        Some(spec) => Channel::new(site, spec),
        None => Channel {
            title: published.title.clone().unwrap_or_else(|| name.to_owned()),
            description: published.description.clone().unwrap_or_default(),
            language: language_of(folder, site),
            documents: documents
                .iter()
                .map(|(kind, path, _)| (*kind, site.url(path)))
                .collect(),
            ..Channel::new(site, config.specs.first()?)
        },
    };
    Some(Shown {
        folder: folder.to_owned(),
        channel,
        published,
    })
}
