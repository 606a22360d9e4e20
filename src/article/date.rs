//! Dates as authors write them.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

/// A date as it was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Date {
    /// A point in time, in whole seconds.
    Instant(DateTime<Utc>),
    /// A day without a time.
    Day(NaiveDate),
}

impl Date {
    /// The instant of the date: for a day `nth` seconds after its local midnight.
    #[must_use]
    pub fn instant(&self, _zone: Tz, _nth: u32) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}
