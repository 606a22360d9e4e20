//! Articles that arrive before the files that they show. They wait, and subscribers keep the last version.

use std::time::SystemTime;

use super::books::Books;
use super::read;
use super::{Catalogue, Config, Order};
use crate::article::markdown::silenced;
use crate::catalogue::{Number, Reading, Row};
use crate::folder::{self, Coming};
use crate::fragment;
use crate::ledger::Candidate;
use crate::link::Asked;
use crate::problem::Problem;

/// Why an article waits.
pub(super) enum Wait {
    /// A file that it shows is being copied.
    For(String),
    /// A file that it plays is missing, and the article was written a moment ago: the copy may be about to begin.
    Until(SystemTime),
}

/// Returns why an article should wait that could be public now; `None` if it should not.
pub(super) fn wait(
    number: Number,
    candidate: &Candidate,
    catalogue: &Catalogue,
    config: &Config,
    books: &Books,
    order: &Order,
    coming: &Coming,
) -> Option<Wait> {
    let zone = config.site.zone;
    let is_later = candidate
        .published
        .is_some_and(|date| date.instant(zone, 0) > order.now);
    let is_over = candidate
        .expires
        .is_some_and(|date| date.instant(zone, 0) <= order.now);
    if is_later || is_over {
        return None;
    }
    for_a_copy(number, candidate, catalogue, config, books, coming)
        .map(Wait::For)
        .or_else(|| for_a_moment(number, catalogue, config, order).map(Wait::Until))
}

fn for_a_copy(
    number: Number,
    candidate: &Candidate,
    catalogue: &Catalogue,
    config: &Config,
    books: &Books,
    coming: &Coming,
) -> Option<String> {
    if coming.is_empty() {
        return None;
    }
    let record = books.ledger.at(&candidate.path);
    let is_as_published =
        record.is_some_and(|record| record.gone.is_none() && record.digest == candidate.digest);
    let article = read::whole(config, catalogue, &books.state, number)?;
    // what makes rendering fail is told when it is rendered
    let asked = silenced(|| fragment::asked(&article, catalogue, &config.site)).ok()?;
    asked.into_iter().find_map(|asked| {
        let Asked::Asset(path) = asked else {
            return None;
        };
        // an article that was not changed goes on with the file's last version
        let has_version = is_as_published && catalogue.asset(&path).is_some();
        (coming.holds(&path) && !has_version).then_some(path)
    })
}

fn for_a_moment(
    number: Number,
    catalogue: &Catalogue,
    config: &Config,
    order: &Order,
) -> Option<SystemTime> {
    if !order.finished.is_watching() {
        return None;
    }
    let clock = (order.clock)();
    let age = folder::age(catalogue.row(number)?.stamp.ctime, clock)?;
    let left = folder::QUIET
        .checked_sub(age)
        .filter(|left| !left.is_zero())?;
    let article = catalogue.article(number)?;
    fragment::lacks_media(&article, catalogue, &config.site).then(|| clock + left)
}

/// The row of an article that waits.
pub(super) fn row(row: &Row, wait: &Wait) -> Row {
    let mut notes = row.notes();
    if let Wait::For(media) = wait {
        let what = format!("is held back: `{media}`, which it shows, is being copied");
        let remedy = "it is published as soon as the copy is whole; until then subscribers keep what they have";
        notes.push(Problem::warning(&*row.path, what).remedy(remedy));
    }
    let mut row = row.clone();
    // it is read again in the next turn
    row.trusted = false;
    row.with(Reading::Early, None, &notes)
}
