//! Which keys there are, and where in the file one stands.

use toml::de::{DeTable, DeValue};

use crate::problem::Problem;

/// Every key, by its table; `*` stands for any name.
const KEYS: [(&str, &[&str]); 15] = [
    (
        "",
        &[
            "base_url",
            "title",
            "description",
            "language",
            "time_zone",
            "author",
            "copyright",
            "icon",
            "articles",
            "feeds",
            "ledger",
            "permalink",
            "encoding",
            "compress",
            "hubs",
            "authors",
            "defaults",
            "feed",
            "podcast",
            "serve",
            "hub",
        ],
    ),
    ("authors", &["*"]),
    ("authors.*", &["name", "email", "url"]),
    (
        "defaults",
        &[
            "limit",
            "max_age",
            "max_bytes",
            "content",
            "formats",
            "by",
            "archives",
        ],
    ),
    (
        "feed",
        &[
            "name",
            "title",
            "description",
            "tags",
            "categories",
            "authors",
            "sections",
            "languages",
            "after",
            "before",
            "limit",
            "max_age",
            "max_bytes",
            "content",
            "formats",
        ],
    ),
    ("feed.tags", CONDITIONS),
    ("feed.categories", CONDITIONS),
    ("feed.authors", CONDITIONS),
    ("feed.sections", CONDITIONS),
    ("feed.languages", CONDITIONS),
    ("podcast", &["*"]),
    (
        "serve",
        &[
            "listen",
            "admin",
            "fresh",
            "scan",
            "log",
            "trusted_proxies",
            "max_connections",
            "aliases",
            "moved",
            "gone",
        ],
    ),
    ("hub", &["enabled", "allow"]),
    ("serve.aliases", &["*"]),
    ("serve.moved", &["*"]),
];

const CONDITIONS: &[&str] = &["any", "all", "none"];

/// The line (from 1) on which `key` is set; `None` if it stands nowhere by itself.
pub(super) fn line(text: &str, key: &str) -> Option<u32> {
    nth_line(text, key, 0)
}

/// The line on which a key that may stand several times is set for the time `nth`, from 0.
pub(super) fn nth_line(text: &str, key: &str, nth: usize) -> Option<u32> {
    let sets = |line: &str| {
        let rest = line
            .trim_start()
            .trim_start_matches('[')
            .trim_start()
            .strip_prefix(key)
            .map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['=', ']', '.']))
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| sets(line));
    lines
        .nth(nth)
        .and_then(|(index, _)| u32::try_from(index + 1).ok())
}

/// Refuses keys that do not exist, naming the nearest that does.
pub(super) fn unknown(text: &str, table: &DeTable<'_>, name: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    walk(text, table, "", name, &mut found);
    found
}

fn walk(text: &str, table: &DeTable<'_>, path: &str, name: &str, found: &mut Vec<Problem>) {
    let Some((_, keys)) = KEYS.iter().find(|(table, _)| *table == path) else {
        return;
    };
    for (key, value) in table {
        let any = keys.contains(&"*");
        if !any && !keys.contains(&key.get_ref().as_ref()) {
            let line = text[..key.span().start]
                .bytes()
                .filter(|b| *b == b'\n')
                .count()
                + 1;
            let table = if path.is_empty() {
                String::new()
            } else {
                format!(" in `[{path}]`")
            };
            let nearest = keys
                .iter()
                .min_by_key(|known| distance(known, key.get_ref()));
            let remedy = match nearest.filter(|known| distance(known, key.get_ref()) <= 3) {
                Some(known) => format!("do you mean `{known}`?"),
                None => format!(
                    "there is {}",
                    keys.iter()
                        .map(|key| format!("`{key}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            };
            let problem = Problem::error(
                name,
                format!("the key `{}` is unknown{table}", key.get_ref()),
            );
            found.push(problem.remedy(remedy).at(u32::try_from(line).ok()));
        }
        let key = if any { "*" } else { key.get_ref().as_ref() };
        let path = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        match value.get_ref() {
            DeValue::Table(inner) => walk(text, inner, &path, name, found),
            DeValue::Array(list) => {
                for value in list {
                    if let DeValue::Table(inner) = value.get_ref() {
                        walk(text, inner, &path, name, found);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Levenshtein's distance: how many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
