//! The pass over the tokens.

use std::collections::BTreeMap;

use super::Surroundings;
use super::tags::{
    Fate, ends_foreign, ends_paragraph, fate, is_anchor, is_furniture, is_heading, is_hidden,
    is_scope, is_table_part, is_void, keeps, table_parents,
};
use super::tokens::{Sink, Tag, tokenise_any, tokenise_plain};
use super::urls::{SINGLE, absolute, absolute_set, footnote};

/// Elements nested deeper than this are unwrapped: the sanitiser's time grows with the square of the depth.
const DEPTH: usize = 512;

/// HTML whose tokens were rewritten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) html: String,
    /// It is so well nested that a parser changes nothing in it.
    pub(super) is_nested: bool,
    /// What it was made from was written so plainly that nothing could be misread.
    pub(super) is_plain: bool,
}

/// Rewrites the tokens of `html`.
pub(super) fn rewrite(html: &str, around: &Surroundings<'_>) -> Rewritten {
    let make = || Pass::new(html, around);
    match tokenise_plain(html, make()) {
        Some(pass) => pass.finish(true),
        None => rewrite_any(html, around),
    }
}

/// [`rewrite`] for any HTML.
pub(super) fn rewrite_any(html: &str, around: &Surroundings<'_>) -> Rewritten {
    tokenise_any(html, Pass::new(html, around)).finish(false)
}

struct Pass<'a> {
    around: &'a Surroundings<'a>,
    state: State,
}

impl<'a> Pass<'a> {
    fn new(html: &str, around: &'a Surroundings<'a>) -> Self {
        let state = State {
            out: String::with_capacity(html.len() * 5 / 4),
            ..State::default()
        };
        Self { around, state }
    }

    fn finish(mut self, is_plain: bool) -> Rewritten {
        self.state.close_to(0);
        Rewritten {
            html: self.state.out,
            is_nested: !self.state.odd,
            is_plain,
        }
    }
}

/// Whether the start of an element ends another that is open (HTML, optional tags).
fn implies_end(open: &str, start: &str) -> bool {
    match open {
        "p" => ends_paragraph(start),
        "li" => start == "li",
        "dt" | "dd" => matches!(start, "dt" | "dd"),
        "tr" => matches!(start, "tr" | "thead" | "tbody" | "tfoot"),
        "td" | "th" => matches!(start, "td" | "th" | "tr"),
        "thead" | "tbody" | "tfoot" => matches!(start, "tbody" | "tfoot"),
        "option" => matches!(start, "option" | "optgroup"),
        _ => false,
    }
}

#[derive(Default)]
struct State {
    out: String,
    /// Elements that are open and were let out: their names as written and as let out. At most [`DEPTH`], so that
    /// looking through them takes no time.
    stack: Vec<Open>,
    /// The element that goes with all that is in it, and how often it is open inside itself.
    skipped: Option<(String, usize)>,
    /// If that is because browsers hide it: how often each element was opened in it. Its end tag may be missing.
    hidden: Option<BTreeMap<String, usize>>,
    /// A parser might put something elsewhere.
    odd: bool,
    /// Nothing has been written into the `<pre>` that is open yet.
    fresh_pre: bool,
}

struct Open {
    name: String,
    shown: &'static str,
    /// Where its start tag begins in the output.
    at: usize,
}

impl Sink for Pass<'_> {
    fn text(&mut self, text: &str) {
        self.state.text(text);
    }

    fn start(&mut self, tag: &Tag<'_>) {
        self.state.start(tag, self.around);
    }

    fn end(&mut self, name: &str) {
        self.state.end(name);
    }
}

impl State {
    fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        // a parser drops the first line end in a `<pre>`, and nothing would put it back
        let text = if self.fresh_pre {
            text.trim_start_matches(|c| matches!(c, '\n' | '\r') || !is_text(c))
        } else {
            text
        };
        if text.is_empty() {
            return;
        }
        self.fresh_pre = false;
        let in_table = self.shown().is_some_and(|name| {
            matches!(
                name,
                "table" | "thead" | "tbody" | "tfoot" | "tr" | "colgroup"
            )
        });
        if in_table && !text.trim_matches([' ', '\t', '\n']).is_empty() {
            self.odd = true;
        }
        escape(text, false, &mut self.out);
    }

    /// A hidden element ends without an end tag.
    fn show_again(&mut self) {
        (self.skipped, self.hidden) = (None, None);
        self.odd = true;
    }

    /// The innermost element that was let out.
    fn shown(&self) -> Option<&'static str> {
        self.stack.last().map(|open| open.shown)
    }

    fn start(&mut self, tag: &Tag<'_>, around: &Surroundings<'_>) {
        let name = tag.name;
        if let (Some((skipped, _)), Some(inner)) = (&self.skipped, &mut self.hidden) {
            let is_inside = ["ul", "ol", "dl", "table", "select"]
                .iter()
                .any(|list| inner.get(*list).is_some_and(|open| *open > 0));
            if !is_inside && implies_end(skipped, name) {
                self.show_again();
            } else if !tag.self_closing && !is_void(name) {
                *inner.entry(name.to_owned()).or_default() += 1;
            }
        }
        if let Some((skipped, depth)) = &mut self.skipped {
            if matches!(skipped.as_str(), "svg" | "math") && ends_foreign(name) {
                self.skipped = None;
            } else {
                // a raw text element cannot hold itself
                if skipped == name && !tag.self_closing {
                    *depth += 1;
                }
                return;
            }
        }
        let classes = tag.get("class").unwrap_or_default();
        let in_heading = self.stack.iter().any(|open| is_heading(&open.name));
        let hidden = is_hidden(tag.get("hidden"), tag.get("style"));
        let furniture = is_furniture(classes)
            || hidden
            || in_heading
                && (name == "a" && is_anchor(classes) || tag.get("aria-hidden") == Some("true"));
        match name {
            "iframe" | "embed" => self.frame(tag.get("src"), tag.get("title"), around),
            "input"
                if tag
                    .get("type")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("checkbox")) =>
            {
                self.text(if tag.get("checked").is_some() {
                    "☑ "
                } else {
                    "☐ "
                });
            }
            _ => {}
        }
        let fate = fate(name);
        if fate == Fate::GoesWhole || furniture && !is_void(name) {
            let foreign = matches!(name, "svg" | "math");
            if !(foreign && tag.self_closing || is_gone_void(name)) {
                self.skipped = Some((name.to_owned(), 1));
                self.hidden = hidden.then(BTreeMap::new);
            }
            return;
        }
        match fate {
            Fate::Stays(shown) if !furniture => self.show(name, shown, tag, around),
            // what is in an element that goes stays where it is
            _ => {}
        }
    }

    /// A frame becomes a link: readers show no frames.
    fn frame(&mut self, src: Option<&str>, title: Option<&str>, around: &Surroundings<'_>) {
        let Some(url) = src
            .filter(|src| !src.trim().is_empty())
            .and_then(|src| absolute(src, "src", "iframe", around))
        else {
            return;
        };
        let url = watch_url(&url).unwrap_or(url);
        let title = title
            .map(str::trim)
            .filter(|title| !title.is_empty())
            .unwrap_or(&url);
        // inside running text there can be no paragraph
        let inline = self.stack.iter().any(|open| {
            matches!(
                open.shown,
                "p" | "a" | "span" | "em" | "strong" | "b" | "i" | "summary"
            )
        });
        let too_deep = self.stack.len() + 2 > DEPTH;
        let no_link = too_deep || self.stack.iter().any(|open| open.shown == "a");
        let (before, behind) = if inline || too_deep {
            ("", "")
        } else {
            ("<p>", "</p>")
        };
        self.table_check("p");
        // a heading that shows nothing but `#` in a link loses it
        self.odd |= self.stack.iter().any(|open| is_heading(open.shown));
        self.fresh_pre &= no_link && before.is_empty();
        self.out.push_str(before);
        if no_link {
            self.text(title);
        } else {
            self.out.push_str("<a href=\"");
            escape(&url, true, &mut self.out);
            self.out.push_str("\">");
            escape(title, false, &mut self.out);
            self.out.push_str("</a>");
        }
        self.out.push_str(behind);
    }

    fn show(&mut self, name: &str, shown: &'static str, tag: &Tag<'_>, around: &Surroundings<'_>) {
        let attributes = attributes(shown, tag, around);
        if shown == "img" && !is_picture(tag, &attributes) {
            return;
        }
        self.close_implied(shown);
        self.table_check(shown);
        if self.stack.len() >= DEPTH && !is_void(shown) {
            return;
        }
        let at = self.out.len();
        self.out.push('<');
        self.out.push_str(shown);
        for (name, value) in &attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, true, &mut self.out);
            self.out.push('"');
        }
        self.out.push('>');
        self.fresh_pre = shown == "pre";
        if !is_void(shown) {
            self.stack.push(Open {
                name: name.to_owned(),
                shown,
                at,
            });
        }
    }

    /// What a parser would have to move, or leave out, because it does not belong where it stands.
    fn table_check(&mut self, name: &'static str) {
        let parent = self.shown();
        let in_structure = parent.is_some_and(|name| {
            matches!(
                name,
                "table" | "thead" | "tbody" | "tfoot" | "tr" | "colgroup"
            )
        });
        if is_table_part(name) {
            self.odd |= !parent.is_some_and(|parent| table_parents(name).contains(&parent));
            // a parser puts a `<tbody>` around rows
            self.odd |= name == "tr" && parent == Some("table");
        } else {
            self.odd |= in_structure;
        }
        if matches!(name, "source" | "track") {
            self.odd |=
                !parent.is_some_and(|parent| matches!(parent, "picture" | "audio" | "video"));
        }
        if matches!(name, "rt" | "rp") {
            self.odd |= parent != Some("ruby");
        }
    }

    /// Closes what the new element ends without an end tag.
    fn close_implied(&mut self, name: &str) {
        if ends_paragraph(name) {
            self.close_within(&["p"], is_scope);
        }
        match name {
            "li" => self.close_within(&["li"], |open| {
                matches!(open, "ul" | "ol") || is_scope(open)
            }),
            "dt" | "dd" => self.close_within(&["dt", "dd"], |open| open == "dl" || is_scope(open)),
            "td" | "th" => self.close_within(&["td", "th"], |open| open == "table"),
            "tr" => self.close_within(&["tr"], |open| open == "table"),
            "thead" | "tbody" | "tfoot" | "caption" | "colgroup" => {
                self.close_within(
                    &["thead", "tbody", "tfoot", "caption", "colgroup"],
                    |open| open == "table",
                );
            }
            "a" => self.close_within(&["a"], |open| matches!(open, "td" | "th" | "caption")),
            "rt" | "rp" => self.close_within(&["rt", "rp"], |open| open == "ruby"),
            name if is_heading(name) => {
                self.close_within(&["h1", "h2", "h3", "h4", "h5", "h6"], is_scope);
            }
            _ => {}
        }
    }

    /// Closes the innermost open element that is one of `names`, with all in it, unless something for which `stops`
    /// holds is around it.
    fn close_within(&mut self, names: &[&str], stops: impl Fn(&str) -> bool) {
        for index in (0..self.stack.len()).rev() {
            let shown = self.stack[index].shown;
            if names.contains(&shown) {
                return self.close_to(index);
            }
            if stops(shown) {
                return;
            }
        }
    }

    fn end(&mut self, name: &str) {
        if let (Some((skipped, _)), Some(inner)) = (&self.skipped, &mut self.hidden)
            && skipped != name
        {
            match inner.get_mut(name) {
                Some(open) if *open > 0 => *open -= 1,
                // the end of what is around it
                _ if self.stack.iter().any(|open| open.name == name) => self.show_again(),
                _ => {}
            }
        }
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    (self.skipped, self.hidden) = (None, None);
                }
            }
            return;
        }
        for index in (0..self.stack.len()).rev() {
            let open = &self.stack[index];
            if open.name == name {
                return self.close_to(index);
            }
            // an end tag inside a cell ends nothing outside
            if is_scope(open.shown) && !(is_table_part(name) || name == "table") {
                return;
            }
        }
    }

    /// Closes open elements down to, and with, the one at `index`.
    fn close_to(&mut self, index: usize) {
        while self.stack.len() > index {
            let Some(open) = self.stack.pop() else { return };
            let shown = open.shown;
            self.fresh_pre = false;
            if shown == "a" && self.is_symbol_anchor(open.at) {
                self.out.truncate(open.at);
                // what comes next may be the first thing in it again
                self.odd |= self.shown() == Some("pre");
                continue;
            }
            self.out.push_str("</");
            self.out.push_str(shown);
            self.out.push('>');
        }
    }

    /// A link in a heading that shows nothing but `#` or the like is the heading's address.
    fn is_symbol_anchor(&self, at: usize) -> bool {
        let in_heading = self.stack.iter().any(|open| is_heading(open.shown));
        let inside = || {
            self.out[at..]
                .split_once('>')
                .map_or("", |(_, inside)| inside.trim())
        };
        in_heading
            && matches!(
                inside(),
                "" | "#" | "¶" | "§" | "🔗" | "\u{1f517}\u{fe0f}" | "∞"
            )
    }
}

/// Elements without an end that never stay.
fn is_gone_void(name: &str) -> bool {
    [
        "embed", "input", "link", "meta", "base", "basefont", "bgsound", "param", "frame", "area",
        "keygen", "command", "image",
    ]
    .contains(&name)
}

/// A picture that can be shown: not without an address, not one pixel that only counts readers.
fn is_picture(tag: &Tag<'_>, attributes: &[(String, String)]) -> bool {
    let has = |wanted: &str| attributes.iter().any(|(name, _)| name == wanted);
    let tiny = |wanted: &str| {
        let value = tag.get(wanted).map(str::trim);
        value.is_some_and(|value| matches!(value.trim_end_matches("px"), "0" | "1"))
    };
    (has("src") || has("srcset")) && !(tiny("width") && tiny("height"))
}

/// The attributes that an element keeps, with the values that readers may have.
fn attributes(element: &str, tag: &Tag<'_>, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, written) in tag.attributes {
        // lazy images have their address elsewhere until a script comes
        let (name, lazy) = match *name {
            "data-src" | "data-original" | "data-lazy-src" => ("src", true),
            "data-srcset" | "data-lazy-srcset" => ("srcset", true),
            name => (name, false),
        };
        if !keeps(element, name) {
            continue;
        }
        let Some(value) = value(element, name, written, around) else {
            continue;
        };
        match kept.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) if lazy => *old = value,
            Some(_) => {}
            None => kept.push((name.to_owned(), value)),
        }
    }
    // a placeholder that stands behind the true address in the tag
    let lazy = tag
        .attributes
        .iter()
        .find(|(name, _)| matches!(*name, "data-src" | "data-original" | "data-lazy-src"));
    if let Some((_, lazy)) = lazy {
        let value = value(element, "src", lazy, around);
        if let (Some(value), Some((_, src))) =
            (value, kept.iter_mut().find(|(name, _)| name == "src"))
        {
            *src = value;
        }
    }
    if element == "img"
        && !kept.iter().any(|(name, _)| name == "alt")
        && kept.iter().any(|(name, _)| name == "src")
    {
        kept.push(("alt".to_owned(), String::new()));
    }
    kept
}

fn value(element: &str, name: &str, value: &str, around: &Surroundings<'_>) -> Option<String> {
    if SINGLE.contains(&name) {
        return absolute(value, name, element, around);
    }
    match name {
        "srcset" => absolute_set(value, element, around),
        "id" => footnote(value.trim(), around.prefix).or_else(|| {
            let id = value.trim();
            (is_heading(element) && !id.is_empty() && !id.contains(char::is_whitespace))
                .then(|| id.to_owned())
        }),
        "class" => {
            let language = value.split_ascii_whitespace().find(|class| {
                class
                    .strip_prefix("language-")
                    .is_some_and(|l| !l.is_empty())
            });
            language.map(str::to_owned)
        }
        "style" => alignment(value),
        "lang" => crate::article::language::tag(value),
        "dir" => Some(value.trim().to_ascii_lowercase())
            .filter(|dir| matches!(dir.as_str(), "ltr" | "rtl" | "auto")),
        "width" | "height" | "colspan" | "rowspan" | "span" | "start" | "value"
            if element != "data" =>
        {
            let number = value.trim().trim_end_matches("px");
            let digits = number.strip_prefix('-').unwrap_or(number);
            (!digits.is_empty() && digits.len() < 7 && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| number.to_owned())
        }
        "alt" | "title" => {
            let shown = crate::article::hidden::hide_in_words(value);
            Some(shown.chars().filter(|c| is_text(*c)).collect())
        }
        _ => Some(value.chars().filter(|c| is_text(*c)).collect()),
    }
}

/// Of a style only how text is aligned.
fn alignment(style: &str) -> Option<String> {
    style.split(';').find_map(|declaration| {
        let (property, value) = declaration.split_once(':')?;
        let value = value.trim().to_ascii_lowercase();
        let plain = matches!(value.as_str(), "left" | "right" | "center" | "justify");
        (property.trim().eq_ignore_ascii_case("text-align") && plain)
            .then(|| format!("text-align:{value}"))
    })
}

/// The page on which an embedded film can be watched.
fn watch_url(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?.trim_start_matches("www.");
    let last = url
        .path_segments()?
        .next_back()
        .filter(|last| !last.is_empty())?;
    match host {
        "youtube.com" | "youtube-nocookie.com"
            if url.path().starts_with("/embed/") && last != "videoseries" =>
        {
            Some(format!("https://www.youtube.com/watch?v={last}"))
        }
        "player.vimeo.com" if url.path().starts_with("/video/") => {
            Some(format!("https://vimeo.com/{last}"))
        }
        _ => None,
    }
}

/// What XML 1.0 can hold (§2.2, `Char`).
fn is_text(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='\u{7e}' | '\u{80}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Writes text so that it is read as it was, in the one way in which a serialiser would write it (HTML, "escaping a string").
fn escape(text: &str, in_attribute: bool, out: &mut String) {
    // a byte with which something begins that may not stand as it is
    let is_special = |b: &u8| match b {
        b'\t' | b'\n' => false,
        b'"' => in_attribute,
        0..=0x1f | b'&' | b'<' | b'>' | 0x7f | 0xc2 | 0xef => true,
        _ => false,
    };
    let mut rest = text;
    while let Some(at) = rest.as_bytes().iter().position(is_special) {
        out.push_str(&rest[..at]);
        let mut characters = rest[at..].chars();
        match characters.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('"') => out.push_str("&quot;"),
            Some('\u{a0}') => out.push_str("&nbsp;"),
            Some(c) if is_text(c) => out.push(c),
            _ => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}
