//! From what was published to what is offered.

use std::sync::Arc;

use rayon::prelude::*;

use super::Offer;
use crate::check::read;
use crate::config::Config;
use crate::edition::encode::{self, Coding, Effort};
use crate::edition::{Body, Kind, Manifest};
use crate::feed::Channel;
use crate::link::PAGES;
use crate::page::{self, Shown};
use crate::served::{Exhibit, Exhibited, INDEX, Leaf, PREVIEW, Resource, Served, Terms};
use crate::site::Site;
use crate::store::{Loaded, Shelf, Step};

pub(super) fn terms(config: &Config, manifest: Option<&Manifest>) -> Terms {
    let mut site = config.site.clone();
    let icon = config
        .icon_asset
        .as_ref()
        .map(|icon| format!("{PAGES}{icon}"));
    let is_public =
        |icon: &String| manifest.is_some_and(|known| known.documents.contains_key(icon));
    if let Some(icon) = icon.filter(is_public) {
        site.icon = Some(site.url(&icon));
    }
    Terms {
        site,
        fresh: config.serve.fresh.as_secs(),
        detours: config.serve.detours.clone(),
    }
}

pub(super) fn offer(served: impl Into<Arc<Served>>, config: &Config) -> Offer {
    Offer {
        served: served.into(),
        // without the folder nothing lies on the shelf either
        shelf: Shelf::open(&config.feeds).ok(),
        settings: config.serve.clone(),
    }
}

/// A document as it lies on disk.
pub(super) fn loaded(loaded: &Loaded) -> Exhibit<'_> {
    Exhibit {
        route: &loaded.route,
        published: &loaded.published,
        body: match &loaded.bytes {
            Some(bytes) => Exhibited::Memory(bytes.clone(), &[]),
            None => Exhibited::Shelf(loaded.mtime),
        },
    }
}

/// A document that is about to be put on disk, or was: until then it is offered from memory.
pub(super) fn ready<'s>(step: &'s Step<'_>, durable: bool) -> Exhibit<'s> {
    let on_shelf = || Exhibited::Shelf(step.published.last_modified.into());
    let body = match &step.document.body {
        Body::Memory(bytes)
            if step.document.kind.stays_in_memory() || !(durable || step.is_on_disk()) =>
        {
            Exhibited::Memory(bytes.clone(), &step.encoded)
        }
        Body::Memory(_) | Body::File(_) => on_shelf(),
    };
    Exhibit {
        route: &step.document.route,
        published: &step.published,
        body,
    }
}

/// The pages that are made of the feeds: an index of all, and a preview of each.
pub(super) fn leaves(config: &Config, site: &Site, served: &Served) -> Vec<Leaf> {
    let shown: Vec<Shown> = config
        .specs
        .iter()
        .filter_map(|spec| {
            // JSON is read back in the shortest time
            let kinds = [Kind::Json, Kind::Atom, Kind::Rss];
            let found = kinds.into_iter().filter(|kind| spec.formats.contains(kind));
            let published = found.filter_map(|kind| {
                let resource = served.resource(&spec.route(kind))?;
                read::read(kind, resource.identity()?)
            });
            let published = { published }.next()?;
            let route = spec.route(Kind::Rss);
            let folder = route.rfind('/').map_or("", |at| &route[..=at]);
            Some(Shown {
                folder: folder.to_owned(),
                channel: Channel::new(site, spec),
                published,
            })
        })
        .collect();
    let leaf = |path: String, html: String| Leaf {
        path,
        html: html.into(),
    };
    let previews = shown.iter().map(|feed| {
        leaf(
            format!("{}{PREVIEW}", feed.folder),
            page::preview(site, feed),
        )
    });
    std::iter::once(leaf(INDEX.to_owned(), page::index(site, &shown)))
        .chain(previews)
        .collect()
}

/// The same offer with quick encodings of whatever has none.
pub(super) fn encoded(served: Served) -> Served {
    let bare: Vec<(String, Arc<Resource>)> = served
        .resources()
        .filter(|(_, resource)| resource.identity().is_some() && !resource.has_encodings())
        .map(|(path, resource)| (path.to_owned(), Arc::clone(resource)))
        .collect();
    let encoded: Vec<(String, Arc<Resource>)> = bare
        .into_par_iter()
        .filter_map(|(path, resource)| Some((path, again(&resource, Effort::Quick)?)))
        .collect();
    served.with(encoded)
}

/// The same document in its best encodings.
pub(super) fn better(resource: &Arc<Resource>) -> Option<Arc<Resource>> {
    again(resource, Effort::Best)
}

fn again(resource: &Resource, effort: Effort) -> Option<Arc<Resource>> {
    let bytes = resource.identity()?;
    // what cannot be encoded is served as it is
    let encoded = encode::all(&Coding::ALL, effort, bytes).ok()?;
    Some(Arc::new(resource.encoded(&encoded)))
}
