//! What of a catalogue is public, newest first: kept in order while articles come, go and change.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use rayon::prelude::*;

use super::{Catalogue, Entry, Number, Row, Standing, row};
use crate::ledger::Public;
use crate::site::Site;

impl Catalogue {
    /// Finds the order and the indexes anew.
    pub(super) fn settle(&mut self) {
        let rows = self.rows.iter().enumerate();
        let rows =
            rows.filter_map(|(number, row)| Some((Number::try_from(number).ok()?, row.as_ref()?)));
        let (mut restless, mut noted) = (BTreeSet::new(), BTreeSet::new());
        let mut order = Vec::new();
        let mut links: HashMap<u64, u32> = HashMap::with_capacity(self.sorted.len());
        for (number, row) in rows {
            if row.is_public() {
                order.push(number);
                *links.entry(row.link).or_default() += 1;
            }
            if row.is_restless() {
                restless.insert(number);
            }
            if row.has_notes() {
                noted.insert(number);
            }
        }
        order.par_sort_by(|a, b| self.by_date(*a, *b));
        self.articles = self.rows().filter(|(_, row)| row.is_article()).count();
        (self.order, self.links) = (order, links);
        (self.restless, self.noted) = (restless, noted);
    }

    /// Of the rows in `touched`, those that `public` names are public from now on, and the others are not. `waiting`
    /// would be if something else were not in the way.
    pub fn publish(
        &mut self,
        touched: &BTreeSet<Number>,
        public: Vec<Public>,
        waiting: &BTreeSet<Number>,
        site: &Site,
    ) {
        self.retire(touched);
        let before: Vec<_> = touched.iter().map(|number| self.aspect(*number)).collect();
        for number in touched {
            if let Some(row) = self.rows[*number as usize].as_mut() {
                row.standing = if waiting.contains(number) {
                    Standing::Waiting
                } else {
                    Standing::Kept
                };
                row.facts = Box::default();
            }
        }
        let linked: Vec<(Number, Public, bool, u64)> = public
            .into_par_iter()
            .filter_map(|public| {
                let number = self.number(&public.path)?;
                let entry = Entry::new(&public, self.article(number)?);
                let link = row::hash(&crate::link::of(&entry, site));
                Some((number, public, entry.in_feeds(), link))
            })
            .collect();
        let mut coming = Vec::with_capacity(linked.len());
        for (number, public, in_feeds, link) in linked {
            if let Some(row) = self.rows[number as usize].as_mut() {
                row.publish(&public, in_feeds, link);
                *self.links.entry(link).or_default() += 1;
                coming.push(number);
            }
        }
        for number in touched {
            if self.row(*number).is_some_and(Row::is_restless) {
                self.restless.insert(*number);
            } else {
                self.restless.remove(number);
            }
        }
        let after = touched.iter().map(|number| self.aspect(*number));
        self.outlook += u64::from(!after.eq(before));
        self.by_digest = OnceLock::new();
        self.enter(coming);
    }

    /// Takes what is public among these out of the order.
    pub(super) fn retire(&mut self, numbers: &BTreeSet<Number>) {
        self.stirred.extend(numbers);
        let mut leaving = Vec::new();
        for number in numbers {
            let Some(row) = self.row(*number).filter(|row| row.is_public()) else {
                continue;
            };
            leaving.push((*number, Reverse(row.published)));
            let link = row.link;
            if let Some(count) = self.links.get_mut(&link) {
                *count -= 1;
                if *count == 0 {
                    self.links.remove(&link);
                }
            }
        }
        if leaving.len() > 64 {
            self.order.retain(|number| !numbers.contains(number));
            return;
        }
        for (number, published) in leaving {
            let date = |other: &Number| self.row(*other).map(|row| Reverse(row.published));
            let start = self
                .order
                .partition_point(|other| date(other) < Some(published));
            let at = self.order[start..]
                .iter()
                .position(|other| *other == number);
            match at {
                Some(at) => {
                    self.order.remove(start + at);
                }
                None => self.order.retain(|other| *other != number),
            }
        }
    }

    pub(super) fn enter(&mut self, coming: Vec<Number>) {
        self.stirred.extend(&coming);
        let by_date = |a: Number, b: Number| self.by_date(a, b);
        if coming.len() > 64 {
            let mut order = self.order.clone();
            order.extend(coming);
            order.par_sort_by(|a, b| by_date(*a, *b));
            self.order = order;
            return;
        }
        for number in coming {
            let at = self
                .order
                .partition_point(|other| self.by_date(*other, number).is_lt());
            self.order.insert(at, number);
        }
    }

    /// What others see of a file.
    fn aspect(&self, number: Number) -> Option<(bool, (i64, u32), u64)> {
        let row = self.row(number)?;
        Some((row.is_public(), row.published, row.link))
    }

    /// As long as this is the same, every answer is the same that an article gets when it asks of other files.
    #[must_use]
    pub fn outlook(&self) -> u64 {
        self.outlook
    }

    /// In which order two public articles stand: newest first, ties by id.
    #[must_use]
    pub fn by_date(&self, a: Number, b: Number) -> Ordering {
        let published = |number| self.row(number).map(|row| Reverse(row.published));
        published(a)
            .cmp(&published(b))
            .then_with(|| self.id(a).cmp(&self.id(b)))
    }

    /// The numbers of all rows that may be public, or not, or with other words than when this was asked last.
    pub fn take_stirred(&mut self) -> BTreeSet<Number> {
        std::mem::take(&mut self.stirred).into_iter().collect()
    }

    fn id(&self, number: Number) -> Option<&str> {
        self.row(number)?.id()
    }
}
