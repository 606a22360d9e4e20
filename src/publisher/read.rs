//! From the folder to articles: scan, read and parse, and what stands in for what is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::{Halt, Order, Progress};
use crate::article::markdown::silenced;
use crate::article::{self, Article, Outcome, Section, Source, Visibility, location};
use crate::config::Config;
use crate::folder::{self, Fingerprint, Found};
use crate::ledger::Candidate;
use crate::link::Assets;
use crate::problem::Problem;
use crate::state::State;

/// What the folder of articles holds.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Articles that are for the public, if their dates allow.
    pub(super) candidates: Vec<Candidate>,
    /// The paths of all articles, public or not, whole or broken.
    pub(super) present: BTreeSet<String>,
    /// Articles that are there but could not be understood, nor replaced by an earlier version of theirs.
    pub(super) lost: Vec<Lost>,
    /// Articles that only a published feed still had: there is no source of theirs to keep.
    pub(super) resurrected: BTreeSet<String>,
    /// Articles that their authors keep back.
    pub(super) hidden: Vec<Hidden>,
    /// Paths of files that only lead elsewhere.
    pub(super) redirects: Vec<String>,
    /// Folders that cannot be listed.
    pub(super) closed: Vec<String>,
    /// What `_index.md` says of the folders that have one, by their paths.
    pub(super) sections: BTreeMap<String, Section>,
    /// Every other file.
    pub(super) assets: Assets,
    /// Where each asset lies.
    pub(super) places: BTreeMap<String, PathBuf>,
    /// How many files there are.
    pub(super) files: usize,
    /// What the folder looked like.
    pub(super) fingerprint: Option<Fingerprint>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

/// An article that is not for the public, and why.
#[derive(Debug, Clone)]
pub(super) struct Hidden {
    pub(super) article: Article,
    pub(super) why: String,
}

/// An article without any version that can be published from the folder or the state.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) path: String,
    pub(super) modified: DateTime<Utc>,
}

/// Reads the folder.
pub(super) fn folder(
    config: &Config,
    state: &State,
    order: &Order,
    progress: &dyn Progress,
) -> Result<Folder, Halt> {
    let root = &config.articles;
    let (mut waited, mut missed) = (Duration::ZERO, Duration::ZERO);
    let (scan, fingerprint, parsed) = loop {
        let mut scan = settled(root, order, &mut waited)?;
        if !order.allow_shrink && folder::shrunk(state.files, scan.files) {
            return Err(Halt::Shrunk(format!(
                "`{}` held {} files and holds {} now; the old feeds stay: use `--allow-shrink` if that is meant",
                root.display(),
                state.files,
                scan.files
            )));
        }
        let fingerprint = scan.fingerprint();
        progress.stage("reading", scan.articles.len());
        let parsed: Vec<Parsed> = scan
            .articles
            .par_iter()
            .map(|found| {
                let parsed = parse(found, config);
                progress.step();
                parsed
            })
            .collect();
        // whoever wrote between the look and the reading may not be done
        let is_whole = parsed.iter().all(|parsed| parsed.as_seen)
            && folder::unrest(&scan, &order.finished, (order.clock)()).is_zero();
        // an editor that puts the text aside before it writes the new one leaves a gap, and half a deployment too
        let has_gap = missed < folder::QUIET && order.finished.misses(&scan);
        if (is_whole && !has_gap) || waited >= PATIENCE {
            order.finished.remember(&scan);
            scan.articles.clear();
            break (scan, fingerprint, parsed);
        }
        missed = if has_gap {
            missed + PAUSE
        } else {
            Duration::ZERO
        };
        waited += PAUSE;
        std::thread::sleep(PAUSE);
    };
    let mut folder = Folder {
        files: scan.files,
        closed: scan.closed,
        problems: scan.problems,
        fingerprint: Some(fingerprint),
        ..Folder::default()
    };
    for found in &scan.sections {
        describe(&mut folder, found, config);
    }
    for (path, found) in scan.assets {
        folder.assets.insert(path.clone(), found.stamp.size);
        folder.places.insert(path, found.place);
    }
    for path in scan.broken {
        folder.present.insert(path.clone());
        fall_back(
            &mut folder,
            Lost {
                path,
                modified: order.now,
            },
            config,
            state,
        );
    }
    for parsed in parsed {
        take(&mut folder, parsed, config, state);
    }
    Ok(folder)
}

/// How long a file that is written again and again may keep others waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before what changed under our eyes is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// A scan in which no file was written a moment ago: it might be half written. Waits at most as long as is left.
fn settled(root: &Path, order: &Order, waited: &mut Duration) -> Result<folder::Scan, Halt> {
    loop {
        let scan = folder::scan(root).map_err(|error| {
            let remedy = "make it, or name another one with `--articles`";
            Halt::Folder(format!("{error}; {remedy}; until then the old feeds stay"))
        })?;
        let wait = folder::unrest(&scan, &order.finished, (order.clock)());
        if wait.is_zero() || *waited >= PATIENCE {
            return Ok(scan);
        }
        // in small steps: who writes may be done long before
        let pause = wait.min(PAUSE);
        std::thread::sleep(pause);
        *waited += pause;
    }
}

/// Takes down what an `_index.md` says of its folder.
fn describe(folder: &mut Folder, found: &Found, config: &Config) {
    let path = &found.path;
    let (section, problems) = match folder::read(found) {
        Ok((bytes, _)) => article::section(Source { path, bytes }, &config.dialect),
        Err(problem) => (
            Section {
                draft: true,
                ..Section::default()
            },
            vec![problem],
        ),
    };
    folder.problems.extend(problems);
    folder
        .sections
        .insert(location::folder(path).to_owned(), section);
}

impl Folder {
    /// An article that names no language is written in its folder's.
    fn lend_language(&self, article: &mut Article) {
        if article.language.is_none() {
            let around = self.around(&article.path);
            let mut languages = around.filter_map(|section| section.language.clone());
            article.language = languages.next();
        }
    }

    /// What is said of the folders around a path, the innermost first.
    fn around<'f>(&'f self, path: &'f str) -> impl Iterator<Item = &'f Section> {
        let folders = std::iter::successors(Some(location::folder(path)), |folder| {
            (!folder.is_empty()).then(|| location::folder(folder))
        });
        folders.filter_map(|folder| self.sections.get(folder))
    }
}

struct Parsed {
    path: String,
    modified: DateTime<Utc>,
    draft: bool,
    /// Whether what was read is what the scan saw.
    as_seen: bool,
    outcome: Outcome,
    problems: Vec<Problem>,
}

fn parse(found: &Found, config: &Config) -> Parsed {
    let mut as_seen = true;
    let (outcome, problems) = match folder::read(found) {
        Ok((bytes, stamp)) => {
            as_seen = stamp == found.stamp;
            let path = &found.path;
            let parsed = silenced(|| article::parse(Source { path, bytes }, &config.dialect));
            // a fault of ours in one file must not take the others along
            parsed.unwrap_or_else(|cause| (Outcome::Broken, vec![fault(path, &cause)]))
        }
        Err(problem) => (Outcome::Broken, vec![problem]),
    };
    Parsed {
        modified: found.stamp.modified(),
        path: found.path.clone(),
        draft: found.draft,
        as_seen,
        outcome,
        problems,
    }
}

/// What the author is told where we fail.
pub(super) fn fault(path: &str, cause: &str) -> Problem {
    Problem::error(path, format!("makes tidings fail ({cause})"))
        .remedy("please report this with the file; try to write it in a simpler way until then")
}

fn take(folder: &mut Folder, parsed: Parsed, config: &Config, state: &State) {
    let Parsed {
        path,
        modified,
        draft,
        outcome,
        problems,
        ..
    } = parsed;
    folder.problems.extend(problems);
    match outcome {
        Outcome::Other => folder.redirects.push(path),
        Outcome::Article(mut article) => {
            folder.lend_language(&mut article);
            let why = if article.visibility == Visibility::Draft {
                Some(article.why.clone().unwrap_or_default())
            } else if draft {
                Some("lies in a folder `_drafts`".to_owned())
            } else if folder.around(&path).any(|section| section.draft) {
                Some("the `_index.md` of its folder is a draft".to_owned())
            } else {
                None
            };
            folder.present.insert(path);
            match why {
                Some(why) => folder.hidden.push(Hidden {
                    article: *article,
                    why,
                }),
                None => folder.candidates.push(Candidate {
                    article: *article,
                    modified,
                }),
            }
        }
        Outcome::Broken | Outcome::Empty => {
            folder.present.insert(path.clone());
            fall_back(folder, Lost { path, modified }, config, state);
        }
    }
}

/// The last good version of an article whose file cannot be understood.
pub(super) fn fall_back(folder: &mut Folder, lost: Lost, config: &Config, state: &State) {
    if folder.around(&lost.path).any(|section| section.draft) {
        return;
    }
    let kept = state.good(&config.state(), &lost.path);
    match kept.and_then(|bytes| again(&lost.path, bytes, config)) {
        Some(mut article) => {
            folder.lend_language(&mut article);
            folder.problems.push(still_published(&lost.path));
            folder.candidates.push(Candidate {
                article,
                modified: lost.modified,
            });
        }
        None => folder.lost.push(lost),
    }
}

fn again(path: &str, bytes: Vec<u8>, config: &Config) -> Option<Article> {
    match article::parse(Source { path, bytes }, &config.dialect).0 {
        Outcome::Article(article) if article.visibility != Visibility::Draft => Some(*article),
        _ => None,
    }
}

/// What the author of a broken article is told when subscribers keep its last good version.
pub(super) fn still_published(path: &str) -> Problem {
    Problem::warning(
        path,
        "subscribers keep the last good version of this article",
    )
    .remedy("mend the file, or delete it to withdraw the article")
}
