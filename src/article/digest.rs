//! What counts as a change of an article: its declared title, its declared summary, and its text.
//!
//! White space outside code does not count: runs of it are one space, so that a reflowed paragraph is the same text.
//! Code keeps its white space, but for spaces at the end of a line: fenced blocks and lines indented by four spaces or a
//! tab in Markdown, `<pre>` in HTML. Words separated by a blank line are not the words of one paragraph: that counts.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::{self, Finder};

use super::{Body, Markup};

/// Finds what white space there is to fold; to make such a finder takes longer than to use it.
static SPACES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"  "));

/// The digest, as hexadecimal.
pub(super) fn digest(title: Option<&str>, summary: Option<&str>, body: &Body) -> String {
    let mut text = Folded {
        out: Vec::with_capacity(body.source().len() + 256),
        gap: Gap::None,
        is_tidy: false,
    };
    for declared in [title, summary] {
        text.words(declared.unwrap_or_default());
        text.part();
    }
    let source = body.source().as_bytes();
    // what nobody has reflowed or indented is as it should be
    text.is_tidy = memmem::find(source, b"  ").is_none() && memchr(b'\t', source).is_none();
    let mut code = None;
    for line in lines(body.source()) {
        let inside = code.is_some();
        code = match body.markup {
            Markup::Markdown => fence(line, code),
            Markup::Html => pre(line, code),
            Markup::Text => None,
        };
        let indented =
            body.markup == Markup::Markdown && (line.starts_with("    ") || line.starts_with('\t'));
        if inside || code.is_some() || indented && !line.trim().is_empty() {
            text.verbatim(line.trim_end());
        } else {
            text.words(line);
        }
    }
    blake3::hash(&text.out).to_hex()[..32].to_owned()
}

/// As `str::lines`, which takes five times as long.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text.as_bytes())
        .chain([text.len()])
        .map(move |end| {
            let line = &text[start.min(end)..end];
            start = end + 1;
            line
        })
}

enum Gap {
    None,
    Space,
    Paragraph,
}

struct Folded {
    /// What is hashed: in one go, since hashing word by word costs more than all the rest.
    out: Vec<u8>,
    gap: Gap,
    /// Whether no line has white space to fold.
    is_tidy: bool,
}

impl Folded {
    fn words(&mut self, line: &str) {
        if line.trim().is_empty() {
            self.gap = match self.gap {
                Gap::None => Gap::None,
                _ => Gap::Paragraph,
            };
            return;
        }
        let line = line.trim_ascii();
        let is_tidy = self.is_tidy
            || SPACES.find(line.as_bytes()).is_none() && memchr(b'\t', line.as_bytes()).is_none();
        if is_tidy {
            self.gap();
            self.out.extend_from_slice(line.as_bytes());
            self.gap = Gap::Space;
            return;
        }
        for word in line.split_ascii_whitespace() {
            self.gap();
            self.out.extend_from_slice(word.as_bytes());
            self.gap = Gap::Space;
        }
    }

    fn verbatim(&mut self, line: &str) {
        self.gap();
        self.out.push(b'\n');
        self.out.extend_from_slice(line.as_bytes());
        self.gap = Gap::Space;
    }

    fn gap(&mut self) {
        match self.gap {
            Gap::None => {}
            Gap::Space => self.out.push(b' '),
            Gap::Paragraph => self.out.extend_from_slice(b"\n\n"),
        }
    }

    fn part(&mut self) {
        self.out.push(0);
        self.gap = Gap::None;
    }
}

/// The fence that is open behind `line`.
fn fence(line: &str, open: Option<(u8, usize)>) -> Option<(u8, usize)> {
    let text = line.trim_start();
    let mark = text.bytes().next().filter(|b| matches!(b, b'`' | b'~'));
    let length = mark.map_or(0, |mark| text.bytes().take_while(|b| *b == mark).count());
    match (open, mark) {
        (None, Some(mark)) if length >= 3 => Some((mark, length)),
        (Some((open_mark, open_length)), Some(mark))
            if mark == open_mark && length >= open_length && text[length..].trim().is_empty() =>
        {
            None
        }
        (open, _) => open,
    }
}

fn pre(line: &str, open: Option<(u8, usize)>) -> Option<(u8, usize)> {
    let lower = line.to_ascii_lowercase();
    match (lower.rfind("<pre"), lower.rfind("</pre")) {
        (Some(start), end) if end.is_none_or(|end| end < start) => Some((b'<', 0)),
        (_, Some(_)) => None,
        _ => open,
    }
}
