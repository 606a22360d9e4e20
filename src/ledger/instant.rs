//! Instants as lines of the ledger hold them: RFC 3339 as `chrono` writes it, put together without its formatter, which
//! would take as long as all the rest of a line.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Serialize, Serializer};

/// Writes an instant.
pub(super) fn write<S: Serializer>(
    instant: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let nanos = instant.nanosecond();
    if !(0..=9999).contains(&instant.year()) || nanos >= 1_000_000_000 {
        return instant.serialize(serializer);
    }
    let mut text = String::with_capacity(32);
    let year = instant.year().unsigned_abs();
    digits(&mut text, year, 4);
    for (mark, number) in [
        ('-', instant.month()),
        ('-', instant.day()),
        ('T', instant.hour()),
        (':', instant.minute()),
        (':', instant.second()),
    ] {
        text.push(mark);
        digits(&mut text, number, 2);
    }
    if nanos > 0 {
        text.push('.');
        // in thousands, as many as are needed
        match nanos {
            _ if nanos.is_multiple_of(1_000_000) => digits(&mut text, nanos / 1_000_000, 3),
            _ if nanos.is_multiple_of(1_000) => digits(&mut text, nanos / 1_000, 6),
            _ => digits(&mut text, nanos, 9),
        }
    }
    text.push('Z');
    serializer.serialize_str(&text)
}

/// Writes an instant, if there is one.
#[allow(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn write_some<S: Serializer>(
    instant: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match instant {
        Some(instant) => write(instant, serializer),
        None => serializer.serialize_none(),
    }
}

fn digits(text: &mut String, number: u32, count: u32) {
    for place in (0..count).rev() {
        let digit = number / 10u32.pow(place) % 10;
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_is_written_as_chrono_writes_it(
            seconds in -70_000_000_000i64..300_000_000_000, nanos in 0u32..1_000_000_000, cut in 0usize..4
        ) {
            let unit = [1, 1_000, 1_000_000, 1_000_000_000][cut];
            let instant: DateTime<Utc> = DateTime::from_timestamp(seconds, nanos / unit * unit).unwrap();
            let mut written = Vec::new();
            super::write(&instant, &mut serde_json::Serializer::new(&mut written)).unwrap();
            prop_assert_eq!(written, serde_json::to_vec(&instant).unwrap());
        }
    }
}
