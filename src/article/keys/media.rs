//! The picture that stands for an article, and what it plays.

use url::Url;

use super::Keys;
use super::place::web;
use crate::article::Enclosure;
use crate::article::front_matter::Value;

const IMAGE: [&str; 20] = [
    "image",
    "images[0]",
    "cover",
    "cover.image",
    "coverimage",
    "featuredimage",
    "heroimage",
    "thumbnail",
    "previewimage",
    "banner",
    "extra.image",
    "extra.images[0]",
    "extra.cover",
    "extra.cover.image",
    "extra.coverimage",
    "extra.featuredimage",
    "extra.heroimage",
    "extra.thumbnail",
    "extra.previewimage",
    "extra.banner",
];
const ENCLOSURE: [&str; 5] = ["enclosure", "enclosures", "audio", "podcastfile", "media"];

impl Keys<'_> {
    pub(in crate::article) fn image(&mut self) -> Option<String> {
        let found = IMAGE.into_iter().find_map(|key| {
            let (line, value) = self.head.get(key)?;
            let value = match value {
                Value::List(list) => list.first()?,
                value => value,
            };
            let named = ["path", "url", "src", "image"]
                .iter()
                .find_map(|key| value.get(key).and_then(Value::text));
            let found = named.or_else(|| match value {
                Value::Text(text) => Some(text.as_str().into()),
                _ => None,
            })?;
            let found = found.trim();
            (!found.is_empty() && is_reference(found)).then(|| (key, line, found.to_owned()))
        });
        let (key, line, found) = found?;
        self.note("image", key, line);
        Some(found)
    }

    pub(in crate::article) fn enclosures(&mut self) -> Vec<Enclosure> {
        let Some((key, line, value)) = ENCLOSURE
            .iter()
            .find_map(|key| self.head.get(key).map(|(line, v)| (*key, line, v)))
        else {
            return Vec::new();
        };
        let values = match value {
            Value::List(list) => list.as_slice(),
            value => std::slice::from_ref(value),
        };
        self.note("enclosures", key, line);
        let found: Vec<Enclosure> = values.iter().filter_map(enclosure).collect();
        if found.len() < values.len() {
            let what = format!("`{key}` holds {} without an address", value.kind());
            self.wrong(
                line,
                what,
                "write the path of a file, a URL, or a mapping with `url`, `length` and `type`",
            );
        }
        found
    }
}

/// `WordPress`' enclosures are three lines: address, length, type.
fn enclosure(value: &Value) -> Option<Enclosure> {
    if let Value::Map(_) = value {
        let text = |keys: &[&str]| {
            keys.iter()
                .find_map(|key| value.get(key).and_then(Value::text))
                .map(|t| t.trim().to_owned())
        };
        let href =
            text(&["url", "href", "src", "path", "file"]).filter(|href| is_reference(href))?;
        let length = text(&["length", "size", "bytes"]).and_then(|length| length.parse().ok());
        return Some(Enclosure {
            href,
            length,
            mime: text(&["type", "mime", "mimetype"]).filter(|mime| is_mime(mime)),
        });
    }
    let text = value.text()?.into_owned();
    let mut lines = text.lines().map(str::trim);
    let href = lines
        .next()
        .filter(|href| !href.is_empty() && is_reference(href))?
        .to_owned();
    let length = lines.next().and_then(|length| length.parse().ok());
    Some(Enclosure {
        href,
        length,
        mime: lines.next().filter(|mime| is_mime(mime)).map(str::to_owned),
    })
}

fn is_mime(text: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(kind, name)| word(kind) && word(name))
}

/// A relative reference, or an address on the web.
fn is_reference(text: &str) -> bool {
    match Url::parse(text) {
        Ok(_) => web(text),
        Err(_) => !text.contains(['<', '>', '"', '\n']),
    }
}
