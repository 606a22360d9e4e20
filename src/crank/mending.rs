//! How often a watch on the folder may give way to another.

use std::time::{Duration, Instant};

use super::TICK;

/// When a watch that may be deaf to something may give way to another: the more often that happens, the rarer it must be, since
/// it costs a walk through all folders.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mending {
    /// When it was done last, and how long to wait from then.
    last: Option<(Instant, Duration)>,
}

impl Mending {
    pub(super) fn is_due(self, now: Instant) -> bool {
        self.last
            .is_none_or(|(last, pause)| now.duration_since(last) >= pause)
    }

    /// It was done now; at least once in `longest` it may be done.
    pub(super) fn after(self, now: Instant, longest: Duration) -> Self {
        let pause = match self.last {
            Some((last, pause)) if now.duration_since(last) < 4 * pause => 2 * pause,
            _ => TICK,
        };
        Self {
            last: Some((now, pause.min(longest))),
        }
    }
}
