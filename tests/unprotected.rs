//! Each row of the gate once through a whole build, with the writers' protection off: the document is refused, the
//! published one stays, the others are not touched, and the author is told.
#![cfg(debug_assertions)]

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
        assert_eq!(
            site.read(document),
            before,
            "{rule}: the good document stays"
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
        site.build_well();
        assert!(
            site.read(document).contains("Three"),
            "{rule}: the next build publishes it"
        );
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
