//! Files of others that are in the way of documents. They are kept under `.tidings/replaced/`, where nothing serves them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Disk;
use super::durable;
use super::publication::Claims;
use super::ready::Step;
use crate::edition::Manifest;
use crate::problem::Problem;

impl Disk {
    /// Keeps the file that is in the way of a document. Returns what the author should know.
    pub(super) fn set_aside(&self, step: &Step<'_>) -> Result<Option<Problem>> {
        let meta = match fs::symlink_metadata(&step.place) {
            Ok(meta) => meta,
            Err(error) if durable::is_absent(&error) => return Ok(None),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot look at `{}`", step.place.display()));
            }
        };
        let route = &step.document.route;
        if !meta.is_file() {
            return self.move_aside(&step.place).map(Some);
        }
        let bytes = fs::read(&step.place)
            .with_context(|| format!("cannot read `{}`", step.place.display()))?;
        let copy = self.keep_replaced(route, &bytes)?;
        let what = "was not written by tidings and is replaced";
        let remedy = format!("what it was is kept as `{}`", copy.display());
        Ok(Some(
            Problem::warning(step.place.display().to_string(), what).remedy(remedy),
        ))
    }

    /// Returns whether a file at the place of a document may be somebody else's: no run published it, or it is a feed with
    /// other bytes.
    pub(super) fn is_foreign(
        step: &Step<'_>,
        previous: Option<&Manifest>,
        pending: &Claims,
    ) -> bool {
        let route = &step.document.route;
        let known = previous.and_then(|manifest| manifest.documents.get(route));
        let Some(known) = known else {
            return true;
        };
        let is_file = fs::symlink_metadata(&step.place).is_ok_and(|meta| meta.is_file());
        if !is_file {
            return step.place.symlink_metadata().is_ok();
        }
        if !step.document.kind.is_feed() {
            return false;
        }
        let Ok(bytes) = fs::read(&step.place) else {
            return false;
        };
        let hash = crate::edition::hash(&bytes);
        let mut ours = pending.get(route).into_iter().flatten();
        known.hash != hash && !ours.any(|ours| *ours == hash)
    }

    /// Moves files and links out of the way of a folder and of the folders around it.
    pub(super) fn clear_folders(&self, folder: &Path) -> Result<Vec<Problem>> {
        let inside = folder.ancestors().take_while(|place| *place != self.feeds);
        let mut folders: Vec<&Path> = inside.collect();
        folders.reverse();
        let mut problems = Vec::new();
        for place in folders {
            match fs::symlink_metadata(place) {
                Ok(meta) if !meta.is_dir() => problems.push(self.move_aside(place)?),
                _ => {}
            }
        }
        Ok(problems)
    }

    /// Moves something out of the way. Fails where it may be the author's, or may hold documents.
    fn move_aside(&self, place: &Path) -> Result<Problem> {
        let failed = || format!("cannot move `{}` out of the way", place.display());
        // documents may lie behind a link to a folder, and where folders overlap anything may be the author's
        let articles = self
            .articles
            .as_ref()
            .and_then(|articles| articles.canonicalize().ok());
        let feeds = self.feeds.canonicalize().ok();
        let is_shared = articles.zip(feeds).is_some_and(|(articles, feeds)| {
            articles.starts_with(&feeds) || feeds.starts_with(&articles)
        });
        let is_link = place.is_symlink() && place.is_dir();
        if is_shared || is_link {
            bail!("`{}` is in the way; take it away", place.display());
        }
        let route = place.strip_prefix(&self.feeds).unwrap_or(place);
        let route = route.to_string_lossy();
        let mut copies = (1..).map(|number| self.replaced(&route, number));
        let copy = copies.find(|copy| copy.symlink_metadata().is_err());
        let copy = copy.with_context(failed)?;
        fs::create_dir_all(copy.parent().unwrap_or(&self.state)).with_context(failed)?;
        fs::rename(place, &copy).with_context(failed)?;
        let what = "is in the way of what tidings publishes and is moved";
        let remedy = format!("it is `{}` now", copy.display());
        Ok(Problem::warning(place.display().to_string(), what).remedy(remedy))
    }

    /// Returns the path of a copy of what was at a route. If a file or a link is in the way of its folder, the route becomes a
    /// flat name.
    fn replaced(&self, route: &str, number: u32) -> PathBuf {
        let folder = self.state.join("replaced");
        let end = if number > 1 {
            format!(".{number}")
        } else {
            String::new()
        };
        let copy = folder.join(format!("{route}{end}"));
        let above = copy
            .ancestors()
            .skip(1)
            .take_while(|place| *place != folder);
        let is_blocked = above
            .into_iter()
            .any(|place| fs::symlink_metadata(place).is_ok_and(|meta| !meta.is_dir()));
        if is_blocked {
            folder.join(format!("{}{end}", route.replace('/', "-")))
        } else {
            copy
        }
    }

    /// Keeps bytes under the name of their route. An earlier copy is never overwritten.
    pub(super) fn keep_replaced(&self, route: &str, bytes: &[u8]) -> Result<PathBuf> {
        let mut number = 1;
        loop {
            let copy = self.replaced(route, number);
            if copy.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
                number += 1;
                continue;
            }
            let kept = durable::read_if_there(&copy);
            let kept = kept.with_context(|| format!("cannot read `{}`", copy.display()))?;
            match kept {
                Some(kept) if kept == bytes => return Ok(copy),
                Some(_) => number += 1,
                None => {
                    durable::put(&copy, bytes)
                        .with_context(|| format!("cannot write `{}`", copy.display()))?;
                    return Ok(copy);
                }
            }
        }
    }
}
