//! What an article's path says: its stem, folder, name and language, as used in ids, links and titles.

use std::borrow::Cow;

use memchr::memrchr;

/// The path without extension; a page bundle (`a/b/index.md`) is named after its folder (`a/b`), and one of several
/// languages (`a/b/index.fr.md`) after both (`a/b.fr`).
#[must_use]
pub fn stem(path: &str) -> Cow<'_, str> {
    let start = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[start..]
        .rfind('.')
        .filter(|dot| *dot > 0)
        .map_or(path.len(), |dot| start + dot);
    let stem = &path[..dot];
    match stem.rsplit_once('/') {
        Some((folder, "index")) => folder.into(),
        Some((folder, name)) => match (name.strip_prefix("index."), language(path)) {
            (Some(suffix), Some(_)) => format!("{folder}.{suffix}").into(),
            _ => stem.into(),
        },
        None => stem.into(),
    }
}

/// The language that a path names: `a/name.fr.md`, `a/index.pt-br.md`.
#[must_use]
pub fn language(path: &str) -> Option<String> {
    let name = name(path);
    let (name, _) = name.rsplit_once('.')?;
    let (_, suffix) = name.rsplit_once('.').filter(|(name, _)| !name.is_empty())?;
    let tag = super::language::tag(suffix)?;
    super::language::is_known(&tag).then_some(tag)
}

/// A stem without the language at its end: `a/name.fr` is `a/name`.
#[must_use]
pub fn without_language(stem: &str) -> &str {
    match stem.rsplit_once('.') {
        Some((rest, suffix))
            if !rest.is_empty() && !rest.ends_with('/') && !suffix.contains('/') =>
        {
            let known =
                super::language::tag(suffix).is_some_and(|tag| super::language::is_known(&tag));
            if known { rest } else { stem }
        }
        _ => stem,
    }
}

/// The folders that tell a reader something: without those that only a generator wants (`_posts`, `_drafts`).
#[must_use]
pub fn sections(path: &str) -> String {
    let stem = stem(path);
    let folder = folder(&stem);
    let named = folder.split('/').filter(|name| !name.starts_with('_'));
    named.collect::<Vec<_>>().join("/")
}

/// The name of the file of which a file manager, a browser or a sync program made a copy with this name: `x (1).md`,
/// `x copy.md`, `x - Copy.md`, `Copy of x.md`, `x-DESKTOP-AB12.md` (`OneDrive`: the name of a computer).
#[must_use]
pub fn original(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    let ascii;
    let stem = if stem.contains('（') {
        ascii = stem.replace('（', " (").replace('）', ")");
        &ascii
    } else {
        stem
    };
    let numbered = stem.strip_suffix(')').and_then(|stem| {
        let (stem, number) = stem.rsplit_once(" (").or(stem.rsplit_once('('))?;
        let is_number = number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty();
        let lower = number.to_lowercase();
        let is_copy = ["copy", "kopie", "copie", "copia", "conflict", "duplicate"];
        let is_copy = lower.split(' ').any(|word| is_copy.contains(&word));
        (is_number || is_copy).then_some(stem)
    });
    let stem = numbered.unwrap_or(stem);
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let counted = stem[..stem.len() - digits]
        .strip_suffix(' ')
        .filter(|_| (1..3).contains(&digits));
    let numbered = numbered.or(counted);
    let stem = counted.unwrap_or(stem);
    let named = WORDS.iter().find_map(|word| {
        let rest = stem.strip_suffix(word)?;
        let rest = rest.trim_end_matches([' ', '-', '_', '.', '\u{2013}', '\u{2014}', 'の']);
        (rest.len() < stem.len() - word.len() && !rest.is_empty()).then_some(rest)
    });
    let first = [
        "Copy of ",
        "Kopie von ",
        "Copie de ",
        "Copia de ",
        "Cópia de ",
        "Копия ",
    ];
    let named = named.or_else(|| first.iter().find_map(|word| stem.strip_prefix(word)));
    // `x - Copy - Copy`
    if let Some(stem) = named
        && let Some(original) = original(&format!("{stem}.{extension}"))
    {
        return Some(original);
    }
    let named = named.or_else(|| marked(stem));
    let stem = named.or(numbered).filter(|stem| !stem.is_empty())?;
    Some(format!("{stem}.{extension}"))
}

/// Words for a copy, as file managers put them at the end of a name.
const WORDS: [&str; 16] = [
    "Copy",
    "copy",
    "COPY",
    "Kopie",
    "kopie",
    "Copie",
    "copie",
    "Copia",
    "copia",
    "Cópia",
    "cópia",
    "Kopia",
    "コピー",
    "副本",
    "копия",
    "복사본",
];

/// A stem without the name of a computer, or a word for a copy, at its end.
fn marked(stem: &str) -> Option<&str> {
    const WORDS: [&str; 9] = [
        "copy", "copie", "copia", "kopie", "old", "orig", "original", "backup", "bak",
    ];
    let is_separator = |c: char| matches!(c, '-' | '_' | '.' | ' ');
    let is_computer = |name: &str| {
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
        name.chars().all(fits) && name.chars().any(|c| c.is_ascii_uppercase()) && name.len() > 2
    };
    let mut ends = stem.match_indices(is_separator);
    ends.find_map(|(at, separator)| {
        let word = &stem[at + separator.len()..];
        (WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) || is_computer(word))
            .then(|| &stem[..at])
    })
}

/// The folder of a path, without a slash at the end; empty at the top.
#[must_use]
pub fn folder(path: &str) -> &str {
    memrchr(b'/', path.as_bytes()).map_or("", |slash| &path[..slash])
}

/// The last segment of a path.
#[must_use]
pub fn name(path: &str) -> &str {
    memrchr(b'/', path.as_bytes()).map_or(path, |slash| &path[slash + 1..])
}

/// A name without the date in front of it: `2024-05-01-hello` is `hello`. A name that is only a date stays.
#[must_use]
pub fn without_date(name: &str) -> &str {
    let bytes = name.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let separated = |at: usize| bytes.get(at).is_some_and(|b| matches!(b, b'-' | b'_'));
    if digits(0..4)
        && separated(4)
        && digits(5..7)
        && separated(7)
        && digits(8..10)
        && separated(10)
        && bytes.len() > 11
    {
        &name[11..]
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_named_after_its_folder() {
        for (path, expected) in [
            ("a/b.md", "a/b"),
            ("a/b/index.md", "a/b"),
            ("index.md", "index"),
            ("a.b/c", "a.b/c"),
            ("x.fr.md", "x.fr"),
            ("a/b/index.fr.md", "a/b.fr"),
            ("a/b/index.min.md", "a/b/index.min"),
            ("a/.md", "a/.md"),
        ] {
            assert_eq!(stem(path), expected, "{path}");
        }
    }

    #[test]
    fn a_language_stands_before_the_extension() {
        for (path, expected) in [
            ("a/x.fr.md", Some("fr")),
            ("x.pt-br.md", Some("pt-BR")),
            ("x.md", None),
            ("x.js.md", None),
            ("v1.2.md", None),
            (".fr.md", None),
            ("fr.md", None),
        ] {
            assert_eq!(language(path).as_deref(), expected, "{path}");
        }
        assert_eq!(without_language("a.b/x.fr"), "a.b/x");
        assert_eq!(without_language("a.fr/x"), "a.fr/x");
    }

    #[test]
    fn a_date_in_front_of_a_name_goes() {
        for (name, expected) in [
            ("2024-05-01-hello", "hello"),
            ("2024-05-01", "2024-05-01"),
            ("2024-hello", "2024-hello"),
            ("é2024-05-01-x", "é2024-05-01-x"),
        ] {
            assert_eq!(without_date(name), expected);
        }
    }
}
