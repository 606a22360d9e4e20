//! JSON Feed 1.1.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Frame;
use super::xml::text;
use crate::article::Person;
use crate::edition::Kind;
use crate::feed::{self, Content};

#[derive(Serialize)]
struct Feed<'a> {
    version: &'static str,
    title: String,
    home_page_url: &'a str,
    feed_url: &'a str,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    favicon: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    language: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub<'a>>,
    /// None: they are written one by one.
    items: [Item<'a>; 0],
}

#[derive(Serialize)]
struct Hub<'a> {
    r#type: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Author<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_in_seconds: Option<u32>,
}

/// Writes what stands around the items.
pub(super) fn frame(feed: &feed::Feed) -> Result<Frame, serde_json::Error> {
    let about = &feed.channel;
    let document = Feed {
        version: "https://jsonfeed.org/version/1.1",
        title: text(&about.title).into_owned(),
        home_page_url: &about.home,
        feed_url: about.url(Kind::Json),
        description: text(&about.description).into_owned(),
        icon: about.icon.as_deref(),
        favicon: about.icon.as_deref(),
        authors: about.author.iter().map(author).collect(),
        language: &about.language,
        hubs: feed.hubs.iter().map(|url| hub(url)).collect(),
        items: [],
    };
    let mut above = serde_json::to_vec(&document)?;
    // the list is closed behind the items
    above.truncate(above.len() - 2);
    Ok(Frame {
        above,
        between: b",",
        below: b"]}\n",
    })
}

/// Writes one item.
pub(super) fn item(item: &feed::Item, feed: &feed::Feed) -> Result<Vec<u8>, serde_json::Error> {
    let mut written = Vec::with_capacity(item.html.len() * 9 / 8 + 2048);
    serde_json::to_writer(&mut written, &entry(item, feed.spec.content))?;
    Ok(written)
}

fn entry(item: &feed::Item, content: Content) -> Item<'_> {
    let html = (content != Content::Summary && !item.html.is_empty()).then(|| text(&item.html));
    let summary = (!item.summary.is_empty()).then(|| text(&item.summary).into_owned());
    // one of the two contents must be there (JSON Feed 1.1, items)
    let (content_text, summary) = match (&html, content) {
        (Some(_), Content::Both) => (None, summary),
        (Some(_), _) => (None, None),
        (None, _) => (Some(summary.unwrap_or_default()), None),
    };
    Item {
        id: &item.id,
        url: &item.link,
        external_url: item.external.as_deref(),
        title: item.title.as_deref().map(|title| text(title).into_owned()),
        content_html: html,
        content_text,
        summary,
        image: item.image.as_ref().map(|image| image.url.as_str()),
        date_published: date(item.published),
        date_modified: date(item.updated),
        authors: item.authors.iter().map(author).collect(),
        tags: item.tags.iter().map(|tag| text(tag).into_owned()).collect(),
        language: item.language.as_deref(),
        attachments: item
            .attachments
            .iter()
            .map(|attachment| Attachment {
                url: &attachment.url,
                mime_type: &attachment.mime,
                duration_in_seconds: attachment.seconds,
                size_in_bytes: (attachment.length > 0).then_some(attachment.length),
            })
            .collect(),
    }
}

fn hub(url: &str) -> Hub<'_> {
    Hub {
        r#type: "WebSub",
        url,
    }
}

fn author(person: &Person) -> Author<'_> {
    Author {
        name: text(&person.name).into_owned(),
        url: person.url.as_deref(),
    }
}

fn date(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
