//! A feed on a server: what is answered, whether it is what it says, and whether who asks again is told that nothing
//! changed. Most of what goes wrong there is done by something in between.

use flate2::read::GzDecoder;
use http::header::{
    ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, HeaderName,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, SERVER, VARY, VIA,
};
use http::{Method, StatusCode};
use std::io::Read;
use url::Url;

use super::fetch::{Answer, fetch};
use super::{Verdict, name};
use crate::check;
use crate::edition::Kind;

/// A reader follows about so many.
const REDIRECTS: usize = 5;

pub(super) fn visit(address: &str, verdict: &mut Verdict) {
    let Some((url, answer)) = follow(address, verdict) else {
        return;
    };
    if answer.status != StatusCode::OK {
        return verdict.wrong(format!("the server answers {}", answer.status));
    }
    let Some(kind) = check::kind(&answer.body) else {
        let what = answer.header(CONTENT_TYPE).unwrap_or("nothing");
        return verdict.wrong(format!("the answer is no feed: it is said to be {what}"));
    };
    verdict.gate(kind, &answer.body, &url);
    media_type(kind, &answer, verdict);
    between(&answer, verdict);
    freshness(&answer, verdict);
    let again = conditions(&url, &answer, verdict);
    encoded(&url, &answer, again, verdict);
    head(&url, &answer, verdict);
}

fn ask(url: &str, headers: &[(HeaderName, &str)], verdict: &mut Verdict) -> Option<Answer> {
    match fetch(Method::GET, url, headers) {
        Ok(answer) => Some(answer),
        Err(error) => {
            verdict.failed = Some(format!("cannot be fetched: {error:#}"));
            None
        }
    }
}

fn follow(address: &str, verdict: &mut Verdict) -> Option<(String, Answer)> {
    let mut url = address.to_owned();
    for _ in 0..=REDIRECTS {
        let answer = ask(&url, &[(ACCEPT_ENCODING, "identity")], verdict)?;
        if !answer.status.is_redirection() {
            return Some((url, answer));
        }
        let to = answer
            .header(LOCATION)
            .and_then(|to| Url::parse(&url).ok()?.join(to).ok());
        let Some(to) = to else {
            verdict.wrong(format!(
                "{} leads nowhere: `Location` is missing or wrong",
                answer.status
            ));
            return None;
        };
        match answer.status.as_u16() {
            301 | 308 => verdict.fine(format!(
                "{} to {to}: readers change their address",
                answer.status
            )),
            _ => verdict.warn(format!(
                "{} to {to}: readers ask here again each time; use 301 if it moved for good",
                answer.status
            )),
        }
        url = to.into();
    }
    verdict.wrong(format!("more than {REDIRECTS} redirects: readers give up"));
    None
}

fn media_type(kind: Kind, answer: &Answer, verdict: &mut Verdict) {
    let Some(said) = answer.header(CONTENT_TYPE) else {
        return verdict.wrong("`Content-Type` is missing");
    };
    let mut parts = said.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let (best, good): (&str, &[&str]) = match kind {
        Kind::Rss => ("application/rss+xml", &["application/xml", "text/xml"]),
        Kind::Atom => ("application/atom+xml", &["application/xml", "text/xml"]),
        Kind::Json => ("application/feed+json", &["application/json"]),
        _ => (
            "text/x-opml",
            &["application/xml", "text/xml", "text/x-opml+xml"],
        ),
    };
    if essence == best {
        verdict.fine(format!("its type is {best}"));
    } else if good.contains(&essence.as_str()) {
        verdict.warn(format!(
            "its type is {essence}, which works; {best} says that it is {}",
            name(kind)
        ));
    } else {
        verdict.wrong(format!(
            "its type is {essence}: some readers refuse it; it should be {best}"
        ));
    }
    if let Some(charset) = parts.find_map(|part| part.strip_prefix("charset=").map(str::to_owned))
        && charset.trim_matches('"') != "utf-8"
    {
        verdict.wrong(format!(
            "`Content-Type` says that it is {charset}, and it is UTF-8"
        ));
    }
}

/// What stands between the feed and its readers, as far as it tells.
fn between(answer: &Answer, verdict: &mut Verdict) {
    let caches = [
        "x-cache",
        "cf-cache-status",
        "x-served-by",
        "x-varnish",
        "x-amz-cf-id",
        "x-vercel-cache",
        "x-nf-request-id",
    ];
    let mut found: Vec<String> = Vec::new();
    found.extend(answer.header(VIA).map(|via| format!("via {via}")));
    found.extend(answer.header(SERVER).map(str::to_owned));
    for name in caches {
        let value = answer
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        found.extend(value.map(|value| format!("{name}: {value}")));
    }
    if !found.is_empty() {
        verdict.fine(format!("answered by {}", found.join(", ")));
    }
}

fn freshness(answer: &Answer, verdict: &mut Verdict) {
    let Some(control) = answer.header(CACHE_CONTROL) else {
        return verdict.warn(
            "`Cache-Control` is missing: each reader and cache guesses how long this stays fresh",
        );
    };
    let parts: Vec<String> = control
        .split(',')
        .map(|part| part.trim().to_ascii_lowercase())
        .collect();
    let has = |name: &str| parts.iter().any(|part| part == name);
    let age = parts
        .iter()
        .find_map(|part| part.strip_prefix("max-age=")?.parse::<u64>().ok());
    if has("no-store") {
        verdict.warn(
            "`Cache-Control: no-store`: no reader may keep it, so each request fetches all of it",
        );
    } else if let Some(age) = age {
        verdict.fine(format!("fresh for {age} seconds"));
        let used = answer.header(AGE).and_then(|used| used.parse::<u64>().ok());
        if let Some(used) = used.filter(|used| *used > age) {
            verdict.warn(format!(
                "a cache in between answers with something {used} seconds old, which is stale"
            ));
        }
        if age > 86_400 {
            verdict.warn("readers that believe this see new articles a day late, or later");
        }
    }
    if answer.headers.contains_key("set-cookie") {
        verdict.warn("the answer sets a cookie: caches will not keep it, and no reader wants it");
    }
}

/// Whether who has it is told so: by both validators, and by each alone. What readers have is given back.
fn conditions(url: &str, answer: &Answer, verdict: &mut Verdict) -> bool {
    let (tag, date) = (answer.header(ETAG), answer.header(LAST_MODIFIED));
    match (tag, date) {
        (None, None) => {
            verdict.wrong(
                "neither `ETag` nor `Last-Modified`: every reader fetches all of it each time",
            );
            return false;
        }
        (None, Some(_)) => {
            verdict
                .warn("`ETag` is missing: readers that know only that fetch all of it each time");
        }
        (Some(_), None) => verdict.warn(
            "`Last-Modified` is missing: readers that know only that fetch all of it each time",
        ),
        (Some(_), Some(_)) => {}
    }
    let mut both = Vec::new();
    both.extend(tag.map(|tag| (IF_NONE_MATCH, tag)));
    both.extend(date.map(|date| (IF_MODIFIED_SINCE, date)));
    let mut tries = vec![("with what it said", both.clone())];
    if both.len() == 2 {
        tries.push(("with its `ETag` alone", both[..1].to_vec()));
        tries.push(("with its `Last-Modified` alone", both[1..].to_vec()));
    }
    let mut held = true;
    for (how, headers) in tries {
        let mut headers = headers;
        let by_date = headers.iter().all(|(name, _)| *name == IF_MODIFIED_SINCE);
        headers.push((ACCEPT_ENCODING, "identity"));
        let Some(again) = ask(url, &headers, verdict) else {
            return false;
        };
        match again.status {
            StatusCode::NOT_MODIFIED => {}
            StatusCode::OK if again.body != answer.body => {
                verdict.warn(format!("asked again {how}, it is another document already: it changes with each request, or just did"));
                held = false;
            }
            // of what changed in this moment nobody can know whether it does so again (RFC 9110 §8.8.2.2)
            StatusCode::OK if by_date && is_young(answer) => {
                verdict.fine(
                    "it changed a moment ago: until then its `Last-Modified` alone is not believed",
                );
            }
            status => {
                verdict.wrong(format!(
                    "asked again {how}, the server sends {status} and all of it, not 304"
                ));
                held = false;
            }
        }
    }
    if held {
        verdict.fine("who asks again is told 304 Not Modified");
    }
    held
}

/// Whether it changed within the last two minutes, by the server's own clock.
fn is_young(answer: &Answer) -> bool {
    let date = |name| {
        answer
            .header(name)
            .and_then(|date| httpdate::parse_http_date(date).ok())
    };
    let (Some(now), Some(then)) = (date(DATE), date(LAST_MODIFIED)) else {
        return false;
    };
    now.duration_since(then)
        .is_ok_and(|age| age.as_secs() < 120)
}

/// What becomes of it where somebody compresses it.
fn encoded(url: &str, plain: &Answer, held: bool, verdict: &mut Verdict) {
    let Some(packed) = ask(url, &[(ACCEPT_ENCODING, "gzip")], verdict) else {
        return;
    };
    let encoding = packed.header(CONTENT_ENCODING).map(str::to_ascii_lowercase);
    match encoding.as_deref() {
        None => {
            if packed.body.len() > 2000 {
                verdict.warn(format!(
                    "it is sent as it is, {} bytes, to readers that take gzip",
                    packed.body.len()
                ));
            }
            return;
        }
        Some("gzip") => {}
        Some(other) => return verdict.wrong(format!("asked for gzip, the server sends {other}")),
    }
    let mut unpacked = Vec::new();
    if GzDecoder::new(&packed.body[..])
        .read_to_end(&mut unpacked)
        .is_err()
    {
        return verdict.wrong("what is sent as gzip cannot be unpacked");
    }
    if unpacked != plain.body {
        verdict.warn("with gzip it is another document than without: a cache in between keeps an old one, or it just changed");
    }
    verdict.fine(format!(
        "gzip makes {} bytes of {}",
        packed.body.len(),
        plain.body.len()
    ));
    let vary = packed
        .headers
        .get_all(VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value.split(',').any(|part| {
                part.trim().eq_ignore_ascii_case("accept-encoding") || part.trim() == "*"
            })
        });
    if !vary {
        verdict.wrong("`Vary: Accept-Encoding` is missing beside gzip: a cache may hand gzip to who cannot unpack it");
    }
    let Some(tag) = packed.header(ETAG) else {
        if plain.header(ETAG).is_some() {
            verdict.wrong(
                "whoever compresses it takes its `ETag` away: readers fetch all of it each time",
            );
        }
        return;
    };
    if !tag.starts_with("W/") && plain.header(ETAG) == Some(tag) {
        verdict.warn("one strong `ETag` stands for the document with and without gzip; it should be weak, or another one");
    }
    if !held {
        return;
    }
    let headers = [(IF_NONE_MATCH, tag), (ACCEPT_ENCODING, "gzip")];
    if let Some(again) = ask(url, &headers, verdict)
        && again.status != StatusCode::NOT_MODIFIED
    {
        verdict.wrong(format!("asked again with the `ETag` that came with gzip ({tag}), the server sends {} and all of it, not 304: whoever compresses it changes the tag and does not know it again", again.status));
    }
}

fn head(url: &str, answer: &Answer, verdict: &mut Verdict) {
    match fetch(Method::HEAD, url, &[(ACCEPT_ENCODING, "identity")]) {
        Ok(head) if head.status != answer.status => {
            verdict.warn(format!("HEAD is answered with {}", head.status));
        }
        Ok(head) if head.header(ETAG) != answer.header(ETAG) => {
            verdict.warn("HEAD and GET tell different `ETag`s");
        }
        Ok(_) => {}
        Err(error) => verdict.warn(format!("HEAD is not answered: {error:#}")),
    }
}
