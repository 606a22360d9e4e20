//! Parts of a text: its words, its first paragraph, its heading; and of a page the part that is the article.

use std::cell::RefCell;
use std::collections::BTreeMap;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::tags::{Fate, ends_paragraph, fate, is_table_part};

/// Feeds `html` to a sink.
pub(super) fn tokenise<S: TokenSink>(html: &str, sink: S) -> S {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    // it pauses only where a sink wants a script to run, and none of ours does
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink
}

/// What the tokeniser is to do with the inside of an element (a tree builder would tell it).
pub(super) fn inside(name: &str) -> TokenSinkResult<()> {
    match name {
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
            TokenSinkResult::RawData(RawKind::Rawtext)
        }
        _ => TokenSinkResult::Continue,
    }
}

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
    tokenise(html, Census::default()).0.into_inner()
}

#[derive(Default)]
struct Census(RefCell<BTreeMap<String, usize>>);

impl TokenSink for Census {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            let mut found = self.0.borrow_mut();
            *found.entry(format!("<{}>", tag.name)).or_default() += 1;
            for attribute in &tag.attrs {
                *found
                    .entry(format!("{}=", attribute.name.local))
                    .or_default() += 1;
            }
            return inside(&tag.name);
        }
        TokenSinkResult::Continue
    }
}

/// The text that a reader would see: no markup, entities decoded, white space folded, no space at the ends.
/// Block elements and `<br>` separate words.
#[must_use]
pub fn text(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return fold(html);
    }
    fold(&tokenise(html, Words::default()).state.into_inner().all)
}

/// The text of the first `<p>` that has any, as [`text`]; else of everything.
#[must_use]
pub fn first_paragraph(html: &str) -> String {
    let words = tokenise(
        html,
        Words {
            only_first_paragraph: true,
            ..Words::default()
        },
    );
    let state = words.state.into_inner();
    let first = fold(&state.paragraph);
    if first.is_empty() {
        fold(&state.all)
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
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    all: String,
    paragraph: String,
    in_paragraph: bool,
    done: bool,
    skipped: Option<String>,
}

impl TokenSink for Words {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let state = &mut *self.state.borrow_mut();
        match token {
            Token::CharacterTokens(text) if state.skipped.is_none() && !state.done => {
                state.all.push_str(&text);
                if state.in_paragraph {
                    state.paragraph.push_str(&text);
                }
            }
            Token::TagToken(tag) => {
                let name = &*tag.name;
                let start = tag.kind == TagKind::StartTag;
                if let Some(skipped) = &state.skipped {
                    if !start && skipped == name {
                        state.skipped = None;
                    }
                    return if start {
                        inside(name)
                    } else {
                        TokenSinkResult::Continue
                    };
                }
                // a footnote's number is no word of the text
                let reference = name == "sup"
                    && tag
                        .attrs
                        .iter()
                        .any(|a| &*a.name.local == "id" && a.value.contains("fnref"));
                if start && (reference || fate(name) == Fate::GoesWhole && !tag.self_closing) {
                    state.skipped = Some(name.to_owned());
                    return inside(name);
                }
                if ends_paragraph(name) || name == "br" || is_table_part(name) {
                    state.all.push(' ');
                    state.paragraph.push(' ');
                }
                if ends_paragraph(name) {
                    if self.only_first_paragraph && !state.paragraph.trim().is_empty() {
                        state.done = true;
                    }
                    state.in_paragraph = start && name == "p";
                }
                if start {
                    return inside(name);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
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
