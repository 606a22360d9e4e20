//! `tidings serve` keeps up with its folder: saves, deployments, swaps, other settings, the passing of time, and another
//! publisher beside it. The real program, real tools.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::Site;
use crate::common::server::{Server, field, until};
use crate::common::tool::{is_installed, skip};
use crate::common::versions::{Over, all, entries, site, text, whole};

#[test]
fn what_happens_in_the_folder_is_served() {
    let site = site(2);
    let server = Server::start(&site);
    assert_eq!(entries(&server), all(2, 0));
    site.put("articles/a00.md", whole(0, 1));
    until("an edit is served", || entries(&server).contains(&(0, 1)));
    site.article("a02.md", "Title 02", &text(2, 0));
    until("a new one", || entries(&server).contains(&(2, 0)));
    site.write("articles/deep/er/and/deeper/x.md", "BEGIN 7/0 x END 7/0");
    until("one in a new folder", || entries(&server).contains(&(7, 0)));
    site.write("staging/tree/sub/y.md", "BEGIN 8/0 x END 8/0");
    site.rename("staging/tree", "articles/tree");
    until("one in a folder that moved in", || {
        entries(&server).contains(&(8, 0))
    });
    let ids = |server: &Server| {
        let feed: serde_json::Value = serde_json::from_str(&server.body("/feed.json")).unwrap();
        let items = feed["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let before = ids(&server);
    site.rename("articles/a01.md", "articles/renamed.md");
    until("a rename is seen", || {
        site.read("ledger.jsonl").contains("renamed.md")
    });
    assert_eq!(ids(&server), before);
    site.remove("articles/renamed.md");
    until("a deletion", || !entries(&server).contains(&(1, 0)));
}

#[test]
fn row_59_every_answer_is_wholly_one_version_while_editions_swap() {
    let site = site(3);
    let server = Server::start(&site);
    let requests = std::sync::atomic::AtomicUsize::new(0);
    let versions = std::sync::Mutex::new(BTreeSet::new());
    let per_connection = 200;
    let version = std::sync::atomic::AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..50)
            .map(|client| {
                let (server, requests, versions, version, stopped) =
                    (&server, &requests, &versions, &version, &stopped);
                scope.spawn(move || {
                    let mut stream = server.connect();
                    let mut known = String::new();
                    for round in 0..per_connection {
                        // spread over the versions that were served
                        loop {
                            let ended = stopped.load(Ordering::SeqCst);
                            if version.load(Ordering::SeqCst) >= round / 10 {
                                break;
                            }
                            assert!(!ended, "the versions stopped");
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        let target = ["/rss.xml", "/atom.xml", "/feed.json"][(client + round) % 3];
                        let condition = if round % 4 == 3 {
                            format!("If-None-Match: {known}\r\n")
                        } else {
                            String::new()
                        };
                        let request =
                            format!("GET {target} HTTP/1.1\r\nHost: a\r\n{condition}\r\n");
                        stream.write_all(request.as_bytes()).unwrap();
                        let (head, body) = answer(&mut stream);
                        requests.fetch_add(1, Ordering::Relaxed);
                        if head.contains(" 304 ") {
                            continue;
                        }
                        let tag = field(&head, "etag").to_owned();
                        // the tag tells these very bytes
                        let expected =
                            tidings::edition::etag(&target[1..], &tidings::edition::hash(&body));
                        assert_eq!(tag, expected);
                        let body = String::from_utf8(body).unwrap();
                        let marks = |word| {
                            body.split(word)
                                .skip(1)
                                .map(|rest| rest.split(' ').next().unwrap_or_default().to_owned())
                        };
                        let mut versions_in_it: Vec<String> = marks("BEGIN 0/").collect();
                        versions_in_it.extend(
                            marks("END 0/").map(|rest| {
                                rest.chars().take_while(char::is_ascii_digit).collect()
                            }),
                        );
                        versions_in_it.dedup();
                        assert_eq!(versions_in_it.len(), 1, "{versions_in_it:?}");
                        known.clone_from(&tag);
                        versions.lock().unwrap().insert(tag);
                    }
                })
            })
            .collect();
        let writer = scope.spawn(|| {
            // whatever ends it, the clients wait no longer
            let _ended = Over(&stopped);
            for next in 1..=20 {
                // no further ahead of the clients than one version, so that they meet most of them
                until("the clients come after", || {
                    requests.load(Ordering::Relaxed) >= 500 * (next - 1)
                });
                site.put("articles/a00.md", whole(0, next));
                until("the next version is served", || {
                    entries(&server).contains(&(0, next))
                });
                version.store(next, Ordering::SeqCst);
            }
        });
        for client in clients {
            client.join().unwrap();
        }
        writer.join().unwrap();
    });
    assert_eq!(requests.load(Ordering::Relaxed), 10_000);
    let seen = versions.lock().unwrap().len();
    assert!(seen > 10, "{seen} versions were seen");
}

/// One answer of a connection that stays.
fn answer(stream: &mut std::net::TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    let mut buffer = std::io::BufReader::with_capacity(1, stream);
    while !head.ends_with(b"\r\n\r\n") {
        buffer.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = field(&head, "content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    buffer.read_exact(&mut body).unwrap();
    (head, body)
}

#[test]
fn an_article_appears_and_goes_at_its_instant_without_any_event() {
    let site = site(1);
    // dates are in whole seconds
    let now = chrono::SubsecRound::trunc_subsecs(chrono::Utc::now(), 0);
    let instant = |seconds: i64| (now + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
    site.put(
        "articles/soon.md",
        format!(
            "---\ntitle: Soon\ndate: {}\nexpires: {}\n---\nBEGIN 5/0 END 5/0",
            instant(3),
            instant(6)
        ),
    );
    let server = Server::start(&site);
    assert_eq!(entries(&server), all(1, 0));
    until("it appears", || entries(&server).contains(&(5, 0)));
    let late = chrono::Utc::now() - now;
    assert!(late >= chrono::TimeDelta::seconds(3), "not before: {late}");
    until("it goes", || !entries(&server).contains(&(5, 0)));
    assert!(chrono::Utc::now() - now >= chrono::TimeDelta::seconds(6));
}

#[test]
fn other_settings_are_taken_over_and_wrong_ones_refused() {
    let site = site(1);
    let server = Server::start(&site);
    let config = site.read("tidings.toml");
    site.put("tidings.toml", config.replace("Notes", "Other"));
    until("the new title is served", || {
        server.body("/rss.xml").contains("<title>Other</title>")
    });
    site.put("tidings.toml", "titel = \"Typo\"\n");
    until("it is refused", || {
        server
            .told()
            .contains("the configuration is refused; the old one stays")
    });
    assert!(
        server.told().contains("do you mean `title`?"),
        "{}",
        server.told()
    );
    assert!(server.body("/rss.xml").contains("<title>Other</title>"));
    site.put(
        "tidings.toml",
        format!(
            "{}aliases = {{ \"/feed\" = \"/rss.xml\" }}\nlisten = [\"127.0.0.1:1\"]\n",
            config.replace("Notes", "Third")
        ),
    );
    server.signal(Signal::HUP);
    until("the alias answers", || server.get("/feed", "").0 == 200);
    // the option given on the command line stands before the file
    assert!(server.body("/rss.xml").contains("<title>Third</title>"));
    let other = config.replace("[serve]", "[serve]\nadmin = \"127.0.0.1:0\"");
    site.put(
        "tidings.toml",
        other.replace("title", "ledger = \"other.jsonl\"\ntitle"),
    );
    until("it says what needs a restart", || {
        server
            .told()
            .contains("`admin`, `ledger` changed: restart for that")
    });
    assert_eq!(server.get("/rss.xml", "").0, 200);
}

#[test]
fn settings_of_the_server_alone_are_taken_over_while_the_folder_is_quiet() {
    let site = site(1);
    let config = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        format!("{config}aliases = {{ \"/feed\" = \"/rss.xml\" }}\n"),
    );
    let server = Server::start(&site);
    until("the alias answers", || server.get("/feed", "").0 == 200);
    site.put("tidings.toml", format!("{config}fresh = \"7 minutes\"\n"));
    until("it does so no longer", || server.get("/feed", "").0 == 404);
    let (_, head, _) = server.get("/rss.xml", "");
    assert!(
        field(&head, "cache-control").contains("max-age=420"),
        "{head}"
    );
}

#[test]
fn a_build_beside_it_is_fine() {
    let site = site(2);
    let server = Server::start(&site);
    for version in 1..=5 {
        site.put("articles/a00.md", whole(0, version));
        let run = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["build", "--wait", "30"])
            .current_dir(site.home())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        until("the new text is served", || {
            entries(&server).contains(&(0, version))
        });
    }
    let tag = field(&server.get("/rss.xml", "").1, "etag").to_owned();
    until("what is served is what lies on disk", || {
        site.read("feeds/rss.xml") == server.body("/rss.xml")
    });
    let hash = tidings::edition::hash(site.read("feeds/rss.xml").as_bytes());
    assert_eq!(tag, tidings::edition::etag("rss.xml", &hash));
}

#[test]
fn a_missing_folder_is_told_and_nothing_is_withdrawn() {
    let site = site(3);
    let server = Server::start(&site);
    let tag = |server: &Server| field(&server.get("/rss.xml", "").1, "etag").to_owned();
    let before = tag(&server);
    site.rename("articles", "elsewhere");
    until("it is told", || {
        server.told().contains("the old feeds stay")
    });
    assert_eq!(tag(&server), before);
    site.rename("elsewhere", "articles");
    site.put("articles/a00.md", whole(0, 1));
    until("it is back", || entries(&server).contains(&(0, 1)));
    assert_eq!(
        server.told().matches("the old feeds stay").count(),
        1,
        "said once: {}",
        server.told()
    );
}

#[test]
fn row_76_a_restart_serves_from_the_first_moment_with_the_same_validators() {
    let site = site(40);
    let mut server = Server::start(&site);
    let head = server.get("/rss.xml", "").1;
    let validators = |head: &str| {
        (
            field(head, "etag").to_owned(),
            field(head, "last-modified").to_owned(),
        )
    };
    let before = validators(&head);
    until("the second of the change is over", || {
        let head = server.get("/rss.xml", "").1;
        field(&head, "date") != field(&head, "last-modified")
    });
    let before = (before.0, validators(&server.get("/rss.xml", "").1).1);
    for signal in [Signal::TERM, Signal::KILL] {
        server.signal(signal);
        server.wait();
        server = Server::start(&site);
        assert_eq!(validators(&server.get("/rss.xml", "").1), before);
        assert_eq!(
            server
                .get("/rss.xml", &format!("If-None-Match: {}\r\n", before.0))
                .0,
            304
        );
    }
    // and after the first turn
    until("a turn is over", || {
        server.told().contains("0 new") || site.path(".tidings/state.json").exists()
    });
    assert_eq!(validators(&server.get("/rss.xml", "").1), before);
}

#[test]
fn a_save_is_served_within_moments() {
    let site = site(50);
    let server = Server::start(&site);
    let mut took = Vec::new();
    for version in 1..=20 {
        let began = Instant::now();
        site.put("articles/a07.md", whole(7, version));
        until("the save is served", || {
            server
                .body("/feed.json")
                .contains(&format!("BEGIN 7/{version} "))
        });
        took.push(began.elapsed());
    }
    took.sort();
    // a report, no timed test: but a debounce would show
    eprintln!(
        "edit to served: median {:?}, slowest {:?}",
        took[10], took[19]
    );
    assert!(took[10] < Duration::from_secs(5));
}

#[test]
fn without_events_it_looks_again_and_again() {
    if !is_installed("unshare") {
        return;
    }
    let site = site(1);
    // no inotify instance is to be had
    let script =
        "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" serve --listen 127.0.0.1:0";
    let mut command = Command::new("unshare");
    command
        .args(["-r", "sh", "-c", script, env!("CARGO_BIN_EXE_tidings")])
        .current_dir(site.home());
    let mut server = Server::spawn(command);
    let mut has_ended = false;
    until("it starts, or cannot", || {
        has_ended = server.child.try_wait().unwrap().is_some();
        has_ended || server.told().contains("open http")
    });
    if has_ended {
        return skip("this machine makes no user namespaces");
    }
    server.port = server
        .told()
        .split("localhost:")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    until("it says so", || {
        server.told().contains("is looked at every 2 seconds")
    });
    for version in 1..=2 {
        site.put("articles/a00.md", whole(0, version));
        until("the edit is found", || {
            entries(&server).contains(&(0, version))
        });
    }
    assert_eq!(
        server.told().matches("is looked at every").count(),
        1,
        "said once"
    );
}

#[test]
fn who_starts_it_in_the_wrong_place_is_told_what_to_do() {
    let site = Site::bare();
    site.remove("articles");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.arg("serve").current_dir(site.home());
    let mut server = Server::spawn(command);
    assert_eq!(server.wait().code(), Some(5));
    until("it says why", || {
        server.told().contains("nothing to serve yet")
    });
    let told = server.told();
    assert!(
        told.contains("the folder of articles `articles` cannot be read"),
        "{told}"
    );
    assert!(
        told.contains("make it, or name another one with `--articles`"),
        "{told}"
    );
}

#[test]
fn a_configuration_that_is_being_written_is_never_believed() {
    let site = site(1);
    site.put(
        "tidings.toml",
        site.read("tidings.toml")
            .replace("title = \"Notes\"", "title = \"T\""),
    );
    let server = Server::start(&site);
    let config = site
        .read("tidings.toml")
        .replace("title = \"T\"", "title = \"Notes\"");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let body = server.body("/rss.xml");
                assert!(
                    body.contains("https://example.org/") && body.contains("<channel><title>T"),
                    "{body}"
                );
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        let ended = Over(&over);
        for version in 0..6 {
            let next = config.replace("Notes", &format!("T{version}"));
            match version % 3 {
                // emptied, then written in pieces
                0 => {
                    let (half, rest) = next.split_at(next.len() / 2);
                    let mut file = std::fs::File::create(site.path("tidings.toml")).unwrap();
                    file.write_all(half.as_bytes()).unwrap();
                    std::thread::sleep(Duration::from_millis(100));
                    file.write_all(rest.as_bytes()).unwrap();
                }
                // put aside, then written
                1 => {
                    site.rename("tidings.toml", "tidings.toml~");
                    std::thread::sleep(Duration::from_millis(300));
                    site.write("tidings.toml", next);
                }
                _ => {
                    site.write("next.toml", next);
                    site.rename("next.toml", "tidings.toml");
                }
            }
            until("the new title is served", || {
                server
                    .body("/rss.xml")
                    .contains(&format!("<channel><title>T{version}</title>"))
            });
        }
        drop(ended);
        watcher.join().unwrap();
    });
    assert!(!server.told().contains("refused"), "{}", server.told());
    site.put("tidings.toml", "titel = \"x\"\n");
    until("a wrong one is refused", || {
        server.told().contains("refused")
    });
    // turns go on, with the settings from before
    for version in 1..=3 {
        site.put("articles/a00.md", whole(0, version));
        until("a save is served", || {
            entries(&server).contains(&(0, version))
        });
    }
    assert_eq!(
        server.told().matches("refused").count(),
        1,
        "and that is said once: {}",
        server.told()
    );
}
