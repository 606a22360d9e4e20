//! What becomes of an entry that makes a document unfit: it costs that entry something, and never the document. What is
//! decided holds for the entry in all formats, all feeds and its page.

use std::collections::BTreeMap;

use super::desk::Desk;
use crate::catalogue::Number;
use crate::fragment::Fragment;
use crate::problem::Problem;

/// How much is left of an entry; each step is taken if the one before does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Without what an entry can do without: its picture, its files, the addresses of its authors.
    Plain,
    /// As subscribers have it.
    Previous,
    /// It is in no document.
    Out,
}

/// All of them, in their order.
pub(super) const STEPS: [Step; 3] = [Step::Plain, Step::Previous, Step::Out];

/// What was decided of an entry.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    pub(super) step: Step,
    /// Of which version of the article.
    version: u64,
    /// What a document may not hold, as it was found first.
    what: String,
}

impl Fallback {
    /// What the author is told.
    pub(super) fn problem(&self, path: &str) -> Problem {
        let remedy = match self.step {
            Step::Plain => {
                "it is published without its picture, its files and the addresses of its authors until it is changed"
            }
            Step::Previous => "subscribers keep its last good version until it is changed",
            Step::Out => "it is left out of all documents until it is changed",
        };
        Problem::error(path, format!("cannot be published as it is: {}", self.what)).remedy(remedy)
    }
}

/// What was decided, by the numbers of articles.
pub(super) type Fallbacks = BTreeMap<Number, Fallback>;

impl Desk {
    /// What was decided of this version of an article.
    pub(super) fn fallback(&self, number: Number) -> Option<&Fallback> {
        let version = self.catalogue.version(number);
        self.fallbacks
            .get(&number)
            .filter(|fallback| fallback.version == version)
    }

    /// Takes the next step with each of these entries; everything is to be made anew. Whether there was one to take.
    pub(super) fn fall_back(&mut self, culprits: BTreeMap<Number, String>) -> bool {
        let mut has_stepped = false;
        for (number, what) in culprits {
            let before = self.fallback(number);
            let next = STEPS
                .into_iter()
                .find(|step| before.is_none_or(|before| *step > before.step));
            let Some(step) = next else { continue };
            let what = before.map_or(what, |before| before.what.clone());
            let version = self.catalogue.version(number);
            has_stepped = true;
            self.fallbacks.insert(
                number,
                Fallback {
                    step,
                    version,
                    what,
                },
            );
        }
        if has_stepped {
            self.distrust_all();
            self.fragments.clear();
            self.shown.clear();
            self.looks = Default::default();
        }
        has_stepped
    }
}

/// Takes away what an entry can do without.
pub(super) fn strip(fragment: &mut Fragment) {
    let item = &mut fragment.item;
    item.image = None;
    item.attachments.clear();
    item.external = None;
    item.language = None;
    for author in &mut item.authors {
        (author.email, author.url) = (None, None);
    }
}
