//! Parts of a text: its words, its first paragraph, its heading; and of a page the part that is the article.

use std::collections::BTreeMap;

use super::tags::{Fate, ends_paragraph, fate, is_hidden, is_table_part, is_void};
use super::tokens::{Sink, Tag, tokenise};

/// `text` as a paragraph.
pub(super) fn paragraph(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\u{a0}', "&nbsp;");
    if escaped.is_empty() {
        escaped
    } else {
        format!("<p>{escaped}</p>")
    }
}

/// How often each element (`<p>`) and each attribute (`style=`) stands in `html`.
#[must_use]
pub fn census(html: &str) -> BTreeMap<String, usize> {
    tokenise(html, Census::default).0
}

#[derive(Default)]
struct Census(BTreeMap<String, usize>);

impl Sink for Census {
    fn text(&mut self, _: &str) {}

    fn start(&mut self, tag: &Tag<'_>) {
        *self.0.entry(format!("<{}>", tag.name)).or_default() += 1;
        for (name, _) in tag.attributes {
            *self.0.entry(format!("{name}=")).or_default() += 1;
        }
    }

    fn end(&mut self, _: &str) {}
}

/// The text that a reader would see: no markup, entities decoded, white space folded, no space at the ends.
/// Block elements and `<br>` separate words.
#[must_use]
pub fn text(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return fold(html);
    }
    fold(&tokenise(html, Words::default).all)
}

/// The text of the first `<p>` that has any, as [`text`]; else of everything.
#[must_use]
pub fn first_paragraph(html: &str) -> String {
    let words = tokenise(html, || Words {
        only_first_paragraph: true,
        ..Words::default()
    });
    let first = fold(&words.paragraph);
    if first.is_empty() {
        fold(&words.all)
    } else {
        first
    }
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Default)]
struct Words {
    only_first_paragraph: bool,
    all: String,
    paragraph: String,
    in_paragraph: bool,
    done: bool,
    /// The element that goes with all that is in it, and how often it is open inside itself.
    skipped: Option<(String, usize)>,
}

impl Sink for Words {
    fn text(&mut self, text: &str) {
        if self.skipped.is_some() || self.done {
            return;
        }
        self.all.push_str(text);
        if self.in_paragraph {
            self.paragraph.push_str(text);
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == tag.name && !tag.self_closing {
                *depth += 1;
            }
            return;
        }
        // a footnote's number is no word of the text
        let is_reference = || tag.get("id").is_some_and(|id| id.contains("fnref"));
        let goes = fate(tag.name) == Fate::GoesWhole && !tag.self_closing;
        // the end tags of some elements may be missing
        let is_closed = !matches!(tag.name, "p" | "li" | "dt" | "dd" | "tr" | "td" | "th");
        let is_hidden =
            is_closed && !is_void(tag.name) && is_hidden(tag.get("hidden"), tag.get("style"));
        if goes || is_hidden || tag.name == "sup" && is_reference() {
            self.skipped = Some((tag.name.to_owned(), 1));
            return;
        }
        self.boundary(tag.name, true);
    }

    fn end(&mut self, name: &str) {
        match &mut self.skipped {
            Some((skipped, depth)) if skipped == name => {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            Some(_) => {}
            None => self.boundary(name, false),
        }
    }
}

impl Words {
    fn boundary(&mut self, name: &str, is_start: bool) {
        let is_block = ends_paragraph(name);
        if is_block || name == "br" || is_table_part(name) {
            self.all.push(' ');
            self.paragraph.push(' ');
        }
        if is_block {
            if self.only_first_paragraph && !self.paragraph.trim().is_empty() {
                self.done = true;
            }
            self.in_paragraph = is_start && name == "p";
        }
    }
}

/// Where an element stands: its start tag, its inside, its end tag.
struct Place {
    start: usize,
    inside: usize,
    end: usize,
    behind: usize,
}

/// The first element that is called one of `names`, at or behind `from`. Text is searched, not tokens: what is in a
/// comment counts too, and does no harm, since callers compare what they find.
fn find(html: &str, names: &[&str], from: usize) -> Option<Place> {
    let lower = |at: usize, word: &str| {
        html.as_bytes()
            .get(at..at + word.len())
            .is_some_and(|b| b.eq_ignore_ascii_case(word.as_bytes()))
    };
    let ends = |at: usize| {
        html.as_bytes()
            .get(at)
            .is_none_or(|b| matches!(b, b'>' | b'/' | b' ' | b'\t' | b'\n'))
    };
    let tag = |mut at: usize, open: &str, name: &str| loop {
        at += memchr::memchr(b'<', html.as_bytes().get(at..)?)?;
        let behind = at + open.len() + name.len();
        if lower(at, open) && lower(at + open.len(), name) && ends(behind) {
            return Some((at, behind));
        }
        at += 1;
    };
    let (start, name_end, name) = names
        .iter()
        .filter_map(|name| tag(from, "<", name).map(|(start, end)| (start, end, *name)))
        .min_by_key(|(start, ..)| *start)?;
    let inside = name_end + html[name_end..].find('>')? + 1;
    let (end, close) = tag(inside, "</", name)?;
    let behind = close + html[close..].find('>')? + 1;
    Some(Place {
        start,
        inside,
        end,
        behind,
    })
}

const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];

/// The text of the first `<h1>`, if it has any.
#[must_use]
pub fn first_heading(html: &str) -> Option<String> {
    let place = find(html, &["h1"], 0)?;
    Some(heading_text(&html[place.inside..place.end])).filter(|text| !text.is_empty())
}

/// A heading's words, without the link that it has to itself.
fn heading_text(inside: &str) -> String {
    text(inside)
        .trim_end_matches(['#', '¶', '§', '🔗'])
        .trim()
        .to_owned()
}

/// `html` without the first `<h1>` (or the first heading of any level, if that comes first) whose text is `title`.
#[must_use]
pub fn without_heading(html: &str, title: &str) -> String {
    for names in [&HEADINGS[..], &["h1"]] {
        if let Some(place) = find(html, names, 0)
            && heading_text(&html[place.inside..place.end])
                == title.trim_end_matches(['#', '¶', '§', '🔗']).trim()
        {
            return format!("{}{}", &html[..place.start], &html[place.behind..]);
        }
    }
    html.to_owned()
}

/// Of a whole page the part that is the article: its only `<article>`, else `<main>`, else `<body>`, else everything
/// but the head.
#[must_use]
pub fn content(page: &str) -> &str {
    if let Some(place) = find(page, &["article"], 0)
        && find(page, &["article"], place.behind).is_none()
    {
        return &page[place.inside..place.end];
    }
    for name in ["main", "body"] {
        if let Some(place) = find(page, &[name], 0) {
            return &page[place.inside..place.end];
        }
    }
    match find(page, &["head"], 0) {
        Some(place) => &page[place.behind..],
        None => page,
    }
}
