//! The stock: renderings of what the configured feeds show, and what the gate found fit, kept in the state folder so that
//! the next process need not make and read them again. It may be lost, as the cache may.

use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Config;
use super::desk::Desk;
use crate::cache;
use crate::catalogue::Number;
use crate::check::{self, Fit};
use crate::fragment::Fragment;

/// Its file, in the state folder.
const FILE: &str = "stock";
/// So many bytes of text are kept at most: a feed of everything is rendered anew by each process.
const MOST: usize = 8 << 20;

/// What is kept: renderings with the paths of their articles and their versions.
#[derive(Debug, Serialize, Deserialize)]
struct Stock<P, F> {
    fragments: Vec<(P, u64, F)>,
    fit: Fit,
}

impl Desk {
    /// Takes what the last process kept, once.
    pub(super) fn fetch_stock(&mut self, config: &Config) {
        let Some(name) = self.stock.filter(|_| !self.has_fetched) else {
            return;
        };
        self.has_fetched = true;
        let stock = cache::recall::<Stock<String, Fragment>>(&config.state(), FILE, name);
        let Some(stock) = stock else {
            return;
        };
        check::trust(stock.fit);
        for (path, look, fragment) in stock.fragments {
            if let Some(number) = self.catalogue.number(&path) {
                self.fragments.insert(number, (look, Arc::new(fragment)));
            }
        }
    }

    /// Which renderings are worth keeping when the turn is over: all, where turns follow each other; else those of
    /// `favourites`, which the configured feeds show.
    pub(super) fn sort_out(&mut self, favourites: &[Number], shown: impl Fn(Number) -> bool) {
        let mut left = MOST;
        self.favourites = favourites
            .iter()
            .filter(|number| {
                let known = self.fragments.get(number);
                let size = known.map_or(0, |(_, fragment)| fragment.item.html.len());
                left = left.saturating_sub(size);
                left > 0 && known.is_some()
            })
            .copied()
            .collect();
        if self.stays {
            self.fragments.retain(|number, _| shown(*number));
        } else {
            let favourites = &self.favourites;
            self.fragments
                .retain(|number, _| favourites.contains(number));
        }
    }

    /// Keeps the stock for the next process.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn keep_stock(&mut self, config: &Config) -> Result<()> {
        if !std::mem::take(&mut self.is_restocked) {
            return Ok(());
        }
        let fragments = self.favourites.iter().filter_map(|number| {
            let (look, fragment) = self.fragments.get(number)?;
            Some((&*self.catalogue.row(*number)?.path, *look, &**fragment))
        });
        let stock = Stock {
            fragments: fragments.collect(),
            fit: check::fit(),
        };
        self.stock = Some(cache::remember(&config.state(), FILE, &stock)?);
        self.has_fetched = true;
        Ok(())
    }
}
