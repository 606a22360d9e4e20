//! JSON Feed 1.1.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::memory::{self, Facts};
use super::{ENOUGH, Findings, Place, forms, html, shown};

pub(super) fn check(bytes: &[u8], place: Place<'_>, findings: &mut Findings) {
    let (feed, items) = match take_apart(bytes) {
        Ok(parts) => parts,
        Err(error) => return findings.add("JSONError", format!("is no JSON object: {error}")),
    };
    let version = text(&feed, "version").unwrap_or_default();
    findings.expect(
        version == "https://jsonfeed.org/version/1.1",
        "InvalidJSONFeedVersion",
        || format!("`version` is `{}`", shown(version)),
    );
    findings.expect(
        text(&feed, "title").is_some_and(|title| !title.trim().is_empty()),
        "NotBlank",
        || "`title` is missing or empty".to_owned(),
    );
    match text(&feed, "feed_url") {
        None => findings.add("MissingSelf", "there is no `feed_url`"),
        Some(url) => findings.expect(url == place.url, "SelfDoesntMatchLocation", || {
            format!(
                "`feed_url` is `{}`, but the document is at `{}`",
                shown(url),
                place.url
            )
        }),
    }
    for key in ["home_page_url", "icon", "favicon", "next_url"] {
        web(&feed, key, findings);
    }
    if let Some(language) = text(&feed, "language") {
        forms::language(language, "language", findings);
    }
    authors(&feed, findings);
    feed.values().for_each(|value| characters(value, findings));
    let Some(items) = items else {
        return findings.add("MissingElement", "there are no `items`");
    };
    let mut ids = HashSet::new();
    let mut fit = Vec::new();
    for raw in items {
        let key = memory::key(b"JSON Feed", raw.get().as_bytes());
        let facts = if let Some(known) = memory::recall(&key) {
            (*known).clone()
        } else {
            let before = findings.found.len();
            let facts = if let Ok(item) = serde_json::from_str(raw.get()) {
                self::item(&item, findings)
            } else {
                findings.add("JSONError", "an item is no object");
                Facts::default()
            };
            if findings.found.len() == before && before < ENOUGH {
                fit.push((key, facts.clone()));
            }
            facts
        };
        if let Some(id) = facts.id {
            findings.entry = Some(id.clone());
            findings.unique(&mut ids, &id);
        }
        findings.entry = None;
    }
    if !fit.is_empty() {
        memory::learn(fit);
    }
}

/// What a feed says of itself, and its items as they stand in the text.
type Parts<'a> = (Map<String, Value>, Option<Vec<&'a RawValue>>);

fn take_apart(bytes: &[u8]) -> serde_json::Result<Parts<'_>> {
    struct Apart;
    impl<'de> Visitor<'de> for Apart {
        type Value = Parts<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Parts<'de>, A::Error> {
            let (mut feed, mut items) = (Map::new(), None);
            while let Some(key) = members.next_key::<String>()? {
                if key == "items" {
                    items = Some(members.next_value()?);
                } else {
                    feed.insert(key, members.next_value()?);
                }
            }
            Ok((feed, items))
        }
    }
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let parts = document.deserialize_map(Apart)?;
    document.end()?;
    Ok(parts)
}

/// An item by itself.
fn item(item: &Map<String, Value>, findings: &mut Findings) -> Facts {
    let id = text(item, "id").filter(|id| !id.is_empty());
    findings.entry = id.map(str::to_owned);
    if id.is_none() {
        findings.add("MissingGuid", "an item has no `id`, or one that is no text");
    }
    item.values().for_each(|value| characters(value, findings));
    for key in ["url", "external_url", "image", "banner_image"] {
        web(item, key, findings);
    }
    let content = text(item, "content_html");
    findings.expect(
        content.is_some() || text(item, "content_text").is_some(),
        "MissingElement",
        || "the item has neither `content_html` nor `content_text`".to_owned(),
    );
    content
        .into_iter()
        .for_each(|content| html::check(content, "content_html", findings));
    for key in ["date_published", "date_modified"] {
        if let Some(date) = text(item, key) {
            forms::rfc3339(date, key, findings);
        }
    }
    if let Some(language) = text(item, "language") {
        forms::language(language, "language", findings);
    }
    authors(item, findings);
    let tags = item
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    findings.expect(
        tags.clone()
            .all(|tag| tag.as_str().is_some_and(|tag| !tag.trim().is_empty())),
        "NotBlank",
        || "a tag is empty, or no text".to_owned(),
    );
    for attachment in item
        .get("attachments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Some(attachment) = attachment.as_object() else {
            continue;
        };
        match text(attachment, "url") {
            Some(_) => web(attachment, "url", findings),
            None => findings.add("MissingAttribute", "an attachment has no `url`"),
        }
        match text(attachment, "mime_type") {
            Some(mime) => forms::mime(mime, "attachments", findings),
            None => findings.add("MissingAttribute", "an attachment has no `mime_type`"),
        }
        let size = attachment.get("size_in_bytes");
        findings.expect(
            size.is_none_or(Value::is_u64),
            "InvalidIntegerAttribute",
            || "`size_in_bytes` is no whole number".to_owned(),
        );
    }
    Facts {
        id: findings.entry.take(),
        ..Facts::default()
    }
}

fn authors(object: &Map<String, Value>, findings: &mut Findings) {
    for author in object
        .get("authors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Some(author) = author.as_object() else {
            continue;
        };
        let named = text(author, "name").is_some_and(|name| !name.trim().is_empty());
        findings.expect(
            named || text(author, "url").is_some(),
            "MissingElement",
            || "an author has neither `name` nor `url`".to_owned(),
        );
        web(author, "url", findings);
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn web(object: &Map<String, Value>, key: &str, findings: &mut Findings) {
    if let Some(value) = object.get(key) {
        match value.as_str() {
            Some(url) => forms::web(url, key, false, findings),
            None => findings.add("JSONError", format!("`{key}` is no text")),
        }
    }
}

/// The same characters as in XML: readers turn one into the other.
fn characters(value: &Value, findings: &mut Findings) {
    match value {
        Value::String(text) => {
            let bad = text.chars().find(|c| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffd}'..='\u{ffff}'));
            if let Some(c) = bad {
                findings.add(
                    "BadCharacters",
                    format!("holds U+{:04X}, which feeds cannot hold", u32::from(c)),
                );
            }
        }
        Value::Array(list) => list.iter().for_each(|value| characters(value, findings)),
        Value::Object(map) => map.values().for_each(|value| characters(value, findings)),
        _ => {}
    }
}
