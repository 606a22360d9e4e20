//! What a file's name says of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What a file is, as far as its name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// To be read.
    Article,
    /// Describes the folder that it lies in.
    Section,
    /// Written in a way that is not understood: its extension.
    Unread(String),
    /// Something that articles may show.
    Asset,
    /// A copy that a program made of a file that two machines, or two people, changed.
    Conflict,
    /// Hidden, private or an editor's leftover.
    Ignored,
}

/// Extensions that are read, in lower case.
const ARTICLES: [&str; 9] = [
    "md", "markdown", "mdown", "mkd", "html", "htm", "xhtml", "txt", "text",
];

/// Extensions that hold articles of a kind that is not read.
const UNREAD: [&str; 5] = ["rst", "adoc", "org", "mdx", "ipynb"];

/// What editors, synchronisers and downloads leave behind.
const LEFTOVERS: [&str; 8] = [
    ".swp",
    ".bak",
    ".tmp",
    "~",
    ".part",
    ".filepart",
    ".crdownload",
    ".partial",
];

pub(super) fn classify(name: &OsStr, path: &str) -> Class {
    let bytes = name.as_bytes();
    let text = name.to_string_lossy();
    let extension = text
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    let is_article = ARTICLES.contains(&extension.as_str());
    if is_article && text.split('.').count() == 2 && text.starts_with("_index.") {
        return Class::Section;
    }
    let hidden = matches!(bytes, [b'.' | b'_', ..]);
    let leftover = LEFTOVERS.iter().any(|end| text.ends_with(end))
        || text.starts_with('#') && text.ends_with('#')
        || text.starts_with("~WRL")
        || text
            .rsplit_once('.')
            .is_some_and(|(stem, _)| stem.ends_with('~'))
        || text == "4913"
        || text.starts_with(".goutputstream-");
    let readme = !path.contains('/')
        && text
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("readme"));
    if hidden || leftover || readme {
        return Class::Ignored;
    }
    if is_article && is_conflict(&text) {
        Class::Conflict
    } else if is_article {
        Class::Article
    } else if UNREAD.contains(&extension.as_str()) {
        Class::Unread(extension)
    } else {
        Class::Asset
    }
}

/// Whether a name is one that Syncthing, Dropbox, Nextcloud, Resilio, an office suite or `git mergetool` gives to the
/// other version of a file.
fn is_conflict(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_word = |word: &str| {
        let behind = lower.split_once(word).map(|(_, behind)| behind);
        {
            let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
            behind.is_some_and(|behind| digits(behind) >= 8)
        }
    };
    let in_parentheses = lower
        .rsplit_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let says_so = in_parentheses.is_some_and(|(inside, _)| {
        [
            "conflicted copy",
            "case conflict",
            "sfconflict",
            "copie en conflit",
            "copia en conflicto",
            "copia in conflitto",
            "in konflikt stehende kopie",
            "konfliktkopie",
            "conflict 20",
            "nextcloud conflict",
        ]
        .iter()
        .any(|words| inside.contains(words))
    });
    // `x.conflict1.md`
    let is_numbered_conflict = lower.split_once(".conflict").is_some_and(|(_, rest)| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && rest[digits..].starts_with('.')
    });
    // `x.LOCAL.123.md` and `x_LOCAL_123.md`
    let sides = ["LOCAL", "REMOTE", "BASE", "BACKUP"];
    let is_side = sides.iter().any(|side| {
        let mut parts = name.rsplit(['.', '_']).skip(1);
        let number = parts.next().unwrap_or_default();
        number.len() > 2
            && number.bytes().all(|b| b.is_ascii_digit())
            && parts.next() == Some(*side)
    });
    name.starts_with("~$")
        || says_so
        || is_side
        || is_word(".sync-conflict-")
        || lower.contains(".conflict.")
        || lower.contains("[conflicted]")
        || is_word("_conflict-")
        || is_word(".conflict-")
        || lower.contains("_conf(20")
        || lower.contains(".conflicted.")
        || is_numbered_conflict
        || lower.contains(".orig.")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Class, classify};

    #[test]
    fn copies_of_sync_programs_are_no_articles() {
        for name in [
            "x.sync-conflict-20260501-101010-ABCDEF.md",
            "x (conflicted copy 2026-05-01 101010).md",
            "x (Ann's conflicted copy 2026-05-01).md",
            "x (Case Conflict).md",
            "x_conflict-20260501-101010.md",
            "~$x.md",
            "x (SFConflict ann@x.org 2026-05-01-10-10-10).md",
            "x.Conflict.md",
            "x.LOCAL.123.md",
            "x.REMOTE.4711.md",
            "x_BASE_991.markdown",
            "x.BACKUP.123.html",
            "x (Konfliktkopie von Ann 2026-01-01).md",
            "x (conflict 2026-01-01-120000).md",
            "x_conf(2026-01-01-12-00-00).md",
            "x.conflicted.md",
            "x.conflict1.md",
        ] {
            assert_eq!(classify(OsStr::new(name), name), Class::Conflict, "{name}");
        }
        for name in [
            "conflict.md",
            "DATA_BASE_2.md",
            "the_conflict-1914.md",
            "the-conflict-of-1914.md",
            "Israel-conflict-20231007.md",
            "Der Streit (Konflikt in Mali).md",
            "pycon_conf(erence) notes.md",
            "a (copy).md",
            "2026-05-01-local-news.md",
            "notes (on conflicts).md",
            "x.local.md",
            "sync-conflict.md",
        ] {
            assert_eq!(classify(OsStr::new(name), name), Class::Article, "{name}");
        }
    }
}
