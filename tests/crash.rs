//! kill -9 at random moments, and at each system call that changes something: no document is ever torn, no id changes,
//! and the next run mends everything.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use crate::common::Site;
use crate::common::tool::is_installed;
use tidings::check::{Place, check, read};
use tidings::edition::Kind;

const DOCUMENTS: [(&str, Kind); 4] = [
    ("rss.xml", Kind::Rss),
    ("atom.xml", Kind::Atom),
    ("feed.json", Kind::Json),
    ("feeds.opml", Kind::Opml),
];

/// Every document that is there is whole and valid, and its encodings belong to it; the ids by link.
fn inspect(site: &Site) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for (name, kind) in DOCUMENTS {
        let Ok(bytes) = fs::read(site.path("feeds").join(name)) else {
            continue;
        };
        let url = format!("https://example.org/{name}");
        let found = check(kind, &bytes, Place { url: &url });
        assert!(
            found.iter().all(|finding| !finding.refuses),
            "{name} is torn: {found:?}"
        );
        if let Ok(gz) = fs::read(site.path("feeds").join(format!("{name}.gz"))) {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gz[..]), &mut plain)
                .unwrap();
            assert!(plain == bytes, "{name}.gz belongs to another version");
        }
        for entry in read::read(kind, &bytes)
            .into_iter()
            .flat_map(|feed| feed.entries)
        {
            let link = entry.link.unwrap();
            let known = ids.entry(link.clone()).or_insert_with(|| entry.id.clone());
            assert_eq!(*known, entry.id, "{link} has two ids");
        }
    }
    ids
}

/// The ids of `now` are those of `before`, wherever both have one.
fn same(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) {
    for (link, id) in now {
        assert!(
            before.get(link).is_none_or(|old| old == id),
            "the id of {link} changed"
        );
    }
}

/// Something that each run must publish: a change, a new article without a date, a withdrawal.
fn change(site: &mut Site, round: usize) {
    site.now += 60;
    site.article("a.md", "One", &format!("Text of round {round}."));
    site.put(
        &format!("articles/undated-{}.md", round % 7),
        format!("# Undated {}\n\nText {round}.\n", round % 7),
    );
    let gone = site.path(&format!("articles/undated-{}.md", (round + 3) % 7));
    if gone.exists() {
        fs::remove_file(gone).unwrap();
    }
}

fn settle(site: &Site) {
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{run:?}");
    let leftovers: Vec<_> = [
        site.path("feeds"),
        site.home().to_owned(),
        site.path(".tidings"),
    ]
    .iter()
    .flat_map(|folder| {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
    })
    .filter(|name| name.starts_with(".tidings-"))
    .collect();
    assert_eq!(
        leftovers,
        Vec::<String>::new(),
        "temporary files stay behind"
    );
    for (name, _) in DOCUMENTS {
        for suffix in [".gz", ".br", ".etag"] {
            assert!(
                site.path("feeds").join(format!("{name}{suffix}")).exists(),
                "{name}{suffix} is missing"
            );
        }
    }
}

fn site() -> Site {
    let site = Site::new();
    site.article("a.md", "One", "Text.");
    site.article("b.md", "Two", "Other.");
    site.build_well();
    site
}

#[test]
fn a_build_that_is_killed_at_any_moment_tears_nothing() {
    let mut site = site();
    let mut known = inspect(&site);
    let mut killed = 0;
    // how long a build takes is not known: the moments are spread over what the longest took
    let mut longest = 8_000u64;
    for round in 0..300u64 {
        change(&mut site, usize::try_from(round).unwrap());
        let start = std::time::Instant::now();
        let mut run = site
            .command(&[])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let moment = std::time::Duration::from_micros(round * 7919 % longest);
        while start.elapsed() < moment && run.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
        killed += u32::from(run.try_wait().unwrap().is_none());
        run.kill().unwrap();
        if run.wait().unwrap().success() {
            longest = u64::try_from(start.elapsed().as_micros()).unwrap() + 1000;
        }
        let now = inspect(&site);
        same(&known, &now);
        known.extend(now);
        if round % 10 == 9 {
            settle(&site);
            let now = inspect(&site);
            same(&known, &now);
            known.extend(now);
        }
    }
    assert!(killed > 50, "only {killed} builds were killed");
}

#[test]
fn a_build_that_is_killed_at_each_changing_system_call_tears_nothing() {
    if !is_installed("strace") {
        return;
    }
    let mut site = site();
    let mut known = inspect(&site);
    let mut killed = 0;
    for call in [
        "write",
        "fsync",
        "fdatasync",
        "rename",
        "renameat",
        "renameat2",
        "unlink",
        "unlinkat",
        "utimensat",
        "linkat",
        "openat",
        "mkdir",
    ] {
        let limit = if call == "openat" || call == "write" {
            90
        } else {
            60
        };
        for nth in (1..=limit).step_by(if limit > 60 { 3 } else { 1 }) {
            change(&mut site, killed + nth);
            let mut run = Command::new("strace");
            run.args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-e",
                &format!("inject={call}:signal=KILL:when={nth}"),
            ]);
            run.arg(env!("CARGO_BIN_EXE_tidings"))
                .arg("build")
                .current_dir(site.home());
            run.env("SOURCE_DATE_EPOCH", site.now.to_string())
                .env("RAYON_NUM_THREADS", "1")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let done = run.status().unwrap().success();
            let now = inspect(&site);
            same(&known, &now);
            known.extend(now);
            if done {
                // there is no such call any more
                break;
            }
            killed += 1;
            settle(&site);
            same(&known, &inspect(&site));
        }
    }
    assert!(killed > 60, "only {killed} builds were killed");
}
