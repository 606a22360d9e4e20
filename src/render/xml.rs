//! What RSS and Atom have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rss::extension::{Extension, ExtensionMap};

use crate::feed::Item;

/// The namespace of Media RSS.
pub(super) const MEDIA: &str = "http://search.yahoo.com/mrss/";

/// `text` without what XML 1.0 cannot hold (§2.2, `Char`), and without what feed validators call bad: C1 controls,
/// which are mostly bytes of another encoding, and U+FFFD, which shows that something was lost already.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    let good = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffc}' | '\u{10000}'..);
    if is_good(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mend = |c: char| match c {
        '\u{fffd}' => Some('?'),
        // a next line is a line end to those who write it
        '\u{85}' => Some('\n'),
        c => good(c).then_some(c),
    };
    // a carriage return would become a line feed in any reader
    Cow::Owned(
        text.replace("\r\n", "\n")
            .replace('\r', "\n")
            .chars()
            .filter_map(mend)
            .collect(),
    )
}

/// Whether [`text`] has nothing to take out, found out many bytes at a time: every text of every feed is asked.
fn is_good(text: &[u8]) -> bool {
    let control = |odd: u8, b: &u8| {
        odd | u8::from(*b < b' ') & u8::from(*b != b'\t') & u8::from(*b != b'\n')
            | u8::from(*b == 0x7f)
    };
    let has_controls = text
        .chunks(256)
        .any(|chunk| chunk.iter().fold(0, control) != 0);
    // the bytes that C1 controls, and U+FFFD to U+FFFF, begin with
    !has_controls
        && memchr::memchr2_iter(0xc2, 0xef, text).all(|at| {
            !matches!(
                text[at..],
                [0xc2, 0x80..=0x9f, ..] | [0xef, 0xbf, 0xbd..=0xbf, ..]
            )
        })
}

/// `text` with `&`, `<` and `>` escaped, as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// `media:content` and `media:thumbnail` of an item with an image, as both crates' extension maps hold them:
/// prefix, local name, attributes.
pub(super) fn media(item: &Item) -> Vec<(&'static str, BTreeMap<String, String>)> {
    let Some(image) = &item.image else {
        return Vec::new();
    };
    let url = ("url".to_owned(), text(&image.url).into_owned());
    let mut content = BTreeMap::from([url.clone(), ("medium".to_owned(), "image".to_owned())]);
    if let Some(mime) = &image.mime {
        content.insert("type".to_owned(), mime.clone());
    }
    if let Some((width, height)) = image.size {
        content.insert("width".to_owned(), width.to_string());
        content.insert("height".to_owned(), height.to_string());
    }
    vec![("content", content), ("thumbnail", BTreeMap::from([url]))]
}

/// The same, as the `rss` crate wants it.
pub(super) fn rss_media(item: &Item) -> ExtensionMap {
    let mut elements = BTreeMap::new();
    for (name, attrs) in media(item) {
        let extension = Extension {
            name: format!("media:{name}"),
            attrs,
            ..Extension::default()
        };
        elements.insert(name.to_owned(), vec![extension]);
    }
    if elements.is_empty() {
        ExtensionMap::new()
    } else {
        ExtensionMap::from([("media".to_owned(), elements)])
    }
}

#[cfg(test)]
mod tests {
    use super::{is_good, text};

    #[test]
    fn what_xml_cannot_hold_is_found_whatever_stands_around_it() {
        for code in (0..0x3000).chain(0xd000..0x1_0100) {
            let Some(c) = char::from_u32(code) else {
                continue;
            };
            let good = matches!(c, '\t' | '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffc}' | '\u{10000}'..);
            let long = format!("{}é{c}ï\u{fffc}", "x".repeat(300));
            assert_eq!(is_good(long.as_bytes()), good, "{code:x}");
            assert_eq!(text(&long) == long, good, "{code:x}");
        }
    }
}
