//! Which record a new file belongs to, and the ids that are minted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::Record;
use super::observe::Candidate;
use crate::article::location;
use crate::site::Site;
use crate::site::slug::nfc;

/// `tag:HOST,DATE:PATH` (RFC 4151): the id of an article that was published, or first seen, on that day.
pub(super) fn name(
    path: &str,
    published: DateTime<Utc>,
    seen: DateTime<Utc>,
    site: &Site,
) -> String {
    let path = location::stem(path);
    let day = published.min(seen).date_naive();
    // as ISO 8601 has it
    let day = format!("{day:?}");
    format!("tag:{},{day}:{}", site.host(), site.tag_path(&nfc(&path)))
}

/// `name`, or the first of `name-2`, `name-3` … that is not taken.
pub(crate) fn numbered(name: String, taken: &dyn Fn(&str) -> bool) -> String {
    if !taken(&name) {
        return name;
    }
    let mut n = 2u64;
    while taken(&format!("{name}-{n}")) {
        n += 1;
    }
    format!("{name}-{n}")
}

/// Whether a file without a record says the same, with the same date, as what a record holds.
pub(super) fn same_date(candidate: &Candidate, record: &Record, site: &Site) -> bool {
    match candidate.published {
        None => record.undated,
        Some(date) => {
            !record.undated && date.instant(site.zone, record.nth.unwrap_or(0)) == record.published
        }
    }
}

/// New files that are articles which are gone: file's path → record's id.
///
/// First those whose digest is equal, then those with equal title and published date; only where one file fits
/// one record and no other.
pub(super) fn renames(
    gone: &[&Record],
    new: &[Box<Candidate>],
    site: &Site,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if gone.is_empty() || new.is_empty() {
        return found;
    }
    let by_digest = pairs(
        new.iter().map(|c| (c.digest.clone(), &**c)),
        gone.iter().map(|r| (r.digest.clone(), *r)),
        |_, _| true,
    );
    found.extend(by_digest);
    let taken: BTreeSet<&String> = found.values().collect();
    let by_title = pairs(
        new.iter()
            .filter(|c| !found.contains_key(&c.path))
            .filter_map(|c| Some((c.title.clone()?, &**c))),
        gone.iter()
            .filter(|r| !taken.contains(&r.id))
            .filter_map(|r| Some((r.title.clone()?, *r))),
        |candidate, record| candidate.published.is_some() && same_date(candidate, record, site),
    );
    found.extend(by_title);
    found
}

/// Of all pairs with one key that fit, those in which neither side fits another.
fn pairs<'a>(
    new: impl Iterator<Item = (String, &'a Candidate)>,
    gone: impl Iterator<Item = (String, &'a Record)>,
    fits: impl Fn(&Candidate, &Record) -> bool,
) -> Vec<(String, String)> {
    let mut by_key: HashMap<String, (Vec<&Candidate>, Vec<&Record>)> = HashMap::new();
    for (key, candidate) in new {
        by_key.entry(key).or_default().0.push(candidate);
    }
    for (key, record) in gone {
        if let Some((_, records)) = by_key.get_mut(&key) {
            records.push(record);
        }
    }
    let mut found = Vec::new();
    for (candidates, records) in by_key.into_values() {
        for candidate in &candidates {
            let mut fitting = records.iter().filter(|record| fits(candidate, record));
            if let (Some(record), None) = (fitting.next(), fitting.next())
                && candidates
                    .iter()
                    .filter(|other| fits(other, record))
                    .count()
                    == 1
            {
                found.push((candidate.path.clone(), record.id.clone()));
            }
        }
    }
    found
}
