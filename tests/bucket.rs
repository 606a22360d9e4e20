//! Feeds in a bucket: the real program, several of it, and a real S3 store (`SeaweedFS`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may fail"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::seaweed::{self, Way};
use common::server::{Server, field, until};
use common::{Run, Site};

/// A prefix of its own for each test; none without a store: the test is skipped.
fn prefix() -> Option<String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    seaweed::is_installed().then(|| format!("{}-{number}/site", std::process::id()))
}

/// A machine with articles that publishes to `prefix`, by the way that ends at `endpoint`.
fn machine(prefix: &str, endpoint: &str) -> Site {
    let mut site = Site::bare();
    site.put(
        "tidings.toml",
        format!(
            "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\nfeeds = \"s3://feeds/{prefix}\"\n[serve]\nlog = \"off\"\n"
        ),
    );
    site.variables = seaweed::variables(endpoint);
    site
}

fn build(site: &Site) -> Run {
    let run = site.build(&["--wait", "30"]);
    assert_eq!((run.code, faults(&run.stderr).as_str()), (0, ""), "{run:?}");
    run
}

/// What was said, but that an article has no date: that is meant here.
fn faults(told: &str) -> String {
    let lines = told.lines().filter(|line| !line.contains("has no date"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A machine without articles that serves what is published to `prefix`.
fn replica(prefix: &str, endpoint: &str) -> (Site, Server) {
    let mut site = Site::bare();
    site.remove("articles");
    site.variables = seaweed::variables(endpoint);
    let server = again(&site, prefix);
    (site, server)
}

fn again(site: &Site, prefix: &str) -> Server {
    let from = format!("s3://feeds/{prefix}");
    Server::with(site, &["--listen", "127.0.0.1:0", "--from", &from])
}

/// The manifest in the bucket: its edition, and the hash of each document by its route.
fn manifest(prefix: &str) -> (u64, BTreeMap<String, String>) {
    let (_, text) = seaweed::get(&format!("{prefix}/manifest.json"));
    parsed(text.as_bytes())
}

fn parsed(manifest: &[u8]) -> (u64, BTreeMap<String, String>) {
    let json: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    let documents = json["documents"].as_object().unwrap().iter();
    let documents = documents.map(|(route, published)| {
        let hash = published["hash"].as_str().unwrap();
        (route.clone(), hash.to_owned())
    });
    (
        json["row"]["edition"].as_u64().unwrap(),
        documents.collect(),
    )
}

/// What is not whole in the bucket: each document's blob and public key are to have the bytes that the manifest names, and
/// there are to be no other public keys.
fn flaw(prefix: &str) -> Option<String> {
    let objects = seaweed::dump(prefix);
    let (_, documents) = parsed(&objects["manifest.json"]);
    let is_own = |key: &String| {
        key == "manifest.json" || key.starts_with("blobs/") || key.starts_with("ledger/")
    };
    let public: BTreeSet<&String> = objects.keys().filter(|key| !is_own(key)).collect();
    if public != documents.keys().collect() {
        return Some(format!("{public:?} instead of {documents:?}"));
    }
    for (route, hash) in &documents {
        for key in [route.clone(), format!("blobs/{hash}")] {
            let body = objects.get(&key).map(|body| blake3::hash(body).to_hex());
            if body.is_none_or(|body| body.as_str() != hash) {
                return Some(format!("{key} is not {hash}"));
            }
        }
    }
    None
}

fn is_whole(prefix: &str) {
    assert_eq!(flaw(prefix), None);
}

/// The ids in the bucket's ledger, by the paths of their articles.
fn ids(prefix: &str) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let objects = seaweed::dump(prefix);
    let segments = objects.iter().filter(|(key, _)| key.starts_with("ledger/"));
    for (_, text) in segments {
        for line in std::str::from_utf8(text).unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            if let (Some(id), Some(path)) = (record["id"].as_str(), record["path"].as_str()) {
                let before = ids.insert(path.to_owned(), id.to_owned());
                assert!(
                    before.is_none_or(|before| before == id),
                    "{path} has another id: {id}"
                );
            }
        }
    }
    ids
}

#[test]
fn what_is_published_to_a_bucket_is_ready_for_anybody() {
    let Some(prefix) = prefix() else { return };
    let way = Way::new();
    let site = machine(&prefix, &way.endpoint());
    site.article("a.md", "First", "the first text");
    site.put("articles/a.png", b"not really a picture");
    build(&site);
    is_whole(&prefix);
    for (route, media) in [
        ("rss.xml", "application/rss+xml; charset=utf-8"),
        ("atom.xml", "application/atom+xml; charset=utf-8"),
        ("feed.json", "application/feed+json; charset=utf-8"),
        ("feeds.opml", "text/x-opml; charset=utf-8"),
    ] {
        let (head, body) = seaweed::get(&format!("{prefix}/{route}"));
        assert_eq!(field(&head, "content-type"), media);
        assert!(
            field(&head, "cache-control").starts_with("public, max-age=1800, "),
            "{head}"
        );
        assert_eq!(body, site.read(&format!(".tidings/mirror/{route}")));
    }
    let (head, _) = seaweed::get(&format!("{prefix}/manifest.json"));
    assert_eq!(field(&head, "cache-control"), "no-cache");
    // nothing changed, nothing is put
    let puts = way.puts();
    build(&site);
    assert_eq!(way.puts(), puts);
    // one edit: what changed, as a blob and at its key, the manifest and a segment of the ledger
    site.article("a.md", "First", "another text");
    build(&site);
    assert_eq!(way.puts() - puts, 2 * 3 + 1 + 1);
    is_whole(&prefix);
    // withdrawn and gone: its page is not there for anybody
    site.remove("articles/a.md");
    site.article("b.md", "Second", "text");
    build(&site);
    is_whole(&prefix);
}

#[test]
fn another_machine_goes_on_with_nothing_but_the_articles_and_the_bucket() {
    let Some(prefix) = prefix() else { return };
    let mut one = machine(&prefix, seaweed::endpoint());
    let mut other = machine(&prefix, seaweed::endpoint());
    for site in [&one, &other] {
        // without a date: it is when it was first seen
        site.put("articles/a.md", "# Undated\n\nText.\n");
        site.article("b.md", "Dated", "Text.");
    }
    build(&one);
    let before = manifest(&prefix);
    let known = ids(&prefix);
    other.now += 86_400;
    let run = build(&other);
    assert_eq!(run.stdout, "", "nothing is new there");
    assert_eq!(manifest(&prefix), before);
    assert_eq!(other.read("ledger.jsonl"), one.read("ledger.jsonl"));
    for route in before.1.keys() {
        let place = format!(".tidings/mirror/{route}");
        assert_eq!(one.read(&place), other.read(&place));
    }
    // each goes on from what the other did, by one clock
    one.now = other.now;
    for (site, name) in [(&other, "c"), (&one, "d"), (&other, "e")] {
        for site in [&one, &other] {
            site.article(&format!("{name}.md"), name, "Text.");
        }
        let run = build(site);
        assert!(
            run.stdout.starts_with("1 new, 0 updated, 0 withdrawn"),
            "{run:?}"
        );
    }
    let after = ids(&prefix);
    assert_eq!(after.len(), 5);
    assert!(known.iter().all(|(path, id)| after.get(path) == Some(id)));
    is_whole(&prefix);
}

#[test]
fn a_ledger_that_was_there_before_the_bucket_is_its_beginning() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    site.put("articles/a.md", "# Undated\n\nText.\n");
    let settings = site.read("tidings.toml");
    let run = site.build(&["--feeds", "feeds"]);
    assert_eq!(run.code, 0, "{run:?}");
    let known = site.read("ledger.jsonl");
    site.put("tidings.toml", &settings);
    site.put("articles/a.md", "# Undated\n\nAnother text.\n");
    let run = build(&site);
    assert!(run.stdout.starts_with("0 new, 1 updated"), "{run:?}");
    let id = |text: &str| {
        text.split("\"id\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(ids(&prefix)["a.md"], id(&known));
    // one that says other things than the bucket is put aside, and told
    let other = machine(&prefix, seaweed::endpoint());
    other.put("articles/a.md", "# Undated\n\nAnother text.\n");
    other.put(
        "ledger.jsonl",
        known.replace(&id(&known), "tag:example.org,2000:other"),
    );
    let run = other.build(&[]);
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("`.tidings/ledger.aside-"), "{run:?}");
    assert_eq!(ids(&prefix)["a.md"], id(&known));
}

#[test]
fn of_two_publishers_at_once_one_is_first_and_the_other_goes_on() {
    let Some(prefix) = prefix() else { return };
    let machines = [
        machine(&prefix, seaweed::endpoint()),
        machine(&prefix, seaweed::endpoint()),
    ];
    for round in 0..12 {
        for site in &machines {
            site.put(
                &format!("articles/n{round}.md"),
                format!("# Number {round}\n\nText.\n"),
            );
            site.article("edited.md", "Edited", &format!("text {round}."));
        }
        let runs = machines.each_ref().map(|site| {
            let mut command = site.command(&[]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
        for run in runs {
            let output = run.wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                (output.status.code(), faults(&told).as_str()),
                (Some(0), "")
            );
        }
        let [one, other] = machines
            .each_ref()
            .map(|site| site.read(".tidings/mirror/tidings.json"));
        let (_, there) = seaweed::get(&format!("{prefix}/manifest.json"));
        // who came second has either gone on from the first, or found nothing to do
        assert!(one == there || other == there);
        is_whole(&prefix);
        assert_eq!(ids(&prefix).len(), round + 2);
    }
    for site in &machines {
        build(site);
    }
    assert_eq!(
        machines[0].read("ledger.jsonl"),
        machines[1].read("ledger.jsonl")
    );
}

#[test]
fn a_publisher_that_dies_anywhere_leaves_what_another_goes_on_with() {
    let Some(prefix) = prefix() else { return };
    let victim = Arc::new(AtomicU32::new(0));
    let at = Arc::new(AtomicUsize::new(usize::MAX));
    let way = {
        let (victim, at) = (Arc::clone(&victim), Arc::clone(&at));
        Way::watched(move |number| {
            if number == at.load(Ordering::SeqCst) {
                let id = victim.load(Ordering::SeqCst).to_string();
                let killed = Command::new("kill").args(["-9", &id]).status();
                assert!(killed.unwrap().success());
            }
        })
    };
    let one = machine(&prefix, &way.endpoint());
    let other = machine(&prefix, seaweed::endpoint());
    let both = |name: &str, text: &str| {
        for site in [&one, &other] {
            site.put(
                &format!("articles/{name}.md"),
                format!("# {name}\n\n{text}\n"),
            );
        }
    };
    both("start", "x");
    build(&one);
    let mut known = ids(&prefix);
    let mut deaths = 0;
    // 3 documents as blobs and keys, the segment, the manifest: eight puts, and one more for good measure
    for number in 1..=9 {
        both(&format!("n{number}"), "text");
        both("start", &format!("text {number}."));
        at.store(way.puts() + number, Ordering::SeqCst);
        let mut run = one
            .command(&[])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        victim.store(run.id(), Ordering::SeqCst);
        deaths += usize::from(!run.wait().unwrap().success());
        at.store(usize::MAX, Ordering::SeqCst);
        // the next one may be another machine
        build(if number % 2 == 0 { &other } else { &one });
        is_whole(&prefix);
        let now = ids(&prefix);
        assert!(known.iter().all(|(path, id)| now.get(path) == Some(id)));
        assert_eq!(now.len(), number + 1);
        known = now;
        let (_, rss) = seaweed::get(&format!("{prefix}/rss.xml"));
        assert!(rss.contains(&format!("text {number}.")));
    }
    assert!(deaths >= 8, "{deaths}");
}

#[test]
fn replicas_serve_the_same_as_the_publisher_and_follow_it() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    let settings = site
        .read("tidings.toml")
        .replace("permalink = \"/:slug/\"\n", "");
    site.put("tidings.toml", format!("{settings}fresh = \"10 minutes\"\nmoved = {{ \"/old.xml\" = \"/rss.xml\" }}\n[[feed]]\nname = \"rust\"\ntags = [\"rust\"]\n"));
    site.article("a.md", "First", "the first text ![](a.png)");
    site.put("articles/a.png", b"not really a picture");
    let publisher = Server::start(&site);
    let (_one_home, one) = replica(&prefix, seaweed::endpoint());
    let (_other_home, other) = replica(&prefix, seaweed::endpoint());
    let targets = [
        "/rss.xml",
        "/atom.xml",
        "/feed.json",
        "/feeds.opml",
        "/",
        "/preview/",
        "/rust/rss.xml",
        "/rust/preview/",
        "/articles/a/",
        "/articles/a.png",
        "/tidings.css",
        "/old.xml",
        "/nothing",
    ];
    let heads = |server: &Server| {
        targets.map(|target| {
            let (status, head, body) = server.get(target, "");
            let fields = [
                "etag",
                "last-modified",
                "cache-control",
                "link",
                "content-type",
                "location",
            ];
            (
                target,
                status,
                fields.map(|name| field(&head, name).to_owned()),
                body,
            )
        })
    };
    for text in ["the first text", "another text", "a third text"] {
        site.article("a.md", "First", &format!("{text} ![](a.png)"));
        for server in [&publisher, &one, &other] {
            until("it is served", || server.body("/rss.xml").contains(text));
            // its own pages come right after
            until("so is the index", || {
                server.body("/articles/a/").contains(text)
            });
        }
        // a validator's date is due after a second at most
        until("they agree", || {
            heads(&one) == heads(&other) && heads(&one) == heads(&publisher)
        });
        let answers = heads(&one);
        for (target, status, fields, _) in &answers[..11] {
            assert_eq!(*status, 200, "{target}");
            assert!(
                !fields[0].is_empty() && !fields[1].is_empty(),
                "{target}: {fields:?}"
            );
        }
        assert_eq!((answers[11].1, answers[12].1), (301, 404));
        assert!(answers[0].2[2].contains("max-age=600"), "{:?}", answers[0]);
    }
    // who has it from one is told 304 by the other, by the tag or by the date
    let (_, head, _) = one.get("/rss.xml", "");
    let tag = format!("If-None-Match: {}\r\n", field(&head, "etag"));
    assert_eq!(other.get("/rss.xml", &tag).0, 304);
    // a date counts when its second is over
    until("the date is due", || {
        let (_, head, _) = one.get("/rss.xml", "");
        let date = format!("If-Modified-Since: {}\r\n", field(&head, "last-modified"));
        other.get("/rss.xml", &date).0 == 304
    });
}

#[test]
fn a_replica_outlives_its_store() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    site.article("a.md", "First", "the first text");
    build(&site);
    let way = Way::new();
    let (home, server) = replica(&prefix, &way.endpoint());
    let (_, before, _) = server.get("/rss.xml", "");
    way.cut();
    until("the outage is told", || {
        server.told().contains("is served until")
    });
    assert_eq!(server.get("/rss.xml", "").0, 200);
    assert_eq!(server.get("/readyz", "").0, 200);
    // a restart, too
    drop(server);
    let server = again(&home, &prefix);
    let (status, head, _) = server.get("/rss.xml", "");
    assert_eq!(
        (status, field(&head, "etag")),
        (200, field(&before, "etag"))
    );
    site.article("a.md", "First", "another text");
    build(&site);
    way.mend();
    until("it follows again", || {
        server.body("/rss.xml").contains("another text")
    });
}

#[test]
fn a_store_that_is_down_costs_no_work_and_is_told() {
    let Some(prefix) = prefix() else { return };
    let way = Way::new();
    let site = machine(&prefix, &way.endpoint());
    site.article("a.md", "First", "the first text");
    build(&site);
    site.article("a.md", "First", "another text");
    way.cut();
    let began = Instant::now();
    let run = site.build(&[]);
    let took = began.elapsed();
    assert_eq!(run.code, 5, "{run:?}");
    assert!(
        run.stderr.contains("manifest.json") && run.stderr.contains("nothing was published"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("secret"), "{run:?}");
    assert!(took < Duration::from_secs(40), "{took:?}");
    // a server goes on with what it has, and publishes when it can
    let server = Server::start(&site);
    assert!(server.body("/rss.xml").contains("the first text"));
    until("the outage is told", || {
        server.told().contains("nothing was published")
    });
    way.mend();
    until("it is published", || {
        server.body("/rss.xml").contains("another text")
    });
    until("all of it", || flaw(&prefix).is_none());
}

#[test]
fn two_servers_publish_to_one_bucket_and_both_serve_what_it_holds() {
    let Some(prefix) = prefix() else { return };
    let machines = [
        machine(&prefix, seaweed::endpoint()),
        machine(&prefix, seaweed::endpoint()),
    ];
    for site in &machines {
        site.article("a.md", "First", "the first text");
    }
    let servers = machines.each_ref().map(Server::start);
    for round in 0..5 {
        let text = format!("text {round}.");
        for site in &machines {
            site.article("a.md", "First", &text);
            site.article(&format!("n{round}.md"), &format!("n{round}"), "x");
        }
        for server in &servers {
            until("both serve it", || {
                let body = server.body("/rss.xml");
                body.contains(&text) && body.contains(&format!("n{round}"))
            });
        }
        until("they agree with each other", || {
            servers[0].get("/rss.xml", "").1 == servers[1].get("/rss.xml", "").1
        });
        until("the bucket has it", || flaw(&prefix).is_none());
    }
    let told = servers.each_ref().map(Server::told);
    assert!(
        told.iter()
            .all(|told| !told.contains("WARN") && !told.contains("ERROR")),
        "{told:?}"
    );
    assert_eq!(ids(&prefix).len(), 6);
}

#[test]
fn no_validator_goes_back_on_a_replica_through_changes() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    site.article("a.md", "First", "text 0.");
    build(&site);
    let (_home, server) = replica(&prefix, seaweed::endpoint());
    let seen = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (server, seen, over) = (&server, &seen, &over);
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let (_, _, body) = server.get("/rss.xml", "");
                let number = body
                    .split("text ")
                    .nth(1)
                    .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
                seen.lock().unwrap().push(number.unwrap());
            }
        });
        for round in 1..=5 {
            site.article("a.md", "First", &format!("text {round}."));
            build(&site);
            until("it is served", || {
                server.body("/rss.xml").contains(&format!("text {round}."))
            });
        }
        over.store(true, Ordering::SeqCst);
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&5), "{seen:?}");
}

#[test]
fn a_bucket_without_anything_or_without_access_is_told_with_a_remedy() {
    let Some(prefix) = prefix() else { return };
    let mut site = Site::bare();
    site.variables = seaweed::variables(seaweed::endpoint());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--from",
            &format!("s3://feeds/{prefix}"),
        ])
        .current_dir(site.home())
        .envs(site.variables.iter().cloned());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5));
    assert!(told.contains("nothing is published to"), "{told}");
    let mut site = machine(&prefix, seaweed::endpoint());
    site.article("a.md", "First", "x");
    for (name, value) in &mut site.variables {
        if name == "AWS_SECRET_ACCESS_KEY" {
            "not the right one".clone_into(value);
        }
    }
    let run = site.build(&[]);
    assert_eq!(run.code, 5);
    assert!(!run.stderr.contains("not the right one"), "{run:?}");
    for (name, value) in &mut site.variables {
        if name == "AWS_ENDPOINT_URL" {
            *value = value.replace("://", "://somebody:unspeakable@");
        }
    }
    let run = site.build(&[]);
    assert_eq!(run.code, 5);
    assert!(run.stderr.contains("has a user name in it"), "{run:?}");
    assert!(!run.stderr.contains("unspeakable"), "{run:?}");
    for (feeds, said) in [
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("ftp://bucket/x", "neither a folder nor a bucket"),
        ("s3://key:secret@bucket/x", "has a user name"),
        ("s3://bucket/x?y", "names no bucket"),
    ] {
        let site = Site::bare();
        site.put("tidings.toml", format!("feeds = \"{feeds}\"\n"));
        let run = site.build(&[]);
        assert_eq!(run.code, 2, "{feeds}: {run:?}");
        assert!(run.stderr.contains(said), "{feeds}: {run:?}");
    }
}

#[test]
fn a_site_that_moves_to_a_bucket_takes_all_its_ids_along() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    site.put("articles/old-name.md", "# Undated\n\nText.\n");
    let settings = site.read("tidings.toml");
    assert_eq!(site.build(&["--feeds", "feeds"]).code, 0);
    std::fs::rename(
        site.path("articles/old-name.md"),
        site.path("articles/new-name.md"),
    )
    .unwrap();
    assert_eq!(site.build(&["--feeds", "feeds"]).code, 0);
    let known = site.read("ledger.jsonl");
    site.put("tidings.toml", &settings);
    build(&site);
    assert_eq!(
        site.read("ledger.jsonl"),
        known,
        "the turn adds nothing to it"
    );
    let mut other = machine(&prefix, seaweed::endpoint());
    other.put("articles/new-name.md", "# Undated\n\nText.\n");
    other.now += 86_400;
    let before = manifest(&prefix);
    build(&other);
    assert_eq!(other.read("ledger.jsonl"), known);
    assert_eq!(manifest(&prefix), before);
}

#[test]
fn a_machine_that_takes_over_does_not_believe_an_empty_folder() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    for number in 0..14 {
        site.article(&format!("a{number}.md"), &format!("n{number}"), "Text.");
    }
    build(&site);
    let before = manifest(&prefix);
    let other = machine(&prefix, seaweed::endpoint());
    other.article("a0.md", "n0", "Text.");
    let run = other.build(&[]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(
        run.stderr.contains("held 14 files and holds 1 now"),
        "{run:?}"
    );
    assert_eq!(manifest(&prefix), before);
}

#[test]
fn settings_alone_reach_replicas_and_keys_have_the_names_that_are_asked_for() {
    let Some(prefix) = prefix() else { return };
    let site = machine(&prefix, seaweed::endpoint());
    let settings = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        format!("{settings}[defaults]\nby = [\"tag\"]\n"),
    );
    site.put(
        "articles/a.md",
        "---\ntitle: A\ndate: 2026-05-01\ntags: [日本語]\n---\nText.\n",
    );
    build(&site);
    let (_, rss) = seaweed::get(&format!("{prefix}/tags/日本語/rss.xml"));
    assert!(rss.contains("日本語"));
    let (_home, server) = replica(&prefix, seaweed::endpoint());
    assert_eq!(
        server
            .get("/tags/%E6%97%A5%E6%9C%AC%E8%AA%9E/rss.xml", "")
            .0,
        200
    );
    assert_eq!(server.get("/old.xml", "").0, 404);
    site.put(
        "tidings.toml",
        format!("{settings}fresh = \"5 minutes\"\nmoved = {{ \"/old.xml\" = \"/rss.xml\" }}\n[defaults]\nby = [\"tag\"]\n"),
    );
    build(&site);
    until("it is told", || server.get("/old.xml", "").0 == 301);
    let (head, _) = seaweed::get(&format!("{prefix}/feed.json"));
    assert!(
        field(&head, "cache-control").contains("max-age=300"),
        "{head}"
    );
    is_whole(&prefix);
}

#[test]
fn a_new_bucket_gets_everything_though_another_one_has_it() {
    let Some(one) = prefix() else { return };
    let other = prefix().unwrap();
    let site = machine(&one, seaweed::endpoint());
    site.article("a.md", "First", "the first text");
    build(&site);
    let (edition, _) = manifest(&one);
    let settings = site.read("tidings.toml");
    site.put("tidings.toml", settings.replace(&one, &other));
    build(&site);
    is_whole(&other);
    assert_eq!(ids(&other), ids(&one));
    let (_home, server) = replica(&other, seaweed::endpoint());
    assert!(server.body("/rss.xml").contains("the first text"));
    // and back: what is there is gone on from
    site.put("tidings.toml", &settings);
    site.article("a.md", "First", "another text");
    build(&site);
    is_whole(&one);
    assert_eq!(manifest(&one).0, edition + 1);
}

#[test]
fn a_bucket_may_be_one_for_feeds_alone() {
    if !seaweed::is_installed() {
        return;
    }
    let mut site = machine("", seaweed::endpoint());
    let settings = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        settings.replace("s3://feeds/", "s3://alone"),
    );
    site.article("a.md", "First", "the first text");
    build(&site);
    // by somebody who has to look at all that stands there
    site.remove(".tidings");
    site.article("b.md", "Second", "the second text");
    build(&site);
    site.remove("articles");
    site.variables = seaweed::variables(seaweed::endpoint());
    let server = Server::with(&site, &["--listen", "127.0.0.1:0", "--from", "s3://alone"]);
    let feed = server.body("/rss.xml");
    assert!(
        feed.contains("the first text") && feed.contains("the second text"),
        "{feed}"
    );
}
