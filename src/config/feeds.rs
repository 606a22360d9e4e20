//! Which feeds there are to be: `[defaults]` and `[[feed]]`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{non_empty, quantity, raw};
use crate::article::{Person, date, language};
use crate::edition::Kind;
use crate::feed::{By, Content, FeedSpec, Filter, Terms};

/// First segments of routes that are taken.
const TAKEN: [&str; 21] = [
    "articles",
    "tags",
    "categories",
    "authors",
    "sections",
    "languages",
    "archive",
    "preview",
    "rss.xml",
    "atom.xml",
    "feed.json",
    "feeds.opml",
    "manifest.json",
    "tidings.json",
    "tidings.css",
    "index.html",
    "livez",
    "readyz",
    "hub",
    // the names of a bucket's own
    "blobs",
    "ledger",
];

/// What the feeds are made with.
pub(super) struct Context<'a> {
    pub(super) title: &'a str,
    pub(super) zone: Tz,
    pub(super) authors: &'a BTreeMap<String, Person>,
}

/// The main feed.
pub(super) fn main(title: &str, defaults: &raw::Defaults) -> Result<FeedSpec, String> {
    let spec = FeedSpec {
        name: String::new(),
        title: title.to_owned(),
        description: None,
        filter: Filter::default(),
        limit: 30,
        max_age: None,
        max_bytes: 512 << 10,
        content: Content::Both,
        formats: vec![Kind::Rss, Kind::Atom, Kind::Json],
    };
    with(spec, &defaults.shape())
}

/// The ways in which articles are sorted that have feeds.
pub(super) fn by(names: &[String]) -> Result<Vec<By>, String> {
    let mut found = Vec::new();
    for name in names {
        let by = By::ALL
            .into_iter()
            .find(|by| by.name() == name || by.folder() == name);
        let by = by.ok_or_else(|| {
            let names = By::ALL.map(|by| format!("`{}`", by.name())).join(", ");
            format!("`{name}` is nothing that articles are sorted by; use {names}")
        })?;
        if !found.contains(&by) {
            found.push(by);
        }
    }
    found.sort();
    Ok(found)
}

/// A feed of `[[feed]]`, which inherits from the main one.
pub(super) fn named(
    feed: &raw::Feed,
    main: &FeedSpec,
    others: &[FeedSpec],
    context: &Context<'_>,
) -> Result<FeedSpec, String> {
    let name = name(feed.name.as_deref(), others)?;
    let title = non_empty(feed.title.as_deref());
    let spec = FeedSpec {
        title: title.map_or_else(
            || format!("{}: {name}", context.title),
            crate::article::words::printable,
        ),
        description: non_empty(feed.description.as_deref()).map(str::to_owned),
        filter: filter(feed, context)?,
        name,
        ..main.clone()
    };
    with(spec, &feed.shape())
}

fn name(name: Option<&str>, others: &[FeedSpec]) -> Result<String, String> {
    let example = "write `name = \"rust\"` for a feed at /rust/rss.xml";
    let name = non_empty(name)
        .map(|name| name.trim_matches('/'))
        .filter(|name| !name.is_empty())
        .ok_or_else(|| format!("a feed has no `name`; {example}"))?;
    let is_segment = |segment: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        !segment.is_empty() && !segment.starts_with('.') && segment.chars().all(plain)
    };
    if !name.split('/').all(is_segment) || name.len() > 200 {
        return Err(format!(
            "the name `{name}` cannot stand in a URL as it is; use letters, digits, `-`, `_` and `/`"
        ));
    }
    let first = name.split('/').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    if TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(first)) || TAKEN[6..].contains(&last) {
        return Err(format!(
            "the name `{name}` is in the way of what is published at `/{first}`; choose another one"
        ));
    }
    let folded = name.to_lowercase();
    if others
        .iter()
        .any(|other| other.name.to_lowercase() == folded)
    {
        return Err(format!(
            "two feeds are called `{name}`; give one of them another name"
        ));
    }
    Ok(name.to_owned())
}

fn filter(feed: &raw::Feed, context: &Context<'_>) -> Result<Filter, String> {
    let conditions = [
        (By::Tag, &feed.tags),
        (By::Category, &feed.categories),
        (By::Author, &feed.authors),
        (By::Section, &feed.sections),
        (By::Language, &feed.languages),
    ];
    let mut terms = Vec::new();
    for (by, condition) in conditions {
        let Some(condition) = condition else { continue };
        let (any, all, none) = match condition {
            raw::Condition::Any(any) => (any.as_slice(), [].as_slice(), [].as_slice()),
            raw::Condition::Each { any, all, none } => {
                (any.as_slice(), all.as_slice(), none.as_slice())
            }
        };
        let each = |names: &[String]| {
            names
                .iter()
                .map(|name| term(by, name, context))
                .collect::<Result<Vec<_>, _>>()
        };
        terms.push((
            by,
            Terms {
                any: each(any)?,
                all: each(all)?,
                none: each(none)?,
            },
        ));
    }
    Ok(Filter {
        terms,
        after: instant("after", feed.after.as_ref(), context.zone)?,
        before: instant("before", feed.before.as_ref(), context.zone)?,
    })
}

/// A term as articles have it.
fn term(by: By, name: &str, context: &Context<'_>) -> Result<String, String> {
    match by {
        By::Author => Ok(context
            .authors
            .get(name)
            .map_or(name, |author| &author.name)
            .to_owned()),
        By::Section => Ok(name.trim_matches('/').to_owned()),
        By::Language => language::tag(name).ok_or_else(|| {
            format!("`{name}` is no language tag; use one like `en`, `de` or `pt-BR`")
        }),
        By::Tag | By::Category => Ok(name.to_owned()),
    }
}

fn instant(
    key: &str,
    value: Option<&toml::Value>,
    zone: Tz,
) -> Result<Option<DateTime<Utc>>, String> {
    let text = match value {
        None => return Ok(None),
        Some(toml::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let date = date::parse(&text, zone).map_err(|message| format!("`{key}`: {message}"))?;
    Ok(Some(date.instant(zone, 0)))
}

/// The feed, with what is said of its size and form.
fn with(mut spec: FeedSpec, shape: &raw::Shape<'_>) -> Result<FeedSpec, String> {
    if let Some(limit) = shape.limit {
        if limit == 0 {
            return Err("`limit` is 0; a feed shows at least one entry".to_owned());
        }
        spec.limit = limit;
    }
    match shape.content {
        None => {}
        Some("both") => spec.content = Content::Both,
        Some("full") => spec.content = Content::Full,
        Some("summary") => spec.content = Content::Summary,
        Some(other) => {
            return Err(format!(
                "`content = \"{other}\"` is unknown; use `both`, `full` or `summary`"
            ));
        }
    }
    if let Some(age) = shape.max_age {
        let age = non_empty(Some(age)).map(quantity::duration).transpose()?;
        let age = age.map(TimeDelta::from_std).transpose();
        spec.max_age = age.map_err(|error| format!("`max_age`: {error}"))?;
    }
    if let Some(size) = shape.max_bytes {
        spec.max_bytes = size.bytes()?;
    }
    if let Some(names) = shape.formats {
        spec.formats = formats(names)?;
    }
    Ok(spec)
}

fn formats(names: &[String]) -> Result<Vec<Kind>, String> {
    let known = [
        ("rss", Kind::Rss),
        ("atom", Kind::Atom),
        ("json", Kind::Json),
    ];
    let is_known = |name: &String| known.iter().any(|(known, _)| known == name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        return Err(format!(
            "the format `{unknown}` is unknown; use `rss`, `atom` and `json`"
        ));
    }
    if names.is_empty() {
        return Err("`formats` is empty; name at least one of `rss`, `atom` and `json`".to_owned());
    }
    let wanted = known
        .into_iter()
        .filter(|(name, _)| names.iter().any(|other| other == name));
    Ok(wanted.map(|(_, kind)| kind).collect())
}
