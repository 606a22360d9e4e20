//! Atom 1.0 (RFC 4287).

use std::collections::BTreeMap;

use atom_syndication::extension::{Extension, ExtensionMap};
use atom_syndication::{
    Category, Content as AtomContent, Entry, Error, Feed as AtomFeed, Generator, Link, Person, Text,
};
use chrono::{DateTime, FixedOffset, SubsecRound, Utc};

use super::Frame;
use super::xml::{self, text};
use crate::article;
use crate::edition::Kind;
use crate::feed::{Content, Feed, Item};

/// Behind the last entry; entries are the last of a feed that has no extensions.
const END: &[u8] = b"</feed>";

/// Neither spaces between elements nor an XML declaration: that one is ours.
const PLAIN: atom_syndication::WriteConfig = atom_syndication::WriteConfig {
    write_document_declaration: false,
    indent_size: None,
};

/// Writes what stands around the entries.
pub(super) fn frame(feed: &Feed) -> Result<Frame, Error> {
    let about = &feed.channel;
    let author = about.author.as_ref().map_or_else(
        // every entry needs an author, its own or the feed's (§4.1.1)
        || Person {
            name: text(&about.site).into_owned(),
            ..Person::default()
        },
        person,
    );
    let media = feed.items.iter().any(|item| item.image.is_some());
    let mut links = vec![
        link("self", about.url(Kind::Atom), Some("application/atom+xml")),
        link("alternate", &about.home, Some("text/html")),
    ];
    links.extend(feed.hubs.iter().map(|hub| link("hub", hub, None)));
    let document = AtomFeed {
        title: title(&about.title, None),
        id: article::id::in_atom(&feed.id).into_owned(),
        updated: date(feed.updated()),
        authors: vec![author],
        generator: Some(Generator {
            value: super::GENERATOR.to_owned(),
            ..Generator::default()
        }),
        icon: about.icon.clone(),
        logo: about.icon.clone(),
        links,
        rights: about.copyright.as_deref().map(|notice| title(notice, None)),
        subtitle: Some(title(&about.description, None)),
        namespaces: if media {
            BTreeMap::from([("media".to_owned(), xml::MEDIA.to_owned())])
        } else {
            BTreeMap::new()
        },
        lang: Some(about.language.clone()),
        ..AtomFeed::default()
    };
    let declaration = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_vec();
    let mut above = document.write_with_config(declaration, PLAIN)?;
    if above.ends_with(END) {
        above.truncate(above.len() - END.len());
    }
    Ok(Frame {
        above,
        between: b"",
        below: b"</feed>\n",
    })
}

/// Writes one entry.
pub(super) fn entry(item: &Item, feed: &Feed) -> Result<Vec<u8>, Error> {
    let document = AtomFeed {
        entries: vec![self::item(item, feed)],
        ..AtomFeed::default()
    };
    let room = item.html.len() * 5 / 4 + 2048;
    let written = document.write_with_config(Vec::with_capacity(room), PLAIN)?;
    let start = memchr::memmem::find(&written, b"<entry>").unwrap_or_default();
    Ok(written[start..written.len() - END.len()].to_vec())
}

fn item(item: &Item, feed: &Feed) -> Entry {
    let lang = item.language.clone();
    let html =
        (!item.html.is_empty() && feed.spec.content != Content::Summary).then(|| AtomContent {
            value: Some(text(&item.html).into_owned()),
            content_type: Some("html".to_owned()),
            lang: lang.clone(),
            ..AtomContent::default()
        });
    let wants_summary = feed.spec.content != Content::Full || html.is_none();
    let mut links = vec![link("alternate", &item.link, Some("text/html"))];
    links.extend(
        item.external
            .iter()
            .map(|external| link("related", external, Some("text/html"))),
    );
    links.extend(item.attachments.iter().map(|attachment| Link {
        length: (attachment.length > 0).then(|| attachment.length.to_string()),
        ..link("enclosure", &attachment.url, Some(&attachment.mime))
    }));
    Entry {
        title: title(
            item.title.as_deref().unwrap_or(&item.stand_in_title),
            lang.clone(),
        ),
        id: article::id::in_atom(&item.id).into_owned(),
        updated: date(item.updated),
        published: Some(date(item.published)),
        authors: item.authors.iter().map(person).collect(),
        categories: item.tags.iter().map(|tag| category(tag)).collect(),
        links,
        summary: (wants_summary && !item.summary.is_empty()).then(|| Text {
            lang,
            ..Text::plain(text(&item.summary).into_owned())
        }),
        content: html,
        extensions: media(item),
        ..Entry::default()
    }
}

/// Plain text, or HTML escaped once more where a reader might take plain text for markup (§3.1.1).
fn title(title: &str, lang: Option<String>) -> Text {
    let title = text(title);
    let mut construct = if title.contains(['<', '&']) {
        Text::html(xml::escape(&title))
    } else {
        Text::plain(title.into_owned())
    };
    construct.lang = lang;
    construct
}

fn person(person: &article::Person) -> Person {
    Person {
        name: text(&person.name).into_owned(),
        email: person.email.clone(),
        uri: person.url.clone(),
        ..Person::default()
    }
}

fn category(tag: &str) -> Category {
    let term = text(tag).into_owned();
    Category {
        label: Some(term.clone()),
        term,
        scheme: None,
    }
}

fn link(rel: &str, href: &str, mime: Option<&str>) -> Link {
    Link {
        href: text(href).into_owned(),
        rel: rel.to_owned(),
        mime_type: mime.map(str::to_owned),
        ..Link::default()
    }
}

fn media(item: &Item) -> ExtensionMap {
    let mut elements = BTreeMap::new();
    for (name, attrs) in xml::media(item) {
        // of extensions, and of nothing else, the crate writes attributes as they are
        let escape =
            |(key, value): (String, String)| (key, quick_xml::escape::escape(&value).into_owned());
        let attrs = attrs.into_iter().map(escape).collect();
        let extension = Extension {
            name: format!("media:{name}"),
            attrs,
            ..Extension::default()
        };
        elements.insert(name.to_owned(), vec![extension]);
    }
    if elements.is_empty() {
        ExtensionMap::new()
    } else {
        ExtensionMap::from([("media".to_owned(), elements)])
    }
}

/// Readers know nothing of parts of a second.
fn date(instant: DateTime<Utc>) -> DateTime<FixedOffset> {
    instant.trunc_subsecs(0).fixed_offset()
}
