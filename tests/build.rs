//! `tidings build` as people and cron meet it: what it says, how it ends, what it keeps.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use crate::common::Site;

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Ids by title, as subscribers know them.
fn ids(site: &Site) -> BTreeMap<String, String> {
    let feed = json(&site.read("feeds/feed.json"));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (text(&item["title"]), text(&item["id"])))
        .collect()
}

#[test]
fn without_any_configuration_there_are_feeds_and_pages_and_one_warning() {
    let site = Site::bare();
    site.article("a.md", "One", "Text.");
    let run = site.build(&[]);
    assert_eq!(run.code, 0);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("base_url = "), "{}", run.stderr);
    for path in [
        "rss.xml",
        "atom.xml",
        "feed.json",
        "feeds.opml",
        "articles/a/index.html",
        "tidings.css",
        "tidings.json",
    ] {
        assert!(site.path("feeds").join(path).exists(), "{path}");
    }
    assert!(
        site.read("feeds/rss.xml")
            .contains("http://localhost:8080/articles/a/")
    );
}

#[test]
fn a_second_run_says_nothing_and_touches_nothing() {
    let mut site = Site::new();
    site.article("a.md", "One", "Text.");
    site.put(
        "articles/undated.md",
        "An article without a date, which is a warning once.\n",
    );
    assert_eq!(site.build(&[]).stderr.lines().count(), 1);
    let stamps = |site: &Site| {
        let entries = fs::read_dir(site.path("feeds"))
            .unwrap()
            .map(Result::unwrap);
        let mut stamps: Vec<_> = entries
            .map(|e| {
                (
                    e.file_name(),
                    e.metadata().unwrap().modified().unwrap(),
                    std::os::unix::fs::MetadataExt::ino(&e.metadata().unwrap()),
                )
            })
            .collect();
        stamps.sort();
        stamps
    };
    let (before, ledger) = (stamps(&site), site.read("ledger.jsonl"));
    site.now += 60;
    let run = site.build(&[]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    assert_eq!(stamps(&site), before);
    assert_eq!(site.read("ledger.jsonl"), ledger);
}

#[test]
fn a_warning_is_told_once_and_an_error_each_time() {
    let site = Site::new();
    site.article("a.md", "One", "Text.");
    site.article("copy.md", "One", "Text.");
    site.put("articles/bad.md", "---\ntitle: [\n---\n");
    let first = site.build(&[]);
    assert!(
        first
            .stderr
            .contains("warning: articles/copy.md: copy of `a.md`"),
        "{}",
        first.stderr
    );
    let second = site.build(&[]);
    assert!(!second.stderr.contains("warning"), "{}", second.stderr);
    assert!(
        second.stderr.contains("error: articles/bad.md:"),
        "{}",
        second.stderr
    );
    assert!(site.build(&["--verbose"]).stderr.contains("copy of"));
    assert!(!site.build(&["--quiet"]).stderr.contains("warning"));
    assert_eq!(site.build(&["--quiet"]).code, 3);
}

#[test]
fn exit_codes_tell_what_came_of_a_run() {
    let site = Site::new();
    site.article("a.md", "One", "Text.");
    assert_eq!(site.build(&["--no-such-option"]).code, 2);
    assert_eq!(site.build(&["--config", "missing.toml"]).code, 2);
    assert_eq!(site.build(&["--base-url", "example.org"]).code, 2);
    assert_eq!(site.build(&[]).code, 0);
    site.put("articles/copy.md", site.read("articles/a.md"));
    assert_eq!(site.build(&[]).code, 0, "a warning is no failure");
    assert_eq!(site.build(&["--strict"]).code, 3);
    site.put("articles/bad.md", "---\ntitle: [\n---\n");
    assert_eq!(site.build(&[]).code, 3);
    let lock = fs::File::options()
        .append(true)
        .open(site.path(".tidings/lock"))
        .unwrap();
    lock.lock().unwrap();
    let run = site.build(&[]);
    assert_eq!(run.code, 4);
    assert!(run.stderr.contains("--wait"), "{}", run.stderr);
    drop(lock);
    site.remove("articles");
    let run = site.build(&[]);
    assert_eq!(run.code, 5);
    assert!(run.stderr.contains("the old feeds stay"), "{}", run.stderr);
    assert!(site.read("feeds/rss.xml").contains("One"));
}

#[test]
fn a_run_waits_for_another_if_it_is_told_to() {
    let site = Site::new();
    site.article("a.md", "One", "Text.");
    site.build_well();
    let lock = fs::File::options()
        .append(true)
        .open(site.path(".tidings/lock"))
        .unwrap();
    lock.lock().unwrap();
    let mut run = site.command(&["--wait", "60"]).spawn().unwrap();
    assert!(run.try_wait().unwrap().is_none());
    drop(lock);
    assert!(run.wait().unwrap().success());
}

#[test]
fn a_dry_run_promises_what_the_next_run_does() {
    let site = Site::new();
    for (name, title) in [("a", "One"), ("b", "Two"), ("c", "Three"), ("d", "Four")] {
        site.article(&format!("{name}.md"), title, &format!("Text of {title}."));
    }
    site.put(
        "articles/later.md",
        "---\ntitle: Later\ndate: 2027-01-01T09:00:00Z\n---\nText.\n",
    );
    site.build_well();
    site.article("a.md", "One", "Another text.");
    site.remove("articles/b.md");
    fs::rename(site.path("articles/c.md"), site.path("articles/renamed.md")).unwrap();
    site.article("new.md", "New", "New text.");
    site.put("articles/bad.md", "---\ntitle: [\n---\n");
    let snapshot = |site: &Site| {
        let read = |path: &str| fs::read(site.path(path)).unwrap();
        [
            "feeds/rss.xml",
            "feeds/tidings.json",
            "ledger.jsonl",
            ".tidings/state.json",
        ]
        .map(read)
    };
    let before = snapshot(&site);
    let promise = site.build(&["--dry-run", "--format", "json"]);
    assert_eq!(snapshot(&site), before, "a dry run writes nothing");
    let deed = site.build(&["--format", "json"]);
    assert_eq!(promise.code, deed.code);
    let (mut promise, deed) = (json(&promise.stdout), json(&deed.stdout));
    assert_eq!(promise["dry_run"], true);
    promise["dry_run"] = false.into();
    assert_eq!(promise, deed);
    assert_eq!(deed["new"], serde_json::json!(["new.md"]));
    assert_eq!(deed["updated"], serde_json::json!(["a.md"]));
    assert_eq!(deed["withdrawn"], serde_json::json!(["b.md"]));
    assert_eq!(
        deed["renamed"],
        serde_json::json!([{ "path": "renamed.md", "was": "c.md" }])
    );
    assert_eq!(deed["next_due"], "2027-01-01T09:00:00Z");
}

#[test]
fn options_come_before_environment_before_file() {
    let mut site = Site::new();
    site.article("a.md", "One", "Text.");
    let home = |site: &Site| {
        json(&site.read("feeds/feed.json"))["home_page_url"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    site.build_well();
    assert_eq!(home(&site), "https://example.org/");
    site.variables = vec![(
        "TIDINGS_BASE_URL".to_owned(),
        "https://env.example/x".to_owned(),
    )];
    site.build(&[]);
    assert_eq!(home(&site), "https://env.example/x/");
    site.build(&["--base-url", "https://option.example"]);
    assert_eq!(home(&site), "https://option.example/");
    let run = site.build(&["--feeds", "elsewhere", "--permalink", "/p/:filename.html"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        site.read("elsewhere/rss.xml")
            .contains("https://env.example/x/p/a.html")
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line_and_a_remedy() {
    let site = Site::new();
    for (text, expected) in [
        (
            "titel = \"x\"\n",
            "tidings.toml:1: the key `titel` is unknown; do you mean `title`?",
        ),
        (
            "\n[defaults]\nlimits = 3\n",
            "tidings.toml:3: the key `limits` is unknown in `[defaults]`; do you mean `limit`?",
        ),
        ("limit = 3\n", "tidings.toml:1: the key `limit` is unknown"),
        ("title = 3\n", "tidings.toml:1: invalid type"),
        ("title = \"x\ny\"\n", "tidings.toml:2: "),
        (
            "base_url = \"example.org\"\n",
            "tidings.toml:1: `base_url`: `example.org` is no URL",
        ),
        (
            "base_url = \"ftp://example.org\"\n",
            "is no address on the web",
        ),
        ("time_zone = \"Berlin\"\n", "use an IANA name"),
        ("language = \"english\"\n", "is no language tag"),
        ("permalink = \"/:year/\"\n", "gives many articles one URL"),
        (
            "permalink = \"/:slag/\"\n",
            "`:slag` is no part of a permalink",
        ),
        (
            "permalink = \"hogu\"\n",
            "`hogu` is neither a pattern nor a generator that is known",
        ),
        (
            "encoding = \"utf-17\"\n",
            "tidings.toml:1: `encoding`: `utf-17` is no encoding",
        ),
        (
            "hubs = [\"hub.example\"]\n",
            "tidings.toml:1: `hubs`: `hub.example` is no address of a hub",
        ),
        (
            "hubs = [\"https://u:p@hub.example/\"]\n",
            "is no address of a hub",
        ),
        (
            "[hub]\nenable = true\n",
            "tidings.toml:2: the key `enable` is unknown in `[hub]`; do you mean `enabled`?",
        ),
        (
            "[hub]\nallow = [\"here\"]\n",
            "tidings.toml:2: `allow`: `here` is no network",
        ),
        (
            "feeds = \"ftp://bucket/x\"\n",
            "tidings.toml:1: `feeds`: `ftp://bucket/x` is neither a folder nor a bucket",
        ),
        (
            "[[feed]]\ntitle = \"x\"\n",
            "tidings.toml:1: `feed`: a feed has no `name`",
        ),
        (
            "[[feed]]\nname = \"x\"\n[[feed]]\nname = \"X\"\n",
            "tidings.toml:3: `feed`: two feeds are called `X`",
        ),
        (
            "[[feed]]\nname = \"tags/x\"\n",
            "`tags/x` is in the way of what is published at `/tags`",
        ),
        ("[[feed]]\nname = \"a b\"\n", "cannot stand in a URL"),
        (
            "[[feed]]\nname = \"x\"\ntag = [\"y\"]\n",
            "tidings.toml:3: the key `tag` is unknown in `[feed]`; do you mean `tags`?",
        ),
        (
            "[[feed]]\nname = \"x\"\ntags = { some = [\"y\"] }\n",
            "tidings.toml:3: the key `some` is unknown in `[feed.tags]`",
        ),
        (
            "[[feed]]\nname = \"x\"\nlimit = \"y\"\n",
            "tidings.toml:3: invalid type: string \"y\", expected a whole number",
        ),
        (
            "[defaults]\nmax_bytes = []\n",
            "tidings.toml:2: expected a number of bytes, or text like \"512 KiB\"",
        ),
        (
            "[[feed]]\nname = \"x\"\ntags = 3\n",
            "tidings.toml:3: expected a list like [\"a\", \"b\"]",
        ),
        (
            "[[feed]]\nname = \"x\"\nafter = \"soon\"\n",
            "`after`: `soon` is no date",
        ),
        (
            "[podcast]\ncategory = \"x\"\n",
            "`podcast` is not built yet",
        ),
        (
            "[defaults]\nby = [\"topic\"]\n",
            "tidings.toml:2: `by`: `topic` is nothing that articles are sorted by",
        ),
        ("[defaults]\nlimit = 0\n", "shows at least one entry"),
        (
            "[serve]\naliases = { \"/a\" = \"/b\", \"/b\" = \"/rss.xml\" }\n",
            "the alias `/a` leads to `/b`, which `aliases`, `moved` or `gone` leads elsewhere",
        ),
        (
            "[defaults]\ncontent = \"all\"\n",
            "use `both`, `full` or `summary`",
        ),
        (
            "[defaults]\nformats = [\"rdf\"]\n",
            "the format `rdf` is unknown",
        ),
        (
            "title = \"x\"\ncompress = [\"gzip\", \"zip\"]\n",
            "tidings.toml:2: `compress`: `zip` lies beside no document",
        ),
        ("[defaults]\nmax_age = \"soon\"\n", "is no duration"),
        ("author = \"Ann <ann>\"\n", "is no author"),
        ("[authors.ann]\nemail = \"x\"\n", "is no mail address"),
    ] {
        site.put("tidings.toml", text);
        let run = site.build(&[]);
        assert_eq!(run.code, 2, "{text}: {run:?}");
        assert!(run.stderr.contains(expected), "{text}: {}", run.stderr);
    }
    site.put(
        "tidings.toml",
        "[serve]\nlisten = [\"127.0.0.1:8080\"]\nfresh = \"2 hours\"\n",
    );
    site.article("a.md", "One", "Text.");
    assert_eq!(site.build(&[]).code, 0);
    assert!(site.read("feeds/rss.xml").contains("<ttl>120</ttl>"));
}

#[test]
fn a_broken_article_keeps_its_last_good_version() {
    let mut site = Site::new();
    site.article("a.md", "One", "The good text.");
    site.article("b.md", "Two", "Other.");
    site.build_well();
    let before = site.read("feeds/rss.xml");
    for broken in [
        &b"---\ntitle: [\n---\nHalf"[..],
        b"---\ntitle: x\ndraft: perhaps\n---\nx",
        b"\xff\xff",
        b"",
    ] {
        site.put("articles/a.md", broken);
        site.now += 60;
        let run = site.build(&[]);
        assert_eq!(site.read("feeds/rss.xml"), before, "{run:?}");
        assert_eq!(run.code, if broken.is_empty() { 0 } else { 3 }, "{run:?}");
    }
    // the state may be lost: then the published entry serves
    site.remove(".tidings");
    site.put("articles/a.md", "---\ntitle: [\n---\n");
    site.now += 60;
    site.build(&[]);
    let feed = json(&site.read("feeds/feed.json"));
    let entry = feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["title"] == "One")
        .expect("the entry stays");
    assert_eq!(
        (&entry["content_html"], &entry["id"]),
        (
            &"<p>The good text.</p>\n".into(),
            &"tag:example.org,2026-05-01:/a".into()
        )
    );
    assert_eq!(entry["date_modified"], "2026-05-01T10:00:00Z");
    // mended, it is the same article
    site.article("a.md", "One", "The good text.");
    site.now += 60;
    site.build_well();
    assert_eq!(ids(&site)["One"], "tag:example.org,2026-05-01:/a");
    // a broken article that nobody has seen is not shown
    site.put(
        "articles/new.md",
        "---\ntitle: Secret\ndraft: true\nbad: [\n---\nSecret\n",
    );
    assert_eq!(site.build(&[]).code, 3);
    assert!(!site.read("feeds/rss.xml").contains("Secret"));
}

#[test]
fn a_lost_damaged_or_old_ledger_is_rebuilt_from_the_published_feeds() {
    let mut site = Site::new();
    site.article("a.md", "One", "First.");
    site.article("b.md", "Two", "Second.");
    site.put("articles/undated.md", "# Undated\n\nNo date.\n");
    site.build(&[]);
    // ids that no fresh start would give
    fs::rename(site.path("articles/a.md"), site.path("articles/moved.md")).unwrap();
    let old = site.read("ledger.jsonl");
    site.now += 86_400;
    site.build_well();
    site.article("c.md", "Three", "Third.");
    site.build_well();
    let (before, whole) = (ids(&site), site.read("ledger.jsonl"));
    assert_eq!(before["One"], "tag:example.org,2026-05-01:/a");
    let damaged = whole.replacen("\"id\"", "\"di\"", 1);
    for (what, text) in [
        ("missing", None),
        ("empty", Some("")),
        ("damaged", Some(damaged.as_str())),
        ("older", Some(old.as_str())),
    ] {
        match text {
            None => site.remove("ledger.jsonl"),
            Some(text) => site.put("ledger.jsonl", text),
        }
        site.now += 86_400;
        let run = site.build(&[]);
        assert_eq!(run.code, 3, "{what}: {run:?}");
        assert!(
            run.stderr.contains("error: ledger.jsonl"),
            "{what}: {run:?}"
        );
        assert_eq!(ids(&site), before, "{what}");
        let records = site.read("ledger.jsonl");
        assert!(
            records.contains("\"path\":\"moved.md\",\"id\":\"tag:example.org,2026-05-01:/a\""),
            "{what}: {records}"
        );
        assert_eq!(site.build(&[]).code, 0, "{what}: the ledger is whole again");
    }
    // a merge with another branch is no damage
    site.put(
        "ledger.jsonl",
        format!("{}{}", site.read("ledger.jsonl"), whole),
    );
    assert_eq!(site.build(&[]).code, 0);
    assert_eq!(ids(&site), before);
}

#[test]
fn a_folder_that_is_suddenly_half_empty_is_not_believed() {
    let site = Site::new();
    for i in 0..12 {
        site.article(
            &format!("p{i}.md"),
            &format!("Title {i}"),
            &format!("Text {i}."),
        );
    }
    site.build_well();
    for i in 0..7 {
        site.remove(&format!("articles/p{i}.md"));
    }
    let run = site.build(&[]);
    assert_eq!(run.code, 5);
    assert!(run.stderr.contains("--allow-shrink"), "{}", run.stderr);
    assert_eq!(ids(&site).len(), 12);
    assert_eq!(site.build(&["--allow-shrink"]).code, 0);
    assert_eq!(ids(&site).len(), 5);
    assert_eq!(site.build(&[]).code, 0);
}

#[test]
fn only_what_tidings_wrote_is_ever_deleted_or_replaced_without_a_copy() {
    let mut site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.article("trip/index.md", "Trip", "![](photo.png)");
    site.put("articles/trip/photo.png", "png");
    site.put("feeds/rss.xml", "<rss>somebody else's</rss>");
    site.put("feeds/index.html", "home page");
    site.put("feeds/articles/trip/notes.txt", "mine");
    let run = site.build(&[]);
    assert!(
        run.stderr.contains("`.tidings/replaced/rss.xml`"),
        "{}",
        run.stderr
    );
    assert_eq!(
        site.read(".tidings/replaced/rss.xml"),
        "<rss>somebody else's</rss>"
    );
    assert!(site.path("feeds/articles/trip/photo.png").exists());
    site.remove("articles/trip");
    site.article("b.md", "Two", "Text.");
    site.now += 60;
    site.build_well();
    assert!(
        !site.path("feeds/articles/trip/photo.png").exists(),
        "a withdrawn article's image goes"
    );
    assert!(
        !site.path("feeds/articles/trip/index.html").exists(),
        "and so does its page"
    );
    assert_eq!(site.read("feeds/index.html"), "home page");
    assert_eq!(site.read("feeds/articles/trip/notes.txt"), "mine");
    // what somebody changed since is somebody's
    site.put("feeds/articles/b/index.html", "edited by hand");
    site.remove("articles/b.md");
    site.now += 60;
    site.build_well();
    assert_eq!(site.read("feeds/articles/b/index.html"), "edited by hand");
}

#[test]
fn whatever_is_in_the_way_is_kept_and_stops_nothing() {
    let site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.article("a.md", "One", "![](b.png)");
    site.put("articles/b.png", "png");
    // a folder, links, a file where a folder belongs, manifests of somebody else
    site.put("feeds/rss.xml/inside", "mine");
    std::os::unix::fs::symlink("/nowhere", site.path("feeds/atom.xml")).unwrap();
    site.put("feeds/tidings.json", "{\"name\": \"somebody else's\"}");
    site.put("feeds/manifest.json", "{\"name\": \"somebody else's\"}");
    let run = site.build(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(site.read(".tidings/replaced/rss.xml/inside"), "mine");
    assert!(site.path(".tidings/replaced/atom.xml").is_symlink());
    assert!(
        site.read(".tidings/replaced/tidings.json")
            .contains("somebody else's")
    );
    assert!(site.read("feeds/manifest.json").contains("somebody else's"));
    assert!(site.path("feeds/articles/a/index.html").is_file());
    site.build_well();
    // a feed that another program wrote since, and a file in the way of one page
    site.put("feeds/rss.xml", "<rss>somebody else's</rss>");
    site.remove("feeds/articles/a");
    site.put("feeds/articles/a", "mine");
    site.article("a.md", "One", "Another text.");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        site.read(".tidings/replaced/rss.xml.2"),
        "<rss>somebody else's</rss>"
    );
    assert_eq!(site.read(".tidings/replaced/articles/a"), "mine");
    for file in ["rss.xml", "atom.xml", "feed.json", "articles/a/index.html"] {
        assert!(
            site.read(&format!("feeds/{file}"))
                .contains("Another text."),
            "{file}"
        );
    }
    site.build_well();
}

#[test]
fn what_may_be_the_authors_is_never_moved() {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\nfeeds = \".\"\n",
    );
    site.article("a.md", "One", "Text.");
    site.rename("articles", "texts");
    std::os::unix::fs::symlink("texts", site.path("articles")).unwrap();
    let run = site.build(&[]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stderr.contains("is in the way"), "{}", run.stderr);
    assert!(site.path("articles").is_symlink());
    assert!(site.path("articles/a.md").is_file());
    // nor is what lies among them
    site.remove("articles");
    site.rename("texts", "articles");
    site.put("articles/a", "an attachment");
    let run = site.build(&[]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert_eq!(site.read("articles/a"), "an attachment");
    // nor a link to a folder in which documents lie
    let site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.article("a.md", "One", "Text.");
    site.article("b.md", "Two", "Text.");
    site.build_well();
    site.rename("feeds/articles", "elsewhere");
    std::os::unix::fs::symlink("../elsewhere", site.path("feeds/articles")).unwrap();
    site.article("a.md", "One", "Another text.");
    assert_eq!(site.build(&[]).code, 5);
    assert!(site.path("feeds/articles/b/index.html").is_file());
}

#[test]
fn what_lies_compressed_beside_a_feed_is_a_choice() {
    let mut site = Site::new();
    site.article("a.md", "One", &"Text that compresses well. ".repeat(50));
    site.build_well();
    let config = site.read("tidings.toml");
    let beside = |site: &Site| {
        let names = fs::read_dir(site.path("feeds")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.filter_map(|name| Some(name.strip_prefix("rss.xml.")?.to_owned()));
        names.collect::<BTreeSet<_>>()
    };
    let every = BTreeSet::from(["br", "br.etag", "etag", "gz", "gz.etag"].map(str::to_owned));
    assert_eq!(beside(&site), every);
    let document = site.read("feeds/rss.xml");
    for (line, expected) in [
        ("compress = []\n", BTreeSet::new()),
        (
            "compress = [\"gzip\"]\n",
            BTreeSet::from(["etag", "gz", "gz.etag"].map(str::to_owned)),
        ),
        ("", every),
        ("compress = []\n", BTreeSet::new()),
    ] {
        site.put("tidings.toml", format!("{line}{config}"));
        for _ in 0..2 {
            site.now += 60;
            site.build_well();
            assert_eq!(beside(&site), expected, "{line}");
        }
        assert_eq!(site.read("feeds/rss.xml"), document);
    }
    site.article("a.md", "One", &"Another text. ".repeat(50));
    site.now += 60;
    site.build_well();
    assert_eq!(beside(&site), BTreeSet::new());
    assert_ne!(site.read("feeds/rss.xml"), document);
}

#[test]
fn more_documents_are_published_than_a_process_may_open_files() {
    let site = Site::new();
    let config = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        format!("{config}[defaults]\nby = [\"tag\"]\n"),
    );
    for n in 0..90 {
        let text = "Text that compresses well. ".repeat(20);
        site.put(
            &format!("articles/{n}.md"),
            format!("---\ntitle: Number {n}\ndate: 2026-05-01\ntags: [t{n}]\n---\n\n{text}\n"),
        );
    }
    // 273 feeds with five files beside each; a machine with one core has one thread
    for threads in ["2", "1"] {
        let _ = std::fs::remove_dir_all(site.path("feeds"));
        let run = std::process::Command::new("sh")
            .args(["-c", "ulimit -n 128; exec timeout 60 \"$0\" build"])
            .arg(env!("CARGO_BIN_EXE_tidings"))
            .env("RAYON_NUM_THREADS", threads)
            .current_dir(site.home())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        assert!(site.path("feeds/tags/t89/feed.json.br.etag").exists());
    }
}

#[test]
fn articles_that_name_no_language_change_theirs_with_that_of_their_folder() {
    let site = Site::new();
    site.put("articles/far/_index.md", "---\nlanguage: de\n---\n");
    site.article("far/a.md", "One", "Text.");
    site.build_well();
    assert!(site.read("feeds/feed.json").contains("\"language\":\"de\""));
    site.put("articles/far/_index.md", "---\nlanguage: fr\n---\n");
    site.build_well();
    assert!(site.read("feeds/feed.json").contains("\"language\":\"fr\""));
}

#[test]
fn encodings_and_tags_lie_beside_each_feed_and_are_completed() {
    let mut site = Site::new();
    site.article("a.md", "One", &"Text that compresses well. ".repeat(50));
    site.build_well();
    let siblings = [
        "rss.xml.gz",
        "rss.xml.br",
        "rss.xml.etag",
        "rss.xml.gz.etag",
        "rss.xml.br.etag",
    ];
    let check = |site: &Site| {
        let document = fs::read(site.path("feeds/rss.xml")).unwrap();
        let mut unzipped = Vec::new();
        let gz = fs::read(site.path("feeds/rss.xml.gz")).unwrap();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gz[..]), &mut unzipped)
            .unwrap();
        assert_eq!(unzipped, document);
        let mut unbrotlied = Vec::new();
        brotli::BrotliDecompress(
            &mut &fs::read(site.path("feeds/rss.xml.br")).unwrap()[..],
            &mut unbrotlied,
        )
        .unwrap();
        assert_eq!(unbrotlied, document);
        let tag = site.read("feeds/rss.xml.etag");
        assert!(
            tag.starts_with("W/\"") && tag.ends_with('"') && tag.len() == 36,
            "{tag}"
        );
        let mtime = |name: &str| {
            fs::metadata(site.path("feeds").join(name))
                .unwrap()
                .modified()
                .unwrap()
        };
        for sibling in siblings {
            assert_eq!(mtime(sibling), mtime("rss.xml"), "{sibling}");
        }
        assert_eq!(site.read("feeds/rss.xml.gz.etag"), tag);
        tag
    };
    let first = check(&site);
    for sibling in siblings {
        site.remove(&format!("feeds/{sibling}"));
    }
    site.build_well();
    assert_eq!(check(&site), first);
    site.article("a.md", "One", &"Another text. ".repeat(50));
    site.now += 60;
    site.build_well();
    assert_ne!(check(&site), first);
}

#[test]
fn a_fresh_clone_changes_no_byte_and_no_date() {
    let mut site = Site::new();
    site.article("a.md", "One", "Text.");
    site.build_well();
    let mtime = |site: &Site| {
        fs::metadata(site.path("feeds/rss.xml"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let (manifest, before) = (site.read("feeds/tidings.json"), mtime(&site));
    site.remove(".tidings");
    for name in ["rss.xml", "atom.xml", "feed.json"] {
        let bytes = fs::read(site.path("feeds").join(name)).unwrap();
        site.put(&format!("feeds/{name}"), bytes);
    }
    assert_ne!(mtime(&site), before);
    site.now += 3600;
    let run = site.build_well();
    assert_eq!(run.stdout, "");
    assert_eq!(
        (site.read("feeds/tidings.json"), mtime(&site)),
        (manifest, before)
    );
}

#[test]
fn last_modified_grows_with_every_change_and_with_nothing_else() {
    let mut site = Site::new();
    site.article("a.md", "One", "Text 0.");
    site.build_well();
    let modified = |site: &Site| {
        json(&site.read("feeds/tidings.json"))["documents"]["rss.xml"]["last_modified"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(modified(&site), "2026-11-01T00:00:01Z");
    // two changes within one second, and one with a clock that went back
    for (step, expected) in [
        (0, "2026-11-01T00:00:02Z"),
        (-100, "2026-11-01T00:00:03Z"),
        (1000, "2026-11-01T00:15:01Z"),
    ] {
        site.now += step;
        site.article("a.md", "One", &format!("Text at {expected}."));
        site.build_well();
        assert_eq!(modified(&site), expected);
    }
}

#[test]
fn a_page_that_stands_in_the_way_of_nothing_keeps_its_address_when_its_file_is_renamed() {
    let mut site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.article("old-name.md", "One", "Text.");
    site.build_well();
    fs::rename(
        site.path("articles/old-name.md"),
        site.path("articles/new-name.md"),
    )
    .unwrap();
    site.now += 60;
    site.build_well();
    assert!(site.path("feeds/articles/old-name/index.html").exists());
    assert!(!site.path("feeds/articles/new-name").exists());
}

#[test]
fn a_disk_that_refuses_loses_nothing() {
    let site = Site::new();
    site.article("a.md", "One", "Text.");
    site.build_well();
    let before = site.read("feeds/rss.xml");
    site.article("b.md", "Two", "Text two.");
    // a folder where a document belongs, and a file where it would be kept
    site.remove("feeds/rss.xml");
    site.put("feeds/rss.xml/inside", "x");
    site.put(".tidings/replaced", "x");
    let run = site.build(&[]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains("feeds/rss.xml"), "{}", run.stderr);
    site.remove(".tidings/replaced");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(site.read(".tidings/replaced/rss.xml/inside"), "x");
    assert!(site.read("feeds/rss.xml").len() > before.len());
}

#[test]
fn a_copy_is_a_copy_of_what_its_original_says_now() {
    let mut site = Site::new();
    site.article("a.md", "One", "First text.");
    site.build_well();
    // the text moves to a new file, and another one takes its place: nothing is held back, in this turn or the next
    site.article("b.md", "One", "First text.");
    site.article("a.md", "One", "Second text.");
    site.now += 60;
    site.build_well();
    assert!(
        site.read("feeds/rss.xml").contains("First text.")
            && site.read("feeds/rss.xml").contains("Second text.")
    );
    let before = site.read("feeds/atom.xml");
    site.build_well();
    assert_eq!(site.read("feeds/atom.xml"), before);
}

#[test]
fn white_space_around_a_line_of_the_ledger_loses_nothing() {
    let line = "{\"path\":\"a.md\",\"id\":\"tag:example.org,2026:/a\",\"seen\":\"2026-01-01T00:00:00Z\",\
                \"published\":\"2026-01-01T00:00:00Z\",\"digest\":\"d\"}";
    for text in [
        format!("{line}\u{c}\n"),
        format!(" \t{line}\r\n"),
        line.to_owned(),
    ] {
        let (ledger, faults) = tidings::ledger::Ledger::parse(text.as_bytes());
        assert!(faults.is_empty(), "{text:?}: {faults:?}");
        let values = line.trim_end_matches('}');
        let kept = ledger.to_text();
        assert!(kept.starts_with(&format!("{values},\"sum\":")), "{kept}");
        assert!(ledger.at("a.md").is_some(), "{text:?}");
    }
}

#[test]
fn what_somebody_else_put_among_the_feeds_is_never_lost() {
    let site = Site::new();
    site.article("a.md", "A", "Text.");
    let app = "{\"name\": \"Harbour app\", \"icons\": [], \"start_url\": \"/\"}";
    site.write("feeds/manifest.json", app);
    site.write("feeds/rss.xml", "somebody's feed");
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(site.read("feeds/manifest.json"), app);
    assert_eq!(site.read(".tidings/replaced/rss.xml"), "somebody's feed");
    // a second file of that name is kept beside the first
    for (text, kept) in [
        ("another feed", "rss.xml.2"),
        ("a third", "rss.xml.3"),
        ("another feed", "rss.xml.2"),
    ] {
        site.remove("feeds/tidings.json");
        site.write("feeds/rss.xml", text);
        assert_eq!(site.build(&[]).code, 0);
        assert_eq!(site.read(&format!(".tidings/replaced/{kept}")), text);
    }
    assert_eq!(site.read(".tidings/replaced/rss.xml"), "somebody's feed");
    assert_eq!(site.read("feeds/manifest.json"), app);
}

#[test]
fn a_file_that_is_missing_is_said_with_its_line_and_left_out() {
    let site = Site::bare();
    site.put("tidings.toml", "base_url = \"https://example.org/\"\n");
    site.put(
        "articles/a.md",
        "---\ntitle: A\ndate: 2026-05-01\nimage: cover.png\naudio: talk.mp3\n---\n\n![x](missing.png) and [y](https://a.example/z.png), ![z](/elsewhere.png).\n",
    );
    let run = site.build(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (line, name) in [(4, "cover.png"), (5, "talk.mp3"), (8, "missing.png")] {
        let said = format!("warning: articles/a.md:{line}: `{name}` is not in the folder");
        assert!(run.stderr.contains(&said), "{said}\n{}", run.stderr);
    }
    assert!(
        !run.stderr.contains("elsewhere.png") && !run.stderr.contains("z.png"),
        "{}",
        run.stderr
    );
    let feed = json(&site.read("feeds/feed.json"));
    let item = &feed["items"][0];
    assert!(
        item["attachments"].is_null() && item["image"].is_null(),
        "{item}"
    );
    for name in ["cover.png", "talk.mp3", "missing.png"] {
        site.put(&format!("articles/{name}"), "bytes");
    }
    let run = site.build(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let feed = json(&site.read("feeds/feed.json"));
    assert_eq!(feed["items"][0]["attachments"][0]["size_in_bytes"], 5);
    assert_eq!(
        feed["items"][0]["image"],
        "https://example.org/articles/cover.png"
    );
}
