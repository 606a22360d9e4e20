//! What an HTML page says of itself: `<title>` (kept apart: an `<h1>` is better), `<meta name>`, `<time datetime>`,
//! the page's language.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::{Head, Value};

/// The key under which the title of the page is kept: nobody can write it.
pub(in crate::article) const PAGE_TITLE: &str = "<title>";

/// Adds what the page says to `head`, behind what the front matter says.
pub(super) fn read(page: &str, line: u32, head: &mut Head) {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(page));
    let tokenizer = Tokenizer::new(Finder::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let found = tokenizer.sink.found.into_inner();
    for (key, at, value) in found.entries {
        head.put(&key, line + at - 1, Value::Text(value));
    }
    if !found.title.trim().is_empty() {
        head.entries
            .push((PAGE_TITLE.to_owned(), line, Value::Text(found.title)));
    }
    if let Some((at, date)) = found.time {
        // only if nothing else says when: see `keys`
        head.entries
            .push(("<time>".to_owned(), line + at - 1, Value::Text(date)));
    }
}

#[derive(Default)]
struct Finder {
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    entries: Vec<(String, u32, String)>,
    title: String,
    in_title: bool,
    seen_title: bool,
    time: Option<(u32, String)>,
}

impl TokenSink for Finder {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let found = &mut *self.found.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                found.start(&tag, u32::try_from(line).unwrap_or(1).max(1));
                match &*tag.name {
                    "title" | "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
                    "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
                    "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                        return TokenSinkResult::RawData(RawKind::Rawtext);
                    }
                    _ => {}
                }
            }
            Token::TagToken(tag) if &*tag.name == "title" => found.in_title = false,
            Token::CharacterTokens(text) if found.in_title => found.title.push_str(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Found {
    fn start(&mut self, tag: &Tag, line: u32) {
        let attribute = |name: &str| {
            tag.attrs
                .iter()
                .find(|a| &*a.name.local == name)
                .map(|a| a.value.to_string())
        };
        match &*tag.name {
            // an `<svg>` may have titles of its own, later
            "title" if !self.seen_title => {
                self.in_title = true;
                self.seen_title = true;
            }
            "html" => self
                .entries
                .extend(attribute("lang").map(|lang| ("lang".to_owned(), line, lang))),
            "meta" => {
                if let (Some(name), Some(content)) = (attribute("name"), attribute("content")) {
                    self.entries.push((name, line, content));
                }
            }
            "time" if self.time.is_none() => {
                self.time = attribute("datetime").map(|date| (line, date));
            }
            _ => {}
        }
    }
}
