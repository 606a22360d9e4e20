//! Articles whose texts show whether they are whole, and which version they are.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Site;
use super::server::Server;

/// Sets a flag when it is dropped, also when a test fails, so that threads that wait for the flag end.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Returns a site with a permalink, so that a build writes feeds and no pages.
pub fn site(articles: usize) -> Site {
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

/// Returns a text that shows whether it is whole, and which version it is.
pub fn text(n: usize, version: usize) -> String {
    format!(
        "BEGIN {n}/{version} {}END {n}/{version}",
        "word ".repeat(300)
    )
}

pub fn whole(n: usize, version: usize) -> String {
    format!(
        "---\ntitle: Title {n:02}\ndate: 2026-05-01T10:00:00Z\n---\n{}\n",
        text(n, version)
    )
}

/// Returns the entries of the feed: number and version of each, all of them whole.
pub fn entries(server: &Server) -> BTreeSet<(usize, usize)> {
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

pub fn all(count: usize, version: usize) -> BTreeSet<(usize, usize)> {
    (0..count).map(|n| (n, version)).collect()
}

/// Writes a file in pieces, with pauses.
pub fn write_slowly(site: &Site, path: &str, text: &str) {
    let mut file = fs::File::create(site.path(path)).unwrap();
    for piece in text.as_bytes().chunks(text.len() / 6 + 1) {
        file.write_all(piece).unwrap();
        file.sync_data().unwrap();
        std::thread::sleep(Duration::from_millis(40));
    }
}
