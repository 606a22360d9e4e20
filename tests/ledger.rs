//! The ledger is never lost and never wrong in silence: what cannot be read is not taken for absent, and a damaged line
//! changes no id and no date.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tidings::check::read::read;
use tidings::edition::Kind;

use crate::common::extent::cases;
use crate::common::tool::skip;
use crate::common::{Site, copy};

/// What each document says of its entries: published and updated, by id.
fn entries(site: &Site) -> Vec<BTreeMap<String, String>> {
    let documents = [
        (Kind::Rss, "rss.xml"),
        (Kind::Atom, "atom.xml"),
        (Kind::Json, "feed.json"),
    ];
    let read = documents.map(|(kind, file)| {
        let bytes = std::fs::read(site.path(&format!("feeds/{file}"))).unwrap();
        let entries = read(kind, &bytes).unwrap().entries.into_iter();
        entries
            .map(|entry| {
                (
                    entry.id,
                    format!("{:?} {:?}", entry.published, entry.updated),
                )
            })
            .collect()
    });
    read.to_vec()
}

/// A site that was built several times, so that its ledger has lines of every kind.
fn site() -> Site {
    let mut site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n",
    );
    site.put(
        "articles/dated.md",
        "---\ntitle: Dated\ndate: 2026-05-01T10:00:00Z\n---\nText.\n",
    );
    site.put(
        "articles/day.md",
        "---\ntitle: Day\ndate: 2026-05-02\n---\nText.\n",
    );
    site.put("articles/undated.md", "---\ntitle: Undated\n---\nText.\n");
    site.put(
        "articles/own.md",
        "---\ntitle: Own\nid: 45863 at x\ndate: 2026-05-03\n---\nText.\n",
    );
    site.put(
        "articles/edited.md",
        "---\ntitle: Edited\ndate: 2026-05-04\n---\nText.\n",
    );
    site.put(
        "articles/moved.md",
        "---\ntitle: Moved\ndate: 2026-05-05\n---\nText.\n",
    );
    site.put(
        "articles/gone.md",
        "---\ntitle: Gone\ndate: 2026-05-06\n---\nText.\n",
    );
    assert_eq!(site.build(&[]).code, 0);
    site.now += 3_600;
    site.put(
        "articles/edited.md",
        "---\ntitle: Edited\ndate: 2026-05-04\n---\nOther text.\n",
    );
    site.rename("articles/moved.md", "articles/renamed.md");
    site.remove("articles/gone.md");
    assert_eq!(site.build(&[]).code, 0);
    site.now += 3_600;
    site
}

fn copy_of(site: &Site) -> Site {
    let mut other = Site::bare();
    other.now = site.now;
    for name in [
        "articles",
        "feeds",
        ".tidings",
        "ledger.jsonl",
        "tidings.toml",
    ] {
        copy(&site.path(name), &other.path(name));
    }
    other
}

#[test]
fn a_flipped_bit_changes_no_id_and_no_date() {
    let original = site();
    let before = entries(&original);
    let flips = (any::<prop::sample::Index>(), 0u8..8);
    let flipped = |(at, bit): (prop::sample::Index, u8)| {
        let site = copy_of(&original);
        let mut text = std::fs::read(site.path("ledger.jsonl")).unwrap();
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        std::fs::write(site.path("ledger.jsonl"), &text).unwrap();
        let run = site.build(&[]);
        prop_assert!([0, 3].contains(&run.code), "{}", run.stderr);
        prop_assert_eq!(entries(&site), before.clone(), "{} {}", at, run.stderr);
        let again = site.build(&[]);
        prop_assert_eq!(entries(&site), before.clone(), "{} {}", at, again.stderr);
        Ok(())
    };
    let mut runner = TestRunner::new(cases(60, 400));
    runner.run(&flips, flipped).unwrap();
}

#[test]
fn every_line_has_a_sum_and_a_hand_may_edit_it() {
    let site = site();
    let ledger = site.read("ledger.jsonl");
    assert!(
        ledger.lines().all(|line| line.contains("\"sum\":\"")),
        "{ledger}"
    );
    // other spaces and another order of keys are the same values
    let line = ledger
        .lines()
        .find(|line| line.contains("\"path\":\"undated.md\""))
        .unwrap();
    let (values, sum) = line.trim_end_matches('}').split_once(",\"sum\":").unwrap();
    let spaced = format!(
        "{{ \"sum\": {sum}, {} }}",
        values.trim_start_matches('{').replace("\",\"", "\", \"")
    );
    site.write("ledger.jsonl", ledger.replace(line, &spaced));
    let before = entries(&site);
    let run = site.build(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(entries(&site), before);
    // an edit without the sum is believed
    let edited = values.replace(
        "\"published\":\"2026-11-01T00:00:00Z\"",
        "\"published\":\"2026-10-01T00:00:00Z\"",
    );
    site.write("ledger.jsonl", ledger.replace(line, &format!("{edited}}}")));
    let run = site.build(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        entries(&site)[2]
            .values()
            .any(|dates| dates.contains("2026-10-01"))
    );
    // one with it is damage, until its author says otherwise
    let site = self::site();
    let before = entries(&site);
    site.write(
        "ledger.jsonl",
        ledger.replace(line, &format!("{edited},\"sum\":{sum}}}")),
    );
    let run = site.build(&[]);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr
            .contains("this line is damaged: its values are not those of its `sum`"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("to keep your edit, delete `sum`"),
        "{}",
        run.stderr
    );
    assert_eq!(entries(&site), before);
}

#[test]
fn a_damaged_line_of_what_no_feed_shows_stands_as_it_is() {
    let site = site();
    let ledger = site.read("ledger.jsonl");
    let line = ledger
        .lines()
        .rfind(|line| line.contains("\"path\":\"gone.md\""))
        .unwrap();
    site.write(
        "ledger.jsonl",
        ledger.replace(
            line,
            &line.replace("\"title\":\"Gone\"", "\"title\":\"Gona\""),
        ),
    );
    let run = site.build(&[]);
    assert_eq!(run.code, 3);
    let ledger = site.read("ledger.jsonl");
    assert!(
        ledger.contains("/gone\"") && ledger.contains("\"gone\":"),
        "{ledger}"
    );
    // and the file that comes back is the same article
    site.put(
        "articles/gone.md",
        "---\ntitle: Gone\ndate: 2026-05-06\n---\nText.\n",
    );
    site.build(&[]);
    assert!(
        entries(&site)[2]
            .keys()
            .any(|id| id == "tag:example.org,2026-05-06:/gone")
    );
}

#[test]
fn a_foreign_feed_is_never_recovered_from() {
    let site = site();
    let before = entries(&site);
    site.remove("ledger.jsonl");
    let foreign = site
        .read("feeds/atom.xml")
        .replace("tag:example.org", "tag:elsewhere.example");
    site.write("feeds/atom.xml", foreign);
    let run = site.build(&[]);
    assert!(
        run.stderr
            .contains("it is rebuilt from the published feeds"),
        "{}",
        run.stderr
    );
    let ids = |site: &Site| entries(site)[2].keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&site), before[2].keys().cloned().collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_read_is_not_taken_for_absent() {
    // a link to itself fails in another way than a file that is missing
    for name in ["ledger.jsonl", "feeds/tidings.json", "tidings.toml"] {
        let site = site();
        let (before, ledger) = (entries(&site), site.read("ledger.jsonl"));
        site.rename(name, "aside");
        symlink(site.path(name), site.path(name)).unwrap();
        site.put(
            "articles/new.md",
            "---\ntitle: New\ndate: 2026-05-07\n---\nText.\n",
        );
        let run = site.build(&[]);
        assert_eq!(run.code, 5, "{name}: {}", run.stderr);
        assert!(run.stderr.contains(name), "{}", run.stderr);
        assert_eq!(entries(&site), before, "{name}");
        std::fs::remove_file(site.path(name)).unwrap();
        site.rename("aside", name);
        assert_eq!(site.read("ledger.jsonl"), ledger);
        let run = site.build(&[]);
        assert!(
            run.stdout
                .starts_with("1 new, 0 updated, 0 withdrawn, 0 ids changed"),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn a_ledger_that_is_mounted_as_a_single_file_is_only_appended_to() {
    let can_mount = Command::new("unshare").args(["-rm", "true"]).status();
    if !can_mount.is_ok_and(|status| status.success()) {
        return skip("file systems cannot be mounted here");
    }
    let site = site();
    let before = entries(&site);
    // a torn last line, and one without an end
    for (end, is_said) in [
        (
            "\n{\"path\":\"torn.md\",\"id\":\"ta",
            "was cut off while it was written",
        ),
        ("", "it can be appended to, and never be written anew"),
    ] {
        let whole = site.read("ledger.jsonl");
        site.write("ledger.jsonl", format!("{}{end}", whole.trim_end()));
        site.put(
            "articles/new.md",
            format!("---\ntitle: New\ndate: 2026-05-07\n---\nText{end:.2}\n"),
        );
        let mut command = Command::new("unshare");
        command.args([
            "-rm",
            "sh",
            "-c",
            "mount --bind ledger.jsonl ledger.jsonl && exec \"$0\" build",
        ]);
        command
            .arg(env!("CARGO_BIN_EXE_tidings"))
            .current_dir(site.home());
        let output = command
            .env("SOURCE_DATE_EPOCH", site.now.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(is_said), "{said}");
        let after = site.read("ledger.jsonl");
        assert!(
            after.starts_with(&whole) && after.ends_with("}\n"),
            "{after}"
        );
        assert!(
            after.contains("\"path\":\"new.md\"") && !after.contains("torn.md"),
            "{after}"
        );
        let run = site.build(&[]);
        assert_eq!(
            (run.code, run.stderr.as_str(), run.stdout.as_str()),
            (0, "", ""),
            "{after}"
        );
        for id in before[2].keys() {
            assert!(entries(&site)[2].contains_key(id));
        }
        site.remove("articles/new.md");
        site.build(&[]);
    }
}
