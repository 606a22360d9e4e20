//! What an article's path says: its stem, folder and name, as used in ids, links and titles.

/// The path without extension; a page bundle (`a/b/index.md`) is named after its folder (`a/b`).
#[must_use]
pub fn stem(path: &str) -> &str {
    let start = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[start..]
        .rfind('.')
        .filter(|dot| *dot > 0)
        .map_or(path.len(), |dot| start + dot);
    let stem = &path[..dot];
    match stem.rsplit_once('/') {
        Some((folder, "index")) => folder,
        _ => stem,
    }
}

/// The folder of a path, without a slash at the end; empty at the top.
#[must_use]
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last segment of a path.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
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
            ("a/.md", "a/.md"),
        ] {
            assert_eq!(stem(path), expected, "{path}");
        }
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
