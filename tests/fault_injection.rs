//! One system call of a build, or of a server, fails, each in turn: no id and no date changes, no article vanishes, and what is said of the
//! feeds is true. `strace` makes the calls fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use tidings::check::read::read;
use tidings::edition::Kind;

use crate::common::extent::rounds;
use crate::common::server::{LONG, Server, field, until};
use crate::common::tool::{is_installed, skip};
use crate::common::{Site, copy};

/// Calls that decide, and calls that change: those of a kind fail one after the other.
const CALLS: [&str; 5] = [
    "statx,newfstatat,stat,lstat,fstat",
    "openat,open",
    "read,pread64,getdents64",
    "write,pwrite64,writev,fsync,fdatasync,syncfs,ftruncate,fchmod",
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,utimensat",
];

const DOCUMENTS: [(Kind, &str); 3] = [
    (Kind::Rss, "feeds/rss.xml"),
    (Kind::Atom, "feeds/atom.xml"),
    (Kind::Json, "feeds/feed.json"),
];

type Entries = BTreeMap<String, (String, String)>;

fn bytes(site: &Site) -> Vec<Vec<u8>> {
    DOCUMENTS
        .iter()
        .map(|(_, file)| std::fs::read(site.path(file)).unwrap())
        .collect()
}

/// The entries of a document, and what it is called.
fn entries_of(kind: Kind, bytes: &[u8], document: &str) -> Entries {
    let feed = read(kind, bytes).unwrap_or_else(|| panic!("{document} is torn"));
    let own = (String::new(), (feed.title.clone().unwrap(), String::new()));
    let entries = feed.entries.into_iter().map(|entry| {
        let dates = (
            format!("{:?}", entry.published),
            format!("{:?}", entry.updated),
        );
        (entry.id, dates)
    });
    entries.chain([own]).collect()
}

fn entries(site: &Site) -> Vec<Entries> {
    let documents = DOCUMENTS.iter().zip(bytes(site));
    documents
        .map(|((kind, file), bytes)| entries_of(*kind, &bytes, file))
        .collect()
}

/// A site that was built, and is about to be built again: an article is new, another was changed, a third is as it was.
fn site() -> Site {
    let mut site = Site::bare();
    // what it is called the ledger tells
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.put(
        "articles/same.md",
        "---\ntitle: Same\ndate: 2026-05-01\n---\nText.\n",
    );
    site.put(
        "articles/undated.md",
        "---\ntitle: Undated\n---\n![boat](boat.png)\n",
    );
    site.put("articles/boat.png", b"\x89PNG\r\n\x1a\nboat");
    site.put(
        "articles/changed.md",
        "---\ntitle: Changed\ndate: 2026-05-03\n---\nText.\n",
    );
    site.build(&[]);
    site.now += 3_600;
    site.put(
        "articles/changed.md",
        "---\ntitle: Changed\ndate: 2026-05-03\n---\nOther text.\n",
    );
    site.put(
        "articles/new.md",
        "---\ntitle: New\ndate: 2026-05-04\n---\nText.\n",
    );
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
        let to = other.path(name);
        if to.is_dir() {
            std::fs::remove_dir_all(&to).unwrap();
        }
        // times and all: what was settled is settled
        let status = Command::new("cp")
            .arg("-a")
            .arg(site.path(name))
            .arg(&to)
            .status();
        if !status.is_ok_and(|status| status.success()) {
            copy(&site.path(name), &to);
        }
    }
    other
}

fn strace(site: &Site, options: &[&str], log: &Path) -> (i32, String) {
    let mut command = Command::new("strace");
    command.arg("-f").arg("-o").arg(log).args(options);
    command
        .arg(env!("CARGO_BIN_EXE_tidings"))
        .arg("build")
        .current_dir(site.home());
    // one thread: the same call is the same in each run
    command
        .env("SOURCE_DATE_EPOCH", site.now.to_string())
        .env("RAYON_NUM_THREADS", "1");
    let output = command.output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Whether calls can be made to fail here; the test that asks is skipped if not.
fn can_trace() -> bool {
    let can_trace = is_installed("strace")
        && Command::new("strace")
            .args(["-o", "/dev/null", "true"])
            .status()
            .is_ok_and(|status| status.success());
    if !can_trace {
        skip("strace cannot make calls fail here");
    }
    can_trace
}

#[test]
fn no_failing_call_of_a_build_harms_a_subscriber() {
    if !can_trace() {
        return;
    }
    let site = site();
    let (old, before) = (bytes(&site), entries(&site));
    let control = copy_of(&site);
    assert_eq!(control.build(&[]).code, 0);
    let after = entries(&control);
    let log = site.path("calls");
    for calls in CALLS {
        let copy = copy_of(&site);
        strace(&copy, &["-e", &format!("trace={calls}")], &log);
        let count = std::fs::read_to_string(&log).unwrap().lines().count();
        let step = (count / rounds(10, 60)).max(1);
        for call in (1..=count).step_by(step) {
            let copy = copy_of(&site);
            let (code, said) = strace(
                &copy,
                &["-e", &format!("inject={calls}:error=EIO:when={call}")],
                &log,
            );
            let case = format!("{calls} {call}: exit {code}: {said}");
            if ![0, 3, 5].contains(&code) {
                // the program itself could not be loaded, or could not say a word
                assert!(
                    code == 127 || said.contains("error while loading") || said.is_empty(),
                    "{case}"
                );
                continue;
            }
            let now = entries(&copy);
            for ((now, before), after) in now.iter().zip(&before).zip(&after) {
                let ids: BTreeSet<&String> = now.keys().collect();
                assert!(
                    before.keys().all(|id| ids.contains(id)),
                    "an article vanished: {case}"
                );
                for (id, dates) in now {
                    let known = [before.get(id), after.get(id)];
                    assert!(known.contains(&Some(dates)), "{id} {dates:?}: {case}");
                }
            }
            if said.contains("nothing was published") {
                assert_eq!(bytes(&copy), old, "{case}");
            }
            // each thread has its own first call: what was to be said may have failed too
            if code == 5 && said.ends_with('\n') {
                assert!(
                    said.contains("the old feeds stay")
                        || said.contains("documents are new; the next run finishes"),
                    "{case}"
                );
                assert!(
                    ["`", "tidings.toml:", "ledger.jsonl:"]
                        .iter()
                        .any(|name| said.contains(name)),
                    "names no file: {case}"
                );
            }
            let ledger = copy.read("ledger.jsonl");
            assert!(
                before[2].keys().all(|id| ledger.contains(id.as_str())),
                "{case}\n{ledger}"
            );
            let next = copy.build(&[]);
            assert_eq!(next.code, 0, "{case}\nthen {}", next.stderr);
            assert_eq!(entries(&copy), after, "{case}\nthen {}", next.stderr);
        }
    }
}

/// Starts a server of which some calls fail; it is the child itself, and the tracer is not.
fn serve(site: &Site, options: &[&str], log: &Path) -> Server {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-o"]).arg(log).args(options);
    command
        .arg(env!("CARGO_BIN_EXE_tidings"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .current_dir(site.home())
        .env("RAYON_NUM_THREADS", "1");
    Server::spawn(command)
}

/// The port at which a server listens, once it does.
fn port(told: &str) -> Option<u16> {
    let rest = told.split("open http://localhost:").nth(1)?;
    rest.split('/').next()?.parse().ok()
}

/// What a server serves, if the answer is whole.
fn served(port: u16) -> Option<Entries> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LONG)).ok()?;
    let request = b"GET /feed.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_whole = field(head, "content-length").parse() == Ok(body.len());
    if !head.starts_with("HTTP/1.1 200") || !is_whole {
        return None;
    }
    Some(entries_of(Kind::Json, body.as_bytes(), "what is served"))
}

/// What must be true of what a server shows: nothing that was public is gone or has another date, and what is new is new.
fn assert_harmless(now: &Entries, before: &Entries, case: &str) {
    for (id, (published, updated)) in before {
        let found = now.get(id);
        let found = found.unwrap_or_else(|| panic!("{id} vanished: {case}"));
        assert_eq!(&found.0, published, "{id}: {case}");
        // one article was changed, and has the date of this run
        assert!(
            &found.1 == updated || id.ends_with("/changed"),
            "{id}: {found:?}, not {updated}: {case}"
        );
    }
    let mut new = now.keys().filter(|id| !before.contains_key(*id));
    assert!(new.all(|id| id.ends_with("/new")), "{now:?}: {case}");
}

#[test]
fn no_failing_call_of_a_server_harms_a_subscriber() {
    if !can_trace() {
        return;
    }
    let mut site = site();
    // the clock of a server is that of the machine
    let settings = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        settings + "[serve]\nlog = \"off\"\nscan = \"1 second\"\n",
    );
    site.now += 3_600;
    let before = entries(&site);
    let log = site.path("calls");
    for calls in CALLS {
        let copy = copy_of(&site);
        let server = serve(&copy, &["-e", &format!("trace={calls}")], &log);
        until("all is served", || {
            let now = port(&server.told()).and_then(served);
            now.is_some_and(|now| now.len() > before[2].len())
        });
        drop(server);
        // each thread counts its own calls
        let mut threads: BTreeMap<String, usize> = BTreeMap::new();
        for line in std::fs::read_to_string(&log).unwrap().lines() {
            let thread = line.split(' ').next().unwrap_or_default();
            *threads.entry(thread.to_owned()).or_default() += 1;
        }
        let count = threads.into_values().max().unwrap_or_default();
        let step = (count / rounds(4, 60)).max(1);
        for call in (1..=count).step_by(step) {
            let copy = copy_of(&site);
            let inject = format!("inject={calls}:error=EIO:when={call}");
            let mut server = serve(&copy, &["-e", &inject], &log);
            let case = format!("{calls} {call}");
            // it ends, or serves everything, or says that it cannot: the same call of each thread that comes later fails too
            until(&case, || {
                if server.child.try_wait().unwrap().is_some() {
                    return true;
                }
                let told = server.told();
                // the line that tells the port may be what could not be written
                let now = match port(&told) {
                    Some(port) => served(port),
                    None => Some(entries(&copy).remove(2)),
                };
                now.is_some_and(|now| {
                    assert_harmless(&now, &before[2], &case);
                    now.len() > before[2].len() || told.contains("the old feeds stay")
                })
            });
            let told = server.told();
            drop(server);
            let case = format!("{case}: {told}");
            for (now, before) in entries(&copy).iter().zip(&before) {
                assert_harmless(now, before, &case);
            }
            let ledger = copy.read("ledger.jsonl");
            assert!(
                before[2].keys().all(|id| ledger.contains(id.as_str())),
                "{case}\n{ledger}"
            );
            let next = serve(&copy, &["-e", "trace=none"], &log);
            until("the next one serves all", || {
                let now = port(&next.told()).and_then(served);
                now.is_some_and(|now| {
                    assert_harmless(&now, &before[2], &case);
                    now.len() > before[2].len()
                })
            });
        }
    }
}
