//! What is refused before anybody looks at the path: RFC 9112 §3.2, §6; RFC 9110 §9, §15.5.

use http::header::{self, HeaderValue};
use http::{StatusCode, Version};

use super::{Head, Reply, plain};

/// Longer targets are refused, in bytes.
const LONGEST_TARGET: usize = 8 << 10;
/// Longer heads are refused, in bytes.
const LONGEST_HEAD: usize = 16 << 10;
/// Longer forms are refused, in bytes.
pub(crate) const LONGEST_FORM: usize = 16 << 10;
/// WebSub §5.1.
const FORM: &str = "application/x-www-form-urlencoded";

/// The refusal, if there is one, after which the connection is closed: who sends such a thing may mean something else by
/// the bytes that follow.
pub(super) fn check(head: Head<'_>, is_form: bool) -> Option<Reply> {
    let target = length(head.uri);
    if target > LONGEST_TARGET {
        return Some(refuse(
            StatusCode::URI_TOO_LONG,
            "the target is longer than 8 KiB",
        ));
    }
    let fields = head.headers.iter();
    let fields: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if target + fields > LONGEST_HEAD {
        let what = "the head is longer than 16 KiB";
        return Some(refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, what));
    }
    if !has_fit_host(head) {
        let what = "there must be exactly one valid Host";
        return Some(refuse(StatusCode::BAD_REQUEST, what));
    }
    if is_form {
        return form(head);
    }
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        return Some(refuse(
            StatusCode::BAD_REQUEST,
            "no request here has a body",
        ));
    }
    let has_body = |value: &HeaderValue| value.as_bytes() != b"0";
    if head
        .headers
        .get_all(header::CONTENT_LENGTH)
        .iter()
        .any(has_body)
    {
        let what = "no request here has a body";
        return Some(refuse(StatusCode::PAYLOAD_TOO_LARGE, what));
    }
    None
}

/// What is sent to the hub has a body: a form, and a short one.
fn form(head: Head<'_>) -> Option<Reply> {
    let media = head.headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok());
    let essence = media.and_then(|media| media.split(';').next());
    let is_form = essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM));
    let length = head.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if head.headers.contains_key(header::TRANSFER_ENCODING) && length.is_some() {
        let what = "there is `Transfer-Encoding` beside `Content-Length`";
        Some(refuse(StatusCode::BAD_REQUEST, what))
    } else if length.is_some_and(|length| length > LONGEST_FORM as u64) {
        Some(refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "a form here has at most 16 KiB",
        ))
    } else if !is_form {
        let what = "the hub takes `application/x-www-form-urlencoded`";
        Some(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, what))
    } else {
        None
    }
}

pub(crate) fn refuse(status: StatusCode, what: &str) -> Reply {
    let mut reply = plain(status, what);
    reply
        .headers
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
        .headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn length(uri: &http::Uri) -> usize {
    let authority = uri
        .authority()
        .map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |rest| rest.as_str().len())
}

/// RFC 9112 §3.2: exactly one, and a host with or without a port; HTTP/1.0 may have none.
fn has_fit_host(head: Head<'_>) -> bool {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => head.version < Version::HTTP_11,
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// RFC 3986 §3.2.2 and §3.2.3; the name itself means nothing to us.
fn is_host(text: &[u8]) -> bool {
    let (host, port) = if let [b'[', rest @ ..] = text {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else {
            return false;
        };
        (&rest[..end], &rest[end + 1..])
    } else {
        let end = text.iter().position(|byte| *byte == b':');
        text.split_at(end.unwrap_or(text.len()))
    };
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(byte);
    let in_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let is_fit = if text.starts_with(b"[") {
        host.iter().all(in_address)
    } else {
        host.iter().all(in_name)
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !host.is_empty() && is_fit && is_port
}
