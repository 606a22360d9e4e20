//! One turn of the ledger: what is in the folder meets what is remembered.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::{explicit, mint, numbered, renames, same_date};
use super::{Ledger, Minted, Record};
use crate::article::{Article, Date, location};
use crate::catalogue::Entry;
use crate::link;
use crate::problem::Problem;
use crate::site::{Site, slug};

/// An article that is for the public, if its dates allow.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What the file says.
    pub article: Article,
    /// When the file was last written.
    pub modified: DateTime<Utc>,
}

/// What a turn found.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// What is public now.
    pub entries: Vec<Entry>,
    /// Records that are new or changed.
    pub records: Vec<Record>,
    /// Paths that subscribers see for the first time.
    pub new: Vec<String>,
    /// Paths whose text changed.
    pub updated: Vec<String>,
    /// Paths that were public until now.
    pub withdrawn: Vec<String>,
    /// Paths that were withdrawn and are back.
    pub returned: Vec<String>,
    /// Paths whose id is no longer what it was, with the id before and the id now.
    pub changed_ids: Vec<(String, String, String)>,
    /// Paths that were renamed, with the path before.
    pub renamed: Vec<(String, String)>,
    /// The next instant at which an article appears or expires by itself.
    pub next: Option<DateTime<Utc>>,
    /// What the author should know.
    pub problems: Vec<Problem>,
}

impl Ledger {
    /// Decides what is public at `now`, under which id and with which dates. The ledger itself does not change;
    /// the caller records [`Observation::records`] once they are durable.
    ///
    /// `present` are the paths of all articles in the folder, public or not; `candidates` those that could be public.
    #[must_use]
    pub fn observe(
        &self,
        present: &BTreeSet<String>,
        mut candidates: Vec<Candidate>,
        site: &Site,
        now: DateTime<Utc>,
    ) -> Observation {
        candidates.sort_by(|a, b| a.article.path.cmp(&b.article.path));
        let mut turn = Turn {
            ledger: self,
            site,
            now,
            found: Observation::default(),
        };
        candidates.retain(|candidate| turn.may_be_due(candidate));
        let known = turn.assign(present, candidates);
        let dated = turn.date(known);
        let mut published = turn.identify(dated);
        turn.update(&mut published);
        turn.page(&mut published);
        turn.finish(published);
        turn.found
    }
}

struct Turn<'a> {
    ledger: &'a Ledger,
    site: &'a Site,
    now: DateTime<Utc>,
    found: Observation,
}

/// A candidate and the record it belongs to, if there is one.
struct Known<'a> {
    candidate: Candidate,
    record: Option<&'a Record>,
    explicit: Option<String>,
}

/// A public article with the record it will have.
struct Published<'a> {
    candidate: Candidate,
    before: Option<&'a Record>,
    record: Record,
}

impl<'a> Turn<'a> {
    fn wake_at(&mut self, instant: DateTime<Utc>) {
        if instant > self.now {
            self.found.next = Some(self.found.next.map_or(instant, |next| next.min(instant)));
        }
    }

    /// Neither expired nor scheduled, as far as the front matter tells.
    fn may_be_due(&mut self, candidate: &Candidate) -> bool {
        let instant = |date: Date| date.instant(self.site.zone, 0);
        let (published, expires) = (
            candidate.article.published.map(instant),
            candidate.article.expires.map(instant),
        );
        if let Some(published) = published.filter(|published| *published > self.now) {
            if expires.is_none_or(|expires| expires > published) {
                self.wake_at(published);
            }
            return false;
        }
        if let Some(expires) = expires {
            self.wake_at(expires);
            return expires > self.now;
        }
        true
    }

    /// Finds each candidate's record: by its declared id, by its path, or as a rename; drops copies and impostors.
    fn assign(&mut self, present: &BTreeSet<String>, candidates: Vec<Candidate>) -> Vec<Known<'a>> {
        let mut known = Vec::new();
        let mut new = Vec::new();
        let mut claimed: BTreeMap<String, String> = BTreeMap::new();
        // an id belongs to whom it was given first: records before files that are new
        let (old, fresh): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| self.ledger.at(&candidate.article.path).is_some());
        for candidate in old.into_iter().chain(fresh) {
            let path = candidate.article.path.clone();
            let own = self.ledger.at(&path);
            let Some(id) = candidate.article.id.as_deref().map(explicit) else {
                match own {
                    Some(record) => known.push(Known {
                        candidate,
                        record: Some(record),
                        explicit: None,
                    }),
                    None => new.push(candidate),
                }
                continue;
            };
            let owner = claimed
                .get(&id)
                .cloned()
                .or_else(|| self.owner(&id, &path, present));
            if let Some(owner) = owner {
                let what = format!("the id `{id}` belongs to `{owner}`");
                let remedy =
                    "give this article an id of its own, or none; it is not published until then";
                self.found
                    .problems
                    .push(Problem::error(path, what).remedy(remedy));
                continue;
            }
            claimed.insert(id.clone(), path);
            let record = self.ledger.get(&id).or(own);
            known.push(Known {
                candidate,
                record,
                explicit: Some(id),
            });
        }
        let claimed = claimed.into_keys().collect();
        let new = self.without_copies(present, &known, new);
        let renamed = renames(
            self.ledger,
            present,
            &new.iter().collect::<Vec<_>>(),
            &claimed,
            self.site,
        );
        known.extend(new.into_iter().map(|candidate| {
            let record = renamed
                .get(&candidate.article.path)
                .and_then(|id| self.ledger.get(id));
            Known {
                candidate,
                record,
                explicit: None,
            }
        }));
        known.sort_by(|a, b| a.candidate.article.path.cmp(&b.candidate.article.path));
        known
    }

    /// Who else has `id`, as a path that is still there, or as a former or foreign id.
    fn owner(&self, id: &str, path: &str, present: &BTreeSet<String>) -> Option<String> {
        match self.ledger.get(id) {
            Some(record) => record
                .path
                .clone()
                .filter(|owner| owner != path && present.contains(owner)),
            None if !self.ledger.is_former(id) => None,
            None => self
                .ledger
                .records()
                .find(|record| {
                    record.was.iter().any(|was| was == id) && record.path.as_deref() != Some(path)
                })
                .map(|record| record.path.clone().unwrap_or_else(|| record.id.clone())),
        }
    }

    /// Moves are often copy and delete: a copy is held back while both files exist.
    ///
    /// What an original says is what its file says now; only of a file that is not for the public just now (a draft)
    /// the record tells.
    fn without_copies(
        &mut self,
        present: &BTreeSet<String>,
        known: &[Known<'_>],
        new: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let mut originals: HashMap<&str, Vec<&Record>> = HashMap::new();
        let mut first: HashMap<(String, Option<Date>), String> = HashMap::new();
        if !new.is_empty() {
            let of = |article: &Article| {
                let text = (article.digest.clone(), article.published);
                (text, article.path.clone())
            };
            first = known
                .iter()
                .map(|known| of(&known.candidate.article))
                .collect();
            let read: HashSet<&String> = first.values().collect();
            for record in self.ledger.records() {
                let path = record.path.as_ref();
                if path.is_some_and(|path| present.contains(path) && !read.contains(path)) {
                    originals.entry(&record.digest).or_default().push(record);
                }
            }
        }
        let mut kept: Vec<Candidate> = Vec::new();
        for candidate in new {
            let article = &candidate.article;
            let living = originals.get(article.digest.as_str()).into_iter().flatten();
            let original = living
                .filter(|record| same_date(article, record, self.site))
                .find_map(|record| record.path.clone())
                .or_else(|| {
                    first
                        .get(&(article.digest.clone(), article.published))
                        .cloned()
                });
            if let Some(original) = original {
                let what = format!("copy of `{original}`: same text, same date");
                let remedy =
                    "held back while both files exist; delete one, or give this one an `id`";
                self.found
                    .problems
                    .push(Problem::warning(&article.path, what).remedy(remedy));
            } else {
                first.insert(
                    (article.digest.clone(), article.published),
                    article.path.clone(),
                );
                kept.push(candidate);
            }
        }
        kept
    }

    /// Gives each its published date; those without a time stand one second apart.
    fn date(&mut self, known: Vec<Known<'a>>) -> Vec<(Known<'a>, DateTime<Utc>, Option<u32>)> {
        let mut next_of_day: HashMap<DateTime<Utc>, u32> = HashMap::new();
        for record in self.ledger.records() {
            if let Some(nth) = record.nth {
                let midnight = record.published - TimeDelta::seconds(i64::from(nth));
                let next = next_of_day.entry(midnight).or_default();
                *next = (*next).max(nth + 1);
            }
        }
        let mut dated = Vec::with_capacity(known.len());
        for known in known {
            let (published, nth) = match known.candidate.article.published {
                Some(Date::Instant(instant)) => (instant, None),
                Some(day @ Date::Day(_)) => {
                    let midnight = day.instant(self.site.zone, 0);
                    let own = known.record.and_then(|r| Some((r.published, r.nth?)));
                    let nth = match own {
                        Some((published, nth)) if day.instant(self.site.zone, nth) == published => {
                            nth
                        }
                        _ => {
                            let next = next_of_day.entry(midnight).or_default();
                            *next += 1;
                            *next - 1
                        }
                    };
                    (day.instant(self.site.zone, nth), Some(nth))
                }
                None => match known.record {
                    Some(record) => (record.published, record.nth),
                    None => (known.candidate.modified.min(self.now), None),
                },
            };
            if published > self.now {
                self.wake_at(published);
            } else {
                dated.push((known, published, nth));
            }
        }
        dated
    }

    /// Gives each its record, minting ids where there is none yet.
    fn identify(
        &mut self,
        dated: Vec<(Known<'a>, DateTime<Utc>, Option<u32>)>,
    ) -> Vec<Published<'a>> {
        let claimed: BTreeSet<String> = dated
            .iter()
            .filter_map(|(known, ..)| known.explicit.clone())
            .collect();
        let mut given = BTreeSet::new();
        let mut published = Vec::with_capacity(dated.len());
        for (known, date, nth) in dated {
            let Known {
                candidate,
                record: before,
                explicit,
            } = known;
            let article = &candidate.article;
            let seen = before.map_or(self.now, |record| record.seen);
            let (id, minted) = match (before, explicit) {
                (_, Some(id)) => (id, Minted::Explicit),
                (Some(r), None) if r.minted != Minted::Provisional || !self.site.is_public() => {
                    (r.id.clone(), r.minted)
                }
                (_, None) => {
                    let taken = |id: &str| {
                        self.ledger.knows(id) || claimed.contains(id) || given.contains(id)
                    };
                    let minted = if self.site.is_public() {
                        Minted::Final
                    } else {
                        Minted::Provisional
                    };
                    (mint(article, date, seen, self.site, &taken), minted)
                }
            };
            given.insert(id.clone());
            let mut was = before.map(|record| record.was.clone()).unwrap_or_default();
            if let Some(old) = before.filter(|record| record.id != id) {
                was.push(old.id.clone());
            }
            let record = Record {
                path: Some(article.path.clone()),
                id,
                minted,
                seen,
                published: date,
                nth,
                undated: article.published.is_none(),
                updated: before.and_then(|record| record.updated),
                digest: article.digest.clone(),
                title: article.title.as_ref().map(|title| title.text.clone()),
                page: before.and_then(|record| record.page.clone()),
                gone: None,
                was,
            };
            published.push(Published {
                candidate,
                before,
                record,
            });
        }
        published
    }

    /// Those whose text changed get instants one second apart, the last being now, each later than its former one.
    fn update(&mut self, published: &mut [Published<'a>]) {
        let changed: Vec<usize> = (0..published.len())
            .filter(|&i| {
                published[i]
                    .before
                    .is_some_and(|before| before.digest != published[i].record.digest)
            })
            .collect();
        let mut behind = i64::try_from(changed.len()).unwrap_or(0);
        for i in changed {
            behind -= 1;
            let published = &mut published[i];
            let former = published
                .before
                .map_or(published.record.published, Record::effective_update);
            let instant =
                (self.now - TimeDelta::seconds(behind)).max(former + TimeDelta::seconds(1));
            published.record.updated = Some(instant);
            self.found
                .updated
                .push(published.candidate.article.path.clone());
        }
    }

    /// Gives each article without a URL of its own the path of its page, once.
    fn page(&self, published: &mut [Published<'a>]) {
        if self.site.permalink.is_some() {
            return;
        }
        let mut taken: BTreeSet<String> = self
            .ledger
            .records()
            .filter_map(|record| record.page.clone())
            .collect();
        for Published {
            candidate, record, ..
        } in published
        {
            let article = &candidate.article;
            let declared = article.slug.as_deref().and_then(slug::slug);
            let kept = record.page.as_deref().is_some_and(|page| match &declared {
                Some(declared) => is_numbered(location::name(page), declared),
                None => true,
            });
            if kept || link::declared(article, self.site).is_some() {
                continue;
            }
            let stem = slug::slug_path(&location::stem(&article.path));
            let page = match (declared, location::folder(&stem)) {
                (None, _) => stem,
                (Some(declared), "") => declared,
                (Some(declared), folder) => format!("{folder}/{declared}"),
            };
            let page = numbered(page, &|page| taken.contains(page));
            taken.insert(page.clone());
            record.page = Some(page);
        }
    }

    /// Tells what is new, changed and gone, and makes the entries.
    fn finish(&mut self, published: Vec<Published<'a>>) {
        let public: HashSet<&str> = published
            .iter()
            .filter_map(|p| p.before.map(|before| before.id.as_str()))
            .collect();
        let mut gone: Vec<Record> = self
            .ledger
            .records()
            .filter(|record| record.gone.is_none() && !public.contains(record.id.as_str()))
            .cloned()
            .collect();
        for record in &mut gone {
            record.gone = Some(self.now);
            self.found
                .withdrawn
                .push(record.path.clone().unwrap_or_else(|| record.id.clone()));
        }
        // whoever takes over another's path leaves that one without
        for Published { before, record, .. } in &published {
            let displaced = record.path.as_deref().and_then(|path| self.ledger.at(path));
            if let Some(displaced) =
                displaced.filter(|other| before.is_some_and(|before| before.id != other.id))
            {
                match gone.iter_mut().find(|record| record.id == displaced.id) {
                    Some(record) => record.path = None,
                    None => gone.push(Record {
                        path: None,
                        ..displaced.clone()
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
            let path = candidate.article.path.clone();
            match before {
                None => {
                    self.found.new.push(path.clone());
                    if record.undated {
                        undated.push(path);
                    }
                }
                Some(before) => self.tell_changes(before, &record, path),
            }
            if before != Some(&record) {
                self.found.records.push(record.clone());
            }
            let entry = self.entry(candidate, &record);
            self.found.entries.push(entry);
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
        self.found.records.extend(gone);
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

    fn entry(&mut self, candidate: Candidate, record: &Record) -> Entry {
        let declared = candidate
            .article
            .updated
            .map(|date| date.instant(self.site.zone, 0));
        if let Some(declared) = declared.filter(|declared| *declared > self.now) {
            let what = format!(
                "the date of change {} is in the future",
                declared.format("%Y-%m-%d %H:%M")
            );
            let remedy = "it is not used until then; correct it or take it out";
            self.found
                .problems
                .push(Problem::warning(&candidate.article.path, what).remedy(remedy));
        }
        let declared = declared.filter(|declared| *declared <= self.now);
        Entry {
            id: record.id.clone(),
            published: record.published,
            updated: declared.map_or_else(
                || record.effective_update(),
                |declared| declared.max(record.published),
            ),
            updated_declared: declared.is_some(),
            page: record.page.clone().filter(|_| {
                self.site.permalink.is_none()
                    && link::declared(&candidate.article, self.site).is_none()
            }),
            article: candidate.article,
        }
    }
}

/// Whether `name` is `slug` or `slug-2`, `slug-3` ….
fn is_numbered(name: &str, slug: &str) -> bool {
    name.strip_prefix(slug).is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('-')
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}
