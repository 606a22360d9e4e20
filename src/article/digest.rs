//! What counts as a change of an article: its declared title, its declared summary, and its text.
//!
//! White space outside code does not count: runs of it are one space, so that a reflowed paragraph is the same text.
//! Code keeps its white space, but for spaces at the end of a line: fenced blocks and lines indented by four spaces or a
//! tab in Markdown, `<pre>` in HTML. Words separated by a blank line are not the words of one paragraph: that counts.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::{Body, Markup};

/// Finds what white space there is to fold; to make such a finder takes longer than to use it.
static SPACES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"  "));

/// The digest, as hexadecimal.
pub(super) fn digest(title: Option<&str>, summary: Option<&str>, body: &Body) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = blake3::hash(&folded(title, summary, body));
    let bytes = hash.as_bytes()[..16].iter();
    bytes
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// What is hashed.
fn folded(title: Option<&str>, summary: Option<&str>, body: &Body) -> Vec<u8> {
    let source = body.source();
    let mut text = Folded {
        out: Vec::with_capacity(source.len() + 256),
        gap: Gap::None,
    };
    for declared in [title, summary] {
        let declared = declared.unwrap_or_default();
        text.words(declared, 0, &mut Uneven::of(declared));
        text.part();
    }
    let mut uneven = Uneven::of(source);
    let mut code = None;
    for (start, line) in lines(source) {
        let inside = code.is_some();
        match line.bytes().next() {
            None if !inside => {
                text.blank();
                continue;
            }
            // most lines begin with a letter, and so neither code nor a fence
            Some(b'!'..=b'_' | b'a'..=b'}') if !inside && body.markup != Markup::Html => {
                text.words(line, start, &mut uneven);
                continue;
            }
            _ => {}
        }
        code = match body.markup {
            Markup::Markdown => fence(line, code),
            Markup::Html => pre(line, code),
            Markup::Text => None,
        };
        let indented =
            body.markup == Markup::Markdown && (line.starts_with("    ") || line.starts_with('\t'));
        if inside || code.is_some() || indented && !is_blank(line) {
            text.verbatim(line.trim_end());
        } else {
            text.words(line, start, &mut uneven);
        }
    }
    text.out
}

/// Each line with the place where it begins; behind the last line end there is one more.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = &text.as_bytes()[start..];
        let length = match rest.first() {
            // half of all lines are blank
            Some(b'\n') => Some(0),
            _ => memchr(b'\n', rest),
        };
        next = length.map(|length| start + length + 1);
        let end = length.map_or(text.len(), |length| start + length);
        Some((start, &text[start..end]))
    })
}

fn is_blank(line: &str) -> bool {
    line.chars().all(char::is_whitespace)
}

/// Where in a text white space comes that is to be folded, asked from its beginning to its end.
struct Uneven<'t> {
    text: &'t [u8],
    /// The next two spaces, and the next tab: the end of the text, if none comes.
    spaces: usize,
    tab: usize,
}

impl<'t> Uneven<'t> {
    fn of(text: &'t str) -> Self {
        let text = text.as_bytes();
        Self {
            text,
            spaces: SPACES.find(text).unwrap_or(text.len()),
            tab: memchr(b'\t', text).unwrap_or(text.len()),
        }
    }

    /// Whether there is any in a range that begins and ends with something else.
    fn is_in(&mut self, range: &Range<usize>) -> bool {
        let next = |found: Option<usize>| found.map_or(self.text.len(), |at| range.start + at);
        let rest = &self.text[range.start..];
        if self.spaces < range.start {
            self.spaces = next(SPACES.find(rest));
        }
        if self.tab < range.start {
            self.tab = next(memchr(b'\t', rest));
        }
        self.spaces.min(self.tab) < range.end
    }
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
}

impl Folded {
    /// A line that begins at `start` in the text of which `uneven` tells.
    fn words(&mut self, line: &str, start: usize, uneven: &mut Uneven<'_>) {
        if is_blank(line) {
            return self.blank();
        }
        let from_first = line.trim_ascii_start();
        let start = start + line.len() - from_first.len();
        let line = from_first.trim_ascii_end();
        if !uneven.is_in(&(start..start + line.len())) {
            return self.word(line);
        }
        line.split_ascii_whitespace()
            .for_each(|word| self.word(word));
    }

    fn word(&mut self, word: &str) {
        self.gap();
        self.out.extend_from_slice(word.as_bytes());
        self.gap = Gap::Space;
    }

    fn blank(&mut self) {
        if !matches!(self.gap, Gap::None) {
            self.gap = Gap::Paragraph;
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
            Gap::Paragraph => {
                self.out.push(b'\n');
                self.out.push(b'\n');
            }
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
    if memchr(b'<', line.as_bytes()).is_none() {
        return open;
    }
    let lower = line.to_ascii_lowercase();
    match (lower.rfind("<pre"), lower.rfind("</pre")) {
        (Some(start), end) if end.is_none_or(|end| end < start) => Some((b'<', 0)),
        (_, Some(_)) => None,
        _ => open,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::extent::cases;

    use super::{Body, Markup, fence, folded, pre};

    /// What was hashed from the first version on, written as plainly as may be: digests stand in ledgers.
    fn expected(title: &str, summary: &str, source: &str, markup: Markup) -> String {
        let mut parts = Vec::new();
        for text in [title, summary] {
            parts.push(words("", "", text).0);
        }
        let (mut out, mut gap, mut code) = (String::new(), "", None);
        for line in source.split('\n') {
            let inside = code.is_some();
            code = match markup {
                Markup::Markdown => fence(line, code),
                Markup::Html => pre(line, code),
                Markup::Text => None,
            };
            let indented = line.starts_with("    ") || line.starts_with('\t');
            let indented = indented && markup == Markup::Markdown && !line.trim().is_empty();
            (out, gap) = if inside || code.is_some() || indented {
                (out + gap + "\n" + line.trim_end(), " ")
            } else {
                words(&out, gap, line)
            };
        }
        parts.push(out);
        parts.join("\0")
    }

    fn words(out: &str, gap: &'static str, line: &str) -> (String, &'static str) {
        if line.trim().is_empty() {
            return (out.to_owned(), if gap.is_empty() { "" } else { "\n\n" });
        }
        // a form feed between words is folded only beside other white space
        let line = line.trim_ascii();
        let line = if line.contains("  ") || line.contains('\t') {
            line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        } else {
            line.to_owned()
        };
        (format!("{out}{gap}{line}"), " ")
    }

    const PIECES: [&str; 40] = [
        "\n",
        "\n",
        "\n",
        "\n",
        "\n",
        "\n\n",
        " ",
        " ",
        "  ",
        "    ",
        "\t",
        "a",
        "word",
        "two words",
        "- b",
        "é",
        "日本",
        "\u{a0}",
        "\u{2003}",
        "\u{85}",
        "\x0b",
        "\x0c",
        "\r",
        "```",
        "````",
        "~~~",
        "`",
        "~",
        "``` x",
        "<pre>",
        "</pre>",
        "<PRE class=x>",
        "<",
        "# c",
        "1.",
        "\n```\n",
        "\n~~~~\n",
        "\n    x y\n",
        "\n\t\n",
        "}",
    ];

    fn texts(most: usize) -> impl Strategy<Value = String> {
        let pieces = prop::collection::vec(0..PIECES.len(), 0..most);
        pieces.prop_map(|pieces| pieces.into_iter().map(|at| PIECES[at]).collect())
    }

    proptest! {
        #![proptest_config(cases(2_000, 20_000))]

        #[test]
        fn what_is_hashed_is_what_ever_was(title in texts(6), summary in texts(6), source in texts(40), markup in 0..3) {
            let markup = [Markup::Markdown, Markup::Html, Markup::Text][usize::try_from(markup).unwrap()];
            let expected = expected(&title, &summary, &source, markup);
            let body = Body { markup, file: source, start: 0, line: 1 };
            let found = folded(Some(&title), Some(&summary), &body);
            prop_assert_eq!(String::from_utf8(found).unwrap(), expected);
        }
    }

    #[test]
    fn a_digest_stays_for_ever() {
        let body = Body {
            markup: Markup::Markdown,
            file: "One  two\nthree.\n\n```\n  code  \n```\n\n    more\tcode\n".to_owned(),
            start: 0,
            line: 1,
        };
        let digest = super::digest(Some("A title"), None, &body);
        assert_eq!(digest, "947d0690a75657312f8390ef45bb2da4");
    }
}
