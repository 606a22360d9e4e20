//! `<!-- more -->` and its kin: what stands before it is the summary.

/// The text before the mark, if there is one, and if anything stands there.
pub(super) fn above(source: &str) -> Option<String> {
    let mut from = 0;
    let marks = memchr::memmem::Finder::new("<!--");
    while let Some(start) = marks.find(&source.as_bytes()[from..]).map(|at| from + at) {
        // `<!-->` is a comment, too, and its end begins inside of its start
        let inside = start + 4;
        let end = source[inside..].find("-->").map(|at| inside + at)?;
        if is_mark(&source[start + 4..end]) {
            let above = source[..start].trim();
            return (!above.is_empty()).then(|| above.to_owned());
        }
        from = end + 3;
    }
    None
}

fn is_mark(comment: &str) -> bool {
    let word = comment
        .trim()
        .to_ascii_lowercase()
        .replace(['_', '-', ' '], "");
    matches!(
        word.as_str(),
        "more" | "readmore" | "truncate" | "teaserend" | "excerpt" | "endexcerpt"
    )
}
