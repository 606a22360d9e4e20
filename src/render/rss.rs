//! RSS 2.0, by the RSS Advisory Board's specification and its best practices profile.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rss::extension::dublincore::DublinCoreExtension;
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Enclosure, Guid, Image};

use super::xml::{self, text};
use crate::edition::Kind;
use crate::feed::{Content, Feed, Item};

/// The specification that `docs` names.
const DOCS: &str = "https://www.rssboard.org/rss-specification";

/// Writes the document.
pub(super) fn write(feed: &Feed) -> Result<Vec<u8>, rss::Error> {
    let about = &feed.channel;
    let title = text(&about.title).into_owned();
    let mut extensions = ExtensionMap::new();
    let mut links = vec![atom_link(
        "self",
        about.url(Kind::Rss),
        "application/rss+xml",
    )];
    links.push(atom_link("alternate", &about.home, "text/html"));
    extensions
        .entry("atom".to_owned())
        .or_default()
        .insert("link".to_owned(), links);
    let channel = Channel {
        title: title.clone(),
        link: about.home.clone(),
        // readers take a description for HTML
        description: xml::escape(&text(&about.description)),
        language: Some(about.language.clone()),
        copyright: about
            .copyright
            .as_deref()
            .map(|notice| text(notice).into_owned()),
        last_build_date: Some(date(feed.updated())),
        generator: Some(super::GENERATOR.to_owned()),
        docs: Some(DOCS.to_owned()),
        ttl: Some(about.ttl.to_string()),
        image: about.icon.as_ref().map(|icon| Image {
            url: icon.clone(),
            title,
            link: about.home.clone(),
            ..Image::default()
        }),
        extensions,
        namespaces: namespaces(feed),
        items: feed
            .items
            .iter()
            .map(|item| self::item(item, feed))
            .collect(),
        ..Channel::default()
    };
    let mut written = Vec::with_capacity(
        feed.items
            .iter()
            .map(|item| item.html.len() * 9 / 8 + 2048)
            .sum::<usize>()
            + 2048,
    );
    let body = channel.write_to(Vec::with_capacity(written.capacity()))?;
    // a feed may be large, and it is held twice as it is
    drop(channel);
    append_with_plain_titles(&mut written, &body);
    written.push(b'\n');
    Ok(written)
}

fn item(item: &Item, feed: &Feed) -> rss::Item {
    let summary = xml::escape(&text(&item.summary));
    let html = text(&item.html).into_owned();
    let title = item.title.as_deref().map(|title| text(title).into_owned());
    // an item must have a title or a description (RSS 2.0, item); one without words has neither
    let fallback = || title.is_none().then(|| xml::escape(&item.stand_in_title));
    let (description, content) = match feed.spec.content {
        Content::Both if !summary.is_empty() && !html.is_empty() => (Some(summary), Some(html)),
        Content::Both | Content::Full if !html.is_empty() => (Some(html), None),
        _ if !summary.is_empty() => (Some(summary), None),
        _ => (fallback(), None),
    };
    let mut extensions = xml::rss_media(item);
    let mut atom = BTreeMap::from([(
        "updated".to_owned(),
        vec![element("atom:updated", &rfc3339(item.updated))],
    )]);
    if let Some(external) = &item.external {
        atom.insert(
            "link".to_owned(),
            vec![atom_link("related", external, "text/html")],
        );
    }
    extensions.insert("atom".to_owned(), atom);
    rss::Item {
        title,
        link: Some(item.link.clone()),
        description,
        // `author` beside `dc:creator` says the same twice, and only `dc:creator` can stand several times
        categories: item
            .tags
            .iter()
            .map(|tag| Category {
                name: text(tag).into_owned(),
                domain: None,
            })
            .collect(),
        enclosure: item.attachments.first().map(|attachment| Enclosure {
            url: attachment.url.clone(),
            length: attachment.length.to_string(),
            mime_type: attachment.mime.clone(),
        }),
        guid: Some(Guid {
            value: item.id.clone(),
            permalink: item.id == item.link,
        }),
        pub_date: Some(date(item.published)),
        content,
        extensions,
        dublin_core_ext: dublin_core(item),
        ..rss::Item::default()
    }
}

fn dublin_core(item: &Item) -> Option<DublinCoreExtension> {
    let creators: Vec<String> = item
        .authors
        .iter()
        .map(|author| text(&author.name).into_owned())
        .collect();
    let languages: Vec<String> = item.language.iter().cloned().collect();
    (!creators.is_empty() || !languages.is_empty()).then(|| DublinCoreExtension {
        creators,
        languages,
        ..DublinCoreExtension::default()
    })
}

/// The `rss` crate declares the namespaces of its own extensions only.
fn namespaces(feed: &Feed) -> BTreeMap<String, String> {
    let mut namespaces =
        BTreeMap::from([("atom".to_owned(), "http://www.w3.org/2005/Atom".to_owned())]);
    if feed.items.iter().any(|item| item.image.is_some()) {
        namespaces.insert("media".to_owned(), xml::MEDIA.to_owned());
    }
    namespaces
}

fn atom_link(rel: &str, href: &str, mime: &str) -> Extension {
    let attrs = [("href", href), ("rel", rel), ("type", mime)];
    let attrs = attrs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), text(value).into_owned()))
        .collect();
    Extension {
        name: "atom:link".to_owned(),
        attrs,
        ..Extension::default()
    }
}

fn element(name: &str, value: &str) -> Extension {
    Extension {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..Extension::default()
    }
}

/// RFC 822 with a four-digit year and a numeric zone (RSS best practices profile, §3.2 and RFC 2822 §3.3).
fn date(instant: DateTime<Utc>) -> String {
    instant.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Appends `xml`, writing what `<title>` escapes by name as hexadecimal references: readers that take a title for
/// HTML and readers that take it for text then show the same (RSS best practices profile, "Character Data").
fn append_with_plain_titles(out: &mut Vec<u8>, xml: &[u8]) {
    let mut rest = xml;
    while let Some(start) = find(rest, b"<") {
        out.extend_from_slice(&rest[..start]);
        rest = &rest[start..];
        if rest.starts_with(b"<![CDATA[") {
            let end = find(rest, b"]]>").map_or(rest.len(), |end| end + 3);
            out.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
        } else if rest.starts_with(b"<title>") {
            let end = find(rest, b"</title>").unwrap_or(rest.len());
            out.extend_from_slice(hexadecimal(&String::from_utf8_lossy(&rest[..end])).as_bytes());
            rest = &rest[end..];
        } else {
            out.push(b'<');
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

fn hexadecimal(title: &str) -> String {
    title
        .replace("&lt;", "&#x3C;")
        .replace("&gt;", "&#x3E;")
        .replace("&amp;", "&#x26;")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
}
