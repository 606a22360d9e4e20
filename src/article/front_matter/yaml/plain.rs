//! The heads that most articles have, read at once: each key on a line of its own, with one text, `true` or `false`, or a
//! list of texts. In a large folder the parser of all of YAML is the larger part of what a build costs.
//!
//! Whatever is anything else, or might be, is left to that parser, errors too; what is understood here, it understands
//! in the same way.

use memchr::memchr2;

use super::super::{Entries, Value};

/// Words that are, or were in some version of YAML, no texts.
const WORDS: [&str; 13] = [
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity", "none",
];

/// Reads a head; `None` if it is not as plain as that.
pub(super) fn read(head: &str) -> Option<Entries> {
    // line ends and spaces of other scripts, marks and controls: nothing that an author meant
    let odd =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if head.chars().any(odd) {
        return None;
    }
    let mut entries: Entries = Vec::new();
    let mut empty: Option<Open> = None;
    let mut keys: Vec<&str> = Vec::new();
    for (number, line) in (1..).zip(head.split('\n')) {
        let text = line.trim_matches(' ');
        if text.is_empty() || line.starts_with('#') {
            if let Some(open) = &mut empty {
                open.is_over = true;
            }
            continue;
        }
        if let Some(open) = &mut empty
            && let Some(item) = text.strip_prefix("- ")
        {
            let indent = line.len() - line.trim_start_matches(' ').len();
            if open.is_over || *open.indent.get_or_insert(indent) != indent {
                return None;
            }
            open.items.push(block(item.trim_matches(' '))?);
            continue;
        }
        entries.extend(empty.take().and_then(Open::close));
        let (key, rest) = line.split_once(':')?;
        let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !is_key || is_word(key) || keys.contains(&key) {
            return None;
        }
        keys.push(key);
        let value = match rest.strip_prefix(' ').map(|rest| rest.trim_matches(' ')) {
            None if rest.is_empty() => "",
            None => return None,
            Some(value) => value,
        };
        if value.is_empty() {
            empty = Some(Open {
                key: key.to_owned(),
                line: number,
                indent: None,
                is_over: false,
                items: Vec::new(),
            });
        } else {
            let value = match value.strip_prefix('[') {
                Some(list) => flow(list)?,
                None => block(value)?,
            };
            entries.push((key.to_owned(), number, value));
        }
    }
    entries.extend(empty.and_then(Open::close));
    Some(entries)
}

/// A key without a value in its own line.
struct Open {
    key: String,
    line: u32,
    indent: Option<usize>,
    /// Whether a blank line came: what comes behind may belong to it nevertheless.
    is_over: bool,
    items: Vec<Value>,
}

impl Open {
    fn close(self) -> Option<(String, u32, Value)> {
        // a key without any value counts as absent
        (!self.items.is_empty()).then_some((self.key, self.line, Value::List(self.items)))
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= 8 && WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A value that has the rest of its line to itself.
fn block(text: &str) -> Option<Value> {
    if let Some((inner, length)) = quoted(text) {
        return (length == text.len()).then_some(Value::Text(inner));
    }
    let is_one = !text.contains(": ") && !text.ends_with(':') && !text.contains(" #");
    is_one.then(|| plain(text))?
}

/// What stands between the quotes at the beginning of a text, and how long it is with them. Of what can be escaped, quotes
/// and backslashes are known here: titles have no others.
fn quoted(text: &str) -> Option<(String, usize)> {
    let quote = text.bytes().next().filter(|b| matches!(b, b'"' | b'\''))?;
    let escape = if quote == b'"' { b'\\' } else { quote };
    let (mut inner, mut at) = (String::new(), 1);
    loop {
        let rest = &text.as_bytes()[at..];
        let length = memchr2(quote, escape, rest)?;
        inner.push_str(&text[at..at + length]);
        match (rest[length], rest.get(length + 1)) {
            (mark, Some(next)) if mark == escape && (*next == quote || *next == escape) => {
                inner.push(char::from(*next));
                at += length + 2;
            }
            // two quotes in a row are an escape in single quotes, and a fault in double ones
            (mark, next) if mark == quote && next != Some(&quote) => {
                return Some((inner, at + length + 1));
            }
            _ => return None,
        }
    }
}

/// A text without quotes.
fn plain(text: &str) -> Option<Value> {
    match text {
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        _ => {}
    }
    let first = text.chars().next()?;
    let is_plain = first.is_alphabetic() && !is_word(text) || is_date(text);
    is_plain.then(|| Value::Text(text.to_owned()))
}

/// Whether a text begins as a date does, `2024-05-01`, and so is no number.
fn is_date(text: &str) -> bool {
    let form = text.as_bytes().get(..10);
    form.is_some_and(|form| {
        form.iter().enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
    })
}

/// The texts of a list behind its bracket.
fn flow(list: &str) -> Option<Value> {
    let mut items = Vec::new();
    let mut rest = list.trim_start_matches(' ');
    if rest == "]" {
        return Some(Value::List(items));
    }
    loop {
        let end = if let Some((inner, length)) = quoted(rest) {
            items.push(Value::Text(inner));
            length
        } else {
            let end = rest.find([',', ']'])?;
            let item = rest[..end].trim_end_matches(' ');
            if item.contains([
                '[', '{', '}', '"', '\'', ':', '#', '&', '*', '!', '|', '>', '%', '@', '`', '?',
            ]) {
                return None;
            }
            items.push(plain(item)?);
            end
        };
        rest = rest[end..].trim_start_matches(' ');
        if rest == "]" {
            return Some(Value::List(items));
        }
        rest = rest.strip_prefix(',')?.trim_start_matches(' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::extent::cases;

    use super::super::{Value, parsed};
    use super::read;

    /// Keys and values, plain and not; and what may come between.
    const KEYS: [&str; 9] = [
        "title", "date", "tags", "x-y_z", "Author", "n", "yes", "a b", "\"q\"",
    ];
    const VALUES: [&str; 70] = [
        "",
        "word",
        "two words",
        "\"a b\"",
        "'c'",
        "\"d \\n\"",
        "'it''s'",
        "\"e\" f",
        "\"a \\\"b\\\" c\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\\\\" x\"",
        "\"a\\",
        "\"a\"\"b\"",
        "'a\\b'",
        "''''",
        "'a''' b",
        "[\"a \\\"b\\\"\", 'it''s', c]",
        "true",
        "false",
        "True",
        "yes",
        "NO",
        "null",
        "~",
        "2024-05-01",
        "2024-05-01T10:00:00Z",
        "2024-05-01 10:00",
        "2024-5-1",
        "12",
        "1.10",
        "-3",
        ".5",
        "1e3",
        "0x1f",
        "inf",
        ".nan",
        "é",
        "日本 語",
        "# c",
        "a # c",
        "a#b",
        "a: b",
        "a:",
        "a:b",
        "http://x.y/z?a=1&b#f",
        "|",
        ">",
        "&a b",
        "*a",
        "!t b",
        "{a: b}",
        "%a",
        "C++",
        "a\tb",
        "\u{a0}a",
        "a\u{a0}",
        "[]",
        "[a, b]",
        "[ \"a, b\" , 'c', d e ]",
        "[a, 1]",
        "[a, 2024-05-01]",
        "[a",
        "[a]]",
        "[a, [b]]",
        "[a,]",
        "[a b: c]",
        "[\"a\"b]",
        "[é, C++, don't]",
        "it's",
    ];
    /// Most heads have these alone.
    const PLAIN: [&str; 8] = [
        "word",
        "two words",
        "\"a: b\"",
        "'c'",
        "2024-05-01",
        "[a, \"b\"]",
        "true",
        "C++ & co",
    ];
    const BETWEEN: [&str; 12] = [
        "\n",
        "\n",
        "\n",
        "\n",
        "\n",
        "\n\n",
        "\n# c\n",
        " # c\n",
        "\n more\n",
        "\n- a\n- \"b\"\n",
        "\n  - a\n  - 2\n",
        "\n  - a b\n\n  - c\n",
    ];

    proptest! {
        #![proptest_config(cases(2_000, 20_000))]

        #[test]
        fn what_is_read_at_once_is_read_as_by_the_parser(
            lines in prop::collection::vec((0..KEYS.len(), 0..4 * VALUES.len(), 0..BETWEEN.len()), 1..5)
        ) {
            let lines = lines.into_iter().map(|(key, value, end)| {
                let value = VALUES.get(value).unwrap_or(&PLAIN[value % PLAIN.len()]);
                let space = if value.is_empty() { "" } else { " " };
                format!("{}:{space}{}{}", KEYS[key], value, BETWEEN[end])
            });
            let head: String = lines.collect();
            if let Some(entries) = read(&head) {
                let expected = parsed(&head);
                prop_assert!(expected.is_ok(), "{head:?} is refused: {}", expected.err().map(|fault| fault.what).unwrap_or_default());
                let mut expected = expected.unwrap_or_default();
                expected.retain(|(_, _, value)| *value != Value::Null);
                prop_assert_eq!(entries, expected, "{:?}", head);
            }
        }
    }

    #[test]
    fn plain_heads_are_read_at_once() {
        let head = "title: \"A \\\"q\\\": b\"\ndate: 2024-05-01T10:00:00Z\ntags: [\"a b\", c, 'd']\nmore:\n  - x\n  - \"y\"\ndraft: false\n";
        let entries = read(head).map(|entries| entries.len());
        assert_eq!(entries, Some(5));
        for other in [
            "a: 1",
            "a: &b c",
            "a: |\n  b",
            "a: b\n c",
            "a: b\na: c",
            "a: \"b\\n\"",
            "a: \"b\"\"c\"",
            "a: {b: c}",
            "- a",
        ] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}
