//! OPML 2.0: the list of all feeds, so that a reader can take them over at once.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::xml::text;
use crate::edition::{Body, Document, Kind};
use crate::feed::Channel;

/// The route of the list.
pub const ROUTE: &str = "feeds.opml";

/// Writes the list of `feeds` of the site `title`. RSS is listed if a feed has it, else Atom; OPML knows no other.
///
/// # Errors
/// If the XML writer refuses; it writes to memory and is not known to.
pub fn write(title: &str, feeds: &[Channel]) -> Result<Document, quick_xml::Error> {
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    writer.write_event(Event::Text(BytesText::from_escaped("\n")))?;
    let opml = BytesStart::new("opml").with_attributes([("version", "2.0")]);
    writer.write_event(Event::Start(opml))?;
    writer.write_event(Event::Start(BytesStart::new("head")))?;
    writer.write_event(Event::Start(BytesStart::new("title")))?;
    writer.write_event(Event::Text(BytesText::new(&text(title))))?;
    writer.write_event(Event::End(BytesEnd::new("title")))?;
    writer.write_event(Event::End(BytesEnd::new("head")))?;
    writer.write_event(Event::Start(BytesStart::new("body")))?;
    for feed in feeds {
        let Some((kind, url)) = feed.documents.iter().find(|(kind, _)| *kind != Kind::Json) else {
            continue;
        };
        let title = text(&feed.title);
        let description = text(&feed.description);
        let mut outline = BytesStart::new("outline").with_attributes([
            ("type", "rss"),
            ("text", title.as_ref()),
            ("title", title.as_ref()),
            ("description", description.as_ref()),
            ("xmlUrl", url.as_str()),
            ("htmlUrl", feed.home.as_str()),
            ("language", feed.language.as_str()),
        ]);
        if *kind == Kind::Rss {
            // the specification's word for RSS 0.91 to 2.0; it has none for Atom
            outline.push_attribute(("version", "RSS"));
        }
        writer.write_event(Event::Empty(outline))?;
    }
    writer.write_event(Event::End(BytesEnd::new("body")))?;
    writer.write_event(Event::End(BytesEnd::new("opml")))?;
    writer.write_event(Event::Text(BytesText::from_escaped("\n")))?;
    Ok(Document {
        route: ROUTE.to_owned(),
        kind: Kind::Opml,
        body: Body::Memory(writer.into_inner().into()),
    })
}
