//! RSS 2.0, by the RSS Advisory Board's specification and its best practices profile.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rss::extension::dublincore::DublinCoreExtension;
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Enclosure, Guid, Image};

use super::Frame;
use super::xml::{self, text};
use crate::edition::Kind;
use crate::feed::{Content, Feed, Item};

/// The specification that `docs` names.
const DOCS: &str = "https://www.rssboard.org/rss-specification";

/// Behind the last item; items are the last of a channel.
const END: &[u8] = b"</channel></rss>";

/// The namespaces of the elements with these prefixes.
const CONTENT: &str = "http://purl.org/rss/1.0/modules/content/";
const DUBLIN_CORE: &str = "http://purl.org/dc/elements/1.1/";

/// Writes what stands around the items.
pub(super) fn frame(feed: &Feed) -> Result<Frame, rss::Error> {
    let about = &feed.channel;
    let title = text(&about.title).into_owned();
    let mut extensions = ExtensionMap::new();
    let mut links = vec![atom_link(
        "self",
        about.url(Kind::Rss),
        Some("application/rss+xml"),
    )];
    links.push(atom_link("alternate", &about.home, Some("text/html")));
    links.extend(feed.hubs.iter().map(|hub| atom_link("hub", hub, None)));
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
        ..Channel::default()
    };
    let written = channel.write_to(Vec::new())?;
    let above = written.strip_suffix(END).unwrap_or(&written);
    Ok(Frame {
        above: with_plain_titles(above),
        between: b"",
        below: b"</channel></rss>\n",
    })
}

/// Writes one item.
pub(super) fn item(item: &Item, feed: &Feed) -> Result<Vec<u8>, rss::Error> {
    let channel = Channel {
        items: vec![entry(item, feed)],
        ..Channel::default()
    };
    let room = item.html.len() * 9 / 8 + 2048;
    let written = channel.write_to(Vec::with_capacity(room))?;
    let start = find(&written, b"<item>").unwrap_or_default();
    let end = written.len() - END.len();
    Ok(with_plain_titles(&written[start..end]))
}

fn entry(item: &Item, feed: &Feed) -> rss::Item {
    let summary = xml::escape(&text(&item.summary));
    let html = text(&item.html).into_owned();
    let has_both = has_both(item, feed.spec.content);
    let title = item.title.as_deref().map(|title| text(title).into_owned());
    // an item must have a title or a description (RSS 2.0, item); one without words has neither
    let fallback = || title.is_none().then(|| xml::escape(&item.stand_in_title));
    let (description, content) = match feed.spec.content {
        Content::Both if has_both => (Some(summary), Some(html)),
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
            vec![atom_link("related", external, Some("text/html"))],
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

/// Whether an item has both a summary and a text.
fn has_both(item: &Item, content: Content) -> bool {
    content == Content::Both && !text(&item.summary).is_empty() && !text(&item.html).is_empty()
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

/// The namespaces that the items need; the `rss` crate, which is asked for one item at a time, would declare some only.
fn namespaces(feed: &Feed) -> BTreeMap<String, String> {
    let content = feed.spec.content;
    let any = |has: &dyn Fn(&Item) -> bool| feed.items.iter().any(has);
    let needed = [
        ("atom", "http://www.w3.org/2005/Atom", true),
        ("content", CONTENT, any(&|item| has_both(item, content))),
        ("dc", DUBLIN_CORE, any(&|item| dublin_core(item).is_some())),
        ("media", xml::MEDIA, any(&|item| item.image.is_some())),
    ];
    let needed = needed.into_iter().filter(|(_, _, is_needed)| *is_needed);
    let needed = needed.map(|(prefix, uri, _)| (prefix.to_owned(), uri.to_owned()));
    needed.collect()
}

fn atom_link(rel: &str, href: &str, mime: Option<&str>) -> Extension {
    let attrs = [("href", href), ("rel", rel)];
    let attrs = attrs
        .into_iter()
        .chain(mime.map(|mime| ("type", mime)))
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

/// `xml`, with what `<title>` escapes by name as hexadecimal references: readers that take a title for
/// HTML and readers that take it for text then show the same (RSS best practices profile, "Character Data").
fn with_plain_titles(xml: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(xml.len() + 64);
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
    out
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, needle)
}

fn hexadecimal(title: &str) -> String {
    title
        .replace("&lt;", "&#x3C;")
        .replace("&gt;", "&#x3E;")
        .replace("&amp;", "&#x26;")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
}
