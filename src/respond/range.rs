//! Parts of an asset: RFC 9110 §14. Feeds and pages are always sent whole.

use std::ops::Range;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::{Head, Outcome, Payload, Reply, condition, plain};
use crate::served::Resource;

/// What of a document is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part(Range<u64>),
    /// A part that it does not have.
    Nothing,
}

/// One range is answered; several, or what is no range of bytes, get the whole (RFC 9110 §14.2 allows it).
pub(super) fn wanted(resource: &Resource, size: u64, head: Head<'_>) -> Wanted {
    let mut lines = head.headers.get_all(header::RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Wanted::Whole;
    };
    if !resource.is_strong() || head.method != Method::GET || !is_current(resource, head) {
        return Wanted::Whole;
    }
    let text = line.to_str().unwrap_or_default().trim();
    let Some((unit, range)) = text.split_once('=') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // a number beyond all files is beyond this one too
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => Wanted::Nothing,
        (None, Some(suffix)) if first.is_empty() && size > 0 => {
            Wanted::Part(size.saturating_sub(suffix)..size)
        }
        (None, Some(_)) if first.is_empty() => Wanted::Nothing,
        (Some(first), None) if last.is_empty() => from(first, size, size),
        (Some(first), Some(last)) if first <= last => {
            from(first, last.saturating_add(1).min(size), size)
        }
        _ => Wanted::Whole,
    }
}

fn from(first: u64, end: u64, size: u64) -> Wanted {
    if first < size {
        Wanted::Part(first..end)
    } else {
        Wanted::Nothing
    }
}

/// `If-Range` (RFC 9110 §13.1.5): the strong tag, or exactly the date.
fn is_current(resource: &Resource, head: Head<'_>) -> bool {
    let Some(condition) = head.headers.get(header::IF_RANGE) else {
        return true;
    };
    if condition.as_bytes() == format!("\"{}\"", resource.tag).as_bytes() {
        return true;
    }
    condition::of(condition) == Some(resource.last_modified)
}

/// 206.
pub(super) fn part(headers: &HeaderMap, part: Range<u64>, size: u64) -> Reply {
    let mut headers = headers.clone();
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(part.end - part.start),
    );
    let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
    if let Ok(range) = HeaderValue::from_str(&range) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Reply {
        status: StatusCode::PARTIAL_CONTENT,
        headers,
        payload: Payload::Shelf(part),
        outcome: Outcome::Unconditional,
        resource: None,
    }
}

/// 416.
pub(super) fn unsatisfiable(resource: &Resource, size: u64) -> Reply {
    let what = format!("there are {size} bytes");
    let mut reply = plain(StatusCode::RANGE_NOT_SATISFIABLE, &what);
    let range = HeaderValue::from_str(&format!("bytes */{size}"));
    reply
        .headers
        .extend(range.map(|range| (header::CONTENT_RANGE, range)));
    if let Some(tag) = resource.headers.get(header::ETAG) {
        reply.headers.insert(header::ETAG, tag.clone());
    }
    reply
}
