//! How the publisher is doing: told by the crank, read by `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::problem::Level;

/// What the last turn came to.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// How many turns there were.
    pub turns: u64,
    /// How many turns published nothing, since the world failed.
    pub failed: u64,
    /// How many editions were put in the place of another.
    pub editions: u64,
    /// How long the last turn took.
    pub build: Duration,
    /// When the documents last changed.
    pub changed: Option<DateTime<Utc>>,
    /// When something appears or goes next by itself.
    pub next: Option<DateTime<Utc>>,
    /// How many articles there are, by what they are: public, scheduled, draft …
    pub articles: BTreeMap<&'static str, u64>,
    /// How many problems there are, by their level.
    pub problems: BTreeMap<Level, u64>,
}

/// A status that many may read while one writes.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Status>>);

impl Board {
    /// Changes what is told.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        // counters are whole whatever their writer did
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is told now.
    #[must_use]
    pub fn read(&self) -> Status {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
