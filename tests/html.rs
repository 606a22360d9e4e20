//! The feed's HTML: a table of what goes in and what comes out, and what must hold for anything at all.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::common::Site;
use crate::common::extent::cases;
use tidings::article::{markdown, text};
use tidings::html::{self, Surroundings, clean};
use url::Url;

fn cleaned(html: &str) -> String {
    let base = Url::parse("https://example.org/a/b/").unwrap();
    let resolve = |reference: &str| base.join(reference).ok().map(String::from);
    clean(
        html,
        &Surroundings {
            base: &base,
            prefix: "x-",
            resolve: &resolve,
        },
    )
}

#[test]
fn what_goes_in_and_what_comes_out() {
    for (html, expected) in [
        // addresses
        (
            "<a href=c>l</a>",
            "<a href=\"https://example.org/a/b/c\">l</a>",
        ),
        (
            "<a href='?q=1&amp;r=2'>l</a>",
            "<a href=\"https://example.org/a/b/?q=1&amp;r=2\">l</a>",
        ),
        (
            "<a href='#part'>l</a>",
            "<a href=\"https://example.org/a/b/#part\">l</a>",
        ),
        (
            "<a href=''>l</a>",
            "<a href=\"https://example.org/a/b/\">l</a>",
        ),
        (
            "<a href=' https://EXAMPLE.org '>l</a>",
            "<a href=\"https://example.org/\">l</a>",
        ),
        (
            "<a href=mailto:ann@example.org>l</a>",
            "<a href=\"mailto:ann@example.org\">l</a>",
        ),
        ("<a href='java\tscript:alert(1)'>l</a>", "<a>l</a>"),
        ("<a href='data:text/html,x'>l</a>", "<a>l</a>"),
        (
            "<blockquote cite='/c'>q</blockquote>",
            "<blockquote cite=\"https://example.org/c\">q</blockquote>",
        ),
        (
            "<img srcset='a.png, b.png 2x' src=a.png>",
            "<img srcset=\"https://example.org/a/b/a.png, https://example.org/a/b/b.png 2x\" src=\"https://example.org/a/b/a.png\" alt=\"\">",
        ),
        (
            "<picture><source srcset='a.webp 100w'><img src=a.png alt=x></picture>",
            "<picture><source srcset=\"https://example.org/a/b/a.webp 100w\"><img src=\"https://example.org/a/b/a.png\" alt=\"x\"></picture>",
        ),
        (
            "<video src=v.mp4 poster=p.jpg controls><track src=t.vtt></video>",
            "<video src=\"https://example.org/a/b/v.mp4\" poster=\"https://example.org/a/b/p.jpg\"><track src=\"https://example.org/a/b/t.vtt\"></video>",
        ),
        (
            "<img src='data:image/png;base64,AAAA' alt=d>",
            "<img src=\"data:image/png;base64,AAAA\" alt=\"d\">",
        ),
        // out
        ("a<script>x</script>b<style>y</style>c<!-- z -->d", "abcd"),
        (
            "<template>x</template><noscript>y</noscript><object data=o>fallback</object>",
            "fallback",
        ),
        (
            "<form action=x><input type=password><button>go</button><p>in</p></form>",
            "<p>in</p>",
        ),
        (
            "<p onclick=x class=y style='color:red;text-align: right' id=z>t</p>",
            "<p style=\"text-align:right\">t</p>",
        ),
        ("<svg><circle/></svg>after", "after"),
        ("<svg><style>x</style><p>breakout", "<p>breakout</p>"),
        ("<math><mi>x</mi></math>after", "after"),
        ("<custom-tab><b>x</b></custom-tab>", "<b>x</b>"),
        (
            "<link rel=stylesheet href=x><meta charset=x><base href=x>t",
            "t",
        ),
        ("<img src=t.gif width=1 height=1>t", "t"),
        // what browsers alone need
        (
            "<iframe src=//www.youtube.com/embed/abc?start=3 title='A film'></iframe>",
            "<p><a href=\"https://www.youtube.com/watch?v=abc\">A film</a></p>",
        ),
        (
            "<iframe src=https://player.vimeo.com/video/123></iframe>",
            "<p><a href=\"https://vimeo.com/123\">https://vimeo.com/123</a></p>",
        ),
        (
            "<iframe src=/map></iframe>after",
            "<p><a href=\"https://example.org/map\">https://example.org/map</a></p>after",
        ),
        (
            "<p>in text <embed src=x.pdf></p>",
            "<p>in text <a href=\"https://example.org/a/b/x.pdf\">https://example.org/a/b/x.pdf</a></p>",
        ),
        // (a link that a heading has to itself goes, and so does this one)
        (
            "<h2>t <embed src=\"https://h.example/\" title=\"#\"></h2>",
            "<h2>t <p></p></h2>",
        ),
        (
            "<a href=\"https://h.example/\"><pre><embed src=\"https://h.example/\" title=\"\u{1}\n\nX\"></pre></a>",
            "<a href=\"https://h.example/\"><pre>X</pre></a>",
        ),
        ("<iframe srcdoc='<script>x</script>'></iframe>t", "t"),
        (
            "<img src=blank.gif data-src=real.png alt=x loading=lazy>",
            "<img src=\"https://example.org/a/b/real.png\" alt=\"x\">",
        ),
        (
            "<img data-srcset='a.png 1x' data-src=a.png>",
            "<img srcset=\"https://example.org/a/b/a.png 1x\" src=\"https://example.org/a/b/a.png\" alt=\"\">",
        ),
        (
            "<h2 id=part>Part <a class=anchor href=#part>#</a></h2>",
            "<h2 id=\"part\">Part </h2>",
        ),
        ("<h2>Part<a href=#part>¶</a></h2>", "<h2>Part</h2>"),
        (
            "<h2><a href=/x>Real link</a></h2>",
            "<h2><a href=\"https://example.org/x\">Real link</a></h2>",
        ),
        (
            "<pre><button class=copy>Copy</button><code><span class=lineno>1</span>x</code></pre>",
            "<pre><code>x</code></pre>",
        ),
        ("<span class=sr-only>for screens</span>t", "t"),
        (
            "<code class='language-rust hljs'>x</code>",
            "<code class=\"language-rust\">x</code>",
        ),
        // footnotes
        (
            "<sup id=fnref1><a href=#fn1>1</a></sup><li id=fn1>n",
            "<sup id=\"x-fnref1\"><a href=\"https://example.org/a/b/#x-fn1\">1</a></sup><li id=\"x-fn1\">n</li>",
        ),
        // nesting
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ("<p>a<p>b<div>c", "<p>a</p><p>b</p><div>c</div>"),
        (
            "<ul><li>a<li>b<ul><li>c</ul></ul>",
            "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>",
        ),
        ("</p></div>t<br/>", "t<br>"),
        (
            "<table><tr><td>a<td>b</table>",
            "<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>",
        ),
        ("<strike>x</strike><tt>y</tt>", "<s>x</s><code>y</code>"),
        ("<input type=checkbox checked> done", "☑  done"),
        ("<pre>\n\nx</pre>", "<pre>x</pre>"),
        // characters
        (
            "a &amp; b &lt; c &nbsp; &copy; &NotOne; \u{1}&#2;",
            "a &amp; b &lt; c &nbsp; © &amp;NotOne; ",
        ),
    ] {
        assert_eq!(cleaned(html), expected, "{html}");
    }
}

#[test]
fn pieces_of_a_text_are_found() {
    assert_eq!(
        html::text("<p>a&amp;b<br>c</p><ul><li>d</li></ul><script>x</script>"),
        "a&b c d"
    );
    assert_eq!(
        html::first_paragraph("<ul><li>no</li></ul><p> </p><p>The <b>first</b>.</p><p>2</p>"),
        "The first."
    );
    assert_eq!(html::first_paragraph("<ul><li>only</li></ul>"), "only");
    assert_eq!(
        html::first_heading("<h2>no</h2><H1 class=x>A <em>title</em> <a>#</a></H1>").as_deref(),
        Some("A title")
    );
    assert_eq!(html::without_heading("<h2>T</h2><p>x</p>", "T"), "<p>x</p>");
    assert_eq!(
        html::without_heading("<h2>Other</h2><h1>T</h1>x", "T"),
        "<h2>Other</h2>x"
    );
    assert_eq!(
        html::without_heading("<h2>Other</h2><h2>T</h2>", "T"),
        "<h2>Other</h2><h2>T</h2>"
    );
    assert_eq!(
        html::content("<head><title>x</title></head><BODY class=a>in</body>"),
        "in"
    );
    assert_eq!(
        html::content("<body><nav>n</nav><main>m</main></body>"),
        "m"
    );
    assert_eq!(html::content("<body><article>a</article></body>"), "a");
    assert_eq!(
        html::content("<body><article>a</article><article>b</article></body>"),
        "<article>a</article><article>b</article>"
    );
    assert_eq!(
        html::references("<a href='a&amp;b'><img srcset='c 1x, d 2x'>"),
        ["a&b", "c", "d"]
    );
}

#[test]
fn plain_text_becomes_paragraphs() {
    let long = "This is a line that is a paragraph of a news story, since it is longer than any line that somebody would break by hand.";
    for (source, expected) in [
        ("One.\n\nTwo <b> & https://example.org/x?a=1&b=2.\n".to_owned(), "<p>One.</p>\n<p>Two &lt;b&gt; &amp; <a href=\"https://example.org/x?a=1&amp;b=2\">https://example.org/x?a=1&amp;b=2</a>.</p>\n".to_owned()),
        ("Roses are red\nViolets are blue\n".to_owned(), "<p>Roses are red<br>\nViolets are blue</p>\n".to_owned()),
        (format!("{long}\n{long}\n"), format!("<p>{long}</p>\n<p>{long}</p>\n")),
        ("A paragraph that an editor has broken at about eighty characters, as editors do\nbefore it goes on in the next line, and a little further too, until it comes to\nits end.".to_owned(), "<p>A paragraph that an editor has broken at about eighty characters, as editors do\nbefore it goes on in the next line, and a little further too, until it comes to\nits end.</p>\n".to_owned()),
    ] {
        assert_eq!(text::to_html(&source), expected);
    }
}

#[test]
fn markdown_is_commonmark_with_tables_footnotes_strikethrough_and_tasks() {
    for (source, expected) in [
        (
            "## A *b* & `c`!\n\n## A b c",
            "<h2 id=\"a-b--c\">A <em>b</em> &amp; <code>c</code>!</h2>\n<h2 id=\"a-b-c\">A b c</h2>\n",
        ),
        ("~~a~~ **b**", "<p><del>a</del> <strong>b</strong></p>\n"),
        (
            "- [x] a\n- [ ] b",
            "<ul>\n<li>☑ a</li>\n<li>☐ b</li>\n</ul>\n",
        ),
        (
            "```rust,linenos\nx < y\n```",
            "<pre><code class=\"language-rust\">x &lt; y\n</code></pre>\n",
        ),
        (
            "``` {.python hl=1}\nx\n```",
            "<pre><code class=\"language-python\">x\n</code></pre>\n",
        ),
        (
            "a[^1]\n\n[^1]: note",
            "<p>a<sup id=\"fnref-1\"><a href=\"#fn-1\">1</a></sup></p>\n<hr>\n<ol>\n<li id=\"fn-1\"><p>note <a href=\"#fnref-1\">↩</a></p>\n</li>\n</ol>\n",
        ),
        ("a[^none]", "<p>a[^none]</p>\n"),
    ] {
        assert_eq!(markdown::to_html(source).unwrap(), expected, "{source}");
    }
}

/// Inputs that break parsers: unbalanced, nested, repeated without end.
#[test]
fn hostile_inputs_take_no_long_time_and_come_out_safe() {
    let n = 50_000;
    let inputs = [
        "<div>".repeat(16_000),
        "<p>".repeat(3000),
        "<b><i><u>".repeat(5000),
        "<table><tr><td>".repeat(2000),
        format!("<!--{}", "x".repeat(100_000)),
        "<a href=x>".repeat(5000),
        "</div>".repeat(n),
        "<svg>".repeat(n),
        "&amp".repeat(n),
        "<".repeat(n),
        "<img src=x>".repeat(5000),
        "<h2>x<pre><a href=\"#x\">#</a>\n\ncode</pre></h2>".to_owned(),
        format!(
            "<img src='data:image/png;base64,{}'>",
            "A".repeat(3_000_000)
        ),
        "<ul><li>".repeat(3000),
        "<template>".repeat(n),
        "<select><option>".repeat(5000),
    ];
    for input in &inputs {
        let out = cleaned(input);
        assert_safe(&out);
        assert_eq!(cleaned(&out), out);
    }
    for source in [
        "*a **a ".repeat(n),
        "_a ".repeat(n),
        "[a".repeat(n),
        "[^1]\n".repeat(n),
        "[^".repeat(n),
        "> ".repeat(n),
        "![".repeat(n),
        "\u{fffd} 2\n:<\n  {}\n -\n".to_owned(),
        "a <!A".repeat(n),
    ] {
        if let Ok(html) = markdown::to_html(&source) {
            assert_safe(&cleaned(&html));
        }
    }
}

fn assert_safe(html: &str) {
    let lower = html.to_ascii_lowercase();
    for live in [
        "<script",
        "<iframe",
        "<object",
        "<embed",
        "<base",
        "<meta",
        "<form",
        "<style",
        "<svg",
        "<math",
        "<link",
        "javascript:",
        "vbscript:",
    ] {
        let found = lower
            .match_indices(live)
            .any(|(at, _)| live.starts_with('<') || lower[..at].ends_with("=\""));
        assert!(!found, "`{live}` in {html:.300}");
    }
    for url in html::references(html) {
        assert!(Url::parse(&url).is_ok(), "`{url}` is not absolute");
    }
    let odd = html
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\u{80}'..='\u{9f}'));
    assert_eq!(odd, None, "a control character in {html:.300}");
}

fn pieces() -> impl Strategy<Value = String> {
    let tags = "a|b|i|p|div|span|h1|h2|ul|ol|li|table|tbody|tr|td|th|caption|colgroup|pre|code|blockquote|dl|dt|dd|figure|figcaption|ruby|rt|rp|section|article|details|summary|video|audio|picture|svg|math|style|script|title|textarea|template|noscript|select|option|form|button|iframe|object|strong|em|sup|q|s|u|font|center|nobr|small|html|body|head|frameset|plaintext|xmp|listing|menu|hr|br|img|source|track|col|input|wbr|embed|base|meta|link|image|x-y";
    let name = prop::sample::select(tags.split('|').collect::<Vec<_>>());
    let attribute = prop::sample::select(vec![
        "",
        " href=x",
        " href='#fn1'",
        " src=a.png",
        " id=fn1",
        " id=x",
        " class=anchor",
        " class='language-c'",
        " style='text-align:left;x:y'",
        " onclick=x",
        " srcset='a 1x,b'",
        " title='<b>'",
        " href='javascript:x'",
        " data-src=y.png",
        " src='data:image/png;base64,AA'",
        " width=1 height=1",
        " src=//h.example/p?a=1&b",
        " src=//h.example title='#'",
        " src=//h.example title='\u{1}\n\nX'",
        " src=//h.example title='\u{1}'",
    ]);
    let words = prop::sample::select(vec![
        "t",
        " ",
        "\n",
        "&amp;",
        "&nbsp;",
        "<",
        ">",
        "\"",
        "#",
        "¶",
        "x & y",
        "]]>",
        "\u{1}",
        "\u{a0}",
        "é",
        "&lt;b&gt;",
        "<!-- c -->",
        "<![CDATA[x]]>",
        "<?x?>",
        "\u{fffd}",
        "\r",
        "\t",
    ]);
    let piece = prop_oneof![
        4 => (name.clone(), attribute).prop_map(|(name, attribute)| format!("<{name}{attribute}>")),
        3 => name.clone().prop_map(|name| format!("</{name}>")),
        1 => name.prop_map(|name| format!("<{name}/>")),
        4 => words.prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Elements that are finished, inside each other in any way, as a program would write them.
fn trees() -> impl Strategy<Value = String> {
    let names = "a|abbr|b|blockquote|br|caption|center|code|col|colgroup|dd|del|details|div|dl|dt|em|figcaption|figure|font|form|h1|h2|hr|i|iframe|img|input|kbd|li|nav|nobr|object|ol|p|picture|pre|q|rp|rt|ruby|s|section|select|small|source|span|strike|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|time|tr|track|tt|u|ul|var|video|wbr|x-y";
    let name = prop::sample::select(names.split('|').collect::<Vec<_>>());
    let attributes = prop::sample::select(vec![
        "",
        "",
        "",
        " href=\"x?a=1&amp;b=2\"",
        " href='#fn1' title=\"&quot;&nbsp;\u{a0}\u{1}&lt;\"",
        " src=\"a.png\" alt=\"\"",
        " id=\"fn1\"",
        " id=\"x\" class=\"anchor\"",
        " class=\"language-c x\"",
        " style=\"text-align:left;x:y\"",
        " onclick='x'",
        " srcset='a 1x,b'",
        " href=\"javascript:x\"",
        " data-src='y.png' src=\"\"",
        " colspan=\"2\" start=\"3\" value='4'",
        " aria-hidden=\"true\"",
    ]);
    let words = prop::sample::select(vec![
        "t",
        " ",
        "\n",
        "&amp;",
        "&nbsp;",
        ">",
        "\"",
        "#",
        "x & y",
        "\u{1}",
        "\u{a0}",
        "é",
        "&lt;b&gt;",
        "<!-- c -->",
        "\u{fffe}",
    ]);
    let leaf = words.prop_map(str::to_owned);
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let inside = prop::collection::vec(inner, 0..5).prop_map(|parts| parts.concat());
        (name.clone(), attributes.clone(), inside).prop_map(|(name, attributes, inside)| {
            let is_void =
                ["br", "hr", "img", "input", "col", "source", "track", "wbr"].contains(&name);
            if is_void {
                format!("<{name}{attributes} />{inside}")
            } else {
                format!("<{name}{attributes}>{inside}</{name}>")
            }
        })
    })
}

proptest! {
    #![proptest_config(cases(1_000, 10_000))]

    #[test]
    fn cleaning_twice_is_cleaning_once(html in pieces()) {
        let once = cleaned(&html);
        prop_assert_eq!(&cleaned(&once), &once);
        assert_safe(&once);
    }

    // in a debug build what is not sanitised because it was written plainly is sanitised all the same, and compared
    #[test]
    fn what_programs_write_comes_out_safe_at_once(html in trees()) {
        let once = cleaned(&html);
        prop_assert_eq!(&cleaned(&once), &once);
        assert_safe(&once);
    }

    #[test]
    fn any_markdown_comes_out_safe(source in "([#>*_`~\\[\\]()!<&a-z0-9 |:\\-\\^\n]|\\[\\^1\\]|<div>|```|\n\n|\\[\\^1\\]: ){0,60}") {
        let html = markdown::to_html(&source);
        if let Ok(html) = html {
            let once = cleaned(&html);
            prop_assert_eq!(&cleaned(&once), &once);
            assert_safe(&once);
        }
    }

    #[test]
    fn any_text_comes_out_safe(source in "\\PC{0,80}(\n\\PC{0,80}){0,4}") {
        let once = cleaned(&text::to_html(&source));
        prop_assert_eq!(&cleaned(&once), &once);
        assert_safe(&once);
    }
}

proptest! {
    // each takes some milliseconds
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(20_261_126), ..cases(50, 500) })]

    #[test]
    fn cleaning_twice_is_cleaning_once_however_deep(
        around in prop::sample::select(vec!["<b>", "<div>", "<li><ul>", "<pre><u>"]),
        deep in 505_usize..514,
        html in pieces(),
    ) {
        let once = cleaned(&format!("{}{html}", around.repeat(deep / around.matches('<').count())));
        prop_assert_eq!(cleaned(&once), once);
    }
}

#[test]
fn a_hidden_element_takes_nothing_else_along() {
    let site = Site::new();
    for (number, (html, gone)) in [
        ("<p hidden>SECRET<p>Second<p>Third", 1),
        ("<ul><li hidden>SECRET<li>Second</ul><p>Third", 1),
        (
            "<table><tr hidden><td>SECRET<tr><td>Second</table><p>Third</p>",
            1,
        ),
        (
            "<dl><dt>a<dd hidden>SECRET<dt>Second<dd>d</dl><p>Third</p>",
            1,
        ),
        ("<p><span hidden>SECRET</p><p>Second</p>Third", 1),
        (
            "<div><section hidden><div>SECRET</div>SECRET</section>Second</div>Third",
            1,
        ),
        ("<div style='DISPLAY : none'><p>SECRET</div>Second Third", 1),
        (
            "<p style='--display:none; transition: display'>SECRET</p>Second Third",
            0,
        ),
        ("<p hidden=until-found>SECRET</p>Second Third", 0),
    ]
    .into_iter()
    .enumerate()
    {
        site.put(
            &format!("articles/a{number}.md"),
            format!("---\ntitle: A{number}\ndate: 2026-05-01\n---\n{html}\n"),
        );
        site.put(
            "tidings.toml",
            "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\n",
        );
        site.build(&[]);
        let feed: serde_json::Value = serde_json::from_str(&site.read("feeds/feed.json")).unwrap();
        let items = feed["items"].as_array().unwrap();
        let title = format!("A{number}");
        let item = items
            .iter()
            .find(|item| item["title"] == title.as_str())
            .unwrap();
        let text = item["content_html"].as_str().unwrap();
        assert!(
            text.contains("Second") && text.contains("Third"),
            "{html}: {text}"
        );
        assert_eq!(!text.contains("SECRET"), gone == 1, "{html}: {text}");
    }
}
