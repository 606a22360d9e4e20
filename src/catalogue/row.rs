//! One file of the folder: what was understood of it, and whether it is public.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::article::{Article, Stamp, head};
use crate::ledger::Public;
use crate::problem::Problem;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// To be read.
    Article,
    /// Describes the folder that it lies in.
    Section,
    /// Something that articles may show.
    Asset,
}

/// What became of an article's file when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// Its head is there.
    Whole,
    /// It could not be read, or not understood, or is empty: an earlier version of it may stay.
    Broken,
    /// It is no article.
    Other,
    /// It can be read, and a file that it shows is being copied: an earlier version of it may stay.
    Early,
}

/// What readers see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing: it is no article, or kept back by its author.
    Kept,
    /// Nothing yet, or no longer: its date, or another article, is in the way.
    Waiting,
    /// It has a link, and no feed shows it.
    PageOnly,
    /// Everything.
    Public,
}

/// One file.
#[allow(
    clippy::struct_excessive_bools,
    reason = "four things that are so or not, each by itself"
)]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// Inside the folder, `/` between segments; bytes that are no UTF-8 percent-encoded.
    pub path: Box<str>,
    /// As it was when it was read.
    pub stamp: Stamp,
    /// What it is.
    pub class: Class,
    /// Whether it lies in a `_drafts` folder.
    pub draft: bool,
    /// Whether the stamp tells: a file that was read the moment it was written may be written again unseen.
    pub trusted: bool,
    /// What became of it.
    pub reading: Reading,
    /// What is wrong with it, as JSON; empty if nothing is.
    notes: Box<str>,
    /// What it says (see [`head`](crate::article::head)).
    pub head: Box<[u8]>,
    /// Whether it had other addresses.
    pub(super) has_aliases: bool,
    /// The hash of its digest.
    pub digest: u64,
    /// What readers see of it.
    pub standing: Standing,
    /// Whether what is true of it now will not be at another time, though nothing is written.
    timely: bool,
    /// When it was published, if it is public: seconds since 1970, and nanoseconds.
    pub(super) published: (i64, u32),
    /// The hash of its link, if it is public.
    pub link: u64,
    /// The rest of its identity, if it is public.
    pub(super) facts: Box<[u8]>,
}

/// What of a [`Public`] is not in its row.
#[derive(Serialize, Deserialize)]
struct Facts<'a> {
    #[serde(borrow)]
    id: &'a str,
    updated: (i64, u32),
    updated_declared: bool,
    page: Option<&'a str>,
}

impl Row {
    /// A file that was found, before anybody read it.
    #[must_use]
    pub fn new(path: &str, class: Class, stamp: Stamp, draft: bool) -> Self {
        Self {
            path: path.into(),
            stamp,
            class,
            draft,
            trusted: true,
            reading: Reading::Other,
            notes: Box::default(),
            head: Box::default(),
            has_aliases: false,
            digest: 0,
            standing: Standing::Kept,
            timely: false,
            published: (0, 0),
            link: 0,
            facts: Box::default(),
        }
    }

    /// What was understood of an article's file.
    #[must_use]
    pub fn with(mut self, reading: Reading, article: Option<&Article>, notes: &[Problem]) -> Self {
        self.reading = reading;
        if let Some(article) = article {
            self.digest = hash(&article.digest);
            self.has_aliases = !article.aliases.is_empty();
            self.head = head::pack(article);
        }
        if !notes.is_empty() {
            self.notes = serde_json::to_string(notes).unwrap_or_default().into();
        }
        self
    }

    /// Whether something is wrong with the file.
    #[must_use]
    pub fn has_notes(&self) -> bool {
        !self.notes.is_empty()
    }

    /// What is wrong with the file.
    #[must_use]
    pub fn notes(&self) -> Vec<Problem> {
        if self.notes.is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&self.notes).unwrap_or_default()
    }

    /// Whether it is, or was meant to be, an article.
    #[must_use]
    pub fn is_article(&self) -> bool {
        self.class == Class::Article && self.reading != Reading::Other
    }

    /// Whether an earlier version of it is shown, if there is one.
    #[must_use]
    pub fn is_stood_in_for(&self) -> bool {
        matches!(self.reading, Reading::Broken | Reading::Early)
    }

    /// Whether feeds show it.
    #[must_use]
    pub fn in_feeds(&self) -> bool {
        self.standing == Standing::Public
    }

    /// When it was published, if it is public.
    #[must_use]
    pub fn published(&self) -> DateTime<Utc> {
        instant(self.published)
    }

    /// What its rendering depends on, beside what it asks of others.
    #[must_use]
    pub fn version(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        let Stamp {
            size,
            mtime,
            ctime,
            inode,
        } = self.stamp;
        for number in [size, inode, self.link] {
            hasher.update(&number.to_le_bytes());
        }
        for number in [mtime.0, mtime.1, ctime.0, ctime.1, self.published.0] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&self.head).update(&self.facts);
        hasher
    }

    /// Whether it has a link.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.standing, Standing::Public | Standing::PageOnly)
    }

    /// Whether it is to be looked at in each turn, whatever happens to the file.
    #[must_use]
    pub fn is_restless(&self) -> bool {
        self.standing == Standing::Waiting
            || self.class == Class::Article && self.is_stood_in_for()
            || self.timely && self.is_public()
    }

    /// Its identity, if it is public.
    #[must_use]
    pub fn public(&self) -> Option<Public> {
        if !self.is_public() {
            return None;
        }
        let facts = self.facts()?;
        Some(Public {
            path: self.path.to_string(),
            id: facts.id.to_owned(),
            published: instant(self.published),
            updated: instant(facts.updated),
            updated_declared: facts.updated_declared,
            page: facts.page.map(str::to_owned),
            is_timely: self.timely,
        })
    }

    fn facts(&self) -> Option<Facts<'_>> {
        postcard::from_bytes(&self.facts)
            .ok()
            .filter(|_| self.is_public())
    }

    /// Its id, if it is public.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.facts().map(|facts| facts.id)
    }

    /// As [`Public::page`], if it is public.
    #[must_use]
    pub fn page(&self) -> Option<&str> {
        self.facts().and_then(|facts| facts.page)
    }

    /// The file was read anew: it is as public as it was.
    pub(super) fn inherit(&mut self, before: Self) {
        self.standing = before.standing;
        self.timely = before.timely;
        self.published = before.published;
        self.link = before.link;
        self.facts = before.facts;
    }

    pub(super) fn publish(&mut self, public: &Public, in_feeds: bool, link: u64) {
        self.standing = if in_feeds {
            Standing::Public
        } else {
            Standing::PageOnly
        };
        self.timely = public.is_timely;
        self.published = seconds(public.published);
        self.link = link;
        let facts = Facts {
            id: &public.id,
            updated: seconds(public.updated),
            updated_declared: public.updated_declared,
            page: public.page.as_deref(),
        };
        // strings, numbers and flags: nothing in it can fail to be written
        self.facts = postcard::to_stdvec(&facts).unwrap_or_default().into();
    }
}

fn instant((seconds, nanos): (i64, u32)) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, nanos).unwrap_or_default()
}

fn seconds(instant: DateTime<Utc>) -> (i64, u32) {
    (instant.timestamp(), instant.timestamp_subsec_nanos())
}

/// The same on any machine, in any run.
pub(crate) fn hash(text: &str) -> u64 {
    let hash = blake3::hash(text.as_bytes());
    let bytes: [u8; 8] = hash.as_bytes()[..8].try_into().unwrap_or_default();
    u64::from_le_bytes(bytes)
}
