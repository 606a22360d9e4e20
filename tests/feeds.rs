//! Which feeds there are: of terms, by filters; what becomes of them when articles and settings go.

use crate::common::Site;
use crate::common::server::{Server, until};

fn site(settings: &str) -> Site {
    let site = Site::bare();
    site.put("tidings.toml", format!("base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:filename/\"\n{settings}"));
    site
}

fn put(site: &Site, name: &str, head: &str) {
    let title = name.rsplit('/').next().unwrap();
    site.put(
        &format!("articles/{name}.md"),
        format!("---\ntitle: {title}\n{head}---\nText of {title}.\n"),
    );
}

fn titles(site: &Site, feed: &str) -> Vec<String> {
    let json: serde_json::Value =
        serde_json::from_str(&site.read(&format!("feeds/{feed}/feed.json"))).unwrap();
    json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

fn about(site: &Site, feed: &str, key: &str) -> String {
    let json: serde_json::Value =
        serde_json::from_str(&site.read(&format!("feeds/{feed}/feed.json"))).unwrap();
    json[key].as_str().unwrap().to_owned()
}

const ALL: &str =
    "[defaults]\nby = [\"tag\", \"category\", \"author\", \"section\", \"language\"]\n";

#[test]
fn each_term_has_a_feed_and_no_two_share_one() {
    let site = site(ALL);
    put(
        &site,
        "a",
        "date: 2024-01-01\ntags: [C++, Rust]\nauthor: Ann\n",
    );
    put(
        &site,
        "b",
        "date: 2024-01-02\ntags: [C, rust, 日本語]\ncategory: Big News\nlang: de\n",
    );
    put(
        &site,
        "c",
        "date: 2024-01-03\ntags: [C#, café, RUST, rust, \"🦀\"]\nauthors: [Ann, Bob]\n",
    );
    put(&site, "deep/er/d", "date: 2024-01-04\n");
    site.put(
        "articles/deep/_index.md",
        "---\ntitle: The deep\ndescription: Far down.\n---\n",
    );
    site.build_well();
    for (feed, expected) in [
        ("tags/c", &["b"][..]),
        ("tags/c-plus-plus", &["a"]),
        ("tags/c-sharp", &["c"]),
        ("tags/café", &["c"]),
        ("tags/日本語", &["b"]),
        ("tags/rust", &["c", "b", "a"]),
        ("categories/big-news", &["b"]),
        ("authors/ann", &["c", "a"]),
        ("authors/bob", &["c"]),
        ("sections/deep", &["d"]),
        ("sections/deep/er", &["d"]),
        ("languages/de", &["b"]),
        ("languages/en", &["d", "c", "a"]),
    ] {
        assert_eq!(titles(&site, feed), expected, "{feed}");
    }
    // as most write it
    assert_eq!(about(&site, "tags/rust", "title"), "Notes: rust");
    assert_eq!(about(&site, "sections/deep", "title"), "Notes: The deep");
    assert_eq!(about(&site, "sections/deep", "description"), "Far down.");
    assert_eq!(about(&site, "languages/de", "language"), "de");
    assert!(
        site.read("feeds/languages/de/rss.xml")
            .contains("<language>de</language>")
    );
    assert!(
        !site
            .read("feeds/languages/de/rss.xml")
            .contains("<dc:language>")
    );
    assert!(
        site.read("feeds/rss.xml")
            .contains("<dc:language>de</dc:language>")
    );
    let list = site.read("feeds/feeds.opml");
    assert_eq!(list.matches("<outline ").count(), 1 + 14, "{list}");
    // a name, once given, stays, whoever comes later
    put(&site, "e", "date: 2024-01-05\ntags: [\"c plus plus\"]\n");
    site.build_well();
    assert_eq!(titles(&site, "tags/c-plus-plus"), ["a"]);
    assert_eq!(titles(&site, "tags/c-plus-plus-2"), ["e"]);
}

#[test]
fn named_feeds_show_what_their_filters_say() {
    let site = site(
        "author = \"ann\"\n[authors.ann]\nname = \"Ann Example\"\n[defaults]\nformats = [\"json\"]\nlimit = 2\n\
         [[feed]]\nname = \"any\"\ntags = [\"rust\", \"go\"]\n\
         [[feed]]\nname = \"all\"\ntags = { all = [\"rust\", \"go\"] }\nformats = [\"json\", \"rss\"]\n\
         [[feed]]\nname = \"none\"\ntags = { none = [\"rant\"] }\nlimit = 10\n\
         [[feed]]\nname = \"mine\"\nauthors = [\"ann\"]\n\
         [[feed]]\nname = \"in/notes\"\ntitle = \"Only notes\"\ndescription = \"Short ones.\"\nsections = [\"notes\"]\n\
         [[feed]]\nname = \"deutsch\"\nlanguages = [\"de\"]\n\
         [[feed]]\nname = \"years\"\nafter = 2024-01-02\nbefore = \"2024-01-04\"\ncategories = { none = [\"x\"] }\n",
    );
    put(&site, "one", "date: 2024-01-01\ntags: [rust]\n");
    put(
        &site,
        "two",
        "date: 2024-01-02\ntags: [go, Rust]\nauthor: Bob\n",
    );
    put(
        &site,
        "notes/three",
        "date: 2024-01-03\ntags: [go, rant]\nlang: de\n",
    );
    put(&site, "notes/deep/four", "date: 2024-01-04\n");
    site.build_well();
    for (feed, expected) in [
        ("any", &["three", "two"][..]),
        ("all", &["two"]),
        ("none", &["four", "two", "one"]),
        ("mine", &["four", "three"]),
        ("in/notes", &["four", "three"]),
        ("deutsch", &["three"]),
        ("years", &["three", "two"]),
    ] {
        assert_eq!(titles(&site, feed), expected, "{feed}");
    }
    assert!(site.path("feeds/all/rss.xml").exists() && !site.path("feeds/any/rss.xml").exists());
    assert_eq!(about(&site, "in/notes", "title"), "Only notes");
    assert_eq!(about(&site, "in/notes", "description"), "Short ones.");
    assert_eq!(about(&site, "any", "title"), "Notes: any");
    assert_eq!(about(&site, "deutsch", "language"), "de");
}

#[test]
fn an_emptied_feed_stays_and_one_that_is_not_wanted_is_gone() {
    let mut site =
        site("[defaults]\nby = [\"tag\"]\n[[feed]]\nname = \"named\"\ntags = [\"boats\"]\n");
    put(&site, "a", "date: 2024-01-01\ntags: [Boats & co, boats]\n");
    put(&site, "b", "date: 2024-01-02\n");
    site.build_well();
    let id = |site: &Site| {
        let atom = site.read("feeds/tags/boats-and-co/atom.xml");
        atom.split("<id>")
            .nth(1)
            .unwrap()
            .split("</id>")
            .next()
            .unwrap()
            .to_owned()
    };
    let before = id(&site);
    put(&site, "a", "date: 2024-01-01\n");
    site.now += 3600;
    site.build_well();
    assert!(titles(&site, "tags/boats-and-co").is_empty());
    assert_eq!(
        about(&site, "tags/boats-and-co", "title"),
        "Notes: Boats & co",
        "it is still called so"
    );
    assert!(titles(&site, "named").is_empty());
    assert_eq!(id(&site), before);
    // its date moves, since what it shows did
    assert!(
        site.read("feeds/tags/boats-and-co/atom.xml")
            .contains("<updated>2026-11-01T01:00:00"),
        "{}",
        site.read("feeds/tags/boats-and-co/atom.xml")
    );
    let text =
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:filename/\"\n";
    site.put("tidings.toml", text);
    assert_eq!(site.build(&["--allow-shrink"]).code, 0);
    assert!(!site.path("feeds/tags").exists() && !site.path("feeds/named").exists());
    let server = Server::start(&site);
    for path in ["/tags/boats/rss.xml", "/named/atom.xml"] {
        assert_eq!(server.get(path, "").0, 410, "{path}");
    }
    assert_eq!(server.get("/tags/never/rss.xml", "").0, 404);
    // and back, with the id that readers know
    site.put(
        "tidings.toml",
        format!("{text}[defaults]\nby = [\"tag\"]\n"),
    );
    until("the feed is there again", || {
        site.path("feeds/tags/boats-and-co/atom.xml").exists()
    });
    assert_eq!(server.get("/tags/boats-and-co/atom.xml", "").0, 200);
    assert_eq!(id(&site), before);
}

#[test]
fn the_pages_list_every_feed() {
    let site = site(
        "[defaults]\nby = [\"tag\", \"section\"]\n[[feed]]\nname = \"short\"\ntitle = \"Short ones\"\n",
    );
    put(
        &site,
        "notes/a",
        "date: 2024-01-01\ntags: [\"C++\", \"日本語\"]\n",
    );
    let server = Server::start(&site);
    until("the feeds are there", || {
        server.get("/tags/c-plus-plus/preview/", "").0 == 200
    });
    let index = server.body("/");
    for part in [
        "https://example.org/rss.xml",
        "https://example.org/short/rss.xml",
        "Short ones",
        "By tag",
        "href=\"tags/c-plus-plus/preview/\"",
        ">C++</a>",
        "href=\"tags/%E6%97%A5%E6%9C%AC%E8%AA%9E/preview/\"",
        "By section",
        "href=\"feeds.opml\"",
    ] {
        assert!(index.contains(part), "{part}\n{index}");
    }
    let preview = server.body("/tags/c-plus-plus/preview/");
    assert!(
        preview.contains("Notes: C++")
            && preview.contains("https://example.org/tags/c-plus-plus/atom.xml"),
        "{preview}"
    );
    let preview = server.body("/tags/%E6%97%A5%E6%9C%AC%E8%AA%9E/preview/");
    assert!(preview.contains("Notes: 日本語"), "{preview}");
    // a browser that opens the feed itself is shown the same
    let (code, head, _) = server.get(
        "/short/rss.xml",
        "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
    );
    assert!(
        code == 303 || code == 302 || code == 307 || code == 200,
        "{code} {head}"
    );
    // an edit shows in the preview
    put(&site, "notes/b", "date: 2024-01-02\ntags: [\"C++\"]\n");
    until("the preview has it", || {
        server
            .body("/tags/c-plus-plus/preview/")
            .contains("Text of b.")
    });
}
