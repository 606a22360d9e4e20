//! What happens to the folder itself, and at moments when events are lost: `tidings serve` hears all that comes after. The
//! periodic walk, which would find it too, comes once an hour here.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::common::Site;
use crate::common::server::{Server, until};
use crate::common::tool::skip;
use tidings::watch::Identity;

fn site() -> Site {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\n[serve]\nlog = \"off\"\nscan = \"1 hour\"\n",
    );
    for n in 0..4 {
        site.article(&format!("a{n}.md"), &format!("Title {n}"), "version 0");
    }
    site
}

/// Each of several edits is served: one could be found by a look that has another cause.
fn edits_are_served(site: &Site, server: &Server, path: &str) {
    for version in 1..6 {
        site.article(path, "Edited", &format!("{path} in version {version}"));
        until("an edit is served", || {
            server
                .body("/feed.json")
                .contains(&format!("{path} in version {version}"))
        });
    }
}

#[test]
fn a_folder_with_the_inode_of_one_that_went_is_another_folder() {
    let home = tempfile::tempdir().unwrap();
    let (folder, config) = (home.path().join("a"), home.path().join("c"));
    let mut seen = Vec::new();
    for _ in 0..20 {
        fs::create_dir(&folder).unwrap();
        let identity = Identity::of(&folder, &config);
        if fs::metadata(&folder).unwrap().created().is_err() {
            return skip("this file system does not know when a folder was made");
        }
        assert!(!seen.contains(&identity), "{identity:?}");
        seen.push(identity);
        fs::remove_dir(&folder).unwrap();
        // so rarely does the clock of some file systems go on
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_folder_that_was_moved_away_and_back_is_heard_again() {
    let site = site();
    let server = Server::start(&site);
    edits_are_served(&site, &server, "a0.md");
    let (here, there) = (site.path("articles"), site.path("elsewhere"));
    // so quickly that nobody can see that it was gone
    server.signal(Signal::STOP);
    fs::rename(&here, &there).unwrap();
    fs::rename(&there, &here).unwrap();
    server.signal(Signal::CONT);
    edits_are_served(&site, &server, "a1.md");
}

#[test]
fn what_happens_while_a_configuration_is_refused_is_heard() {
    let site = site();
    let server = Server::start(&site);
    for (n, pause) in [20, 60, 120, 180].into_iter().enumerate() {
        site.put("tidings.toml", format!("titel = {n}\n"));
        // the file is believed after a while: what comes before that, and then
        std::thread::sleep(Duration::from_millis(pause));
        fs::remove_file(site.path(&format!("articles/a{n}.md"))).unwrap();
        until("a deletion is noticed", || {
            !server.body("/feed.json").contains(&format!("/a{n}"))
        });
        until("the configuration is refused", || {
            server.told().matches("is refused").count() == n + 1
        });
    }
}

#[test]
fn a_folder_is_heard_when_a_link_to_it_is_gone() {
    let site = site();
    site.article("sub/b.md", "In it", "version 0");
    std::os::unix::fs::symlink("sub", site.path("articles/latest")).unwrap();
    let server = Server::start(&site);
    edits_are_served(&site, &server, "sub/b.md");
    fs::remove_file(site.path("articles/latest")).unwrap();
    edits_are_served(&site, &server, "a0.md");
    edits_are_served(&site, &server, "sub/b.md");
}

#[test]
fn what_is_put_into_folders_that_come_and_go_is_heard() {
    let site = site();
    let server = Server::start(&site);
    for round in 0..5 {
        // one in it goes while it is found
        for n in 0..20 {
            fs::create_dir_all(site.path(&format!("articles/new{round}/x{n}/y"))).unwrap();
        }
        for n in 0..20 {
            fs::remove_dir_all(site.path(&format!("articles/new{round}/x{n}"))).unwrap();
            fs::create_dir_all(site.path(&format!("articles/new{round}/z{n}"))).unwrap();
        }
        for n in [0, 19] {
            edits_are_served(&site, &server, &format!("new{round}/z{n}/c.md"));
        }
    }
}

/// Jiffies of processor time that a process took, with its threads.
fn processor_time(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    fields
        .skip(11)
        .take(2)
        .map(|time| time.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn with_more_folders_than_the_system_queues_events_it_comes_to_rest() {
    let limit = |name: &str| -> usize {
        let limit = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"));
        limit.unwrap().trim().parse().unwrap()
    };
    let folders = limit("max_queued_events") + 1000;
    if folders > 40_000 || folders > limit("max_user_watches") / 2 {
        return skip("the system's limits on watches are unusual");
    }
    let site = site();
    // to watch a folder makes an event for each in it: they are more than are kept
    for n in 0..folders {
        fs::create_dir(site.path(&format!("articles/x{n}"))).unwrap();
    }
    let server = Server::start(&site);
    for n in 0..2 {
        fs::create_dir(site.path(&format!("articles/new{n}"))).unwrap();
        edits_are_served(&site, &server, &format!("new{n}/c.md"));
        until("it rests", || {
            let before = processor_time(&server);
            std::thread::sleep(Duration::from_secs(2));
            processor_time(&server) - before < 20
        });
    }
}
