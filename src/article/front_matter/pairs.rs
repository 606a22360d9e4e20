//! Heads without fences: Pelican's `Key: value` lines (the metadata of Python-Markdown), which a blank line ends, and
//! Nikola's `.. key: value` lines, as they are or in a comment.

use super::{Head, LONGEST, Parts, Problem, Value, lines, plain};

/// A text whose first line begins with one of these and a colon has a head; with any other word it is a text.
const FIRST: [&str; 18] = [
    "title",
    "date",
    "author",
    "authors",
    "tags",
    "category",
    "slug",
    "summary",
    "status",
    "lang",
    "modified",
    "translation",
    "keywords",
    "description",
    "template",
    "saveas",
    "url",
    "subtitle",
];

/// Keys whose values are lists, with what separates them.
const LISTS: [(&str, &[char]); 4] = [
    ("authors", &[';', ',']),
    ("tags", &[';', ',']),
    ("keywords", &[';', ',']),
    ("categories", &[';', ',']),
];

/// Reads `Key: value` lines at the beginning of `rest`; `None` if there are none.
pub(super) fn read<'a>(
    path: &str,
    rest: &'a str,
    above: u32,
) -> Result<Option<Parts<'a>>, Problem> {
    let first = rest.lines().next().unwrap_or_default();
    if !pair(first).is_some_and(|(key, _)| FIRST.contains(&plain(key).as_str())) {
        return Ok(None);
    }
    let mut head = Lines::default();
    let mut offset = 0;
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        let number = above + 1 + u32::try_from(index).unwrap_or(u32::MAX);
        // Hexo's old form ends with dashes
        let fence = line.trim_end() == "---";
        if line.trim().is_empty() || fence {
            offset += line.len();
            break;
        }
        match (pair(line), line.starts_with("    ")) {
            (Some((key, value)), false) => head.put(key, number, value),
            (_, true) => head.go_on(line.trim()),
            // a line that is neither: this was a text after all, or the text begins without a blank line
            (None, false) if head.is_titled() => break,
            (None, false) => return Ok(None),
        }
        offset += line.len();
        if offset > LONGEST {
            let remedy = "put a blank line behind it; nothing of the file is published until then";
            return Err(
                Problem::error(path, "the front matter is longer than 64 KiB")
                    .at(above + 1)
                    .remedy(remedy),
            );
        }
    }
    // a note may begin with "Date: ..." and be nothing but a note
    if !head.is_titled() {
        return Ok(None);
    }
    Ok(Some(head.parts(rest, offset, above)))
}

/// Reads Nikola's lines at the beginning of `rest`, in a comment or not; `None` if there are none.
pub(super) fn nikola(rest: &str, above: u32) -> Option<Parts<'_>> {
    let in_comment = rest.starts_with("<!--");
    let inner = rest.strip_prefix("<!--").unwrap_or(rest);
    if !inner.trim_start().starts_with(".. ") {
        return None;
    }
    let mut head = Lines::default();
    let mut offset = rest.len() - inner.len();
    let mut begun = false;
    for (index, line) in inner.split_inclusive('\n').enumerate() {
        let number = above + 1 + u32::try_from(index).unwrap_or(u32::MAX);
        let text = line.trim();
        if in_comment && text.starts_with("-->") {
            offset += line.len();
            break;
        }
        match text.strip_prefix(".. ").and_then(pair) {
            Some((key, value)) => head.put(key, number, value),
            None if text.is_empty() && (in_comment || !begun) => {}
            None if in_comment => head.go_on(text),
            None => break,
        }
        begun = true;
        offset += line.len();
        if offset > LONGEST {
            return None;
        }
    }
    head.is_titled().then(|| head.parts(rest, offset, above))
}

/// Keys and values, as they are gathered.
#[derive(Default)]
struct Lines(Vec<(String, u32, String)>);

impl Lines {
    /// What stands twice is two lines of one value, as Python-Markdown reads it.
    fn put(&mut self, key: &str, line: u32, value: &str) {
        match self
            .0
            .iter_mut()
            .find(|(other, ..)| plain(other) == plain(key))
        {
            Some((_, _, before)) => *before = format!("{before}\n{value}"),
            None => self.0.push((key.to_owned(), line, value.to_owned())),
        }
    }

    fn go_on(&mut self, text: &str) {
        if let Some((_, _, value)) = self.0.last_mut() {
            value.push('\n');
            value.push_str(text);
        }
    }

    fn is_titled(&self) -> bool {
        self.0.iter().any(|(key, ..)| plain(key) == "title")
    }

    fn parts(self, rest: &str, offset: usize, above: u32) -> Parts<'_> {
        let mut head = Head::default();
        for (key, line, value) in self.0 {
            let marks = LISTS.iter().find(|(list, _)| *list == plain(&key));
            let value = match marks {
                Some((_, marks)) => list(&value, marks),
                None => Value::Text(value),
            };
            head.put(&key, line, value);
        }
        let body = rest[offset..].trim_start_matches('\n');
        Parts {
            head,
            body,
            line: above + lines(&rest[..rest.len() - body.len()]) + 1,
        }
    }
}

/// The first of the marks that is used separates; a line end always does.
fn list(value: &str, marks: &[char]) -> Value {
    let mark = marks.iter().find(|mark| value.contains(**mark));
    let parts = value.split(|c| c == '\n' || Some(&c) == mark);
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    Value::List(parts.map(|part| Value::Text(part.to_owned())).collect())
}

/// `key: value`.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let spaces = key.len() - key.trim_start_matches(' ').len();
    let key = key.trim();
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    // `http://…` is no key
    (is_key && spaces < 4 && !value.starts_with("//")).then(|| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(text: &str) -> Option<(Option<String>, String, u32)> {
        let parts = read("t", text, 0).unwrap()?;
        let title = parts.head.get("title").and_then(|(_, value)| value.text());
        Some((
            title.map(std::borrow::Cow::into_owned),
            parts.body.to_owned(),
            parts.line,
        ))
    }

    #[test]
    fn a_head_of_lines_needs_a_title_and_ends_at_a_blank_line() {
        for (text, expected) in [
            ("Title: A\nDate: 2024-05-01\n\nText", Some(("A", "Text", 4))),
            (
                "Date: 2024-05-01\nTitle: A: b\n\n\nText",
                Some(("A: b", "Text", 5)),
            ),
            (
                "title: A\nText without a blank line",
                Some(("A", "Text without a blank line", 2)),
            ),
            ("title: A\n---\nText", Some(("A", "Text", 3))),
            ("Note: this is a text\n\nText", None),
            ("Date: with Ann\n\nText", None),
            ("Title of mine\n\nText", None),
            ("https://a.example/ is a page", None),
        ] {
            let expected = expected.map(|(title, body, line): (&str, &str, u32)| {
                (Some(title.to_owned()), body.to_owned(), line)
            });
            assert_eq!(titles(text), expected, "{text}");
        }
    }

    #[test]
    fn nikola_writes_its_head_in_a_comment_or_not() {
        for text in [
            "<!--\n.. title: A\n.. tags: x, y z\n-->\n\nText",
            ".. title: A\n.. tags: x, y z\n\n\nText",
            "<!-- \n.. title: A\n\n.. tags: x, y z\n-->\nText",
        ] {
            let parts = nikola(text, 0).unwrap();
            assert_eq!(parts.body, "Text");
            let tags = parts.head.get("tags").unwrap().1;
            let text = |text: &str| Value::Text(text.to_owned());
            assert_eq!(*tags, Value::List(vec![text("x"), text("y z")]));
        }
        assert!(nikola("<!-- a comment -->\nText", 0).is_none());
        assert!(nikola(".. note:: x", 0).is_none());
    }
}
