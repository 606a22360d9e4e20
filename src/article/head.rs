//! An article without its text, in as few bytes as may be: what is kept of every file between two looks at it.

use serde::Deserialize;

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

/// What an article is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels<'a> {
    /// As [`Article::path`].
    pub path: &'a str,
    /// As [`Article::tags`].
    pub tags: Vec<&'a str>,
    /// As [`Article::categories`].
    pub categories: Vec<&'a str>,
    /// The names of [`Article::authors`].
    pub authors: Vec<&'a str>,
    /// As [`Article::language`].
    pub language: Option<&'a str>,
}

/// What the article at `path` is sorted by, of which these bytes were made: nothing else of it is read.
#[must_use]
pub fn labels<'a>(bytes: &'a [u8], path: &'a str) -> Option<Labels<'a>> {
    /// The first fields of an [`Article`].
    #[derive(Deserialize)]
    struct First<'a> {
        #[serde(borrow)]
        tags: Vec<&'a str>,
        categories: Vec<&'a str>,
        authors: Vec<Person<'a>>,
        language: Option<&'a str>,
    }
    /// All that a person is: what follows must be found.
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "it stands between what is wanted")]
    struct Person<'a> {
        name: &'a str,
        email: Option<&'a str>,
        url: Option<&'a str>,
    }
    let (first, _) = postcard::take_from_bytes::<First<'a>>(bytes).ok()?;
    Some(Labels {
        path,
        tags: first.tags,
        categories: first.categories,
        authors: first.authors.iter().map(|author| author.name).collect(),
        language: first.language,
    })
}

impl<'a> From<&'a Article> for Labels<'a> {
    fn from(article: &'a Article) -> Self {
        let refs = |list: &'a [String]| list.iter().map(String::as_str).collect();
        Self {
            path: &article.path,
            tags: refs(&article.tags),
            categories: refs(&article.categories),
            authors: article.authors.iter().map(|a| a.name.as_str()).collect(),
            language: article.language.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Labels, labels, pack};
    use crate::article::{Dialect, Outcome, Source, parse};

    #[test]
    fn labels_are_read_without_the_rest() {
        let text = "---\ntitle: T\ntags: [a, \"b c\"]\ncategories: [x]\nlang: fr\nauthors: [{name: Ann, email: a@b.c}, Bo]\n---\nText.\n";
        let source = Source {
            path: "a/b.md",
            bytes: text.into(),
        };
        let dialect = Dialect {
            zone: chrono_tz::Tz::UTC,
            authors: std::collections::BTreeMap::new(),
            encoding: None,
        };
        let (Outcome::Article(article), _) = parse(source, &dialect) else {
            panic!("it is an article");
        };
        let packed = pack(&article);
        let found = labels(&packed, "a/b.md").expect("it is one");
        assert_eq!(found, Labels::from(&*article));
        assert_eq!(found.authors, ["Ann", "Bo"]);
        assert_eq!(found.language, Some("fr"));
    }
}
