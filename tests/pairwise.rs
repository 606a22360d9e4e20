//! Folders made of all pairs of options and ways to write: every document of each is fit, by the gate, by `xmllint` and by
//! `feedparser`.
#![allow(clippy::needless_range_loop, reason = "two factors are two indexes")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::Site;
use crate::common::tool::{is_installed, python_with_readers};

/// What can be one way or another, and the ways.
const FACTORS: [(&str, &[&str]); 17] = [
    (
        "head",
        &[
            "yaml", "toml", "json", "---json", "---toml", "pelican", "nikola", "html", "text",
            "none",
        ],
    ),
    (
        "base",
        &[
            "https://example.org/",
            "https://example.org/a/b%20c/",
            "https://müller.example/",
            "",
        ],
    ),
    (
        "permalink",
        &[
            "",
            "/:year/:month/:slug/",
            "/:section/:title.html",
            "hugo",
            "jekyll",
            "zola",
            "eleventy",
            "pelican",
            "nikola",
            "astro",
            "hexo",
        ],
    ),
    ("content", &["both", "full", "summary"]),
    ("formats", &["rss atom json", "rss", "atom", "json"]),
    ("by", &["", "tag category author section language"]),
    ("named", &["", "filter", "empty", "language"]),
    ("icon", &["", "pic.png", "https://cdn.example/icon.png"]),
    (
        "author",
        &["", "Ann", "Ann <ann@example.org>", "A & B <i>", "ann"],
    ),
    ("language", &["en", "de-AT", "ar", "zh-Hant-TW"]),
    ("zone", &["UTC", "America/New_York", "Pacific/Chatham"]),
    ("limit", &["30", "1"]),
    ("title", &["plain", "markup", "note", "script"]),
    ("body", &["plain", "nasty", "template", "empty", "tables"]),
    ("date", &["instant", "day", "none", "name"]),
    ("media", &["", "image", "enclosure", "both"]),
    ("terms", &["", "plain", "odd"]),
];

/// One way for each factor, as indexes.
type Row = Vec<usize>;

/// Rows in which each pair of ways of two factors stands together at least once; greedily, always the same.
fn rows() -> Vec<Row> {
    let mut open: BTreeSet<(usize, usize, usize, usize)> = BTreeSet::new();
    for a in 0..FACTORS.len() {
        for b in a + 1..FACTORS.len() {
            for i in 0..FACTORS[a].1.len() {
                open.extend((0..FACTORS[b].1.len()).map(|j| (a, i, b, j)));
            }
        }
    }
    let mut rows = Vec::new();
    while let Some(&(a, i, b, j)) = open.first() {
        let mut row: Vec<Option<usize>> = vec![None; FACTORS.len()];
        row[a] = Some(i);
        row[b] = Some(j);
        for factor in 0..FACTORS.len() {
            if row[factor].is_none() {
                let gain = |way: usize| {
                    let new = |(other, chosen): (usize, &Option<usize>)| {
                        let Some(chosen) = *chosen else { return false };
                        let pair = if factor < other {
                            (factor, way, other, chosen)
                        } else {
                            (other, chosen, factor, way)
                        };
                        open.contains(&pair)
                    };
                    row.iter().enumerate().filter(|pair| new(*pair)).count()
                };
                // of equals the one whose turn it is
                let ways = FACTORS[factor].1.len();
                let turn = rows.len() % ways;
                row[factor] = (0..ways)
                    .map(|way| (way + turn) % ways)
                    .max_by_key(|way| gain(*way));
            }
        }
        let row: Row = row.into_iter().flatten().collect();
        for a in 0..row.len() {
            for b in a + 1..row.len() {
                open.remove(&(a, row[a], b, row[b]));
            }
        }
        rows.push(row);
    }
    rows
}

fn way(row: &Row, name: &str) -> &'static str {
    let factor = FACTORS
        .iter()
        .position(|(factor, _)| *factor == name)
        .unwrap();
    FACTORS[factor].1[row[factor]]
}

/// Folders that were built, and the documents in them.
struct Built {
    /// Where the documents lie: they go with it.
    sites: Vec<Site>,
    documents: Vec<PathBuf>,
    failures: Vec<String>,
}

/// Builds a folder for each row.
fn build() -> Built {
    let mut built = Built {
        sites: Vec::new(),
        documents: Vec::new(),
        failures: Vec::new(),
    };
    for row in rows() {
        let shown: Vec<String> = FACTORS
            .iter()
            .zip(&row)
            .map(|((name, ways), way)| format!("{name}={}", ways[*way]))
            .collect();
        let shown = shown.join(", ");
        let site = folder(&row);
        let run = site.build(&["-v"]);
        let refused = run.stderr.contains("is not fit")
            || run.stderr.contains("invalid:")
            || run.stderr.contains("panicked");
        if run.code != 0 || refused {
            let failure = format!("{shown}: exit {}: {}", run.code, run.stderr);
            built.failures.push(failure);
        }
        let names = way(&row, "formats");
        let expected = [
            ("rss", "rss.xml"),
            ("atom", "atom.xml"),
            ("json", "feed.json"),
        ];
        for (format, file) in expected {
            let place = site.path("feeds").join(file);
            if place.is_file() != names.split(' ').any(|name| name == format) {
                let failure = format!("{shown}: {file} is there, or not");
                built.failures.push(failure);
            }
        }
        collect(&site.path("feeds"), &mut built.documents);
        built.sites.push(site);
    }
    built
}

#[test]
fn every_pair_of_options_and_dialects_passes_the_gate() {
    let built = build();
    assert_eq!(built.failures, Vec::<String>::new());
    let (folders, documents) = (built.sites.len(), built.documents.len());
    assert!(
        documents > 500,
        "{documents} documents of {folders} folders"
    );
}

#[test]
fn foreign_readers_accept_every_pair_of_options_and_dialects() {
    let Some(python) = python_with_readers() else {
        return;
    };
    if !is_installed("xmllint") {
        return;
    }
    let built = build();
    xmllint(&built.documents);
    feedparser(&python, &built.documents);
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, found);
        } else if ["rss.xml", "atom.xml", "feed.json", "feeds.opml"].contains(&name.as_str()) {
            found.push(path);
        }
    }
}

fn xmllint(documents: &[PathBuf]) {
    let xml = documents.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension != "json")
    });
    let run = Command::new("xmllint").arg("--noout").args(xml).output();
    let run = run.unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
}

fn feedparser(python: &Path, documents: &[PathBuf]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/parse.py");
    let mut run = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let feeds = documents.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension != "opml")
    });
    let list: Vec<String> = feeds.map(|path| path.display().to_string()).collect();
    run.stdin
        .take()
        .unwrap()
        .write_all(list.join("\n").as_bytes())
        .unwrap();
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

fn folder(row: &Row) -> Site {
    let site = Site::bare();
    site.put("tidings.toml", configuration(row));
    site.put("articles/pic.png", PNG);
    site.put("articles/sound.mp3", [0xff, 0xfb, 0x90, 0x00].repeat(200));
    site.put(
        "articles/notes/_index.md",
        "---\ntitle: Notes & <more>\n---\n",
    );
    // neighbours, so that links between articles, shared dates and slugs have something to meet
    site.put("articles/notes/neighbour.md", "---\ntitle: Neighbour\ndate: 2024-05-01\ntags: [Rust]\nlang: fr\n---\nSee [it](../it.md).\n");
    site.put(
        "articles/_posts/2024-05-01-other.md",
        "---\ntitle: Other\ncategories: a b\n---\nOther.\n",
    );
    let (name, text) = article(row);
    site.put(&format!("articles/{name}"), text);
    site
}

fn configuration(row: &Row) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let list = |text: &str| {
        text.split_whitespace()
            .map(quoted)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut text = String::new();
    if !way(row, "base").is_empty() {
        text += &format!("base_url = {}\n", quoted(way(row, "base")));
    }
    for (key, name) in [
        ("permalink", "permalink"),
        ("icon", "icon"),
        ("author", "author"),
        ("language", "language"),
        ("time_zone", "zone"),
    ] {
        // an angle bracket makes it a mail address, which this one is not
        if way(row, name) != "A & B <i>" {
            text += &format!("{key} = {}\n", quoted(way(row, name)));
        }
    }
    text += "title = \"Pairs & <co>\"\n[authors.ann]\nname = \"Ann \\u201cA\\u201d & Co\"\nemail = \"ann@example.org\"\nurl = \"https://ann.example\"\n";
    text += &format!(
        "[defaults]\ncontent = {}\nformats = [{}]\nby = [{}]\nlimit = {}\n",
        quoted(way(row, "content")),
        list(way(row, "formats")),
        list(way(row, "by")),
        way(row, "limit")
    );
    text += match way(row, "named") {
        "filter" => {
            "[[feed]]\nname = \"some\"\ntags = { any = [\"rust\"], none = [\"x\"] }\nafter = 2020-01-01\n"
        }
        "empty" => {
            "[[feed]]\nname = \"nothing/here\"\ntitle = \"Leer & <b>\"\ntags = [\"no such tag\"]\n"
        }
        "language" => "[[feed]]\nname = \"français\"\nlanguages = [\"fr\"]\n",
        _ => "",
    };
    text
}

/// The file's name and what stands in it.
fn article(row: &Row) -> (String, String) {
    let head = way(row, "head");
    let title = match way(row, "title") {
        "plain" => "A plain title",
        "markup" => "Vec<T> & \"quotes\" &amp; </title> ]]>",
        "script" => "日本語 العربية 🦀",
        _ => "",
    };
    let date = match way(row, "date") {
        "instant" => "2024-05-01T10:00:00+02:00",
        "day" => "2024-05-01",
        _ => "",
    };
    let mut keys: Vec<(&str, String)> =
        vec![("title", title.to_owned()), ("date", date.to_owned())];
    if way(row, "author") == "A & B <i>" {
        keys.push(("author", "A & B <i>".to_owned()));
    }
    if matches!(way(row, "media"), "image" | "both") {
        keys.push(("image", "pic.png".to_owned()));
    }
    if matches!(way(row, "media"), "enclosure" | "both") {
        keys.push(("enclosure", "sound.mp3".to_owned()));
    }
    match way(row, "terms") {
        "plain" => keys.extend([
            ("tags", "rust, harbour".to_owned()),
            ("category", "News".to_owned()),
        ]),
        "odd" => keys.extend([
            ("tags", "C++, C, 日本語, a<b & \"c\", 🦀".to_owned()),
            ("category", "Ünï / x".to_owned()),
        ]),
        _ => {}
    }
    keys.retain(|(_, value)| !value.is_empty());
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let lines = |between: &str| {
        keys.iter()
            .map(|(key, value)| format!("{key}{between}{}\n", quoted(value)))
            .collect::<String>()
    };
    let object = || {
        let pairs: Vec<String> = keys
            .iter()
            .map(|(key, value)| format!("{}: {}", quoted(key), quoted(value)))
            .collect();
        format!("{{{}}}", pairs.join(",\n"))
    };
    let plain = |start: &str| {
        keys.iter()
            .map(|(key, value)| format!("{start}{key}: {value}\n"))
            .collect::<String>()
    };
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;")
    };
    let metas: String = keys
        .iter()
        .map(|(key, value)| format!("<meta name=\"{key}\" content=\"{}\">\n", escaped(value)))
        .collect();
    let text = body(way(row, "body"), head == "html");
    let file = match head {
        "yaml" => format!("---\n{}---\n{text}", lines(": ")),
        "toml" => format!("+++\n{}+++\n{text}", lines(" = ")),
        "json" => format!("{}\n{text}", object()),
        "---json" => format!("---json\n{}\n---\n{text}", object()),
        "---toml" => format!("---toml\n{}---\n{text}", lines(" = ")),
        "pelican" => format!("{}\n{text}", plain("")),
        "nikola" => format!("<!--\n{}-->\n\n{text}", plain(".. ")),
        "html" => format!(
            "<!doctype html><html><head><title>{}</title>{metas}</head><body>{text}</body></html>",
            escaped(title)
        ),
        _ => text,
    };
    let extension = match head {
        "html" => "html",
        "text" => "txt",
        _ => "md",
    };
    let name = if way(row, "date") == "name" {
        "2024-05-02-it"
    } else {
        "it"
    };
    (format!("{name}.{extension}"), file)
}

fn body(kind: &str, html: bool) -> String {
    let text = match kind {
        "plain" => {
            "A paragraph with [a link](notes/neighbour.md), ![a picture](pic.png) and <https://other.example/>.\n\nAnother.[^1]\n\n[^1]: A note.\n"
        }
        "nasty" => {
            "<script>alert(1)</script><svg><circle/></svg><p style=\"position:fixed\" onclick=\"x()\">a ]]> b \u{1} \u{b} \u{fffe} </content></entry>\n\n<a href=\"javascript:x\">x</a><img src=//host.example/x.png><iframe src=\"https://www.youtube.com/embed/abc\"></iframe><b><i>misnested</b></i><my-element>y</my-element>&nbsp;&NotAnEntity;\n"
        }
        "template" => {
            "{{< figure src=\"pic.png\" caption=\"A & b\" >}}\n\n{% highlight rust %}\nlet a = 1 < 2;\n{% endhighlight %}\n\n[x]({% post_url 2024-05-01-other %}) {{ unknown | thing }} {% raw %}`{{ x }}`{% endraw %}\n"
        }
        "tables" => {
            "| a | b |\n|---|:-:|\n| 1 | ~~2~~ |\n\n- [ ] todo\n- [x] done\n\n# Heading {#own-id}\n\n```rust,ignore\nlet x = \"<&>\";\n```\n"
        }
        _ => "",
    };
    if html && kind == "plain" {
        return "<p>A paragraph with <a href=\"notes/neighbour.md\">a link</a> and <img src=\"pic.png\">.</p>".to_owned();
    }
    text.to_owned()
}

/// One pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49, 0x44, 0x41, 0x54,
    0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff, 0x89, 0x99, 0x3d, 0x1d, 0, 0,
    0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];
