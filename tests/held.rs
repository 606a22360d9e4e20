//! What its author did not clearly mean for the public is not published: it is held, with the reason.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::Site;

/// Every text under `feeds/`, with its path.
fn published(site: &Site) -> Vec<(String, String)> {
    fn gather(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                gather(&entry.path(), found);
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                found.push((entry.path().display().to_string(), text));
            }
        }
    }
    let mut found = Vec::new();
    gather(&site.path("feeds"), &mut found);
    found
}

#[track_caller]
fn assert_secret(site: &Site, word: &str, case: &str) {
    for (path, text) in published(site) {
        let holds = text.to_lowercase().contains(word) || path.to_lowercase().contains(word);
        assert!(!holds, "{case:?} is published in {path}");
    }
}

fn items(site: &Site) -> Vec<Value> {
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    feed["items"].as_array().unwrap().clone()
}

fn titles(site: &Site) -> Vec<String> {
    let items = items(site);
    let titles = items
        .iter()
        .map(|item| item["title"].as_str().unwrap_or_default().to_owned());
    let mut titles: Vec<String> = titles.collect();
    titles.sort();
    titles
}

/// A run that has nothing to complain about but missing dates.
#[track_caller]
fn build_fine(site: &Site) {
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
}

/// A site with pages, and one article that nothing may harm.
fn site() -> Site {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n[defaults]\nlimit = 100\n",
    );
    site.article("innocent.md", "Of somebody else", "Innocent words.");
    site
}

/// Publishes each text as an article of its own: none may be seen, each is named with `reason`, and the innocent one is there.
#[track_caller]
fn assert_held(texts: &[&str], reason: &str) {
    let site = site();
    for (number, text) in texts.iter().enumerate() {
        site.put(
            &format!("articles/case-{number}.md"),
            text.replace("SECRET", &format!("swordfish{number}x")),
        );
    }
    let run = site.build(&[]);
    for (number, text) in texts.iter().enumerate() {
        assert_secret(&site, &format!("swordfish{number}x"), text);
        let name = format!("case-{number}.md");
        let mut said = run.stderr.lines().filter(|line| line.contains(&name));
        assert!(
            said.any(|line| line.contains(reason)),
            "{text:?}\n{}",
            run.stderr
        );
    }
    assert_eq!(titles(&site), ["Of somebody else"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
}

/// As [`assert_held`], of what is meant to be kept back: nothing is wrong with it.
#[track_caller]
fn assert_kept_back(heads: &[&str]) {
    let site = site();
    for (number, head) in heads.iter().enumerate() {
        let text = format!(
            "---\ntitle: swordfish{number}x\ndate: 2026-05-01\n{head}\n---\nThe swordfish{number}x.\n"
        );
        site.put(&format!("articles/case-{number}.md"), text);
    }
    build_fine(&site);
    for (number, head) in heads.iter().enumerate() {
        assert_secret(&site, &format!("swordfish{number}x"), head);
    }
    assert_eq!(titles(&site), ["Of somebody else"]);
}

#[test]
fn an_article_whose_date_cannot_be_read_is_held() {
    let head = |head: &str| format!("---\ntitle: Embargo\n{head}\n---\nThe SECRET.\n");
    let heads = [
        "date: 2027-02-30",
        "date: TBD",
        "date: 2027-13-01",
        "date: 03/05/2027",
        "date: 3.5.27",
        "date: tomorrow",
        "date: \"2027年5月3日\"",
        "date: ２０２７-05-03",
        "date: 2027-W18",
        "date: 2027-05",
        "date: 10:00",
        "date: [2026-05-01, 2026-05-02]",
        "date: {year: 2027}",
        "date: true",
        "date: 2027-05-03 10:00 IST",
        "publishDate: soon",
        "publishDate: 2027-02-29\ndate: 2026-05-01",
        "pubDatetime: 2027/31/12",
        "created: 32.1.2027",
        "date: 2026-05-01\nexpiryDate: 2027-13-01",
        "date: 2026-05-01\nexpires: never",
        "date: 2026-05-01\nunpublishDate: 12/11/2027",
    ];
    let texts: Vec<String> = heads.iter().map(|text| head(text)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_held(&texts, "held until then");
}

#[test]
fn an_impossible_day_in_a_name_holds_too() {
    let site = site();
    for name in [
        "2027-02-30-a.md",
        "2027_13_01_b.md",
        "notes/2027/02/31/c.md",
        "2027-04-31-d/index.md",
    ] {
        site.put(&format!("articles/{name}"), "The swordfish.\n");
    }
    let run = site.build(&[]);
    assert_secret(&site, "swordfish", "names");
    assert_eq!(
        run.stderr.matches("a day that no calendar has").count(),
        4,
        "{}",
        run.stderr
    );
}

#[test]
fn a_public_article_keeps_its_version_when_its_date_becomes_unreadable() {
    let site = site();
    site.put(
        "articles/a.md",
        "---\ntitle: Was there\ndate: 2025-05-03\n---\nPublic words.\n",
    );
    build_fine(&site);
    let before = site.read("feeds/feed.json");
    for (lost, head) in [
        ("", "date: TBD"),
        (".tidings", "date: 30.2.2026"),
        ("", "date: 2025-05-03\nexpires: soon"),
    ] {
        site.put(
            "articles/a.md",
            format!("---\ntitle: Was there\n{head}\n---\nSecret words.\n"),
        );
        if !lost.is_empty() {
            site.remove(lost);
        }
        let run = site.build(&[]);
        assert_eq!(run.code, 3);
        assert!(
            run.stderr.contains("articles/a.md:3: `date`")
                || run.stderr.contains("articles/a.md:4: `expires`"),
            "{}",
            run.stderr
        );
        let item = |text: &str| {
            let feed: Value = serde_json::from_str(text).unwrap();
            let items = feed["items"].as_array().unwrap().clone();
            let item = items
                .into_iter()
                .find(|item| item["title"] == "Was there")
                .unwrap();
            ["id", "date_published", "date_modified", "content_html"].map(|key| item[key].clone())
        };
        assert_eq!(item(&site.read("feeds/feed.json")), item(&before));
    }
}

#[test]
fn a_draft_may_wait_for_its_date_and_an_update_holds_nothing() {
    let site = site();
    site.put(
        "articles/a.md",
        "---\ntitle: A\ndraft: true\ndate: TBD\n---\nThe swordfish.\n",
    );
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2026-05-01\nupdated: soon\n---\nB.\n",
    );
    site.put("articles/c.md", "---\ntitle: C\ndate:\n---\nC.\n");
    site.put("articles/d.html", "<title>D</title><meta name=\"date\" content=\"2026-05-01\"><p>It took <time datetime=\"PT2H\">two hours</time>.</p>");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("warning: articles/b.md:4: `updated`"),
        "{}",
        run.stderr
    );
    assert_secret(&site, "swordfish", "a draft");
    assert_eq!(titles(&site), ["B", "C", "D", "Of somebody else"]);
}

#[test]
fn front_matter_that_is_meant_and_mangled_is_held() {
    let keys = "title: SECRET\ndate: 2026-05-01\ndraft: true\n";
    let texts = [
        format!("\u{2014}\n{keys}\u{2014}\nText of SECRET.\n"),
        format!("----\n{keys}----\nText of SECRET.\n"),
        format!(" ---\n{keys}---\nText of SECRET.\n"),
        format!("\u{200b}---\n{keys}---\nText of SECRET.\n"),
        format!("\u{feff}\u{feff}---\n{keys}---\nText of SECRET.\n"),
        format!("<!-- lint -->\n---\n{keys}---\nText of SECRET.\n"),
        format!("\u{2013}\u{2013}\u{2013}\n{keys}\u{2013}\u{2013}\u{2013}\nText of SECRET.\n"),
        format!("--\n{keys}--\nText of SECRET.\n"),
        format!("\u{2060}---\n{keys}---\nText of SECRET.\n"),
        format!("\u{a0}---\n{keys}---\nText of SECRET.\n"),
        format!("x\n---\n{keys}---\nText of SECRET.\n"),
        format!("---\n{keys}----\nText of SECRET.\n"),
        "++++\ntitle = \"SECRET\"\ndraft = true\n++++\nText of SECRET.\n".to_owned(),
        "\u{200b}Title: SECRET\nStatus: draft\n\nText of SECRET.\n".to_owned(),
        "\u{feff}\u{feff}{\"title\": \"SECRET\", \"draft\": true}\nText of SECRET.\n".to_owned(),
        "draft: true\n\nText of SECRET.\n".to_owned(),
        "---\n{title: SECRET, draft: true\n---\nText of SECRET.\n".to_owned(),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_held(&texts, "nothing of the file is published until then");
    // nor what is no UTF-8 by its zeros
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let site = site();
        let text = format!("---\n{keys}---\nText.\n").replace("SECRET", "swordfish");
        let bytes: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
        site.put("articles/a.md", bytes);
        let run = site.build(&[]);
        assert!(
            run.stderr.contains("UTF-16 without a byte order mark"),
            "{}",
            run.stderr
        );
        assert_eq!(titles(&site), ["Of somebody else"]);
    }
}

#[test]
fn unusual_yaml_is_read_as_what_it_is() {
    let site = site();
    for (name, text) in [
        (
            "flow",
            "---\n{title: Flow, date: 2026-05-01, tags: [x]}\n---\nText.\n",
        ),
        (
            "indented",
            "---\n  title: Indented\n  date: 2026-05-01\n---\nText.\n",
        ),
        (
            "directive",
            "%YAML 1.2\n---\ntitle: Directive\ndate: 2026-05-01\n---\nText.\n",
        ),
        (
            "lines",
            "---\n{\n  title: Lines,\n  date: 2026-05-01\n}\n---\nText.\n",
        ),
        (
            "rule",
            "---\n\nJust a rule first: the quay is open.\n\n---\n\nMore text.\n",
        ),
    ] {
        site.put(&format!("articles/{name}.md"), text);
    }
    site.put(
        "articles/draft.md",
        "---\n{title: Swordfish, draft: true}\n---\nText.\n",
    );
    build_fine(&site);
    assert_secret(&site, "swordfish", "a draft in braces");
    assert_eq!(
        titles(&site),
        [
            "Directive",
            "Flow",
            "Indented",
            "Lines",
            "Of somebody else",
            "Rule"
        ]
    );
    for item in items(&site) {
        let html = item["content_html"].as_str().unwrap();
        assert!(!html.contains("2026-05-01"), "{html}");
    }
}

#[test]
fn switches_of_many_generators_keep_an_article_back() {
    assert_kept_back(&[
        "build: {render: never}",
        "_build:\n  render: never\n  list: never",
        "build:\n  render: false",
        "headless: true",
        "publish: false",
        "publish: no",
        "dg-publish: false",
        "private: true",
        "private: yes",
        "public: false",
        "password: hunter2",
        "password: [a, b]",
        "password: 1234",
        "encrypted: true",
        "status: private",
        "visibility: private",
        "unlisted: true",
        "hidden: true\nprivate: true",
        "publish: 2027-05-01",
        "status: [draft]",
        "visibility:\n  - private",
        "draft\u{a0}: true",
        "dra\u{ad}ft: true",
        "\u{200b}draft: true",
    ]);
}

#[test]
fn a_switch_that_is_neither_on_nor_off_holds() {
    let head =
        |head: &str| format!("---\ntitle: SECRET\ndate: 2026-05-01\n{head}\n---\nThe SECRET.\n");
    let heads = [
        "draft: maybe",
        "publish: later",
        "private: mostly",
        "public: friends",
        "headless: ?",
        "hidden: perhaps",
        "feed: sometimes",
        "exclude_from_feed: x",
        "unlisted: [a]",
        "build: {list: seldom}",
        "dg-publish: soon",
    ];
    let texts: Vec<String> = heads.iter().map(|text| head(text)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_held(&texts, "nothing of the file is published until then");
}

#[test]
fn what_is_in_no_feed_has_a_page_and_other_keys_are_no_switches() {
    let site = site();
    let heads = [
        "hidden: true",
        "build: {list: never}",
        "_build: {list: local}",
        "feed: false",
        "rss: {exclude: true}",
    ];
    for (number, head) in heads.iter().enumerate() {
        let text = format!("---\ntitle: Page {number}\ndate: 2026-05-01\n{head}\n---\nText.\n");
        site.put(&format!("articles/page-{number}.md"), text);
    }
    let heads = [
        "sitemap: false",
        "noindex: true",
        "robots: noindex",
        "status: evergreen",
        "password:",
        "password: false",
        "hidden: false",
        "private: false",
        "public: true",
        "publish: true",
        "publish: 2026-05-01",
        "render: auto",
        "build: {list: always}",
        "build: 17",
        "visibility: public",
        "feed: {name: x}",
        "headless: no",
        "dg-publish: true",
    ];
    for (number, head) in heads.iter().enumerate() {
        let text =
            format!("---\ntitle: Public {number:02}\ndate: 2026-05-01\n{head}\n---\nText.\n");
        site.put(&format!("articles/public-{number}.md"), text);
    }
    build_fine(&site);
    let mut expected: Vec<String> = (0..heads.len())
        .map(|number| format!("Public {number:02}"))
        .collect();
    expected.insert(0, "Of somebody else".to_owned());
    assert_eq!(titles(&site), expected);
    for number in 0..5 {
        assert!(
            site.path(&format!("feeds/articles/page-{number}/index.html"))
                .exists(),
            "{number}"
        );
    }
}

#[test]
fn what_a_text_hides_is_nowhere() {
    let site = site();
    let head = "---\ntitle: \"A title%% swordfish%% of mine <!-- swordfish -->\"\nsummary: \"Short {% comment %}swordfish{% endcomment %} words %%swordfish%%\"\ndate: 2026-05-01\n---\n";
    let bodies = [
        "Public. %%swordfish%% End.",
        "Public. %%swordfish: https://secret.example/x%% End.",
        "Public. [a](https://x.example)%%swordfish%% End.",
        "Public. Write <!-- to begin. %%swordfish%% End.",
        "Public.\n\n%%\nswordfish\n\n```\nswordfish\n```\n%%\n\nEnd.",
        "- Public.\n- %%swordfish%%\n\nEnd.",
        "| a | b |\n|---|---|\n| %%swordfish%% | Public. |\n\nEnd.",
        "Public.\n\n{::comment}\nswordfish\n{:/comment}\n\nEnd.",
        "Public. {::comment}swordfish{:/} End.",
        "Public. {% comment %}swordfish{% endcomment %} End.",
        "Public. {%- comment -%}\nswordfish\n{%- endcomment -%} End.",
        "Public. <!-- swordfish --> End.",
        "Public.\n\n<!--\nswordfish\n\nmore\n-->\n\nEnd.",
        "Public. {/* swordfish */} End.",
        "Public. {{/* swordfish */}} End.",
        "%%swordfish%%\n\n# Public.\n\nEnd.",
        "[//]: # (swordfish)\n\nPublic. End.",
        "Public.\n\n[comment]: <> (swordfish)\n\nEnd.",
    ];
    for (number, body) in bodies.iter().enumerate() {
        site.put(&format!("articles/a{number}.md"), format!("{head}{body}\n"));
        site.put(
            &format!("articles/b{number}.md"),
            format!("---\ndate: 2026-05-02\n---\n{body}\n"),
        );
    }
    site.put("articles/c.txt", "<!-- swordfish -->\n\nPublic. End.\n");
    let others = [
        (
            "d1.txt",
            "Public. %%swordfish%% {/* swordfish */} {::comment}swordfish{:/comment} End.",
        ),
        (
            "d2.txt",
            "Public. {% comment %}swordfish{% endcomment %} {# swordfish #} End.",
        ),
        (
            "d3.html",
            "<p>Public. %%swordfish%% {/* swordfish */} End.</p>",
        ),
        (
            "d4.html",
            "<p>Public. <span hidden>swordfish</span> End.</p><div style='display: none'><div>a</div>swordfish</div>",
        ),
        (
            "d5.md",
            "Public. ![x <!-- swordfish -->](https://x.example/a.png) End.",
        ),
        (
            "d6.md",
            "Public.\n\n- a <!-- swordfish\n- swordfish -->\n\nEnd.",
        ),
        (
            "d7.md",
            "Public. {% comment %}{% comment %}a{% endcomment %}swordfish{% endcomment %} End.",
        ),
        (
            "d8.md",
            "---\ntags: [\"%%swordfish%%\", \"a <!-- swordfish -->\"]\nauthor: \"Ann {# swordfish #}\"\nsummary: \"<b hidden>swordfish</b> End.\"\n---\nPublic. <p hidden>swordfish</p> End.",
        ),
        (
            "d9.md",
            "Public. {% # swordfish %} {{!-- swordfish --}} <%# swordfish %> {#\nswordfish\n#} End.",
        ),
    ];
    for (name, text) in others {
        site.put(&format!("articles/{name}"), text);
    }
    let run = site.build(&["--verbose"]);
    assert!(
        run.stderr.contains(
            "articles/a0.md:6: text between `%%` and `%%` is a comment and is not published"
        ),
        "{}",
        run.stderr
    );
    assert_secret(&site, "swordfish", "a comment");
    let items = items(&site);
    assert_eq!(items.len(), 2 * bodies.len() + 2 + others.len());
    for item in items
        .iter()
        .filter(|item| item["title"] != "Of somebody else")
    {
        let text = item["content_html"].as_str().unwrap();
        assert!(
            text.contains("Public.") || item["title"] == "Public.",
            "{item}"
        );
        assert!(
            text.contains("End.") && !item["title"].as_str().unwrap_or_default().contains("%%"),
            "{item}"
        );
    }
}

#[test]
fn a_section_that_cannot_be_read_withdraws_nothing() {
    let site = site();
    site.put("articles/s/_index.md", "---\ntitle: S\n---\n");
    site.article("s/a.md", "In it", "Text.");
    build_fine(&site);
    for broken in [
        "---\ndraft: maybe\n---\n",
        "----\ndraft: true\n---\n",
        "---\ntitle: [\n---\n",
    ] {
        site.put("articles/s/_index.md", broken);
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert_eq!(
            titles(&site),
            ["In it", "Of somebody else"],
            "{}",
            run.stderr
        );
    }
    // one that can be read says so
    for draft in [
        "draft: true",
        "cascade:\n  draft: true",
        "cascade:\n  - build:\n      list: never",
    ] {
        site.put("articles/s/_index.md", format!("---\n{draft}\n---\n"));
        build_fine(&site);
        assert_eq!(titles(&site), ["Of somebody else"], "{draft}");
        site.put("articles/s/_index.md", "---\ntitle: S\n---\n");
        build_fine(&site);
    }
    // and one that never could hides what is in it
    site.put("articles/t/_index.md", "---\ndraft: maybe\n---\n");
    site.article("t/a.md", "Hidden", "Text.");
    site.build(&[]);
    assert_eq!(titles(&site), ["In it", "Of somebody else"]);
}

#[test]
fn a_comment_without_an_end_and_an_unfinished_merge_are_held() {
    assert_held(
        &[
            "Public.\n\n%%\nSECRET\n",
            "%% SECRET\n",
            "Public. {::comment} SECRET\n",
            "{/* SECRET\n",
            "Public. {% comment %} SECRET\n",
            "Public. {{/* SECRET\n",
            "Public.\n\n<!-- a note\n\nSECRET\n",
            "Public.\n<<<<<<< HEAD\nSECRET\n=======\nother\n>>>>>>> branch\n",
            "<<<<<<< Updated upstream\n---\ntitle: A\n=======\n---\ntitle: SECRET\n>>>>>>> Stashed changes\ndraft: true\n---\nSECRET\n",
        ],
        "until then",
    );
    let site = site();
    site.article("a.md", "A", "Growth of 5%% in code: `%%x%%`, and\n\n```\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n```\n\nhttps://a.example/%%20b/%%20c\n");
    build_fine(&site);
    let item = items(&site)
        .into_iter()
        .find(|item| item["title"] == "A")
        .unwrap();
    let html = item["content_html"].as_str().unwrap();
    for shown in [
        "Growth of 5%% in code: <code>%%x%%</code>",
        "&lt;&lt;&lt;&lt;&lt;&lt;&lt; HEAD",
        "https://a.example/%%20b/%%20c",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
}

#[test]
fn what_lies_beside_an_index_belongs_to_it() {
    let dated = "---\ntitle: Dated\ndate: 2026-05-01\n---\nText.\n";
    let undated = "# Notes\n\nThe swordfish.\n";
    let files = |site: &Site| {
        site.put(
            "articles/post/index.md",
            "---\ntitle: A post\ndate: 2026-05-01\n---\nText.\n",
        );
        site.put("articles/post/dated.md", dated);
        site.put("articles/post/notes.md", undated);
        site.put("articles/post/todo.txt", "The swordfish.\n");
        site.put("articles/post/demo.html", "<p>The swordfish.</p>");
        site.put(
            "articles/post/deep/er.md",
            "---\ntitle: Deeper\ndate: 2026-05-03\n---\nText.\n",
        );
        site.put("articles/section/_index.md", "---\ntitle: Section\n---\n");
        site.put("articles/section/one.md", "---\ntitle: One\n---\nText.\n");
    };
    let site = site();
    files(&site);
    build_fine(&site);
    assert_secret(&site, "swordfish", "beside an index");
    assert_eq!(
        titles(&site),
        ["A post", "Dated", "Deeper", "Of somebody else", "One"]
    );
    for tool in ["hugo", "zola"] {
        let site = self::site();
        site.put(
            "tidings.toml",
            format!("base_url = \"https://example.org/\"\npermalink = \"{tool}\"\n"),
        );
        files(&site);
        build_fine(&site);
        assert_secret(&site, "swordfish", "beside an index");
        assert_eq!(
            titles(&site),
            ["A post", "Of somebody else", "One"],
            "{tool}"
        );
    }
    // an index that comes or goes changes what its neighbors are
    site.remove("articles/post/index.md");
    build_fine(&site);
    assert!(titles(&site).contains(&"Notes".to_owned()));
    site.put(
        "articles/post/index.md",
        "---\ntitle: A post\ndate: 2026-05-01\n---\nText.\n",
    );
    build_fine(&site);
    assert_secret(&site, "swordfish", "beside an index that came back");
}

#[test]
fn pages_that_list_and_copies_that_programs_make_are_no_articles() {
    let site = site();
    let secret = "---\ntitle: Swordfish\n---\nThe swordfish.\n";
    site.put("articles/index.md", secret);
    site.put("articles/blog.md", "---\ntitle: Swordfish\n---\n{% for post in site.posts %}\n* {{ post.title }}\n{% endfor %}\n");
    site.put("articles/_posts/undated.md", secret);
    for name in [
        "a.sync-conflict-20260501-101010-ABC.md",
        "a (conflicted copy 2026-05-01).md",
        "a (Ann's conflicted copy 2026-05-01).md",
        "~$a.md",
        "a.LOCAL.123.md",
        "a.REMOTE.123.md",
        "a_conflict-20260501-101010.md",
    ] {
        site.put(
            &format!("articles/{name}"),
            "---\ntitle: Swordfish\ndate: 2026-05-01\n---\nThe swordfish.\n",
        );
    }
    for name in [
        "innocent (1).md",
        "innocent copy.md",
        "Copy of innocent.md",
        "innocent - Copy (2).md",
        "innocent-DESKTOP-AB12.md",
        "innocent-ANNS-PC.md",
        "innocent_old.md",
        "innocent.bak.md",
    ] {
        site.article(name, "Of somebody else", "Half of a swordfish.");
    }
    site.article("part (1).md", "Part one", "A part with a number.");
    site.article("part-USA.md", "Part two", "A part with a place.");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_secret(&site, "swordfish", "pages that list");
    assert_eq!(titles(&site), ["Of somebody else", "Part one", "Part two"]);
    assert!(
        run.stderr
            .contains("innocent (1).md: copy of `innocent.md`: same title, same date"),
        "{}",
        run.stderr
    );
    assert_eq!(
        run.stderr.matches("a sync or merge program made").count(),
        7,
        "{}",
        run.stderr
    );
    // a front page with a date is an article, and so is one that says something beside its template
    site.put(
        "articles/index.md",
        "---\ntitle: Front\ndate: 2026-05-01\n---\nText.\n",
    );
    site.put(
        "articles/blog.md",
        "---\ntitle: Boats\n---\nThe boats:\n\n{% for b in boats %}{{ b }}{% endfor %}\n",
    );
    build_fine(&site);
    assert_eq!(
        titles(&site),
        ["Boats", "Front", "Of somebody else", "Part one", "Part two"]
    );
}

#[test]
fn folders_of_jekyll_and_pelican_that_hold_no_articles() {
    for (articles, tool, names) in [
        (
            "_posts",
            "jekyll",
            ["_posts/template.md", "_posts/sub/notes.md"],
        ),
        (
            "content",
            "pelican",
            ["content/pages/about.md", "content/extra/notes.md"],
        ),
    ] {
        let site = Site::bare();
        site.put("tidings.toml", format!("base_url = \"https://example.org/\"\narticles = \"{articles}\"\npermalink = \"{tool}\"\n"));
        site.put(
            &format!("{articles}/2026-05-01-one.md"),
            "---\ntitle: One\ndate: 2026-05-01\n---\nText.\n",
        );
        for name in names {
            site.put(name, "---\ntitle: Swordfish\n---\nThe swordfish.\n");
        }
        build_fine(&site);
        assert_secret(&site, "swordfish", articles);
        assert_eq!(titles(&site), ["One"]);
    }
}

#[test]
fn our_own_output_is_never_read() {
    let article = "---\ntitle: One\ndate: 2026-05-01\n---\n![boat](boat.png) and words.\n";
    for (articles, feeds) in [
        (".", "feeds"),
        ("articles", "articles"),
        ("articles", "."),
        (".", "."),
        ("articles", "articles/out/put"),
    ] {
        let site = Site::bare();
        site.put("tidings.toml", format!("base_url = \"https://example.org/\"\ntitle = \"Notes\"\narticles = \"{articles}\"\nfeeds = \"{feeds}\"\n"));
        let place = |name: &str| {
            format!("{articles}/{name}")
                .trim_start_matches("./")
                .to_owned()
        };
        site.put(&place("one.md"), article);
        site.put(&place("boat.png"), b"\x89PNG\r\n\x1a\nboat");
        site.put(
            &place("notes/two.md"),
            "---\ntitle: Two\ndate: 2026-05-02\n---\nWords.\n",
        );
        let mut before = None;
        for run in 0..4 {
            let said = site.build(&[]);
            assert_eq!(said.code, 0, "{articles} {feeds}: {}", said.stderr);
            let feed: Value =
                serde_json::from_str(&site.read(&format!("{feeds}/feed.json"))).unwrap();
            let count = feed["items"].as_array().unwrap().len();
            assert_eq!(count, 2, "{articles} {feeds} {run}: {feed}");
            let all = site.read(&format!("{feeds}/atom.xml"));
            assert_eq!(before.get_or_insert_with(|| all.clone()), &all);
        }
        // what nobody shows any longer is no longer public, and still its author's
        site.put(
            &place("one.md"),
            "---\ntitle: One\ndate: 2026-05-01\n---\nWords alone.\n",
        );
        site.remove(&place("notes/two.md"));
        build_fine(&site);
        assert!(site.path(&place("boat.png")).exists(), "{articles} {feeds}");
        assert!(
            !site
                .path(&format!("{feeds}/articles/notes/two/index.html"))
                .exists()
        );
    }
}
