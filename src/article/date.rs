//! Dates as authors write them.

use std::borrow::Cow;

use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
    TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A date as it was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Date {
    /// A point in time, in whole seconds.
    Instant(#[serde(with = "chrono::serde::ts_seconds")] DateTime<Utc>),
    /// A day without a time.
    Day(NaiveDate),
}

impl Date {
    /// The instant of the date: for a day `nth` seconds after its local midnight.
    #[must_use]
    pub fn instant(&self, zone: Tz, nth: u32) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => *instant,
            Self::Day(day) => {
                local(day.and_time(NaiveTime::MIN), zone) + TimeDelta::seconds(i64::from(nth))
            }
        }
    }
}

/// The instant of a local time: one in a gap moves forward by the gap, one in an overlap is the earlier instant.
fn local(time: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&time) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            // the offset that was valid a day before is the one that the author had in mind
            let before = time - TimeDelta::days(1);
            let offset = zone.offset_from_utc_datetime(&before);
            let offset = chrono::Offset::fix(&offset);
            (time - TimeDelta::seconds(i64::from(offset.local_minus_utc()))).and_utc()
        }
    }
}

/// Reads a date in any of the forms that authors use.
///
/// # Errors
/// Why it is none, and what to write.
pub fn parse(text: &str, zone: Tz) -> Result<Date, String> {
    let text = text.trim();
    let date = match read(text, zone)? {
        // a leap second is the second before, and parts of seconds nobody asks for
        Date::Instant(instant) => Date::Instant(instant.with_nanosecond(0).unwrap_or(instant)),
        day @ Date::Day(_) => day,
    };
    let year = match date {
        Date::Instant(instant) => instant.year(),
        Date::Day(day) => day.year(),
    };
    if (1..=9999).contains(&year) {
        Ok(date)
    } else {
        Err(format!(
            "`{text}` is no date: the year is out of range; {EXAMPLE}"
        ))
    }
}

const EXAMPLE: &str = "write it like `2026-09-14` or `2026-09-14T07:45:00+02:00`";

fn read(text: &str, zone: Tz) -> Result<Date, String> {
    if let Some(date) = compact(text, zone) {
        return Ok(date);
    }
    if text.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && let Some((day, rest)) = numeric_day(text)?
    {
        return time_of(day, rest, zone).ok_or_else(|| impossible(text));
    }
    if let Some((day, rest)) = worded_day(text) {
        return time_of(day, &rest, zone).ok_or_else(|| impossible(text));
    }
    // a year of two digits, and comments; the library guesses what it does not know of a zone
    let zone = text.rsplit(' ').next().and_then(offset_of);
    match DateTime::parse_from_rfc2822(text) {
        Ok(instant) if zone.is_some() => Ok(Date::Instant(instant.to_utc())),
        _ => Err(impossible(text)),
    }
}

fn impossible(text: &str) -> String {
    format!(
        "`{}` is no date that can be understood; {EXAMPLE}",
        text.chars().take(60).collect::<String>()
    )
}

/// Reads digits alone: a day (`20240501`), a day and a time (`20240501T100000Z`, `20240501100000`), or the seconds (9 or
/// 10 digits) or milliseconds (12 or 13) since 1970.
fn compact(text: &str, zone: Tz) -> Option<Date> {
    let (digits, rest) = number(text);
    let number: i64 = digits.parse().ok()?;
    match digits.len() {
        8 if rest.is_empty() => Some(Date::Day(compact_day(digits)?)),
        8 => {
            let rest = rest.strip_prefix(['T', 't', ' '])?;
            let (time, rest) = self::number(rest);
            compact_time(compact_day(digits)?, time, rest, zone)
        }
        9 | 10 if rest.is_empty() => DateTime::from_timestamp(number, 0).map(Date::Instant),
        12 | 13 if rest.is_empty() => DateTime::from_timestamp_millis(number).map(Date::Instant),
        14 if rest.is_empty() => {
            let (day, time) = digits.split_at(8);
            compact_time(compact_day(day)?, time, "", zone)
        }
        _ => None,
    }
}

fn compact_day(digits: &str) -> Option<NaiveDate> {
    date(digits.get(..4)?, digits.get(4..6)?, digits.get(6..)?)
}

/// Reads `1000` or `100000`, with or without a zone.
fn compact_time(day: NaiveDate, time: &str, rest: &str, zone: Tz) -> Option<Date> {
    let time = match time.len() {
        4 => format!("{}:{}", &time[..2], &time[2..]),
        6 => format!("{}:{}:{}", &time[..2], &time[2..4], &time[4..]),
        _ => return None,
    };
    time_of(day, &format!("{time}{rest}"), zone)
}

/// `2024-05-01`, `2024/5/1`, `1.5.2024` at the beginning of `text`, and what follows. `03/05/2024` is two days.
fn numeric_day(text: &str) -> Result<Option<(NaiveDate, &str)>, String> {
    let (first, rest) = number(text);
    let separator = rest.chars().next();
    if let Some(separator) = separator.filter(|c| matches!(c, '-' | '/' | '.')) {
        let (month, rest) = number(&rest[1..]);
        if let Some(rest) = rest.strip_prefix(separator) {
            let (day, rest) = number(rest);
            // with dots the day stands first wherever dates are written so
            if separator == '.'
                && matches!((first.len(), month.len()), (1 | 2, 1 | 2))
                && day.len() == 4
            {
                let date = date(day, month, first);
                return date
                    .map(|date| Some((date, rest)))
                    .ok_or_else(|| impossible(text));
            }
            let numbers = (first.parse::<u32>(), month.parse::<u32>());
            if day.len() == 4
                && let (Ok(a), Ok(b)) = numbers
                && ((a > 12) != (b > 12) || a == b)
            {
                // no month has such a number: only one of the two can be it
                let date = if a > 12 {
                    date(day, month, first)
                } else {
                    date(day, first, month)
                };
                return date
                    .map(|date| Some((date, rest)))
                    .ok_or_else(|| impossible(text));
            }
            if first.len() <= 2 && day.len() == 4 {
                return Err(format!(
                    "`{text}` is ambiguous: day and month may be either; write it as `{day}-MM-DD`"
                ));
            }
            let fits =
                first.len() == 4 && matches!(month.len(), 1 | 2) && matches!(day.len(), 1 | 2);
            let date = fits.then(|| date(first, month, day)).flatten();
            return date
                .map(|date| Some((date, rest)))
                .ok_or_else(|| impossible(text));
        }
        return Err(impossible(text));
    }
    Ok(None)
}

fn date(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

fn number(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// `May 1, 2024`, `1 May 2024`, with or without a weekday in front and a time behind; the time may stand before the
/// year, as Git and C write it.
fn worded_day(text: &str) -> Option<(NaiveDate, Cow<'_, str>)> {
    let mut words = Words(text);
    let mut first = words.next()?;
    if is_weekday(first) {
        first = words.next()?;
    }
    let second = words.next()?;
    let (month, day) = match month(first) {
        Some(month) => (month, second),
        None => (month(second)?, first),
    };
    let day = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_year = |word: &&str| word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
    let next = words.next()?;
    let (year, rest) = if next.contains(':') {
        let year = words.0.split_whitespace().find(is_year)?;
        let zone = words.0.split_whitespace().filter(|word| *word != year);
        let time = std::iter::once(next).chain(zone);
        (year, time.collect::<Vec<_>>().join(" ").into())
    } else {
        (Some(next).filter(is_year)?, words.0.into())
    };
    let day = NaiveDate::from_ymd_opt(year.parse().ok()?, month, day.parse().ok()?)?;
    Some((day, rest))
}

struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches([' ', ',', '.']);
        let end = text.find([' ', ',', '.']).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

fn is_weekday(word: &str) -> bool {
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
    .iter()
    .any(|day| abbreviates(word, day))
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let index = MONTHS.iter().position(|month| abbreviates(word, month))?;
    u32::try_from(index + 1).ok()
}

fn abbreviates(word: &str, whole: &str) -> bool {
    word.len() >= 3 && whole.starts_with(&word.to_ascii_lowercase())
}

/// The time and zone behind a day; none is a day without a time.
fn time_of(day: NaiveDate, rest: &str, zone: Tz) -> Option<Date> {
    let rest = rest.trim_start_matches(['T', 't', ' ', ',']).trim_end();
    if rest.is_empty() {
        return Some(Date::Day(day));
    }
    let (time, behind) = clock(rest)?;
    let time = day.and_time(time);
    // some write the year once more there
    let behind = behind.trim_start();
    let behind = behind
        .strip_prefix(&*format!("{} ", day.year()))
        .unwrap_or(behind);
    // JavaScript writes the name of the zone in parentheses behind its offset
    let behind = match behind.split_once('(') {
        Some((offset, name)) if !offset.trim().is_empty() && name.trim_end().ends_with(')') => {
            offset
        }
        _ => behind,
    };
    // Go writes the name of the zone behind the offset, and RFC 9557 puts it into brackets: the offset tells
    let behind = behind.trim();
    let offset = behind.split([' ', '[']).next().unwrap_or_default();
    let is_named = offset.starts_with(['+', '-']) || matches!(offset, "Z" | "z");
    let name = behind[offset.len()..].trim_matches([' ', '[', ']']);
    let is_name = name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
    let behind = if is_named && is_name { offset } else { behind };
    let instant = match behind {
        "" => local(time, zone),
        name if name.contains('/') => local(time, name.parse().ok()?),
        name => FixedOffset::east_opt(offset_of(name)?)?
            .from_local_datetime(&time)
            .single()?
            .to_utc(),
    };
    Some(Date::Instant(instant))
}

/// The offset of a zone that is written as a number or by a name, in seconds.
///
/// The names are those of RFC 822 §5.1 and of Europe's zones. `IST`, `BST`, `CST` of China and their kin are several zones
/// each; of these only what RFC 822 defines is read.
fn offset_of(name: &str) -> Option<i32> {
    const HOURS: [(&str, i32); 19] = [
        ("Z", 0),
        ("UTC", 0),
        ("UT", 0),
        ("GMT", 0),
        ("EST", -5),
        ("EDT", -4),
        ("CST", -6),
        ("CDT", -5),
        ("MST", -7),
        ("MDT", -6),
        ("PST", -8),
        ("PDT", -7),
        ("WET", 0),
        ("WEST", 1),
        ("CET", 1),
        ("CEST", 2),
        ("MESZ", 2),
        ("EET", 2),
        ("EEST", 3),
    ];
    let known = HOURS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, hours)) = known {
        return Some(hours * 3600);
    }
    // Nikola writes `UTC+02:00`
    let upper = name.to_ascii_uppercase();
    let number = upper.strip_prefix("UTC").or(upper.strip_prefix("GMT"));
    offset(number.unwrap_or(&upper).trim_start())
}

/// `07:45`, `07:45:00`, `07:45:00.123`, `7:45 pm`; fractions are cut off, and a leap second is the second before.
fn clock(text: &str) -> Option<(NaiveTime, &str)> {
    let (hour, rest) = number(text);
    let (minute, mut rest) = number(rest.strip_prefix(':')?);
    let mut second = "0";
    if let Some(behind) = rest.strip_prefix(':') {
        (second, rest) = number(behind);
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            rest = number(fraction).1;
        }
    }
    if !matches!(hour.len(), 1 | 2) || minute.len() != 2 || second.len() > 2 {
        return None;
    }
    let mut hour: u32 = hour.parse().ok()?;
    let behind = rest.trim_start();
    let ends = !behind
        .get(2..)
        .unwrap_or_default()
        .starts_with(char::is_alphabetic);
    let half = behind
        .get(..2)
        .filter(|_| ends)
        .map(str::to_ascii_lowercase);
    if let Some(half @ ("am" | "pm")) = half.as_deref() {
        hour = (1..=12)
            .contains(&hour)
            .then_some(hour % 12 + if half == "pm" { 12 } else { 0 })?;
        rest = &behind[2..];
    }
    let second: u32 = second.parse().ok()?;
    let second = if second == 60 { 59 } else { second };
    Some((
        NaiveTime::from_hms_opt(hour, minute.parse().ok()?, second)?,
        rest,
    ))
}

/// `+02:00`, `+0200`, `-05`, in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix(['-', '−'])?),
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let digits = digits.trim_end();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits, "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Finds a date in a path: `2024-05-01-x.md`, `2024/05/01/x`. The last part that has one counts.
#[must_use]
pub fn in_path(path: &str) -> Option<Date> {
    let named = segments(path).rev().filter_map(in_name);
    let nested = nested(path).into_iter().rev();
    let days = named.chain(nested);
    let mut days = days.filter_map(|[year, month, day]| date(year, month, day));
    days.find(|day| (1970..=9999).contains(&day.year()))
        .map(Date::Day)
}

/// Finds what has the form of a date in a path, and names a day that no calendar has: `2024-02-30-x.md`.
#[must_use]
pub fn impossible_in_path(path: &str) -> Option<String> {
    let named = segments(path).rev().filter_map(in_name);
    let nested = nested(path).into_iter().rev();
    let nested = nested.filter(|parts| parts[1..].iter().all(|part| part.len() == 2));
    let mut forms = named.chain(nested);
    // numbers of telephones and of parts have that form, too
    let is_year = |year: &str| matches!(year.get(..2), Some("19" | "20" | "21"));
    let form = forms.find(|[year, ..]| is_year(year))?;
    let [year, month, day] = form;
    date(year, month, day).is_none().then(|| form.join("-"))
}

fn segments(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Three segments that follow each other and have the form of a date.
fn nested(path: &str) -> Vec<[&str; 3]> {
    let segments: Vec<&str> = segments(path).collect();
    let fits = |[year, month, day]: &[&str; 3]| {
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let fit = year.len() == 4 && matches!(month.len(), 1 | 2) && matches!(day.len(), 1 | 2);
        fit && [year, month, day].iter().all(|part| is_number(part))
    };
    let windows = segments.windows(3);
    let windows = windows.filter_map(|window| window.try_into().ok());
    windows.filter(fits).collect()
}

/// Year, month and day at the beginning of a name.
fn in_name(name: &str) -> Option<[&str; 3]> {
    let bytes = name.as_bytes();
    let separator = *bytes.get(4).filter(|b| matches!(b, b'-' | b'_'))?;
    let end = bytes.get(10).is_none_or(|b| !b.is_ascii_digit());
    if bytes.get(7) != Some(&separator) || !end || !name.is_char_boundary(10) {
        return None;
    }
    let parts = [name.get(..4)?, name.get(5..7)?, name.get(8..10)?];
    let is_number = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    parts.iter().all(is_number).then_some(parts)
}
