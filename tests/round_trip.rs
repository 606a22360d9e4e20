//! What is written is read by a foreign reader, with the same values; and any bytes at all give valid feeds or a word
//! about why not.

use std::collections::BTreeMap;

use crate::common::Site;
use crate::common::extent::cases;
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Post {
    title: String,
    body: String,
    tag: String,
    author: String,
    date: i64,
    updated: i64,
}

fn posts() -> impl Strategy<Value = Vec<Post>> {
    let words = || {
        "[\\PC&<>\"']{1,30}"
            .prop_map(|text| text.trim().to_owned())
            .prop_filter("not blank", |text| !text.is_empty())
    };
    let post = (
        words(),
        words(),
        words(),
        words(),
        1_000_000_000i64..1_700_000_000,
        0i64..10_000_000,
    );
    let post = post.prop_map(|(title, body, tag, author, date, later)| Post {
        title,
        body,
        tag,
        author,
        date,
        updated: date + later,
    });
    prop::collection::vec(post, 1..6)
}

/// Text as feeds show it: folded, without what they cannot hold.
fn shown(text: &str) -> String {
    let good = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}');
    let text: String = text
        .chars()
        .filter(|c| good(*c) || c.is_whitespace())
        .map(|c| if c == '\u{fffd}' { '?' } else { c })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rfc3339(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .unwrap()
        .to_rfc3339()
}

proptest! {
    #![proptest_config(cases(30, 150))]

    #[test]
    fn a_foreign_reader_sees_what_the_author_wrote(posts in posts()) {
        let site = Site::new();
        let mut wanted = BTreeMap::new();
        for (index, post) in posts.iter().enumerate() {
            let head = serde_json::json!({ "title": post.title, "date": rfc3339(post.date), "updated": rfc3339(post.updated), "tags": [post.tag], "authors": [{ "name": post.author }] });
            site.put(&format!("articles/post-{index}.txt"), format!("{head}\n{}\n", post.body));
            let blank = shown(&post.title).is_empty();
            let title = if blank { format!("Post {index}") } else { shown(&post.title) };
            wanted.insert(format!("https://example.org/post-{index}/"), (title, post.clone()));
        }
        let run = site.build(&["--allow-shrink"]);
        prop_assert!(run.code == 0 || !run.stderr.contains("not fit"), "{:?}", run);
        for name in ["rss.xml", "atom.xml", "feed.json"] {
            let text = site.read(&format!("feeds/{name}"));
            let feed = feed_rs::parser::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            prop_assert_eq!(feed.entries.len(), wanted.len());
            for entry in feed.entries {
                let link = entry.links.iter().find(|link| link.rel.as_deref() != Some("enclosure")).unwrap().href.clone();
                let (title, post) = &wanted[&link];
                let got = entry.title.map(|title| title.content).unwrap_or_default();
                // RSS and Atom say `&lt;` where a reader might take `<` for markup
                let got = if name == "atom.xml" { got.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") } else { got };
                prop_assert_eq!(shown(&got), title.clone(), "{}", name);
                prop_assert_eq!(entry.published.map(|date| date.timestamp()), Some(post.date), "{}", name);
                prop_assert_eq!(entry.updated.map(|date| date.timestamp()), Some(post.updated), "{}", name);
                if !shown(&post.author).is_empty() {
                    prop_assert_eq!(shown(entry.authors[0].name.as_deref().unwrap_or_default()), shown(&post.author), "{}", name);
                }
                let body = entry.content.and_then(|content| content.body).or(entry.summary.map(|text| text.content)).unwrap_or_default();
                let text = tidings::html::text(&body);
                prop_assert_eq!(shown(&text), shown(&post.body), "{}", name);
            }
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["---\n", "+++\n", "{", "}", "title: ", "date: 2024-05-01\n", "draft: ", "true\n", "[", "\"", "# ", "\n", "<p>", "</", "<a href=", "<!--", "```\n", "| a |\n|--|\n", "[^1]", "&#0;", "\u{feff}", "tags: ", "\\x01", "<title>", "<svg>"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(cases(50, 250))]

    /// Ten files of anything, beside a good one.
    #[test]
    fn any_bytes_become_a_valid_feed_or_a_problem(files in prop::collection::vec((bytes(), prop::sample::select(vec!["md", "html", "txt"])), 10)) {
        let site = Site::new();
        site.article("good.md", "A good neighbour", "Unharmed.");
        for (index, (bytes, extension)) in files.iter().enumerate() {
            site.put(&format!("articles/f{index}.{extension}"), bytes);
        }
        let run = site.build(&[]);
        prop_assert!(matches!(run.code, 0 | 3), "{:?}", run);
        prop_assert!(!run.stderr.contains("please report"), "the gate had to refuse something: {}", run.stderr);
        prop_assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        prop_assert_eq!(run.code == 3, run.stderr.contains("error: "), "{}", run.stderr);
        for name in ["rss.xml", "atom.xml", "feed.json"] {
            let text = site.read(&format!("feeds/{name}"));
            prop_assert!(text.contains("A good neighbour"));
            prop_assert!(feed_rs::parser::parse(text.as_bytes()).is_ok(), "{}", text);
        }
    }
}
