//! `tidings serve` while articles are deployed into its folder. However that is done, no reader gets half a text, nothing
//! is withdrawn meanwhile, and in the end everything is served.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::Site;
use crate::common::extent::rounds;
use crate::common::server::{Server, until};
use crate::common::tool::is_installed;
use crate::common::versions::{Over, all, entries, site, whole, write_slowly};

/// How many articles a site has.
const COUNT: usize = 12;

/// Deploys version after version with `deploy` while a reader looks.
fn converges(site: &Site, deploy: impl Fn(&Site, usize)) {
    let server = Server::start(site);
    for version in 1..=rounds(8, 50) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(entries(&server).len(), COUNT, "something is withdrawn");
                    std::thread::sleep(Duration::from_millis(3));
                }
            });
            let ended = Over(&over);
            deploy(site, version);
            until("the version is served", || {
                entries(&server) == all(COUNT, version)
            });
            drop(ended);
            reader.join().unwrap();
        });
    }
    let told = server.told();
    let withdrawn = told.lines().filter(|line| line.contains("withdrawn"));
    let withdrawn: Vec<&str> = withdrawn
        .filter(|line| !line.contains(" 0 withdrawn"))
        .collect();
    assert!(withdrawn.is_empty(), "{withdrawn:?}");
}

/// Writes a version of every article into the folder `release`.
fn release(site: &Site, version: usize) {
    for n in 0..COUNT {
        site.put(&format!("release/a{n:02}.md"), whole(n, version));
    }
}

/// Writes each article as vim does with `backupcopy=no`: the old file aside, the new one, the old one away.
fn put_aside(site: &Site, version: usize) {
    for n in 0..COUNT {
        let path = format!("articles/a{n:02}.md");
        let aside = format!("{path}~");
        site.rename(&path, &aside);
        a_moment();
        let mut file = fs::File::create(site.path(&path)).unwrap();
        a_moment();
        file.write_all(whole(n, version).as_bytes()).unwrap();
        site.remove(&aside);
    }
}

/// Writes each article as `sed -i` and most editors do: the new file beside the old one, and over it.
fn rename_over(site: &Site, version: usize) {
    for n in 0..COUNT {
        let beside = format!("articles/sed{n:02}");
        site.write(&beside, whole(n, version));
        a_moment();
        site.rename(&beside, &format!("articles/a{n:02}.md"));
    }
}

/// Waits as long as a shell takes to start the next command.
fn a_moment() {
    std::thread::sleep(Duration::from_millis(2));
}

fn git(site: &Site, folder: &str, arguments: &[&str]) {
    let mut command = Command::new("git");
    // the user's settings and a surrounding git hook must not matter
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let run = command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(arguments)
        .current_dir(site.path(folder))
        .output()
        .unwrap();
    assert!(run.status.success(), "git {arguments:?}: {run:?}");
}

#[test]
fn git_pull_shows_no_half_text() {
    let site = site(COUNT);
    git(&site, "articles", &["init", "-q"]);
    git(&site, "articles", &["add", "-A"]);
    git(&site, "articles", &["commit", "-qm", "0"]);
    git(&site, "", &["clone", "-q", "articles", "work"]);
    converges(&site, |site, version| {
        for entry in fs::read_dir(site.path("work")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name != ".git" {
                site.remove(&format!("work/{name}"));
            }
        }
        for n in 0..COUNT {
            // half of the files move to another folder and back
            let moves = n % 2 == 0 && version % 2 == 1;
            let folder = if moves { "moved/" } else { "" };
            site.put(&format!("work/{folder}a{n:02}.md"), whole(n, version));
        }
        // git itself may overlook a change within one tick
        site.remove("work/.git/index");
        git(site, "work", &["add", "-A"]);
        git(site, "work", &["commit", "-qm", &version.to_string()]);
        git(site, "articles", &["pull", "-q", "../work"]);
    });
}

#[test]
fn rsync_shows_no_half_text() {
    if !is_installed("rsync") {
        return;
    }
    converges(&site(COUNT), |site, version| {
        release(site, version);
        let run = Command::new("rsync")
            .args(["-ac", "--delete", "release/", "articles/"])
            .current_dir(site.home())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
    });
}

#[test]
fn another_folder_in_its_place_shows_no_half_text() {
    converges(&site(COUNT), |site, version| {
        release(site, version);
        site.rename("articles", "old");
        a_moment();
        site.rename("release", "articles");
        site.remove("old");
    });
}

#[test]
fn a_symlink_that_leads_elsewhere_shows_no_half_text() {
    converges(&site(COUNT), |site, version| {
        // edits through the link must be seen, too
        match version % 3 {
            0 => put_aside(site, version),
            1 => rename_over(site, version),
            _ => {
                release(site, version);
                let target = format!("release-{version}");
                site.rename("release", &target);
                if !site.path("articles").is_symlink() {
                    site.rename("articles", "first");
                    symlink("first", site.path("articles")).unwrap();
                }
                symlink(&target, site.path("next")).unwrap();
                site.rename("next", "articles");
            }
        }
    });
}

#[test]
fn an_editor_that_puts_the_old_file_aside_shows_no_half_text() {
    converges(&site(COUNT), put_aside);
}

#[test]
fn a_file_that_is_renamed_over_the_old_one_shows_no_half_text() {
    converges(&site(COUNT), rename_over);
}

#[test]
fn a_slow_writer_shows_no_half_text() {
    converges(&site(COUNT), |site, version| {
        for n in 0..COUNT {
            let path = format!("articles/a{n:02}.md");
            if n == 0 || n == COUNT - 1 {
                write_slowly(site, &path, &whole(n, version));
            } else {
                site.put(&path, whole(n, version));
            }
        }
    });
}

/// Makes the server look at the whole folder, whatever it heard.
fn refresh(site: &Site) {
    let mut admin = UnixStream::connect(site.path("admin.sock")).unwrap();
    let request = "POST /refresh HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    admin.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    admin.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

/// A site whose server can be told to look at everything.
fn site_with_admin() -> Site {
    let site = site(COUNT);
    let settings = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        format!("{settings}admin = \"unix:admin.sock\"\n"),
    );
    site
}

#[test]
fn a_gap_is_waited_for_though_everything_is_looked_at_meanwhile() {
    let site = site_with_admin();
    let server = Server::start(&site);
    for version in 1..=5 {
        site.rename("articles/a00.md", "articles/a00.md~");
        refresh(&site);
        // a gap is waited for 200 ms
        for _ in 0..20 {
            assert_eq!(entries(&server).len(), COUNT, "something is withdrawn");
            std::thread::sleep(Duration::from_millis(2));
        }
        site.rename("articles/a00.md~", "articles/a00.md");
        // the gap is over before the next one begins
        site.put("articles/a01.md", whole(1, version));
        until("another article is served", || {
            entries(&server).contains(&(1, version))
        });
    }
    // and what stays away is withdrawn
    site.remove("articles/a00.md");
    until("it is withdrawn", || entries(&server).len() == COUNT - 1);
}

#[test]
fn drafts_stay_drafts_while_the_file_that_says_so_is_replaced() {
    let site = site_with_admin();
    let section = "articles/later/_index.md";
    site.put(section, "---\ndraft: true\n---\n");
    site.put("articles/later/x.md", whole(99, 0));
    let server = Server::start(&site);
    for version in 1..=5 {
        site.rename(section, &format!("{section}~"));
        refresh(&site);
        for _ in 0..20 {
            assert_eq!(entries(&server).len(), COUNT, "a draft is published");
            std::thread::sleep(Duration::from_millis(2));
        }
        site.rename(&format!("{section}~"), section);
        site.put("articles/a01.md", whole(1, version));
        until("another article is served", || {
            entries(&server).contains(&(1, version))
        });
    }
}

/// Lays a version of a Kubernetes `ConfigMap`, and swaps it in as the kubelet does.
fn swap_config_map(site: &Site, version: &str, text: &str) {
    site.put(
        &format!("articles/..{version}/one.md"),
        format!("---\ntitle: One\ndate: 2026-05-01\n---\n{text}\n"),
    );
    let link = site.path("articles/..data_tmp");
    symlink(format!("..{version}"), &link).unwrap();
    std::fs::rename(link, site.path("articles/..data")).unwrap();
}

#[test]
fn articles_of_a_config_map_are_read_and_a_swap_is_served_at_once() {
    let site = Site::new();
    swap_config_map(&site, "2026_11_30", "The first text.");
    symlink("..data/one.md", site.path("articles/one.md")).unwrap();
    symlink("..data/none.md", site.path("articles/none.md")).unwrap();
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("articles/none.md: is a symlink that leads nowhere"),
        "{}",
        run.stderr
    );
    let list = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .arg("list")
        .current_dir(site.home())
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("is a symlink that leads nowhere"), "{list}");
    let server = Server::start(&site);
    assert!(server.body("/rss.xml").contains("The first text."));
    for (version, text) in [
        ("2026_12_01", "The second text."),
        ("2026_12_02", "The third text."),
    ] {
        swap_config_map(&site, version, text);
        until("the swap is served", || {
            server.body("/rss.xml").contains(text)
        });
    }
    site.remove("articles/..2026_11_30");
    assert!(server.body("/rss.xml").contains("The third text."));
}
