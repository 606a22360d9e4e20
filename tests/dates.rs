//! Every form in which a date may be written, and those that are refused.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use tidings::article::{Date, date};

fn read(text: &str, zone: Tz) -> String {
    match date::parse(text, zone) {
        Ok(Date::Instant(instant)) => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
        Ok(Date::Day(day)) => day.to_string(),
        Err(message) => format!("refused: {message}"),
    }
}

#[test]
fn dates_are_read_in_all_the_forms_that_authors_use() {
    for (text, expected) in [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"),
        ("2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01 10:00:00 +0200", "2024-05-01T08:00:00Z"),
        ("2024-05-01 10:00:00 -05", "2024-05-01T15:00:00Z"),
        ("2024-05-01 10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01 10:00 UTC", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00", "2024-05-01T08:00:00Z"),
        ("2024-05-01 10:00", "2024-05-01T08:00:00Z"),
        ("2024-05-01 10:00 America/New_York", "2024-05-01T14:00:00Z"),
        ("2024-05-01", "2024-05-01"),
        ("2024/05/01", "2024-05-01"),
        ("2024-5-1", "2024-05-01"),
        ("2024-4-09", "2024-04-09"),
        ("2024.05.01", "2024-05-01"),
        ("May 1, 2024", "2024-05-01"),
        ("1 May 2024", "2024-05-01"),
        ("1st May 2024", "2024-05-01"),
        ("Sept 14, 2024", "2024-09-14"),
        ("Wednesday, May 1, 2024 10:00 PM", "2024-05-01T20:00:00Z"),
        ("Wed, 01 May 2024 10:00:00 GMT", "2024-05-01T10:00:00Z"),
        ("Wed, 01 May 2024 10:00:00 +0200", "2024-05-01T08:00:00Z"),
        ("1 May 2024 10:00:00 +0000", "2024-05-01T10:00:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("31 Dec 2016 23:59:60 GMT", "2016-12-31T23:59:59Z"),
        ("2013-04-15 10:00:00 UTC+02:00", "2013-04-15T08:00:00Z"),
        ("20240501", "2024-05-01"),
        ("20240305T060708Z", "2024-03-05T06:07:08Z"),
        ("20240305T0607+0200", "2024-03-05T04:07:00Z"),
        ("20240305060708", "2024-03-05T05:07:08Z"),
        ("3.5.2027", "2027-05-03"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/2024", "2024-12-25"),
        ("25-12-2024 10:00", "2024-12-25T09:00:00Z"),
        ("05.03.2024", "2024-03-05"),
        ("31.12.2026 10:00", "2026-12-31T09:00:00Z"),
        ("1709618828", "2024-03-05T06:07:08Z"),
        ("951782400", "2000-02-29T00:00:00Z"),
        ("1709618828123", "2024-03-05T06:07:08Z"),
        ("951782400000", "2000-02-29T00:00:00Z"),
        (
            "Sat May 01 2027 10:00:00 GMT+0200 (CEST)",
            "2027-05-01T08:00:00Z",
        ),
        (
            "Sat May 01 2027 10:00:00 GMT+0200 (Central European Summer Time)",
            "2027-05-01T08:00:00Z",
        ),
        ("Sat May 1 10:00:00 UTC 2027", "2027-05-01T10:00:00Z"),
        ("Sat May  1 10:00:00 2027 +0200", "2027-05-01T08:00:00Z"),
        ("2023-01-29 18:30:22 2023 -0800", "2023-01-30T02:30:22Z"),
        ("2027-05-01 10:00:00 +0200 CEST", "2027-05-01T08:00:00Z"),
        ("2027-05-01 10:00:00 +0000 UTC", "2027-05-01T10:00:00Z"),
        (
            "2027-05-01T10:00:00+02:00[Europe/Berlin]",
            "2027-05-01T08:00:00Z",
        ),
        ("2027-05-01T10:00:00Z[UTC]", "2027-05-01T10:00:00Z"),
        ("2027-05-01 10:00 CEST", "2027-05-01T08:00:00Z"),
        ("2027-05-01 10:00 cet", "2027-05-01T09:00:00Z"),
        ("2027-05-01 10:00 EEST", "2027-05-01T07:00:00Z"),
        ("Sat, 01 May 2027 10:00:00 EST", "2027-05-01T15:00:00Z"),
        ("Sat, 01 May 2027 10:00 PDT", "2027-05-01T17:00:00Z"),
        ("Sat, 01 May 27 10:00:00 GMT", "2027-05-01T10:00:00Z"),
        ("  2024-05-01  ", "2024-05-01"),
    ] {
        assert_eq!(read(text, Tz::Europe__Berlin), expected, "{text}");
    }
}

#[test]
fn what_is_ambiguous_or_impossible_is_refused() {
    for text in [
        // found by fuzzing: a zone that is no number
        "2006-04-15 01:00:00-0:笠0S",
        "03/05/2024",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "0000-00-00",
        "10000-01-01",
        "yesterday",
        "",
        "-1",
        "2024-05-01T25:00:00Z",
        "30.2.2024",
        "3.5.27",
        "20240230",
        "20241301",
        "17096188281",
        "170961882812345",
        "2027-05-01 10:00 IST",
        "2027-05-01 10:00 BST",
        "Sat, 01 May 2027 10:00:00 IST",
        "Sat, 01 May 2027 10:00:00 A",
        "2027-05-01 10:00 (soon)",
        "2024-05-01T10:00:00+25:00",
        "2024-W10-2",
        "2024-065",
        "2024",
        "2024-05-01T10:61",
        "13:00 pm 1 May 2024",
        "\u{661}\u{662}",
        "2024-05-01é",
        "May",
        "1 Mai 2024",
    ] {
        assert!(
            read(text, Tz::UTC).starts_with("refused"),
            "{text}: {}",
            read(text, Tz::UTC)
        );
    }
    let message = date::parse("03/05/2024", Tz::UTC).unwrap_err();
    assert_eq!(
        message,
        "`03/05/2024` is ambiguous: day and month may be either; write it as `2024-MM-DD`"
    );
}

#[test]
fn a_time_in_a_gap_moves_forward_and_one_in_an_overlap_is_the_earlier() {
    for (text, zone, expected) in [
        (
            "2024-03-31 02:30",
            Tz::Europe__Berlin,
            "2024-03-31T01:30:00Z",
        ),
        (
            "2024-10-27 02:30",
            Tz::Europe__Berlin,
            "2024-10-27T00:30:00Z",
        ),
        (
            "2024-03-10 02:30",
            Tz::America__New_York,
            "2024-03-10T07:30:00Z",
        ),
        (
            "2024-11-03 01:30",
            Tz::America__New_York,
            "2024-11-03T05:30:00Z",
        ),
        // half an hour only
        (
            "2024-10-06 02:15",
            Tz::Australia__Lord_Howe,
            "2024-10-05T15:45:00Z",
        ),
    ] {
        assert_eq!(read(text, zone), expected, "{text} {zone}");
    }
}

#[test]
fn a_day_begins_at_its_local_midnight_or_at_its_first_instant() {
    let day = |text: &str, zone: Tz| {
        date::parse(text, zone)
            .unwrap()
            .instant(zone, 0)
            .to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    assert_eq!(
        day("2024-05-01", Tz::Europe__Berlin),
        "2024-04-30T22:00:00Z"
    );
    assert_eq!(
        day("2018-11-04", Tz::America__Sao_Paulo),
        "2018-11-04T03:00:00Z"
    );
    // a day that does not exist at all
    assert_eq!(day("2011-12-30", Tz::Pacific__Apia), "2011-12-30T10:00:00Z");
}

#[test]
fn a_date_may_stand_in_a_path() {
    for (path, expected) in [
        ("2024-05-01-x.md", Some("2024-05-01")),
        ("notes/2024-05-01.md", Some("2024-05-01")),
        ("2024-05-01-trip/index.md", Some("2024-05-01")),
        ("2024/05/01/x", Some("2024-05-01")),
        ("blog/2024/5/1/x", Some("2024-05-01")),
        ("2014/12/12/Core-Team", Some("2014-12-12")),
        ("2024-13-01-x.md", None),
        ("v2024-05-01.md", None),
        ("2024-05-011.md", None),
        ("2024/05/x.md", None),
        ("1234-05-01.md", None),
        ("2024-05-0é.md", None),
    ] {
        let found = date::in_path(path).map(|date| match date {
            Date::Day(day) => day.to_string(),
            Date::Instant(_) => unreachable!("a path has no time"),
        });
        assert_eq!(found.as_deref(), expected, "{path}");
    }
}
