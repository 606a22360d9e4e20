//! What published feeds say, read back: to rebuild a lost ledger, and to keep the last good version of an article.
//! Tolerant: what is missing is missing.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Findings;
use super::xml::{Element, walk};
use crate::edition::Kind;

/// A feed as it was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The feed's id: Atom alone has one.
    pub id: Option<String>,
    /// What the feed is called, as plain text.
    pub title: Option<String>,
    /// What it says of itself, as plain text.
    pub description: Option<String>,
    /// When the feed last changed.
    pub updated: Option<DateTime<Utc>>,
    /// In the order of the document.
    pub entries: Vec<PublishedEntry>,
}

/// An entry as it was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishedEntry {
    /// By which readers know it.
    pub id: String,
    /// Its link.
    pub link: Option<String>,
    /// What a link post is about.
    pub external_url: Option<String>,
    /// As plain text.
    pub title: Option<String>,
    /// When it was published.
    pub published: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated: Option<DateTime<Utc>>,
    /// As plain text.
    pub summary: Option<String>,
    /// As HTML.
    pub content_html: Option<String>,
    /// Tags and categories.
    pub tags: Vec<String>,
    /// Name, mail address, URL.
    pub authors: Vec<(String, Option<String>, Option<String>)>,
    /// Where it differs from the feed's.
    pub language: Option<String>,
}

/// Reads a feed; `None` if it is none, or not well formed.
#[must_use]
pub fn read(kind: Kind, bytes: &[u8]) -> Option<Published> {
    match kind {
        Kind::Rss => xml(bytes, 3, "item", item, |element, feed| {
            match element.name.as_str() {
                "lastBuildDate" => feed.updated = rfc2822(&element.text),
                "title" => feed.title = Some(element.text.clone()),
                "description" => feed.description = Some(crate::html::text(&element.text)),
                _ => {}
            }
        }),
        Kind::Atom => xml(
            bytes,
            2,
            "atom:entry",
            entry,
            |element, feed| match element.name.as_str() {
                "atom:id" => feed.id = Some(element.text.clone()),
                "atom:updated" => feed.updated = rfc3339(&element.text),
                "atom:title" => feed.title = Some(construct(element)),
                "atom:subtitle" => feed.description = Some(construct(element)),
                _ => {}
            },
        ),
        Kind::Json => json(bytes),
        _ => None,
    }
}

fn xml(
    bytes: &[u8],
    depth: usize,
    name: &str,
    entry: fn(&Element) -> PublishedEntry,
    about: fn(&Element, &mut Published),
) -> Option<Published> {
    let mut feed = Published::default();
    let mut findings = Findings::default();
    walk(bytes, depth, &mut findings, &mut |element, level, _| {
        if level == depth && element.name == name {
            feed.entries.push(entry(&element));
        } else if level == depth {
            about(&element, &mut feed);
        }
    });
    feed.entries.retain(|entry| !entry.id.is_empty());
    let broken = findings
        .found
        .iter()
        .any(|finding| matches!(finding.rule, "SAXError" | "UnicodeError"));
    (!broken).then_some(feed)
}

fn item(item: &Element) -> PublishedEntry {
    let text = |name: &str| {
        item.child(name)
            .map(|element| element.text.clone())
            .filter(|text| !text.is_empty())
    };
    let description = text("description");
    let content = text("content:encoded");
    // without `content:encoded` the description is the whole text
    let (summary, content_html) = match content {
        Some(content) => (
            description.map(|html| crate::html::text(&html)),
            Some(content),
        ),
        None => (None, description),
    };
    PublishedEntry {
        id: text("guid").unwrap_or_default(),
        link: text("link"),
        external_url: related(item),
        title: text("title"),
        published: text("pubDate").and_then(|date| rfc2822(&date)),
        updated: text("atom:updated").and_then(|date| rfc3339(&date)),
        summary,
        content_html,
        tags: item.all("category").map(|tag| tag.text.clone()).collect(),
        authors: item
            .all("dc:creator")
            .map(|name| (name.text.clone(), None, None))
            .collect(),
        language: text("dc:language"),
    }
}

fn related(element: &Element) -> Option<String> {
    let link = element
        .all("atom:link")
        .find(|link| link.attribute("rel") == Some("related"))?;
    link.attribute("href").map(str::to_owned)
}

fn entry(entry: &Element) -> PublishedEntry {
    let text = |name: &str| {
        entry
            .child(name)
            .map(|element| element.text.clone())
            .filter(|text| !text.is_empty())
    };
    let alternate = entry
        .all("atom:link")
        .find(|link| matches!(link.attribute("rel"), None | Some("alternate")));
    let title = entry.child("atom:title").map(construct);
    let person = |author: &Element| {
        let part = |name: &str| author.child(name).map(|part| part.text.clone());
        (
            part("atom:name").unwrap_or_default(),
            part("atom:email"),
            part("atom:uri"),
        )
    };
    PublishedEntry {
        id: text("atom:id").unwrap_or_default(),
        link: alternate
            .and_then(|link| link.attribute("href"))
            .map(str::to_owned),
        external_url: related(entry),
        title,
        published: text("atom:published").and_then(|date| rfc3339(&date)),
        updated: text("atom:updated").and_then(|date| rfc3339(&date)),
        summary: text("atom:summary"),
        content_html: text("atom:content"),
        tags: entry
            .all("atom:category")
            .filter_map(|tag| tag.attribute("term").map(str::to_owned))
            .collect(),
        authors: entry.all("atom:author").map(person).collect(),
        language: entry
            .child("atom:content")
            .and_then(|content| content.attribute("xml:lang"))
            .map(str::to_owned),
    }
}

/// A text construct (RFC 4287 §3.1), as plain text.
fn construct(element: &Element) -> String {
    match element.attribute("type") {
        Some("html") => crate::html::text(&element.text),
        _ => element.text.clone(),
    }
}

fn json(bytes: &[u8]) -> Option<Published> {
    let feed: Value = serde_json::from_slice(bytes).ok()?;
    let items = feed.get("items")?.as_array()?;
    let text = |key: &str| feed.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Published {
        id: None,
        title: text("title"),
        description: text("description"),
        updated: None,
        entries: items.iter().filter_map(json_item).collect(),
    })
}

fn json_item(item: &Value) -> Option<PublishedEntry> {
    let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = |key: &str| {
        item.get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let author = |author: &Value| {
        let part = |key: &str| author.get(key).and_then(Value::as_str).map(str::to_owned);
        Some((part("name")?, None, part("url")))
    };
    Some(PublishedEntry {
        id: text("id")?,
        link: text("url"),
        external_url: text("external_url"),
        title: text("title"),
        published: text("date_published").and_then(|date| rfc3339(&date)),
        updated: text("date_modified").and_then(|date| rfc3339(&date)),
        summary: text("summary").or_else(|| text("content_text")),
        content_html: text("content_html"),
        tags: list("tags")
            .iter()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect(),
        authors: list("authors").iter().filter_map(author).collect(),
        language: text("language"),
    })
}

fn rfc3339(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text.trim())
        .ok()
        .map(|date| date.to_utc())
}

fn rfc2822(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim())
        .ok()
        .map(|date| date.to_utc())
}
