//! The inner rooms, one by one: `cargo bench --profile dist --bench rooms`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a yardstick"
)]

use chrono::DateTime;
use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue, Method, Version};
use tidings::article::{Dialect, Markup, Source, front_matter, markdown};
use tidings::edition::Kind;
use tidings::feed::{Channel, Content, Feed, FeedSpec, Filter, Html, Item};
use tidings::html::{self, Surroundings};
use tidings::render::Pieces;
use url::Url;

const HEAD: &str = "---\ntitle: \"Story power study over naïve café\"\ndate: 2025-12-26T06:28:48Z\n\
    tags: [\"travel\", \"rss\", \"café\"]\nauthor: \"O'Brien & Sons\"\nsummary: \"Student question and health.\"\n---\n\n";

fn text() -> String {
    let paragraph = "Friend large **brown at** at static `company::people()` part façade [office](../late-5/) system late in \
        week morning idea? Information month *thing* door thing money car, it's \"quoted\" & x<5.\n\n";
    let rest = "## Art side & line\n\n- one\n- two\n\n```rust\nlet v = \"a & b\";\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\
        ![figure](images/fig-1.png \"a title\")\n\n> quoted\n\n";
    format!("{HEAD}{}{}", paragraph.repeat(10), rest.repeat(5))
}

fn main() {
    divan::main();
}

#[divan::bench]
fn front_matter(bencher: Bencher<'_, '_>) {
    let text = text();
    bencher.bench(|| front_matter::read("a.md", black_box(&text), Markup::Markdown).is_ok());
}

#[divan::bench]
fn whole_article(bencher: Bencher<'_, '_>) {
    let text = text();
    let dialect = Dialect {
        zone: chrono_tz::UTC,
        authors: std::collections::BTreeMap::new(),
        encoding: None,
    };
    bencher.bench(|| {
        let source = Source {
            path: "a.md",
            bytes: black_box(&text).clone().into_bytes(),
        };
        tidings::article::parse(source, &dialect)
    });
}

#[divan::bench]
fn markdown_to_html(bencher: Bencher<'_, '_>) {
    let text = text();
    bencher.bench(|| markdown::to_html(black_box(&text[HEAD.len()..])));
}

#[divan::bench]
fn cleaning(bencher: Bencher<'_, '_>) {
    let html = markdown::to_html(&text()[HEAD.len()..]).unwrap();
    let base = Url::parse("https://example.org/a/").unwrap();
    bencher.bench(|| {
        let resolve = |reference: &str| base.join(reference).ok().map(String::from);
        let around = Surroundings {
            base: &base,
            prefix: "a0-",
            resolve: &resolve,
        };
        html::clean(black_box(&html), &around)
    });
}

fn feed(kind: Kind) -> Feed {
    let html: Html = markdown::to_html(&text()[HEAD.len()..]).unwrap().into();
    let date = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let item = |n: usize| Item {
        id: format!("tag:example.org,2024:{n}"),
        link: format!("https://example.org/{n}/"),
        external: None,
        title: Some(format!("Article {n}")),
        stand_in_title: String::new(),
        published: date,
        updated: date,
        authors: Vec::new(),
        tags: vec!["rss".to_owned(), "café".to_owned()],
        summary: "Student question and health.".to_owned(),
        html: html.clone(),
        language: None,
        image: None,
        attachments: Vec::new(),
    };
    let url = format!("https://example.org/{}", kind.has_siblings());
    Feed {
        spec: FeedSpec {
            name: String::new(),
            title: "Notes".to_owned(),
            description: None,
            filter: Filter::default(),
            limit: 20,
            max_age: None,
            max_bytes: usize::MAX,
            content: Content::Both,
            formats: vec![kind],
        },
        id: "tag:example.org,2024:/".to_owned(),
        changed: date,
        hubs: Vec::new(),
        channel: Channel {
            title: "Notes".to_owned(),
            description: "Notes".to_owned(),
            site: "Notes".to_owned(),
            home: "https://example.org/".to_owned(),
            language: "en".to_owned(),
            author: None,
            copyright: None,
            icon: None,
            ttl: 30,
            documents: vec![(kind, url)],
        },
        items: (0..20).map(item).collect(),
    }
}

#[divan::bench(args = ["rss", "atom", "json"])]
fn writing_20_items(bencher: Bencher<'_, '_>, name: &str) {
    let feed = feed(match name {
        "rss" => Kind::Rss,
        "atom" => Kind::Atom,
        _ => Kind::Json,
    });
    bencher.bench(|| tidings::render::documents(black_box(&feed), &Pieces::default()).unwrap());
}

#[divan::bench(args = ["rss", "atom", "json"])]
fn the_gate_over_20_items(bencher: Bencher<'_, '_>, name: &str) {
    let kind = match name {
        "rss" => Kind::Rss,
        "atom" => Kind::Atom,
        _ => Kind::Json,
    };
    let document = tidings::render::documents(&feed(kind), &Pieces::default())
        .unwrap()
        .remove(0);
    let tidings::edition::Body::Memory(bytes) = document.body else {
        return;
    };
    let place = tidings::check::Place {
        url: "https://example.org/rss.xml",
    };
    bencher.bench(|| tidings::check::check(kind, black_box(&bytes), place).len());
}

#[divan::bench(args = ["304", "200"])]
fn respond(bencher: Bencher<'_, '_>, status: &str) {
    let document = tidings::render::documents(&feed(Kind::Rss), &Pieces::default())
        .unwrap()
        .remove(0);
    let tidings::edition::Body::Memory(bytes) = document.body else {
        return;
    };
    let published = tidings::edition::Published {
        kind: Kind::Rss,
        hash: tidings::edition::hash(&bytes),
        size: bytes.len() as u64,
        last_modified: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        encodings: Vec::new(),
    };
    let terms = tidings::served::Terms {
        site: site(),
        fresh: 1800,
        detours: tidings::served::Detours::default(),
    };
    let exhibit = tidings::served::Exhibit {
        route: "rss.xml",
        published: &published,
        body: tidings::served::Exhibited::Memory(bytes, &[]),
    };
    let manifest = tidings::edition::Manifest::default();
    let served = tidings::served::Served::new(&terms, &manifest, [exhibit].into_iter(), None);
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("example.org"));
    if status == "304" {
        let tag = tidings::edition::etag("rss.xml", &published.hash);
        headers.insert("if-none-match", HeaderValue::from_str(&tag).unwrap());
    }
    let uri = "/rss.xml".parse().unwrap();
    let moment = tidings::respond::Moment {
        now: std::time::SystemTime::UNIX_EPOCH,
        draining: false,
    };
    bencher.bench(|| {
        let head = tidings::respond::Head {
            method: &Method::GET,
            uri: &uri,
            version: Version::HTTP_11,
            headers: black_box(&headers),
        };
        tidings::respond::respond(&served, head, moment)
    });
}

fn site() -> tidings::site::Site {
    let raw = "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n";
    let raw = tidings::config::Raw::parse(raw, "tidings.toml").unwrap();
    let here = std::path::Path::new(".");
    tidings::config::Config::resolve(&raw, "tidings.toml", here)
        .unwrap()
        .site
}
