//! What the main feed is called where nobody gave it a title: the name of a folder when it was first published. The ledger
//! keeps it, so that clones in other folders agree on it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::recovery;
use crate::ledger::{DefaultTitle, default_title};
use crate::store::durable;

/// So much of the end of a ledger, or of its beginning after a compaction, nearly always holds a line of its main feed, in
/// bytes.
const PART: u64 = 64 << 10;

/// Returns the title that the main feed was given by itself, if it has one. Where the ledger is damaged, empty or lost, the
/// published feed tells.
///
/// # Errors
/// If the ledger is there and cannot be read.
pub fn kept(ledger: &Path, feeds: &Path, state: &Path) -> io::Result<Option<String>> {
    // what older versions called every feed is no title to keep
    let published = || recovery::published_title(feeds, state).filter(|title| title != "Feed");
    let mut file = match File::open(ledger) {
        Ok(file) => file,
        Err(error) if durable::is_absent(&error) => return Ok(published()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut is_known = false;
    // it never changes: any line that has it will do
    let parts = [
        (length.saturating_sub(PART), length),
        (0, PART.min(length)),
        (0, length),
    ];
    for (from, to) in parts {
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        (&mut file).take(to - from).read_to_end(&mut text)?;
        // the first line may be cut, and so may the last
        let start = memchr::memchr(b'\n', &text).filter(|_| from > 0);
        let end = memchr::memrchr(b'\n', &text).filter(|_| to < length);
        let lines = start.map_or(0, |newline| newline + 1)..end.unwrap_or(text.len());
        match default_title(text.get(lines).unwrap_or_default()) {
            DefaultTitle::Is(title) => return Ok(Some(title)),
            DefaultTitle::Damaged => return Ok(published()),
            // an earlier line may still have one
            DefaultTitle::None => is_known = true,
            DefaultTitle::Unknown => {}
        }
    }
    Ok(if is_known { None } else { published() })
}
