//! Ids that authors declare. RSS and JSON Feed take any text as an id; Atom demands an IRI (RFC 4287 §4.2.6), and every id
//! that is none has a form of its own there.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

/// What an IRI must not hold (RFC 3987 §2.2); everything that is not ASCII is encoded too, so that an id is a URI.
const FORBIDDEN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What the name-specific part of a URN must not hold (RFC 2141 §2.2).
const NOT_IN_URN: &AsciiSet = &FORBIDDEN
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'/')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'~');

/// What stands before an id that is no URI.
const NAMED: &str = "urn:x-article:";

/// Returns an id as Atom has it: as it is where it is a URI, percent-encoded where that makes one of it, a UUID as
/// `urn:uuid:…`, and anything else as `urn:x-article:…`. The form depends on nothing but the id, and is its own form.
#[must_use]
pub fn in_atom(id: &str) -> Cow<'_, str> {
    if is_uuid(id) {
        return format!("urn:uuid:{}", id.to_ascii_lowercase()).into();
    }
    let encoded: Cow<'_, str> = utf8_percent_encode(id, FORBIDDEN).into();
    if is_uri(&encoded) {
        encoded
    } else {
        format!("{NAMED}{}", utf8_percent_encode(id, NOT_IN_URN)).into()
    }
}

/// Returns the id of which `urn:x-article:…` is the form in Atom; `None` if `id` is no such form.
#[must_use]
pub fn named(id: &str) -> Option<String> {
    let name = percent_decode_str(id.strip_prefix(NAMED)?);
    Some(name.decode_utf8().ok()?.into_owned())
}

/// Whether a text in ASCII is a URI that every reader of Atom takes as an id.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()) else {
        return false;
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    if !is_scheme(scheme) || !text.bytes().all(fits) {
        return false;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => {
            let path = rest
                .strip_prefix("//")
                .map(|rest| rest.split_once('/').map_or("", |(_, path)| path));
            let has_host = Url::parse(text)
                .is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
            has_host && path.is_some_and(|path| !path.contains(['[', ']']))
        }
        "tag" => is_tag(rest) && !rest.contains(['[', ']']),
        "urn" => {
            let name = rest.split_once(':');
            name.is_some_and(|(space, name)| space.len() > 1 && !name.is_empty())
                && !rest.contains(['[', ']'])
        }
        _ => !rest.contains(['[', ']']),
    }
}

/// `authority,date:specific` (RFC 4151 §2.1).
fn is_tag(rest: &str) -> bool {
    let Some((authority, rest)) = rest.split_once(',') else {
        return false;
    };
    let date = rest.split_once(':').map_or("", |(date, _)| date);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let is_date = matches!(date.len(), 4 | 7 | 10)
        && date.bytes().enumerate().all(|(at, b)| {
            if matches!(at, 4 | 7) {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        });
    !host.is_empty() && host.bytes().all(fits) && is_date
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(i, c)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{in_atom, named};
    use crate::extent::cases;

    #[test]
    fn ids_have_the_form_in_atom_that_they_always_had() {
        for (id, form) in [
            (
                "tag:example.org,2026-05-01:/a",
                "tag:example.org,2026-05-01:/a",
            ),
            ("https://a.example/?p=1&q=2", "https://a.example/?p=1&q=2"),
            ("http://Quay.example/?p=1", "http://Quay.example/?p=1"),
            ("https://quay.example", "https://quay.example"),
            (
                "https://quay.example/%e6%97%a5/",
                "https://quay.example/%e6%97%a5/",
            ),
            (
                "https://quay.example/ü b",
                "https://quay.example/%C3%BC%20b",
            ),
            (
                "45863 at https://quay.example",
                "urn:x-article:45863%20at%20https:%2F%2Fquay.example",
            ),
            ("12345", "urn:x-article:12345"),
            ("über uns", "urn:x-article:%C3%BCber%20uns"),
            (
                "1225C695-cfb8-4ebb-aaaa-80da344efa6a",
                "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
            ),
            (
                "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
                "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
            ),
            ("urn:isbn:123", "urn:isbn:123"),
            // never published so far: every reader refuses them as they are
            ("urn:x", "urn:x-article:urn:x"),
            ("http:a", "urn:x-article:http:a"),
            ("tag:nobody", "urn:x-article:tag:nobody"),
            (
                "https://a.example/[b]",
                "urn:x-article:https:%2F%2Fa.example%2F%5Bb%5D",
            ),
            (":", "urn:x-article::"),
        ] {
            assert_eq!(in_atom(id), form, "{id}");
            assert_eq!(in_atom(form), form, "{form}");
            assert!(named(form).is_none_or(|known| known == id), "{form}");
        }
    }

    proptest! {
        #![proptest_config(cases(500, 50_000))]

        #[test]
        fn every_id_has_one_form_in_atom_and_other_ids_have_others(a in "\\PC{1,20}", b in "\\PC{1,20}") {
            let form = in_atom(&a).into_owned();
            prop_assert_eq!(in_atom(&form), form.as_str());
            prop_assert!(form.is_ascii() && form.contains(':'), "{}", form);
            if let Some(known) = named(&form) {
                prop_assert!(known == a || a == form);
            }
            let _ = in_atom(&b);
        }
    }
}
