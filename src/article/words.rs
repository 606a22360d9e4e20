//! Plain text for people: folded, and cut at words.

/// White space folded, control characters out.
pub(super) fn folded(text: &str) -> String {
    // what an author typed on one line is as it should be
    let is_plain = |b: &u8| matches!(b, b' '..=b'~');
    if text.bytes().all(|b| is_plain(&b)) && !text.contains("  ") {
        return text.trim().to_owned();
    }
    let printable: String = text
        .chars()
        .filter(|c| c.is_whitespace() || !is_noise(*c))
        .collect();
    // a space that must not break a line is a typographer's choice, and stays
    let breaks = |c: char| c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{202f}');
    let words = printable
        .trim()
        .split(breaks)
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Text without characters that no document may hold.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_whitespace() && !c.is_control() || !is_noise(*c))
        .collect()
}

fn is_noise(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}')
}

/// `text`, or as many whole words of it as fit into `limit` characters, and `…`.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(limit) else {
        return text.to_owned();
    };
    let room = text
        .char_indices()
        .nth(limit.saturating_sub(1))
        .map_or(end, |(last, _)| last);
    let words = text[..room]
        .rfind(char::is_whitespace)
        .filter(|space| *space > room / 2)
        .unwrap_or(room);
    format!(
        "{}…",
        text[..words]
            .trim_end()
            .trim_end_matches([',', ';', ':', '–', '-'])
    )
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_text_is_cut_at_a_word() {
        for (text, limit, expected) in [
            ("short", 10, "short"),
            ("one two three", 10, "one two…"),
            ("exactly te", 10, "exactly te"),
            ("日本語の長い文章です", 5, "日本語の…"),
            ("one, two", 5, "one…"),
        ] {
            assert_eq!(cut(text, limit), expected);
        }
    }
}
