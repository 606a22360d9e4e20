//! Which files of a folder become articles, and what is said of those that cannot.
#![allow(clippy::duration_suboptimal_units, reason = "shorter to read")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::common::Site;
use tidings::catalogue::{Catalogue, Class};
use tidings::folder::{Finished, Found, Scan, shrunk, unrest};

/// A walk by somebody who knows nothing yet.
fn scan(root: &Path) -> Scan {
    tidings::folder::scan(
        root,
        &tidings::folder::Ours::default(),
        &Catalogue::default(),
    )
    .unwrap()
}

fn of(class: Class, scan: &Scan) -> Vec<&Found> {
    scan.changed
        .iter()
        .filter(|found| found.class == class)
        .collect()
}

fn articles(root: &Path) -> Vec<String> {
    let scan = scan(root);
    let articles = of(Class::Article, &scan).into_iter();
    articles.map(|found| found.path.clone()).collect()
}

#[test]
fn articles_assets_and_what_is_neither_are_told_apart() {
    let site = Site::bare();
    for name in [
        "a.md",
        "b.MARKDOWN",
        "c.mdown",
        "d.mkd",
        "e.html",
        "f.htm",
        "g.XHTML",
        "h.txt",
        "i.text",
        "sub/j.md",
        "dir.md/k.md",
        "_posts/l.md",
        "_drafts/m.md",
        "sub/README.md",
    ] {
        site.put(&format!("articles/{name}"), "x");
    }
    for name in [
        ".hidden.md",
        "_index.md",
        "_private/n.md",
        ".git/o.md",
        "p.md~",
        ".q.md.swp",
        "#r.md#",
        "s.md.bak",
        "t.md.tmp",
        "4913",
        ".goutputstream-X.md",
        "README.md",
        "readme.txt",
    ] {
        site.put(&format!("articles/{name}"), "x");
    }
    for name in ["u.rst", "v.rst", "w.adoc", "image.png", "no-suffix"] {
        site.put(&format!("articles/{name}"), "x");
    }
    let found = scan(&site.path("articles"));
    let articles = of(Class::Article, &found);
    let paths: Vec<&str> = articles.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "_drafts/m.md",
            "_posts/l.md",
            "a.md",
            "b.MARKDOWN",
            "c.mdown",
            "d.mkd",
            "dir.md/k.md",
            "e.html",
            "f.htm",
            "g.XHTML",
            "h.txt",
            "i.text",
            "sub/README.md",
            "sub/j.md"
        ]
    );
    assert!(articles[0].draft && articles.iter().filter(|found| found.draft).count() == 1);
    assert_eq!(
        of(Class::Asset, &found)
            .iter()
            .map(|found| found.path.as_str())
            .collect::<Vec<_>>(),
        ["image.png", "no-suffix"]
    );
    let said: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "once for each extension: {said:?}");
    assert!(
        said.iter()
            .any(|said| said.contains("not read: files ending in `.rst`")),
        "{said:?}"
    );
}

#[test]
fn links_are_followed_only_inside_the_folder_and_nothing_is_read_twice() {
    let site = Site::bare();
    site.put("outside/secret.md", "secret");
    site.put("articles/a.md", "x");
    site.put("articles/sub/b.md", "x");
    site.put("articles/.hidden/c.md", "x");
    let root = site.path("articles");
    for (target, name) in [
        ("a.md", "again.md"),
        ("sub", "alias"),
        ("..", "sub/up"),
        ("../outside/secret.md", "escape.md"),
        ("../outside", "escape"),
        ("/etc/passwd", "passwd.txt"),
        ("nowhere.md", "dangling.md"),
        ("loop.md", "loop.md"),
        (".hidden/c.md", "hidden.md"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let found = scan(&root);
    let articles = of(Class::Article, &found);
    let paths: Vec<&str> = articles.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["a.md", "sub/b.md"]);
    let said: String = found
        .problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    for name in [
        "escape.md",
        "escape:",
        "passwd.txt",
        "dangling.md",
        "loop.md",
        "hidden.md",
    ] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!site.build(&[]).stdout.contains("secret"));
    assert!(!site.read("feeds/rss.xml").contains("secret"));
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let site = Site::bare();
    site.article("good.md", "Good", "Text.");
    let fifo = site.path("articles/fifo.md");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("articles/socket.md")).unwrap();
    fs::File::create(site.path("articles/huge.md"))
        .unwrap()
        .set_len(1 << 42)
        .unwrap();
    let run = site.build(&[]);
    assert_eq!(run.code, 3);
    for said in [
        "fifo.md: is a FIFO, no file",
        "socket.md: is a socket, no file",
        "huge.md: is 4398046511104 bytes long; at most 16777216 are read",
    ] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert!(site.read("feeds/rss.xml").contains("Good"));
}

#[test]
fn bytes_that_are_no_text_in_a_name_are_encoded() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::bare();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.md");
    fs::write(site.path("articles").join(name), "x").unwrap();
    assert_eq!(articles(&site.path("articles")), ["caf%E9.md"]);
}

#[test]
fn a_text_that_was_written_a_moment_ago_is_waited_for() {
    let site = Site::bare();
    site.article("old.md", "Old", "Text.");
    let scanned = |site: &Site| scan(&site.path("articles"));
    let now = std::time::SystemTime::now();
    assert!(unrest(&scanned(&site), &Finished::default(), now).is_zero());
    fs::write(site.path("articles/new.md"), "half of").unwrap();
    let mtime = fs::metadata(site.path("articles/new.md"))
        .unwrap()
        .modified()
        .unwrap();
    let milliseconds = |age: u64| {
        unrest(
            &scanned(&site),
            &Finished::default(),
            mtime + std::time::Duration::from_millis(age),
        )
        .as_millis()
    };
    assert_eq!(
        (milliseconds(0), milliseconds(150), milliseconds(200)),
        (200, 50, 0)
    );
    // a time in the future counts for nothing
    assert!(
        unrest(
            &scanned(&site),
            &Finished::default(),
            mtime - std::time::Duration::from_secs(60)
        )
        .is_zero()
    );
}

#[test]
fn less_than_half_of_ten_files_or_more_is_an_accident() {
    assert!(shrunk(10, 4) && shrunk(100, 0));
    assert!(!shrunk(10, 5) && !shrunk(9, 0) && !shrunk(10, 12));
}

#[test]
fn what_may_not_be_read_keeps_its_last_good_version() {
    let mut site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.article("good.md", "Good", "![](image.png) Text.");
    site.article("closed/inside.md", "Inside", "Text inside.");
    site.article("file.md", "File", "Text of a file.");
    site.put("articles/image.png", "png");
    site.build_well();
    let before = site.read("feeds/rss.xml");
    let home = site.home().to_owned();
    let deny = |path: &str, mode: u32| {
        fs::set_permissions(home.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    deny("articles/closed", 0);
    deny("articles/file.md", 0);
    if fs::read_dir(site.path("articles/closed")).is_ok() {
        // root may read everything; the same run as a user of no rights
        deny("articles/closed", 0o755);
        return as_nobody(&site);
    }
    site.now += 60;
    let run = site.build(&[]);
    deny("articles/closed", 0o755);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(site.read("feeds/rss.xml"), before, "{run:?}");
}

/// Runs the program as `nobody`, who owns the site, and may not look into one folder and one file.
fn as_nobody(site: &Site) {
    let nobody = 65_534;
    let before = site.read("feeds/rss.xml");
    let home = site.home();
    // the user `nobody` may not be able to reach the target folder; and what this process copied itself could not be
    // run while another test starts a program, which has the file open for writing until it is started
    let program = home.join("tidings");
    let copied = std::process::Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_tidings"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    give(home, nobody);
    for (path, mode) in [("", 0o755), ("articles/closed", 0), ("articles/file.md", 0)] {
        fs::set_permissions(home.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let run = std::process::Command::new(&program)
        .arg("build")
        .current_dir(home)
        .uid(nobody)
        .gid(nobody)
        .env("SOURCE_DATE_EPOCH", (site.now + 60).to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(3), "{said}");
    for path in [
        "articles/closed",
        "articles/closed/inside.md",
        "articles/file.md",
    ] {
        assert!(said.contains(path), "{path}: {said}");
    }
    assert_eq!(site.read("feeds/rss.xml"), before, "{said}");
}

/// Makes `owner` the owner of a folder and of everything in it.
fn give(place: &Path, owner: u32) {
    std::os::unix::fs::chown(place, Some(owner), Some(owner)).unwrap();
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            give(&entry.unwrap().path(), owner);
        }
    }
}
