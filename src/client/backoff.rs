//! How long to wait before something that failed is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits that grow, up to a longest; each by chance up to a half shorter or longer, so that those that failed together do
/// not come again together.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// How many times as long as the one before each wait is.
    pub factor: u32,
    /// No wait is longer, but for chance.
    pub longest: Duration,
}

impl Backoff {
    /// How long to wait after so many failures in a row, at least 1.
    #[must_use]
    pub fn after(&self, failures: u32) -> Duration {
        let growth = self.factor.saturating_pow(failures.saturating_sub(1));
        let wait = self.first.saturating_mul(growth).min(self.longest);
        // nobody gains anything by guessing it
        let chance = (RandomState::new().hash_one(failures) % 1024) as u16;
        hurried(wait.mul_f64(0.5 + f64::from(chance) / 1024.0))
    }
}

/// For tests alone, and in no release: so many times shorter, as `TIDINGS_TEST_HURRY` says.
#[must_use]
pub fn hurried(wait: Duration) -> Duration {
    #[cfg(debug_assertions)]
    if let Some(times) = std::env::var("TIDINGS_TEST_HURRY")
        .ok()
        .and_then(|times| times.parse::<u32>().ok())
    {
        return wait / times.max(1);
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_differ_by_half_at_most() {
        let minute = Duration::from_mins(1);
        let backoff = Backoff {
            first: minute,
            factor: 2,
            longest: minute * 60,
        };
        for (failures, expected) in [(1, 1), (2, 2), (5, 16), (7, 60), (100, 60), (u32::MAX, 60)] {
            let wait = backoff.after(failures);
            let expected = minute * expected;
            assert!(
                wait >= expected / 2 && wait <= expected * 3 / 2,
                "{failures}: {wait:?}"
            );
        }
        let waits: std::collections::HashSet<Duration> =
            (0..20).map(|_| backoff.after(3)).collect();
        assert!(waits.len() > 10, "they come by chance");
    }
}
