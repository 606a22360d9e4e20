//! A clock that lies loses nothing, and half a configuration publishes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::common::{NOW, Run, Site};

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// Title → published and updated, as JSON Feed has them.
fn dates(site: &Site) -> BTreeMap<String, (String, String)> {
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    let items = feed["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            (
                text(item, "title"),
                (text(item, "date_published"), text(item, "date_modified")),
            )
        })
        .collect()
}

fn titles(site: &Site) -> Vec<String> {
    dates(site).into_keys().collect()
}

fn site() -> Site {
    let site = Site::new();
    site.article("a.md", "A", "Text.");
    site.put("articles/b.md", "---\ntitle: B\n---\nText.\n");
    site.put(
        "articles/scheduled.md",
        "---\ntitle: Scheduled\ndate: 2026-11-03T00:00:00Z\n---\nText.\n",
    );
    site.put(
        "articles/expires.md",
        "---\ntitle: Expires\ndate: 2026-05-01\nexpires: 2026-10-01\n---\nText.\n",
    );
    assert_eq!(site.build(&[]).code, 0);
    assert_eq!(titles(&site), ["A", "B"]);
    site
}

/// Builds at another time than the one before.
fn at(site: &mut Site, now: i64) -> Run {
    site.now = now;
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run
}

#[test]
fn a_clock_that_fell_back_withdraws_nothing_and_publishes_nothing_new_too_early() {
    for now in [
        315_532_800,
        NOW - 30 * DAY,
        NOW - 2 * 3_600,
        NOW - 364 * DAY,
    ] {
        let mut site = site();
        let before = dates(&site);
        let run = at(&mut site, now);
        assert_eq!(dates(&site), before, "{now}");
        assert!(
            run.stderr.contains("set the clock"),
            "{now}: {}",
            run.stderr
        );
        // what is written meanwhile follows what was recorded last
        site.put(
            "articles/a.md",
            "---\ntitle: A\ndate: 2026-05-01T10:00:00Z\n---\nOther text.\n",
        );
        site.put(
            "articles/later.md",
            "---\ntitle: Later\ndate: 2026-11-02\n---\nText.\n",
        );
        at(&mut site, now);
        assert_eq!(titles(&site), ["A", "B"], "{now}");
        let updated = dates(&site)["A"].1.clone();
        assert!(updated.starts_with("2026-11-01T00:00:0"), "{updated}");
        // when the clock is right again, all goes on
        at(&mut site, NOW + 3 * DAY);
        assert_eq!(titles(&site), ["A", "B", "Later", "Scheduled"]);
        assert_eq!(dates(&site)["A"].1, updated);
    }
}

#[test]
fn seconds_and_minutes_behind_are_nothing_to_speak_of() {
    let mut site = site();
    let before = dates(&site);
    for behind in [1, 59, 600, 3_500] {
        let run = at(&mut site, NOW - behind);
        assert!(!run.stderr.contains("clock"), "{}", run.stderr);
        assert_eq!(dates(&site), before);
    }
}

#[test]
fn a_run_in_a_wrong_year_is_undone_once() {
    let mut site = site();
    let before = dates(&site);
    at(&mut site, NOW + 73 * YEAR);
    site.put("articles/b.md", "---\ntitle: B\n---\nOther text.\n");
    at(&mut site, NOW + 73 * YEAR);
    assert!(dates(&site)["B"].1.starts_with("2099"));
    let run = at(&mut site, NOW + DAY);
    assert!(
        run.stderr
            .contains("dates that a wrong clock recorded, up to 2099"),
        "{}",
        run.stderr
    );
    let now = dates(&site);
    assert_eq!(now["B"].1, "2026-11-02T00:00:00Z");
    assert_eq!(now["A"], before["A"]);
    assert!(!now.contains_key("Scheduled"));
    assert!(
        !site.read("ledger.jsonl").contains("2099"),
        "{}",
        site.read("ledger.jsonl")
    );
    let run = at(&mut site, NOW + DAY);
    assert_eq!(run.stderr, "");
    assert_eq!(dates(&site), now);
}

#[test]
fn runs_in_two_wrong_years_are_undone_too() {
    let mut site = site();
    for (years, text) in [(14, "In 2040."), (73, "In 2099.")] {
        site.put("articles/b.md", format!("---\ntitle: B\n---\n{text}\n"));
        at(&mut site, NOW + years * YEAR);
    }
    let run = at(&mut site, NOW + DAY);
    assert!(run.stderr.contains("replaced by now"), "{}", run.stderr);
    assert_eq!(dates(&site)["B"].1, "2026-11-02T00:00:00Z");
    assert_eq!(at(&mut site, NOW + DAY).stderr, "");
}

#[test]
fn a_year_of_five_digits_records_nothing() {
    let mut site = site();
    let (before, ledger) = (dates(&site), site.read("ledger.jsonl"));
    site.put("articles/b.md", "---\ntitle: B\n---\nOther text.\n");
    let run = at(&mut site, 253_402_300_800);
    assert!(run.stderr.contains("set the clock"), "{}", run.stderr);
    assert_eq!(dates(&site)["A"], before["A"]);
    assert!(dates(&site)["B"].1.starts_with("2026-11-01"));
    assert!(site.read("ledger.jsonl").starts_with(&ledger));
    at(&mut site, NOW + DAY);
    assert!(dates(&site)["B"].1.starts_with("2026-11-01"));
    // nor does a first run
    let mut site = Site::new();
    site.article("a.md", "A", "Text.");
    at(&mut site, 253_402_300_800);
    at(&mut site, NOW);
    assert_eq!(titles(&site), ["A"]);
}

#[test]
fn what_expired_stays_away_though_another_article_is_like_it() {
    let mut site = Site::new();
    for (name, expires) in [("a", "expires: 2026-10-01\n"), ("b", "")] {
        site.put(
            &format!("articles/{name}.md"),
            format!("---\ntitle: Weekly\ndate: 2026-05-01\n{expires}---\nText of {name}.\n"),
        );
    }
    at(&mut site, NOW - 60 * DAY);
    assert_eq!(entries(&site), 2);
    site.article("c.md", "C", "Text.");
    at(&mut site, NOW);
    assert_eq!(entries(&site), 2);
    at(&mut site, NOW - 59 * DAY);
    assert_eq!(titles(&site), ["C", "Weekly"]);
    assert_eq!(entries(&site), 2);
}

#[test]
fn years_without_an_article_say_nothing_of_the_clock() {
    let mut site = site();
    site.now += 3 * YEAR;
    site.article("c.md", "C", "Text.");
    assert_eq!(site.build(&[]).code, 0);
    let before = dates(&site);
    let ledger = site.read("ledger.jsonl");
    let run = at(&mut site, 315_532_800);
    assert!(run.stderr.contains("set the clock"), "{}", run.stderr);
    assert_eq!(dates(&site), before);
    assert_eq!(site.read("ledger.jsonl"), ledger);
}

#[test]
fn the_date_of_a_file_says_nothing_of_the_clock() {
    // 1980 and 2020
    for now in [315_532_800, 1_577_836_800] {
        let mut site = Site::new();
        site.put("articles/old.md", "---\ntitle: Old\n---\nText.\n");
        let file = File::options()
            .append(true)
            .open(site.path("articles/old.md"))
            .unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_430_000_000))
            .unwrap();
        site.article("a.md", "A", "Text.");
        assert_eq!(site.build(&[]).code, 0);
        let before = dates(&site);
        assert!(before["Old"].0.starts_with("2015-"), "{before:?}");
        let run = at(&mut site, now);
        assert!(run.stderr.contains("set the clock"), "{}", run.stderr);
        assert_eq!(dates(&site), before, "{now}");
    }
}

#[test]
fn a_ledger_that_was_rebuilt_says_nothing_of_the_clock() {
    let mut site = Site::new();
    for (name, date) in [("old", "1999-05-01"), ("new", "2026-05-01")] {
        site.put(
            &format!("articles/{name}.md"),
            format!("---\ntitle: {name}\ndate: {date}\n---\nText.\n"),
        );
    }
    assert_eq!(site.build(&[]).code, 0);
    let before = dates(&site);
    site.remove("ledger.jsonl");
    let run = site.build(&[]);
    assert!(run.stderr.contains("rebuilt"), "{}", run.stderr);
    at(&mut site, 946_684_800);
    assert_eq!(dates(&site), before);
}

#[test]
fn what_is_due_or_expires_waits_for_a_clock_that_is_hours_behind() {
    let mut site = Site::new();
    let hour = 3_600;
    // NOW is midnight of the first of November
    site.article("a.md", "Notes", "Text.");
    site.put(
        "articles/expires.md",
        "---\ntitle: Expires\ndate: 2026-05-01\nexpires: 2026-11-01T01:00:00Z\n---\nText.\n",
    );
    assert_eq!(site.build(&[]).code, 0);
    assert_eq!(titles(&site), ["Expires", "Notes"]);
    // a run whose clock is three hours ahead records an instant
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2026-05-02\n---\nText.\n",
    );
    site.put(
        "articles/expires-later.md",
        "---\ntitle: Expires later\ndate: 2026-05-01\nexpires: 2026-11-01T03:30:00Z\n---\nText.\n",
    );
    at(&mut site, NOW + 3 * hour);
    assert_eq!(titles(&site), ["B", "Expires later", "Notes"]);
    // it shares its title with an article that is public, and no more
    site.put(
        "articles/scheduled.md",
        "---\ntitle: Notes\ndate: 2026-11-01T02:00:00Z\n---\nOther text.\n",
    );
    let run = at(&mut site, NOW + hour / 2);
    assert!(run.stderr.contains("clock"), "{}", run.stderr);
    assert_eq!(entries(&site), 3);
    assert!(!titles(&site).contains(&"Expires".to_owned()));
    at(&mut site, NOW + 2 * hour);
    assert_eq!(entries(&site), 4, "the clock itself has reached its date");
    at(&mut site, NOW + 4 * hour);
    assert_eq!(titles(&site), ["B", "Notes"]);
}

fn entries(site: &Site) -> usize {
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    feed["items"].as_array().unwrap().len()
}

#[test]
fn files_without_a_date_stand_one_second_apart_and_none_is_of_1970() {
    let site = Site::new();
    let write = |name: &str, seconds: u64| {
        site.put(
            &format!("articles/{name}.md"),
            format!("---\ntitle: {name}\n---\nText of {name}.\n"),
        );
        let file = File::options()
            .append(true)
            .open(site.path(&format!("articles/{name}.md")))
            .unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .unwrap();
    };
    let clone = 1_780_000_000;
    for name in ["a", "b", "c"] {
        write(name, clone);
    }
    write("d", clone - 1);
    write("e", 5);
    write("f", 631_000_000);
    write("g", 1_600_000_000);
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let found = dates(&site);
    let published: Vec<&str> = found
        .values()
        .map(|(published, _)| published.as_str())
        .collect();
    let expected = [
        "2026-05-28T20:26:38Z",
        "2026-05-28T20:26:39Z",
        "2026-05-28T20:26:40Z",
        "2026-05-28T20:26:37Z",
        "2026-10-31T23:59:59Z",
        "2026-11-01T00:00:00Z",
        "2020-09-13T12:26:40Z",
    ];
    assert_eq!(published, expected);
    assert!(!run.stderr.contains("DuplicateUpdated"), "{}", run.stderr);
}

#[test]
fn half_a_configuration_is_refused() {
    let whole = "base_url = \"https://example.org/\"\npermalink = \"/:slug/\"\ntitle = \"Notes\"\n[[feed]]\nname = \"x\"\ntags = [\"x\"]\n[[feed]]\nname = \"y\"\ntags = [\"y\"]\n";
    let site = Site::bare();
    site.put("tidings.toml", whole);
    site.put(
        "articles/a.md",
        "---\ntitle: A\ndate: 2026-05-01\ntags: [x, y]\n---\nText.\n",
    );
    assert_eq!(site.build(&[]).code, 0);
    let before = site.read("feeds/atom.xml");
    for (half, reason) in [
        (
            "",
            "`base_url` is not set, and this ledger belongs to https://example.org/",
        ),
        (
            "title = \"Notes\"\n",
            "`base_url` is not set, and this ledger belongs to https://example.org/",
        ),
        (
            "base_url = \"https://example.org/\"\n",
            "`permalink` is not set, and was when the feeds were built last",
        ),
        (
            "base_url = \"https://example.org/\"\npermalink = \"/:slug/\"\n",
            "6 of 9 feeds would be gone",
        ),
    ] {
        site.put("tidings.toml", half);
        for _ in 0..2 {
            let run = site.build(&[]);
            assert_eq!(run.code, 5, "{half}: {}", run.stderr);
            assert!(
                run.stderr.contains(reason) && run.stderr.contains("--allow-shrink"),
                "{half}: {}",
                run.stderr
            );
            assert_eq!(site.read("feeds/atom.xml"), before);
            assert!(site.path("feeds/y/rss.xml").exists());
        }
    }
    site.remove("tidings.toml");
    assert_eq!(site.build(&[]).code, 5);
    // whoever means it says so, and looking is always allowed
    assert_eq!(site.build(&["--dry-run", "--allow-shrink"]).code, 0);
    site.put("tidings.toml", whole);
    let run = site.build(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    assert_eq!(site.build(&["--allow-shrink"]).code, 0);
    assert_eq!(site.build(&[]).code, 0);
}
