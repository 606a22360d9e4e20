//! The ledger is never lost and never wrong in silence: what cannot be read is not taken for absent, and a damaged line
//! changes no id and no date.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tidings::check::read::{PublishedEntry, read};
use tidings::edition::Kind;

use crate::common::extent::cases;
use crate::common::tool::skip;
use crate::common::{Site, copy};

/// What each document says of its entries: title, link and dates, by id; and its own id and title.
fn entries(site: &Site) -> Vec<BTreeMap<String, String>> {
    let documents = [
        (Kind::Rss, "rss.xml"),
        (Kind::Atom, "atom.xml"),
        (Kind::Json, "feed.json"),
        (Kind::Atom, "tags/c-plus-plus/atom.xml"),
    ];
    let is_there = |file: &str| site.path(&format!("feeds/{file}")).exists();
    let documents = documents.into_iter().filter(|(_, file)| is_there(file));
    let read = documents.map(|(kind, file)| {
        let bytes = std::fs::read(site.path(&format!("feeds/{file}"))).unwrap();
        let feed = read(kind, &bytes).unwrap();
        let own = (String::new(), format!("{:?} {:?}", feed.id, feed.title));
        let entries = feed.entries.into_iter().map(|entry| {
            let PublishedEntry {
                id,
                title,
                link,
                published,
                updated,
                ..
            } = entry;
            (id, format!("{title:?} {link:?} {published:?} {updated:?}"))
        });
        entries.chain([own]).collect()
    });
    read.collect()
}

/// A site that was built several times, so that its ledger has lines of every kind; one bit makes the name of one article
/// that of another, and the ledger alone knows what the feed is called.
fn site() -> Site {
    let mut site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\n[defaults]\nby = [\"tag\"]\n",
    );
    for number in [1, 2, 3] {
        site.put(
            &format!("articles/post-{number}.md"),
            format!("---\ntitle: Post {number}\ndate: 2026-04-0{number}\ntags: [C++]\n---\nText {number}.\n"),
        );
    }
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
    let original = site();
    let site = copy_of(&original);
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
    let site = copy_of(&original);
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

/// Replaces the first of `texts` that a line of the ledger with `of` has, in the last such line.
fn damage(site: &Site, of: &str, from: &str, to: &str) {
    let ledger = site.read("ledger.jsonl");
    let line = ledger.lines().rfind(|line| line.contains(of)).unwrap();
    assert!(line.contains(from), "{line}");
    site.write(
        "ledger.jsonl",
        ledger.replace(line, &line.replace(from, to)),
    );
}

#[test]
fn a_damaged_only_line_keeps_what_its_entry_does_not_tell() {
    // an article that was renamed, and has no date: its id names the old path, and only the ledger knows that it is its
    let renamed = || {
        let mut site = Site::bare();
        site.put(
            "tidings.toml",
            "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n",
        );
        site.put("articles/first.md", "---\ntitle: First\n---\nText.\n");
        assert_eq!(site.build(&[]).code, 0);
        site.now += 3_600;
        site.rename("articles/first.md", "articles/second.md");
        assert_eq!(site.build(&[]).code, 0);
        // one line only
        let ledger = site.read("ledger.jsonl");
        let lines: Vec<&str> = ledger
            .lines()
            .filter(|line| !line.contains("\"path\":\"first.md\""))
            .collect();
        site.write("ledger.jsonl", lines.join("\n") + "\n");
        site
    };
    let site = renamed();
    let ledger = site.read("ledger.jsonl");
    let line = ledger
        .lines()
        .find(|line| line.contains("second.md"))
        .unwrap();
    let value = |key: &str| {
        let start = line.find(&format!("\"{key}\":\"")).unwrap() + key.len() + 4;
        line[start..].split('"').next().unwrap()
    };
    let before = entries(&site);
    let (id, digest, seen) = (value("id"), value("digest"), value("seen"));
    assert!(id.ends_with("/first"), "{id}");
    let other = |text: &str| format!("{}X", &text[..text.len() - 1]);
    for (from, to) in [
        (digest.to_owned(), other(digest)),
        (id.to_owned(), other(id)),
        ("second.md".to_owned(), "sekond.md".to_owned()),
        (seen.to_owned(), seen.replace("2026", "2025")),
        (
            "\"title\":\"First\"".to_owned(),
            "\"title\":\"Fjrst\"".to_owned(),
        ),
        (
            "\"undated\":true".to_owned(),
            "\"undated\":false".to_owned(),
        ),
    ] {
        let mut site = renamed();
        damage(&site, "\"path\":\"second.md\"", &from, &to);
        for _ in 0..3 {
            let run = site.build(&[]);
            assert!([0, 3].contains(&run.code), "{to}: {}", run.stderr);
            assert_eq!(
                entries(&site),
                before,
                "{to}: {}\n{}",
                run.stderr,
                site.read("ledger.jsonl")
            );
            site.now += 60;
        }
        let healed = site.read("ledger.jsonl");
        assert!(
            healed.contains(&format!("\"digest\":\"{digest}\"")),
            "{to}: {healed}"
        );
        assert!(healed.contains("\"path\":\"second.md\""), "{to}: {healed}");
        // the article is still known under its name: a rename is a rename, and an edit is an edit
        site.rename("articles/second.md", "articles/third.md");
        let run = site.build(&[]);
        assert_eq!(run.code, 0, "{to}: {}", run.stderr);
        assert_eq!(entries(&site), before, "{to}: {}", run.stderr);
    }
}

#[test]
fn a_damaged_name_of_a_feed_is_that_of_its_documents() {
    let untitled = || {
        let site = Site::bare();
        site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
        site.article("a.md", "A", "Text.");
        assert_eq!(site.build(&[]).code, 0);
        site
    };
    let site = untitled();
    let name = site
        .home()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        site.read("feeds/rss.xml")
            .contains(&format!("<title>{name}</title>"))
    );
    let damaged = format!("{}_", &name[..name.len() - 1]);
    damage(
        &site,
        "{\"feed\":\"\"",
        &format!("\"title\":\"{name}\""),
        &format!("\"title\":\"{damaged}\""),
    );
    for _ in 0..2 {
        let run = site.build(&[]);
        assert!([0, 3].contains(&run.code), "{}", run.stderr);
        for document in ["feeds/rss.xml", "feeds/atom.xml", "feeds/feed.json"] {
            let text = site.read(document);
            assert!(text.contains(&name) && !text.contains(&damaged), "{text}");
        }
    }
    assert!(
        site.read("ledger.jsonl")
            .contains(&format!("\"title\":\"{name}\""))
    );

    // other spaces, and another order of keys, are the same values; a folder with another name changes nothing
    let site = untitled();
    let name = site
        .home()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let ledger = site.read("ledger.jsonl");
    let line = ledger
        .lines()
        .rfind(|line| line.starts_with("{\"feed\":\"\""))
        .unwrap();
    let spaced = line
        .replace("\",\"", "\", \"")
        .replace("{\"feed\":\"\", ", "{ ")
        .replace('}', ", \"feed\" : \"\" }");
    site.write("ledger.jsonl", ledger.replace(line, &spaced));
    let clone = copy_of(&site);
    let run = clone.build(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        clone
            .read("feeds/rss.xml")
            .contains(&format!("<title>{name}</title>"))
    );
}

#[test]
fn a_ledger_that_cannot_be_read_names_no_feed_anew() {
    let site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.article("a.md", "A", "Text.");
    assert_eq!(site.build(&[]).code, 0);
    let before = site.read("feeds/rss.xml");
    site.rename("ledger.jsonl", "aside");
    symlink(site.path("ledger.jsonl"), site.path("ledger.jsonl")).unwrap();
    let run = site.build(&[]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(
        run.stderr.contains("ledger.jsonl: cannot be read"),
        "{}",
        run.stderr
    );
    assert_eq!(site.read("feeds/rss.xml"), before);
}

#[test]
fn a_ledger_that_is_older_than_the_feeds_changes_no_date_and_no_feed() {
    // what is lost: the line of the feed, cut off or altogether; the last update; all since a backup
    for lost in ["torn", "feed", "update", "backup"] {
        let mut site = site();
        let backup = site.read("ledger.jsonl");
        site.now += 3_600;
        site.put(
            "articles/day.md",
            "---\ntitle: Day\ndate: 2026-05-02\n---\nAnother text.\n",
        );
        assert_eq!(site.build(&[]).code, 0);
        let before = entries(&site);
        let ledger = site.read("ledger.jsonl");
        let without = |part: &str| {
            let lines = ledger.lines().filter(|line| !line.contains(part));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        site.write(
            "ledger.jsonl",
            match lost {
                "torn" => ledger[..ledger.len() - 3].to_owned(),
                "feed" => without("{\"feed\":\"\""),
                "update" => without("\"path\":\"day.md\"") + &backup,
                _ => backup,
            },
        );
        for _ in 0..2 {
            site.now += 3_600;
            let run = site.build(&[]);
            assert!([0, 3].contains(&run.code), "{lost}: {}", run.stderr);
            assert_eq!(entries(&site), before, "{lost}: {}", run.stderr);
            assert!(
                !run.stderr.contains("nothing that was published depends"),
                "{lost}: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_line_that_is_no_json_any_more_tells_what_can_be_read() {
    let mut site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n[defaults]\nlimit = 1\n",
    );
    site.put("articles/old.md", "---\ntitle: Old\n---\nText.\n");
    assert_eq!(site.build(&[]).code, 0);
    site.now += 3_600;
    site.put("articles/new.md", "---\ntitle: New\n---\nText.\n");
    let file = std::fs::File::options()
        .append(true)
        .open(site.path("articles/new.md"));
    let hour = std::time::Duration::from_secs(u64::try_from(site.now).unwrap());
    file.unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH + hour)
        .unwrap();
    site.build(&[]);
    let before = entries(&site);
    // of what no feed shows the ledger alone knows the date; a clone gives every file another
    for (from, to) in [
        ("\"seen\":", "\"seen\";"),
        ("\"digest\":\"", "\"digest\":r"),
        ("{\"path\"", "{#path\""),
    ] {
        let site = copy_of(&site);
        damage(&site, "\"title\":\"Old\"", from, to);
        site.put("articles/old.md", "---\ntitle: Old\n---\nText.\n");
        for _ in 0..2 {
            let run = site.build(&[]);
            assert!([0, 3].contains(&run.code), "{to}: {}", run.stderr);
            assert_eq!(entries(&site), before, "{to}: {}", run.stderr);
        }
    }
}

#[test]
fn a_link_to_the_ledger_stays_one() {
    let site = site();
    std::fs::create_dir(site.path("kept")).unwrap();
    site.rename("ledger.jsonl", "kept/ledger.jsonl");
    symlink("kept/ledger.jsonl", site.path("ledger.jsonl")).unwrap();
    // marks of a merge make it be written anew
    let ledger = site.read("ledger.jsonl");
    site.write(
        "ledger.jsonl",
        format!("<<<<<<< a\n{ledger}=======\n>>>>>>> b\n"),
    );
    site.article("new.md", "New", "Text.");
    assert_eq!(site.build(&[]).code, 0);
    assert!(site.path("ledger.jsonl").is_symlink());
    let ledger = site.read("kept/ledger.jsonl");
    assert!(
        ledger.contains("\"path\":\"new.md\"") && !ledger.contains("<<<<"),
        "{ledger}"
    );
}

#[test]
fn a_state_that_cannot_be_read_is_said_and_stops_nothing() {
    let site = site();
    let before = entries(&site);
    site.rename(".tidings/state.json", ".tidings/aside");
    symlink("state.json", site.path(".tidings/state.json")).unwrap();
    site.article("new.md", "New", "Text.");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("warning: .tidings/state.json: cannot be read"),
        "{}",
        run.stderr
    );
    let after = entries(&site);
    assert!(before[2].keys().all(|id| after[2].contains_key(id)));
    assert!(after[2].len() > before[2].len());
}
