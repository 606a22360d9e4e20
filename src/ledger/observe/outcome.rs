//! What came of a look at the folder: what is new, changed and gone, and what is public.

use std::collections::HashSet;

use super::{Candidate, Minted, Public, Published, Record, Turn};
use crate::article::Date;
use crate::problem::Problem;

impl Turn<'_> {
    /// Tells what is new, changed and gone, and what is public.
    pub(super) fn finish(&mut self, published: Vec<Published>) {
        let before = published.iter().filter_map(|p| p.before.as_ref());
        let public: HashSet<&str> = before.map(|before| before.id.as_str()).collect();
        let living: Vec<Record> = match &self.scope {
            None => self
                .ledger
                .records()
                .filter(|record| record.gone.is_none())
                .collect(),
            Some(scope) => {
                let touched = scope.iter().filter_map(|path| self.ledger.at(path));
                touched.filter(|record| record.gone.is_none()).collect()
            }
        };
        let mut gone: Vec<Record> = living
            .into_iter()
            .filter(|record| !public.contains(record.id.as_str()))
            .collect();
        gone.sort_by(|a, b| a.id.cmp(&b.id));
        for record in &mut gone {
            record.gone = Some(self.now);
            self.found
                .withdrawn
                .push(record.path.clone().unwrap_or_else(|| record.id.clone()));
        }
        // whoever takes over another's path leaves that one without
        for Published { before, record, .. } in &published {
            let displaced = record.path.as_deref().and_then(|path| self.ledger.at(path));
            let is_other =
                |other: &Record| before.as_ref().is_some_and(|before| before.id != other.id);
            if let Some(displaced) = displaced.filter(is_other) {
                match gone.iter_mut().find(|record| record.id == displaced.id) {
                    Some(record) => record.path = None,
                    None => gone.push(Record {
                        path: None,
                        ..displaced
                    }),
                }
            }
        }
        let mut undated = Vec::new();
        for Published {
            candidate,
            before,
            record,
        } in published
        {
            match &before {
                None => {
                    self.found.new.push(candidate.path.clone());
                    if record.undated {
                        undated.push(candidate.path.clone());
                    }
                }
                Some(before) => self.tell_changes(before, &record, candidate.path.clone()),
            }
            let public = self.public(*candidate, &record);
            self.found.public.push(public);
            if before.as_ref() != Some(&record) {
                self.found.records.push(record);
            }
        }
        if let Some(first) = undated.first() {
            let what = match undated.len() {
                1 => "has no date; the ledger now holds one".to_owned(),
                n => format!(
                    "has no date, as have {} more; the ledger now holds theirs",
                    n - 1
                ),
            };
            self.found
                .problems
                .push(Problem::warning(first, what).remedy("commit the ledger, or write a `date`"));
        }
        self.found.records.extend(gone.into_iter().map(Box::new));
    }

    fn tell_changes(&mut self, before: &Record, record: &Record, path: String) {
        if before.gone.is_some() {
            self.found.returned.push(path.clone());
        }
        if let Some(old) = before.path.as_ref().filter(|old| **old != path) {
            self.found.renamed.push((path.clone(), old.clone()));
        }
        if before.id != record.id {
            if before.minted != Minted::Provisional {
                let what = format!(
                    "the id changes from `{}` to `{}`: readers will show the article as new",
                    before.id, record.id
                );
                let remedy = "take the `id` out again if that is not meant";
                self.found
                    .problems
                    .push(Problem::warning(&path, what).remedy(remedy));
            }
            self.found
                .changed_ids
                .push((path, before.id.clone(), record.id.clone()));
        }
    }

    fn public(&mut self, candidate: Candidate, record: &Record) -> Public {
        let instant = |date: Date| date.instant(self.site.zone, 0);
        let declared = candidate.updated.map(instant);
        let expires = candidate.expires.map(instant);
        let ahead = declared.filter(|declared| *declared > self.now);
        if let Some(declared) = ahead {
            let what = format!(
                "the date of change {} is in the future",
                declared.format("%Y-%m-%d %H:%M")
            );
            let remedy = "it is not used until then; correct it or take it out";
            self.found
                .problems
                .push(Problem::warning(&candidate.path, what).remedy(remedy));
        }
        let declared = declared.filter(|_| ahead.is_none());
        Public {
            id: record.id.clone(),
            published: record.published,
            updated: declared.map_or_else(
                || record.effective_update(),
                |declared| declared.max(record.published),
            ),
            updated_declared: declared.is_some(),
            page: record
                .page
                .clone()
                .filter(|_| self.site.permalink.is_none() && !candidate.has_url),
            is_timely: ahead.is_some() || expires.is_some(),
            path: candidate.path,
        }
    }
}
