//! One turn of the ledger: what is in the folder meets what is remembered.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};
use rayon::prelude::*;

use super::clock::AHEAD;
use super::identity::{name, numbered, renames, same_date};
use super::{Ledger, Living, Minted, Record};
use crate::article::{Article, Date, id, location};
use crate::link;
use crate::problem::Problem;
use crate::site::{Site, slug};

mod outcome;

/// An article that is for the public, if its dates allow: what the ledger needs to know of it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Inside the articles folder.
    pub path: String,
    /// As declared.
    pub id: Option<String>,
    /// Its words, if it has one.
    pub title: Option<String>,
    /// As declared, as are the next two.
    pub published: Option<Date>,
    /// When it was changed.
    pub updated: Option<Date>,
    /// When it goes.
    pub expires: Option<Date>,
    /// Of what counts as a change.
    pub digest: String,
    /// The last segment of its page, as declared.
    pub slug: Option<String>,
    /// Whether the article says where it is on the web.
    pub has_url: bool,
    /// When the file was last written.
    pub modified: DateTime<Utc>,
}

impl Candidate {
    /// An article whose file was last written at `modified`.
    #[must_use]
    pub fn new(article: &Article, modified: DateTime<Utc>, site: &Site) -> Self {
        Self {
            path: article.path.clone(),
            id: article.id.clone(),
            title: article.title.as_ref().map(|title| title.text.clone()),
            published: article.published,
            updated: article.updated,
            expires: article.expires,
            digest: article.digest.clone(),
            slug: article.slug.clone(),
            has_url: link::declared(article, site).is_some(),
            modified,
        }
    }
}

/// An article that is public, with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// Inside the articles folder.
    pub path: String,
    /// By which readers know it.
    pub id: String,
    /// In whole seconds.
    pub published: DateTime<Utc>,
    /// Not before [`published`](Self::published).
    pub updated: DateTime<Utc>,
    /// Whether the front matter says when it was updated.
    pub updated_declared: bool,
    /// The path of its built-in page below `articles/`, if it has one.
    pub page: Option<String>,
    /// Whether what is true of it now will not be at another time, though nothing is written.
    pub is_timely: bool,
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The instant of this run: what is new is dated by it.
    pub instant: DateTime<Utc>,
    /// What the clock says. It is earlier if the clock is wrong: then what is scheduled waits for it.
    pub clock: DateTime<Utc>,
}

impl From<DateTime<Utc>> for Now {
    fn from(instant: DateTime<Utc>) -> Self {
        Self {
            instant,
            clock: instant,
        }
    }
}

/// The folder, as far as the ledger asks for it.
pub trait Present {
    /// Whether there is an article at this path, public or not.
    fn holds(&self, path: &str) -> bool;
    /// The first path, if any, of an article that is public, is not among the candidates, and has this digest and this date.
    fn twin(&self, digest: &str, published: Option<Date>) -> Option<String>;
    /// The path of the article of which this one is a copy, as far as its name (`x (1).md`), its title and its date tell.
    fn copied(&self, candidate: &Candidate) -> Option<String>;
    /// What happened since the last turn to paths of which no candidate tells; `None` if nothing is known of a last turn.
    fn touched(&self) -> Option<&BTreeSet<String>>;
}

/// What a turn found.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Those of the candidates that are public now, in the order of paths.
    pub public: Vec<Public>,
    /// Records that are new or changed; boxed, since there may be many, and they are large.
    pub records: Vec<Box<Record>>,
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
    /// `candidates` are the articles that could be public, or, if `present` knows of a last turn, those of them of which
    /// something is new since then or that it did not settle.
    #[must_use]
    pub fn observe(
        &self,
        present: &dyn Present,
        mut candidates: Vec<Box<Candidate>>,
        site: &Site,
        now: Now,
    ) -> Observation {
        candidates.sort_by(|a, b| a.path.cmp(&b.path));
        let paths = candidates.iter().map(|candidate| candidate.path.clone());
        let mut turn = Turn {
            ledger: self,
            present,
            scope: present
                .touched()
                .map(|touched| touched.iter().cloned().chain(paths).collect()),
            site,
            now: now.instant,
            clock: now.clock,
            living: OnceCell::new(),
            found: Observation::default(),
        };
        candidates.retain(|candidate| turn.may_be_due(candidate));
        let known = turn.assign(candidates);
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
    present: &'a dyn Present,
    /// The paths of which something may be new; `None`: all.
    scope: Option<BTreeSet<String>>,
    site: &'a Site,
    now: DateTime<Utc>,
    clock: DateTime<Utc>,
    /// What subscribers have; found when it is asked for.
    living: OnceCell<Living>,
    found: Observation,
}

/// What two files have in common, of which one is a copy.
#[derive(Clone, Copy)]
enum Alike {
    Text,
    Title,
}

/// A candidate and the record it belongs to, if there is one.
struct Known {
    candidate: Box<Candidate>,
    record: Option<Box<Record>>,
    explicit: Option<String>,
}

/// A public article with the record it will have.
struct Published {
    candidate: Box<Candidate>,
    before: Option<Box<Record>>,
    record: Box<Record>,
}

impl Turn<'_> {
    /// The records of what was public, and of which a file could be a copy or the new name: all that are withdrawn, and
    /// those of touched paths.
    fn relevant(&self) -> Vec<Record> {
        match &self.scope {
            None => self.ledger.records().collect(),
            Some(scope) => {
                let living = scope.iter().filter_map(|path| self.ledger.at(path));
                let living = living.filter(|record| record.gone.is_none());
                self.ledger.gone().chain(living).collect()
            }
        }
    }

    fn wake_at(&mut self, instant: DateTime<Utc>) {
        if instant > self.clock {
            self.found.next = Some(self.found.next.map_or(instant, |next| next.min(instant)));
        }
    }

    /// Whether a date is still to come. Of what is public it is not, though the clock fell back a little.
    fn is_ahead(&self, published: DateTime<Utc>, record: Option<&Record>) -> bool {
        let is_public =
            record.is_some_and(|record| record.gone.is_none() && record.published == published);
        published > self.now && !(is_public && published <= self.now + AHEAD)
    }

    /// Neither expired nor scheduled, as far as the front matter tells.
    fn may_be_due(&mut self, candidate: &Candidate) -> bool {
        let instant = |date: Date| date.instant(self.site.zone, 0);
        let (published, expires) = (
            candidate.published.map(instant),
            candidate.expires.map(instant),
        );
        let record = |published: &DateTime<Utc>| {
            // most articles are of the past, and need not be looked for
            (*published > self.now)
                .then(|| self.ledger.at(&candidate.path))
                .flatten()
        };
        let is_ahead =
            |published: &DateTime<Utc>| self.is_ahead(*published, record(published).as_ref());
        if let Some(published) = published.filter(is_ahead) {
            if expires.is_none_or(|expires| expires > published) {
                self.wake_at(published);
            }
            return false;
        }
        if self.clock < self.now {
            return self.may_be_due_by_a_wrong_clock(candidate, published, expires);
        }
        if let Some(expires) = expires {
            self.wake_at(expires);
            return expires > self.now;
        }
        true
    }

    /// How late it is nobody knows: what is public stays so until the clock itself says otherwise, what expired stays away,
    /// and nothing appears whose date the clock has not reached.
    fn may_be_due_by_a_wrong_clock(
        &mut self,
        candidate: &Candidate,
        published: Option<DateTime<Utc>>,
        expires: Option<DateTime<Utc>>,
    ) -> bool {
        let is_early = published.is_some_and(|published| published > self.clock);
        let is_late = expires.is_some_and(|expires| expires <= self.now);
        let is_public = (is_early || is_late) && {
            let living = self.living.get_or_init(|| self.ledger.living());
            self.ledger.shows(candidate, living, self.site)
        };
        for instant in published.into_iter().chain(expires) {
            self.wake_at(instant);
        }
        if is_public {
            expires.is_none_or(|expires| expires > self.clock)
        } else {
            !is_early && !is_late
        }
    }

    /// Finds each candidate's record: by its declared id, by its path, or as a rename; drops copies and impostors.
    fn assign(&mut self, candidates: Vec<Box<Candidate>>) -> Vec<Known> {
        let mut known = Vec::with_capacity(candidates.len());
        let mut new = Vec::new();
        let mut claimed: BTreeMap<String, String> = BTreeMap::new();
        // an id belongs to whom it was given first: records before files that are new
        let (old, fresh): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .map(|candidate| (self.ledger.at(&candidate.path), candidate))
            .partition(|(own, _)| own.is_some());
        for (own, candidate) in old.into_iter().chain(fresh) {
            let path = candidate.path.clone();
            let Some(id) = candidate.id.as_deref().map(|id| self.public_form(id)) else {
                match own {
                    Some(record) => known.push(Known {
                        candidate,
                        record: Some(Box::new(record)),
                        explicit: None,
                    }),
                    None => new.push(candidate),
                }
                continue;
            };
            let owner = claimed
                .get(&*id::in_atom(&id))
                .cloned()
                .or_else(|| self.owner(&id, &path));
            if let Some(owner) = owner {
                let what = format!("the id `{id}` belongs to `{owner}`");
                let remedy =
                    "give this article an id of its own, or none; it is not published until then";
                self.found
                    .problems
                    .push(Problem::error(path, what).remedy(remedy));
                continue;
            }
            claimed.insert(id::in_atom(&id).into_owned(), path);
            let record = self.ledger.get(&id).or(own);
            known.push(Known {
                candidate,
                record: record.map(Box::new),
                explicit: Some(id),
            });
        }
        let claimed: BTreeSet<String> = claimed.into_keys().collect();
        if !new.is_empty() {
            let relevant = self.relevant();
            let new = self.without_copies(&relevant, &known, new);
            let free = |record: &&Record| {
                let path = record.path.as_ref();
                !claimed.contains(&*id::in_atom(&record.id))
                    && path.is_none_or(|path| !self.present.holds(path))
            };
            let gone: Vec<&Record> = relevant.iter().filter(free).collect();
            let renamed = renames(&gone, &new, self.site);
            known.extend(new.into_iter().map(|candidate| {
                let record = renamed.get(&candidate.path);
                Known {
                    record: record.and_then(|id| self.ledger.get(id)).map(Box::new),
                    candidate,
                    explicit: None,
                }
            }));
        }
        known.sort_by(|a, b| a.candidate.path.cmp(&b.candidate.path));
        known
    }

    /// The form in which a declared id is, or will be, public: as it was declared, unless subscribers know it in Atom's
    /// form or by the name of which it is Atom's form.
    fn public_form(&self, declared: &str) -> String {
        let encoded = id::in_atom(declared);
        if self.ledger.knows(declared) {
            declared.to_owned()
        } else if self.ledger.knows(&encoded) {
            encoded.into_owned()
        } else {
            if declared.contains('\u{fffd}') {
                // no document may hold it
                return encoded.into_owned();
            }
            let name = id::named(declared).filter(|name| self.ledger.knows(name));
            name.unwrap_or_else(|| declared.to_owned())
        }
    }

    /// Who else has `id`, as a path that is still there, or as a former or foreign id.
    fn owner(&self, id: &str, path: &str) -> Option<String> {
        match self.ledger.get(id) {
            Some(record) => record
                .path
                .clone()
                .filter(|owner| owner != path && self.present.holds(owner)),
            None if !self.ledger.is_former(id) => None,
            None => self
                .ledger
                .lines
                .renamed()
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
        relevant: &[Record],
        known: &[Known],
        new: Vec<Box<Candidate>>,
    ) -> Vec<Box<Candidate>> {
        let mut first: HashMap<(&str, Option<Date>), &str> =
            HashMap::with_capacity(known.len() + new.len());
        for Known { candidate, .. } in known {
            first
                .entry(text_and_date(candidate))
                .or_insert(&candidate.path);
        }
        let read: HashSet<&String> = known.iter().map(|known| &known.candidate.path).collect();
        let mut originals: HashMap<&str, Vec<&Record>> = HashMap::new();
        for record in relevant {
            let is_kept_back = |path: &String| self.present.holds(path) && !read.contains(path);
            if record.path.as_ref().is_some_and(is_kept_back) {
                originals.entry(&record.digest).or_default().push(record);
            }
        }
        let mut copied = Vec::with_capacity(new.len());
        for candidate in &new {
            let living = originals
                .get(candidate.digest.as_str())
                .into_iter()
                .flatten();
            let original = living
                .filter(|record| same_date(candidate, record, self.site))
                .find_map(|record| record.path.clone())
                .or_else(|| {
                    let twin = self.present.twin(&candidate.digest, candidate.published);
                    let earlier = first
                        .get(&text_and_date(candidate))
                        .map(ToString::to_string);
                    earlier.into_iter().chain(twin).min()
                });
            let named = self.present.copied(candidate);
            if original.is_none() && named.is_none() {
                first.insert(text_and_date(candidate), &candidate.path);
            }
            copied.push(
                original
                    .map(|path| (path, Alike::Text))
                    .or(named.map(|path| (path, Alike::Title))),
            );
        }
        let mut kept = Vec::with_capacity(new.len());
        for (candidate, original) in new.into_iter().zip(copied) {
            if let Some((original, alike)) = original {
                let alike = match alike {
                    Alike::Text => "same text, same date",
                    Alike::Title => "same title, same date",
                };
                let what = format!("copy of `{original}`: {alike}");
                let remedy =
                    "held back while both files exist; delete one, or give this one an `id`";
                self.found
                    .problems
                    .push(Problem::warning(&candidate.path, what).remedy(remedy));
            } else {
                kept.push(candidate);
            }
        }
        kept
    }

    /// Gives each its published date; those without a time stand one second apart.
    fn date(&mut self, known: Vec<Known>) -> Vec<(Known, DateTime<Utc>, Option<u32>)> {
        let mut next_of_day: HashMap<DateTime<Utc>, u32> = HashMap::new();
        let undated = self.first_dates(&known);
        let mut dated = Vec::with_capacity(known.len());
        for known in known {
            let (published, nth) = match known.candidate.published {
                Some(Date::Instant(instant)) => (instant, None),
                Some(day @ Date::Day(_)) => {
                    let midnight = day.instant(self.site.zone, 0);
                    let own = known.record.as_ref();
                    let own = own.and_then(|r| Some((r.published, r.nth?)));
                    let nth = match own {
                        Some((published, nth)) if day.instant(self.site.zone, nth) == published => {
                            nth
                        }
                        _ => {
                            let next = next_of_day
                                .entry(midnight)
                                .or_insert_with(|| self.ledger.lines.next_of_day(midnight));
                            *next += 1;
                            *next - 1
                        }
                    };
                    (day.instant(self.site.zone, nth), Some(nth))
                }
                None => {
                    if let Some(record) = &known.record {
                        (record.published, record.nth)
                    } else {
                        let first = undated.get(known.candidate.path.as_str());
                        (first.copied().unwrap_or(self.now), None)
                    }
                }
            };
            if self.is_ahead(published, known.record.as_deref()) {
                self.wake_at(published);
            } else {
                dated.push((known, published, nth));
            }
        }
        dated
    }

    /// The dates of new files that say none, by path: when each was last written. Files of one moment, as a `git clone`
    /// leaves them, stand one second apart, the last path at that moment; a file from before there were feeds has no date
    /// at all, and is dated now.
    fn first_dates(&self, known: &[Known]) -> HashMap<String, DateTime<Utc>> {
        let new = known.iter().filter(|known| known.record.is_none());
        let undated = new.filter(|known| known.candidate.published.is_none());
        let mut moments: Vec<(DateTime<Utc>, &str)> = undated
            .map(|known| {
                let written = known.candidate.modified.min(self.now);
                let moment = if written.year() < 1990 {
                    self.now
                } else {
                    written
                };
                (moment.trunc_subsecs(0), known.candidate.path.as_str())
            })
            .collect();
        moments.sort_unstable();
        let mut dates = HashMap::with_capacity(moments.len());
        let mut next: Option<DateTime<Utc>> = None;
        for (moment, path) in moments.into_iter().rev() {
            let date = next.map_or(moment, |next| moment.min(next));
            next = Some(date - TimeDelta::seconds(1));
            dates.insert(path.to_owned(), date);
        }
        dates
    }

    /// Gives each its record, minting ids where there is none yet.
    fn identify(&mut self, dated: Vec<(Known, DateTime<Utc>, Option<u32>)>) -> Vec<Published> {
        let claimed: HashSet<String> = dated
            .iter()
            .filter_map(|(known, ..)| known.explicit.clone())
            .collect();
        let names = dated.par_iter().map(|(known, date, _)| {
            let is_new = known.record.is_none() && known.explicit.is_none();
            is_new.then(|| name(&known.candidate.path, *date, self.now, self.site))
        });
        let names: Vec<Option<String>> = names.collect();
        let mut given = HashSet::new();
        let mut published = Vec::with_capacity(dated.len());
        for ((known, date, nth), name) in dated.into_iter().zip(names) {
            let Known {
                mut candidate,
                record: before,
                explicit,
            } = known;
            let seen = before.as_ref().map_or(self.now, |record| record.seen);
            let (id, minted) = match (&before, explicit) {
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
                    let name =
                        name.unwrap_or_else(|| self::name(&candidate.path, date, seen, self.site));
                    (numbered(name, &taken), minted)
                }
            };
            given.insert(id.clone());
            let former = before.as_ref();
            let mut was = former.map(|record| record.was.clone()).unwrap_or_default();
            if let Some(old) = former.filter(|record| record.id != id) {
                was.push(old.id.clone());
            }
            let record = Box::new(Record {
                path: Some(candidate.path.clone()),
                id,
                minted,
                seen,
                published: date,
                nth,
                undated: candidate.published.is_none(),
                updated: former.and_then(|record| record.updated),
                digest: std::mem::take(&mut candidate.digest),
                title: candidate.title.take(),
                page: former.and_then(|record| record.page.clone()),
                gone: None,
                was,
            });
            published.push(Published {
                candidate,
                before,
                record,
            });
        }
        published
    }

    /// Those whose text changed get instants one second apart, the last being now, each later than its former one.
    fn update(&mut self, published: &mut [Published]) {
        let changed: Vec<usize> = (0..published.len())
            .filter(|&i| {
                published[i]
                    .before
                    .as_ref()
                    .is_some_and(|before| before.digest != published[i].record.digest)
            })
            .collect();
        let mut behind = i64::try_from(changed.len()).unwrap_or(0);
        for i in changed {
            behind -= 1;
            let published = &mut published[i];
            let former = published
                .before
                .as_ref()
                .map_or(published.record.published, |former| {
                    former.effective_update()
                });
            let instant =
                (self.now - TimeDelta::seconds(behind)).max(former + TimeDelta::seconds(1));
            published.record.updated = Some(instant);
            self.found.updated.push(published.candidate.path.clone());
        }
    }

    /// Gives each article without a URL of its own the path of its page, once.
    fn page(&self, published: &mut [Published]) {
        if self.site.permalink.is_some() {
            return;
        }
        let pages = || self.ledger.records().filter_map(|record| record.page);
        let mut taken: Option<BTreeSet<String>> = None;
        for Published {
            candidate, record, ..
        } in published
        {
            let declared = candidate.slug.as_deref().and_then(slug::slug);
            let kept = record.page.as_deref().is_some_and(|page| match &declared {
                Some(declared) => is_numbered(location::name(page), declared),
                None => true,
            });
            if kept || candidate.has_url {
                continue;
            }
            let stem = slug::slug_path(&location::stem(&candidate.path));
            let page = match (declared, location::folder(&stem)) {
                (None, _) => stem,
                (Some(declared), "") => declared,
                (Some(declared), folder) => format!("{folder}/{declared}"),
            };
            let taken = taken.get_or_insert_with(|| pages().collect());
            let page = numbered(page, &|page| taken.contains(page));
            taken.insert(page.clone());
            record.page = Some(page);
        }
    }
}

/// What two files must have in common for one to be a copy of the other.
fn text_and_date(candidate: &Candidate) -> (&str, Option<Date>) {
    (&candidate.digest, candidate.published)
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
