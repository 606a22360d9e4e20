//! One odd value never stops a document: whatever an author writes under any key, all documents are published, all other
//! articles are in them, and the formats agree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;
use tidings::article::id::in_atom;
use tidings::check::read::read;
use tidings::edition::Kind;

use crate::common::Site;
use crate::common::extent::cases;

/// Keys of an article, each with how its value is written: `VALUE` stands for a quoted text.
const KEYS: [&str; 44] = [
    "id: VALUE",
    "guid: VALUE",
    "title: VALUE",
    "date: 2026-05-01\nupdated: VALUE",
    "url: VALUE",
    "permalink: VALUE",
    "path: VALUE",
    "slug: VALUE",
    "canonical_url: VALUE",
    "aliases: [VALUE]",
    "external_url: VALUE",
    "link: VALUE",
    "tags: VALUE",
    "tags: [VALUE, b]",
    "categories: [VALUE]",
    "author: VALUE",
    "authors: [VALUE, Bo]",
    "author: {name: VALUE}",
    "author: {name: Ann, email: VALUE}",
    "author: {name: Ann, url: VALUE}",
    "authors: [{name: Ann, email: VALUE, url: VALUE}]",
    "summary: VALUE",
    "description: VALUE",
    "image: VALUE",
    "image: {url: VALUE, alt: VALUE}",
    "cover: {image: VALUE}",
    "enclosure: VALUE",
    "enclosure: {url: VALUE, length: 17, type: audio/mpeg}",
    "enclosure: {url: \"https://a.example/x.mp3\", length: VALUE}",
    "enclosure: {url: \"https://a.example/x.mp3\", length: 17, type: VALUE}",
    "enclosures: [VALUE, \"https://a.example/y.mp3\"]",
    "lang: VALUE",
    "language: VALUE",
    "taxonomies: {tags: [VALUE]}",
    "extra: {author: VALUE}",
    "subtitle: VALUE",
    "layout: VALUE",
    "weight: VALUE",
    "VALUE: x",
    "key: {VALUE: VALUE}",
    "audio: VALUE",
    "podcast_file: VALUE",
    "status: VALUE",
    "render: VALUE",
];

const VALUES: [&str; 66] = [
    "& < > \" '",
    "<b>bold</b> &amp; &lt;",
    "]]> <![CDATA[ x ]]>",
    "<!-- x --> <?php ?>",
    "</title></item></channel>",
    "a\u{7}b\u{1}c",
    "\u{fffe}\u{ffff}\u{fffd}",
    "\u{85}\u{9b}x",
    "a\tb\nc\r\nd",
    " leading and trailing ",
    "\u{200b}",
    "\u{a0}",
    "\u{202e}txet",
    "日本語の題",
    "e\u{301}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "x&y=z",
    "https://images.example.net/p?auto=format&w=1200",
    "https://a.example/\"quoted\"<x>",
    "https://ann.example/about me",
    "https://ja.example.org/wiki/日本語",
    "https://例え.jp/ü",
    "https://quay.example/%e6%97%a5/",
    "https://quay.example/%7Eann",
    "http://Quay.example/?p=1",
    "https://quay.example",
    "https://a.example/[b]|c^d`e{f}",
    "https://a.example/100%",
    "https://user:pass@a.example:8443/x#y",
    "https://[::1]/x",
    "https://a.example/../b/./c",
    "//a.example/x",
    "http:a",
    "https://",
    "https:///x",
    "http://a.example:99999/",
    "javascript:alert(1)",
    "data:image/png;base64,AAAA",
    "mailto:ann@example.org",
    "ftp://a.example/x",
    "file:///etc/passwd",
    "urn:x",
    "urn:uuid:nope",
    "urn:isbn:123",
    "tag:nobody",
    "tag:Quay.example,2020:x",
    "tag:quay.example,2020-05-01:x y",
    "foo:bar",
    ":",
    "12345",
    "-1",
    "1e9",
    "0x10",
    "45863 at https://quay.example",
    "1225C695-cfb8-4ebb-aaaa-80da344efa6a",
    "jürgen@exämple.de",
    "a&b@c.example",
    "mailto:ann@müller.example",
    "Ann <a&b@c.example>",
    "<ann@example.org>",
    "../../../etc/passwd",
    "a/b/../c\\d",
    "C:\\temp\\x.png",
    "name.png?x=1&y=2#z",
    "text/html; charset=utf-8",
    "en-GB-oed",
    "null",
];

fn article(name: &str, key: &str, value: &str) -> (String, String) {
    let quoted = serde_json::to_string(value).unwrap();
    let dated = if key.contains("date:") {
        ""
    } else {
        "date: 2026-05-01T10:00:00Z\n"
    };
    let titled = if key.starts_with("title") {
        ""
    } else {
        "title: An article\n"
    };
    let head = key.replace("VALUE", &quoted);
    (
        format!("{name}.md"),
        format!("---\n{titled}{dated}{head}\n---\nText of {name}.\n"),
    )
}

fn site(articles: &BTreeMap<String, String>) -> Site {
    let site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n[defaults]\nlimit = 10000\nmax_bytes = \"100 MB\"\n");
    site.article("innocent.md", "Of somebody else", "Innocent words.");
    for (name, text) in articles {
        site.put(&format!("articles/{name}"), text);
    }
    site
}

/// Builds, and demands all that this file promises.
#[track_caller]
fn assert_all_are_published(articles: &BTreeMap<String, String>) {
    let site = site(articles);
    let run = site.build(&[]);
    assert!([0, 3].contains(&run.code), "{}", run.stderr);
    for word in ["please report", "invalid:", "not fit to be published"] {
        let said = run.stderr.lines().find(|line| line.contains(word));
        assert_eq!(said, None);
    }
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    let items = feed["items"].as_array().unwrap();
    let texts: BTreeSet<&str> = items
        .iter()
        .map(|item| item["content_html"].as_str().unwrap().trim())
        .collect();
    assert!(texts.contains("<p>Innocent words.</p>"));
    for (name, source) in articles {
        let text = format!("<p>Text of {}.</p>", name.trim_end_matches(".md"));
        // who is left out is told why
        let is_said = run.stderr.contains(name.as_str())
            || source.contains("status")
            || source.contains("url");
        assert!(texts.contains(&*text) || is_said, "{source}");
    }
    let ids = |kind, file: &str| -> Vec<String> {
        let bytes = std::fs::read(site.path(file)).unwrap();
        let feed = read(kind, &bytes).unwrap_or_else(|| panic!("{file} cannot be read"));
        feed.entries.into_iter().map(|entry| entry.id).collect()
    };
    let json = ids(Kind::Json, "feeds/feed.json");
    assert_eq!(ids(Kind::Rss, "feeds/rss.xml"), json);
    let atom: Vec<String> = json.iter().map(|id| in_atom(id).into_owned()).collect();
    assert_eq!(ids(Kind::Atom, "feeds/atom.xml"), atom);
    // and it is so when nothing is new
    let again = site.build(&[]);
    assert_eq!((again.code, again.stdout.as_str()), (run.code, ""));
}

#[test]
fn no_value_of_any_key_of_an_article_stops_a_document() {
    let mut articles = BTreeMap::new();
    for (k, key) in KEYS.iter().enumerate() {
        for (v, value) in VALUES.iter().enumerate() {
            articles.extend([article(&format!("k{k:02}v{v:02}"), key, value)]);
        }
    }
    assert_all_are_published(&articles);
}

/// Parts of which odd values are made.
fn odd() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => prop::sample::select(VALUES.to_vec()).prop_map(str::to_owned),
        2 => "\\PC{0,12}",
        2 => "[&<>\"' %\\[\\]{}|^`:/?#@+,;=~-]{1,6}",
        1 => "[\u{0}-\u{1f}\u{7f}-\u{9f}]{1,3}",
        1 => prop::sample::select(vec!["https://", "http:", "urn:", "tag:", "mailto:", "//", "../", "a@b.c"]).prop_map(str::to_owned),
        1 => (1usize..2000).prop_map(|length| "x".repeat(length)),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(cases(3, 20))]

    #[test]
    fn no_odd_value_stops_a_document(values in prop::collection::vec((0..KEYS.len(), odd()), 120)) {
        let mut articles = BTreeMap::new();
        for (number, (key, value)) in values.iter().enumerate() {
            articles.extend([article(&format!("n{number:03}"), KEYS[*key], value)]);
        }
        assert_all_are_published(&articles);
    }
}

#[test]
fn no_odd_value_of_the_settings_stops_a_document() {
    let settings = [
        "title = VALUE\ndescription = VALUE\ncopyright = VALUE\n[authors.ann]\nname = VALUE\n[[feed]]\nname = \"x\"\ntitle = VALUE\ndescription = VALUE\ntags = [VALUE]",
        "author = VALUE",
        "icon = VALUE",
        "[authors.ann]\nemail = VALUE",
        "[authors.ann]\nurl = VALUE",
    ];
    let mut refused = 0;
    for setting in settings {
        for value in VALUES {
            let site = Site::bare();
            let quoted = serde_json::to_string(value).unwrap();
            let text = format!(
                "base_url = \"https://example.org/%7Eann/\"\n{}\n",
                setting.replace("VALUE", &quoted)
            );
            site.put("tidings.toml", &text);
            site.put(
                "articles/a.md",
                "---\ntitle: A\ndate: 2026-05-01\nauthor: ann\n---\nText.\n",
            );
            let run = site.build(&[]);
            if run.code == 2 {
                // what is refused names the file and what to do
                assert!(
                    run.stderr.contains("tidings.toml"),
                    "{text}\n{}",
                    run.stderr
                );
                refused += 1;
                continue;
            }
            assert_eq!(run.code, 0, "{text}\n{}", run.stderr);
            for file in ["rss.xml", "atom.xml", "feed.json"] {
                assert!(
                    site.path(&format!("feeds/{file}")).exists(),
                    "{text}\n{}",
                    run.stderr
                );
            }
        }
    }
    assert!(refused < settings.len() * VALUES.len() / 2, "{refused}");
}

#[test]
fn ids_that_authors_chose_come_back_from_any_published_format() {
    let ids = [
        "12345",
        "45863 at https://quay.example",
        "1225C695-cfb8-4ebb-aaaa-80da344efa6a",
        "urn:x",
        "http:a",
        "https://例え.jp/ü",
        "https://quay.example/%e6%97%a5/",
        "tag:nobody",
    ];
    for formats in [
        "\"rss\"",
        "\"atom\"",
        "\"json\"",
        "\"rss\", \"atom\", \"json\"",
    ] {
        let site = Site::bare();
        site.put(
            "tidings.toml",
            format!("base_url = \"https://example.org/\"\n[defaults]\nformats = [{formats}]\n"),
        );
        for (number, id) in ids.iter().enumerate() {
            site.put(
                &format!("articles/a{number}.md"),
                format!("---\ntitle: A {number}\nid: {id:?}\ndate: 2026-05-01T10:00:0{number}Z\n---\nText.\n"),
            );
        }
        let first = site.build(&[]);
        assert_eq!(first.code, 0, "{}", first.stderr);
        let shown = |site: &Site| {
            [
                (Kind::Rss, "rss.xml"),
                (Kind::Atom, "atom.xml"),
                (Kind::Json, "feed.json"),
            ]
            .map(|(kind, file)| {
                let bytes = std::fs::read(site.path(&format!("feeds/{file}"))).ok()?;
                let entries = read(kind, &bytes)?.entries.into_iter();
                Some(
                    entries
                        .map(|entry| (entry.id, entry.published, entry.updated))
                        .collect::<Vec<_>>(),
                )
            })
        };
        let before = shown(&site);
        site.remove("ledger.jsonl");
        site.remove(".tidings");
        let again = site.build(&[]);
        assert!(
            again
                .stdout
                .starts_with("0 new, 0 updated, 0 withdrawn, 0 ids changed")
                || again.stdout.is_empty(),
            "{formats}: {}",
            again.stdout
        );
        assert_eq!(shown(&site), before, "{formats}: {}", again.stderr);
    }
}
