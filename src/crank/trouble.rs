//! Why a turn published nothing, since when, and when it is tried again.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::TICK;
use crate::publisher::Halt;

/// How long the folder may be missing or too small before it is called so: half a deployment may be on its way.
pub(super) const GAP: Duration = Duration::from_secs(2);
/// How long a folder that shrank must stay so to be believed.
const BELIEVED: Duration = Duration::from_mins(5);
/// When what the world refused is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// When a folder that may come back at any moment is looked for again.
const SOON: Duration = Duration::from_millis(100);

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    kind: Kind,
    /// As it is told.
    pub(super) text: String,
    /// Since when it is of this kind.
    since: DateTime<Utc>,
    told: bool,
    /// When it is tried again.
    pub(super) again: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The folder is not there.
    Missing,
    /// The folder is suddenly too small.
    Shrunk,
    /// Another run is at work.
    Busy,
    /// The world failed.
    World,
}

impl Trouble {
    /// The trouble that `halt` is, after `before`, and whether it is to be told now. `offers` says whether there is
    /// something to offer meanwhile: who starts it for the first time waits for no deployment.
    pub(super) fn of(
        halt: &Halt,
        before: Option<&Self>,
        offers: bool,
        now: DateTime<Utc>,
        clock: Instant,
    ) -> (Self, bool) {
        let kind = match halt {
            Halt::Folder(_) => Kind::Missing,
            Halt::Shrunk(_) => Kind::Shrunk,
            Halt::Locked => Kind::Busy,
            Halt::Settings(_) | Halt::World(_) => Kind::World,
        };
        let text = halt.to_string();
        // a folder that was missing and is empty now has been empty only since now
        let same = before.filter(|before| before.kind == kind);
        let since = same.map_or(now, |before| before.since);
        let told = same.is_some_and(|before| before.told && before.text == text);
        let is_of_folder = matches!(kind, Kind::Missing | Kind::Shrunk);
        let is_short = offers && is_of_folder && age(since, now) < GAP;
        let pause = match kind {
            _ if is_short => SOON,
            Kind::World => RETRY,
            _ => TICK,
        };
        let is_busy = offers && kind == Kind::Busy;
        let speaks = !told && !is_short && !is_busy;
        let trouble = Self {
            kind,
            text,
            since,
            told: told || speaks,
            again: clock + pause,
        };
        (trouble, speaks)
    }

    /// Whether the folder has been too small for long enough to be meant so.
    pub(super) fn is_meant(&self, now: DateTime<Utc>) -> bool {
        self.kind == Kind::Shrunk && age(self.since, now) >= BELIEVED
    }
}

fn age(since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - since).to_std().unwrap_or_default()
}
