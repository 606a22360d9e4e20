//! Which feeds there are to be, with which entries, and what each is made of.

use chrono::{DateTime, SubsecRound, Utc};

use super::desk::Desk;
use super::fragments::{Fragments, Looks, short};
use super::{Config, Ledger};
use crate::catalogue::Number;
use crate::edition::Kind;
#[cfg(debug_assertions)]
use crate::feed::Register;
use crate::feed::{self, By, Channel, Feed, FeedSpec, Filter, Item, Terms};
use crate::ledger::{FeedRecord, Minted};
use crate::site::Site;

/// A feed that there is to be, with the entries that it may show.
pub(super) struct Wanted {
    pub(super) spec: FeedSpec,
    pub(super) selected: Vec<Number>,
    /// The term that it is of.
    of: Option<String>,
}

impl Wanted {
    /// The version of all that its documents are made of, if that is known.
    pub(super) fn made_of(&self, channel: &Channel, looks: &Looks, ledger: &Ledger) -> Option<u64> {
        self.made_of_all(channel, looks, ledger.feed(&self.spec.name)?)
    }

    pub(super) fn made_of_all(
        &self,
        channel: &Channel,
        looks: &Looks,
        record: &FeedRecord,
    ) -> Option<u64> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?}{:?}{channel:?}{record:?}", self.spec, self.of).as_bytes());
        for number in &self.selected {
            hasher.update(&looks.get(number)?.to_le_bytes());
        }
        Some(short(&hasher))
    }
}

/// The feeds of the configuration, and one of each term by which articles are sorted.
pub(super) fn wanted(
    config: &Config,
    desk: &Desk,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Vec<Wanted> {
    let site = &config.site;
    let Desk {
        catalogue,
        register,
        ..
    } = desk;
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
    // what was kept is what would be made anew: each test that builds twice shows it
    #[cfg(debug_assertions)]
    {
        let mut anew = Register::default();
        anew.update(
            &config.by,
            catalogue,
            &std::collections::BTreeSet::new(),
            site,
        );
        for by in &config.by {
            assert_eq!(register.topics(*by, ledger), anew.topics(*by, ledger));
        }
    }
    for by in &config.by {
        for topic in register.topics(*by, ledger) {
            let section = catalogue
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
                selected: feed::newest(topic.entries.iter().copied(), catalogue, &spec, now),
                of: Some(topic.term),
                spec,
            });
        }
    }
    wanted
}

/// The feed with its id and its date: a date that moves only when what the feed shows does.
/// Its record is given if it is new or changed.
pub(super) fn feed(
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
        hubs: site.hubs.clone(),
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
        // it comes from a published document, which shows the same
        Some(before) if before.digest.is_empty() => before.changed,
        // a clock that went back must not take the date with it
        Some(before) => now.max(before.changed + chrono::TimeDelta::seconds(1)),
        None => now,
    };
    FeedRecord {
        feed: spec.name.clone(),
        title: before
            .and_then(|before| before.title.clone())
            .or_else(|| (spec.name.is_empty() && !site.has_title).then(|| site.title.clone())),
        of: None,
        id,
        minted,
        changed,
        digest,
    }
}
