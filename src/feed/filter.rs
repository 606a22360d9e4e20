//! Which entries a feed is about.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization;

use super::By;
use crate::article::head::Labels;
use crate::site::Site;

/// What an entry must be to stand in a feed; all that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Conditions on terms, at most one for each way in which articles are sorted.
    pub terms: Vec<(By, Terms)>,
    /// Published at this instant or later.
    pub after: Option<DateTime<Utc>>,
    /// Published before this instant.
    pub before: Option<DateTime<Utc>>,
}

/// A condition on the terms of an entry: its tags, say. Letter case makes no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// At least one of these, if there are any.
    pub any: Vec<String>,
    /// All of these.
    pub all: Vec<String>,
    /// None of these.
    pub none: Vec<String>,
}

impl Filter {
    /// Whether the feed is about what is sorted by these.
    #[must_use]
    pub fn has_terms(&self, labels: &Labels<'_>, site: &Site) -> bool {
        let mut terms = self.terms.iter();
        terms.all(|(by, terms)| terms.fit(&by.terms(labels, site)))
    }

    /// Whether the feed is about what was published at this instant.
    #[must_use]
    pub fn has_date(&self, published: DateTime<Utc>) -> bool {
        self.after.is_none_or(|after| published >= after)
            && self.before.is_none_or(|before| published < before)
    }

    /// The language of the feed, if it is in one.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        let (_, terms) = self.terms.iter().find(|(by, _)| *by == By::Language)?;
        match (terms.any.as_slice(), terms.all.as_slice()) {
            ([language], _) | ([], [language]) => Some(language),
            _ => None,
        }
    }
}

impl Terms {
    /// At least this one.
    #[must_use]
    pub fn one(term: &str) -> Self {
        Self {
            any: vec![term.to_owned()],
            ..Self::default()
        }
    }

    fn fit(&self, terms: &[Cow<'_, str>]) -> bool {
        let folded: Vec<String> = terms.iter().map(|term| self::folded(term)).collect();
        let has = |wanted: &String| folded.contains(&self::folded(wanted));
        (self.any.is_empty() || self.any.iter().any(has))
            && self.all.iter().all(has)
            && !self.none.iter().any(has)
    }
}

/// A term as it is compared: "Rust" and "rust" are one.
#[must_use]
pub(super) fn folded(term: &str) -> String {
    term.nfc().flat_map(char::to_lowercase).nfc().collect()
}
