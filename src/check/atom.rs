//! Atom 1.0 (RFC 4287).

use std::collections::{HashMap, HashSet};

use super::memory::{Facts, LEFT_OUT, Short, read_ahead};
use super::xml::{Element, walk};
use super::{Finding, Findings, Place, forms, html, shown};

pub(super) fn check(bytes: &[u8], place: Place<'_>, findings: &mut Findings) {
    read_ahead(bytes, "<entry>", "</entry>", |part| {
        read(part, place, &mut Findings::default());
    });
    let mut found = Findings::default();
    if !read(Short::of(bytes, "<entry>", "</entry>"), place, &mut found) {
        found = Findings::default();
        read(Short::whole(bytes), place, &mut found);
    }
    findings.found.append(&mut found.found);
}

/// Whether all of the document was read.
fn read(mut short: Short<'_>, place: Place<'_>, findings: &mut Findings) -> bool {
    let mut feed = Feed {
        place,
        seen: HashSet::new(),
        ids: HashSet::new(),
        updated: HashMap::new(),
        authorless: Vec::new(),
        selves: 0,
        entries: 0,
    };
    let text = std::mem::take(&mut short.text);
    walk(
        &text,
        2,
        findings,
        &mut |element, level, findings| match level {
            2 if element.name == "atom:entry" => {
                let before = findings.found.len();
                let facts = entry(&element, findings);
                let between = findings.found.len();
                short.read(&element, between - before, &facts);
                feed.compare(&facts, findings);
                short.compared(findings.found.len() - between);
            }
            2 if element.name == LEFT_OUT => {
                if let Some(facts) = short.left_out(&element) {
                    let before = findings.found.len();
                    feed.compare(&facts, findings);
                    short.compared(findings.found.len() - before);
                }
            }
            2 => feed.about(&element, findings),
            _ => feed.root(&element, findings),
        },
    );
    short.close(findings)
}

struct Feed<'a> {
    place: Place<'a>,
    seen: HashSet<String>,
    ids: HashSet<String>,
    updated: HashMap<String, String>,
    authorless: Vec<String>,
    selves: usize,
    entries: usize,
}

impl Feed<'_> {
    fn root(&mut self, root: &Element, findings: &mut Findings) {
        findings.expect(root.name == "atom:feed", "UndefinedElement", || {
            format!("the root is `<{}>`, not Atom's `<feed>`", shown(&root.name))
        });
        root.attribute("xml:lang")
            .into_iter()
            .for_each(|lang| forms::language(lang, "xml:lang", findings));
        for required in ["atom:title", "atom:id", "atom:updated"] {
            findings.expect(self.seen.contains(required), "MissingElement", || {
                format!("the feed has no `<{}>`", &required[5..])
            });
        }
        findings.expect(self.selves > 0, "MissingSelf", || {
            "the feed has no link `rel=\"self\"`".to_owned()
        });
        if !self.seen.contains("atom:author") {
            if self.entries == 0 {
                findings.add("MissingElement", "an empty feed has no `<author>`");
            }
            for id in std::mem::take(&mut self.authorless) {
                findings.entry = Some(id);
                findings.add(
                    "MissingElement",
                    "neither the entry nor the feed has an `<author>`",
                );
            }
            findings.entry = None;
        }
    }

    fn about(&mut self, element: &Element, findings: &mut Findings) {
        findings.expect(self.entries == 0, "MisplacedMetadata", || {
            format!("`<{}>` of the feed stands behind its entries", element.name)
        });
        let several = matches!(
            element.name.as_str(),
            "atom:link" | "atom:author" | "atom:contributor" | "atom:category"
        );
        let once = self.seen.insert(element.name.clone());
        findings.expect(once || several, "DuplicateElement", || {
            format!("`<{}>` stands twice in the feed", element.name)
        });
        let text = element.text.as_str();
        match element.name.as_str() {
            "atom:title" => construct(element, true, findings),
            "atom:subtitle" | "atom:rights" => construct(element, false, findings),
            "atom:id" => {
                forms::id(text, "id", findings);
                canonical(text, findings);
            }
            "atom:updated" => {
                let _ = forms::rfc3339(text, "updated", findings);
            }
            "atom:author" | "atom:contributor" => person(element, findings),
            "atom:link" => self.link(element, findings),
            "atom:icon" | "atom:logo" => forms::web(text, &element.name, false, findings),
            "atom:generator" => findings.expect(!text.trim().is_empty(), "NotBlank", || {
                "`<generator>` is empty".to_owned()
            }),
            "atom:category" => category(element, findings),
            // of a namespace that is not known here
            name if name.starts_with('{') => {}
            name => findings.add(
                "UndefinedElement",
                format!("`<{}>` stands in the feed", shown(name)),
            ),
        }
    }

    fn link(&mut self, element: &Element, findings: &mut Findings) {
        link(element, findings);
        if element.attribute("rel") == Some("self") {
            self.selves += 1;
            let href = element.attribute("href").unwrap_or_default();
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
    }

    /// An entry among the others.
    fn compare(&mut self, entry: &Facts, findings: &mut Findings) {
        self.entries += 1;
        let id = entry.id.clone().unwrap_or_default();
        findings.entry = Some(id.clone());
        findings.unique(&mut self.ids, &id);
        if !entry.has_author {
            self.authorless.push(id.clone());
        }
        if let Some(updated) = &entry.updated {
            let other = self.updated.insert(updated.clone(), id);
            findings.expect(other.is_none(), "DuplicateUpdated", || {
                format!(
                    "was changed at the same instant as `{}`: {}",
                    shown(other.as_deref().unwrap_or_default()),
                    shown(updated)
                )
            });
        }
        findings.entry = None;
    }
}

/// An entry by itself.
fn entry(entry: &Element, findings: &mut Findings) -> Facts {
    let id = entry.child("atom:id").map(|id| id.text.clone());
    findings.entry = Some(id.clone().unwrap_or_default());
    for required in ["atom:title", "atom:id", "atom:updated"] {
        let count = entry.all(required).count();
        findings.expect(count > 0, "MissingElement", || {
            format!("the entry has no `<{}>`", &required[5..])
        });
        findings.expect(count < 2, "DuplicateElement", || {
            format!("the entry has two `<{}>`", &required[5..])
        });
    }
    for element in &entry.children {
        self::element(element, findings);
    }
    let alternate = entry
        .all("atom:link")
        .any(|link| matches!(link.attribute("rel"), None | Some("alternate")));
    findings.expect(
        alternate || entry.child("atom:content").is_some(),
        "MissingAlternateLink",
        || "the entry has neither content nor an alternate link".to_owned(),
    );
    findings.entry = None;
    Facts {
        id,
        updated: entry
            .child("atom:updated")
            .map(|updated| updated.text.clone()),
        has_author: entry.child("atom:author").is_some(),
    }
}

fn element(element: &Element, findings: &mut Findings) {
    let text = element.text.as_str();
    match element.name.as_str() {
        "atom:title" => construct(element, true, findings),
        "atom:summary" | "atom:rights" => construct(element, false, findings),
        "atom:content" => content(element, findings),
        "atom:id" => {
            forms::id(text, "id", findings);
            canonical(text, findings);
        }
        "atom:updated" | "atom:published" => {
            let _ = forms::rfc3339(text, &element.name[5..], findings);
        }
        "atom:author" | "atom:contributor" => person(element, findings),
        "atom:link" => link(element, findings),
        "atom:category" => category(element, findings),
        "media:content" | "media:thumbnail" => {
            forms::web(
                element.attribute("url").unwrap_or_default(),
                &element.name,
                false,
                findings,
            );
        }
        name if name.starts_with('{') => {}
        name => findings.add(
            "UndefinedElement",
            format!("`<{}>` stands in an entry", shown(name)),
        ),
    }
}

/// An id that is a URL is compared as text: only its canonical form is the same everywhere (§4.2.6.1). Its author may
/// have chosen another one long ago, and changing it would harm more: that is only reported.
fn canonical(id: &str, findings: &mut Findings) {
    if !id.starts_with("http:") && !id.starts_with("https:") {
        return;
    }
    let mut found = Findings {
        entry: findings.entry.clone(),
        ..Findings::default()
    };
    forms::web(id, "id", true, &mut found);
    let odd = found
        .found
        .into_iter()
        .filter(|finding| finding.rule == "NonCanonicalURI");
    findings.found.extend(odd.map(|finding| Finding {
        refuses: false,
        ..finding
    }));
}

/// A text construct (§3.1); a title must say something.
fn construct(element: &Element, must_speak: bool, findings: &mut Findings) {
    let name = &element.name[5..];
    element
        .attribute("xml:lang")
        .into_iter()
        .for_each(|lang| forms::language(lang, "xml:lang", findings));
    if must_speak {
        findings.expect(!element.text.trim().is_empty(), "NotBlank", || {
            format!("a `<{name}>` is empty")
        });
    }
    match element.attribute("type") {
        None | Some("text") => {
            let markup = element.text.contains("</")
                || element.text.split('&').skip(1).any(|rest| {
                    rest.find(';').is_some_and(|end| {
                        end > 1
                            && rest[..end]
                                .bytes()
                                .all(|b| b.is_ascii_alphanumeric() || b == b'#')
                    })
                });
            findings.expect(!markup || !must_speak, "ContainsUndeclaredHTML", || {
                format!(
                    "`<{name}>` is plain text, but looks like HTML: `{}`",
                    shown(&element.text)
                )
            });
        }
        Some("html") => html::check(&element.text, name, findings),
        Some(other) => findings.add(
            "InvalidTextType",
            format!("`<{name}>` has the type `{}`", shown(other)),
        ),
    }
}

fn content(element: &Element, findings: &mut Findings) {
    element
        .attribute("xml:lang")
        .into_iter()
        .for_each(|lang| forms::language(lang, "xml:lang", findings));
    match element.attribute("type") {
        Some("html") => html::check(&element.text, "content", findings),
        None | Some("text") => {}
        Some(other) => findings.add(
            "InvalidTextType",
            format!("`<content>` has the type `{}`", shown(other)),
        ),
    }
}

fn person(element: &Element, findings: &mut Findings) {
    let name = element
        .child("atom:name")
        .map(|name| name.text.trim())
        .unwrap_or_default();
    findings.expect(!name.is_empty(), "MissingElement", || {
        format!("`<{}>` has no `<name>`", &element.name[5..])
    });
    element
        .child("atom:email")
        .into_iter()
        .for_each(|mail| forms::mail(&mail.text, "email", findings));
    element
        .child("atom:uri")
        .into_iter()
        .for_each(|uri| forms::web(&uri.text, "uri", false, findings));
}

fn link(element: &Element, findings: &mut Findings) {
    forms::web(
        element.attribute("href").unwrap_or_default(),
        "link",
        true,
        findings,
    );
    element
        .attribute("type")
        .into_iter()
        .for_each(|mime| forms::mime(mime, "link", findings));
    element
        .attribute("length")
        .into_iter()
        .for_each(|length| forms::number(length, "length", false, findings));
}

fn category(element: &Element, findings: &mut Findings) {
    let term = element.attribute("term").unwrap_or_default().trim();
    findings.expect(!term.is_empty(), "MissingAttribute", || {
        "a `<category>` has no `term`".to_owned()
    });
}
