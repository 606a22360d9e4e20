//! The gate, rule by rule: each folder of `tests/gate` bears the name of a rule (and a number, where there are several
//! ways to break it) and holds a bad document, refused by that rule, and its nearest good neighbour.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::common::extent::cases;
use tidings::check::{Finding, Place, check};
use tidings::edition::Kind;

fn kind(path: &Path) -> Kind {
    let name = path.file_name().unwrap().to_string_lossy();
    match name.split_once('.').map(|(_, name)| name) {
        Some("rss.xml") => Kind::Rss,
        Some("atom.xml") => Kind::Atom,
        Some("feed.json") => Kind::Json,
        Some("feeds.opml") => Kind::Opml,
        other => panic!("{other:?} is no document's name"),
    }
}

fn judge(path: &Path) -> Vec<Finding> {
    let name = path.file_name().unwrap().to_string_lossy();
    let url = format!("https://example.org/{}", name.split_once('.').unwrap().1);
    check(kind(path), &fs::read(path).unwrap(), Place { url: &url })
}

fn rows() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate");
    let mut rows: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    rows.sort();
    rows
}

fn documents(row: &Path) -> Vec<PathBuf> {
    fs::read_dir(row)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn each_rule_refuses_its_bad_document_and_lets_the_good_neighbour_pass() {
    let rows = rows();
    assert!(rows.len() > 60, "the rows are missing");
    let mut wrong = Vec::new();
    for row in rows {
        let folder = row.file_name().unwrap().to_string_lossy().into_owned();
        let rule = folder.split('-').next().unwrap();
        let documents = documents(&row);
        assert_eq!(
            documents.len(),
            2,
            "{folder} holds a bad and a good document"
        );
        for path in documents {
            let found = judge(&path);
            let bad = path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("bad");
            let refused = found
                .iter()
                .any(|finding| finding.rule == rule && finding.refuses);
            if bad != refused || !bad && !found.is_empty() {
                wrong.push(format!("{}: {found:#?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn entries_changed_at_the_same_instant_are_reported_and_not_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate/MissingSelf-2/good.atom.xml");
    let text = fs::read_to_string(path).unwrap().replace(
        "<updated>2026-05-02T10:00:00Z",
        "<updated>2026-05-01T10:00:00+00:00",
    );
    let found = check(
        Kind::Atom,
        text.as_bytes(),
        Place {
            url: "https://example.org/atom.xml",
        },
    );
    assert_eq!(
        found
            .iter()
            .map(|finding| (finding.rule, finding.refuses))
            .collect::<Vec<_>>(),
        [("DuplicateUpdated", false)]
    );
    assert_eq!(found[0].entry.as_deref(), Some("https://example.org/b/"));
}

#[test]
fn an_id_that_its_author_chose_is_reported_and_not_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate/MissingSelf-2/good.atom.xml");
    let good = fs::read_to_string(path).unwrap();
    for id in [
        "http://Quay.example/?p=1",
        "https://quay.example",
        "https://quay.example/%e6%97%a5/",
        "https://quay.example/~ann/%7Eb",
        "https://quay.example/a/../b",
    ] {
        let text = good.replace("<id>https://example.org/b/</id>", &format!("<id>{id}</id>"));
        assert_ne!(text, good);
        let url = "https://example.org/atom.xml";
        let found = check(Kind::Atom, text.as_bytes(), Place { url });
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.rule, finding.refuses, finding.entry.as_deref()))
            .collect();
        assert_eq!(found, [("NonCanonicalURI", false, Some(id))]);
    }
}

proptest! {
    #![proptest_config(cases(500, 2_000))]

    /// Any bytes get a verdict, and quickly.
    #[test]
    fn no_document_is_too_strange_to_be_judged(row in 0usize..60, at in any::<prop::sample::Index>(), length in 0usize..40, insert in prop::collection::vec(any::<u8>(), 0..20)) {
        let rows = rows();
        for path in documents(&rows[row]) {
            let mut bytes = fs::read(&path).unwrap();
            let start = at.index(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, insert.iter().copied());
            let _ = check(kind(&path), &bytes, Place { url: "https://example.org/" });
            let _ = tidings::check::read::read(kind(&path), &bytes);
        }
    }
}

/// What may stand where it does not belong.
const ASTRAY: [&str; 16] = [
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<item>",
    "</item>",
    "<entry>",
    "</entry>",
    "\u{1}",
    "&amp;",
    "&nothing;",
    "<",
    "<title>",
    "</channel>",
    "<?fit 0?>",
    "<?fit 1?>",
];

proptest! {
    #![proptest_config(cases(500, 3_000))]

    /// Entries that were found fit are not read again: that must not change any verdict on a document with them in it.
    #[test]
    fn what_is_remembered_of_entries_changes_no_verdict(
        is_atom in any::<bool>(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..ASTRAY.len()), 0..3),
        twice in any::<bool>(),
        unknown in any::<u64>(),
    ) {
        let (name, open, close) = if is_atom {
            ("good.atom.xml", "<entry>", "</entry>")
        } else {
            ("good.rss.xml", "<item>", "</item>")
        };
        let folder = if is_atom { "MissingSelf-2" } else { "MissingSelf" };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate").join(folder).join(name);
        // as we write it: no line ends between entries
        let good = fs::read_to_string(&path).unwrap().replace(">\n<", "><");
        prop_assert!(judge(&path).is_empty());
        let mut text = good.clone();
        if twice {
            let (start, end) = (good.find(open).unwrap(), good.find(close).unwrap() + close.len());
            text.insert_str(end, &good[start..end]);
        }
        for (place, piece) in pieces {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            text.insert_str(places[place.index(places.len())], ASTRAY[piece]);
        }
        // with another namespace at its root all of it is unknown
        let root = if is_atom { "<feed " } else { "<rss " };
        let strange = text.replacen(root, &format!("{root}xmlns:u{unknown}=\"urn:x\" "), 1);
        let (kind, route) = if is_atom { (Kind::Atom, "atom.xml") } else { (Kind::Rss, "rss.xml") };
        let url = format!("https://example.org/{route}");
        let verdict = |text: &str| check(kind, text.as_bytes(), Place { url: &url });
        let expected = verdict(&strange);
        prop_assert_eq!(verdict(&text), expected.clone(), "{}", text);
        prop_assert_eq!(verdict(&text), expected, "the second time: {}", text);
    }
}

proptest! {
    #![proptest_config(cases(30, 200))]

    /// A long document is read in parts first: its verdict is that on a short one that differs in nothing but words.
    #[test]
    fn a_long_document_gets_the_verdict_of_a_short_one(
        is_atom in any::<bool>(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..ASTRAY.len()), 0..3),
        same in prop::option::of(0usize..4),
        unknown in any::<u64>(),
    ) {
        let (folder, name, close) = if is_atom {
            ("MissingSelf-2", "good.atom.xml", "</entry>")
        } else {
            ("MissingSelf", "good.rss.xml", "</item>")
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate").join(folder).join(name);
        let good = fs::read_to_string(&path).unwrap().replace(">\n<", "><");
        let (start, end) = (good.find(&close.replace('/', "")).unwrap(), good.find(close).unwrap() + close.len());
        let (id, summary) = if is_atom { ("</id>", "</content>") } else { ("</guid>", "</description>") };
        let entries = (0..4).map(|number| {
            let number = if same == Some(number) { 0 } else { number };
            let entry = good[start..end].replace(id, &format!("{number}{id}"));
            entry.replace(summary, &format!("PADDING{summary}"))
        });
        let entries: String = entries.collect();
        let root = if is_atom { "<feed " } else { "<rss " };
        let mut text = format!("{}{entries}{}", &good[..start], &good[end..]);
        for (place, piece) in pieces {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            text.insert_str(places[place.index(places.len())], ASTRAY[piece]);
        }
        let (kind, route) = if is_atom { (Kind::Atom, "atom.xml") } else { (Kind::Rss, "rss.xml") };
        let url = format!("https://example.org/{route}");
        let verdict = |words: &str| {
            let text = text.replacen(root, &format!("{root}xmlns:u{unknown}=\"urn:x\" "), 1);
            check(kind, text.replace("PADDING", words).as_bytes(), Place { url: &url })
        };
        let short = verdict(" word");
        let long = " word".repeat(30_000);
        prop_assert_eq!(verdict(&long), short.clone(), "{}", text);
        prop_assert_eq!(verdict(&long), short, "the second time: {}", text);
    }
}
