//! Renderings of articles, and of what each was made: one is made anew where that is another thing than it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::Catalogue;
use super::desk::{Desk, Shown};
use super::fallback::{self, Fallback, Step};
use super::rendering::{Rendering, Studio};
use crate::article::markdown::silenced;
use crate::catalogue::{Entry, Number, Reading};
use crate::fragment::{self, Fragment};
use crate::problem::Problem;
use crate::site::Site;
use crate::state::Intake;

/// The version of all that a rendering is made of, where it is known without rendering.
pub(super) type Looks = HashMap<Number, u64>;

pub(super) fn looks(
    shown: &BTreeSet<Number>,
    stirred: &BTreeSet<Number>,
    desk: &mut Desk,
    site: &Site,
) -> Looks {
    let Desk {
        catalogue,
        shown: known,
        looks: before,
        fallbacks,
        ..
    } = desk;
    let anew = |number: &Number| {
        let row = catalogue.row(*number)?;
        let before = known.get(&*row.path)?;
        let step = fallback::of(fallbacks, catalogue, *number).map(|fallback| fallback.step);
        let is_same = before.version == catalogue.version(*number) && before.step == step;
        let mut asked = before.asked.iter();
        let holds =
            is_same && asked.all(|(asked, answer)| asked.answer(catalogue, site) == *answer);
        holds.then(|| look(before))
    };
    // an article that nobody touched asks others what it asked before: if their answers are the same, so is all
    let (outlook, before) = std::mem::take(before);
    let is_as_before = outlook == catalogue.outlook();
    let mut looks = if is_as_before { before } else { Looks::new() };
    looks.retain(|number, _| shown.contains(number) && !stirred.contains(number));
    debug_assert!(
        looks
            .iter()
            .all(|(number, look)| anew(number) == Some(*look))
    );
    let missing: Vec<Number> = shown
        .iter()
        .filter(|number| !looks.contains_key(number))
        .copied()
        .collect();
    let found = missing.par_iter();
    looks.par_extend(found.filter_map(|number| Some((*number, anew(number)?))));
    looks
}

fn look(shown: &Shown) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&shown.version.to_le_bytes());
    hasher.update(&[shown.step.map_or(0, |step| step as u8 + 1)]);
    for (_, answer) in &shown.asked {
        hasher.update(&answer.to_le_bytes());
    }
    short(&hasher)
}

/// The first 64 bits of a hash.
pub(super) fn short(hasher: &blake3::Hasher) -> u64 {
    let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8]
        .try_into()
        .unwrap_or_default();
    u64::from_le_bytes(bytes)
}

pub(super) type Fragments = BTreeMap<Number, Arc<Fragment>>;

/// The renderings of these, made where they are not known.
pub(super) fn fragments(
    stale: &BTreeSet<Number>,
    studio: &Studio<'_>,
    desk: &mut Desk,
    site: &Site,
    looks: &mut Looks,
    rendering: &mut Rendering,
) -> Fragments {
    let (catalogue, known) = (&desk.catalogue, &*desk);
    let fallback_of = |number| fallback::of(&known.fallbacks, catalogue, number);
    let mut fragments = Fragments::new();
    let mut missing = Vec::new();
    for number in stale {
        let known = desk.fragments.get(number);
        match known.filter(|(look, _)| looks.get(number) == Some(look)) {
            Some((_, fragment)) => {
                fragments.insert(*number, Arc::clone(fragment));
            }
            None => missing.push(*number),
        }
    }
    studio.progress.stage("rendering", missing.len());
    let intake = studio.state.sources.intake(&studio.config.state());
    let rendered: Vec<(Number, Rendered)> = missing
        .par_iter()
        .map(|number| {
            let rendered = one(
                *number,
                studio,
                catalogue,
                site,
                &intake,
                fallback_of(*number),
            );
            studio.progress.step();
            (*number, rendered)
        })
        .collect();
    rendering.sources = intake.close();
    for (number, rendered) in rendered {
        let path = desk.catalogue.row(number).map(|row| row.path.to_string());
        let path = path.unwrap_or_default();
        match rendered {
            Rendered::Whole(made) => {
                let (fragment, shown) = *made;
                let (look, is_known) = (look(&shown), shown.version != UNKNOWN);
                desk.shown.insert(path, shown);
                let fragment = Arc::new(fragment);
                if !is_known {
                    looks.remove(&number);
                    fragments.insert(number, fragment);
                    continue;
                }
                looks.insert(number, look);
                desk.fragments.insert(number, (look, Arc::clone(&fragment)));
                desk.is_restocked = true;
                fragments.insert(number, fragment);
            }
            Rendered::Not(problem) => {
                looks.remove(&number);
                desk.shown.remove(&path);
                desk.unshown.push(path);
                rendering.notes.push(problem);
            }
        }
    }
    fragments
}

/// The version of what is not what its file says now.
const UNKNOWN: u64 = 0;

enum Rendered {
    /// With what it is made of.
    Whole(Box<(Fragment, Shown)>),
    Not(Problem),
}

fn one(
    number: Number,
    studio: &Studio<'_>,
    catalogue: &Catalogue,
    site: &Site,
    intake: &Intake<'_>,
    fallback: Option<&Fallback>,
) -> Rendered {
    let row = catalogue.row(number);
    let path = row.map_or("", |row| &row.path);
    let step = fallback.map(|fallback| fallback.step);
    let is_current = fallback.is_none_or(|fallback| !fallback.is_withheld());
    let mut published = None;
    let whole = match step {
        Some(Step::Out) => None,
        Some(Step::Previous) => {
            published = super::recovery::published_entry(studio, path);
            super::read::previous(studio, catalogue, number)
        }
        _ => super::read::whole(studio.config, catalogue, studio.state, number),
    };
    if let (None, Some(Step::Out | Step::Previous), Some(fallback)) = (&whole, step, fallback) {
        let problem = fallback.problem_without(path);
        return Rendered::Not(problem.unwrap_or_else(|| unread(path)));
    }
    // a disk that fails for a moment takes nothing away: what subscribers have stays
    let is_unread = whole.is_none();
    let whole = whole.or_else(|| super::read::previous(studio, catalogue, number));
    let entry = whole.and_then(|article| {
        let mut public = row?.public()?;
        // an earlier version was changed earlier
        if let Some(published) = published {
            public.updated = published.updated.unwrap_or(public.updated);
        }
        Some(Entry::new(&public, article))
    });
    let Some(entry) = entry else {
        return Rendered::Not(unread(path));
    };
    let wanted = fragment::media_files(&entry.article, catalogue, site);
    let media = wanted.into_iter().map(|path| {
        let place = super::read::place(studio.config, catalogue, &path);
        (path, crate::folder::media(&place))
    });
    let media = media.collect();
    // a fault of ours in one article must not take the others along
    match silenced(|| fragment::render(&entry, catalogue, site, &media)) {
        Ok(mut fragment) => {
            if step == Some(Step::Plain) {
                fallback::strip(&mut fragment);
            }
            fragment
                .problems
                .extend(fallback.and_then(|fallback| fallback.problem(path)));
            if is_unread {
                let problem = Problem::error(path, "could not be read again when it was rendered");
                let remedy = "subscribers keep its last good version; the next run reads it";
                fragment.problems.push(problem.remedy(remedy));
            }
            let asked = fragment
                .asked
                .iter()
                .map(|asked| (asked.clone(), asked.answer(catalogue, site)));
            let notes = if fragment.problems.is_empty() {
                String::new()
            } else {
                serde_json::to_string(&fragment.problems).unwrap_or_default()
            };
            let shown = Shown {
                // it is made again by the next run
                version: if is_unread {
                    UNKNOWN
                } else {
                    catalogue.version(number)
                },
                asked: asked.collect(),
                step,
                assets: fragment.assets.clone(),
                notes,
                page: None,
                is_new: true,
            };
            let is_file = row.is_some_and(|row| row.reading == Reading::Whole);
            // what is kept is what subscribers have
            if is_file && !studio.is_dry && is_current && !is_unread {
                intake.put(path, entry.article.body.file.as_bytes());
            }
            Rendered::Whole(Box::new((fragment, shown)))
        }
        Err(cause) => Rendered::Not(super::read::fault(path, &cause)),
    }
}

fn unread(path: &str) -> Problem {
    Problem::warning(path, "is there no longer, or is being written")
        .remedy("the next run reads it")
}
