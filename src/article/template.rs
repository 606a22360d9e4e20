//! What is left of template languages in a text: Hugo's and Zola's shortcodes, Jekyll's and Hexo's tags. What many
//! texts use is understood; the rest is left out, and said so. Nothing of it ever shows in a feed.
//!
//! Code is shown as it is written: who writes about templates wants them seen. Only the marks that protect it go.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Markup;

mod call;
mod known;

use call::{Call, Kind};
use known::Outcome;

/// What a text knows of the site around it.
pub struct Around<'a> {
    /// The URL of another article, by its path or name, as seen from this one.
    pub find: &'a dyn Fn(&str) -> Option<String>,
    /// The site's URL; ends in `/`.
    pub base: &'a str,
}

/// Something of a template that is not as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Where it stands in the text, in bytes.
    pub at: usize,
    /// As it is written, without its arguments: `{{< gallery >}}`.
    pub what: String,
    /// Why.
    pub why: Why,
}

/// Why something of a template is not as it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is not known here, and left out.
    Unknown,
    /// It names an article that is not there.
    Astray,
}

/// Whether a text may hold anything of a template: most do not, and cost nothing.
#[must_use]
pub fn is_in(text: &str) -> bool {
    memchr::memchr_iter(b'{', text.as_bytes())
        .any(|at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b':' | b'#')))
}

/// The text without templates: what is understood has become Markdown or HTML.
#[must_use]
pub fn expand(text: &str, markup: Markup, around: &Around<'_>) -> (String, Vec<Dropped>) {
    if markup == Markup::Text {
        return (text.to_owned(), Vec::new());
    }
    let code = code(text, markup);
    let items = Scan::of(text, &code, markup);
    let mut expansion = Expansion {
        text,
        out: String::with_capacity(text.len()),
        dropped: Vec::new(),
        behind: HashMap::new(),
        lead: None,
    };
    expansion.write(&items, around);
    (expansion.out, expansion.dropped)
}

/// Something that is no plain text.
struct Item<'t> {
    range: Range<usize>,
    what: What<'t>,
}

enum What<'t> {
    /// Nothing of it stays.
    Mark,
    /// It stands for this text, which means nothing else.
    Literal(String),
    /// It stands for this, as it is.
    Verbatim(&'t str),
    /// It is to be understood: with the item that closes it.
    Call(Call<'t>, Option<usize>),
    /// It is to be understood with all up to its end, which is no template.
    Whole(Call<'t>, &'t str),
    /// It closes another item.
    Close,
}

/// Finds the items of a text, in their order.
struct Scan<'t, 'c> {
    text: &'t str,
    code: &'c [Range<usize>],
    markup: Markup,
    items: Vec<Item<'t>>,
    /// Items that are open, by what closes them.
    open: HashMap<String, Vec<usize>>,
    /// Ends that stand nowhere in the rest of the text.
    missing: HashSet<String>,
    /// The next closing brace, or the end; looked for again when it is behind.
    brace: usize,
    at: usize,
}

impl<'t, 'c> Scan<'t, 'c> {
    fn of(text: &'t str, code: &'c [Range<usize>], markup: Markup) -> Vec<Item<'t>> {
        let mut scan = Self {
            text,
            code,
            markup,
            items: Vec::new(),
            open: HashMap::new(),
            missing: HashSet::new(),
            brace: memchr::memchr(b'}', text.as_bytes()).unwrap_or(text.len()),
            at: 0,
        };
        while let Some(found) = memchr::memchr(b'{', &text.as_bytes()[scan.at..]) {
            scan.at += found;
            scan.mark();
        }
        scan.items
    }

    fn put(&mut self, length: usize, what: What<'t>) {
        let range = self.at..self.at + length;
        self.at = range.end;
        self.items.push(Item { range, what });
    }

    /// At a brace.
    fn mark(&mut self) {
        let rest = &self.text[self.at..];
        let in_code = self.in_code(self.at);
        if let Some((shown, length)) = self.go_raw(rest) {
            return self.put(length, What::Verbatim(shown));
        }
        if self.brace < self.at {
            let found = memchr::memchr(b'}', rest.as_bytes());
            self.brace = found.map_or(self.text.len(), |found| self.at + found);
        }
        // nothing is closed that is so long
        if self.brace - self.at > call::LONGEST || self.brace == self.text.len() {
            self.at += 1;
            return;
        }
        if let Some((shown, length)) = call::escaped(rest) {
            // in Markdown's code nothing may be escaped
            let shown = if in_code && self.markup == Markup::Markdown {
                shown
            } else {
                known::escape(&shown)
            };
            return self.put(length, What::Literal(shown));
        }
        if let Some(length) =
            call::attributes(rest).filter(|_| !in_code && self.markup == Markup::Markdown)
        {
            return self.put(length, What::Mark);
        }
        let Some(call) = Call::parse(rest) else {
            self.at += 1;
            return;
        };
        if call.is_tag(&["raw", "verbatim"]) {
            return self.raw(call);
        }
        if in_code {
            self.at += 1;
        } else if call.kind == Kind::Comment || call.is_tag(&["endraw", "endverbatim"]) {
            self.put(call.length, What::Mark);
        } else if let Some(of) = call.closes() {
            let here = self.items.len();
            let opened = self.open.get_mut(&of).and_then(Vec::pop);
            if let Some(What::Call(_, closed)) = opened.map(|index| &mut self.items[index].what) {
                *closed = Some(here);
            }
            self.put(call.length, What::Close);
        } else if known::is_whole(&call) {
            self.whole(call);
        } else {
            for end in call.ends() {
                self.open.entry(end).or_default().push(self.items.len());
            }
            self.put(call.length, What::Call(call, None));
        }
    }

    /// A tag whose inside is no template: highlighted code, a comment.
    fn whole(&mut self, call: Call<'t>) {
        let start = self.at + call.length;
        match self.end_of(&call, start) {
            Some((inside, behind)) => {
                let inside = &self.text[inside];
                self.put(behind - self.at, What::Whole(call, inside));
            }
            None => self.put(call.length, What::Call(call, None)),
        }
    }

    /// Up to its end everything is text; code in it stays code.
    fn raw(&mut self, call: Call<'t>) {
        let start = self.at + call.length;
        let (inside, behind) = self
            .end_of(&call, start)
            .unwrap_or((start..self.text.len(), self.text.len()));
        self.put(call.length, What::Mark);
        self.at = inside.end;
        if behind > inside.end {
            self.put(behind - inside.end, What::Mark);
        }
    }

    /// Where the inside of a tag ends, and the tag that ends it.
    fn end_of(&mut self, call: &Call<'_>, start: usize) -> Option<(Range<usize>, usize)> {
        for end in call.ends() {
            if self.missing.contains(&end) {
                continue;
            }
            let mut at = start;
            let mut depth = 0u32;
            while let Some(found) = memchr::memmem::find(&self.text.as_bytes()[at..], b"{") {
                at += found;
                let inner = Call::parse(&self.text[at..]);
                let closing = inner.filter(|inner| inner.closes().as_ref() == Some(&end));
                match closing {
                    Some(closing) if depth == 0 => {
                        return Some((start..at, at + closing.length));
                    }
                    Some(_) => depth -= 1,
                    // comments of Liquid may hold others
                    None if call.is_tag(&["comment"])
                        && inner.is_some_and(|inner| inner.is_tag(&["comment"])) =>
                    {
                        depth += 1;
                    }
                    None => {}
                }
                at += 1;
            }
            self.missing.insert(end);
        }
        None
    }

    /// `{{raw "…"}}` of Go's templates, which may hold many lines.
    fn go_raw(&mut self, rest: &'t str) -> Option<(&'t str, usize)> {
        let inside = rest.strip_prefix("{{raw ")?.trim_start();
        let quote = inside.chars().next().filter(|c| matches!(c, '"' | '`'))?;
        let end = format!("{quote}}}}}");
        if self.missing.contains(&end) {
            return None;
        }
        let inside = &inside[1..];
        let Some(length) = inside.find(&end) else {
            self.missing.insert(end);
            return None;
        };
        let shown = &inside[..length];
        let behind = rest.len() - inside.len() + length + end.len();
        Some((shown, behind))
    }

    fn in_code(&self, at: usize) -> bool {
        let index = self.code.partition_point(|range| range.end <= at);
        self.code.get(index).is_some_and(|range| range.start <= at)
    }
}

struct Expansion<'t> {
    text: &'t str,
    out: String,
    dropped: Vec<Dropped>,
    /// What is written where an item closes another.
    behind: HashMap<usize, &'static str>,
    /// Where the site's address was just written.
    lead: Option<Range<usize>>,
}

impl Expansion<'_> {
    fn write(&mut self, items: &[Item<'_>], around: &Around<'_>) {
        let mut at = 0;
        let mut index = 0;
        while let Some(item) = items.get(index) {
            self.out.push_str(&self.text[at..item.range.start]);
            at = item.range.end;
            match &item.what {
                What::Mark => self.mark(&self.text[item.range.clone()]),
                What::Literal(text) => self.out.push_str(text),
                What::Verbatim(text) => self.out.push_str(text),
                What::Close => self
                    .out
                    .push_str(self.behind.get(&index).copied().unwrap_or_default()),
                What::Whole(call, inside) => {
                    let outcome = known::write(call, Some(inside), around);
                    self.outcome(&outcome, call, item.range.start);
                }
                What::Call(call, closed) => {
                    let outcome = known::write(call, None, around);
                    self.outcome(&outcome, call, item.range.start);
                    match (outcome, *closed) {
                        (Outcome::Around(_, behind), Some(closed)) => {
                            self.behind.insert(closed, behind);
                        }
                        // what cannot be known how often to show is not shown
                        (Outcome::Dropped(_), Some(closed)) if known::hides_inside(call) => {
                            index = closed;
                            at = items[closed].range.end;
                        }
                        _ => {}
                    }
                }
            }
            index += 1;
        }
        self.out.push_str(&self.text[at..]);
    }

    fn outcome(&mut self, outcome: &Outcome, call: &Call<'_>, at: usize) {
        match outcome {
            Outcome::Written(text) => {
                let lead = self.lead.take().filter(|lead| lead.end == self.out.len());
                let site = matches!(call.name, "site.url" | "site.baseurl" | "site.base_url");
                let start = lead.as_ref().map_or(self.out.len(), |lead| lead.start);
                // the address of an article is whole already
                if lead.is_some() && known::is_place(call) {
                    self.out.truncate(start);
                }
                self.out.push_str(text);
                self.lead = site.then_some(start..self.out.len());
            }
            Outcome::Around(before, _) => self.out.push_str(before),
            Outcome::Nothing => {}
            Outcome::Dropped(why) => {
                let what = call.shown();
                self.dropped.push(Dropped {
                    at,
                    what,
                    why: *why,
                });
            }
        }
    }

    /// Kramdown's table of contents takes the place of a list with one word in it.
    fn mark(&mut self, mark: &str) {
        if mark.contains("toc") && mark.starts_with("{:") {
            let line = self
                .out
                .trim_end()
                .rfind('\n')
                .map_or(0, |newline| newline + 1);
            if self.out[line..].trim_start().starts_with(['*', '-', '1']) {
                self.out.truncate(line);
            }
        }
    }
}

/// Where code stands in a text, in order.
pub(super) fn code(text: &str, markup: Markup) -> Vec<Range<usize>> {
    match markup {
        Markup::Markdown => markdown_code(text),
        Markup::Html => html_code(text, 0),
        Markup::Text => Vec::new(),
    }
}

/// Where code stands in Markdown: blocks, spans, and elements of HTML.
fn markdown_code(text: &str) -> Vec<Range<usize>> {
    let mut code = Vec::new();
    let mut block = false;
    for (event, range) in Parser::new_ext(text, Options::empty()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => {
                block = true;
                code.push(range);
            }
            Event::End(TagEnd::CodeBlock) => block = false,
            Event::Code(_) if !block => code.push(range),
            Event::Html(_) | Event::InlineHtml(_) => {
                code.extend(html_code(&text[range.clone()], range.start));
            }
            _ => {}
        }
    }
    code.sort_by_key(|range| range.start);
    code
}

/// Where code stands in HTML that begins at `start` of a text.
fn html_code(html: &str, start: usize) -> Vec<Range<usize>> {
    let mut code = Vec::new();
    let mut at = 0;
    while let Some(found) = html[at..].find("<pre").or_else(|| html[at..].find("<code")) {
        let open = at + found;
        let name = if html[open..].starts_with("<pre") {
            "</pre>"
        } else {
            "</code>"
        };
        let Some(length) = html[open..].find(name) else {
            break;
        };
        code.push(start + open..start + open + length);
        at = open + length;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> (String, Vec<String>) {
        let find = |name: &str| {
            name.contains("other")
                .then(|| "https://a.example/b/other/".to_owned())
        };
        let around = Around {
            find: &find,
            base: "https://a.example/b/",
        };
        let (out, dropped) = expand(text, Markup::Markdown, &around);
        (
            out,
            dropped.into_iter().map(|dropped| dropped.what).collect(),
        )
    }

    #[test]
    fn what_is_understood_becomes_markup() {
        for (text, expected) in [
            ("no templates {at} all", "no templates {at} all"),
            (
                "[x]({{< ref \"other.md\" >}})",
                "[x](https://a.example/b/other/)",
            ),
            (
                "[x]({{< relref path=\"other.md\" >}}#a)",
                "[x](https://a.example/b/other/#a)",
            ),
            (
                "[x]({% post_url 2024-01-01-other %})",
                "[x](https://a.example/b/other/)",
            ),
            (
                "[x]({{ site.baseurl }}{% link _posts/other.md %})",
                "[x](https://a.example/b/other/)",
            ),
            (
                "[x]({{ site.url }}{{ site.baseurl }}/y)",
                "[x](https://a.example/b/y)",
            ),
            ("[x]({{ '/y' | relative_url }})", "[x](/b/y)"),
            (
                "[x]({{ \"/y\" | absolute_url }})",
                "[x](https://a.example/b/y)",
            ),
            (
                "{{< youtube abc >}}",
                "<iframe src=\"https://www.youtube.com/embed/abc\"></iframe>\n",
            ),
            (
                "{{ youtube(id=\"abc\") }}",
                "<iframe src=\"https://www.youtube.com/embed/abc\"></iframe>\n",
            ),
            (
                "{{video \"https://v.example/x\"}}",
                "<iframe src=\"https://v.example/x\"></iframe>\n",
            ),
            (
                "{{< figure src=\"a.png\" caption=\"A & b\" >}}",
                "<figure><img src=\"a.png\" alt=\"A &amp; b\"><figcaption>A &amp; b</figcaption></figure>\n",
            ),
            (
                "{% highlight rust linenos %}\nlet a = 1 < 2;\n{% endhighlight %}",
                "<pre><code class=\"language-rust\">let a = 1 &lt; 2;</code></pre>\n",
            ),
            (
                "{{< highlight go \"linenos=table\" >}}\na\n\nb\n{{< /highlight >}}",
                "<pre><code class=\"language-go\">a&#10;&#10;b</code></pre>\n",
            ),
            ("a{% comment %}b{{ c }}{% endcomment %}d{{/* e */}}f", "adf"),
            ("{% raw %}`{{ a }}`{% endraw %}", "`{{ a }}`"),
            ("`{% raw %}{{ a }}{% endraw %}`", "`{{ a }}`"),
            (
                "{% raw %}\n```\n{{ a }}\n```\n{% endraw %}",
                "\n```\n{{ a }}\n```\n",
            ),
            ("{{</* figure */>}}", "{{&lt; figure &gt;}}"),
            ("`{{</* figure */>}}`", "`{{< figure >}}`"),
            ("`{{ not.raw }}` and ```\n", "`{{ not.raw }}` and ```\n"),
            ("x {{raw \"<\"}}= 1", "x <= 1"),
            ("[a](b){: .c target=\"_blank\"} d", "[a](b) d"),
            ("* TOC\n{:toc}\nText", "\nText"),
            (
                "{% quote(author=\"A\") %}\nHi *there*\n{% end %}",
                "<blockquote>\n\n\nHi *there*\n\n\n</blockquote>",
            ),
        ] {
            let (out, dropped) = expanded(text);
            assert_eq!(out, expected, "{text}");
            assert!(dropped.is_empty(), "{text}: {dropped:?}");
        }
    }

    #[test]
    fn what_is_not_understood_goes_and_is_told() {
        for (text, expected, what) in [
            ("a {{< gallery x=1 >}} b", "a  b", "{{< gallery >}}"),
            (
                "{{< note >}}keep *this*{{< /note >}}",
                "keep *this*",
                "{{< note >}}",
            ),
            ("a {{ page.nothing | x }} b", "a  b", "{{ page.nothing }}"),
            ("{% for x in y %}- {{ x }}{% endfor %}z", "z", "{% for %}"),
            ("[x]({{< ref \"nowhere.md\" >}})", "[x]()", "{{< ref >}}"),
            ("{% if a %}b{% else %}c{% endif %}", "bc", "{% if %}"),
            ("{{code \"x.go\" `/START/` `/END/`}}", "", "{{ code }}"),
        ] {
            let (out, dropped) = expanded(text);
            assert_eq!(
                (out.as_str(), dropped),
                (expected, vec![what.to_owned()]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_a_template_stays() {
        for text in [
            "{{",
            "{% ",
            "a {{ b",
            "{{}}",
            "{ { a } }",
            "{{ {{ {{",
            "\u{7b}%%}",
            "{{ ü",
        ] {
            assert_eq!(expanded(text).0, text);
        }
    }

    #[test]
    fn many_braces_take_no_time() {
        for text in [
            "{{",
            "{% raw %}",
            "{{< a >}}",
            "{% if x %}",
            "{{raw `",
            "{% highlight %}",
            "{{ a }}",
        ] {
            let _ = expanded(&text.repeat(100_000));
        }
    }
}
