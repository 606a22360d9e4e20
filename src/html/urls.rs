//! Addresses inside HTML.

use url::Url;

use super::Surroundings;
use super::tokens::{Sink, Tag, tokenise};

/// Attributes that hold an address.
pub(super) const SINGLE: [&str; 5] = ["href", "src", "poster", "cite", "data"];

/// Images inside the text itself are kept up to this length.
const DATA: usize = 64 << 10;

/// The absolute form of an address as written; `None` if no reader should follow it.
pub(super) fn absolute(
    value: &str,
    name: &str,
    element: &str,
    around: &Surroundings<'_>,
) -> Option<String> {
    let value: String = value
        .trim_matches(|c: char| c.is_whitespace() || c.is_control())
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    if let Some(fragment) = value.strip_prefix('#') {
        let mut base = around.base.clone();
        base.set_fragment(Some(
            &footnote(fragment, around.prefix).unwrap_or_else(|| fragment.to_owned()),
        ));
        return Some(base.into());
    }
    let url = match Url::parse(&value) {
        Ok(url) => url,
        Err(_) if value.is_empty() && name != "href" => return None,
        Err(_) if value.is_empty() => around.base.clone(),
        Err(_) => Url::parse(&(around.resolve)(&value)?).ok()?,
    };
    let fits = match url.scheme() {
        "http" | "https" => url.host_str().is_some_and(|host| !host.is_empty()),
        "mailto" | "tel" => name == "href",
        "data" => {
            element == "img" && name == "src" && value.len() <= DATA && is_picture(url.path())
        }
        _ => false,
    };
    fits.then(|| url.into())
}

fn is_picture(path: &str) -> bool {
    [
        "image/png",
        "image/gif",
        "image/jpeg",
        "image/webp",
        "image/avif",
    ]
    .iter()
    .any(|kind| {
        path.get(..kind.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(kind))
            && path[kind.len()..].starts_with([';', ','])
    })
}

/// `srcset` with absolute addresses; candidates that lead nowhere go.
pub(super) fn absolute_set(
    value: &str,
    element: &str,
    around: &Surroundings<'_>,
) -> Option<String> {
    let candidates: Vec<String> = candidates(value)
        .into_iter()
        .filter_map(|(url, descriptor)| {
            // a comma inside an address would end it
            let url = absolute(url, "srcset", element, around)?.replace(',', "%2C");
            Some(if descriptor.is_empty() {
                url
            } else {
                format!("{url} {descriptor}")
            })
        })
        .collect();
    (!candidates.is_empty()).then(|| candidates.join(", "))
}

/// The candidates of a `srcset` (HTML, "parse a srcset attribute"): address and descriptor.
fn candidates(value: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return found;
        }
        let (url, behind) = rest.split_at(
            rest.find(|c: char| c.is_ascii_whitespace())
                .unwrap_or(rest.len()),
        );
        let bare = url.trim_end_matches(',');
        if bare.len() < url.len() {
            found.push((bare, ""));
            rest = behind;
            continue;
        }
        let (descriptor, behind) = behind.split_at(behind.find(',').unwrap_or(behind.len()));
        let descriptor = descriptor.trim();
        let fits = descriptor.len() > 1
            && descriptor.ends_with(['w', 'x', 'h'])
            && descriptor[..descriptor.len() - 1].parse::<f64>().is_ok();
        found.push((url, if fits { descriptor } else { "" }));
        rest = behind;
    }
}

/// The id of a footnote with the article's prefix; `None` if `id` is no footnote's.
pub(super) fn footnote(id: &str, prefix: &str) -> Option<String> {
    let plain = id.strip_prefix(prefix).unwrap_or(id);
    let lower = plain.to_ascii_lowercase();
    let is_one = ["fn", "_ftn", "user-content-fn"].iter().any(|start| {
        let rest = lower
            .strip_prefix(start)
            .map(|rest| rest.strip_prefix("ref").unwrap_or(rest));
        rest.is_some_and(|rest| {
            rest.starts_with(['-', ':', '_', '.']) || rest.starts_with(|c: char| c.is_ascii_digit())
        })
    });
    (is_one || lower.starts_with("footnote")).then(|| format!("{prefix}{plain}"))
}

/// Every address in `html`, in the order of the document, those of `srcset` too.
#[must_use]
pub fn references(html: &str) -> Vec<String> {
    #[derive(Default)]
    struct Collector(Vec<String>);
    impl Sink for Collector {
        fn text(&mut self, _: &str) {}

        fn start(&mut self, tag: &Tag<'_>) {
            for (name, value) in tag.attributes {
                if SINGLE.contains(name) {
                    self.0.push(value.to_string());
                } else if *name == "srcset" {
                    let urls = candidates(value).into_iter();
                    self.0.extend(urls.map(|(url, _)| url.to_owned()));
                }
            }
        }

        fn end(&mut self, _: &str) {}
    }
    tokenise(html, Collector::default).0
}
