//! From what was published to what is offered.

use std::sync::Arc;

use rayon::prelude::*;

use super::Offer;
use crate::article::language;
use crate::config::Config;
use crate::edition::encode::{self, Coding, Effort};
use crate::edition::{Body, Manifest};
use crate::link::PAGES;
use crate::served::{Exhibit, Exhibited, Resource, Served, Terms};
use crate::site::Site;
use crate::store::{Disk, Loaded, Shelf, Step};

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
            Some(bytes) => Exhibited::Memory(bytes.clone(), &loaded.encoded),
            None => Exhibited::Shelf(loaded.mtime),
        },
    }
}

/// A document that is about to be put on disk, or was: until then it is offered from memory. One that stays as it was is
/// taken from what is offered `before`, or else from the disk.
pub(super) fn ready<'s>(
    step: &'s Step<'_>,
    durable: bool,
    before: Option<&Served>,
    disk: &Disk,
) -> Exhibit<'s> {
    let kind = step.document.kind;
    let on_shelf = || Exhibited::Shelf(step.published.last_modified.into());
    let body = match &step.document.body {
        Body::Memory(bytes) if kind.stays_in_memory() || !(durable || step.is_on_disk()) => {
            Exhibited::Memory(bytes.clone(), &step.encoded)
        }
        Body::Kept if kind.stays_in_memory() => {
            let route = &step.document.route;
            let offered = before.and_then(|before| before.resource(route));
            let tag = crate::edition::tag(route, &step.published.hash);
            let offered = offered.filter(|resource| resource.tag == tag);
            match offered.and_then(|resource| resource.identity().cloned()) {
                Some(bytes) => Exhibited::Memory(bytes, &[]),
                None => disk
                    .read(route)
                    .map_or_else(|_| on_shelf(), |bytes| Exhibited::Memory(bytes.into(), &[])),
            }
        }
        Body::Memory(_) | Body::File(..) | Body::Kept => on_shelf(),
    };
    Exhibit {
        route: &step.document.route,
        published: &step.published,
        body,
    }
}

/// The language of the feed whose documents are in `folder`.
pub(super) fn language_of(folder: &str, site: &Site) -> String {
    let tag = folder
        .strip_prefix("languages/")
        .map(|tag| tag.trim_end_matches('/'));
    tag.and_then(language::tag)
        .unwrap_or_else(|| site.language.clone())
}

/// Whatever is in memory and lacks an encoding, with all of them: made quickly, or in haste if there is much to do.
pub(super) fn encoded(served: &Served) -> Vec<(String, Arc<Resource>)> {
    let lacking: Vec<(String, Arc<Resource>)> = served
        .resources()
        .filter(|(_, resource)| !lacks(resource).is_empty())
        .map(|(path, resource)| (path.to_owned(), Arc::clone(resource)))
        .collect();
    let effort = Effort::of(lacking.len());
    encode::aside(|| {
        let lacking = lacking.into_par_iter();
        lacking
            .filter_map(|(path, resource)| {
                let mut encoded = resource.encodings();
                let more = encode::all(&lacks(&resource), effort, resource.identity()?);
                encoded.extend(more.ok().filter(|more| !more.is_empty())?);
                Some((path, Arc::new(resource.encoded(&encoded))))
            })
            .collect()
    })
}

/// The encodings that are not there of a document in memory.
fn lacks(resource: &Resource) -> Vec<Coding> {
    let codings = Coding::ALL.into_iter();
    let lacking = codings.filter(|coding| resource.identity().is_some() && !resource.has(*coding));
    lacking.collect()
}

/// The same document in its best encodings.
pub(super) fn better(resource: &Arc<Resource>) -> Option<Arc<Resource>> {
    let bytes = resource.identity()?;
    // what cannot be encoded is served as it is
    let encoded = encode::all(&Coding::ALL, Effort::Best, bytes).ok()?;
    Some(Arc::new(resource.encoded(&encoded)))
}
