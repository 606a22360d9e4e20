//! What was found in the folder meets the ledger: what is public now, and under which id.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::books::Books;
use super::desk::Desk;
use super::early::{self, Wait};
use super::read::{self, Applied, Look, Offer};
use super::{Config, Observation, Order};
use crate::catalogue::{Number, Touched};
use crate::ledger::Now;

/// What came of it.
pub(super) struct Met {
    pub(super) seen: Observation,
    /// The rows of which something may be new.
    pub(super) touched: BTreeSet<Number>,
    /// The paths of files that are gone.
    pub(super) gone: Vec<String>,
}

/// Takes over what was found, and lets the ledger decide.
pub(super) fn observe(
    config: &Config,
    books: &mut Books,
    desk: &mut Desk,
    mut look: Look,
    order: &Order,
    clock: DateTime<Utc>,
) -> Met {
    desk.has_walked |= look.is_thorough();
    let coming = std::mem::take(&mut look.coming);
    let until = coming.until().map(DateTime::from);
    let Applied {
        numbers: mut touched,
        gone,
    } = look.apply(&mut desk.catalogue, &mut desk.aside);
    let is_suspect = books.examine(config, &desk.catalogue);
    let closed = books.hold_closed(&desk.aside.closed);
    touched.extend(desk.catalogue.put(closed));
    let is_settled = desk.is_settled && !is_suspect;
    if !is_settled {
        touched = desk.catalogue.rows().map(|(number, _)| number).collect();
    }
    let (mut candidates, mut lost, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let is_whole = |number: &Number| {
        let row = desk.catalogue.row(*number);
        row.is_none_or(|row| !row.is_stood_in_for())
    };
    let (whole, mut broken): (Vec<Number>, Vec<Number>) = touched.iter().partition(|n| is_whole(n));
    let catalogue = &desk.catalogue;
    let offers = whole.par_iter().map(|number| {
        let offer = read::offer(catalogue, *number, config);
        let wait = match &offer {
            Offer::Candidate(candidate) => {
                early::wait(*number, candidate, catalogue, config, books, order, &coming)
            }
            _ => None,
        };
        (*number, offer, wait)
    });
    let offers: Vec<(Number, Offer, Option<Wait>)> = offers.collect();
    let mut whole = Vec::with_capacity(offers.len());
    desk.aside.until = until;
    for (number, offer, wait) in offers {
        let row = wait
            .as_ref()
            .and_then(|wait| Some(early::row(desk.catalogue.row(number)?, wait)));
        let (Some(wait), Some(row)) = (wait, row) else {
            whole.push((number, offer));
            continue;
        };
        if let Wait::Until(instant) = wait {
            let instant = instant.into();
            let until = desk.aside.until.get_or_insert(instant);
            *until = (*until).min(instant);
        }
        desk.catalogue.put(vec![row]);
        broken.push(number);
    }
    let living = OnceCell::new();
    let offers = whole.into_iter().chain(broken.into_iter().map(|number| {
        let offer = read::fall_back(
            &mut desk.catalogue,
            number,
            config,
            books,
            order,
            &living,
            &mut problems,
        );
        (number, offer)
    }));
    let mut waiting = BTreeSet::new();
    for (number, offer) in offers {
        match offer {
            Offer::Candidate(candidate) => {
                waiting.insert(number);
                candidates.push(candidate);
            }
            Offer::Lost => lost.push(number),
            Offer::Hidden(_) | Offer::Aside(_) | Offer::No => {}
        }
    }
    let offered = candidates.len();
    books.mend(
        config,
        &mut desk.catalogue,
        is_suspect,
        &lost,
        &mut candidates,
        &mut problems,
    );
    // of what is lost, that which was found again in the published feeds
    waiting.extend(
        candidates[offered..]
            .iter()
            .filter_map(|candidate| desk.catalogue.number(&candidate.path)),
    );
    let paths = is_settled.then(|| {
        let rows = touched
            .iter()
            .filter_map(|number| desk.catalogue.row(*number));
        let paths = rows.map(|row| row.path.to_string());
        paths
            .chain(gone.iter().cloned())
            .collect::<BTreeSet<String>>()
    });
    let present = Touched {
        catalogue: &desk.catalogue,
        numbers: &touched,
        paths: paths.as_ref(),
    };
    let now = Now {
        instant: order.now,
        clock,
    };
    let mut seen = books
        .ledger
        .observe(&present, candidates, &config.site, now);
    seen.problems.extend(problems);
    let public = std::mem::take(&mut seen.public);
    desk.catalogue
        .publish(&touched, public, &waiting, &config.site);
    desk.is_settled = true;
    let gone = gone
        .into_iter()
        .filter(|path| desk.catalogue.number(path).is_none());
    Met {
        seen,
        touched,
        gone: gone.collect(),
    }
}
