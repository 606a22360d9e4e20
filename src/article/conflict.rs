//! The marks that a merge leaves in a text where two people changed the same lines.

use std::ops::Range;

use memchr::memmem;

/// Finds the marks of a merge that nobody finished, outside `code`: at which byte, what is wrong, what to do.
pub(super) fn find(text: &str, code: &[Range<usize>]) -> Option<(usize, String, &'static str)> {
    let (ours, theirs) = (lines(text, "<<<<<<<"), lines(text, ">>>>>>>"));
    let is_code = |at: &usize| {
        let index = code.partition_point(|range| range.end <= *at);
        code.get(index).is_some_and(|range| range.start <= *at)
    };
    if ours.is_empty() || theirs.is_empty() || ours.iter().chain(&theirs).all(is_code) {
        return None;
    }
    let what = "holds the marks of a merge conflict".to_owned();
    let remedy = "decide what is to stay, and delete the marks";
    Some((ours[0], what, remedy))
}

/// Where lines begin with a mark, and go on with a blank, if at all.
fn lines(text: &str, mark: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let found = memmem::find_iter(bytes, mark);
    // blanks and the marks of quotes may stand before it
    let first = found.filter(|at| {
        let line = memchr::memrchr(b'\n', &bytes[..*at]).map_or(0, |newline| newline + 1);
        let before = &bytes[line..*at];
        before.iter().all(|b| matches!(b, b' ' | b'\t'))
            || mark.starts_with('<') && before.iter().all(|b| matches!(b, b' ' | b'>'))
    });
    let whole = first.filter(|at| {
        matches!(
            bytes.get(at + mark.len()),
            None | Some(b' ' | b'\n' | b'\r')
        )
    });
    whole.collect()
}
