//! Media that are being copied: nobody gets half of one, who shows it waits, and nobody else does.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::common::server::{Server, until};
use crate::common::tool::is_installed;
use crate::common::{Run, Site};

const TALK: &str = "---\ntitle: Talk\ndate: 2026-05-01\naudio: talk.mp3\n---\nListen.\n";

fn site() -> Site {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n[serve]\nlog = \"off\"\nscan = \"1 hour\"\n",
    );
    site.article("other.md", "Other", "Text.");
    site
}

/// Titles, each with the length of what it plays.
fn entries(feed: &str) -> Vec<(String, Option<u64>)> {
    let feed: Value = serde_json::from_str(feed).unwrap();
    let items = feed["items"].as_array().unwrap().iter();
    let mut entries: Vec<_> = items
        .map(|item| {
            let length = item["attachments"][0]["size_in_bytes"].as_u64();
            (item["title"].as_str().unwrap().to_owned(), length)
        })
        .collect();
    entries.sort();
    entries
}

fn published(site: &Site) -> Vec<(String, Option<u64>)> {
    entries(&site.read("feeds/feed.json"))
}

fn entry(title: &str, length: Option<u64>) -> (String, Option<u64>) {
    (title.to_owned(), length)
}

/// Builds while somebody appends to a file.
fn build_while_it_grows(site: &Site, path: &str) -> Run {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(site.path(path))
        .unwrap();
    file.write_all(b"ID3").unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                file.write_all(&[0; 64]).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let run = site.build(&[]);
        is_over.store(true, Ordering::Relaxed);
        run
    })
}

/// What happens from then on is heard: the first edit may be found when the server starts, and the second by a look after
/// that.
fn wait_until_it_hears(site: &Site, server: &Server) {
    for title in ["One", "Two", "Three"] {
        site.write(
            "articles/heard.md",
            format!("---\ntitle: {title}\ndate: 2026-05-02\n---\nText.\n"),
        );
        until("it hears", || {
            entries(&server.body("/feed.json")).contains(&entry(title, None))
        });
    }
}

/// Makes a file as old as a copy that ended an hour ago.
fn age(site: &Site, path: &str) {
    let file = File::options().append(true).open(site.path(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(1))
        .unwrap();
}

#[test]
fn a_build_leaves_an_article_whose_file_grows_to_the_next_run() {
    for (article, file) in [
        (TALK, "talk.mp3"),
        (
            "---\ntitle: Talk\ndate: 2026-05-01\n---\n![](img/my%20boat.png)\n",
            "img/my boat.png",
        ),
        (
            "---\ntitle: Talk\ndate: 2026-05-01\n---\n![boat][b]\n\n[b]: img/boat.png\n",
            "img/boat.png",
        ),
        (
            "---\ntitle: Talk\ndate: 2026-05-01\nimage: img/Gr%C3%BC%C3%9Fe.png\n---\nText.\n",
            "img/Grüße.png",
        ),
        (
            "<title>Talk</title><time datetime=\"2026-05-01\"></time><video src=\"/film.mp4\"></video>",
            "film.mp4",
        ),
    ] {
        let site = site();
        let name = if article.starts_with('<') {
            "talk.html"
        } else {
            "talk.md"
        };
        site.put("articles/img/.keep", "");
        site.put(&format!("articles/{name}"), article);
        let began = Instant::now();
        let run = build_while_it_grows(&site, &format!("articles/{file}"));
        assert!(began.elapsed() < Duration::from_secs(20), "{file}");
        assert_eq!(run.code, 0, "{file}: {}", run.stderr);
        assert!(
            run.stderr.contains(&format!(
                "{name}: is held back: `{file}`, which it shows, is being copied"
            )),
            "{file}: {}",
            run.stderr
        );
        assert_eq!(published(&site), [entry("Other", None)], "{file}");
        assert!(
            !site.path(&format!("feeds/articles/{file}")).exists(),
            "{file}"
        );
        age(&site, &format!("articles/{file}"));
        let run = site.build_well();
        assert!(run.stdout.starts_with("1 new"), "{file}: {}", run.stdout);
        assert_eq!(published(&site).len(), 2, "{file}");
        let whole = std::fs::read(site.path(&format!("articles/{file}"))).unwrap();
        let copy = site.path(&format!("feeds/articles/{file}"));
        let copy =
            std::fs::read(&copy).unwrap_or_else(|error| panic!("{}: {error}", copy.display()));
        assert_eq!(copy, whole, "{file}");
    }
}

#[test]
fn what_is_public_stays_as_it_is_while_its_file_is_replaced() {
    let site = site();
    site.put("articles/talk.mp3", b"ID3 old");
    site.put("articles/talk.md", TALK);
    site.build_well();
    let before =
        ["rss.xml", "atom.xml", "feed.json"].map(|file| site.read(&format!("feeds/{file}")));
    // the article as it was, and one that was edited meanwhile
    for edit in ["", "And more.\n"] {
        site.put("articles/talk.md", format!("{TALK}{edit}"));
        let run = build_while_it_grows(&site, "articles/talk.mp3");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let now =
            ["rss.xml", "atom.xml", "feed.json"].map(|file| site.read(&format!("feeds/{file}")));
        assert_eq!(now, before);
        assert_eq!(site.read("feeds/articles/talk.mp3"), "ID3 old");
    }
    age(&site, "articles/talk.mp3");
    site.build_well();
    let length = std::fs::metadata(site.path("articles/talk.mp3"))
        .unwrap()
        .len();
    assert_eq!(
        published(&site),
        [entry("Other", None), entry("Talk", Some(length))]
    );
    assert!(site.read("feeds/feed.json").contains("And more."));
}

#[test]
fn an_article_that_is_renamed_while_its_file_is_replaced_is_not_withdrawn() {
    let mut site = site();
    site.put("articles/talk.mp3", b"ID3 old");
    site.put("articles/talk.md", TALK);
    site.build_well();
    let id = |site: &Site| {
        let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
        let items = feed["items"].as_array().unwrap().iter();
        let mut talks = items.filter(|item| item["title"] == "Talk");
        talks
            .next()
            .map(|item| (item["id"].clone(), item["date_published"].clone()))
    };
    let before = id(&site);
    assert!(before.is_some());
    for lost in ["", ".tidings"] {
        if !lost.is_empty() {
            site.remove(lost);
            site.rename("articles/speech.md", "articles/talk.md");
        }
        site.rename("articles/talk.md", "articles/speech.md");
        site.now += 60;
        let run = build_while_it_grows(&site, "articles/talk.mp3");
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(id(&site), before, "{}", run.stderr);
        age(&site, "articles/talk.mp3");
        site.build(&[]);
        assert_eq!(id(&site), before);
    }
}

#[test]
fn a_draft_that_waits_is_a_draft() {
    let site = site();
    site.put(
        "articles/talk.md",
        "---\ntitle: Talk\ndate: 2026-05-01\n---\nListen.\n",
    );
    site.build_well();
    let secret = TALK.replace("Listen.", "The swordfish.");
    // beside the public article, and in its place
    for is_moved in [false, true] {
        site.put("articles/_drafts/talk.md", &secret);
        site.write("articles/_drafts/talk.mp3.part", "half");
        site.put("articles/drafts/_index.md", "---\ndraft: true\n---\n");
        site.put("articles/drafts/b.md", &secret);
        site.write("articles/drafts/talk.mp3.part", "half");
        site.put(
            "articles/later.md",
            secret.replace("2026-05-01", "2027-05-01"),
        );
        site.write("articles/talk.mp3.part", "half");
        if is_moved {
            site.remove("articles/talk.md");
        }
        let run = site.build(&[]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!run.stderr.contains("held back"), "{}", run.stderr);
        for file in ["rss.xml", "atom.xml", "feed.json"] {
            assert!(
                !site.read(&format!("feeds/{file}")).contains("swordfish"),
                "{file}"
            );
        }
    }
}

#[test]
fn an_article_that_is_renamed_and_edited_while_its_file_comes_keeps_its_last_version() {
    let site = site();
    site.put(
        "articles/talk.md",
        "---\ntitle: Talk\ndate: 2026-05-01\n---\nListen.\n",
    );
    site.build_well();
    site.remove("articles/talk.md");
    site.put(
        "articles/speech.md",
        TALK.replace("Listen.", "Another text."),
    );
    site.write("articles/talk.mp3.part", "half");
    let run = site.build(&[]);
    assert!(run.stderr.contains("is held back"), "{}", run.stderr);
    assert!(
        !run.stderr.contains("is not in the folder"),
        "{}",
        run.stderr
    );
    let feed = site.read("feeds/feed.json");
    assert!(
        feed.contains("Listen.") && !feed.contains("Another text."),
        "{feed}"
    );
    age(&site, "articles/talk.mp3.part");
    site.rename("articles/talk.mp3.part", "articles/talk.mp3");
    site.build_well();
    let feed = site.read("feeds/feed.json");
    assert!(
        feed.contains("Another text.") && feed.contains(":/talk\""),
        "{feed}"
    );
}

#[test]
fn a_clone_without_a_state_folder_keeps_what_is_public_while_its_file_is_replaced() {
    let site = site();
    site.put("articles/talk.mp3", b"ID3 old");
    site.put("articles/talk.md", TALK);
    site.build_well();
    let before = [
        "rss.xml",
        "atom.xml",
        "feed.json",
        "articles/talk/index.html",
    ]
    .map(|file| site.read(&format!("feeds/{file}")));
    site.remove(".tidings");
    build_while_it_grows(&site, "articles/talk.mp3");
    let after = [
        "rss.xml",
        "atom.xml",
        "feed.json",
        "articles/talk/index.html",
    ]
    .map(|file| site.read(&format!("feeds/{file}")));
    assert_eq!(after, before);
    assert_eq!(site.read("feeds/articles/talk.mp3"), "ID3 old");
    // the old one is gone, and the new one comes under another name
    site.remove(".tidings");
    site.remove("articles/talk.mp3");
    site.write("articles/.talk.mp3.Ab3dE9", "half");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        published(&site)[1],
        entry("Talk", Some(7)),
        "{}",
        run.stderr
    );
    // nor does an article that cannot be read lose its page
    site.remove(".tidings");
    site.put("articles/other.md", "---\ntitle: [broken\n---\n");
    site.build(&[]);
    assert!(
        site.read("feeds/articles/other/index.html")
            .contains("Text.")
    );
}

#[test]
fn an_old_copy_that_was_given_up_hides_no_new_one() {
    let site = site();
    site.put("articles/talk.md", TALK);
    for stale in [".talk.mp3.000000", ".talk.mp3.zzzzzz"] {
        site.write(&format!("articles/{stale}"), "old");
        age(&site, &format!("articles/{stale}"));
    }
    site.write("articles/.talk.mp3.AAAAAA", "new");
    let run = site.build(&[]);
    assert!(run.stderr.contains("is held back"), "{}", run.stderr);
}

#[test]
fn a_name_in_prose_is_no_reference() {
    let site = site();
    site.put(
        "articles/blog.md",
        "---\ntitle: Blog\ndate: 2026-05-01\n---\nMy blog, and `log`.\n",
    );
    let run = build_while_it_grows(&site, "articles/log");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(
        published(&site),
        [entry("Blog", None), entry("Other", None)]
    );
}

#[test]
fn a_copy_under_another_name_is_a_sign_until_it_is_given_up() {
    for temporary in [
        ".talk.mp3.Ab3dE9",
        "talk.mp3.part",
        ".syncthing.talk.mp3.tmp",
    ] {
        let site = site();
        site.put("articles/talk.md", TALK);
        let temporary = format!("articles/{temporary}");
        site.write(&temporary, b"ID3 half");
        let run = site.build(&[]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(
            run.stderr.contains("is held back: `talk.mp3`"),
            "{}",
            run.stderr
        );
        assert_eq!(published(&site), [entry("Other", None)]);
        // nobody writes it any more: the file is missing, and that is said
        age(&site, &temporary);
        let run = site.build(&[]);
        assert!(
            run.stderr.contains("`talk.mp3` is not in the folder"),
            "{}",
            run.stderr
        );
        assert_eq!(
            published(&site),
            [entry("Other", None), entry("Talk", None)]
        );
        // and when it comes after all, it is there
        site.write(&temporary, b"ID3 whole");
        age(&site, &temporary);
        site.rename(&temporary, "articles/talk.mp3");
        site.build_well();
        assert_eq!(
            published(&site),
            [entry("Other", None), entry("Talk", Some(9))]
        );
    }
}

#[test]
fn a_copy_that_ends_while_a_build_waits_is_published_by_it() {
    let site = site();
    site.put("articles/talk.md", TALK);
    site.write("articles/.talk.mp3.Ab3dE9", b"ID3 whole");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until("a build begins", || site.path(".tidings").exists());
            age(&site, "articles/.talk.mp3.Ab3dE9");
            site.rename("articles/.talk.mp3.Ab3dE9", "articles/talk.mp3");
        });
        site.build_well();
    });
    assert_eq!(
        published(&site),
        [entry("Other", None), entry("Talk", Some(9))]
    );
}

#[test]
fn a_file_that_no_article_shows_keeps_nobody_waiting() {
    let site = site();
    let run = build_while_it_grows(&site, "articles/unused.bin");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(published(&site), [entry("Other", None)]);
}

#[test]
fn a_server_publishes_an_article_when_its_file_is_closed() {
    let site = site();
    let server = Server::start(&site);
    let feed = || entries(&server.body("/feed.json"));
    wait_until_it_hears(&site, &server);
    let mut file = File::create(site.path("articles/talk.mp3")).unwrap();
    file.write_all(b"ID3").unwrap();
    site.write("articles/talk.md", TALK);
    site.write(
        "articles/more.md",
        "---\ntitle: More\ndate: 2026-05-02\n---\nText.\n",
    );
    until("others are served", || {
        feed().contains(&entry("More", None))
    });
    until("it is said that one waits", || {
        server.told().contains("talk.md: is held back: `talk.mp3`")
    });
    file.write_all(b" and the rest").unwrap();
    site.write(
        "articles/last.md",
        "---\ntitle: Last\ndate: 2026-05-02\n---\nText.\n",
    );
    until("others are served", || {
        feed().contains(&entry("Last", None))
    });
    assert!(!feed().iter().any(|(title, _)| title == "Talk"));
    let closed = Instant::now();
    drop(file);
    until("the article is served", || {
        feed().contains(&entry("Talk", Some(16)))
    });
    assert!(
        closed.elapsed() < Duration::from_secs(8),
        "the end of the copy was not heard"
    );
    assert_eq!(server.body("/articles/talk.mp3"), "ID3 and the rest");
}

#[test]
fn a_server_waits_no_longer_than_ten_seconds_after_the_last_sign() {
    let site = site();
    let server = Server::start(&site);
    let feed = || entries(&server.body("/feed.json"));
    wait_until_it_hears(&site, &server);
    let mut file = File::create(site.path("articles/talk.mp3")).unwrap();
    file.write_all(b"ID3").unwrap();
    let last_sign = Instant::now();
    site.write("articles/talk.md", TALK);
    until("the article is served", || {
        feed().contains(&entry("Talk", Some(3)))
    });
    let waited = last_sign.elapsed();
    assert!(waited > Duration::from_secs(8), "{waited:?}");
    drop(file);
}

#[test]
fn a_server_shows_nothing_of_a_copy_by_rsync_before_it_is_whole() {
    if !is_installed("rsync") {
        return;
    }
    let site = site();
    let length = 600_000;
    site.put("from/talk.mp3", vec![b'x'; length]);
    let server = Server::start(&site);
    let feed = || entries(&server.body("/feed.json"));
    for options in [&["-a"][..], &["-rt", "--inplace"]] {
        let mut rsync = Command::new("rsync")
            .args(options)
            // three seconds
            .args(["--bwlimit=200", "--whole-file", "from/", "articles/"])
            .current_dir(site.home())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // before the first sign of a copy nobody can know of it
        until("the copy begins", || {
            let mut files = std::fs::read_dir(site.path("articles")).unwrap();
            files.any(|file| {
                let name = file.unwrap().file_name();
                name.to_string_lossy().contains("talk.mp3")
            })
        });
        site.write("articles/talk.md", TALK);
        until("the article is served", || {
            let talk = feed().into_iter().find(|(title, _)| title == "Talk");
            assert!(
                talk.as_ref()
                    .is_none_or(|(_, size)| *size == Some(length as u64)),
                "{options:?}: {talk:?}"
            );
            talk.is_some()
        });
        assert!(rsync.wait().unwrap().success());
        assert_eq!(server.body("/articles/talk.mp3").len(), length);
        site.remove("articles/talk.md");
        site.remove("articles/talk.mp3");
        until("it is gone", || feed() == [entry("Other", None)]);
    }
}
