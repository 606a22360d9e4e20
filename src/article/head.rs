//! An article without its text, in as few bytes as may be: what is kept of every file between two looks at it.

use super::Article;

/// All of an article but its path and its text.
#[must_use]
pub fn pack(article: &Article) -> Box<[u8]> {
    // numbers, flags and strings: nothing in an article can fail to be written
    postcard::to_stdvec(article)
        .unwrap_or_default()
        .into_boxed_slice()
}

/// The article at `path` of which these bytes were made, without its text; `None` if they were made of none.
#[must_use]
pub fn unpack(bytes: &[u8], path: &str) -> Option<Article> {
    let article = postcard::from_bytes(bytes).ok()?;
    Some(Article {
        path: path.to_owned(),
        ..article
    })
}
