//! The built-in hub: the real program, and callbacks that note what they are asked. The first are the tests of
//! websub.rocks for hubs (100 and on); then comes what they lack.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::Site;
use crate::common::listener::{Answer, Asked, Listener, willing};
use crate::common::server::{Server, field, until};

const RSS: &str = "https://example.org/rss.xml";
const ATOM: &str = "https://example.org/atom.xml";
const JSON: &str = "https://example.org/feed.json";

/// A site that is a hub, and that lets callbacks be on this machine. Waits are so many times shorter.
fn site(hurry: u32) -> Site {
    let mut site = Site::bare();
    site.put("tidings.toml", settings("[\"127.0.0.0/8\"]"));
    site.article("a.md", "First", "the first text");
    if hurry > 1 {
        let hurry = ("TIDINGS_TEST_HURRY".to_owned(), hurry.to_string());
        site.variables.push(hurry);
    }
    site
}

fn settings(allow: &str) -> String {
    format!(
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\n[hub]\nenabled = true\nallow = {allow}\n"
    )
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).finish()
}

/// Sends a form to the hub; status and text of the answer.
fn post(server: &Server, form: &str) -> (u16, String) {
    let answer = server.raw(format!(
        "POST /hub HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

fn ask(server: &Server, mode: &str, topic: &str, callback: &str, more: &[(&str, &str)]) {
    let mut fields = vec![
        ("hub.mode", mode),
        ("hub.topic", topic),
        ("hub.callback", callback),
    ];
    fields.extend(more);
    let (status, text) = post(server, &form(&fields));
    assert_eq!(status, 202, "{text}");
}

fn subscribe(server: &Server, topic: &str, callback: &str, more: &[(&str, &str)]) {
    ask(server, "subscribe", topic, callback, more);
}

/// Edits an article, and waits until the feeds show it.
fn edit(site: &Site, server: &Server, text: &str) {
    site.article("a.md", "First", text);
    until("the edit is served", || {
        server.body("/rss.xml").contains(text)
    });
}

/// Waits until a listener was sent so many versions.
fn posts(listener: &Listener, count: usize) {
    until(&format!("{count} versions were delivered"), || {
        listener.posts().len() >= count
    });
}

#[test]
fn w100_a_subscriber_is_asked_back_and_then_sent_what_is_served() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    subscribe(&server, RSS, &callback.url("/x"), &[]);
    posts(&callback, 1);
    let question = &callback.gets()[0];
    assert_eq!(question.path(), "/x");
    assert_eq!(question.parameter("hub.mode").as_deref(), Some("subscribe"));
    assert_eq!(question.parameter("hub.topic").as_deref(), Some(RSS));
    assert_eq!(
        question.parameter("hub.lease_seconds").as_deref(),
        Some("864000"),
        "ten days, if nothing was asked for"
    );
    assert_eq!(question.parameter("hub.challenge").unwrap().len(), 64);
    // what is current comes at once, and then each version
    let delivered = &callback.posts()[0];
    let (_, head, body) = server.get("/rss.xml", "");
    assert_eq!(delivered.text(), body);
    assert_eq!(
        delivered.headers["content-type"],
        field(&head, "content-type")
    );
    assert_eq!(delivered.headers["link"], field(&head, "link"));
    assert_eq!(
        delivered.headers["link"],
        "<https://example.org/rss.xml>; rel=\"self\", <https://example.org/hub>; rel=\"hub\""
    );
    assert!(
        !delivered.headers.contains_key("x-hub-signature"),
        "there is no secret"
    );
    // the same on HEAD and 304
    let tag = format!("If-None-Match: {}\r\n", field(&head, "etag"));
    let (status, again, _) = server.get("/rss.xml", &tag);
    assert_eq!((status, field(&again, "link")), (304, field(&head, "link")));
    let again = server.raw("HEAD /rss.xml HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(field(&again, "link"), field(&head, "link"));
    edit(&site, &server, "another text");
    posts(&callback, 2);
    assert_eq!(callback.posts()[1].text(), server.body("/rss.xml"));
    assert_eq!(callback.gets().len(), 1);
}

#[test]
fn w101_parameters_that_nobody_knows_are_ignored() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    let more = [
        ("hub.verify", "sync"),
        ("hub.verify_token", "x"),
        ("foo", "bar"),
    ];
    subscribe(&server, RSS, &callback.url("/x"), &more);
    posts(&callback, 1);
    assert_eq!(callback.gets()[0].parameter("foo"), None);
}

#[test]
fn w102_who_subscribes_again_has_one_subscription_with_another_lease_and_secret() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    let first = [("hub.secret", "one"), ("hub.lease_seconds", "3600")];
    subscribe(&server, RSS, &callback.url("/x"), &first);
    posts(&callback, 1);
    let second = [("hub.secret", "two"), ("hub.lease_seconds", "7200")];
    subscribe(&server, RSS, &callback.url("/x"), &second);
    posts(&callback, 2);
    let leases = callback.gets().into_iter();
    let leases: Vec<_> = leases
        .map(|question| question.parameter("hub.lease_seconds").unwrap())
        .collect();
    assert_eq!(leases, ["3600", "7200"]);
    edit(&site, &server, "another text");
    posts(&callback, 3);
    // one that came twice would come right behind
    edit(&site, &server, "a third text");
    posts(&callback, 4);
    let bodies: Vec<String> = callback.posts().iter().skip(2).map(Asked::text).collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].contains("another text") && bodies[1].contains("a third text"));
    let signed = &callback.posts()[2];
    assert_eq!(
        signed.headers["x-hub-signature"],
        signature("two", &signed.body)
    );
}

#[test]
fn w103_who_ends_a_subscription_is_asked_back_and_sent_nothing_more() {
    let (site, callback, other) = (site(60), Listener::willing(), Listener::willing());
    let server = Server::start(&site);
    subscribe(&server, RSS, &callback.url("/x"), &[]);
    subscribe(&server, RSS, &other.url("/x"), &[]);
    posts(&callback, 1);
    posts(&other, 1);
    ask(&server, "unsubscribe", RSS, &callback.url("/x"), &[]);
    until("it is asked back", || callback.gets().len() == 2);
    let question = &callback.gets()[1];
    assert_eq!(
        question.parameter("hub.mode").as_deref(),
        Some("unsubscribe")
    );
    assert_eq!(question.parameter("hub.lease_seconds"), None);
    until("it is over", || subscriptions(&site) == 1);
    edit(&site, &server, "another text");
    posts(&other, 2);
    edit(&site, &server, "a third text");
    posts(&other, 3);
    assert_eq!(callback.posts().len(), 1);
}

#[test]
fn w104_to_106_each_format_is_delivered_as_it_is_served() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    for (topic, path) in [(RSS, "/rss"), (ATOM, "/atom"), (JSON, "/json")] {
        subscribe(&server, topic, &callback.url(path), &[]);
    }
    posts(&callback, 3);
    for (route, path, media) in [
        ("/rss.xml", "/rss", "application/rss+xml; charset=utf-8"),
        ("/atom.xml", "/atom", "application/atom+xml; charset=utf-8"),
        (
            "/feed.json",
            "/json",
            "application/feed+json; charset=utf-8",
        ),
    ] {
        let posts = callback.posts();
        let delivered = posts.iter().find(|post| post.path() == path).unwrap();
        assert_eq!(delivered.text(), server.body(route));
        assert_eq!(delivered.headers["content-type"], media);
    }
}

/// Signs with an implementation other than the program's.
fn signature(secret: &str, body: &[u8]) -> String {
    let code = hmac_sha256::HMAC::mac(body, secret.as_bytes());
    let digits: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// How many subscriptions there are, as the database says.
fn subscriptions(site: &Site) -> usize {
    query(site, "select count(*) from subscription")
}

#[test]
fn secrets_sign_what_is_delivered_and_long_ones_are_refused() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    let longest = "s&=+é".repeat(33);
    assert_eq!(longest.len(), 198);
    subscribe(
        &server,
        RSS,
        &callback.url("/x"),
        &[("hub.secret", &longest)],
    );
    posts(&callback, 1);
    let delivered = &callback.posts()[0];
    assert_eq!(
        delivered.headers["x-hub-signature"],
        signature(&longest, &delivered.body)
    );
    let fields = [
        ("hub.mode", "subscribe"),
        ("hub.topic", RSS),
        ("hub.callback", &callback.url("/y")),
        ("hub.secret", &"x".repeat(200)),
    ];
    let (status, text) = post(&server, &form(&fields));
    assert_eq!(
        (status, text.contains("shorter than 200 bytes")),
        (400, true)
    );
}

#[test]
fn what_is_no_request_of_a_subscriber_is_refused_with_a_reason() {
    let site = site(60);
    let server = Server::start(&site);
    let with = |topic: &str, callback: &str| {
        form(&[
            ("hub.mode", "subscribe"),
            ("hub.topic", topic),
            ("hub.callback", callback),
        ])
    };
    let fine = "http://127.0.0.1:8080/x";
    for (form, status, said) in [
        (String::new(), 400, "`hub.mode` is missing"),
        (
            form(&[("hub.mode", "publish"), ("hub.topic", RSS)]),
            400,
            "knows by itself",
        ),
        (
            with("https://example.org/", fine),
            404,
            "no feed of this site",
        ),
        (
            with("https://example.org/nothing.xml", fine),
            404,
            "no feed of this site",
        ),
        (
            with("https://example.org/feeds.opml", fine),
            404,
            "no feed of this site",
        ),
        (
            with("http://example.org/rss.xml", fine),
            404,
            "no feed of this site",
        ),
        (
            with("https://other.example/rss.xml", fine),
            404,
            "no feed of this site",
        ),
        (with(RSS, "http://127.0.0.1:22/x"), 400, "a port"),
        (with(RSS, "http://u:p@127.0.0.1:8080/x"), 400, "user name"),
        (
            with(RSS, "ftp://127.0.0.1:8080/x"),
            400,
            "neither http nor https",
        ),
        ("x".repeat(17 << 10), 413, "at most 16 KiB"),
    ] {
        let (found, text) = post(&server, &form);
        assert_eq!(
            (found, text.contains(said)),
            (status, true),
            "{form:.80}: {text}"
        );
    }
    // the form itself
    let raw = |head: &str| {
        server.raw(format!(
            "POST /hub HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n\r\n"
        ))
    };
    assert!(raw("Content-Type: application/json\r\nContent-Length: 0").starts_with("HTTP/1.1 415"));
    assert!(raw("Content-Length: 0").starts_with("HTTP/1.1 415"));
    let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8";
    assert!(raw(&format!("{form}\r\nContent-Length: 99999999")).starts_with("HTTP/1.1 413"));
    let chunks = "10000\r\n".to_owned() + &"x".repeat(0x10000) + "\r\n0";
    let answer = raw(&format!(
        "{form}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
    ));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let (status, head, _) = server.get("/hub", "");
    assert_eq!((status, field(&head, "allow")), (405, "POST, OPTIONS"));
    // elsewhere nothing has a body
    let answer = server.raw(
        "POST /rss.xml HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nx=y",
    );
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(subscriptions(&site), 0);
}

#[test]
fn callbacks_on_this_machine_or_network_are_not_even_asked() {
    let (site, callback) = (site(60), Listener::willing());
    site.put("tidings.toml", settings("[]"));
    let server = Server::start(&site);
    let port = callback.port;
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::1]",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
    ] {
        let callback = format!("http://{host}:{port}/x");
        let fields = [
            ("hub.mode", "subscribe"),
            ("hub.topic", RSS),
            ("hub.callback", &callback),
        ];
        let (status, text) = post(&server, &form(&fields));
        assert_eq!(
            (status, text.contains("not public")),
            (403, true),
            "{host}: {text}"
        );
    }
    // a name tells where it leads only when it is connected to
    subscribe(&server, RSS, &format!("http://localhost:{port}/x"), &[]);
    until("it was tried", || silent(&site) > 0);
    assert_eq!(callback.asked().len(), 0);
    // the operator may allow it: the same request is then asked back
    site.put("tidings.toml", settings("[\"127.0.0.0/8\", \"::1\"]"));
    until("it is asked", || !callback.gets().is_empty());
    posts(&callback, 1);
    // and forbid it again: then nothing is delivered either
    site.put("tidings.toml", settings("[]"));
    until("the settings are taken over", || {
        server.told().matches("read anew").count() == 2
    });
    edit(&site, &server, "another text");
    until("it was tried", || failing(&site) == 1);
    assert_eq!(callback.posts().len(), 1);
}

/// How many questions were not answered.
fn silent(site: &Site) -> usize {
    query(site, "select coalesce(sum(tries), 0) from request")
}

/// How many subscriptions could not be delivered to.
fn failing(site: &Site) -> usize {
    query(
        site,
        "select count(*) from subscription where failing <> ''",
    )
}

fn query(site: &Site, sql: &str) -> usize {
    let found: i64 = database(site).query_row(sql, [], |row| row.get(0)).unwrap();
    usize::try_from(found).unwrap()
}

/// The hub's database, opened by a program other than the server.
fn database(site: &Site) -> rusqlite::Connection {
    let path = site.path(".tidings/hub.sqlite");
    rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
        .unwrap()
}

#[test]
fn who_did_not_mean_it_has_no_subscription_and_keeps_the_one_he_had() {
    let site = site(60);
    let says_no = Arc::new(AtomicBool::new(true));
    let callback = {
        let says_no = Arc::clone(&says_no);
        Listener::start(move |asked| match asked.parameter("hub.challenge") {
            Some(_) if says_no.load(Ordering::SeqCst) => match asked.path() {
                "/missing" => Answer("404 Not Found", String::new(), Vec::new()),
                "/elsewhere" => {
                    let to = format!(
                        "Location: /yes?{}\r\n",
                        asked.target.split('?').nth(1).unwrap()
                    );
                    Answer("302 Found", to, Vec::new())
                }
                "/long" => {
                    let challenge = asked.parameter("hub.challenge").unwrap();
                    Answer(
                        "200 OK",
                        String::new(),
                        (challenge + &" ".repeat(4000)).into_bytes(),
                    )
                }
                "/padded" => {
                    let challenge = asked.parameter("hub.challenge").unwrap();
                    Answer("200 OK", String::new(), (challenge + "\n").into_bytes())
                }
                _ => Answer("200 OK", String::new(), b"something".to_vec()),
            },
            _ => willing(asked),
        })
    };
    let server = Server::start(&site);
    let paths = ["/missing", "/elsewhere", "/long", "/padded", "/else"];
    for path in paths {
        subscribe(&server, RSS, &callback.url(path), &[]);
    }
    until("all are asked, and dropped", || {
        callback.gets().len() == paths.len() && query(&site, "select count(*) from request") == 0
    });
    assert_eq!(subscriptions(&site), 0);
    says_no.store(false, Ordering::SeqCst);
    subscribe(&server, RSS, &callback.url("/x"), &[("hub.secret", "mine")]);
    posts(&callback, 1);
    // somebody else asks in his name
    says_no.store(true, Ordering::SeqCst);
    let asked = callback.gets().len();
    ask(&server, "unsubscribe", RSS, &callback.url("/x"), &[]);
    until("it is asked", || callback.gets().len() == asked + 1);
    subscribe(
        &server,
        RSS,
        &callback.url("/x"),
        &[("hub.secret", "theirs")],
    );
    until("it is asked", || {
        callback.gets().len() == asked + 2 && query(&site, "select count(*) from request") == 0
    });
    edit(&site, &server, "another text");
    posts(&callback, 2);
    let delivered = &callback.posts()[1];
    assert_eq!(
        delivered.headers["x-hub-signature"],
        signature("mine", &delivered.body)
    );
}

#[test]
fn the_query_of_a_callback_stays_as_it_is() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    let target = "/x?k=1&k=2&a=%2F+b&q";
    subscribe(&server, RSS, &callback.url(target), &[]);
    posts(&callback, 1);
    let question = callback.gets()[0].target.clone();
    assert!(
        question.starts_with(&format!("{target}&hub.mode=subscribe&")),
        "{question}"
    );
    assert_eq!(callback.posts()[0].target, target);
}

#[test]
fn when_a_lease_is_over_nothing_is_delivered() {
    // five minutes, the shortest lease, are five seconds here
    let (site, callback, other) = (site(60), Listener::willing(), Listener::willing());
    let server = Server::start(&site);
    subscribe(
        &server,
        RSS,
        &callback.url("/x"),
        &[("hub.lease_seconds", "1")],
    );
    subscribe(&server, RSS, &other.url("/x"), &[]);
    posts(&callback, 1);
    posts(&other, 1);
    assert_eq!(
        callback.gets()[0].parameter("hub.lease_seconds").as_deref(),
        Some("300")
    );
    until("the lease is over", || subscriptions(&site) == 1);
    edit(&site, &server, "another text");
    posts(&other, 2);
    assert_eq!(callback.posts().len(), 1);
}

#[test]
fn what_is_not_taken_is_tried_again_and_only_the_newest_version() {
    let site = site(20);
    let refuses = Arc::new(AtomicBool::new(false));
    let callback = {
        let refuses = Arc::clone(&refuses);
        Listener::start(move |asked| {
            if asked.method == "POST" && refuses.load(Ordering::SeqCst) {
                match asked.path() {
                    // a redirect is no yes either
                    "/moved" => Answer(
                        "307 Temporary Redirect",
                        "Location: /other\r\n".to_owned(),
                        Vec::new(),
                    ),
                    _ => Answer("503 Service Unavailable", String::new(), Vec::new()),
                }
            } else {
                willing(asked)
            }
        })
    };
    let server = Server::start(&site);
    for path in ["/x", "/moved"] {
        subscribe(&server, RSS, &callback.url(path), &[]);
    }
    posts(&callback, 2);
    refuses.store(true, Ordering::SeqCst);
    edit(&site, &server, "another text");
    posts(&callback, 6);
    edit(&site, &server, "a third text");
    let newest = |path: &str| {
        let posts = callback.posts();
        posts
            .iter()
            .any(|post| post.path() == path && post.text().contains("a third text"))
    };
    until("both were tried with it", || {
        newest("/x") && newest("/moved")
    });
    refuses.store(false, Ordering::SeqCst);
    let before = callback.posts().len();
    posts(&callback, before + 2);
    until("both have it", || failing(&site) == 0);
    let after = callback.posts();
    assert!(
        after[before..]
            .iter()
            .all(|post| post.text().contains("a third text"))
    );
    assert!(
        after.iter().all(|post| post.path() != "/other"),
        "it is not led on"
    );
    assert_eq!(subscriptions(&site), 2, "failures end no subscription");
    // and it is not sent once more
    edit(&site, &server, "a fourth text");
    until("both have it", || {
        let posts = callback.posts();
        posts
            .iter()
            .filter(|post| post.text().contains("a fourth text"))
            .count()
            == 2
    });
    let thirds = callback.posts()[before..]
        .iter()
        .filter(|post| post.text().contains("a third text"))
        .count();
    assert_eq!(thirds, 2);
}

#[test]
fn a_callback_that_says_410_has_ended_its_subscription() {
    let site = site(60);
    let callback = Listener::start(|asked| {
        if asked.method == "POST" {
            Answer("410 Gone", String::new(), Vec::new())
        } else {
            willing(asked)
        }
    });
    let server = Server::start(&site);
    subscribe(&server, RSS, &callback.url("/x"), &[]);
    posts(&callback, 1);
    until("it is over", || subscriptions(&site) == 0);
}

#[test]
fn a_burst_of_changes_is_one_delivery_and_no_change_is_none() {
    let (site, callback) = (site(1), Listener::willing());
    let server = Server::start(&site);
    subscribe(&server, RSS, &callback.url("/x"), &[]);
    posts(&callback, 1);
    let began = Instant::now();
    for number in 0..20 {
        site.article("a.md", "First", &format!("change {number}."));
    }
    until("the last is served", || {
        server.body("/rss.xml").contains("change 19.")
    });
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "a slow machine: {:?}",
        began.elapsed()
    );
    posts(&callback, 2);
    assert!(callback.posts()[1].text().contains("change 19."));
    // touched, but the same: the feeds stay, and so does silence. What follows it shows that
    site.put("articles/a.md", site.read("articles/a.md"));
    server.signal(Signal::HUP);
    until("the settings are read", || {
        server.told().contains("read anew")
    });
    edit(&site, &server, "the end");
    posts(&callback, 3);
    assert!(callback.posts()[2].text().contains("the end"));
    assert_eq!(callback.posts().len(), 3);
}

#[test]
fn a_kill_in_mid_delivery_loses_nobody() {
    let site = site(60);
    let held = Arc::new(AtomicBool::new(false));
    let taken = Arc::new(AtomicUsize::new(0));
    let callback = {
        let (held, taken) = (Arc::clone(&held), Arc::clone(&taken));
        Listener::start(move |asked| {
            // half of them take it, the others wait
            if asked.method == "POST" && held.load(Ordering::SeqCst) {
                let number: usize = asked.path()[2..].parse().unwrap();
                if number.is_multiple_of(2) {
                    taken.fetch_add(1, Ordering::SeqCst);
                } else {
                    while held.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            willing(asked)
        })
    };
    let mut server = Server::start(&site);
    for number in 0..100 {
        subscribe(&server, RSS, &callback.url(&format!("/c{number}")), &[]);
    }
    posts(&callback, 100);
    until("all is noted", || {
        query(
            &site,
            "select count(*) from subscription where delivered <> ''",
        ) == 100
    });
    held.store(true, Ordering::SeqCst);
    edit(&site, &server, "another text");
    until("half have it", || taken.load(Ordering::SeqCst) == 50);
    let body = server.body("/rss.xml");
    server.signal(Signal::KILL);
    server.wait();
    held.store(false, Ordering::SeqCst);
    let _again = Server::start(&site);
    until("all have it", || {
        let posts = callback.posts();
        let have: BTreeSet<&str> = posts
            .iter()
            .filter(|post| post.text() == body)
            .map(Asked::path)
            .collect();
        have.len() == 100 && query(&site, "select count(distinct delivered) from subscription") == 1
    });
}

#[test]
fn slow_callbacks_hold_up_nobody() {
    let site = site(1);
    let over = Arc::new(AtomicBool::new(false));
    let is_slow = Arc::new(AtomicBool::new(false));
    let callback = {
        let (over, is_slow) = (Arc::clone(&over), Arc::clone(&is_slow));
        Listener::at("0.0.0.0:0", move |asked| {
            while asked.method == "POST"
                && asked.path().starts_with("/slow")
                && is_slow.load(Ordering::SeqCst)
                && !over.load(Ordering::SeqCst)
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            willing(asked)
        })
    };
    let server = Server::start(&site);
    // more than there is room for on the quick lane, and before all others
    for number in 0..600 {
        // of twenty hosts
        let host = 2 + number % 20;
        let url = format!("http://127.0.0.{host}:{}/slow{number}", callback.port);
        subscribe(&server, RSS, &url, &[]);
    }
    for number in 0..100 {
        subscribe(&server, RSS, &callback.url(&format!("/quick{number}")), &[]);
    }
    posts(&callback, 700);
    is_slow.store(true, Ordering::SeqCst);
    for round in 1..=2 {
        let text = format!("round {round}.");
        edit(&site, &server, &text);
        let began = Instant::now();
        until("the quick ones have it", || {
            let posts = callback.posts();
            posts
                .iter()
                .filter(|post| post.path().starts_with("/quick") && post.text().contains(&text))
                .count()
                == 100
        });
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(15),
            "{took:?}, and a slow one takes thirty"
        );
    }
    over.store(true, Ordering::SeqCst);
}

#[test]
fn a_feed_that_goes_tells_its_subscribers() {
    let (site, callback) = (site(60), Listener::willing());
    let feed = "[[feed]]\nname = \"rust\"\ntags = [\"rust\"]\n";
    site.put("tidings.toml", settings("[\"127.0.0.0/8\"]") + feed);
    let server = Server::start(&site);
    let topic = "https://example.org/rust/rss.xml";
    subscribe(&server, topic, &callback.url("/x"), &[]);
    subscribe(&server, RSS, &callback.url("/y"), &[]);
    posts(&callback, 2);
    site.put("tidings.toml", settings("[\"127.0.0.0/8\"]"));
    until("it is told", || {
        callback
            .gets()
            .iter()
            .any(|asked| asked.parameter("hub.mode").as_deref() == Some("denied"))
    });
    let denied = callback
        .gets()
        .into_iter()
        .find(|asked| asked.parameter("hub.mode").as_deref() == Some("denied"));
    let denied = denied.unwrap();
    assert_eq!(denied.path(), "/x");
    assert_eq!(denied.parameter("hub.topic").as_deref(), Some(topic));
    assert!(
        denied
            .parameter("hub.reason")
            .unwrap()
            .contains("no longer")
    );
    assert_eq!(subscriptions(&site), 1);
}

/// The topics whose subscribers were told that they ended.
fn denied(listener: &Listener) -> BTreeSet<String> {
    let gets = listener.gets().into_iter();
    let denied = gets.filter(|asked| asked.parameter("hub.mode").as_deref() == Some("denied"));
    denied
        .filter_map(|asked| asked.parameter("hub.topic"))
        .collect()
}

#[test]
fn who_is_subscribed_at_an_old_address_is_told_when_the_new_one_is_an_hour_old() {
    // an hour is four seconds
    let (site, callback) = (site(900), Listener::willing());
    let at = |base: &str| {
        let settings = settings("[\"127.0.0.0/8\"]").replace("https://example.org/", base);
        site.put("tidings.toml", settings);
    };
    let old = "https://example.org/rss.xml";
    let server = Server::start(&site);
    subscribe(&server, old, &callback.url("/x"), &[]);
    posts(&callback, 1);
    // an address that is not public is a mistake, or a test: subscriptions rest, however long
    at("http://localhost:8080/");
    let served = |base: &str| {
        let ask = form(&[
            ("hub.mode", "subscribe"),
            ("hub.topic", &format!("{base}rss.xml")),
            ("hub.callback", "http://192.168.0.1/"),
        ]);
        // the hub knows the feed, and refuses the callback
        until("the new address is served", || post(&server, &ask).0 == 403);
    };
    served("http://localhost:8080/");
    let other = Listener::willing();
    subscribe(
        &server,
        "http://localhost:8080/rss.xml",
        &other.url("/y"),
        &[],
    );
    posts(&other, 1);
    // a lease that ends tells that more than an hour has passed
    let short = Listener::willing();
    let lease = [("hub.lease_seconds", "4000")];
    subscribe(
        &server,
        "http://localhost:8080/atom.xml",
        &short.url("/z"),
        &lease,
    );
    posts(&short, 1);
    until("the lease is over", || subscriptions(&site) == 2);
    assert!(denied(&callback).is_empty());
    // nor does one that is corrected end anything
    at("https://example.net/");
    served("https://example.net/");
    at("https://example.org/");
    served("https://example.org/");
    edit(&site, &server, "once more");
    posts(&callback, 2);
    assert!(denied(&callback).is_empty());
    // one that stays does
    for (base, topics) in [
        ("https://example.net/notes/", vec![old]),
        (
            "https://example.net/",
            vec!["https://example.net/notes/rss.xml"],
        ),
    ] {
        at(base);
        served(base);
        let now = format!("{base}rss.xml");
        let callback = if topics[0] == old { &callback } else { &other };
        until("it is told", || {
            topics.iter().all(|topic| denied(callback).contains(*topic))
        });
        assert!(!denied(callback).contains(&now));
        subscribe(&server, &now, &other.url("/y"), &[]);
        let count = other.posts().len();
        posts(&other, count + 1);
    }
}

#[test]
fn a_host_has_so_many_subscriptions_and_no_more() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    let mut stream = server.connect();
    let mut requests = String::new();
    for number in 0..1001 {
        let url = callback.url(&format!("/{number}"));
        let form = form(&[
            ("hub.mode", "subscribe"),
            ("hub.topic", RSS),
            ("hub.callback", &url),
        ]);
        write!(requests, "POST /hub HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}", form.len()).unwrap();
    }
    std::io::Write::write_all(&mut stream, requests.as_bytes()).unwrap();
    std::io::Write::write_all(
        &mut stream,
        b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .unwrap();
    let mut answers = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 202").count(), 1000);
    assert_eq!(answers.matches("HTTP/1.1 429").count(), 1);
    assert!(answers.contains("as many subscriptions as one may have"));
    // who has one may renew it
    subscribe(&server, RSS, &callback.url("/0"), &[]);
}

#[test]
fn without_a_hub_there_is_none() {
    let site = Site::new();
    site.article("a.md", "First", "x");
    let server = Server::start(&site);
    let (status, _) = post(&server, "hub.mode=subscribe");
    assert_eq!(status, 413, "no request here has a body");
    assert_eq!(server.get("/hub", "").0, 404);
    assert!(!server.body("/rss.xml").contains("rel=\"hub\""));
    assert!(!server.body("/feed.json").contains("hubs"));
    assert!(!site.path(".tidings/hub.sqlite").exists());
    // it may be switched on while it runs
    site.put("tidings.toml", settings("[\"127.0.0.0/8\"]"));
    until("there is one", || server.get("/hub", "").0 == 405);
    let callback = Listener::willing();
    until("it works", || {
        let url = callback.url("/x");
        let fields = [
            ("hub.mode", "subscribe"),
            ("hub.topic", RSS),
            ("hub.callback", &url),
        ];
        post(&server, &form(&fields)).0 == 202
    });
    posts(&callback, 1);
    assert!(callback.posts()[0].text().contains("rel=\"hub\""));
}

#[test]
fn a_damaged_database_is_put_aside_and_told() {
    let (site, callback) = (site(60), Listener::willing());
    site.put(
        ".tidings/hub.sqlite",
        "this is no database, and was one".repeat(200),
    );
    let server = Server::start(&site);
    until("it is told", || server.told().contains("is damaged"));
    assert!(site.path(".tidings/hub.damaged-1.sqlite").exists());
    subscribe(&server, RSS, &callback.url("/x"), &[]);
    posts(&callback, 1);
}

#[test]
fn a_new_secret_counts_from_its_verification_on_whatever_is_under_way() {
    let site = site(1);
    let is_held = Arc::new(AtomicBool::new(false));
    let callback = {
        let is_held = Arc::clone(&is_held);
        Listener::start(move |asked| {
            let waits = asked.method == "POST";
            while waits && is_held.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if asked.text().contains("the end of it") {
                return Answer("410 Gone", String::new(), Vec::new());
            }
            willing(asked)
        })
    };
    let server = Server::start(&site);
    let url = callback.url("/x");
    subscribe(&server, RSS, &url, &[("hub.secret", "one")]);
    posts(&callback, 1);
    is_held.store(true, Ordering::SeqCst);
    edit(&site, &server, "another text");
    posts(&callback, 2);
    // while that is under way
    subscribe(&server, RSS, &url, &[("hub.secret", "two")]);
    until("it is settled", || {
        query(&site, "select turn from subscription") == 1
    });
    is_held.store(false, Ordering::SeqCst);
    posts(&callback, 3);
    let delivered = callback.posts();
    assert_eq!(
        delivered[1].headers["x-hub-signature"],
        signature("one", &delivered[1].body)
    );
    assert_eq!(
        delivered[2].headers["x-hub-signature"],
        signature("two", &delivered[2].body)
    );
    assert_eq!(delivered[1].body, delivered[2].body);
    // an end that was said of the old one does not end the new one
    is_held.store(true, Ordering::SeqCst);
    edit(&site, &server, "the end of it");
    posts(&callback, 4);
    subscribe(&server, RSS, &url, &[]);
    until("it is settled", || {
        query(&site, "select turn from subscription") == 2
    });
    edit(&site, &server, "a fresh start");
    is_held.store(false, Ordering::SeqCst);
    until("it has what is new", || {
        callback
            .posts()
            .iter()
            .any(|post| post.text().contains("a fresh start"))
    });
    assert_eq!(subscriptions(&site), 1);
}

#[test]
fn who_becomes_slow_while_a_newer_version_is_sent_gets_it_too() {
    let site = site(1);
    let callback = Listener::start(|asked| {
        if asked.method == "POST" && asked.path() == "/late" {
            std::thread::sleep(Duration::from_millis(3500));
        }
        willing(asked)
    });
    let server = Server::start(&site);
    for path in ["/late", "/a", "/b"] {
        subscribe(&server, RSS, &callback.url(path), &[]);
    }
    posts(&callback, 3);
    for round in 0..3 {
        // it is under way with the one before, since it takes longer than the two seconds of a burst
        let text = format!("round {round}.");
        edit(&site, &server, &text);
        until("the others have it", || {
            let posts = callback.posts();
            posts
                .iter()
                .filter(|post| post.path() != "/late" && post.text().contains(&text))
                .count()
                == 2
        });
    }
    until("so has the late one", || {
        let posts = callback.posts();
        posts
            .iter()
            .any(|post| post.path() == "/late" && post.text().contains("round 2."))
    });
}

#[test]
fn a_topic_is_its_self_link_letter_by_letter() {
    let site = site(60);
    let server = Server::start(&site);
    for topic in [
        "https://example.org/%72ss.xml",
        "HTTPS://EXAMPLE.org/rss.xml",
        "https://example.org:443/rss.xml",
        "https://example.org/./rss.xml",
        "https://example.org/rss.xml?",
        "https://example.org/rss.xml#x",
    ] {
        let fields = [
            ("hub.mode", "subscribe"),
            ("hub.topic", topic),
            ("hub.callback", "http://127.0.0.1:8080/x"),
        ];
        let (status, text) = post(&server, &form(&fields));
        assert_eq!(
            (status, text.contains("no feed of this site")),
            (404, true),
            "{topic}: {text}"
        );
    }
}

#[test]
fn a_database_that_refuses_floods_nobody() {
    let (site, callback) = (site(60), Listener::willing());
    let server = Server::start(&site);
    subscribe(&server, RSS, &callback.url("/first"), &[]);
    posts(&callback, 1);
    // another program writes, and does not end
    let holder = database(&site);
    holder.execute_batch("begin immediate").unwrap();
    let url = callback.url("/x");
    let fields = [
        ("hub.mode", "subscribe"),
        ("hub.topic", RSS),
        ("hub.callback", &url),
    ];
    let (status, _) = post(&server, &form(&fields));
    assert_eq!(status, 503);
    until("it is told", || {
        server.told().contains("the hub's database refuses")
    });
    drop(holder);
    until("it takes something again", || {
        post(&server, &form(&fields)).0 == 202
    });
    posts(&callback, 2);
    assert!(
        server.told().matches("refuses").count() <= 2,
        "{}",
        server.told()
    );
    let questions = callback
        .gets()
        .iter()
        .filter(|asked| asked.path() == "/x")
        .count();
    assert!(questions <= 2, "{questions}");
}

#[test]
fn a_database_with_a_damaged_page_is_put_aside_too() {
    let (site, callback) = (site(60), Listener::willing());
    let mut server = Server::start(&site);
    for number in 0..50 {
        subscribe(&server, RSS, &callback.url(&format!("/{number}")), &[]);
    }
    posts(&callback, 50);
    server.signal(Signal::TERM);
    server.wait();
    database(&site)
        .pragma_update(None, "wal_checkpoint", "truncate")
        .unwrap();
    let mut bytes = std::fs::read(site.path(".tidings/hub.sqlite")).unwrap();
    bytes[8192..16384].fill(0);
    site.put(".tidings/hub.sqlite", bytes);
    let server = Server::start(&site);
    until("it is told", || server.told().contains("is damaged"));
    subscribe(&server, RSS, &callback.url("/again"), &[]);
    posts(&callback, 51);
}

#[test]
fn two_servers_on_one_folder_deliver_once() {
    let (site, callback) = (site(1), Listener::willing());
    let server = Server::start(&site);
    subscribe(&server, RSS, &callback.url("/x"), &[]);
    posts(&callback, 1);
    let other = Server::start(&site);
    edit(&site, &server, "another text");
    posts(&callback, 2);
    // the other goes on when the first has gone
    drop(server);
    edit(&site, &other, "a third text");
    posts(&callback, 3);
    assert_eq!(callback.posts().len(), 3);
}

#[test]
fn a_hub_that_is_named_and_not_switched_on_is_none_of_ours() {
    let site = site(60);
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\nhubs = [\"https://example.org/hub\"]\n",
    );
    let server = Server::start(&site);
    assert_eq!(server.get("/hub", "").0, 404);
    assert_eq!(post(&server, "hub.mode=subscribe").0, 413);
    assert!(server.body("/rss.xml").contains("https://example.org/hub"));
}
