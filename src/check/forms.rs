//! The forms of dates, addresses, names of languages and types.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use url::Url;

use super::{Findings, shown};

/// RFC 2822, §3.3, with a four-digit year and a numeric zone or `GMT`; the right weekday.
pub(super) fn rfc2822(text: &str, element: &str, findings: &mut Findings) -> Option<DateTime<Utc>> {
    let invalid = |findings: &mut Findings| {
        findings.add(
            "InvalidRFC2822Date",
            format!(
                "`<{element}>` is `{}`, which is no RFC 2822 date",
                shown(text)
            ),
        );
        None
    };
    let Some((weekday, rest)) = text.split_once(", ") else {
        return invalid(findings);
    };
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, zone] = parts[..] else {
        return invalid(findings);
    };
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months
        .iter()
        .position(|known| *known == month)
        .and_then(|index| u32::try_from(index + 1).ok());
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let numeric = zone.len() == 5 && zone.starts_with(['+', '-']) && digits(&zone[1..]);
    if year.len() != 4
        || !digits(year)
        || !digits(day)
        || !(numeric || zone == "GMT")
        || time.len() != 8
    {
        return invalid(findings);
    }
    let date = month
        .and_then(|month| NaiveDate::from_ymd_opt(year.parse().ok()?, month, day.parse().ok()?));
    let Some(date) = date else {
        return invalid(findings);
    };
    if date.format("%a").to_string() != weekday {
        findings.add(
            "IncorrectDOW",
            format!(
                "`<{element}>` says {}, but that day is a {}",
                shown(weekday),
                date.format("%a")
            ),
        );
    }
    let Ok(instant) = DateTime::parse_from_rfc2822(text) else {
        return invalid(findings);
    };
    plausible(instant.to_utc(), element, findings);
    Some(instant.to_utc())
}

/// RFC 3339, with an upper-case `T` and `Z`.
pub(super) fn rfc3339(text: &str, element: &str, findings: &mut Findings) -> Option<DateTime<Utc>> {
    let upper = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    match DateTime::parse_from_rfc3339(text) {
        Ok(instant) if upper => {
            plausible(instant.to_utc(), element, findings);
            Some(instant.to_utc())
        }
        _ => {
            findings.add(
                "InvalidRFC3339Date",
                format!(
                    "`{element}` is `{}`, which is no RFC 3339 date",
                    shown(text)
                ),
            );
            None
        }
    }
}

fn plausible(instant: DateTime<Utc>, element: &str, findings: &mut Findings) {
    findings.expect(instant.year() >= 1990, "ImplausibleDate", || {
        format!(
            "`{element}` is {}, before there were feeds",
            instant.format("%Y-%m-%d")
        )
    });
}

/// An absolute http(s) URL, in characters that a URI may have, and in its canonical form where `canonical` is asked.
pub(super) fn web(text: &str, element: &str, canonical: bool, findings: &mut Findings) {
    let Ok(url) = Url::parse(text) else {
        return findings.add(
            "InvalidFullLink",
            format!("`{element}` is `{}`, which is no full URL", shown(text)),
        );
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return findings.add(
            "InvalidFullLink",
            format!(
                "`{element}` is `{}`, which is no address on the web",
                shown(text)
            ),
        );
    }
    uri_characters(text, element, findings);
    let scheme_and_host = text.len() >= url[..url::Position::BeforePath].len()
        && text.starts_with(&url[..url::Position::BeforePath]);
    let bare = text[..text.len().min(url[..url::Position::BeforePath].len())].len() == text.len();
    let escaped = text.split('%').skip(1).any(is_needless);
    // dots mean something in a path alone
    let path = text.split(['?', '#']).next().unwrap_or_default();
    if canonical
        && (!scheme_and_host || bare || escaped || path.contains("/../") || path.contains("/./"))
    {
        findings.add(
            "NonCanonicalURI",
            format!(
                "`{element}` is `{}`, which is better written `{url}`",
                shown(text)
            ),
        );
    }
}

/// `%7E` is `~`; `%c3` is `%C3`.
fn is_needless(rest: &str) -> bool {
    let Some(digits) = rest.get(..2) else {
        return false;
    };
    let plain = u8::from_str_radix(digits, 16)
        .is_ok_and(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    plain || digits.bytes().any(|b| b.is_ascii_lowercase())
}

fn uri_characters(text: &str, element: &str, findings: &mut Findings) {
    if !text.is_ascii() {
        return findings.add(
            "UriNotIri",
            format!(
                "`{element}` is `{}`: a URI is ASCII, percent-encoded",
                shown(text)
            ),
        );
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    // brackets are for IPv6 hosts alone
    let path = text.find("://").map_or(text, |at| {
        text[at + 3..]
            .find('/')
            .map_or("", |slash| &text[at + 3 + slash..])
    });
    let bad = text
        .bytes()
        .find(|b| !allowed(*b))
        .or_else(|| path.bytes().find(|b| matches!(b, b'[' | b']')));
    if let Some(bad) = bad {
        findings.add(
            "InvalidUriChar",
            format!(
                "`{element}` is `{}`: `{}` must be percent-encoded",
                shown(text),
                char::from(bad)
            ),
        );
    }
}

/// An id as Atom demands it: a URI with a scheme.
pub(super) fn id(text: &str, element: &str, findings: &mut Findings) {
    if text.is_empty() {
        return findings.add("MissingElement", format!("`<{element}>` is empty"));
    }
    let scheme = text
        .split_once(':')
        .map(|(scheme, rest)| (scheme, rest.is_empty()));
    let Some((scheme, false)) = scheme else {
        return findings.add(
            "InvalidFullLink",
            format!("`<{element}>` is `{}`, which is no URI", shown(text)),
        );
    };
    let word = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !word {
        return findings.add(
            "InvalidFullLink",
            format!("`<{element}>` is `{}`, which is no URI", shown(text)),
        );
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => web(text, element, false, findings),
        "tag" => {
            uri_characters(text, element, findings);
            findings.expect(is_tag(text), "InvalidTAG", || {
                format!(
                    "`<{element}>` is `{}`, which is no tag URI (RFC 4151)",
                    shown(text)
                )
            });
        }
        "urn" => {
            uri_characters(text, element, findings);
            let parts: Vec<&str> = text.splitn(3, ':').collect();
            let fits = parts.len() == 3 && parts[1].len() >= 2 && !parts[2].is_empty();
            findings.expect(fits, "InvalidURN", || {
                format!("`<{element}>` is `{}`, which is no URN", shown(text))
            });
        }
        _ => uri_characters(text, element, findings),
    }
}

/// RFC 4151, §2.1: `tag:authority,date:specific`.
fn is_tag(text: &str) -> bool {
    let Some((authority, rest)) = text[4..].split_once(',') else {
        return false;
    };
    let Some((date, _)) = rest.split_once(':') else {
        return false;
    };
    let name = authority.rsplit('@').next().unwrap_or_default();
    let host = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b));
    let parts: Vec<&str> = date.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let digits = parts
        .iter()
        .all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    host && digits && matches!(lengths[..], [4] | [4, 2] | [4, 2, 2])
}

/// BCP 47's shape: a language of two or three letters, and subtags behind `-`.
pub(super) fn language(text: &str, element: &str, findings: &mut Findings) {
    let mut parts = text.split('-');
    let first = parts.next().is_some_and(|part| {
        matches!(part.len(), 2 | 3) && part.bytes().all(|b| b.is_ascii_alphabetic())
    });
    let rest = parts.all(|part| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    findings.expect(first && rest, "InvalidLanguage", || {
        format!("`{element}` is `{}`, which is no language", shown(text))
    });
}

/// `type/subtype`.
pub(super) fn mime(text: &str, element: &str, findings: &mut Findings) {
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let fits = text
        .split_once('/')
        .is_some_and(|(kind, name)| word(kind) && word(name.split(';').next().unwrap_or_default()));
    findings.expect(fits, "InvalidMIMEAttribute", || {
        format!(
            "the type of `<{element}>` is `{}`, which is no MIME type",
            shown(text)
        )
    });
}

/// `name@host.example`.
pub(super) fn mail(text: &str, element: &str, findings: &mut Findings) {
    let fits = text.split_once('@').is_some_and(|(name, host)| {
        let named = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-+.'%".contains(&b));
        named
            && host.contains('.')
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    });
    findings.expect(fits, "InvalidContact", || {
        format!("`{element}` is `{}`, which is no mail address", shown(text))
    });
}

/// A whole number from 0, or from 1.
pub(super) fn number(text: &str, element: &str, positive: bool, findings: &mut Findings) {
    let value: Option<u64> = text
        .parse()
        .ok()
        .filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    match value {
        Some(0) if positive => findings.add("InvalidPositiveInteger", format!("`{element}` is 0")),
        Some(_) => {}
        None if positive => findings.add(
            "InvalidPositiveInteger",
            format!("`{element}` is `{}`, which is no number", shown(text)),
        ),
        None => findings.add(
            "InvalidIntegerAttribute",
            format!("`{element}` is `{}`, which is no number", shown(text)),
        ),
    }
}
