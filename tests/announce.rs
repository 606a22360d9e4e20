//! Hubs elsewhere are told what is new: once of each change, whatever dies or is down meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::listener::{Answer, Asked, Listener};
use crate::common::server::{Server, until};
use crate::common::{Run, Site};

fn site(hubs: &[String]) -> Site {
    let site = Site::bare();
    configure(&site, hubs);
    site.article("a.md", "First", "the first text");
    site
}

fn configure(site: &Site, hubs: &[String]) {
    site.put(
        "tidings.toml",
        format!(
            "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\nhubs = {hubs:?}\n"
        ),
    );
}

fn hub() -> Listener {
    Listener::start(|_| Answer("204 No Content", String::new(), Vec::new()))
}

const FEEDS: [&str; 3] = [
    "https://example.org/atom.xml",
    "https://example.org/feed.json",
    "https://example.org/rss.xml",
];

/// The topics that a hub was told of, sorted.
fn topics(asked: &[Asked]) -> Vec<String> {
    let mut topics: Vec<String> = asked
        .iter()
        .map(|asked| asked.field("hub.url").unwrap())
        .collect();
    topics.sort();
    topics
}

fn build(site: &Site) -> Run {
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{run:?}");
    run
}

#[test]
fn each_topic_that_changed_is_a_form_to_each_hub() {
    let (one, other) = (hub(), hub());
    // who names one twice means it once
    let hubs = [one.url("/hub?x=1"), other.url("/"), one.url("/hub?x=1")];
    let site = site(&hubs);
    build(&site);
    for hub in [&one, &other] {
        let asked = hub.asked();
        assert_eq!(topics(&asked), FEEDS);
        for ping in &asked {
            assert_eq!(ping.method, "POST");
            assert_eq!(
                ping.headers["content-type"],
                "application/x-www-form-urlencoded"
            );
            assert_eq!(ping.field("hub.mode").as_deref(), Some("publish"));
            assert_eq!(ping.field("hub.url"), ping.field("hub.topic"));
        }
    }
    assert_eq!(one.asked()[0].target, "/hub?x=1");
    // the hubs stand in the feeds, in each as its format has it
    for hub in [&hubs[0], &hubs[1]] {
        let link = format!("href=\"{hub}\" rel=\"hub\"");
        assert_eq!(site.read("feeds/rss.xml").matches(&link).count(), 1);
        assert_eq!(site.read("feeds/atom.xml").matches(&link).count(), 1);
        let json = format!("{{\"type\":\"WebSub\",\"url\":\"{hub}\"}}");
        assert_eq!(site.read("feeds/feed.json").matches(&json).count(), 1);
    }
    // nothing changed, nothing is told
    build(&site);
    assert_eq!(one.asked().len(), 3);
    site.article("a.md", "First", "another text");
    build(&site);
    assert_eq!(topics(&one.asked()[3..]), FEEDS);
    // a feed that is new is told, and those that are as they were are not
    let feed = "[[feed]]\nname = \"x\"\nformats = [\"rss\"]\n";
    site.put("tidings.toml", site.read("tidings.toml") + feed);
    build(&site);
    assert_eq!(topics(&one.asked()[6..]), ["https://example.org/x/rss.xml"]);
}

#[test]
fn another_hub_is_no_news_for_the_date_of_a_feed() {
    let site = Site::new();
    site.article("a.md", "First", "x");
    build(&site);
    let date = |site: &Site| {
        let rss = site.read("feeds/rss.xml");
        let date = rss.split("<lastBuildDate>").nth(1).unwrap();
        date.split('<').next().unwrap().to_owned()
    };
    let before = date(&site);
    let hub = hub();
    let mut site = site;
    site.now += 3600;
    configure(&site, &[hub.url("/")]);
    build(&site);
    assert_eq!(date(&site), before);
    assert_eq!(topics(&hub.asked()), FEEDS, "its bytes are others");
}

#[test]
fn a_hub_that_is_down_is_a_warning_and_is_told_by_the_next_run() {
    // the port is free, and nobody is there
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let url = format!("http://{address}/");
    let site = site(std::slice::from_ref(&url));
    drop(port);
    for _ in 0..2 {
        let run = build(&site);
        assert!(
            run.stderr.contains(&format!(
                "warning: {url}: this hub was not told of 3 feeds that changed: "
            )) && run.stderr.contains("the next run tries again"),
            "{run:?}"
        );
        assert!(!run.stdout.contains("hub"));
    }
    assert_eq!(site.build(&["--strict"]).code, 3);
    assert_eq!(site.build(&["--quiet"]).stderr, "");
    site.article("a.md", "First", "another text");
    assert_eq!(site.build(&["--dry-run"]).stderr, "");
    build(&site);
    let hub = Listener::at(&address.to_string(), |_| {
        Answer("202 Accepted", String::new(), Vec::new())
    });
    let run = build(&site);
    assert_eq!(run.stderr, "");
    assert_eq!(
        topics(&hub.asked()),
        FEEDS,
        "each once, and only what is new"
    );
    build(&site);
    assert_eq!(hub.asked().len(), 3);
}

#[test]
fn what_was_published_and_not_told_is_told_by_the_next_run() {
    let hub = hub();
    let site = site(&[hub.url("/")]);
    build(&site);
    // a process that dies after publishing has told nobody
    let told = site.read(".tidings/hubs.json");
    site.article("a.md", "First", "another text");
    build(&site);
    site.put(".tidings/hubs.json", told);
    build(&site);
    assert_eq!(topics(&hub.asked()[6..]), FEEDS);
}

#[test]
fn a_fresh_clone_tells_only_what_it_changes() {
    let hub = hub();
    let site = site(&[hub.url("/")]);
    build(&site);
    site.remove(".tidings");
    build(&site);
    assert_eq!(hub.asked().len(), 3, "nothing changed");
    site.remove(".tidings");
    site.article("a.md", "First", "another text");
    build(&site);
    assert_eq!(topics(&hub.asked()[3..]), FEEDS);
}

#[test]
fn a_hub_may_lead_on_and_what_it_refuses_is_told_with_its_words() {
    let count = Arc::new(AtomicUsize::new(0));
    let hub = {
        let count = Arc::clone(&count);
        Listener::start(move |asked| match asked.path() {
            "/temporary" => Answer(
                "307 Temporary Redirect",
                "Location: /permanent\r\n".to_owned(),
                Vec::new(),
            ),
            "/permanent" => Answer(
                "308 Permanent Redirect",
                "Location: /hub\r\n".to_owned(),
                Vec::new(),
            ),
            "/see" => Answer("303 See Other", "Location: /hub\r\n".to_owned(), Vec::new()),
            "/circle" => Answer(
                "307 Temporary Redirect",
                "Location: /circle\r\n".to_owned(),
                Vec::new(),
            ),
            "/no" => Answer(
                "400 Bad Request",
                String::new(),
                b"\n no such\x1b[31m topic \n<more>".to_vec(),
            ),
            _ => {
                count.fetch_add(1, Ordering::SeqCst);
                Answer("200 OK", String::new(), vec![b'x'; 1 << 20])
            }
        })
    };
    let run = build(&site(&[hub.url("/temporary")]));
    assert_eq!(run.stderr, "");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let last = hub.asked().pop().unwrap();
    assert_eq!(
        last.field("hub.mode").as_deref(),
        Some("publish"),
        "the form comes along"
    );
    for (path, said) in [
        ("/see", "it answers 303 See Other"),
        ("/circle", "it leads on more than 5 times"),
        ("/no", "it answers 400 Bad Request: no such[31m topic"),
    ] {
        let run = build(&site(&[hub.url(path)]));
        assert!(run.stderr.contains(said), "{path}: {run:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn serve_tells_once_of_a_burst_and_tries_again_what_failed() {
    let answers = Arc::new(AtomicUsize::new(0));
    let hub = {
        let answers = Arc::clone(&answers);
        Listener::start(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
            // the first three come to nothing
            0..3 => Answer("500 Internal Server Error", String::new(), Vec::new()),
            _ => Answer("204 No Content", String::new(), Vec::new()),
        })
    };
    let mut site = site(&[hub.url("/")]);
    // a minute is a second
    let hurry = ("TIDINGS_TEST_HURRY".to_owned(), "60".to_owned());
    site.variables.push(hurry);
    let server = Server::start(&site);
    until("it is told in the end", || hub.asked().len() == 6);
    until("it is said", || {
        server.told().contains("takes what it is told again")
    });
    assert!(
        server
            .told()
            .contains("was not told what is new: it answers 500")
    );
    assert_eq!(topics(&hub.asked()[3..]), FEEDS);
    site.article("a.md", "First", "another text");
    until("it is told", || hub.asked().len() == 9);
    // the new bytes are served when the hub hears of them
    assert!(server.body("/rss.xml").contains("another text"));
    // beside it, `build` leaves it to the server; both go by one clock
    site.now = chrono::Utc::now().timestamp();
    site.article("a.md", "First", "a third text");
    let run = site.build(&["--wait", "10"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    until("it is told", || hub.asked().len() == 12);
    assert!(server.body("/rss.xml").contains("a third text"));
    let manifest = site.read("feeds/tidings.json");
    let hash = manifest.split("\"rss.xml\":").nth(1).unwrap();
    let hash = hash
        .split("\"hash\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    until("it is noted", || {
        site.read(".tidings/hubs.json").contains(hash)
    });
    drop(server);
    // and what it knows is known to the next
    build(&site);
    assert_eq!(hub.asked().len(), 12);
}

#[test]
fn twenty_saves_in_two_seconds_are_one_ping_each() {
    let hub = hub();
    let site = site(&[hub.url("/")]);
    let server = Server::start(&site);
    until("the first are told", || hub.asked().len() == 3);
    for number in 0..20 {
        site.article("a.md", "First", &format!("change {number}."));
    }
    until("the last is served", || {
        server.body("/rss.xml").contains("change 19.")
    });
    until("they are told", || hub.asked().len() >= 6);
    site.article("a.md", "First", "the end");
    until("it is told", || hub.asked().len() >= 9);
    assert_eq!(topics(&hub.asked()[3..6]), FEEDS);
    assert_eq!(topics(&hub.asked()[6..]), FEEDS);
}

#[test]
fn nothing_that_is_wrong_with_telling_stops_a_publication() {
    let hub = hub();
    let site = site(&[hub.url("/")]);
    std::fs::create_dir_all(site.path(".tidings/hubs.json")).unwrap();
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.contains("hubs may be told of nothing"),
        "{run:?}"
    );
    assert!(site.read("feeds/rss.xml").contains("the first text"));
}

#[test]
fn a_clone_without_feeds_tells_nothing_if_no_article_changed() {
    let hub = hub();
    let site = site(&[hub.url("/")]);
    build(&site);
    for gone in [".tidings", "feeds"] {
        site.remove(gone);
    }
    build(&site);
    assert_eq!(hub.asked().len(), 3, "the ledger knows them all");
    for gone in [".tidings", "feeds"] {
        site.remove(gone);
    }
    site.article("a.md", "First", "another text");
    build(&site);
    assert_eq!(topics(&hub.asked()[3..]), FEEDS);
}
