//! `init`, `list`, `explain`, `check`, `completions` and `man`, from outside.

use std::fs;
use std::process::Command;

use crate::common::server::Server;
use crate::common::tool::is_installed;
use crate::common::{Run, Site};

fn run(site: &Site, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(arguments)
        .current_dir(site.home())
        .env("SOURCE_DATE_EPOCH", site.now.to_string())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn empty() -> Site {
    let site = Site::bare();
    fs::remove_dir(site.path("articles")).unwrap();
    site
}

#[test]
fn init_recognises_each_generator_and_takes_over_what_it_says() {
    for (files, says, lines) in [
        (
            &[
                (
                    "hugo.toml",
                    "baseURL = \"https://h.example/\"\ntitle = \"H\"\ntimeZone = \"Europe/Paris\"\n[permalinks]\nposts = \"/:year/:slugorfilename/\"\n",
                ),
                ("content/posts/a.md", "A"),
            ][..],
            "looks like Hugo (hugo.toml)",
            &[
                "base_url    = \"https://h.example/\"",
                "title       = \"H\"",
                "time_zone   = \"Europe/Paris\"",
                "articles    = \"content/posts\"",
                "permalink   = \"/:year/:slug/\"",
            ][..],
        ),
        (
            &[
                (
                    "config.toml",
                    "base_url = \"https://z.example\"\ntitle = \"Z\"\ndefault_language = \"de\"\n",
                ),
                ("content/blog/a.md", "A"),
            ],
            "looks like Zola (config.toml)",
            &[
                "base_url    = \"https://z.example\"",
                "language    = \"de\"",
                "articles    = \"content/blog\"",
                "permalink   = \"zola\"",
            ],
        ),
        (
            &[
                (
                    "_config.yml",
                    "url: https://j.example\nbaseurl: /b\ntitle: J\nauthor:\n  name: Ann\ntimezone: Europe/Rome\n",
                ),
                ("_posts/2024-01-01-a.md", "A"),
            ],
            "looks like Jekyll (_config.yml)",
            &[
                "base_url    = \"https://j.example/b\"",
                "author      = \"Ann\"",
                "time_zone   = \"Europe/Rome\"",
                "articles    = \"_posts\"",
                "permalink   = \"jekyll\"",
            ],
        ),
        (
            &[
                (
                    "_config.yml",
                    "url: https://x.example\ntitle: X\npermalink: :year/:month/:day/:title/\n",
                ),
                ("source/_posts/a.md", "A"),
            ],
            "looks like Hexo (_config.yml)",
            &["articles    = \"source/_posts\"", "permalink   = \"hexo\""],
        ),
        (
            &[
                (
                    "pelicanconf.py",
                    "AUTHOR = 'Ann'\nSITENAME = \"P\"\nSITEURL = 'https://p.example'\nTIMEZONE = 'Europe/Oslo'\nARTICLE_URL = 'posts/{date:%Y}/{slug}/'\n",
                ),
                ("content/a.md", "A"),
            ],
            "looks like Pelican (pelicanconf.py)",
            &[
                "author      = \"Ann\"",
                "title       = \"P\"",
                "articles    = \"content\"",
                "permalink   = \"/posts/:year/:title/\"",
            ],
        ),
        (
            &[
                (
                    "conf.py",
                    "BLOG_TITLE = \"N\"\nSITE_URL = \"https://n.example/\"\nTIMEZONE = \"UTC\"\n",
                ),
                ("posts/a.md", "A"),
            ],
            "looks like Nikola (conf.py)",
            &[
                "title       = \"N\"",
                "articles    = \"posts\"",
                "permalink   = \"nikola\"",
            ],
        ),
        (
            &[
                (
                    "astro.config.mjs",
                    "export default defineConfig({\n  site: 'https://a.example',\n});\n",
                ),
                ("src/content/blog/a.md", "A"),
            ],
            "looks like Astro (astro.config.mjs)",
            &[
                "base_url    = \"https://a.example\"",
                "articles    = \"src/content/blog\"",
                "permalink   = \"astro\"",
            ],
        ),
        (
            &[
                ("eleventy.config.js", ""),
                (
                    "_data/metadata.json",
                    "{\"title\": \"E\", \"url\": \"https://e.example/\"}",
                ),
                ("posts/a.md", "A"),
            ],
            "looks like Eleventy (eleventy.config.js)",
            &[
                "base_url    = \"https://e.example/\"",
                "title       = \"E\"",
                "articles    = \"posts\"",
                "permalink   = \"eleventy\"",
            ],
        ),
        (
            &[("articles/a.md", "A")],
            "wrote tidings.toml\n",
            &[
                "# base_url",
                "articles    = \"articles\"",
                "# permalink",
                "time_zone   = ",
            ],
        ),
    ] {
        let site = empty();
        for (file, text) in files {
            site.put(file, text);
        }
        let told = run(&site, &["init"]);
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{told:?}");
        assert!(told.stdout.contains(says), "{}", told.stdout);
        let config = site.read("tidings.toml");
        for line in lines {
            assert!(config.contains(line), "{says}: {line}\n{config}");
        }
        assert_eq!(site.read(".gitattributes"), "ledger.jsonl merge=union\n");
        // what it wrote works
        assert_eq!(run(&site, &["build"]).code, 0, "{config}");
    }
}

#[test]
fn init_never_takes_the_place_of_a_configuration() {
    let site = empty();
    site.put("tidings.toml", "title = \"Mine\"\n");
    site.put(".gitattributes", "*.png binary");
    let told = run(&site, &["init"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(
        told.stderr
            .contains("tidings.toml: is there already; edit it, or move it away first"),
        "{told:?}"
    );
    assert_eq!(site.read("tidings.toml"), "title = \"Mine\"\n");
    site.remove("tidings.toml");
    assert_eq!(run(&site, &["init"]).code, 0);
    assert_eq!(
        site.read(".gitattributes"),
        "*.png binary\nledger.jsonl merge=union\n"
    );
}

fn states() -> Site {
    let site = Site::new();
    site.put(
        "articles/public.md",
        "---\ntitle: Public\ndate: 2024-05-01\n---\nText.\n",
    );
    site.put(
        "articles/unlisted.md",
        "---\ntitle: Unlisted\ndate: 2024-05-02\nfeed: false\n---\nText.\n",
    );
    site.put(
        "articles/scheduled.md",
        "---\ntitle: Scheduled\ndate: 2027-05-01 10:00\n---\nText.\n",
    );
    site.put(
        "articles/expired.md",
        "---\ntitle: Expired\ndate: 2024-05-01\nexpires: 2025-01-01\n---\nText.\n",
    );
    site.put(
        "articles/draft.md",
        "---\ntitle: Draft\ndraft: true\n---\nText.\n",
    );
    site.put("articles/_drafts/idea.md", "An idea.\n");
    site.put(
        "articles/zcopy.md",
        "---\ntitle: Public\ndate: 2024-05-01\n---\nText.\n",
    );
    site.put("articles/broken.md", "---\ntitle: [\n---\nText.\n");
    site.put("articles/away.md", "---\nredirect_to: /x\n---\n");
    site.put(
        "articles/hidden/_index.md",
        "---\ntitle: H\ndraft: true\n---\n",
    );
    site.put("articles/hidden/in.md", "---\ntitle: In\n---\nText.\n");
    site
}

#[test]
fn list_tells_the_state_of_each_article_and_why() {
    let site = states();
    let told = run(&site, &["list"]);
    assert_eq!(told.code, 0, "{told:?}");
    for (state, title, why) in [
        ("public", "Public  public.md", ""),
        ("unlisted", "Unlisted  unlisted.md", "`feed` in line 4"),
        (
            "scheduled",
            "Scheduled  scheduled.md",
            "appears on 2027-05-01 10:00 UTC",
        ),
        (
            "expired",
            "Expired  expired.md",
            "went on 2025-01-01 00:00 UTC",
        ),
        ("draft", "Draft  draft.md", "`draft` in line 3"),
        (
            "draft",
            "Idea  _drafts/idea.md",
            "lies in a folder `_drafts`",
        ),
        ("held", "Public  zcopy.md", "copy of `public.md`"),
        ("broken", "broken.md", "the front matter cannot be read"),
        ("redirect", "away.md", "is only a redirect, no article"),
        (
            "draft",
            "In  hidden/in.md",
            "the `_index.md` of its folder is a draft",
        ),
    ] {
        let lines: Vec<&str> = told.stdout.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.contains(&format!("  {state}")) && line.contains(title));
        let at = at.unwrap_or_else(|| panic!("{state} {title}\n{}", told.stdout));
        assert!(
            lines[at..].iter().take(2).any(|line| line.contains(why)),
            "{why}\n{}",
            told.stdout
        );
    }
    assert!(
        !site.path("ledger.jsonl").exists() && !site.path("feeds").exists(),
        "it only looks"
    );
    let told = run(
        &site,
        &["list", "--state", "draft,held", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let paths: Vec<&str> = json["articles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|article| article["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        ["zcopy.md", "_drafts/idea.md", "draft.md", "hidden/in.md"]
    );
    let told = run(&site, &["list", "--long", "--state", "public"]);
    assert!(
        told.stdout.contains("tag:example.org,2024-05-01:/public")
            && told.stdout.contains("https://example.org/public/"),
        "{told:?}"
    );
}

#[test]
fn explain_tells_which_key_gave_which_value_and_what_became_of_the_text() {
    let site = Site::new();
    site.put(
        "articles/notes/it.md",
        "---\nlinkTitle: It\npublishDate: 2024-05-01T10:00:00Z\nkeywords: a, b\nweather: fine\ncover:\n  image: boat.png\n---\nSee [other](../other.md).\n\n<script>x()</script><p style=\"color:red\">y</p>\n\n{{< gallery >}}\n",
    );
    site.put("articles/other.md", "# Other\n\nText.\n");
    for path in ["articles/notes/it.md", "notes/it.md"] {
        let told = run(&site, &["explain", path]);
        assert_eq!(told.code, 0, "{told:?}");
        for part in [
            "state      public",
            "id         tag:example.org,2024-05-01:/notes/it",
            "link       https://example.org/it/",
            "← the pattern in `permalink`",
            "published  2024-05-01T10:00:00+00:00",
            "← `publishdate` in line 3",
            "title      It",
            "← `linktitle` in line 2",
            "tags       a, b",
            "← `keywords` in line 4",
            "image      https://example.org/it/boat.png",
            "← `cover` in line 6",
            "not used   `weather` (line 5)",
            "in feeds   / as entry 2 of 2",
            "../other.md → https://example.org/other/",
            "<script>, style=",
            "warning: articles/notes/it.md:13: `{{< gallery >}}` is a template of another program",
        ] {
            assert!(told.stdout.contains(part), "{part}\n{}", told.stdout);
        }
    }
    let told = run(&site, &["explain", "--html", "notes/it.md"]);
    assert!(
        told.stdout
            .contains("<a href=\"https://example.org/other/\">other</a>"),
        "{}",
        told.stdout
    );
    let told = run(&site, &["explain", "nothing.md"]);
    assert_eq!(told.code, 2);
    assert!(
        told.stderr
            .contains("nothing.md: is no article of this folder; `tidings list` names all of them"),
        "{told:?}"
    );
}

#[test]
fn check_judges_files_and_what_was_published() {
    let site = Site::new();
    site.article("a.md", "One", "Text.");
    let told = run(&site, &["check"]);
    assert_eq!(told.code, 2, "{told:?}");
    site.build_well();
    let told = run(&site, &["check"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(
        told.stdout
            .matches("valid: nothing that a validator would remark on")
            .count(),
        4,
        "{}",
        told.stdout
    );
    let broken = site
        .read("feeds/rss.xml")
        .replace("<channel>", "<channel><ttl>0</ttl>")
        .replace("<p>Text.</p>", "<p><a href=\"/x\">Text.</a></p>");
    site.put("other.xml", broken);
    let told = run(&site, &["check", "other.xml"]);
    assert_eq!(told.code, 3, "{told:?}");
    assert!(
        told.stdout.contains("error    ")
            && told
                .stdout
                .contains("(ContainsRelRef), in the entry tag:example.org"),
        "{}",
        told.stdout
    );
    site.put("page.html", "<!doctype html><title>x</title>");
    let told = run(&site, &["check", "page.html", "nothing.xml"]);
    assert_eq!(told.code, 3);
    assert!(
        told.stdout
            .contains("is no feed: neither RSS, Atom, JSON Feed nor OPML"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout
            .contains("cannot be read: No such file or directory"),
        "{}",
        told.stdout
    );
    let told = run(&site, &["check", "--format", "json", "feeds/feed.json"]);
    let json: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert!(
        json["feeds"][0]["remarks"][0]["what"]
            .as_str()
            .unwrap()
            .starts_with("JSON Feed, 1 entry")
    );
}

#[test]
fn check_asks_a_server_as_readers_do() {
    let site = Site::new();
    site.article("a.md", "One", &"Many words. ".repeat(300));
    let server = Server::start(&site);
    let url = format!("http://127.0.0.1:{}/", server.port);
    for (file, kind) in [
        ("rss.xml", "application/rss+xml"),
        ("atom.xml", "application/atom+xml"),
        ("feed.json", "application/feed+json"),
    ] {
        let told = run(&site, &["check", &format!("{url}{file}")]);
        assert_eq!(told.code, 0, "{told:?}");
        for part in [
            &format!("its type is {kind}"),
            "who asks again is told 304 Not Modified",
            "gzip makes ",
            "fresh for 1800 seconds",
        ] {
            assert!(told.stdout.contains(part), "{part}\n{}", told.stdout);
        }
        // the site is elsewhere, and that is all that is wrong
        assert_eq!(
            told.stdout.matches("warning  ").count(),
            1,
            "{}",
            told.stdout
        );
        assert!(
            told.stdout.contains("SelfDoesntMatchLocation"),
            "{}",
            told.stdout
        );
    }
    let told = run(&site, &["check", &format!("{url}nothing")]);
    assert_eq!(told.code, 3);
    assert!(
        told.stdout.contains("the server answers 404 Not Found"),
        "{told:?}"
    );
    let told = run(&site, &["check", &url]);
    assert!(
        told.stdout
            .contains("is no feed: it is said to be text/html"),
        "{told:?}"
    );
    let told = run(&site, &["check", "http://127.0.0.1:1/"]);
    assert_eq!(told.code, 5);
    assert!(
        told.stdout.contains("cannot be fetched: ") && told.stdout.contains("Connection refused"),
        "{told:?}"
    );
}

#[test]
fn the_shell_and_the_manual_know_every_command() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish"] {
        let told = run(&site, &["completions", shell]);
        assert!(
            told.code == 0 && told.stdout.contains("allow-shrink"),
            "{shell}"
        );
    }
    let told = run(&site, &["man"]);
    for command in ["build", "serve", "init", "list", "explain", "check"] {
        assert!(told.stdout.contains(command), "{command}");
        let page = run(&site, &["man", command]);
        assert!(page.code == 0 && page.stdout.contains(".TH"), "{page:?}");
    }
    assert_eq!(run(&site, &["man", "nothing"]).code, 2);
}

#[test]
fn bash_reads_its_completions() {
    if !is_installed("bash") {
        return;
    }
    let site = Site::new();
    site.put("complete", run(&site, &["completions", "bash"]).stdout);
    let checked = Command::new("bash")
        .args(["-n", "complete"])
        .current_dir(site.home())
        .status()
        .unwrap();
    assert!(checked.success());
}
