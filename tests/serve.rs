//! `tidings serve` keeps up with its folder: saves, deployments, swaps, other settings, the passing of time, and another
//! publisher beside it. The real program, real tools.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may fail"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::Site;
use common::server::{Server, field, until};

/// Says that it is over, even when a test fails: else those who wait for it never end.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// With a permalink, so that a turn is about feeds alone.
fn site(articles: usize) -> Site {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\n[defaults]\nlimit = 100\n[serve]\nlog = \"off\"\n",
    );
    for n in 0..articles {
        site.article(
            &format!("a{n:02}.md"),
            &format!("Title {n:02}"),
            &text(n, 0),
        );
    }
    site
}

/// A text that shows whether it is whole, and which version it is.
fn text(n: usize, version: usize) -> String {
    format!(
        "BEGIN {n}/{version} {}END {n}/{version}",
        "word ".repeat(300)
    )
}

fn whole(n: usize, version: usize) -> String {
    format!(
        "---\ntitle: Title {n:02}\ndate: 2026-05-01T10:00:00Z\n---\n{}\n",
        text(n, version)
    )
}

/// The entries of the feed: number and version of each, all of them whole.
fn entries(server: &Server) -> BTreeSet<(usize, usize)> {
    let feed: serde_json::Value = serde_json::from_str(&server.body("/feed.json")).unwrap();
    let items = feed["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| {
            let html = item["content_html"].as_str().unwrap();
            let mark = |word: &str| {
                let rest = html
                    .split(word)
                    .nth(1)
                    .unwrap_or_else(|| panic!("half a text: {html}"));
                let mut parts = rest.trim_start().split(|c: char| !c.is_ascii_digit());
                let mut next = || parts.next().unwrap().parse::<usize>().unwrap();
                (next(), next())
            };
            assert_eq!(mark("BEGIN "), mark("END "), "two texts in one");
            mark("BEGIN ")
        })
        .collect()
}

fn run(site: &Site, script: &str) {
    let output = Command::new("bash")
        .args(["-ec", script])
        .current_dir(site.home())
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{output:?}");
}

fn all(count: usize, version: usize) -> BTreeSet<(usize, usize)> {
    (0..count).map(|n| (n, version)).collect()
}

#[test]
fn what_happens_in_the_folder_is_served() {
    let site = site(2);
    let server = Server::start(&site);
    assert_eq!(entries(&server), all(2, 0));
    site.put("articles/a00.md", whole(0, 1));
    until("an edit is served", || entries(&server).contains(&(0, 1)));
    site.article("a02.md", "Title 02", &text(2, 0));
    until("a new one", || entries(&server).contains(&(2, 0)));
    run(
        &site,
        "mkdir -p articles/deep/er/and/deeper && echo 'BEGIN 7/0 x END 7/0' > articles/deep/er/and/deeper/x.md",
    );
    until("one in a new folder", || entries(&server).contains(&(7, 0)));
    run(
        &site,
        "mkdir -p staging/tree/sub && echo 'BEGIN 8/0 x END 8/0' > staging/tree/sub/y.md && mv staging/tree articles/tree",
    );
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
    run(&site, "mv articles/a01.md articles/renamed.md");
    until("a rename is seen", || {
        site.read("ledger.jsonl").contains("renamed.md")
    });
    assert_eq!(ids(&server), before);
    run(&site, "rm articles/renamed.md");
    until("a deletion", || !entries(&server).contains(&(1, 0)));
}

#[test]
fn each_way_to_deploy_converges_without_half_texts_and_without_withdrawals() {
    let rounds = std::env::var("TIDINGS_DEPLOYS").map_or(50, |rounds| rounds.parse().unwrap());
    let count = 12;
    let site = site(count);
    run(
        &site,
        "git init -q articles; cd articles; git config user.email t@example.org; git config user.name t; \
         git add -A; git commit -qm 0; git clone -q . ../work; cd ../work; git config user.email t@example.org; git config user.name t",
    );
    let server = Server::start(&site);
    let patterns: [(&str, Deploy); 7] = [
        ("git pull", |site, count, version| {
            // half of the files move to another folder and back; git itself may overlook a change within one tick
            run(site, "rm -rf work/*.md work/moved");
            for n in 0..count {
                let folder = if n % 2 == 0 && version % 2 == 1 {
                    "moved/"
                } else {
                    ""
                };
                site.put(&format!("work/{folder}a{n:02}.md"), whole(n, version));
            }
            run(
                site,
                &format!(
                    "cd work; rm .git/index; git add -A; git commit -qm {version}; cd ../articles; git pull -q ../work"
                ),
            );
        }),
        ("rsync", |site, count, version| {
            release(site, count, version);
            run(site, "rsync -ac --delete release/ articles/");
        }),
        ("a folder swap", |site, count, version| {
            release(site, count, version);
            run(site, "mv articles old && mv release articles && rm -rf old");
        }),
        ("a symlink swap", |site, count, version| {
            release(site, count, version);
            run(
                site,
                &format!(
                    "rm -rf r{version} && mv release r{version} && if [ ! -L articles ]; then mv articles first && ln -s r{version} articles; fi; ln -sfn r{version} next && mv -T next articles"
                ),
            );
        }),
        ("vim", |site, count, version| {
            for n in 0..count {
                site.put("text", whole(n, version));
                // what vim does with `backupcopy=no`: aside, new, away
                run(
                    site,
                    &format!(
                        "cd articles && mv a{n:02}.md a{n:02}.md~ && cat ../text > a{n:02}.md && rm a{n:02}.md~"
                    ),
                );
            }
        }),
        ("sed -i", |site, count, version| {
            for n in 0..count {
                run(
                    site,
                    &format!(
                        "sed -i -E 's#(BEGIN|END) {n}/[0-9]+#\\1 {n}/{version}#g' articles/a{n:02}.md"
                    ),
                );
            }
        }),
        ("a slow writer", |site, count, version| {
            for n in [0, count - 1] {
                slowly(site, &format!("articles/a{n:02}.md"), &whole(n, version));
            }
            for n in 1..count - 1 {
                site.put(&format!("articles/a{n:02}.md"), whole(n, version));
            }
        }),
    ];
    let mut version = 0;
    for (name, deploy) in patterns {
        let began = Instant::now();
        for _ in 0..rounds {
            version += 1;
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let watcher = scope.spawn(|| {
                    let mut seen = 0;
                    while !over.load(Ordering::Relaxed) {
                        let entries = entries(&server);
                        assert_eq!(entries.len(), count, "{name}: withdrawn");
                        seen += 1;
                        std::thread::sleep(Duration::from_millis(3));
                    }
                    seen
                });
                let ended = Over(&over);
                deploy(&site, count, version);
                until(name, || entries(&server) == all(count, version));
                drop(ended);
                assert!(watcher.join().unwrap() > 0);
            });
        }
        eprintln!("{name}: {rounds} times in {:?}", began.elapsed());
    }
    let told = server.told();
    assert!(
        !told.contains("withdrawn, ")
            || told
                .lines()
                .all(|line| !line.contains("withdrawn") || line.contains(" 0 withdrawn")),
        "{told}"
    );
}

/// Puts so many articles of a version into the folder of a site.
type Deploy = fn(&Site, usize, usize);

/// The next state of the folder, beside it.
fn release(site: &Site, count: usize, version: usize) {
    fs::create_dir_all(site.path("release")).unwrap();
    for n in 0..count {
        site.put(&format!("release/a{n:02}.md"), whole(n, version));
    }
}

/// Writes in pieces, with pauses.
fn slowly(site: &Site, path: &str, text: &str) {
    let mut file = fs::File::create(site.path(path)).unwrap();
    for piece in text.as_bytes().chunks(text.len() / 6 + 1) {
        file.write_all(piece).unwrap();
        file.sync_data().unwrap();
        std::thread::sleep(Duration::from_millis(40));
    }
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
    server.signal("HUP");
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
    run(&site, "mv articles elsewhere");
    until("it is told", || {
        server.told().contains("the old feeds stay")
    });
    assert_eq!(tag(&server), before);
    run(&site, "mv elsewhere articles");
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
    for signal in ["TERM", "KILL"] {
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
    let site = site(1);
    let mut command = Command::new("bash");
    // no inotify instance is to be had
    let script = format!(
        "exec unshare -r bash -c 'echo 0 > /proc/sys/user/max_inotify_instances && exec {} serve --listen 127.0.0.1:0'",
        env!("CARGO_BIN_EXE_tidings")
    );
    command.args(["-c", &script]).current_dir(site.home());
    let mut server = Server::spawn(command);
    let began = Instant::now();
    while !server.told().contains("open http") {
        if server.child.try_wait().unwrap().is_some() || began.elapsed() > Duration::from_secs(20) {
            eprintln!("skipped: no user namespace is to be had here");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
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
            site.put("next.toml", config.replace("Notes", &format!("T{version}")));
            match version % 3 {
                // emptied, then written in pieces
                0 => run(
                    &site,
                    "half=$(($(stat -c %s next.toml) / 2)); (head -c $half next.toml; sleep 0.1; tail -c +$((half + 1)) next.toml) > tidings.toml",
                ),
                // put aside, then written
                1 => run(
                    &site,
                    "mv tidings.toml tidings.toml~; sleep 0.3; cp next.toml tidings.toml",
                ),
                _ => run(&site, "mv next.toml tidings.toml"),
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
