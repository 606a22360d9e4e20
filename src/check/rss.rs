//! RSS 2.0: the RSS Advisory Board's specification and best practices profile, with Atom, Dublin Core, content and
//! Media RSS elements in it.

use std::collections::HashSet;

use super::memory::{Facts, LEFT_OUT, Short, read_ahead};
use super::xml::{Element, walk};
use super::{Findings, Place, forms, html, shown};

pub(super) fn check(bytes: &[u8], place: Place<'_>, findings: &mut Findings) {
    read_ahead(bytes, "<item>", "</item>", |part| {
        read(part, place, &mut Findings::default());
    });
    let mut found = Findings::default();
    if !read(Short::of(bytes, "<item>", "</item>"), place, &mut found) {
        found = Findings::default();
        read(Short::whole(bytes), place, &mut found);
    }
    findings.found.append(&mut found.found);
}

/// Whether all of the document was read.
fn read(mut short: Short<'_>, place: Place<'_>, findings: &mut Findings) -> bool {
    let mut channel = Channel {
        place,
        seen: HashSet::new(),
        guids: HashSet::new(),
        selves: 0,
    };
    let text = std::mem::take(&mut short.text);
    walk(
        &text,
        3,
        findings,
        &mut |element, level, findings| match level {
            3 if element.name == "item" => {
                let before = findings.found.len();
                let facts = item(&element, findings);
                let between = findings.found.len();
                short.read(&element, between - before, &facts);
                channel.compare(&facts, findings);
                short.compared(findings.found.len() - between);
            }
            3 if element.name == LEFT_OUT => {
                if let Some(facts) = short.left_out(&element) {
                    let before = findings.found.len();
                    channel.compare(&facts, findings);
                    short.compared(findings.found.len() - before);
                }
            }
            3 => channel.about(&element, findings),
            2 => findings.expect(element.name == "channel", "UndefinedElement", || {
                format!("`<{}>` stands in `<rss>`", element.name)
            }),
            _ => channel.root(&element, findings),
        },
    );
    short.close(findings)
}

struct Channel<'a> {
    place: Place<'a>,
    seen: HashSet<String>,
    guids: HashSet<String>,
    selves: usize,
}

impl Channel<'_> {
    fn root(&self, root: &Element, findings: &mut Findings) {
        findings.expect(
            root.name == "rss" && root.attribute("version") == Some("2.0"),
            "InvalidRSSVersion",
            || "the root is not `<rss version=\"2.0\">`".to_owned(),
        );
        for required in ["title", "link", "description"] {
            findings.expect(self.seen.contains(required), "MissingElement", || {
                format!("`<channel>` has no `<{required}>`")
            });
        }
        findings.expect(self.selves > 0, "MissingSelf", || {
            "`<channel>` has no `<atom:link rel=\"self\">`".to_owned()
        });
    }

    fn about(&mut self, element: &Element, findings: &mut Findings) {
        let text = element.text.as_str();
        if element.name != "atom:link" && element.name != "category" {
            let once = self.seen.insert(element.name.clone());
            findings.expect(once, "DuplicateElement", || {
                format!("`<{}>` stands twice in `<channel>`", element.name)
            });
        }
        match element.name.as_str() {
            "title" => title(element, findings),
            "link" => forms::web(text, "link", false, findings),
            "description" => html::check(text, "description", findings),
            "language" => forms::language(text, "language", findings),
            "pubDate" | "lastBuildDate" => {
                let _ = forms::rfc2822(text, &element.name, findings);
            }
            "ttl" => forms::number(text, "ttl", true, findings),
            "docs" => forms::web(text, "docs", false, findings),
            "managingEditor" | "webMaster" => author(text, &element.name, findings),
            "image" => image(element, findings),
            "atom:link" => self.link(element, findings),
            "category" => findings.expect(!text.trim().is_empty(), "NotBlank", || {
                "a `<category>` is empty".to_owned()
            }),
            "generator" | "copyright" => {}
            // of a namespace that is not known here: iTunes, syndication, podcasts …
            name if name.starts_with('{') => {}
            name => findings.add(
                "UndefinedElement",
                format!("`<{}>` stands in `<channel>`", shown(name)),
            ),
        }
    }

    fn link(&mut self, link: &Element, findings: &mut Findings) {
        let href = link.attribute("href").unwrap_or_default();
        forms::web(href, "atom:link", false, findings);
        if link.attribute("rel") == Some("self") {
            self.selves += 1;
            findings.expect(self.selves == 1, "DuplicateAtomLink", || {
                "there are two links `rel=\"self\"`".to_owned()
            });
            findings.expect(href == self.place.url, "SelfDoesntMatchLocation", || {
                format!(
                    "`rel=\"self\"` is `{}`, but the document is at `{}`",
                    shown(href),
                    self.place.url
                )
            });
        }
        link.attribute("type")
            .into_iter()
            .for_each(|mime| forms::mime(mime, "atom:link", findings));
    }

    /// An item among the others.
    fn compare(&mut self, item: &Facts, findings: &mut Findings) {
        if let Some(guid) = &item.id {
            findings.entry = Some(guid.clone());
            findings.unique(&mut self.guids, guid);
            findings.entry = None;
        }
    }
}

/// An item by itself.
fn item(item: &Element, findings: &mut Findings) -> Facts {
    let guid = item.child("guid");
    findings.entry = guid.map(|guid| guid.text.clone());
    match guid {
        Some(guid) => self::guid(guid, findings),
        None => findings.add("MissingGuid", "an `<item>` has no `<guid>`"),
    }
    let has = |name| {
        item.child(name)
            .is_some_and(|element| !element.text.trim().is_empty())
    };
    findings.expect(
        has("title") || has("description"),
        "ItemMustContainTitleOrDescription",
        || "an `<item>` has neither `<title>` nor `<description>`".to_owned(),
    );
    let mut before = HashSet::new();
    for element in &item.children {
        self::element(element, &before, findings);
        let several = matches!(
            element.name.as_str(),
            "category" | "dc:creator" | "atom:link" | "media:content" | "media:thumbnail"
        );
        let once = before.insert(element.name.as_str());
        findings.expect(once || several, "DuplicateElement", || {
            format!("`<{}>` stands twice in an `<item>`", element.name)
        });
    }
    let both = before.contains("author") && before.contains("dc:creator");
    findings.expect(!both, "DuplicateItemSemantics", || {
        "an `<item>` has both `<author>` and `<dc:creator>`".to_owned()
    });
    Facts {
        id: findings.entry.take(),
        ..Facts::default()
    }
}

fn element(element: &Element, before: &HashSet<&str>, findings: &mut Findings) {
    let text = element.text.as_str();
    match element.name.as_str() {
        "title" => title(element, findings),
        "link" | "comments" => forms::web(text, &element.name, false, findings),
        "description" => html::check(text, "description", findings),
        "content:encoded" => {
            findings.expect(
                before.contains("description"),
                "NeedDescriptionBeforeContent",
                || "`<content:encoded>` stands without a `<description>` before it".to_owned(),
            );
            html::check(text, "content:encoded", findings);
        }
        "author" => author(text, "author", findings),
        "pubDate" => {
            let _ = forms::rfc2822(text, "pubDate", findings);
        }
        "atom:updated" => {
            let _ = forms::rfc3339(text, "atom:updated", findings);
        }
        "dc:language" => forms::language(text, "dc:language", findings),
        "dc:creator" | "category" => findings.expect(!text.trim().is_empty(), "NotBlank", || {
            format!("a `<{}>` is empty", element.name)
        }),
        "enclosure" => enclosure(element, findings),
        "atom:link" => forms::web(
            element.attribute("href").unwrap_or_default(),
            "atom:link",
            false,
            findings,
        ),
        "media:content" | "media:thumbnail" => media(element, findings),
        "guid" => {}
        name if name.starts_with('{') => {}
        name => findings.add(
            "UndefinedElement",
            format!("`<{}>` stands in an `<item>`", shown(name)),
        ),
    }
}

/// Plain text; what looks like HTML to some readers is written with hexadecimal references (profile, "Character Data").
fn title(title: &Element, findings: &mut Findings) {
    findings.expect(!title.text.trim().is_empty(), "NotBlank", || {
        "a `<title>` is empty".to_owned()
    });
    let markup = title.text.contains(['<', '&']);
    findings.expect(!(markup && title.named), "CharacterData", || {
        format!(
            "the title `{}` holds `<` or `&` by name, not as `&#x3C;` or `&#x26;`",
            shown(&title.text)
        )
    });
    let end_tag = title.text.split("</").skip(1).any(|rest| {
        rest.find('>')
            .is_some_and(|end| rest[..end].bytes().all(|b| b.is_ascii_alphanumeric()) && end > 0)
    });
    findings.expect(!end_tag, "ContainsHTML", || {
        format!(
            "the title `{}` holds what looks like HTML",
            shown(&title.text)
        )
    });
}

/// `mail@example.org (Name)`.
fn author(text: &str, element: &str, findings: &mut Findings) {
    match text
        .split_once(" (")
        .and_then(|(mail, name)| Some((mail, name.strip_suffix(')')?)))
    {
        Some((mail, name)) if !name.is_empty() => forms::mail(mail, element, findings),
        _ => findings.add(
            "InvalidContact",
            format!(
                "`<{element}>` is `{}`, not `mail@example.org (Name)`",
                shown(text)
            ),
        ),
    }
}

fn guid(guid: &Element, findings: &mut Findings) {
    findings.expect(!guid.text.trim().is_empty(), "NotBlank", || {
        "a `<guid>` is empty".to_owned()
    });
    let web = guid.text.starts_with("http://") || guid.text.starts_with("https://");
    match guid.attribute("isPermaLink") {
        Some("false") => {}
        None | Some("true") => findings.expect(web, "InvalidHttpGUID", || {
            format!(
                "the guid `{}` is no URL, but is said to be one",
                shown(&guid.text)
            )
        }),
        Some(other) => findings.add(
            "InvalidBooleanAttribute",
            format!("`isPermaLink` is `{}`", shown(other)),
        ),
    }
}

fn enclosure(enclosure: &Element, findings: &mut Findings) {
    for name in ["url", "length", "type"] {
        let Some(value) = enclosure.attribute(name) else {
            findings.add("MissingAttribute", format!("`<enclosure>` has no `{name}`"));
            continue;
        };
        match name {
            "url" => forms::web(value, "enclosure", false, findings),
            "length" => forms::number(value, "length", false, findings),
            _ => forms::mime(value, "enclosure", findings),
        }
    }
}

fn media(media: &Element, findings: &mut Findings) {
    forms::web(
        media.attribute("url").unwrap_or_default(),
        &media.name,
        false,
        findings,
    );
    media
        .attribute("type")
        .into_iter()
        .for_each(|mime| forms::mime(mime, &media.name, findings));
}

fn image(image: &Element, findings: &mut Findings) {
    for name in ["url", "title", "link"] {
        match image.child(name) {
            Some(title) if name == "title" => self::title(title, findings),
            Some(child) => forms::web(&child.text, name, false, findings),
            None => findings.add("MissingElement", format!("`<image>` has no `<{name}>`")),
        }
    }
}
