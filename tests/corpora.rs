//! Real articles, written for Zola, Jekyll and Go's own generator: what an independent reader of the same files says of
//! them is what the feed says, but for what `tests/corpora/*.tsv` explains. What is told of them is in `*.problems`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::Site;
use crate::common::tool::skip;
use serde_json::Value;

struct Corpus {
    name: &'static str,
    permalink: &'static str,
    /// The exit code: 3 if an article has an error.
    code: i32,
    /// How a link begins, and how it ends.
    link: (&'static str, &'static str),
}

#[test]
fn the_rust_blog_comes_out_as_expected() {
    compare(&Corpus {
        name: "rust-blog",
        permalink: "",
        code: 0,
        link: ("https://blog.example.org/20", "/"),
    });
}

#[test]
fn the_jekyll_blog_comes_out_as_expected() {
    compare(&Corpus {
        name: "jekyll",
        permalink: "jekyll",
        code: 0,
        link: ("https://blog.example.org/", ".html"),
    });
}

#[test]
fn the_go_blog_comes_out_as_expected() {
    compare(&Corpus {
        name: "go-blog",
        permalink: "/blog/:filename",
        code: 0,
        link: ("https://blog.example.org/blog/", ""),
    });
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpora")
        .join(name)
}

fn compare(corpus: &Corpus) {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if !corpora.is_dir() {
        skip(&format!("{} is missing", corpora.display()));
        return;
    }
    let site = Site::bare();
    site.put(
        "tidings.toml",
        format!(
            "base_url = \"https://blog.example.org/\"\ntitle = \"Blog\"\npermalink = \"{}\"\n[defaults]\nlimit = 1000\nmax_bytes = \"100 MB\"\n",
            corpus.permalink
        ),
    );
    for file in fs::read_dir(corpora.join(corpus.name)).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        site.put(&format!("articles/{name}"), fs::read(file).unwrap());
    }
    let run = site.build(&["--format", "json"]);
    assert_eq!(run.code, corpus.code, "{}", run.stderr);
    problems(corpus, &run.stderr);
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    let items = feed["items"].as_array().unwrap();
    let compared = entries(corpus, &site, items, &corpora);
    assert!(
        compared > 50 && items.len() == compared,
        "{compared} of {} entries were compared",
        items.len()
    );
}

/// Few, true, and at lines: told again in one file, where each was looked at.
fn problems(corpus: &Corpus, told: &str) {
    let file = own(&format!("{}.problems", corpus.name));
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(&file, told).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(told, expected, "see {}", file.display());
    for line in told.lines() {
        let at = line.split(": ").nth(1).unwrap();
        let number = at.rsplit(':').next().unwrap();
        assert!(number.parse::<u32>().is_ok(), "names no line: {line}");
    }
}

/// Compares each entry with what is expected; how many were compared.
fn entries(corpus: &Corpus, site: &Site, items: &[Value], corpora: &Path) -> usize {
    let by_id: BTreeMap<&str, &Value> = items
        .iter()
        .map(|item| (item["id"].as_str().unwrap(), item))
        .collect();
    let ledger: Vec<Value> = site
        .read("ledger.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let deviations = fs::read_to_string(own(&format!("{}.tsv", corpus.name))).unwrap();
    let explained = |file: &str, what: &str| {
        deviations
            .lines()
            .any(|line| line.split('\t').take(2).eq([file, what]))
    };
    let expected =
        fs::read_to_string(corpora.join(format!("expected-{}.tsv", corpus.name))).unwrap();
    let (mut differences, mut compared) = (Vec::new(), 0);
    for line in expected.lines().skip(1) {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (file, published, title, authors, note) = (next(), next(), next(), next(), next());
        let record = ledger.iter().find(|record| record["path"] == file);
        let Some(item) = record.and_then(|record| by_id.get(record["id"].as_str()?)) else {
            let is_none = published.is_empty() && (title.is_empty() || note == "redirect only");
            if !is_none && !explained(file, "missing") {
                differences.push(format!("{file}: is in no feed"));
            }
            continue;
        };
        compared += 1;
        let names: Vec<&str> = item["authors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|author| author["name"].as_str())
            .collect();
        let date = item["date_published"].as_str().unwrap();
        let date = if published.contains('T') {
            date
        } else {
            &date[..10]
        };
        for (what, got, wanted) in [
            ("published", date, published),
            ("title", item["title"].as_str().unwrap(), title),
            ("authors", &names.join("; "), authors),
        ] {
            if got != wanted && !explained(file, what) {
                differences.push(format!("{file}: {what} is `{got}`, should be `{wanted}`"));
            }
        }
        let link = item["url"].as_str().unwrap();
        assert!(
            link.starts_with(corpus.link.0) && link.ends_with(corpus.link.1),
            "{file}: {link}"
        );
        text(file, item);
    }
    assert_eq!(differences, Vec::<String>::new());
    compared
}

fn text(file: &str, item: &Value) {
    let html = item["content_html"].as_str().unwrap();
    assert!(html.len() > 100, "{file} has no text");
    let is_absolute = |url: &String| url::Url::parse(url).is_ok();
    assert!(
        tidings::html::references(html).iter().all(is_absolute),
        "{file} has a relative address"
    );
    let shown = format!(
        "{} {} {}",
        without_code(html),
        item["title"],
        item["summary"]
    );
    for mark in ["{{", "}}", "{%", "%}", "{:"] {
        assert!(!shown.contains(mark), "{file} shows `{mark}`");
    }
}

/// An article on templates shows them, in code.
fn without_code(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, behind)) = rest.split_once("<code") {
        out.push_str(before);
        rest = behind.split_once("</code>").map_or("", |(_, rest)| rest);
    }
    out + rest
}
