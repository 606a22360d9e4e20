//! Any text is a date between the years 1 and 9999, or a message.
#![no_main]

use chrono::Datelike;
use libfuzzer_sys::fuzz_target;
use tidings::article::date::{in_path, parse};

fuzz_target!(|text: &str| {
    for zone in [chrono_tz::UTC, chrono_tz::America::New_York, chrono_tz::Pacific::Apia] {
        match parse(text, zone) {
            Ok(date) => {
                let instant = date.instant(zone, 0);
                assert!((0..=10_000).contains(&instant.year()));
                // what is written exactly is read exactly
                let exact = instant.to_rfc3339();
                if (1..=9999).contains(&instant.year()) {
                    assert_eq!(parse(&exact, zone).map(|date| date.instant(zone, 0)), Ok(instant));
                }
            }
            Err(message) => assert!(!message.is_empty()),
        }
    }
    let _ = in_path(text);
});
