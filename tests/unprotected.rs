//! Each row of the gate once through a whole build, with the writers' protection off: the document is refused, the
//! published one stays, the others are not touched, and the author is told.
#![cfg(debug_assertions)]

use tidings::check::read::read;
use tidings::edition::Kind;

use crate::common::Site;

/// Rule, kind of the document, what our writer writes, what a worse one would.
const ROWS: [(&str, &str, &str, &str); 24] = [
    (
        "ContainsRelRef",
        "rss",
        "href=\"https://example.org/b/\"",
        "href=\"b\"",
    ),
    (
        "ContainsRelRef",
        "atom",
        "src=&quot;https://example.org/a/x.png&quot;",
        "src=&quot;x.png&quot;",
    ),
    (
        "ContainsRelRef",
        "json",
        "href=\\\"https://example.org/b/\\\"",
        "href=\\\"b\\\"",
    ),
    (
        "NeedDescriptionBeforeContent",
        "rss",
        "<description><![CDATA[Text with a link.]]></description>",
        "",
    ),
    ("CharacterData", "rss", "Q&#x26;A", "Q&amp;A"),
    ("SecurityRisk", "rss", "<p>Text", "<iframe></iframe><p>Text"),
    (
        "SecurityRisk",
        "atom",
        "&lt;p&gt;Text",
        "&lt;script&gt;1&lt;/script&gt;&lt;p&gt;Text",
    ),
    (
        "SecurityRiskAttr",
        "rss",
        "<p>Text",
        "<p onclick=\"x()\">Text",
    ),
    (
        "DangerousStyleAttr",
        "rss",
        "<p>Text",
        "<p style=\"position:fixed\">Text",
    ),
    ("NotHtml", "rss", "<p>Text", "<p><b>Text"),
    ("NotBlank", "atom", "<title>Two</title>", "<title></title>"),
    (
        "MissingElement",
        "atom",
        "<author><name>Notes</name></author>",
        "",
    ),
    (
        "NonCanonicalURI",
        "atom",
        "href=\"https://example.org/\"",
        "href=\"https://example.org\"",
    ),
    (
        "UriNotIri",
        "atom",
        "<id>tag:example.org,2026-05-01:/b",
        "<id>tag:example.org,2026-05-01:/é",
    ),
    (
        "InvalidContact",
        "rss",
        "<category>",
        "<author>Ann</author><category>",
    ),
    ("InvalidHttpGUID", "rss", " isPermaLink=\"false\"", ""),
    ("IncorrectDOW", "rss", "<pubDate>Fri", "<pubDate>Mon"),
    (
        "InvalidRFC2822Date",
        "rss",
        "10:00:00 +0000",
        "10:00:00 UTC",
    ),
    ("InvalidPositiveInteger", "rss", "<ttl>30", "<ttl>0"),
    ("InvalidLanguage", "rss", "<language>en", "<language>en_GB"),
    (
        "InvalidRFC3339Date",
        "json",
        "2026-05-01T10:00:00Z",
        "2026-05-01t10:00:00z",
    ),
    ("MissingAttribute", "rss", " length=\"3\"", ""),
    ("MissingSelf", "atom", "rel=\"self\"", "rel=\"related\""),
    (
        "SelfDoesntMatchLocation",
        "json",
        "https://example.org/feed.json",
        "https://example.com/feed.json",
    ),
];

fn site() -> Site {
    let site = Site::new();
    let body = "---\ntitle: Q&A\ndate: 2026-05-01T10:00:00Z\ntags: [x]\naudio: {url: a.mp3, length: 3}\n---\nText with [a link](b.md).\n\n![](x.png)\n";
    site.put("articles/a.md", body);
    site.article("b.md", "Two", "Other.");
    site
}

#[test]
fn no_build_publishes_what_the_gate_refuses() {
    for (rule, kind, right, wrong) in ROWS {
        let mut site = site();
        site.build_well();
        let document = match kind {
            "rss" => "feeds/rss.xml",
            "atom" => "feeds/atom.xml",
            _ => "feeds/feed.json",
        };
        let before = site.read(document);
        assert!(
            before.contains(right),
            "{rule}: `{document}` holds no `{right}`:\n{before}"
        );
        site.article("c.md", "Three", "News.");
        site.variables = vec![(
            "TIDINGS_TEST_UNPROTECTED".to_owned(),
            format!("{kind}\t{right}\t{wrong}"),
        )];
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{rule}: {run:?}");
        assert!(run.stderr.contains(&format!("({rule})")), "{rule}: {run:?}");
        let after = site.read(document);
        // either the fault is the document's, or it costs one entry something
        assert!(
            after == before || after.contains("Three") && !after.contains(wrong_of(wrong)),
            "{rule}: {after}"
        );
        for other in ["feeds/rss.xml", "feeds/atom.xml", "feeds/feed.json"]
            .iter()
            .filter(|other| **other != document)
        {
            assert!(
                site.read(other).contains("Three"),
                "{rule}: `{other}` is published"
            );
        }
        site.variables.clear();
        // what was decided of an entry holds until it is changed
        site.put(
            "articles/a.md",
            format!("{}\nMore.\n", site.read("articles/a.md")),
        );
        site.article("b.md", "Two", "Other, and more.");
        site.article("c.md", "Three", "More news.");
        site.build_well();
        assert!(
            site.read(document).contains("Three"),
            "{rule}: the next build publishes it"
        );
    }
}

/// What a worse writer would have written, as far as it shows that.
fn wrong_of(wrong: &str) -> &str {
    if wrong.is_empty() { "\0" } else { wrong }
}

/// The ids of the entries of a document.
fn ids(site: &Site, kind: Kind, file: &str) -> Vec<String> {
    let bytes = std::fs::read(site.path(&format!("feeds/{file}"))).unwrap();
    let entries = read(kind, &bytes).unwrap().entries.into_iter();
    entries.map(|entry| entry.id).collect()
}

#[test]
fn a_refusal_costs_the_entry_and_not_the_document() {
    let formats = [
        (Kind::Rss, "rss.xml"),
        (Kind::Atom, "atom.xml"),
        (Kind::Json, "feed.json"),
    ];
    // without what it can do without; as it was before; not at all
    for (order, has_entry, has_text) in [
        ("rss\t length=\"3\"\t", true, true),
        ("atom\t<title>Twice</title>\t<title></title>", true, false),
        ("atom\t<title>Once</title>\t<title></title>", false, false),
    ] {
        let mut site = site();
        let old = if has_entry { "Two" } else { "Once" };
        site.article("b.md", old, "Other.");
        if has_entry {
            site.build_well();
        }
        let title = if has_text {
            "Two"
        } else if has_entry {
            "Twice"
        } else {
            "Once"
        };
        site.article("b.md", title, "Changed.");
        site.article("c.md", "Three", "News.");
        site.put("articles/a.md", "---\ntitle: Q&A\ndate: 2026-05-01T10:00:00Z\naudio: {url: a.mp3, length: 3}\n---\nChanged, too.\n");
        site.variables = vec![("TIDINGS_TEST_UNPROTECTED".to_owned(), order.to_owned())];
        for _ in 0..2 {
            let run = site.build(&[]);
            assert_eq!(run.code, 3, "{order}: {}", run.stderr);
            assert!(
                run.stderr.contains("cannot be published as it is"),
                "{order}: {}",
                run.stderr
            );
            assert!(!run.stderr.contains("report"), "{}", run.stderr);
            let all: Vec<Vec<String>> = formats
                .iter()
                .map(|(kind, file)| ids(&site, *kind, file))
                .collect();
            assert_eq!(all[0], all[1], "{order}");
            assert_eq!(all[0], all[2], "{order}");
            let id = "tag:example.org,2026-05-01:/";
            assert!(
                all[0].contains(&format!("{id}a")) && all[0].contains(&format!("{id}c")),
                "{order}: {all:?}"
            );
            assert_eq!(
                all[0].contains(&format!("{id}b")),
                has_entry,
                "{order}: {all:?}"
            );
            for (_, file) in formats {
                let text = site.read(&format!("feeds/{file}"));
                assert!(
                    text.contains("Changed, too.") && text.contains("News."),
                    "{order}: {file}"
                );
                assert_eq!(
                    text.contains("Changed.<"),
                    has_text,
                    "{order}: {file}: {text}"
                );
                assert_eq!(text.contains("a.mp3"), !has_text, "{order}: {file}: {text}");
            }
        }
        // nothing was withdrawn, and the next build has all again
        assert!(!site.read("ledger.jsonl").contains("\"gone\""));
        site.variables.clear();
        site.article("b.md", title, "Changed again.");
        site.put("articles/a.md", "---\ntitle: Q&A\ndate: 2026-05-01T10:00:00Z\naudio: {url: a.mp3, length: 3}\n---\nChanged again.\n");
        site.build_well();
        for (_, file) in formats {
            assert!(
                site.read(&format!("feeds/{file}")).contains(title),
                "{order}: {file}"
            );
        }
    }
}

#[test]
fn a_refused_document_is_not_published_for_the_first_time() {
    let mut site = site();
    site.variables = vec![(
        "TIDINGS_TEST_UNPROTECTED".to_owned(),
        "rss\t<ttl>30\t<ttl>0".to_owned(),
    )];
    assert_eq!(site.build(&[]).code, 3);
    assert!(!site.path("feeds/rss.xml").exists());
    assert!(site.path("feeds/atom.xml").exists());
}

#[test]
fn entries_that_declare_one_instant_of_change_are_published() {
    let site = Site::new();
    for name in ["a", "b"] {
        site.put(
            &format!("articles/{name}.md"),
            format!("---\ntitle: {name}\ndate: 2026-05-01\nupdated: 2026-06-01\n---\n{name}\n"),
        );
    }
    site.build_well();
    let run = site.build(&["--verbose"]);
    assert_eq!(run.code, 0);
    assert!(
        run.stderr.contains("info: articles/") && run.stderr.contains("(DuplicateUpdated)"),
        "{run:?}"
    );
}

#[test]
fn what_was_decided_of_an_entry_is_decided_again_and_changes_nothing() {
    let mut site = site();
    let order = "atom\t<title>Two</title>\t<title></title>";
    site.variables = vec![("TIDINGS_TEST_UNPROTECTED".to_owned(), order.to_owned())];
    assert_eq!(site.build(&[]).code, 3);
    let documents = ["rss.xml", "atom.xml", "feed.json"].map(|file| format!("feeds/{file}"));
    let before = documents.clone().map(|file| site.read(&file));
    for lost in ["", ".tidings"] {
        if !lost.is_empty() {
            site.remove(lost);
        }
        site.now += 60;
        let run = site.build(&[]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
        assert_eq!(documents.clone().map(|file| site.read(&file)), before);
    }
}

#[test]
fn values_that_all_entries_share_cost_each_entry_only_these() {
    let mut site = Site::new();
    for name in ["a", "b", "c"] {
        site.put(&format!("articles/{name}.mp3"), b"abc");
        site.put(
            &format!("articles/{name}.md"),
            format!("---\ntitle: {name}\ndate: 2026-05-01\ntags: [x, {name}]\naudio: {name}.mp3\n---\nText.\n"),
        );
    }
    site.variables = vec![(
        "TIDINGS_TEST_UNPROTECTED".to_owned(),
        "rss\t length=\"3\"\t\tall".to_owned(),
    )];
    for _ in 0..2 {
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert!(
            run.stderr.contains("is published without its picture"),
            "{}",
            run.stderr
        );
        for (kind, file) in [
            (Kind::Rss, "rss.xml"),
            (Kind::Atom, "atom.xml"),
            (Kind::Json, "feed.json"),
        ] {
            assert_eq!(ids(&site, kind, file).len(), 3, "{file}");
            assert!(
                !site.read(&format!("feeds/{file}")).contains(".mp3"),
                "{file}"
            );
        }
    }
}

#[test]
fn a_fault_that_no_entry_can_help_takes_no_entry_away() {
    let mut site = site();
    site.build_well();
    let before = site.read("feeds/atom.xml");
    site.article("c.md", "Three", "News.");
    site.variables = vec![(
        "TIDINGS_TEST_UNPROTECTED".to_owned(),
        "atom\t<id>tag:example.org,2026-05-01:/\t<id>é tag:example.org,2026-05-01:/\tall"
            .to_owned(),
    )];
    for now in [0, 60] {
        site.now += now;
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert_eq!(site.read("feeds/atom.xml"), before);
        assert_eq!(ids(&site, Kind::Rss, "rss.xml").len(), 3);
        let rss = site.read("feeds/rss.xml");
        assert!(
            rss.contains("a.mp3"),
            "nothing was taken from an entry: {rss}"
        );
        assert!(
            !run.stderr.contains("cannot be published as it is"),
            "{}",
            run.stderr
        );
    }
    site.variables.clear();
    site.article("d.md", "Four", "News.");
    site.build_well();
    assert_eq!(ids(&site, Kind::Atom, "atom.xml").len(), 4);
}

#[test]
fn a_refused_entry_is_found_by_its_id_in_any_format() {
    for id in [
        "b2c1f0de-6f6f-4b0a-9d3e-0a1b2c3d4e5f",
        "45863 at https://quay.example",
        "https://例え.jp/ü",
        "1017",
    ] {
        let mut site = site();
        site.put(
            "articles/b.md",
            format!("---\ntitle: Two\nid: {id}\ndate: 2026-05-01T10:00:00Z\n---\nOther.\n"),
        );
        site.variables = vec![(
            "TIDINGS_TEST_UNPROTECTED".to_owned(),
            "atom\t<title>Two</title>\t<title></title>".to_owned(),
        )];
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{id}: {}", run.stderr);
        assert!(
            run.stderr
                .contains("error: articles/b.md: cannot be published as it is"),
            "{id}: {}",
            run.stderr
        );
        assert_eq!(
            ids(&site, Kind::Atom, "atom.xml"),
            ["tag:example.org,2026-05-01:/a"],
            "{id}"
        );
    }
}

#[test]
fn what_was_decided_is_known_to_later_runs() {
    let mut site = site();
    for n in 0..20 {
        site.article(&format!("n{n}.md"), &format!("N{n}"), "Text.");
    }
    site.variables = vec![(
        "TIDINGS_TEST_UNPROTECTED".to_owned(),
        "atom\t<title>Two</title>\t<title></title>".to_owned(),
    )];
    let run = site.build(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    // it is not made first with the entry and then without: its line of the ledger is only appended to
    let ledger = site.read("ledger.jsonl");
    site.now += 60;
    site.article("c.md", "Three", "News.");
    let run = site.build(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("error: articles/b.md: cannot be published as it is"),
        "{}",
        run.stderr
    );
    assert!(site.read("ledger.jsonl").starts_with(&ledger));
    assert!(!site.read("feeds/atom.xml").contains(":/b<"));
    // pages are published as ever, and the refused entry has none
    assert!(
        site.path("feeds/articles/c/index.html").exists()
            || site.read("feeds/atom.xml").contains(":/c<")
    );
}

#[test]
fn a_version_that_is_refused_moves_no_date_and_is_announced_by_nobody() {
    let order = "atom\t<title>Twice</title>\t<title></title>";
    let mut site = site();
    site.build_well();
    let before =
        ["rss.xml", "atom.xml", "feed.json"].map(|file| site.read(&format!("feeds/{file}")));
    site.now += 3_600;
    site.article("b.md", "Twice", "Other.");
    site.variables = vec![("TIDINGS_TEST_UNPROTECTED".to_owned(), order.to_owned())];
    let run = site.build(&[]);
    assert!(
        run.stderr
            .contains("subscribers keep its last good version"),
        "{}",
        run.stderr
    );
    assert!(!run.stdout.contains("1 updated"), "{}", run.stdout);
    let dates = |feed: &str| {
        let feed = read(Kind::Json, feed.as_bytes()).unwrap();
        let entries = feed.entries.into_iter();
        entries
            .map(|entry| (entry.id, entry.title, entry.updated))
            .collect::<Vec<_>>()
    };
    assert_eq!(dates(&site.read("feeds/feed.json")), dates(&before[2]));
    // a new one that has no earlier version
    site.article("c.md", "Twice", "New.");
    let run = site.build(&[]);
    assert!(!run.stdout.contains("1 new"), "{}", run.stdout);
    assert!(
        run.stderr.contains("it is left out of all documents"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_was_published_plainly_is_a_good_version() {
    let mut site = site();
    site.build_well();
    site.put("articles/a.md", "---\ntitle: Q&A\ndate: 2026-05-01T10:00:00Z\naudio: {url: a.mp3, length: 3}\n---\nVersion two.\n");
    site.variables = vec![(
        "TIDINGS_TEST_UNPROTECTED".to_owned(),
        "rss\t length=\"3\"\t".to_owned(),
    )];
    assert_eq!(site.build(&[]).code, 3);
    let before = site.read("feeds/feed.json");
    assert!(before.contains("Version two."));
    site.put(
        "articles/a.md",
        "---\ntitle: [broken\n---\nVersion three.\n",
    );
    assert_eq!(site.build(&[]).code, 3);
    assert!(site.read("feeds/feed.json").contains("Version two."));
}

#[test]
fn entries_that_are_not_well_formed_cost_no_others() {
    let mut site = site();
    for n in 0..6 {
        site.article(&format!("z{n}.md"), &format!("Z{n}"), "Text.");
    }
    site.variables = vec![(
        "TIDINGS_TEST_UNPROTECTED".to_owned(),
        "atom\t<title>Z\t<title>Z<q\tall".to_owned(),
    )];
    for _ in 0..2 {
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert!(!run.stderr.contains("report"), "{}", run.stderr);
        for n in 0..6 {
            assert!(
                run.stderr
                    .contains(&format!("articles/z{n}.md: cannot be published"))
            );
        }
        for (kind, file) in [
            (Kind::Rss, "rss.xml"),
            (Kind::Atom, "atom.xml"),
            (Kind::Json, "feed.json"),
        ] {
            assert_eq!(ids(&site, kind, file).len(), 2, "{file}");
        }
    }
}

#[test]
fn if_all_entries_of_a_feed_are_refused_their_last_good_versions_stay() {
    let mut site = site();
    site.article("a.md", "One", "Old.");
    site.build_well();
    let order = "atom\t<title>X\t<title></title><title>X\tall";
    site.article("a.md", "X1", "New.");
    site.article("b.md", "X2", "New.");
    site.variables = vec![("TIDINGS_TEST_UNPROTECTED".to_owned(), order.to_owned())];
    for _ in 0..2 {
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        for (kind, file) in [
            (Kind::Rss, "rss.xml"),
            (Kind::Atom, "atom.xml"),
            (Kind::Json, "feed.json"),
        ] {
            assert_eq!(ids(&site, kind, file).len(), 2, "{file}");
            let text = site.read(&format!("feeds/{file}"));
            assert!(
                text.contains("One") && text.contains("Two") && !text.contains("X1"),
                "{file}: {text}"
            );
        }
    }
}
