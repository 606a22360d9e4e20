//! Conditions, in the order of RFC 9110 §13.2.2.

use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Outcome;
use crate::served::Resource;

/// What the conditions of a request demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 412.
    Failed,
    /// 304.
    NotModified(Outcome),
    /// The document.
    Send(Outcome),
}

pub(super) fn judge(resource: &Resource, headers: &HeaderMap, now: SystemTime) -> Verdict {
    if headers.is_empty() {
        return Verdict::Send(Outcome::Unconditional);
    }
    // 1 and 2: what the client has must be current
    if headers.contains_key(header::IF_MATCH) {
        if !matches_strongly(resource, headers) {
            return Verdict::Failed;
        }
    } else if let Some(date) = date(headers, &header::IF_UNMODIFIED_SINCE)
        && resource.last_modified > date
    {
        return Verdict::Failed;
    }
    // 3: a client that sends a tag means the tag, and no date
    if headers.contains_key(header::IF_NONE_MATCH) {
        return if names_current(&resource.tag, headers) {
            Verdict::NotModified(Outcome::Tag)
        } else {
            Verdict::Send(Outcome::Stale)
        };
    }
    // 4
    match date(headers, &header::IF_MODIFIED_SINCE) {
        // neither a version that is not due, nor a date of the future, can tell anything: a needless 200 is harmless
        Some(date) if date >= resource.last_modified && date <= now => {
            Verdict::NotModified(Outcome::Date)
        }
        Some(_) => Verdict::Send(Outcome::Stale),
        None => Verdict::Send(Outcome::Unconditional),
    }
}

/// RFC 9110 §13.1.1: a weak tag never matches.
fn matches_strongly(resource: &Resource, headers: &HeaderMap) -> bool {
    let quoted = format!("\"{}\"", resource.tag);
    members(headers, &header::IF_MATCH)
        .any(|member| member == b"*" || (resource.is_strong() && member == quoted.as_bytes()))
}

/// Whether `If-None-Match` has the current tag. A hash cannot match by accident, so every form that proxies and
/// readers have been seen to make of it is taken.
fn names_current(tag: &str, headers: &HeaderMap) -> bool {
    members(headers, &header::IF_NONE_MATCH)
        .any(|member| member == b"*" || opaque(member) == tag.as_bytes())
}

/// The members of a list, over all lines of the field (RFC 9110 §5.6.1).
fn members<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// What proxies hang on a tag when they encode the body.
const SUFFIXES: [&[u8]; 7] = [
    b"--gzip",
    b"-gzip",
    b"-br",
    b"-zstd",
    b";gzip",
    b":gzip",
    b"-deflate",
];

/// A tag without `W/`, quotes, backslashes and what proxies hang on it.
fn opaque(member: &[u8]) -> &[u8] {
    let member = match member {
        [b'W' | b'w', b'/', rest @ ..] => rest,
        other => other,
    };
    let is_wrapping = |byte: &u8| matches!(byte, b'"' | b'\\');
    let start = member.iter().position(|byte| !is_wrapping(byte));
    let end = member.iter().rposition(|byte| !is_wrapping(byte));
    let inner = match (start, end) {
        (Some(start), Some(end)) => &member[start..=end],
        _ => return b"",
    };
    SUFFIXES
        .iter()
        .find_map(|suffix| inner.strip_suffix(*suffix))
        .unwrap_or(inner)
}

/// The date of a field; none if it is no date in one of the three forms of RFC 9110 §5.6.7, or given twice.
pub(super) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    of(line)
}

pub(super) fn of(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}
