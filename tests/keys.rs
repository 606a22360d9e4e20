//! Every key of a head, in the forms in which authors write it, and what is said of those that cannot be understood.

use std::collections::BTreeMap;

use tidings::article::{Article, Dialect, Outcome, Person, Source, Visibility, parse};
use tidings::problem::Level;

fn read(path: &str, bytes: &[u8]) -> (Outcome, Vec<String>) {
    let ann = Person {
        name: "Ann Example".to_owned(),
        email: Some("ann@example.org".to_owned()),
        url: None,
    };
    let dialect = Dialect {
        encoding: None,
        zone: chrono_tz::Europe::Berlin,
        authors: BTreeMap::from([("ann".to_owned(), ann)]),
    };
    let (outcome, problems) = parse(
        Source {
            path,
            bytes: bytes.to_vec(),
        },
        &dialect,
    );
    let fatal = matches!(outcome, Outcome::Broken);
    assert!(
        !fatal || problems.iter().any(|problem| problem.level == Level::Error),
        "{path} is broken without a word"
    );
    (outcome, problems.iter().map(ToString::to_string).collect())
}

fn article(text: &str) -> Article {
    match read("a.md", text.as_bytes()) {
        (Outcome::Article(article), problems) if problems.is_empty() => *article,
        other => panic!("{text}: {other:?}"),
    }
}

fn yaml(head: &str) -> Article {
    article(&format!("---\n{head}\n---\nText.\n"))
}

/// What a test asks of an article.
type Ask = fn(&Article) -> String;

fn date(date: Option<tidings::article::Date>) -> String {
    date.map_or("none".to_owned(), |date| {
        date.instant(chrono_tz::UTC, 0)
            .format("%Y-%m-%d %H:%M")
            .to_string()
    })
}

#[test]
fn each_key_means_what_the_table_says() {
    let id: Ask = |a| a.id.clone().unwrap_or_default();
    let title: Ask = |a| a.title.clone().map(|title| title.text).unwrap_or_default();
    let published: Ask = |a| date(a.published);
    let updated: Ask = |a| date(a.updated);
    let expires: Ask = |a| date(a.expires);
    let visibility: Ask = |a| format!("{:?}", a.visibility);
    let url: Ask = |a| a.url.clone().unwrap_or_default();
    let tags: Ask = |a| a.tags.join("|");
    let categories: Ask = |a| a.categories.join("|");
    let authors: Ask = |a| {
        a.authors
            .iter()
            .map(|p| {
                format!(
                    "{} {} {}",
                    p.name,
                    p.email.as_deref().unwrap_or("-"),
                    p.url.as_deref().unwrap_or("-")
                )
            })
            .collect::<Vec<_>>()
            .join("|")
    };
    let summary: Ask = |a| a.summary.clone().unwrap_or_default();
    let image: Ask = |a| a.image.clone().unwrap_or_default();
    let enclosures: Ask = |a| {
        a.enclosures
            .iter()
            .map(|e| format!("{} {:?} {:?}", e.href, e.length, e.mime.as_deref()))
            .collect::<Vec<_>>()
            .join("|")
    };
    let language: Ask = |a| a.language.clone().unwrap_or_default();
    let rows: Vec<(&str, Ask, &str)> = vec![
        ("id: x", id, "x"),
        ("guid: x", id, "x"),
        ("UUID: x", id, "x"),
        ("guid: g\nid: i", id, "i"),
        ("id: 42", id, "42"),
        ("id: ''", id, ""),
        ("title: ' A  B '", title, "A B"),
        ("Title: A", title, "A"),
        ("news_title: A", title, "A"),
        ("linkTitle: A", title, "A"),
        ("title: no", title, "no"),
        ("title: 1.10", title, "1.10"),
        ("title: 2024-01-02", title, "2024-01-02"),
        ("title: true", title, "true"),
        ("title: \"a\\x01\\tb\"", title, "a b"),
        ("publishDate: 2024-05-01", published, "2024-05-01 00:00"),
        ("pubdate: 2024-05-01", published, "2024-05-01 00:00"),
        ("published: 2024-05-01", published, "2024-05-01 00:00"),
        ("published_at: 2024-05-01", published, "2024-05-01 00:00"),
        ("published_date: 2024-05-01", published, "2024-05-01 00:00"),
        ("pubDatetime: 2024-05-01", published, "2024-05-01 00:00"),
        ("date: 2024-05-01 10:00", published, "2024-05-01 08:00"),
        ("created: 2024-05-01", published, "2024-05-01 00:00"),
        (
            "date: 2024-05-02\npublishdate: 2024-05-01",
            published,
            "2024-05-01 00:00",
        ),
        (
            "published: true\ndate: 2024-05-02",
            published,
            "2024-05-02 00:00",
        ),
        ("path: 2014/12/12/x", published, "2014-12-12 00:00"),
        ("permalink: /2014/12/12/x/", published, "2014-12-12 00:00"),
        ("x: y", published, "none"),
        ("updated: 2024-05-01", updated, "2024-05-01 00:00"),
        ("lastmod: 2024-05-01", updated, "2024-05-01 00:00"),
        ("last_modified_at: 2024-05-01", updated, "2024-05-01 00:00"),
        ("lastModified: 2024-05-01", updated, "2024-05-01 00:00"),
        ("modified: 2024-05-01", updated, "2024-05-01 00:00"),
        ("updated_at: 2024-05-01", updated, "2024-05-01 00:00"),
        ("modDatetime: 2024-05-01", updated, "2024-05-01 00:00"),
        (
            "last_update:\n  date: 2024-05-01\n  author: x",
            updated,
            "2024-05-01 00:00",
        ),
        ("expiryDate: 2024-05-01", expires, "2024-05-01 00:00"),
        ("expires: 2024-05-01", expires, "2024-05-01 00:00"),
        ("unpublishdate: 2024-05-01", expires, "2024-05-01 00:00"),
        ("draft: true", visibility, "Draft"),
        ("Draft: TRUE", visibility, "Draft"),
        ("draft: \"yes\"", visibility, "Draft"),
        ("draft: on", visibility, "Draft"),
        ("draft: 1", visibility, "Draft"),
        ("draft: false", visibility, "Public"),
        ("draft: no", visibility, "Public"),
        ("draft:", visibility, "Public"),
        ("is_draft: true", visibility, "Draft"),
        ("published: false", visibility, "Draft"),
        ("published: true", visibility, "Public"),
        ("render: false", visibility, "Draft"),
        ("unlisted: true", visibility, "Draft"),
        ("status: draft", visibility, "Draft"),
        ("status: Private", visibility, "Draft"),
        ("status: hidden", visibility, "Draft"),
        ("status: skip", visibility, "Draft"),
        ("status: pending", visibility, "Draft"),
        ("status: trash", visibility, "Draft"),
        ("status: published", visibility, "Public"),
        ("status: evergreen", visibility, "Public"),
        ("feed: false", visibility, "PageOnly"),
        ("rss: false", visibility, "PageOnly"),
        ("rss:\n  exclude: true", visibility, "PageOnly"),
        ("disable_feed: true", visibility, "PageOnly"),
        ("feed_exclude: true", visibility, "PageOnly"),
        ("exclude_from_feed: true", visibility, "PageOnly"),
        ("hiddenInRss: true", visibility, "PageOnly"),
        ("show_on_rss_feed: false", visibility, "PageOnly"),
        ("include_in_feeds: false", visibility, "PageOnly"),
        (
            "eleventyExcludeFromCollections: true",
            visibility,
            "PageOnly",
        ),
        ("feed: true", visibility, "Public"),
        ("url: /a/b/", url, "/a/b/"),
        ("permalink: /a/b.html", url, "/a/b.html"),
        ("path: a/b", url, "a/b/"),
        ("slug: s", |a| a.slug.clone().unwrap_or_default(), "s"),
        (
            "canonical_url: https://x.example/",
            |a| a.canonical.clone().unwrap_or_default(),
            "https://x.example/",
        ),
        (
            "canonical: https://x.example/",
            |a| a.canonical.clone().unwrap_or_default(),
            "https://x.example/",
        ),
        ("aliases: [/a, /b]", |a| a.aliases.join("|"), "/a|/b"),
        ("redirect_from: /a", |a| a.aliases.join("|"), "/a"),
        ("alias: /a", |a| a.aliases.join("|"), "/a"),
        (
            "external_url: https://x.example/",
            |a| a.external_url.clone().unwrap_or_default(),
            "https://x.example/",
        ),
        (
            "link_url: https://x.example/",
            |a| a.external_url.clone().unwrap_or_default(),
            "https://x.example/",
        ),
        (
            "link_to: https://x.example/",
            |a| a.external_url.clone().unwrap_or_default(),
            "https://x.example/",
        ),
        (
            "link: /here/",
            |a| a.link.clone().unwrap_or_default(),
            "/here/",
        ),
        ("tags: [a, b, a, '']", tags, "a|b"),
        ("tags: a, b c ,d", tags, "a|b c|d"),
        ("tags:\n- a\n- 1", tags, "a|1"),
        ("taxonomies:\n  tags: [a]", tags, "a"),
        ("keywords: a,b", tags, "a|b"),
        ("tag: a", tags, "a"),
        ("tags: [post, posts, all, x]", tags, "x"),
        ("categories: [a, b]", categories, "a|b"),
        ("category: a", categories, "a"),
        ("taxonomies:\n  categories: [a]", categories, "a"),
        ("author: Bo", authors, "Bo - -"),
        (
            "author: Bo <bo@example.org>",
            authors,
            "Bo bo@example.org -",
        ),
        ("authors: [A, B]", authors, "A - -|B - -"),
        ("by:\n- A", authors, "A - -"),
        ("hosts: A", authors, "A - -"),
        ("author: ann", authors, "Ann Example ann@example.org -"),
        (
            "author: {name: A, email: a@x.example, url: 'https://a.example/'}",
            authors,
            "A a@x.example https://a.example/",
        ),
        ("extra: {author: A}", authors, "A - -"),
        ("params: {author: A}", authors, "A - -"),
        (
            "authors: ['Amanieu d''Antras, Jack Huey, and Jakub Beránek']",
            authors,
            "Amanieu d'Antras, Jack Huey, and Jakub Beránek - -",
        ),
        ("summary: s", summary, "s"),
        ("excerpt: s", summary, "s"),
        ("description: s", summary, "s"),
        ("intro: s", summary, "s"),
        ("subtitle: s", summary, "s"),
        ("image: a.png", image, "a.png"),
        ("image: {path: a.png}", image, "a.png"),
        ("image: {src: a.png, alt: x}", image, "a.png"),
        ("images: [a.png, b.png]", image, "a.png"),
        ("cover: a.png", image, "a.png"),
        ("cover: {image: a.png}", image, "a.png"),
        ("cover_image: a.png", image, "a.png"),
        ("featured_image: a.png", image, "a.png"),
        ("heroImage: a.png", image, "a.png"),
        ("thumbnail: a.png", image, "a.png"),
        ("previewimage: a.png", image, "a.png"),
        ("banner: a.png", image, "a.png"),
        ("extra: {cover_image: a.png}", image, "a.png"),
        ("enclosure: a.mp3", enclosures, "a.mp3 None None"),
        (
            "enclosures: [a.mp3, {url: b.mp3, length: 5, type: audio/mpeg}]",
            enclosures,
            "a.mp3 None None|b.mp3 Some(5) Some(\"audio/mpeg\")",
        ),
        ("audio: a.mp3", enclosures, "a.mp3 None None"),
        ("podcast_file: a.mp3", enclosures, "a.mp3 None None"),
        ("media: a.mp3", enclosures, "a.mp3 None None"),
        ("lang: de", language, "de"),
        ("language: pt_BR", language, "pt-BR"),
        ("locale: zh-hant-tw", language, "zh-Hant-TW"),
    ];
    for (head, ask, expected) in rows {
        assert_eq!(ask(&yaml(head)), expected, "{head}");
    }
}

#[test]
fn heads_are_yaml_toml_json_or_none() {
    let titles = [
        ("---\ntitle: T\ndate: 2024-05-01\n---\nBody", "T"),
        ("\u{feff}---\ntitle: T\ndate: 2024-05-01\n---\nBody", "T"),
        ("---\r\ntitle: T\r\ndate: 2024-05-01\r\n---\r\nBody", "T"),
        ("---\rtitle: T\rdate: 2024-05-01\r---\rBody", "T"),
        ("\n\n---\ntitle: T\ndate: 2024-05-01\n---\nBody", "T"),
        ("---\ntitle: T\ndate: 2024-05-01\n...\nBody", "T"),
        ("+++\ntitle = \"T\"\ndate = 2024-05-01\n+++\nBody", "T"),
        (
            "+++\ntitle = \"T\"\ndate = 2024-05-01T00:00:00Z\n[extra]\nx = 1\n+++\nBody",
            "T",
        ),
        ("{\"title\": \"T\", \"date\": \"2024-05-01\"}\nBody", "T"),
        (
            "{\n  \"title\": \"T\",\n  \"date\": \"2024-05-01\"\n}\n\nBody",
            "T",
        ),
    ];
    for (text, title) in titles {
        let article = article(text);
        assert_eq!(
            article.title.as_ref().map(|title| title.text.as_str()),
            Some(title),
            "{text}"
        );
        assert_eq!(article.body.source().trim(), "Body", "{text}");
        assert_eq!(
            date(article.published),
            "2024-05-01 00:00".to_owned(),
            "{text}"
        );
    }
    for text in [
        "---\nA text between thematic breaks\n---\nmore",
        "---\n\n***",
        "{{< shortcode >}} text",
        "{ not json",
        "no head",
    ] {
        assert_eq!(article(text).body.source(), text);
    }
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(
            "---\ntitle: T\n---\nB"
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    assert!(
        matches!(read("a.md", &utf16).0, Outcome::Article(article) if article.title.as_ref().is_some_and(|t| t.text == "T"))
    );
}

#[test]
fn what_cannot_be_understood_is_said_with_its_line() {
    for (text, published, expected) in [
        (
            "---\ntitle: [T\n---\nx",
            false,
            "a.md:2: the front matter cannot be read: ",
        ),
        (
            "---\ntitle: T\nno end ever\n",
            false,
            "a.md:1: the front matter is never closed; put a line `---` between it and the text",
        ),
        (
            "---\na: 1\na: 2\n---\nx",
            false,
            "a.md:3: the front matter cannot be read: ",
        ),
        (
            "+++\ntitle = \n+++\nx",
            false,
            "a.md:2: the front matter cannot be read: ",
        ),
        (
            "{\n\"title\": }\nx",
            false,
            "a.md:2: the front matter cannot be read: ",
        ),
        (
            "---\ntitle: T\ndraft: perhaps\n---\nx",
            false,
            "a.md:3: `draft` is `perhaps`, which is neither true nor false; write `true` or `false`",
        ),
        (
            "---\ntitle: T\ndraft: [true]\n---\nx",
            false,
            "a.md:3: `draft` is a list, which is neither true nor false",
        ),
        (
            "---\n\ndate: 03/05/2024\n---\nx",
            true,
            "a.md:3: `date`: `03/05/2024` is ambiguous",
        ),
        (
            "---\ndate: 2024-02-30\n---\nx",
            true,
            "a.md:2: `date`: `2024-02-30` is no date that can be understood; write it like",
        ),
        (
            "---\ndate: [2024]\n---\nx",
            true,
            "a.md:2: `date` is a list where a date is expected",
        ),
        (
            "---\ntitle: {a: b}\n---\nx",
            true,
            "a.md:2: `title` is a mapping where text is expected; write one text; the key is ignored",
        ),
        (
            "---\ntags: {a: b}\n---\nx",
            true,
            "a.md:2: `tags` holds a mapping where text is expected",
        ),
        (
            "---\nauthors: [{mail: x}]\n---\nx",
            true,
            "a.md:2: `authors` holds a mapping without a name",
        ),
        (
            "---\nlang: english\n---\nx",
            true,
            "a.md:2: `lang` is `english`, which is no language tag",
        ),
        (
            "---\nexternal_url: javascript:alert(1)\n---\nx",
            true,
            "a.md:2: `external_url` is `javascript:alert(1)`, which is no address on the web",
        ),
        (
            "---\nlink: javascript:alert(1)\n---\nx",
            true,
            "which is no address on the web",
        ),
        (
            "---\nurl: //evil.example/x\n---\nx",
            true,
            "which is no address on the web",
        ),
        (
            "---\nenclosure: {length: 3}\n---\nx",
            true,
            "a.md:2: `enclosure` holds a mapping without an address",
        ),
    ] {
        let (outcome, problems) = read("a.md", text.as_bytes());
        assert_eq!(
            matches!(outcome, Outcome::Article(_) | Outcome::Held(_)),
            published,
            "{text}: {outcome:?}"
        );
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{text}: {problems:?}"
        );
    }
    let bomb = format!(
        "---\na: &a [x,x,x,x,x,x,x,x,x]\n{}---\nx",
        (0..9)
            .map(|i| format!(
                "k{i}: &k{i} [{}]\n",
                vec![
                    if i == 0 {
                        "*a".to_owned()
                    } else {
                        format!("*k{}", i - 1)
                    };
                    9
                ]
                .join(",")
            ))
            .collect::<String>()
    );
    assert!(matches!(read("a.md", bomb.as_bytes()).0, Outcome::Broken));
    let long = format!("---\ntitle: T\n{}---\nx", "k: v\n".repeat(20_000));
    assert!(read("a.md", long.as_bytes()).1[0].contains("longer than 64 KiB"));
    assert!(
        read("a.md", b"---\ntitle: T\n---\nab\xffc").1[0]
            .contains("a.md:4: the byte 0xFF is no UTF-8")
    );
}

#[test]
fn titles_are_found_where_authors_put_them() {
    let long = "word ".repeat(70);
    for (path, text, expected) in [
        ("x.md", "# Heading\n\ntext", Some("Heading")),
        ("x.md", "intro\n\nHeading\n=======\n\ntext", Some("Heading")),
        ("x.md", "## Only a second level", Some("X")),
        ("my-first_post.md", "text", Some("My first post")),
        ("2024-05-01-my-post.md", "text", Some("My post")),
        ("trip/index.md", "text", Some("Trip")),
        ("2024-05-01.md", "A short note.", None),
        ("1234.md", "A short note.", None),
        ("deadbeef1.md", "A short note.", None),
        (
            "1.html",
            "<title>Page</title><h1>Heading</h1>",
            Some("Heading"),
        ),
        (
            "1.html",
            "<title>Page &amp; more</title><p>x",
            Some("Page & more"),
        ),
        ("1.txt", "A headline\n\nThe text.\n", Some("A headline")),
        ("1.txt", "A sentence.\n\nThe text.\n", None),
        ("1.txt", "One line\nanother line\n", None),
    ] {
        let (outcome, _) = read(path, text.as_bytes());
        let Outcome::Article(article) = outcome else {
            panic!("{path}: {outcome:?}")
        };
        let title = article.title.as_ref().map(|title| title.text.as_str());
        // a name of one letter is no word
        let expected = expected.filter(|title| title.len() > 1);
        assert_eq!(title, expected, "{path}: {text}");
    }
    let (outcome, _) = read(
        "1.txt",
        format!("The first sentence. {long}\n{long}").as_bytes(),
    );
    assert!(
        matches!(&outcome, Outcome::Article(a) if a.title.as_ref().is_some_and(|t| t.text == "The first sentence")),
        "{outcome:?}"
    );
    let Outcome::Article(text) = read("1.txt", b"A headline\n\nThe text.\n").0 else {
        panic!()
    };
    assert_eq!((text.body.source(), text.body.line), ("The text.\n", 3));
}

#[test]
fn a_digest_changes_with_the_words_and_with_nothing_else() {
    let digest = |text: &str| match read("x/y.md", text.as_bytes()).0 {
        Outcome::Article(article) => article.digest.clone(),
        other => panic!("{other:?}"),
    };
    let base = digest("---\ntitle: T\n---\nOne two\nthree.\n\n    code  here\n");
    for same in [
        "---\ntitle: T\ntags: [x]\ndate: 2024-05-01\n---\nOne two\nthree.\n\n    code  here\n",
        "---\ntitle: T\n---\nOne\ntwo   three.\n\n\n\n    code  here\n\n\n",
        "\u{feff}---\r\ntitle: T\r\n---\r\nOne two\r\nthree.\r\n\r\n    code  here\r\n",
        "+++\ntitle = 'T'\n+++\nOne two three.\n\n    code  here",
    ] {
        assert_eq!(digest(same), base, "{same}");
    }
    for other in [
        "---\ntitle: U\n---\nOne two\nthree.\n\n    code  here\n",
        "---\ntitle: T\nsummary: s\n---\nOne two\nthree.\n\n    code  here\n",
        "---\ntitle: T\n---\nOne two\n\nthree.\n\n    code  here\n",
        "---\ntitle: T\n---\nOne two\nthree.\n\n    code here\n",
        "---\ntitle: T\n---\nOne twothree.\n\n    code  here\n",
    ] {
        assert_ne!(digest(other), base, "{other}");
    }
}

#[test]
fn what_is_no_article_is_told_apart() {
    assert!(matches!(read("a.md", b"").0, Outcome::Empty));
    assert!(matches!(read("a.md", b" \n\n").0, Outcome::Empty));
    for head in ["redirect: /x", "redirect_to: /x", "layout: redirect"] {
        assert!(
            matches!(
                read("a.md", format!("---\n{head}\n---\n").as_bytes()).0,
                Outcome::Other
            ),
            "{head}"
        );
    }
    assert!(
        matches!(read("a.md", b"---\ntitle: only a head\n---\n").0, Outcome::Article(a) if a.visibility == Visibility::Public)
    );
}
