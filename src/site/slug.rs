//! Names as they stand in URLs.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The longest slug in bytes: a file system's longest name, less room for `-2` and a suffix.
const LONGEST: usize = 200;

/// `text` as one segment of a URL: lower case, letters and digits of any script, everything else one `-`.
///
/// Never empty, never begins with `.`; `None` if nothing of `text` can stand in a URL.
#[must_use]
pub fn slug(text: &str) -> Option<String> {
    if text.is_ascii() {
        return ascii_slug(text);
    }
    let mut slug = String::new();
    for c in nfc(text).chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || is_mark(c) {
            if slug.len() + c.len_utf8() > LONGEST {
                break;
            }
            slug.push(c);
        } else if c == '\'' || c == '’' {
            // "don't" is one word
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    // lower-casing may take a composed letter apart again
    (!slug.is_empty()).then(|| nfc(&slug).into_owned())
}

/// The same of what has no other letters, as most names have none.
fn ascii_slug(text: &str) -> Option<String> {
    let mut slug = String::with_capacity(text.len().min(LONGEST));
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() {
            if slug.len() >= LONGEST {
                break;
            }
            slug.push(char::from(b.to_ascii_lowercase()));
        } else if b != b'\'' && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    (!slug.is_empty()).then_some(slug)
}

/// `text` in Unicode's normal form C; as it is where it is in that form already, as almost all text is.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text.into()
    } else {
        text.nfc().collect::<String>().into()
    }
}

/// Marks belong to the letter before them; some scripts (Devanagari, Thai) cannot be read without.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// `path`, each segment slugged, folders kept; a segment of which nothing remains becomes `-`'s kin `x`.
#[must_use]
pub fn slug_path(path: &str) -> String {
    path.split('/')
        .map(|segment| slug(segment).unwrap_or_else(|| "x".to_owned()))
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for (text, expected) in [
            ("Hello, World!", "hello-world"),
            ("Don't panic", "dont-panic"),
            ("café", "café"),
            ("cafe\u{301}", "café"),
            ("日本語 の 話", "日本語-の-話"),
            ("हिन्दी", "हिन्दी"),
            ("--a--b--", "a-b"),
            ("2024-05-01-x", "2024-05-01-x"),
            ("..", ""),
            ("C++", "c"),
            ("İstanbul", "i\u{307}stanbul"),
        ] {
            assert_eq!(
                slug(text).unwrap_or_default(),
                expected.nfc().collect::<String>(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_path_keeps_its_folders() {
        assert_eq!(slug_path("Notes/../Über uns"), "notes/x/über-uns");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert!(slug(&"ü".repeat(1000)).unwrap().len() <= LONGEST);
    }
}
