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
    /// Hidden, private or an editor's leftover.
    Ignored,
}

/// Extensions that are read, in lower case.
const ARTICLES: [&str; 9] = [
    "md", "markdown", "mdown", "mkd", "html", "htm", "xhtml", "txt", "text",
];

/// Extensions that hold articles of a kind that is not read.
const UNREAD: [&str; 5] = ["rst", "adoc", "org", "mdx", "ipynb"];

/// What editors and synchronisers leave behind.
const LEFTOVERS: [&str; 4] = [".swp", ".bak", ".tmp", "~"];

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
        || text == "4913"
        || text.starts_with(".goutputstream-");
    let readme = !path.contains('/')
        && text
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("readme"));
    if hidden || leftover || readme {
        return Class::Ignored;
    }
    if is_article {
        Class::Article
    } else if UNREAD.contains(&extension.as_str()) {
        Class::Unread(extension)
    } else {
        Class::Asset
    }
}
