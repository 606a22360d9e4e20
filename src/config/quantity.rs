//! Durations and sizes as people write them: `30 minutes`, `512 KiB`.

use std::time::Duration;

/// A number and a unit of time, from seconds to years (of 365 days).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write it like `30 minutes` or `90 days`");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let seconds = match unit.trim_end_matches('s') {
        "" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        "d" | "day" => 86400,
        "w" | "week" => 7 * 86400,
        "month" => 30 * 86400,
        "y" | "year" => 365 * 86400,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// A duration in whole minutes, at least 1.
pub(super) fn minutes(text: &str) -> Result<u32, String> {
    let minutes = duration(text)?.as_secs().div_ceil(60);
    u32::try_from(minutes).map_err(|_| format!("`{text}` is too long; use at most a few days"))
}

/// A number and a unit of bytes: `512 KiB`, `1 MB`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let wrong = || {
        format!("`{text}` is no size; write it like `512 KiB` or `1 MiB`, or as a number of bytes")
    };
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let factor: u64 = match unit.as_str() {
        "" | "b" | "byte" | "bytes" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(factor)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

fn split(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((
        text[..end].parse().ok()?,
        text[end..].trim().to_ascii_lowercase(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("30 minutes", 1800),
            ("60 seconds", 60),
            ("1 h", 3600),
            ("90 days", 90 * 86400),
            ("2 weeks", 1_209_600),
            ("45", 45),
        ] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for (text, size) in [("512 KiB", 524_288), ("1MB", 1_000_000), ("100", 100)] {
            assert_eq!(bytes(text).unwrap(), size, "{text}");
        }
        for text in [
            "",
            "soon",
            "-1 day",
            "0 minutes",
            "3 fortnights",
            "99999999999999999999 d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
