//! From HTML to text and tags.
//!
//! Most of what comes is HTML as a Markdown parser writes it: lower case, quoted, finished. That is read here, many
//! times faster than by a tokeniser for everything; whatever else stands in it is left to the library's.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::data::NAMED_ENTITIES;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// A start tag.
pub(super) struct Tag<'a> {
    /// In lower case.
    pub(super) name: &'a str,
    /// Names in lower case, each once; values without character references.
    pub(super) attributes: &'a [(&'a str, Cow<'a, str>)],
    /// It ends in `/>`.
    pub(super) self_closing: bool,
}

impl Tag<'_> {
    /// The value of an attribute.
    pub(super) fn get(&self, wanted: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| *name == wanted)?;
        Some(&found.1)
    }
}

/// What wants to know the tokens, in the order of the text. Comments and the like are nobody's business.
pub(super) trait Sink {
    /// Text without character references, in as many parts as it pleases the tokeniser.
    fn text(&mut self, text: &str);
    fn start(&mut self, tag: &Tag<'_>);
    fn end(&mut self, name: &str);
}

/// Feeds `html` to a sink.
pub(super) fn tokenise<S: Sink>(html: &str, make: impl Fn() -> S) -> S {
    tokenise_plain(html, make()).unwrap_or_else(|| tokenise_any(html, make()))
}

/// [`tokenise`] for any HTML (HTML, "tokenization").
pub(super) fn tokenise_any<S: Sink>(html: &str, sink: S) -> S {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Adapter(RefCell::new(sink)), TokenizerOpts::default());
    // it pauses only where a sink wants a script to run, and none of ours does
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

struct Adapter<S>(RefCell<S>);

impl<S: Sink> TokenSink for Adapter<S> {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut sink = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => sink.text(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                let attributes = tag.attrs.iter();
                let attributes: Vec<_> = attributes
                    .map(|a| (&*a.name.local, Cow::from(&*a.value)))
                    .collect();
                sink.start(&Tag {
                    name: &tag.name,
                    attributes: &attributes,
                    self_closing: tag.self_closing,
                });
                return match raw(&tag.name) {
                    Some(kind) => TokenSinkResult::RawData(kind),
                    None => TokenSinkResult::Continue,
                };
            }
            Token::TagToken(tag) => sink.end(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// How the inside of an element is read, if not as HTML (a tree builder would tell the tokeniser).
fn raw(name: &str) -> Option<RawKind> {
    match name {
        "title" | "textarea" => Some(RawKind::Rcdata),
        "script" => Some(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(RawKind::Rawtext),
        _ => None,
    }
}

/// [`tokenise`] for HTML that is written plainly; `None` for any other.
pub(super) fn tokenise_plain<S: Sink>(html: &str, mut sink: S) -> Option<S> {
    // what the tokeniser would fold, replace or leave out before it begins
    if html.starts_with('\u{feff}') || memchr::memchr2(b'\r', 0, html.as_bytes()).is_some() {
        return None;
    }
    let mut attributes = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let at = memchr::memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        if at > 0 {
            sink.text(&rest[..at]);
            rest = &rest[at..];
            continue;
        }
        if rest.starts_with('&') {
            let (text, behind) = reference(rest, false)?;
            sink.text(&text);
            rest = behind;
        } else if let Some(inside) = rest.strip_prefix("</") {
            let (name, behind) = name(inside)?;
            rest = space(behind).strip_prefix('>')?;
            sink.end(name);
        } else if let Some(inside) = rest.strip_prefix("<!--") {
            let end = inside.find("--")?;
            let is_odd = inside.starts_with(['>', '-']) || inside[..end].ends_with("<!");
            rest = inside[end..].strip_prefix("-->").filter(|_| !is_odd)?;
        } else {
            let (name, behind) = name(&rest[1..])?;
            if raw(name).is_some() {
                return None;
            }
            attributes.clear();
            let self_closing;
            (self_closing, rest) = self::attributes(behind, &mut attributes)?;
            sink.start(&Tag {
                name,
                attributes: &attributes,
                self_closing,
            });
        }
    }
    Some(sink)
}

/// A name in lower case, which ends where a name may end; and what stands behind it.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_part = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let end = text.bytes().position(|b| !is_part(b))?;
    let ends = matches!(text.as_bytes()[end], b' ' | b'\n' | b'\t' | b'>' | b'/');
    (ends && text.as_bytes()[0].is_ascii_lowercase()).then(|| text.split_at(end))
}

fn space(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\t'])
}

/// Reads attributes to the end of the tag; whether it closes itself, and what stands behind it.
fn attributes<'a>(
    mut text: &'a str,
    found: &mut Vec<(&'a str, Cow<'a, str>)>,
) -> Option<(bool, &'a str)> {
    loop {
        let spaced = space(text);
        if let Some(behind) = spaced.strip_prefix('>') {
            return Some((false, behind));
        }
        if let Some(behind) = spaced.strip_prefix("/>") {
            return Some((true, behind));
        }
        // an attribute has white space in front
        if spaced.len() == text.len() {
            return None;
        }
        let is_part = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b':');
        let end = spaced
            .bytes()
            .position(|b| !is_part(b))
            .filter(|end| *end > 0)?;
        let (name, behind) = spaced.split_at(end);
        let value;
        (value, text) = match space(behind).strip_prefix('=') {
            Some(behind) => quoted(space(behind))?,
            None if behind.starts_with([' ', '\n', '\t', '/', '>']) => (Cow::from(""), behind),
            None => return None,
        };
        // of two the first counts
        if !found.iter().any(|(known, _)| *known == name) {
            found.push((name, value));
        }
    }
}

/// A value in quotes, and what stands behind it.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let quote = *text
        .as_bytes()
        .first()
        .filter(|b| matches!(b, b'"' | b'\''))?;
    let end = 1 + memchr::memchr(quote, &text.as_bytes()[1..])?;
    let (mut value, behind) = (&text[1..end], &text[end + 1..]);
    if memchr::memchr(b'&', value.as_bytes()).is_none() {
        return Some((value.into(), behind));
    }
    let mut plain = String::with_capacity(value.len());
    while let Some(at) = memchr::memchr(b'&', value.as_bytes()) {
        plain.push_str(&value[..at]);
        let (text, rest) = reference(&value[at..], true)?;
        plain.push_str(&text);
        value = rest;
    }
    plain.push_str(value);
    Some((plain.into(), behind))
}

/// The character reference, or the bare `&`, with which `text` begins, as text; and what stands behind it.
fn reference(text: &str, in_attribute: bool) -> Option<(Cow<'_, str>, &str)> {
    let inside = &text[1..];
    let end = inside
        .bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || b == b'#'))
        .unwrap_or(inside.len());
    let bare = || Some((Cow::from(&text[..=end]), &inside[end..]));
    if end == 0 || in_attribute && inside[end..].starts_with('=') && !inside[..end].contains('#') {
        return bare();
    }
    let name = inside.get(..=end).filter(|name| name.ends_with(';'))?;
    let behind = &inside[end + 1..];
    let common = match name {
        "amp;" => "&",
        "lt;" => "<",
        "gt;" => ">",
        "quot;" => "\"",
        _ => "",
    };
    if !common.is_empty() {
        return Some((common.into(), behind));
    }
    let decoded: String = if let Some(number) = name.strip_prefix('#') {
        let digits = number.trim_end_matches(';');
        let code = match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        // what stands for something else, or for nothing
        let character = code.ok().and_then(char::from_u32);
        character.filter(|c| !c.is_control())?.into()
    } else {
        let (first, second) = *NAMED_ENTITIES.get(name)?;
        let characters = [first, second].into_iter().filter(|code| *code > 0);
        characters.map(char::from_u32).collect::<Option<_>>()?
    };
    Some((decoded.into(), behind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use proptest::prelude::*;

    use crate::extent::cases;

    use super::*;

    /// All tokens as text, neighbouring parts of text as one.
    #[derive(Debug, Default, PartialEq)]
    struct Written(String);

    impl Sink for Written {
        fn text(&mut self, text: &str) {
            self.0.push_str(text);
        }

        fn start(&mut self, tag: &Tag<'_>) {
            self.0.push_str(&format!(
                "\u{1}{} {:?} {}\u{2}",
                tag.name, tag.attributes, tag.self_closing
            ));
        }

        fn end(&mut self, name: &str) {
            self.0.push_str(&format!("\u{3}{name}\u{2}"));
        }
    }

    fn both(html: &str) -> (Option<Written>, Written) {
        (
            tokenise_plain(html, Written::default()),
            tokenise_any(html, Written::default()),
        )
    }

    #[test]
    fn what_is_plain_and_what_is_not() {
        for html in [
            "",
            "a > b \" c",
            "<p>a &amp; b &lt; c &#8217; &#x2019; &mdash; &NotEqualTilde; & c &; &é</p>\n",
            "<a href=\"x?a=1&amp;b=2\" title='it&#39;s'>l</a>",
            "<a href=\"x?a=1&b=2&copy=3\">l</a>",
            "<br /><hr/><img src=\"a\" alt=\"\"/><input disabled type=\"checkbox\" checked=\"\"/>",
            "<x-y data-z = 'é' data-z='2'></x-y >",
            "a<!-- c -->b",
        ] {
            let (plain, any) = both(html);
            assert_eq!(plain, Some(any), "{html}");
        }
        for html in [
            "a\rb",
            "a\0b",
            "\u{feff}a",
            "<P>",
            "<p",
            "<p>a<",
            "a < b",
            "<p class=c>",
            "<p/ >",
            "<p a='1'b>",
            "<p \u{c}>",
            "</p a>",
            "</p/>",
            "&copy",
            "&copy ",
            "&nope;",
            "&#0;",
            "&#128;",
            "&#x110000;",
            "&#10;",
            "<a b='&copy'>",
            "<!doctype html>",
            "<?x?>",
            "<!-->",
            "<!--->",
            "<!-- a --!> -->",
            "<!-- a -- b -->",
            "<![CDATA[x]]>",
            "<script>",
            "<title>",
            "<textarea>",
            "<style>",
            "<iframe>",
        ] {
            assert_eq!(both(html).0, None, "{html}");
        }
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "<", ">", "</", "/>", "/", "p", "a", "title", "x-1", "<p>", "</p>", "<a ", "<img ",
            " ", "\n", "\t", "=", "=\"", "\"", "='", "'", "href", "data-x", "&", ";", "amp",
            "&amp;", "&lt", "copy", "not", "#", "#x", "39", "1f600", "80", "0", "<!--", "-->",
            "--", "!", "-", "<!", "?", "é", "\u{a0}", "\u{c}", "\u{1}", "\u{fffe}", "T",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(cases(1_000, 10_000))]

        #[test]
        fn what_is_read_plainly_is_read_as_anything_is(html in pieces()) {
            let (plain, any) = both(&html);
            if let Some(plain) = plain {
                prop_assert_eq!(plain, any);
            }
        }
    }
}
