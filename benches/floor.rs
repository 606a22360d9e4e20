//! The floor under every feed publisher: the least that any program must do to a folder of articles, and nothing else. It
//! checks nothing, remembers nothing, and gets most things wrong; it only says how fast the machine is.
//!
//! `floor newest DIR FILE` reads all articles, finds their dates as text, renders the newest 30 and writes one feed;
//! `floor all DIR FILE` renders and cleans every one, and writes them all into one feed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a yardstick"
)]

use std::fs;
use std::path::PathBuf;

use rayon::prelude::*;

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn date(text: &str) -> &str {
    text.split_once("\ndate: ")
        .map_or("", |(_, rest)| &rest[..20])
}

fn body(text: &str) -> &str {
    text.split_once("\n---\n").map_or(text, |(_, body)| body)
}

fn html(text: &str) -> String {
    let mut html = String::new();
    let tables = pulldown_cmark::Options::ENABLE_TABLES;
    pulldown_cmark::html::push_html(
        &mut html,
        pulldown_cmark::Parser::new_ext(body(text), tables),
    );
    html
}

fn feed(items: &[(String, String)]) -> rss::Channel {
    let items = items.iter().map(|(date, html)| rss::Item {
        pub_date: Some(date.clone()),
        description: Some(html.clone()),
        ..rss::Item::default()
    });
    rss::Channel {
        items: items.collect(),
        ..rss::Channel::default()
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, what, folder, out] = args.as_slice() else {
        // `cargo bench` asks for nothing
        return;
    };
    let files = files(folder.into());
    let items: Vec<(String, String)> = if what == "newest" {
        let mut dates: Vec<(String, &PathBuf)> = files
            .par_iter()
            .map(|file| (date(&fs::read_to_string(file).unwrap()).to_owned(), file))
            .collect();
        dates.sort_by(|a, b| b.cmp(a));
        let newest = dates.into_iter().take(30);
        newest
            .map(|(date, file)| (date, html(&fs::read_to_string(file).unwrap())))
            .collect()
    } else {
        let cleaner = ammonia::Builder::default();
        let mut items: Vec<(String, String)> = files
            .par_iter()
            .map(|file| {
                let text = fs::read_to_string(file).unwrap();
                let clean = cleaner.clean(&html(&text)).to_string();
                (date(&text).to_owned(), clean)
            })
            .collect();
        items.sort_by(|a, b| b.0.cmp(&a.0));
        items
    };
    let file = fs::File::create(out).unwrap();
    feed(&items)
        .write_to(std::io::BufWriter::new(file))
        .unwrap();
}
