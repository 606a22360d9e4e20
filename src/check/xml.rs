//! XML as the gate reads it: well-formedness, namespaces, characters; then small trees, one per entry.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::memory::{LEFT_OUT, MARK};
use super::{Findings, shown};

/// No feed of ours nests deeper.
const DEPTH: usize = 64;

/// The namespaces that are known, with the prefixes under which elements are known here.
const NAMESPACES: [(&str, &str); 4] = [
    ("http://www.w3.org/2005/Atom", "atom"),
    ("http://purl.org/rss/1.0/modules/content/", "content"),
    ("http://purl.org/dc/elements/1.1/", "dc"),
    ("http://search.yahoo.com/mrss/", "media"),
];

/// An element with all that is in it.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// `atom:link`, whatever the document's own prefix; no prefix without a namespace.
    pub(super) name: String,
    /// As written, values unescaped; `xml:lang` keeps its prefix.
    pub(super) attributes: Vec<(String, String)>,
    /// All text directly inside.
    pub(super) text: String,
    /// Whether `&`, `<` or `>` was written by name, or in a CDATA section.
    pub(super) named: bool,
    pub(super) children: Vec<Element>,
    /// Where it stands in the text.
    pub(super) span: Range<usize>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Whether a piece of a document, with whole elements and text, is well formed. Prefixes need not be declared.
pub(super) fn is_well_formed(piece: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(piece);
    let mut depth = 0usize;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) if has_whole_attributes(&start) => depth += 1,
            Ok(Event::Empty(start)) if has_whole_attributes(&start) => {}
            Ok(Event::End(_)) if depth > 0 => depth -= 1,
            Ok(Event::GeneralRef(reference)) => {
                let is_known = match reference.resolve_char_ref() {
                    Ok(Some(_)) => true,
                    Ok(None) => predefined(&reference).is_some(),
                    Err(_) => false,
                };
                if !is_known {
                    return false;
                }
            }
            Ok(Event::Eof) => return depth == 0,
            Ok(Event::Text(_) | Event::CData(_) | Event::Comment(_)) => {}
            _ => return false,
        }
    }
}

fn has_whole_attributes(start: &BytesStart<'_>) -> bool {
    let mut attributes = start.attributes();
    attributes.all(|attribute| {
        attribute.is_ok_and(|attribute| {
            let value = std::str::from_utf8(&attribute.value);
            value.is_ok_and(|value| quick_xml::escape::unescape(value).is_ok())
        })
    })
}

/// Reads a document; calls `visit` with each element at `depth` (the root's is 1) when it is complete, and with each
/// one further out when it is, without the children that were visited already. The order of siblings is kept. A mark of
/// what was left out (see [`memory`](super::memory)) is visited as an element that no document can have.
///
/// What is not well formed is a finding, and ends the reading.
pub(super) fn walk(
    bytes: &[u8],
    depth: usize,
    findings: &mut Findings,
    visit: &mut dyn FnMut(Element, usize, &mut Findings),
) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return findings.add("UnicodeError", "the document is no UTF-8");
    };
    characters(text, findings);
    let mut reader = NsReader::from_str(text);
    let mut stack: Vec<Element> = Vec::new();
    let mut roots = 0;
    let mut first = true;
    loop {
        let at = position(&reader);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => return findings.add("SAXError", format!("not well formed: {error}")),
        };
        match event {
            Event::Start(start) => {
                roots += usize::from(stack.is_empty());
                let Some(mut element) = element(&reader, &start, findings) else {
                    return;
                };
                element.span.start = at;
                if stack.len() >= DEPTH || roots > 1 {
                    return findings.add(
                        "SAXError",
                        "not well formed: more than one root, or nested too deeply",
                    );
                }
                stack.push(element);
            }
            Event::Empty(start) => {
                roots += usize::from(stack.is_empty());
                let Some(element) = element(&reader, &start, findings) else {
                    return;
                };
                finish(element, &mut stack, depth, findings, visit);
            }
            Event::End(_) => {
                let Some(mut element) = stack.pop() else {
                    return findings.add("SAXError", "not well formed: an end without a start");
                };
                element.span.end = position(&reader);
                finish(element, &mut stack, depth, findings, visit);
            }
            Event::Text(piece) => match (piece.decode(), stack.last_mut()) {
                (Ok(piece), Some(open)) => open.text.push_str(&piece),
                (Ok(piece), None) if piece.trim().is_empty() => {}
                _ => return findings.add("SAXError", "not well formed: text outside the root"),
            },
            Event::CData(piece) => match (piece.decode(), stack.last_mut()) {
                (Ok(piece), Some(open)) => {
                    open.named |= piece.contains(['&', '<']);
                    open.text.push_str(&piece);
                }
                _ => return findings.add("SAXError", "not well formed: CDATA outside the root"),
            },
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(c)) => Some((c, false)),
                    Ok(None) => predefined(&reference).map(|c| (c, true)),
                    Err(_) => None,
                };
                let (Some((c, named)), Some(open)) = (resolved, stack.last_mut()) else {
                    return findings.add(
                        "UndefinedNamedEntity",
                        format!(
                            "a reference to nothing: `&{};`",
                            shown(&String::from_utf8_lossy(&reference))
                        ),
                    );
                };
                if !is_char(c) {
                    findings.add(
                        "BadCharacters",
                        format!(
                            "a reference to a character that XML cannot hold: U+{:04X}",
                            u32::from(c)
                        ),
                    );
                }
                open.named |= named && c != '"' && c != '\'';
                open.text.push(c);
            }
            Event::DocType(_) => {
                return findings.add("ContainsSystemEntity", "a DOCTYPE, which feeds do not have");
            }
            Event::Eof => break,
            Event::Decl(_) if !first => {
                return findings.add(
                    "SAXError",
                    "not well formed: an XML declaration that is not at the beginning",
                );
            }
            Event::PI(mark) if mark.target() == MARK.as_bytes() && stack.len() + 1 == depth => {
                let left_out = Element {
                    name: LEFT_OUT.to_owned(),
                    text: String::from_utf8_lossy(mark.content()).trim().to_owned(),
                    ..Element::default()
                };
                visit(left_out, depth, findings);
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        first = false;
    }
    findings.expect(stack.is_empty() && roots == 1, "SAXError", || {
        "not well formed: it ends too early".to_owned()
    });
}

/// How many bytes were read.
fn position(reader: &NsReader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn finish(
    element: Element,
    stack: &mut [Element],
    depth: usize,
    findings: &mut Findings,
    visit: &mut dyn FnMut(Element, usize, &mut Findings),
) {
    let level = stack.len() + 1;
    match stack.last_mut() {
        Some(parent) if level > depth => parent.children.push(element),
        _ => visit(element, level, findings),
    }
}

fn element(
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    findings: &mut Findings,
) -> Option<Element> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let local = String::from_utf8_lossy(local.as_ref()).into_owned();
    let name = match namespace {
        ResolveResult::Unbound => local,
        ResolveResult::Bound(uri) => {
            let uri = String::from_utf8_lossy(uri.as_ref()).into_owned();
            match NAMESPACES.iter().find(|(known, _)| *known == uri) {
                Some((_, prefix)) => format!("{prefix}:{local}"),
                None => format!("{{{uri}}}{local}"),
            }
        }
        ResolveResult::Unknown(prefix) => {
            findings.add(
                "MissingNamespace",
                format!(
                    "the prefix of `{}:{local}` is not declared",
                    String::from_utf8_lossy(&prefix)
                ),
            );
            return None;
        }
    };
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let Ok(attribute) = attribute else {
            findings.add(
                "SAXError",
                format!("not well formed: the attributes of `<{name}>`"),
            );
            return None;
        };
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        if let Some((prefix, _)) = key.split_once(':')
            && !matches!(prefix, "xml" | "xmlns")
            && matches!(
                reader.resolver().resolve_attribute(attribute.key).0,
                ResolveResult::Unknown(_)
            )
        {
            findings.add(
                "MissingNamespace",
                format!("the prefix of the attribute `{key}` is not declared"),
            );
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .or_else(|_| {
                findings.add(
                    "UndefinedNamedEntity",
                    format!("the attribute `{key}` refers to nothing"),
                );
                Ok::<_, quick_xml::Error>(std::borrow::Cow::Borrowed(""))
            });
        let value = value.unwrap_or_default().into_owned();
        characters(&value, findings);
        attributes.push((key, value));
    }
    Some(Element {
        name,
        attributes,
        ..Element::default()
    })
}

fn predefined(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        _ => return None,
    })
}

/// XML 1.0, §2.2; and what the validator calls bad: C1 controls and U+FFFD.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffc}' | '\u{10000}'..)
}

fn characters(text: &str, findings: &mut Findings) {
    // almost everything is plain
    let odd =
        |b: u8| b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r') || matches!(b, 0x7f | 0xc2 | 0xef);
    if text.bytes().any(odd)
        && let Some(c) = text.chars().find(|c| !is_char(*c))
    {
        findings.add(
            "BadCharacters",
            format!("holds U+{:04X}, which feeds cannot hold", u32::from(c)),
        );
    }
}
