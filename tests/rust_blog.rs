//! Real articles, written for Zola: what an independent reader of the same files says of them is what the feed says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may fail, speak, and ask the clock"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::Site;

#[test]
fn the_rust_blog_comes_out_as_expected() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if !corpora.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} is missing",
            corpora.display()
        );
        println!("skipped: {} is missing", corpora.display());
        return;
    }
    let site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://blog.example.org/\"\ntitle = \"Blog\"\n[defaults]\nlimit = 1000\nmax_bytes = \"100 MB\"\n");
    let files: Vec<_> = fs::read_dir(corpora.join("rust-blog"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    for file in &files {
        site.put(
            &format!("articles/{}", file.file_name().unwrap().to_string_lossy()),
            fs::read(file).unwrap(),
        );
    }
    let run = site.build(&["--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stderr, "", "nothing is wrong with these articles");
    let feed: serde_json::Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    let ledger = site.read("ledger.jsonl");
    let items: BTreeMap<&str, &serde_json::Value> = feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].as_str().unwrap(), item))
        .collect();
    let deviations = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora/rust-blog.tsv"),
    )
    .unwrap();
    let explained = |file: &str, what: &str| {
        deviations
            .lines()
            .any(|line| line.split('\t').take(2).eq([file, what]))
    };
    let expected = fs::read_to_string(corpora.join("expected-rust-blog.tsv")).unwrap();
    let mut differences = Vec::new();
    let mut compared = 0;
    for line in expected.lines().skip(1) {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let (file, published, title, authors) = (next(), next(), next(), next());
        let record = ledger
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find(|record| record["path"] == file.as_str());
        let Some(item) = record.and_then(|record| items.get(record["id"].as_str()?).copied())
        else {
            differences
                .extend((!explained(&file, "missing")).then(|| format!("{file}: is in no feed")));
            continue;
        };
        compared += 1;
        let names: Vec<&str> = item["authors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|author| author["name"].as_str())
            .collect();
        for (what, got, wanted) in [
            (
                "published",
                &item["date_published"].as_str().unwrap()[..10],
                published.as_str(),
            ),
            ("title", item["title"].as_str().unwrap(), title.as_str()),
            ("authors", &names.join("; "), authors.as_str()),
        ] {
            if got != wanted && !explained(&file, what) {
                differences.push(format!("{file}: {what} is `{got}`, should be `{wanted}`"));
            }
        }
        let link = item["url"].as_str().unwrap();
        assert!(
            link.starts_with("https://blog.example.org/20") && link.ends_with('/'),
            "{file}: {link}"
        );
        let html = item["content_html"].as_str().unwrap();
        assert!(html.len() > 200, "{file} has no text");
        assert!(
            tidings::html::references(html)
                .iter()
                .all(|url| url::Url::parse(url).is_ok()),
            "{file} has a relative address"
        );
    }
    assert_eq!(differences, Vec::<String>::new());
    assert!(
        compared > 50 && items.len() == compared,
        "{compared} of {} entries were compared",
        items.len()
    );
}
