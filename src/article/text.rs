//! Plain text to HTML.

use linkify::{LinkFinder, LinkKind};

/// A line that is longer is a paragraph of its own, where no blank line separates any.
const LONG: usize = 100;

/// Lines of prose that an editor has broken are about this long, or longer.
const BROKEN: usize = 50;

/// Paragraphs at blank lines (or one a line, if there is no blank line and the lines are long), URLs as links,
/// everything escaped. Short lines, as in verse or an address, stay lines.
#[must_use]
pub fn to_html(source: &str) -> String {
    let lines: Vec<&str> = source
        .trim_matches('\n')
        .lines()
        .map(str::trim_end)
        .collect();
    let has_blank = lines.iter().any(|line| line.trim().is_empty());
    let mut long: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
    long.sort_unstable();
    let one_a_line = !has_blank
        && long
            .get(long.len() / 2)
            .is_some_and(|median| *median >= LONG);
    let paragraphs: Vec<&[&str]> = if one_a_line {
        lines.chunks(1).collect()
    } else {
        lines
            .split(|line| line.trim().is_empty())
            .filter(|paragraph| !paragraph.is_empty())
            .collect()
    };
    paragraphs.into_iter().flat_map(paragraph).collect()
}

/// A paragraph, or several, if each of its lines is one.
fn paragraph(lines: &[&str]) -> Vec<String> {
    let (last, others) = lines.split_last().unwrap_or((&"", &[]));
    let length = |line: &&str| line.chars().count();
    if others.iter().any(|line| length(line) >= 2 * LONG)
        || !others.is_empty() && others.iter().all(|line| length(line) >= LONG)
    {
        return lines
            .iter()
            .map(|line| format!("<p>{}</p>\n", linked(line.trim())))
            .collect();
    }
    let prose = !others.is_empty()
        && others.iter().filter(|line| length(line) >= BROKEN).count() * 3 >= others.len() * 2;
    let separator = if prose { "\n" } else { "<br>\n" };
    let lines: Vec<String> = others
        .iter()
        .chain([last])
        .map(|line| linked(line.trim()))
        .collect();
    vec![format!("<p>{}</p>\n", lines.join(separator))]
}

fn linked(line: &str) -> String {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let mut out = String::new();
    for span in finder.spans(line) {
        let text = escape(span.as_str());
        let web = ["http://", "https://", "mailto:"]
            .iter()
            .any(|scheme| span.as_str().starts_with(scheme));
        if span.kind().is_some() && web {
            out += &format!("<a href=\"{text}\">{text}</a>");
        } else {
            out += &text;
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
