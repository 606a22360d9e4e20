//! What an author wrote for nobody but themselves: the comments of Obsidian (`%%…%%`), kramdown (`{::comment}`), MDX
//! (`{/* … */}`), HTML, and the languages of templates (`{{/* … */}}`, `{{!-- … --}}`, `{% # … %}`, `{#…#}`, `<%# … %>`). It is taken out of a text before anything is made of it.
//! Code is left as it is. Liquid's comments are the business of [`template`]; those of HTML in a body go
//! when the HTML is cleaned.
//!
//! A comment that nobody closed, and the marks of a merge conflict, hold an article back: how much of it was meant
//! for readers is a guess.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use memchr::memmem;

use super::{Markup, conflict, template};

/// What a text hides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    /// In bytes, in order.
    ranges: Vec<Range<usize>>,
    /// Where Obsidian's comments begin.
    pub(super) obsidian: Vec<usize>,
    /// Why nothing of the text may be published: at which byte, what is wrong, what to do.
    pub(super) held: Option<(usize, String, &'static str)>,
}

/// A text without what it hides. Line ends stay, so that lines keep their numbers.
#[must_use]
pub fn hide(text: &str, markup: Markup) -> Cow<'_, str> {
    without(text, &find(text, markup))
}

/// A title or a summary without what it hides; comments of HTML and Liquid go here too.
#[must_use]
pub fn hide_in_words(text: &str) -> Cow<'_, str> {
    if !may_hide(text) && memmem::find(text.as_bytes(), b"<!--").is_none() && !text.contains("{%") {
        return text.into();
    }
    let mut search = Search::of(text, Vec::new(), Place::Words);
    search.run();
    without(text, &search.found)
}

fn without<'t>(text: &'t str, hidden: &Hidden) -> Cow<'t, str> {
    if hidden.ranges.is_empty() {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for range in &hidden.ranges {
        shown.push_str(&text[at..range.start]);
        shown.extend(text[range.clone()].chars().filter(|c| *c == '\n'));
        at = range.end;
    }
    shown.push_str(&text[at..]);
    shown.into()
}

/// Finds what a body hides.
pub(super) fn find(text: &str, markup: Markup) -> Hidden {
    let has = |mark: &str| memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    if !may_hide(text) && !has("<!--") && !has("<<<<<<<") {
        return Hidden::default();
    }
    let code = with_elements(text, &template::code(text, markup));
    let place = match markup {
        Markup::Markdown => Place::Markdown,
        Markup::Html => Place::Html,
        Markup::Text => Place::Text,
    };
    let mut search = Search::of(text, code, place);
    search.run();
    let conflict = || conflict::find(text, &search.code);
    search.found.held = search.found.held.take().or_else(conflict);
    search.found
}

/// What opens and closes code beside Markdown's own: elements of HTML, and blocks of template languages.
const ELEMENTS: [(&str, &str); 10] = [
    ("<pre", "</pre>"),
    ("<code", "</code>"),
    ("<script", "</script>"),
    ("<style", "</style>"),
    // mathematics, in which `%` begins a comment of its own
    ("$$\n", "\n$$"),
    ("{% highlight", "endhighlight"),
    ("{%- highlight", "endhighlight"),
    ("{% raw", "endraw"),
    ("{{< highlight", "{{< /highlight"),
    ("{{<highlight", "/highlight"),
];

/// The places of code, with those in elements over several lines; in order, none within another.
fn with_elements(text: &str, code: &[Range<usize>]) -> Vec<Range<usize>> {
    let is_shown = |at: usize| {
        let index = code.partition_point(|range| range.end <= at);
        code.get(index).is_some_and(|range| range.start <= at)
    };
    let mut all = code.to_vec();
    for (open, close) in ELEMENTS {
        let mut at = 0;
        while let Some(found) = text[at..].find(open) {
            let start = at + found;
            let inside = start + open.len();
            let is_name = !text[inside..].starts_with(|c: char| c.is_alphanumeric() || c == '-');
            let end = (is_name && !is_shown(start))
                .then(|| text[inside..].find(close))
                .flatten();
            // what is not closed is closed nowhere further on
            let Some(length) = end else {
                if is_name && !is_shown(start) {
                    break;
                }
                at = inside;
                continue;
            };
            all.push(start..inside + length);
            at = inside + length;
        }
    }
    all.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(all.len());
    for range in all {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether a text may hide anything: most do not, and cost nothing.
fn may_hide(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'%', b'{', bytes).any(|at| {
        let (before, rest) = bytes.split_at(at);
        if rest[0] == b'%' {
            return rest.starts_with(b"%%") || before.ends_with(b"<");
        }
        let inside = rest[1..].trim_ascii_start();
        match inside.first() {
            Some(b':') => inside.starts_with(b"::") || inside.starts_with(b":/"),
            Some(b'#') => true,
            Some(b'/') => inside.starts_with(b"/*"),
            Some(b'%') => {
                let tag = inside[1..].strip_prefix(b"-").unwrap_or(&inside[1..]);
                let tag = tag.trim_ascii_start();
                tag.starts_with(b"comment") || tag.starts_with(b"#")
            }
            Some(b'{') => {
                let inside = inside[1..].strip_prefix(b"-").unwrap_or(&inside[1..]);
                let inside = inside.trim_ascii_start();
                inside.starts_with(b"!") || inside.starts_with(b"/*")
            }
            _ => false,
        }
    })
}

/// In what a comment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Markdown,
    Html,
    Text,
    /// A title or a summary.
    Words,
}

/// How a comment begins and ends.
#[derive(Debug, Clone, Copy)]
struct Form {
    open: &'static str,
    close: &'static [&'static str],
    places: &'static [Place],
    /// Whether it holds an article back wherever it begins, if it has no end; else only at the beginning of a line.
    is_unmistakable: bool,
}

const ALL: &[Place] = &[Place::Markdown, Place::Html, Place::Text, Place::Words];

const GO_ENDS: &[&str] = &["*/}}", "*/ -}}"];

const JSX_ENDS: &[&str] = &["*/}", "*/ }"];

const LIQUID_ENDS: &[&str] = &[
    "{% endcomment %}",
    "{%- endcomment -%}",
    "{%- endcomment %}",
    "{% endcomment -%}",
];

const fn form(
    open: &'static str,
    close: &'static [&'static str],
    places: &'static [Place],
    is_unmistakable: bool,
) -> Form {
    Form {
        open,
        close,
        places,
        is_unmistakable,
    }
}

/// Where nothing else takes comments out that are the business of templates.
const WITHOUT_TEMPLATES: &[Place] = &[Place::Text, Place::Words];

const FORMS: [Form; 19] = [
    form("%%", &["%%"], &[Place::Markdown, Place::Words], false),
    // MDX
    form("{/*", JSX_ENDS, ALL, false),
    form("{ /*", JSX_ENDS, &[Place::Markdown, Place::Words], false),
    // Hugo
    form("{{/*", GO_ENDS, ALL, true),
    form("{{- /*", GO_ENDS, ALL, true),
    // Handlebars
    form("{{!--", &["--}}"], ALL, true),
    form("{{! ", &["}}"], ALL, false),
    // kramdown
    form("{::comment", &["{:/comment}", "{:/}"], ALL, true),
    form("<!--", &["-->"], &[Place::Text, Place::Words], false),
    // Liquid; in texts, comments of two tags are the business of templates
    form("{% comment", LIQUID_ENDS, WITHOUT_TEMPLATES, true),
    form("{%- comment", LIQUID_ENDS, WITHOUT_TEMPLATES, true),
    form("{% #", &["%}"], ALL, true),
    form("{%- #", &["%}"], ALL, true),
    form("{%#", &["%}"], ALL, true),
    // Jinja and its kin
    form("{# ", &["#}"], WITHOUT_TEMPLATES, false),
    form("{#\n", &["#}"], ALL, false),
    form("{#-", &["#}"], ALL, false),
    // EJS, ERB and JSP
    form("<%#", &["%>"], ALL, false),
    form("<%--", &["--%>"], ALL, false),
];

struct Search<'t> {
    text: &'t str,
    code: Vec<Range<usize>>,
    place: Place,
    found: Hidden,
    /// Forms of which no end stands in the rest of the text.
    endless: [bool; FORMS.len()],
    /// Ends that do not stand in the rest of the text at all.
    absent: Vec<&'static str>,
    /// Where the last end of a comment of Liquid begins; found when somebody asks.
    last_liquid_end: OnceCell<Option<usize>>,
}

impl<'t> Search<'t> {
    fn of(text: &'t str, code: Vec<Range<usize>>, place: Place) -> Self {
        Self {
            text,
            code,
            place,
            found: Hidden::default(),
            endless: [false; FORMS.len()],
            absent: Vec::new(),
            last_liquid_end: OnceCell::new(),
        }
    }

    fn run(&mut self) {
        let mut at = 0;
        while let Some(found) = memchr::memchr3(b'%', b'{', b'<', &self.text.as_bytes()[at..]) {
            at += found;
            if let Some(end) = self.code_around(at) {
                at = end;
                continue;
            }
            let rest = &self.text[at..];
            at = match FORMS
                .iter()
                .position(|form| rest.starts_with(form.open) && form.places.contains(&self.place))
            {
                Some(form) => self.comment(form, at),
                None => self.other(rest, at),
            };
        }
    }

    /// Takes a comment out; where to go on.
    fn comment(&mut self, number: usize, at: usize) -> usize {
        let form = FORMS[number];
        let inside = at + form.open.len();
        if form.open == "%%" && self.is_in_url(at) {
            return inside;
        }
        if form.open == "{::comment"
            && self.text[at..]
                .find('}')
                .is_some_and(|end| self.text[at..at + end].ends_with('/'))
        {
            return self.take(at, '}');
        }
        let end = if self.endless[number] {
            None
        } else {
            self.end(form, inside)
        };
        if let Some(end) = end {
            if form.open == "%%" {
                self.found.obsidian.push(at);
            }
            self.found.ranges.push(at..end);
            return end;
        }
        self.endless[number] = true;
        if form.open == "<!--" && self.place == Place::Words {
            // browsers show nothing of it
            self.found.ranges.push(at..self.text.len());
            return self.text.len();
        }
        if self.found.held.is_some() {
            return inside;
        }
        let is_first = self.begins_a_line(at);
        if self.found.held.is_none() && (form.is_unmistakable || is_first) {
            let what = format!(
                "the comment that begins with `{}` is never closed",
                form.open.trim()
            );
            let remedy = "close it, or put backticks around it to show it";
            self.found.held = Some((at, what, remedy));
        }
        inside
    }

    /// What is no comment: a mark of kramdown goes, and a comment of HTML is passed over.
    fn other(&mut self, rest: &str, at: usize) -> usize {
        const MARKS: [&str; 5] = [
            "{::nomarkdown",
            "{::options",
            "{:/nomarkdown}",
            "{:/comment}",
            "{:/}",
        ];
        if self.place == Place::Markdown && MARKS.iter().any(|mark| rest.starts_with(mark)) {
            return self.take(at, '}');
        }
        let is_shortcode = self.text[..at].ends_with('{');
        if self.found.held.is_none() && !is_shortcode && self.is_endless_liquid(at) {
            let what = "the comment that begins with `{% comment %}` is never closed".to_owned();
            self.found.held = Some((at, what, "write `{% endcomment %}` behind it"));
        }
        // where nothing makes it a comment for sure: within a line, and without blanks at its marks
        if rest.starts_with("%%") && matches!(self.place, Place::Html | Place::Text) {
            let line = rest[2..].lines().next().unwrap_or_default();
            let line = &line[..line.floor_char_boundary(2000)];
            let inside = line.find("%%").map(|end| &line[..end]);
            let inside = inside.filter(|inside| {
                !inside.is_empty()
                    && inside.trim() == *inside
                    && (self.place == Place::Text || !inside.contains(['<', '>']))
            });
            if let Some(inside) = inside {
                let end = at + inside.len() + 4;
                self.found.ranges.push(at..end);
                return end;
            }
            return at + 2;
        }
        // Jinja: the id of a heading has no second `#`
        if rest.starts_with("{#") {
            let window = &rest[..rest.floor_char_boundary(512)];
            let end = window
                .find('}')
                .filter(|end| *end > 2 && window[..*end].ends_with('#'));
            if let Some(end) = end {
                self.found.ranges.push(at..at + end + 1);
                return at + end + 1;
            }
        }
        if rest.starts_with("<!--") {
            let Some(end) = self.find("-->", at..self.text.len()) else {
                let is_first = self.begins_a_line(at);
                // browsers show nothing of what comes after it
                if self.found.held.is_none() && is_first && self.place == Place::Markdown {
                    let what = "the comment that begins with `<!--` is never closed".to_owned();
                    let remedy = "close it, or put backticks around it to show it";
                    self.found.held = Some((at, what, remedy));
                }
                return at + 4;
            };
            self.contain(at..end + 3);
            return end + 3;
        }
        at + 1
    }

    /// Whether a comment of Liquid begins here that has no end. One that has is the business of templates.
    fn is_endless_liquid(&self, at: usize) -> bool {
        const ENDS: [&str; 4] = [
            "endcomment %}",
            "endcomment -%}",
            "endcomment%}",
            "endcomment-%}",
        ];
        let tag = self.text[at..].strip_prefix("{%");
        let tag = tag.map(|tag| tag.trim_start_matches('-').trim_start());
        let name = tag.and_then(|tag| tag.strip_prefix("comment"));
        if !name.is_some_and(|rest| rest.starts_with([' ', '%', '-', '"']))
            || !matches!(self.place, Place::Markdown | Place::Html)
        {
            return false;
        }
        let last = self.last_liquid_end.get_or_init(|| {
            let ends = ENDS.iter().filter_map(|end| self.text.rfind(end));
            ends.max()
        });
        last.is_none_or(|last| last < at)
    }

    /// Leaves nothing but the marks of a comment that begins within a line of Markdown and goes on in the next: there, the
    /// next item of a list would end it.
    fn contain(&mut self, comment: Range<usize>) {
        let is_within = !self.begins_a_line(comment.start);
        let has_lines = self.text[comment.clone()].contains('\n');
        if self.place == Place::Markdown && is_within && has_lines {
            self.found.ranges.push(comment);
        }
    }

    /// Takes out all up to a sign; where to go on.
    fn take(&mut self, at: usize, last: char) -> usize {
        // a mark is short
        let window = self.text.floor_char_boundary(at + 512);
        let Some(length) = self.text[at..window].find(last) else {
            return at + 1;
        };
        let end = at + length + last.len_utf8();
        self.found.ranges.push(at..end);
        end
    }

    /// Where a comment ends whose inside begins at `from`.
    fn end(&mut self, form: Form, from: usize) -> Option<usize> {
        let mut nearest: Option<usize> = None;
        for close in form.close {
            // no further than an end that is known
            let limit = nearest.unwrap_or(self.text.len());
            let mut at = from;
            while let Some(found) = self.find(close, at..limit) {
                at = found;
                let is_other = form.open == "%%" && self.is_in_url(at);
                if !is_other && self.code_around(at).is_none() {
                    nearest = Some(at + close.len());
                    break;
                }
                at += close.len();
            }
        }
        nearest
    }

    /// Finds an end of comments. What does not stand in the rest of the text is not searched again.
    fn find(&mut self, end: &'static str, within: Range<usize>) -> Option<usize> {
        if self.absent.contains(&end) {
            return None;
        }
        let found = memmem::find(&self.text.as_bytes()[within.clone()], end.as_bytes());
        if found.is_none() && within.end == self.text.len() {
            self.absent.push(end);
        }
        Some(within.start + found?)
    }

    /// Whether nothing but blanks stands before a place in its line.
    fn begins_a_line(&self, at: usize) -> bool {
        let before = self.text.as_bytes()[..at].iter().rev();
        let mut before = before.skip_while(|b| matches!(b, b' ' | b'\t'));
        before.next().is_none_or(|b| *b == b'\n')
    }

    /// Where the code around a place ends.
    fn code_around(&self, at: usize) -> Option<usize> {
        let index = self.code.partition_point(|range| range.end <= at);
        let code = self.code.get(index).filter(|range| range.start <= at)?;
        Some(code.end.max(at + 1))
    }

    /// Whether a `%%` is within an address that goes on behind it, with an escape: `%` stands in many.
    fn is_in_url(&self, at: usize) -> bool {
        let next = self.text.as_bytes().get(at + 2..at + 4);
        if !next.is_some_and(|next| next.iter().all(u8::is_ascii_hexdigit)) {
            return false;
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'');
        // no address that people write is longer
        let near = self.text.ceil_char_boundary(at.saturating_sub(512));
        let start = self.text[near..at]
            .rfind(ends)
            .map_or(near, |start| near + start + 1);
        let start = self.text.ceil_char_boundary(start).min(at);
        let (before, word) = (&self.text[near..start], &self.text[start..at]);
        let in_tag = before.rfind('<') > before.rfind('>');
        let is_attribute = in_tag && (before.ends_with("=\"") || before.ends_with("='"));
        let address = ["](", "://", "www."]
            .iter()
            .filter_map(|mark| word.rfind(mark))
            .max();
        // a bracket or a comma ends an address in prose
        let goes_on =
            address.is_some_and(|start| !word[start + 2..].contains([')', ']', ',', ';']));
        is_attribute || goes_on
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "how long something takes")]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Markup, find, hide, hide_in_words};

    #[test]
    fn what_stands_in_a_comment_goes() {
        for (text, shown) in [
            ("a %%b%% c", "a  c"),
            ("a\n\n%%\nb\n\nc\n%%\n\nd", "a\n\n\n\n\n\n\n\nd"),
            ("%%a%%b%%c%%d", "bd"),
            ("`%%a%%` %%b%%", "`%%a%%` "),
            ("```\n%%time\n%%x\n```\n%%b%%", "```\n%%time\n%%x\n```\n"),
            ("%%a `%%` b%%c", "c"),
            (
                "https://a.example/%%20/%%30 b",
                "https://a.example/%%20/%%30 b",
            ),
            ("[a](b%%20c%%20) %%d%%e", "[a](b%%20c%%20) e"),
            (
                "<a href=\"/%%1a\">x</a> %%d%%e",
                "<a href=\"/%%1a\">x</a> e",
            ),
            ("growth of 5%%, not 6", "growth of 5%%, not 6"),
            ("a %%source: https://b.example/x%% c", "a  c"),
            ("[a](https://b.example)%%c%% d", "[a](https://b.example) d"),
            ("%%see https://b.example/x%%", ""),
            ("a %%https://b.example/%%c %%d%% e", "a c  e"),
            ("- a <!-- b\n- c -->\n- d", "- a \n\n- d"),
            ("a\n\n<!-- b\nc -->\n", "a\n\n<!-- b\nc -->\n"),
            ("$$\n%% a\nx\n$$\n%%b%%", "$$\n%% a\nx\n$$\n"),
            ("{#\na\n#}b", "\n\nb"),
            (
                "write <!-- to begin.\n\na %%b%% c",
                "write <!-- to begin.\n\na  c",
            ),
            (
                "<code>%%time</code> and <code>%%bash</code>",
                "<code>%%time</code> and <code>%%bash</code>",
            ),
            (
                "<pre>\n%% a\n%% b\n</pre>\n%%c%%",
                "<pre>\n%% a\n%% b\n</pre>\n",
            ),
            (
                "{% highlight m %}\n%% a\nx\n%% b\n{% endhighlight %}",
                "{% highlight m %}\n%% a\nx\n%% b\n{% endhighlight %}",
            ),
            ("<!-- 5%% --> a <!-- 6%% -->", "<!-- 5%% --> a <!-- 6%% -->"),
            ("a {/* b */} c", "a  c"),
            ("a {/*\nb\n*/}\nc", "a \n\n\nc"),
            ("a {{/* b */}} {{- /* c */ -}} d", "a   d"),
            ("{::comment}\na\n{:/comment}\nb", "\n\n\nb"),
            ("a {::comment}b{:/} c", "a  c"),
            ("{::comment a /}b", "b"),
            (
                "{::nomarkdown}<b>a</b>{:/} {::options x=\"1\" /}",
                "<b>a</b> ",
            ),
            ("{: .class} {:toc}", "{: .class} {:toc}"),
            ("a { /* b */ } c", "a  c"),
            ("a {% # b %} c {%- # d -%} {%# e %}", "a  c  "),
            ("a {{!-- b {{c}} --}} d {{! e }} f", "a  d  f"),
            ("a {#b#} c {#- d -#} ## x {#id}", "a  c  ## x {#id}"),
            ("a <%# b %> c <%-- d --%> <%= e %>", "a  c  <%= e %>"),
            ("`{% # a %}` {{!x}}", "`{% # a %}` {{!x}}"),
        ] {
            assert_eq!(hide(text, Markup::Markdown), shown, "{text:?}");
            assert_eq!(find(text, Markup::Markdown).held, None, "{text:?}");
        }
        let long = format!("a{{{{/* {} */}}}}b", "secret ".repeat(1000));
        assert_eq!(hide(&long, Markup::Markdown), "ab");
        assert_eq!(hide("a <!-- b --> c", Markup::Text), "a  c");
        for (text, shown) in [
            ("100% a %%b%% c", "100% a  c"),
            ("a {% comment %}b{% endcomment %} {# c #} {/* d */}", "a   "),
            (
                "for %%i in (a b) do echo %%i",
                "for %%i in (a b) do echo %%i",
            ),
            ("%% a\nb\n%% c\nd", "%% a\nb\n%% c\nd"),
        ] {
            assert_eq!(hide(text, Markup::Text), shown);
        }
        for (text, shown) in [
            ("<p>{{/* a */}}b {/* c */}", "<p>b "),
            ("<p>%%a%% b {::comment}c{:/comment}</p>", "<p> b </p>"),
            (
                "<script>\n%% a\n</script><p>b",
                "<script>\n%% a\n</script><p>b",
            ),
        ] {
            assert_eq!(hide(text, Markup::Html), shown);
        }
    }

    #[test]
    fn titles_and_summaries_hide_the_same() {
        for (text, shown) in [
            ("a %%b%%", "a "),
            ("a <!-- b -->", "a "),
            ("a {% comment %}b{% endcomment %}c", "a c"),
            ("a {# b #}c", "a c"),
            ("a {{/* b */}}c", "a c"),
            ("a <!-- b", "a "),
            ("a {% # b %}c {{!-- d --}}", "a c "),
            ("C# and {#anchor}", "C# and {#anchor}"),
            ("100%% sure", "100%% sure"),
        ] {
            assert_eq!(hide_in_words(text), shown, "{text:?}");
        }
    }

    #[test]
    fn what_is_unclear_holds_a_text() {
        for (text, at) in [
            ("a\n\n%%\nb\n", Some(3)),
            ("a\n  %% b", Some(4)),
            ("a %% b", None),
            ("a {::comment} b", Some(2)),
            ("a\n\n<!-- b\n\nc", Some(3)),
            ("write <!-- to begin", None),
            ("{/* a", Some(0)),
            ("a {/* b", None),
            ("a {{/* b", Some(2)),
            ("a {% comment %} b", Some(2)),
            ("a {%- comment -%} b", Some(2)),
            ("a {% comment %} b {% endcomment %}", None),
            ("a {% comments %} b", None),
            ("a {{% comment %}}b{{% /comment %}}", None),
            ("{% raw %}{{ x }}{% endraw %}\n{% comment %} b", Some(29)),
            ("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n", Some(2)),
            ("<<<<<<<\nb\n>>>>>>>", Some(0)),
            ("a\n<<<<<<< HEAD\nb\n", None),
            (
                "a\n```\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n```\n",
                None,
            ),
            ("a `<<<<<<<` and\n<<<<<<<<<< b\n>>>>>>>>>> c", None),
        ] {
            let held = find(text, Markup::Markdown).held.map(|(at, ..)| at);
            assert_eq!(held, at, "{text:?}");
        }
    }

    #[test]
    fn the_time_grows_with_the_text_and_not_with_its_square() {
        for text in [
            "%%",
            "{/*",
            "{{/* ",
            "{{/* a */ -}}",
            "{::comment} ",
            "a%%b ",
            "<!-- ",
            "{:/} ",
            "x://%%",
            "{% comment %}",
            "{% comment %} a {% endcomment -%}",
        ] {
            let began = Instant::now();
            let _ = find(&text.repeat(2_000_000 / text.len()), Markup::Markdown);
            // the square would take minutes
            assert!(began.elapsed() < Duration::from_secs(20), "{text}");
        }
    }
}
