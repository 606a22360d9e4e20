//! OPML 2.0, as a list of subscriptions.

use super::xml::{Element, walk};
use super::{Findings, forms, shown};

pub(super) fn check(bytes: &[u8], findings: &mut Findings) {
    walk(bytes, 1, findings, &mut |root, _, findings| {
        findings.expect(
            root.name == "opml" && root.attribute("version") == Some("2.0"),
            "InvalidOPMLVersion",
            || "the root is not `<opml version=\"2.0\">`".to_owned(),
        );
        let title = root.child("head").and_then(|head| head.child("title"));
        findings.expect(
            title.is_some_and(|title| !title.text.trim().is_empty()),
            "MissingElement",
            || "`<head>` has no `<title>`".to_owned(),
        );
        match root.child("body") {
            Some(body) => body
                .children
                .iter()
                .for_each(|child| outline(child, findings)),
            None => findings.add("MissingElement", "there is no `<body>`"),
        }
    });
}

fn outline(element: &Element, findings: &mut Findings) {
    findings.expect(element.name == "outline", "UndefinedElement", || {
        format!("`<{}>` stands in `<body>`", shown(&element.name))
    });
    let text = element.attribute("text").unwrap_or_default();
    findings.expect(!text.trim().is_empty(), "MissingAttribute", || {
        "an `<outline>` has no `text`".to_owned()
    });
    if element.attribute("type") == Some("rss") {
        forms::web(
            element.attribute("xmlUrl").unwrap_or_default(),
            "xmlUrl",
            false,
            findings,
        );
        element
            .attribute("htmlUrl")
            .into_iter()
            .for_each(|url| forms::web(url, "htmlUrl", false, findings));
    }
}
