//! A folder that an earlier version published is built by this one, and no subscriber sees an old article as new: no id,
//! no `published` and no `updated` moves, but where a reason is given here.
//!
//! Each folder of `tests/upgrades` is what one version left: `articles`, `feeds`, `ledger.jsonl`, and as `state` what
//! lay in `.tidings`. It is never changed; a version that changes what is published adds a folder of its own.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Site, copy};

/// An entry as a subscriber knows it: published and updated, by id.
type Entries = BTreeMap<String, (String, String)>;

/// When the folders were built last, in seconds since 1970; a day later they are built again.
const BUILT: i64 = 1_788_003_600;

fn entries(site: &Site) -> Entries {
    let feed: serde_json::Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    let text = |item: &serde_json::Value, key: &str| item[key].as_str().unwrap().to_owned();
    let items = feed["items"].as_array().unwrap().iter();
    let entries = items.map(|item| {
        let dates = (text(item, "date_published"), text(item, "date_modified"));
        (text(item, "id"), dates)
    });
    entries.collect()
}

/// A copy of what an earlier version left.
fn left(name: &str) -> Site {
    let mut site = Site::bare();
    site.now = BUILT + 86_400;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrades");
    for (from, to) in [
        ("articles", "articles"),
        ("feeds", "feeds"),
        ("state", ".tidings"),
        ("ledger.jsonl", "ledger.jsonl"),
        ("tidings.toml", "tidings.toml"),
    ] {
        copy(&folder.join(name).join(from), &site.path(to));
    }
    site
}

/// Builds, and compares what subscribers had with what they get. `moved` names the ids whose entry is another one, or
/// is not there any longer, with the reason.
#[track_caller]
fn assert_nobody_is_hurt(site: &Site, had: &Entries, moved: &[(&str, &str)]) {
    let run = site.build(&[]);
    assert!([0, 3].contains(&run.code), "{}", run.stderr);
    let got = entries(site);
    let is_moved = |id: &String| moved.iter().any(|(other, _)| other == id);
    for (id, dates) in had.iter().filter(|(id, _)| !is_moved(id)) {
        assert_eq!(got.get(id), Some(dates), "{id}\n{}", run.stderr);
    }
    for id in got.keys() {
        assert!(
            had.contains_key(id),
            "`{id}` is new to subscribers\n{}",
            run.stderr
        );
    }
    for (id, reason) in moved {
        assert!(
            had.contains_key(*id) && had.get(*id) != got.get(*id),
            "{id} stays: {reason}"
        );
    }
    for format in ["rss.xml", "atom.xml"] {
        let text = site.read(&format!("feeds/{format}"));
        for id in got.keys() {
            assert!(
                text.contains(&id.replace('&', "&amp;")),
                "{format} has no {id}"
            );
        }
    }
}

/// What this version publishes in another way than the one before ledgers had sums, and why.
const SINCE_SUMS: [(&str, &str); 9] = [
    (
        "tag:quay.example,2026-05-10:/copy.sync-conflict-20260501-101010-ABC",
        "a copy of a sync program is no article",
    ),
    (
        "tag:quay.example,2026-05-04:/hidden",
        "`hidden: true` keeps it out of feeds",
    ),
    (
        "tag:quay.example,2026-05-03:/password",
        "`password` keeps it from the public",
    ),
    (
        "tag:quay.example,2026-05-02:/private",
        "`private: true` keeps it from the public",
    ),
    (
        "tag:quay.example,2026-04-12:/_posts/undated",
        "Jekyll's posts have dates",
    ),
    (
        "tag:quay.example,2026-04-12:/index",
        "the front page is no article",
    ),
    (
        "tag:quay.example,2026-04-12:/bundle/aside",
        "it lies beside an `index.md`",
    ),
    (
        "tag:quay.example,2026-04-12:/dotted",
        "its date can be read now",
    ),
    (
        "tag:quay.example,2026-04-12:/compact",
        "its date can be read now",
    ),
];

#[test]
fn an_upgrade_changes_no_id_and_no_date() {
    let site = left("before-sums");
    let had = entries(&site);
    assert!(had.len() > 40);
    assert_nobody_is_hurt(&site, &had, &SINCE_SUMS);
    // the manifest has another name
    assert!(site.path("feeds/tidings.json").exists() && !site.path("feeds/manifest.json").exists());
    // and the next run, with all that this version keeps, changes nothing more
    let had = entries(&site);
    assert_nobody_is_hurt(&site, &had, &[]);
}

#[test]
fn an_upgrade_needs_neither_the_state_folder_nor_the_feeds() {
    for lost in [".tidings", "feeds"] {
        let site = left("before-sums");
        let had = entries(&site);
        site.remove(lost);
        // its text is kept as the program before read it, with its front matter as words: that is not made again
        let mangled = (
            "tag:quay.example,2026-05-28:/mangled",
            "only the feeds have it",
        );
        let moved = SINCE_SUMS
            .into_iter()
            .chain((lost == "feeds").then_some(mangled));
        assert_nobody_is_hurt(&site, &had, &moved.collect::<Vec<_>>());
    }
}
