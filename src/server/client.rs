//! Where a request came from: the peer, or whom trusted proxies name. For the log alone.

use std::fmt;
use std::net::IpAddr;

use http::header::{self, HeaderMap};

use crate::config::Trusted;

/// Who is at the other end of a connection; `None` for a unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ip) => ip.to_canonical().fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// The client: from the peer backwards along the proxies that are trusted, to the first that is not.
pub(super) fn resolve(peer: Peer, headers: &HeaderMap, trusted: &Trusted) -> Peer {
    let mut client = peer;
    if !trusted.has(peer.0) {
        return client;
    }
    for named in chain(headers).into_iter().rev() {
        // what is no address tells nothing, nor does anything before it
        let Some(named) = named else { break };
        client = Peer(Some(named));
        if !trusted.has(Some(named)) {
            break;
        }
    }
    client
}

/// The addresses that proxies wrote down, the first client first. `X-Forwarded-For` counts if there is one, else
/// `Forwarded` (RFC 7239 §4).
fn chain(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let members = |name: &str| -> Vec<String> {
        let lines = headers.get_all(name).iter();
        lines
            .flat_map(|line| {
                let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
                text.split(',')
                    .map(|member| member.trim().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let listed = members("x-forwarded-for");
    if !listed.is_empty() {
        return listed.iter().map(|text| address(text)).collect();
    }
    let forwarded = members(header::FORWARDED.as_str());
    forwarded
        .iter()
        .map(|member| {
            let mut parts = member
                .split(';')
                .filter_map(|part| part.trim().split_once('='));
            let (_, value) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
            address(value.trim().trim_matches('"'))
        })
        .collect()
}

/// An address with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if text.matches(':').count() == 1 => text.split(':').next().unwrap_or_default(),
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(peer: &str, fields: &[(&'static str, &str)], trusted: &Trusted) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        resolve(Peer(peer.parse().ok()), &headers, trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_from_right_to_left() {
        let trusted = Trusted {
            networks: vec!["10.0.0.0/8".parse().unwrap(), "5.6.7.8/32".parse().unwrap()],
            unix: true,
        };
        let nobody = Trusted::default();
        let xff = "x-forwarded-for";
        for (peer, fields, expected) in [
            ("10.0.0.1", vec![(xff, "1.2.3.4, 5.6.7.8")], "1.2.3.4"),
            ("9.9.9.9", vec![(xff, "1.2.3.4, 5.6.7.8")], "9.9.9.9"),
            (
                "10.0.0.1",
                vec![(xff, "6.6.6.6, 1.2.3.4, 5.6.7.8")],
                "1.2.3.4",
            ),
            (
                "10.0.0.1",
                vec![(xff, "6.6.6.6"), (xff, "1.2.3.4")],
                "1.2.3.4",
            ),
            ("10.0.0.1", vec![(xff, "1.2.3.4, nonsense")], "10.0.0.1"),
            ("10.0.0.1", vec![(xff, "nonsense, 1.2.3.4")], "1.2.3.4"),
            ("10.0.0.1", vec![(xff, "")], "10.0.0.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("unix", vec![(xff, "2001:db8::1")], "2001:db8::1"),
            ("::ffff:10.0.0.1", vec![(xff, "1.2.3.4:1234")], "1.2.3.4"),
            (
                "10.0.0.1",
                vec![(
                    "forwarded",
                    "for=1.2.3.4;proto=https, for=\"[2001:db8::2]:80\"",
                )],
                "2001:db8::2",
            ),
            (
                "10.0.0.1",
                vec![("forwarded", "for=6.6.6.6"), (xff, "1.2.3.4")],
                "1.2.3.4",
            ),
        ] {
            assert_eq!(
                resolved(peer, &fields, &trusted),
                expected,
                "{peer} {fields:?}"
            );
        }
        assert_eq!(
            resolved("10.0.0.1", &[(xff, "1.2.3.4")], &nobody),
            "10.0.0.1"
        );
        assert_eq!(resolved("unix", &[(xff, "1.2.3.4")], &nobody), "unix");
    }
}
