//! What articles written for each generator say, as feeds have it.

use crate::common::Site;
use serde_json::Value;

fn built(files: &[(&str, &[u8])], settings: &str) -> (Vec<Value>, String) {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        format!("base_url = \"https://example.org/\"\ntitle = \"Notes\"\n{settings}"),
    );
    for (name, bytes) in files {
        site.put(&format!("articles/{name}"), bytes);
    }
    let run = site.build(&[]);
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    (feed["items"].as_array().unwrap().clone(), run.stderr)
}

fn one(name: &str, text: &str, settings: &str) -> Value {
    let (items, told) = built(&[(name, text.as_bytes())], settings);
    assert_eq!((items.len(), told.as_str()), (1, ""), "{text}");
    items.into_iter().next().unwrap()
}

#[test]
fn every_form_of_head_says_the_same() {
    for (name, text) in [
        (
            "a.md",
            "---\ntitle: One\ndate: 2024-05-01\ntags: [a, b c]\n---\nText.\n",
        ),
        (
            "a.md",
            "+++\ntitle = \"One\"\ndate = 2024-05-01\ntags = [\"a\", \"b c\"]\n+++\nText.\n",
        ),
        (
            "a.md",
            "{\n\"title\": \"One\", \"date\": \"2024-05-01\", \"tags\": [\"a\", \"b c\"]\n}\nText.\n",
        ),
        (
            "a.md",
            "---json\n{\"title\": \"One\", \"date\": \"2024-05-01\", \"tags\": [\"a\", \"b c\"]}\n---\nText.\n",
        ),
        (
            "a.md",
            "---toml\ntitle = \"One\"\ndate = 2024-05-01\ntags = [\"a\", \"b c\"]\n---\nText.\n",
        ),
        (
            "a.md",
            "--- yaml\ntitle: One\ndate: 2024-05-01\ntags: [a, b c]\n---\nText.\n",
        ),
        (
            "a.md",
            ";;;\n\"title\": \"One\", \"date\": \"2024-05-01\", \"tags\": [\"a\", \"b c\"]\n;;;\nText.\n",
        ),
        (
            "a.md",
            "Title: One\nDate: 2024-05-01\nTags: a, b c\n\nText.\n",
        ),
        (
            "a.md",
            "title: One\ndate: 2024-05-01\ntags: a\n    b c\n---\nText.\n",
        ),
        (
            "a.md",
            "<!--\n.. title: One\n.. date: 2024-05-01\n.. tags: a, b c\n-->\n\nText.\n",
        ),
        (
            "a.md",
            ".. title: One\n.. date: 2024-05-01\n.. tags: a, b c\n\n\nText.\n",
        ),
        (
            "a.html",
            "<!--\n.. title: One\n.. date: 2024-05-01\n.. tags: a, b c\n-->\n<p>Text.</p>\n",
        ),
        (
            "a.html",
            "<html><head><title>One</title><meta name=\"date\" content=\"2024-05-01\"><meta name=\"tags\" content=\"a, b c\"></head><body><p>Text.</p></body></html>",
        ),
    ] {
        let item = one(name, text, "");
        assert_eq!(item["title"], "One", "{text}");
        assert_eq!(item["date_published"], "2024-05-01T00:00:00Z", "{text}");
        assert_eq!(item["tags"], serde_json::json!(["a", "b c"]), "{text}");
        assert_eq!(
            item["content_html"].as_str().unwrap().trim(),
            "<p>Text.</p>",
            "{text}"
        );
    }
}

#[test]
fn a_head_that_is_a_program_is_not_run() {
    let (items, told) = built(
        &[(
            "a.md",
            b"---js\nmodule.exports = { title: 'x' }\n---\nText.\n",
        )],
        "",
    );
    assert!(items.is_empty());
    assert!(told.contains("articles/a.md:1: front matter in `js` is a program, and is not run; write it as YAML, TOML or JSON"), "{told}");
}

#[test]
fn names_and_folders_say_what_heads_do_not() {
    let folders = one(
        "news/_posts/2024-05-01-hello-world.md",
        "---\ncategories: big small\n---\nText.\n",
        "",
    );
    assert_eq!(folders["title"], "Hello world");
    assert_eq!(folders["date_published"], "2024-05-01T00:00:00Z");
    assert_eq!(folders["tags"], serde_json::json!(["big", "small", "news"]));
    let french = one(
        "a/bonjour.fr.md",
        "---\ndate: 2024-05-01\n---\nTexte.\n",
        "",
    );
    assert_eq!(
        (&french["language"], &french["title"]),
        (&"fr".into(), &"Bonjour".into())
    );
    let bundle = one(
        "a/trip/index.pt-br.md",
        "---\ndate: 2024-05-01\n---\nTexto.\n",
        "",
    );
    assert_eq!(
        (&bundle["language"], &bundle["title"]),
        (&"pt-BR".into(), &"Trip".into())
    );
    let dated = one("2024/05/01/a-day.md", "Text.\n", "");
    assert_eq!(dated["date_published"], "2024-05-01T00:00:00Z");
    let zola = one(
        "a.md",
        "+++\ntitle = \"A\"\npath = \"2024/05/01/x\"\n+++\nText.\n",
        "",
    );
    assert_eq!(
        (&zola["date_published"], &zola["url"]),
        (
            &"2024-05-01T00:00:00Z".into(),
            &"https://example.org/2024/05/01/x/".into()
        )
    );
}

#[test]
fn a_section_lends_its_language_and_hides_its_articles() {
    let (items, told) = built(
        &[
            ("de/_index.md", b"+++\nlanguage = \"de\"\n+++\n"),
            (
                "de/deep/a.md",
                b"---\ntitle: A\ndate: 2024-05-01\n---\nText.\n",
            ),
            ("draft/_index.md", b"+++\ndraft = true\n+++\n"),
            (
                "draft/b.md",
                b"---\ntitle: B\ndate: 2024-05-01\n---\nText.\n",
            ),
            ("torn/_index.md", b"+++\ntitle = \n+++\n"),
            (
                "torn/c.md",
                b"---\ntitle: C\ndate: 2024-05-01\n---\nText.\n",
            ),
        ],
        "",
    );
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0]["language"], "de");
    assert!(
        told.contains("articles/torn/_index.md:2: the front matter cannot be read"),
        "{told}"
    );
}

#[test]
fn files_that_are_not_utf_8_are_read_in_the_encoding_that_is_set() {
    let latin = b"---\ntitle: Caf\xe9\ndate: 2024-05-01\n---\nna\xefve \x80\n";
    let (items, told) = built(&[("a.md", latin)], "");
    assert!(
        items.is_empty() && told.contains("articles/a.md:2: the byte 0xE9 is no UTF-8"),
        "{told}"
    );
    let (items, told) = built(&[("a.md", latin)], "encoding = \"windows-1252\"\n");
    assert_eq!(
        (items[0]["title"].as_str(), told.as_str()),
        (Some("Café"), "")
    );
    assert!(
        items[0]["content_html"]
            .as_str()
            .unwrap()
            .contains("naïve €")
    );
    let wide: Vec<u8> = "\u{feff}---\ntitle: Wide\ndate: 2024-05-01\n---\nText.\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (items, _) = built(&[("a.md", &wide)], "");
    assert_eq!(items[0]["title"], "Wide");
    let (items, told) = built(&[("a.md", b"a \x81 b\n")], "encoding = \"shift_jis\"\n");
    assert!(
        items.is_empty() && told.contains("and the file is no Shift_JIS either"),
        "{told}"
    );
}

#[test]
fn links_follow_the_generator() {
    for (permalink, name, head, expected) in [
        ("hugo", "posts/My Post.md", "", "posts/my-post/"),
        (
            "hugo",
            "posts/Über_uns.md",
            "slug: About Us\n",
            "posts/about-us/",
        ),
        ("hugo", "posts/x/index.md", "", "posts/x/"),
        ("hugo", "posts/x.fr.md", "", "fr/posts/x/"),
        (
            "hugo",
            "posts/x.md",
            "url: /own/place.html\n",
            "own/place.html",
        ),
        (
            "jekyll",
            "_posts/2024-05-01-My_Post & 'co'.md",
            "",
            "2024/05/01/My_Post-&-'co'.html",
        ),
        (
            "jekyll",
            "news/_posts/2024-05-01-x.md",
            "categories: [Big News]\n",
            "news/big%20news/2024/05/01/x.html",
        ),
        (
            "jekyll",
            "_posts/2024-05-01-x.md",
            "permalink: /:categories/:title/\ncategory: a\n",
            "a/x/",
        ),
        (
            "jekyll",
            "_posts/2024-05-01-x.md",
            "permalink: pretty\n",
            "2024/05/01/x/",
        ),
        ("zola", "blog/2024-05-01-Über uns.md", "", "blog/uber-uns/"),
        ("zola", "blog/日本.md", "", "blog/ri-ben/"),
        ("zola", "Deep One/a b.md", "", "Deep%20One/a-b/"),
        (
            "eleventy",
            "posts/2024-05-01-My Post.md",
            "",
            "articles/posts/2024-05-01-My%20Post/",
        ),
        (
            "eleventy",
            "posts/2024-05-01-x.md",
            "permalink: \"/{{ title | slugify }}/{{ page.fileSlug }}.html\"\n",
            "a-title/x.html",
        ),
        (
            "pelican",
            "any/x.md",
            "title: \"Don't C++ a_b 日本\"\n",
            "dont-c-a_b-ri-ben.html",
        ),
        ("pelican", "x.md", "lang: fr\n", "a-title-fr.html"),
        ("nikola", "2024/My Post.md", "", "posts/2024/my-post/"),
        ("astro", "My Post!.md", "", "my-post/"),
        ("hexo", "_posts/My-Post.md", "", "2024/05/01/My-Post/"),
        (
            "/:year/:month/:day/:section/:slug/",
            "a/b/2024-05-01-X y.md",
            "",
            "2024/05/01/a/b/x-y/",
        ),
    ] {
        let title = if head.contains("title:") {
            ""
        } else {
            "title: A title\n"
        };
        let text = format!("---\n{title}date: 2024-05-01 12:00\n{head}---\nText.\n");
        let (items, told) = built(
            &[(name, text.as_bytes())],
            &format!("permalink = \"{permalink}\"\n"),
        );
        assert_eq!(told, "", "{name}");
        assert_eq!(
            items[0]["url"],
            format!("https://example.org/{expected}"),
            "{permalink}: {name}"
        );
    }
}

#[test]
fn links_between_articles_are_found_in_every_dialect() {
    let target = b"---\ntitle: T\ndate: 2024-05-01\n---\nText.\n";
    for link in [
        "{{< ref \"other.md\" >}}",
        "{{< relref \"posts/other\" >}}",
        "{{% ref \"/posts/other.md\" %}}",
        "@/posts/other.md",
        "{filename}other.md",
        "{filename}/posts/other.md",
        "|filename|other.md",
        "{% post_url other %}",
        "{{ site.baseurl }}{% link posts/other.md %}",
        "{% post_path other %}",
        "other.md",
        "/posts/other.md",
    ] {
        let text = format!("---\ntitle: From\ndate: 2024-05-02\n---\n[x]({link}#part)\n");
        let (items, told) = built(
            &[
                ("posts/from.md", text.as_bytes()),
                ("posts/other.md", target),
            ],
            "permalink = \"/p/:slug/\"\n",
        );
        let html = items[0]["content_html"].as_str().unwrap();
        assert!(
            html.contains("href=\"https://example.org/p/other/#part\""),
            "{link}: {html} {told}"
        );
        assert_eq!(told, "", "{link}");
    }
    let (items, _) = built(&[("posts/from.md", b"---\ntitle: F\ndate: 2024-05-02\n---\n![x]({static}/images/a.png) ![y]({attach}b.png)\n"), ("images/a.png", b"x"), ("posts/b.png", b"y")], "");
    let html = items[0]["content_html"].as_str().unwrap();
    assert!(
        html.contains("https://example.org/articles/images/a.png")
            && html.contains("https://example.org/articles/posts/b.png"),
        "{html}"
    );
}

#[test]
fn pictures_and_sounds_say_what_they_are() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("articles");
    let (png, mp3) = (
        std::fs::read(root.join("harbour/boat.png")).unwrap(),
        std::fs::read(root.join("audio/bulletin.mp3")).unwrap(),
    );
    let site = Site::new();
    // names that tell nothing, or something else
    site.put("articles/pic.bin", &png);
    site.put("articles/sound.dat", &mp3);
    site.put(
        "articles/a.md",
        "---\ntitle: A\ndate: 2024-05-01\nimage: pic.bin\nenclosure: sound.dat\n---\nText.\n",
    );
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2024-05-02\nimage: torn.png\n---\nText.\n",
    );
    site.put("articles/torn.png", &png[..20]);
    site.build_well();
    let rss = site.read("feeds/rss.xml");
    assert!(
        rss.contains("height=\"360\"")
            && rss.contains("width=\"640\"")
            && rss.contains("type=\"image/png\""),
        "{rss}"
    );
    assert!(
        rss.contains(&format!("length=\"{}\" type=\"audio/mpeg\"", mp3.len())),
        "{rss}"
    );
    let feed: Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
    assert_eq!(feed["items"][1]["attachments"][0]["duration_in_seconds"], 6);
    assert!(site.read("feeds/atom.xml").contains("width=\"640\""));
}

/// Found by fuzzing: the first sentence of a long text is a title without what only terminals understand.
#[test]
fn a_title_made_of_a_sentence_holds_no_control_characters() {
    let text = format!(
        "A first\u{1} \u{1b}[31msentence.\n\n{}\n",
        "word ".repeat(80)
    );
    let item = one("2024-05-01.md", &text, "");
    assert_eq!(item["title"], "A first [31msentence");
}

/// Found by fuzzing: the start of this comment holds its end.
#[test]
fn a_comment_that_ends_as_it_begins_is_no_panic() {
    for text in [
        "<!-->",
        "a <!--> b",
        "a <!---> b <!-- more --> c",
        "<!--->\n<!-- x -->",
    ] {
        let (items, told) = built(&[("2024-05-01-it.md", text.as_bytes())], "");
        assert_eq!((items.len(), told.as_str()), (1, ""), "{text}");
    }
}
