//! `tidings.toml` as it was typed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{keys, quantity};
use crate::problem::Problem;

/// Every key, none resolved; [`Config::resolve`](super::Config::resolve) finds the meaning.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
#[allow(
    missing_docs,
    reason = "the keys are documented where users look for them: in the README"
)]
pub struct Raw {
    pub base_url: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub language: Option<String>,
    pub time_zone: Option<String>,
    pub author: Option<String>,
    pub copyright: Option<String>,
    pub icon: Option<String>,
    pub articles: Option<PathBuf>,
    pub feeds: Option<PathBuf>,
    pub ledger: Option<PathBuf>,
    pub permalink: Option<String>,
    pub encoding: Option<String>,
    pub compress: Option<Vec<String>>,
    pub hubs: Vec<String>,
    pub authors: BTreeMap<String, Author>,
    pub defaults: Defaults,
    pub feed: Vec<Feed>,
    pub podcast: Option<toml::Table>,
    pub hub: Hub,
    pub serve: Serve,
    /// The text of the file, for the lines of messages.
    #[serde(skip)]
    pub source: String,
}

/// `[hub]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "see `Raw`")]
pub struct Hub {
    pub enabled: bool,
    pub allow: Vec<String>,
}

/// `[authors.KEY]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "see `Raw`")]
pub struct Author {
    pub name: Option<String>,
    pub email: Option<String>,
    pub url: Option<String>,
}

/// `[defaults]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "see `Raw`")]
pub struct Defaults {
    pub limit: Option<usize>,
    pub max_age: Option<String>,
    pub max_bytes: Option<Size>,
    pub content: Option<String>,
    pub formats: Option<Vec<String>>,
    pub by: Vec<String>,
    pub archives: bool,
}

/// How much of what a feed shows, and in which form: what `[defaults]` and `[[feed]]` have in common.
pub(super) struct Shape<'a> {
    pub(super) limit: Option<usize>,
    pub(super) max_age: Option<&'a str>,
    pub(super) max_bytes: Option<&'a Size>,
    pub(super) content: Option<&'a str>,
    pub(super) formats: Option<&'a [String]>,
}

impl Defaults {
    pub(super) fn shape(&self) -> Shape<'_> {
        Shape {
            limit: self.limit,
            max_age: self.max_age.as_deref(),
            max_bytes: self.max_bytes.as_ref(),
            content: self.content.as_deref(),
            formats: self.formats.as_deref(),
        }
    }
}

impl Feed {
    pub(super) fn shape(&self) -> Shape<'_> {
        Shape {
            limit: self.limit,
            max_age: self.max_age.as_deref(),
            max_bytes: self.max_bytes.as_ref(),
            content: self.content.as_deref(),
            formats: self.formats.as_deref(),
        }
    }
}

/// `[[feed]]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "see `Raw`")]
pub struct Feed {
    pub name: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Condition>,
    pub categories: Option<Condition>,
    pub authors: Option<Condition>,
    pub sections: Option<Condition>,
    pub languages: Option<Condition>,
    pub after: Option<toml::Value>,
    pub before: Option<toml::Value>,
    pub limit: Option<usize>,
    pub max_age: Option<String>,
    pub max_bytes: Option<Size>,
    pub content: Option<String>,
    pub formats: Option<Vec<String>>,
}

/// `["a", "b"]`, or `{ any = […], all = […], none = […] }`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "expected a list like [\"a\", \"b\"], or any, all and none with lists"
)]
pub enum Condition {
    /// Any of these.
    Any(Vec<String>),
    /// All that is said must hold.
    Each {
        /// At least one of these.
        #[serde(default)]
        any: Vec<String>,
        /// All of these.
        #[serde(default)]
        all: Vec<String>,
        /// None of these.
        #[serde(default)]
        none: Vec<String>,
    },
}

/// `[serve]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "see `Raw`")]
pub struct Serve {
    pub listen: Option<Vec<String>>,
    pub admin: Option<String>,
    pub fresh: Option<String>,
    pub scan: Option<String>,
    pub log: Option<String>,
    pub trusted_proxies: Vec<String>,
    pub max_connections: Option<usize>,
    pub aliases: BTreeMap<String, String>,
    pub moved: BTreeMap<String, String>,
    pub gone: Vec<String>,
}

/// A number of bytes, or text with a unit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "expected a number of bytes, or text like \"512 KiB\""
)]
pub enum Size {
    /// Bytes.
    Number(usize),
    /// `512 KiB`.
    Text(String),
}

impl Size {
    /// In bytes.
    pub(super) fn bytes(&self) -> Result<usize, String> {
        match self {
            Self::Number(0) => Err("`max_bytes` is 0; a feed shows at least one entry".to_owned()),
            Self::Number(bytes) => Ok(*bytes),
            Self::Text(text) => quantity::bytes(text),
        }
    }
}

impl Raw {
    /// Reads the text of the file `name`.
    ///
    /// # Errors
    /// What is no TOML, has the wrong type or does not exist, with its line.
    pub fn parse(text: &str, name: &str) -> Result<Self, Vec<Problem>> {
        let at = |error: &toml::de::Error| {
            error.span().and_then(|span| {
                u32::try_from(text[..span.start].bytes().filter(|b| *b == b'\n').count() + 1).ok()
            })
        };
        let refuse = |error: toml::de::Error| {
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            let what = what
                .replace("usize", "a whole number")
                .replace("a string", "text");
            vec![
                Problem::error(name, what)
                    .at(at(&error))
                    .remedy("see the README for each key and its form"),
            ]
        };
        let table = toml::de::DeTable::parse(text).map_err(refuse)?;
        let unknown = keys::unknown(text, table.get_ref(), name);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let mut raw: Self = toml::from_str(text).map_err(refuse)?;
        text.clone_into(&mut raw.source);
        Ok(raw)
    }

    /// What is set and known, but not built yet.
    pub(super) fn unbuilt(&self, name: &str) -> Vec<Problem> {
        let set = [
            ("archives", self.defaults.archives),
            ("podcast", self.podcast.is_some()),
        ];
        set.into_iter()
            .filter(|(_, set)| *set)
            .map(|(key, _)| {
                Problem::error(name, format!("`{key}` is not built yet"))
                    .remedy("take it out; the README says what works today")
                    .at(keys::line(&self.source, key))
            })
            .collect()
    }
}
