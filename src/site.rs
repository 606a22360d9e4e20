//! The site that the articles belong to: its public address, what is said of it, and how its URLs are made.

use std::net::IpAddr;

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{Host, Url};

use crate::article::Person;

pub mod permalink;
pub mod slug;
pub mod tools;

pub use permalink::{Pattern, Permalink};
pub use tools::Tool;

/// What stays as it is in a path segment (RFC 3986 §3.3: unreserved, sub-delims, `:` and `@`).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The route of our own hub.
pub const HUB: &str = "hub";

/// The site, as every feed and page shows it.
#[derive(Debug, Clone)]
pub struct Site {
    /// The public address: http(s), no query, no fragment, path ends in `/`.
    pub base: Url,
    /// Never empty.
    pub title: String,
    /// Whether somebody gave that title; else it is the name of a folder, and the ledger keeps it.
    pub has_title: bool,
    /// Never empty.
    pub description: String,
    /// A language tag (BCP 47).
    pub language: String,
    /// The zone of dates written without one.
    pub zone: Tz,
    /// Who writes, if one person does.
    pub author: Option<Person>,
    /// A copyright notice.
    pub copyright: Option<String>,
    /// Absolute URL of an image that stands for the site.
    pub icon: Option<String>,
    /// How articles' URLs are made; `None`: pages of our own.
    pub permalink: Option<Permalink>,
    /// Minutes for which a reader need not ask again (RSS's `ttl`), at least 1.
    pub ttl: u32,
    /// Absolute URLs of the WebSub hubs that push what changed.
    pub hubs: Vec<String>,
    /// Whether it is a hub for its own feeds.
    pub is_hub: bool,
}

impl Site {
    /// The absolute URL of the route `route` (not percent-encoded, no slash in front).
    #[must_use]
    pub fn url(&self, route: &str) -> String {
        format!("{}{}", self.base, encode_path(route))
    }

    /// The host in lower case, as an A-label: the authority of minted ids (RFC 4151 §2.1).
    #[must_use]
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or("localhost")
    }

    /// Whether readers elsewhere could reach the base URL: what is minted under another one is provisional.
    #[must_use]
    pub fn is_public(&self) -> bool {
        is_public(&self.base)
    }

    /// The `PATH` part of a minted id: the base URL's path and then `path`, percent-encoded.
    #[must_use]
    pub fn tag_path(&self, path: &str) -> String {
        format!("{}{}", self.base.path(), encode_path(path))
    }

    /// Year, month and day of an instant in the site's zone.
    #[must_use]
    pub fn day(&self, instant: DateTime<Utc>) -> (i32, u32, u32) {
        let local = instant.with_timezone(&self.zone);
        (local.year(), local.month(), local.day())
    }
}

/// Percent-encodes each segment of a path; slashes stay.
#[must_use]
pub fn encode_path(path: &str) -> String {
    // most need none
    let is_plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b'~');
    if path.bytes().all(is_plain) {
        return path.to_owned();
    }
    path.split('/')
        .map(|segment| utf8_percent_encode(segment, SEGMENT).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

/// Whether readers elsewhere could reach `base`.
pub(crate) fn is_public(base: &Url) -> bool {
    match base.host() {
        None => false,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.contains('.')
                && ![".localhost", ".local", ".internal", ".lan", ".home.arpa"]
                    .iter()
                    .any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(ip)) => is_public_ip(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => {
            is_public_ip(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4))
        }
    }
}

fn is_public_ip(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || shared)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
            !(ip.is_loopback() || ip.is_unspecified() || local)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_others_can_reach_are_public() {
        let public = |url: &str| is_public(&Url::parse(url).unwrap());
        for url in [
            "https://example.org/",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
            "https://münchen.example/",
        ] {
            assert!(public(url), "{url}");
        }
        for url in [
            "http://localhost:8080/",
            "http://127.0.0.1/",
            "http://10.1.2.3/",
            "http://192.168.0.1/",
            "http://[::1]/",
            "http://[fd00::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://intranet/",
            "http://nas.local/",
            "http://100.64.0.1/",
        ] {
            assert!(!public(url), "{url}");
        }
    }

    #[test]
    fn a_path_is_encoded_segment_by_segment() {
        assert_eq!(encode_path("a b/ü#?%.html"), "a%20b/%C3%BC%23%3F%25.html");
    }
}
