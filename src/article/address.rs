//! Addresses on the web and of mail, in the form in which every document may show them.

use url::{Host, Position, Url};

/// Returns a mail address as feeds may show it: without `mailto:`, its host in ASCII (RFC 5890); `None` if it is none, or
/// has a name that feed validators refuse.
#[must_use]
pub fn mail(text: &str) -> Option<String> {
    let text = text.trim();
    let scheme = text
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let address = scheme.map_or(text, |scheme| &text[scheme.len()..]);
    let (name, host) = address.rsplit_once('@')?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-+.'%".contains(&b);
    let Ok(Host::Domain(host)) = Host::parse(host) else {
        return None;
    };
    let is_host = host.contains('.')
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    let is_name = !name.is_empty() && name.bytes().all(fits);
    (is_name && is_host && !host.ends_with('.')).then(|| format!("{name}@{host}"))
}

/// An absolute http(s) URL in its canonical form: host in lower case, path at least `/`.
#[must_use]
pub fn canonical(url: &str) -> Option<String> {
    Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| encode_rest(&url))
}

/// What browsers leave alone in a path or a query, and a URI must not hold (RFC 3986 §2).
fn encode_rest(url: &Url) -> String {
    let mut out = String::from(&url[..Position::BeforePath]);
    for c in url[Position::BeforePath..].chars() {
        match c {
            '[' | ']' | '|' | '^' | '`' | '{' | '}' | '"' | '\\' | '<' | '>' | ' ' => {
                out += &format!("%{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    normal_escapes(&out)
}

/// Escapes in upper case, and none of what needs none: `%7E` is `~` (RFC 3986 §6.2.2).
fn normal_escapes(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let byte = rest
            .get(at + 1..at + 3)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
            }
            Some(byte) => out += &format!("%{byte:02X}"),
            None => out.push_str("%25"),
        }
        rest = &rest[if byte.is_some() { at + 3 } else { at + 1 }..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::{canonical, mail};

    #[test]
    fn mail_addresses_have_the_form_of_mail() {
        for (text, expected) in [
            ("ann@example.org", Some("ann@example.org")),
            ("mailto:ann@example.org", Some("ann@example.org")),
            (" MAILTO:ann@Example.org ", Some("ann@example.org")),
            ("ann@m\u{fc}ller.example", Some("ann@xn--mller-kva.example")),
            ("o'neil+news@example.org", Some("o'neil+news@example.org")),
            ("j\u{fc}rgen@example.org", None),
            ("a&b@c.example", None),
            ("ann", None),
            ("ann@localhost", None),
            ("ann smith@example.org", None),
            ("@example.org", None),
            ("ann@", None),
            ("ann@[127.0.0.1]", None),
        ] {
            assert_eq!(mail(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn addresses_on_the_web_are_uris() {
        for (text, expected) in [
            (
                "https://ann.example/about me",
                Some("https://ann.example/about%20me"),
            ),
            (
                "https://ja.example.org/wiki/\u{65e5}",
                Some("https://ja.example.org/wiki/%E6%97%A5"),
            ),
            (
                "https://m\u{fc}ller.example",
                Some("https://xn--mller-kva.example/"),
            ),
            ("HTTPS://Ann.Example/%7eb", Some("https://ann.example/~b")),
            (
                "https://a.example/?q=a|b&c=[d]",
                Some("https://a.example/?q=a%7Cb&c=%5Bd%5D"),
            ),
            ("javascript:alert(1)", None),
            ("ann.example", None),
            ("https://", None),
        ] {
            assert_eq!(canonical(text).as_deref(), expected, "{text}");
        }
    }
}
