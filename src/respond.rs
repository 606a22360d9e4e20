//! What a request gets: [`respond`] is a pure function of the offer, the head of the request and the time.
//!
//! The order is that of the specification: the guard, the route, then RFC 9110 §13.2.2 (conditions), §12.5.3
//! (encodings), §14 (ranges). No byte of an answer depends on `Host` or on what proxies say.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version};

use crate::served::{Content, INDEX, Resource, Served, Target};

mod condition;
mod encoding;
mod guard;
mod range;

use condition::Verdict;
pub(crate) use guard::{LONGEST_FORM, refuse};

/// The head of a request.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// 1.0 or 1.1.
    pub version: Version,
    /// Its fields.
    pub headers: &'a HeaderMap,
}

/// When a request is answered.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time that `Date` tells.
    pub now: SystemTime,
    /// Whether the server is about to stop.
    pub draining: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Every header but `Date`.
    pub headers: HeaderMap,
    /// Its body.
    pub payload: Payload,
    /// What became of the client's validators.
    pub outcome: Outcome,
    /// The document that was asked for, if there is one.
    pub resource: Option<Arc<Resource>>,
}

impl Reply {
    /// No cache may keep it.
    pub(crate) fn forbid_keeping(&mut self) {
        self.headers.insert(header::CACHE_CONTROL, NO_STORE);
    }

    /// The client is to come again, but not at once.
    pub(crate) fn ask_to_wait(&mut self) {
        let minute = HeaderValue::from_static("60");
        self.headers.insert(header::RETRY_AFTER, minute);
    }
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub enum Payload {
    /// None: of `HEAD`, a 304, a 204.
    Nothing,
    /// These bytes.
    Bytes(Bytes),
    /// What the hub says to the form that is the request's body.
    Form,
    /// These bytes of the document, which lies on the shelf.
    Shelf(Range<u64>),
}

/// What became of the validators that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It sent none, or none that count here.
    Unconditional,
    /// Its entity tag is the current one: 304.
    Tag,
    /// Its date is not before the current one: 304.
    Date,
    /// It knows an older version.
    Stale,
    /// It asked for another version than there is: 412.
    Failed,
}

impl Outcome {
    /// As logs and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unconditional => "-",
            Self::Tag => "etag",
            Self::Date => "date",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// The answer to a request.
#[must_use]
pub fn respond(served: &Served, head: Head<'_>, moment: Moment) -> Reply {
    let is_form = head.method == Method::POST && is_hub(served, head.uri);
    if let Some(refusal) = guard::check(head, is_form) {
        return refusal;
    }
    let mut reply = match *head.method {
        Method::OPTIONS if is_hub(served, head.uri) => Reply {
            headers: [(header::ALLOW, HUB_ALLOWED)].into_iter().collect(),
            ..options()
        },
        Method::OPTIONS => options(),
        Method::GET | Method::HEAD => look_up(served, head, moment),
        Method::POST if is_form => Reply {
            payload: Payload::Form,
            ..plain(StatusCode::ACCEPTED, "")
        },
        _ => {
            let (text, allowed) = if is_hub(served, head.uri) {
                ("only POST and OPTIONS", HUB_ALLOWED)
            } else {
                ("only GET, HEAD and OPTIONS", ALLOWED)
            };
            let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, text);
            reply.headers.insert(header::ALLOW, allowed);
            reply
        }
    };
    if head.method == Method::HEAD {
        reply.payload = Payload::Nothing;
    }
    reply
}

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const HUB_ALLOWED: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

fn look_up(served: &Served, head: Head<'_>, moment: Moment) -> Reply {
    let Some(path) = decoded(head.uri.path()) else {
        return not_found();
    };
    match path.as_str() {
        "livez" => return health(true),
        "readyz" => return health(!moment.draining),
        _ => {}
    }
    match served.find(&path) {
        Some(Target::Resource(resource)) => {
            if let Some(preview) = navigation(resource, head) {
                let depth = path.matches('/').count();
                return see(&format!("{}{}", up(depth), encoded(preview)));
            }
            document(resource, head, moment)
        }
        Some(Target::Moved(url)) => {
            let mut reply = plain(StatusCode::MOVED_PERMANENTLY, "moved");
            reply.headers.insert(header::LOCATION, url.clone());
            reply
        }
        Some(Target::Hub) => {
            let text = "this is a WebSub hub: subscribers send it a form by POST";
            let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, text);
            reply.headers.insert(header::ALLOW, HUB_ALLOWED);
            reply
        }
        Some(Target::Gone) => plain(StatusCode::GONE, "withdrawn"),
        None if served.wants_slash(&path) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            nearby(&format!("{}/", encoded(last)))
        }
        None if is_index(served, &path) => nearby("./"),
        None => not_found(),
    }
}

fn is_hub(served: &Served, uri: &Uri) -> bool {
    let target = decoded(uri.path()).and_then(|path| served.find(&path).cloned());
    matches!(target, Some(Target::Hub))
}

fn document(resource: &Arc<Resource>, head: Head<'_>, moment: Moment) -> Reply {
    let is_due = resource.last_modified <= moment.now;
    let verdict = condition::judge(resource, head.headers, moment.now);
    let mut reply = match verdict {
        Verdict::Failed => Reply {
            outcome: Outcome::Failed,
            ..plain(
                StatusCode::PRECONDITION_FAILED,
                "the document is another version than the one that was asked for",
            )
        },
        Verdict::NotModified(outcome) => Reply {
            status: StatusCode::NOT_MODIFIED,
            headers: resource.headers.clone(),
            payload: Payload::Nothing,
            outcome,
            resource: None,
        },
        Verdict::Send(outcome) => Reply {
            outcome,
            ..content(resource, head)
        },
    };
    if !is_due && reply.headers.contains_key(header::LAST_MODIFIED) {
        // RFC 9110 §8.8.2.1: never later than `Date`
        let date = httpdate::fmt_http_date(moment.now);
        if let Ok(value) = HeaderValue::from_str(&date) {
            reply.headers.insert(header::LAST_MODIFIED, value);
        }
    }
    reply.resource = Some(Arc::clone(resource));
    reply
}

fn content(resource: &Arc<Resource>, head: Head<'_>) -> Reply {
    let full = |headers: &HeaderMap, payload| Reply {
        status: StatusCode::OK,
        headers: headers.clone(),
        payload,
        outcome: Outcome::Unconditional,
        resource: None,
    };
    match &resource.content {
        Content::Memory(variants) => match encoding::choose(variants, head.headers) {
            Some(variant) => full(&variant.headers, Payload::Bytes(variant.bytes.clone())),
            None => not_found(),
        },
        Content::Shelf(blob) => match range::wanted(resource, blob.size, head) {
            range::Wanted::Whole => full(&blob.headers, Payload::Shelf(0..blob.size)),
            range::Wanted::Part(part) => range::part(&blob.headers, part, blob.size),
            range::Wanted::Nothing => range::unsatisfiable(resource, blob.size),
        },
    }
}

/// The page that a person is sent to who opens a feed in a browser; `None` for every program.
fn navigation<'r>(resource: &'r Resource, head: Head<'_>) -> Option<&'r str> {
    let preview = resource.preview.as_deref()?;
    let says = |name: &str, value: &str| {
        head.headers
            .get(name)
            .is_some_and(|given| given.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let is_conditional = [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_MATCH,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ]
    .iter()
    .any(|name| head.headers.contains_key(name));
    let mut parameters = head.uri.query().unwrap_or_default().split('&');
    let is_raw = parameters.any(|parameter| parameter == "raw" || parameter.starts_with("raw="));
    (head.method == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
        && !is_conditional
        && !is_raw)
        .then_some(preview)
}

/// Whether a page is asked for by the name of its file.
fn is_index(served: &Served, path: &str) -> bool {
    let folder = path.strip_suffix("index.html");
    folder.is_some_and(|folder| matches!(served.find(folder), Some(Target::Resource(_))))
}

/// The same page by its one address; relative, since only the client knows what the proxy in front took off the path.
fn nearby(location: &str) -> Reply {
    let mut reply = plain(StatusCode::MOVED_PERMANENTLY, "this page has one address");
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers.insert(header::LOCATION, location);
    }
    reply
}

fn see(location: &str) -> Reply {
    let mut reply = plain(StatusCode::SEE_OTHER, "the preview of this feed");
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers.insert(header::LOCATION, location);
    }
    reply.headers.insert(header::CACHE_CONTROL, NO_STORE);
    reply.headers.insert(
        header::VARY,
        HeaderValue::from_static("Sec-Fetch-Mode, Sec-Fetch-Dest"),
    );
    reply
}

fn health(well: bool) -> Reply {
    let mut reply = if well {
        plain(StatusCode::OK, "ok")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "stopping")
    };
    reply.headers.insert(header::CACHE_CONTROL, NO_STORE);
    reply
}

/// RFC 9110 §9.3.7, and the preflight of <https://fetch.spec.whatwg.org/#cors-preflight-fetch>.
fn options() -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::ALLOW, ALLOWED);
    let allow: [(HeaderName, &'static str); 4] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "A-IM, Accept, Accept-Encoding, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, \
             If-Range, If-Unmodified-Since, Pragma, Range, X-Requested-With",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    for (name, value) in allow {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Reply {
        status: StatusCode::NO_CONTENT,
        headers,
        payload: Payload::Nothing,
        outcome: Outcome::Unconditional,
        resource: None,
    }
}

fn not_found() -> Reply {
    plain(
        StatusCode::NOT_FOUND,
        "there is nothing at this address; `/` lists the feeds",
    )
}

/// An answer in a line of text.
pub(crate) fn plain(status: StatusCode, text: &str) -> Reply {
    let body = Bytes::from(format!("{} {text}\n", status.as_u16()));
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    Reply {
        status,
        headers,
        payload: Payload::Bytes(body),
        outcome: Outcome::Unconditional,
        resource: None,
    }
}

/// The path of a target without the slash in front and without escapes; `None` for what can be no path of ours.
fn decoded(path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    // an escaped delimiter is no delimiter, and we name nothing with one
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let byte = u8::from_str_radix(rest.get(at + 1..at + 3)?, 16).ok()?;
        if matches!(byte, b'/' | b'\\' | 0) {
            return None;
        }
        rest = &rest[at + 3..];
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

fn encoded(path: &str) -> String {
    crate::site::encode_path(path)
}

/// The relative reference to the top from a path with so many slashes.
fn up(depth: usize) -> String {
    if depth == 0 {
        format!("./{INDEX}")
    } else {
        "../".repeat(depth)
    }
}
