//! What becomes of an entry that makes a document unfit: it costs that entry something, and never the document. What is
//! decided holds for the entry in all formats, all feeds and its page.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Catalogue;
use super::desk::Desk;
use super::gate::Culprit;
use crate::catalogue::Number;
use crate::fragment::Fragment;
use crate::problem::Problem;

/// What becomes of an entry; each step is taken if the one before does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// It goes without what it can do without: its picture, its files, the addresses of its authors.
    Plain,
    /// It is as subscribers have it.
    Previous,
    /// It is in no document.
    Out,
    /// It stays as it is: all entries are refused, whatever becomes of them, so the document is at fault.
    Whole,
}

/// The most steps that an entry takes.
pub(super) const STEPS: usize = 4;

impl Step {
    /// The step that comes after `before`. If all entries of a document are refused, none of them is left out for that.
    fn after(before: Option<Self>, is_of_all: bool) -> Option<Self> {
        match (before, is_of_all) {
            (None, _) => Some(Self::Plain),
            (Some(Self::Plain), _) => Some(Self::Previous),
            (Some(Self::Previous), true) => Some(Self::Whole),
            (Some(Self::Previous | Self::Whole), false) => Some(Self::Out),
            (Some(Self::Whole), true) | (Some(Self::Out), _) => None,
        }
    }
}

/// What was decided of an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fallback {
    pub(super) step: Step,
    /// Whether all entries of the document were refused.
    is_of_all: bool,
    /// Of which version of the article.
    version: u64,
    /// What a document may not hold, as it was found first.
    what: String,
}

impl Fallback {
    /// Whether the article as it is now is not published.
    pub(super) fn is_withheld(&self) -> bool {
        matches!(self.step, Step::Previous | Step::Out)
    }

    /// What the author is told. Of a document that is at fault itself, the gate tells.
    pub(super) fn problem(&self, path: &str) -> Option<Problem> {
        self.problem_of(self.step, path)
    }

    /// What the author is told if there is nothing to fall back to.
    pub(super) fn problem_without(&self, path: &str) -> Option<Problem> {
        self.problem_of(Step::Out, path)
    }

    fn problem_of(&self, step: Step, path: &str) -> Option<Problem> {
        let remedy = match step {
            Step::Whole => return None,
            Step::Plain => {
                "it is published without its picture, its files and the addresses of its authors until it is changed"
            }
            Step::Previous => "subscribers keep its last good version until it is changed",
            Step::Out => "it is left out of all documents until it is changed",
        };
        let what = format!("cannot be published as it is: {}", self.what);
        Some(Problem::error(path, what).remedy(remedy))
    }
}

/// What was decided, by the numbers of articles.
pub(super) type Fallbacks = BTreeMap<Number, Fallback>;

/// What was decided of this version of an article.
pub(super) fn of<'a>(
    fallbacks: &'a Fallbacks,
    catalogue: &Catalogue,
    number: Number,
) -> Option<&'a Fallback> {
    let fallback = fallbacks.get(&number)?;
    (fallback.version == catalogue.version(number)).then_some(fallback)
}

impl Desk {
    /// Takes the next step with each of these entries. `made` are the routes of the documents of this turn: those with
    /// these entries are made again, and no other is what is published either. Whether there was a step to take.
    pub(super) fn fall_back(
        &mut self,
        culprits: BTreeMap<Number, Culprit>,
        made: &BTreeSet<String>,
    ) -> bool {
        let mut has_stepped = false;
        for (number, culprit) in culprits {
            let before = of(&self.fallbacks, &self.catalogue, number);
            let is_of_all = culprit.is_of_all;
            let Some(step) = Step::after(before.map(|before| before.step), is_of_all) else {
                continue;
            };
            let fallback = Fallback {
                step,
                is_of_all,
                version: self.catalogue.version(number),
                what: before.map_or(culprit.what, |before| before.what.clone()),
            };
            has_stepped = true;
            self.fallbacks.insert(number, fallback);
            self.looks.1.remove(&number);
            if step == Step::Whole {
                self.restore_others();
            }
        }
        if has_stepped {
            self.distrust_made(made);
        }
        has_stepped
    }
}

impl Desk {
    /// Gives back the entries that were replaced because of a document whose own fault it was.
    fn restore_others(&mut self) {
        for (number, fallback) in &mut self.fallbacks {
            if fallback.is_of_all && fallback.step == Step::Previous {
                fallback.step = Step::Whole;
                self.looks.1.remove(number);
            }
        }
    }

    /// Whether what the article at a path is now is not published.
    pub(super) fn is_withheld(&self, path: &str) -> bool {
        let number = self.catalogue.number(path);
        let fallback = number.and_then(|number| of(&self.fallbacks, &self.catalogue, number));
        fallback.is_some_and(Fallback::is_withheld)
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
