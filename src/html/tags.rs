//! What each element is to a feed, and which attributes it keeps. The lists hold nothing that the W3C Feed Validator
//! complains about (so `<audio>` and `<video>` lose `controls`: readers show theirs).

use std::collections::HashMap;
use std::sync::LazyLock;

/// What becomes of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays, under this name.
    Stays(&'static str),
    /// It goes, with all that is in it.
    GoesWhole,
    /// It goes, and what is in it stays.
    Unwrapped,
}

/// Elements that stay as they are, with the attributes that they keep besides those that all keep.
pub(super) const ELEMENTS: [(&str, &[&str]); 62] = [
    ("a", &["href", "hreflang"]),
    ("abbr", &[]),
    ("address", &[]),
    ("article", &[]),
    ("aside", &[]),
    ("audio", &["src", "preload", "loop", "muted"]),
    ("b", &[]),
    ("bdi", &[]),
    ("blockquote", &["cite"]),
    ("br", &[]),
    ("caption", &[]),
    ("cite", &[]),
    ("code", &["class"]),
    ("col", &["span"]),
    ("colgroup", &["span"]),
    ("data", &["value"]),
    ("dd", &[]),
    ("del", &["cite", "datetime"]),
    ("details", &["open"]),
    ("dfn", &[]),
    ("div", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("em", &[]),
    ("figcaption", &[]),
    ("figure", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("h4", &[]),
    ("h5", &[]),
    ("h6", &[]),
    ("hr", &[]),
    ("i", &[]),
    ("img", &["src", "srcset", "sizes", "alt", "width", "height"]),
    ("ins", &["cite", "datetime"]),
    ("kbd", &[]),
    ("li", &["value"]),
    ("mark", &[]),
    ("ol", &["start", "reversed", "type"]),
    ("p", &[]),
    ("picture", &[]),
    ("pre", &[]),
    ("q", &["cite"]),
    ("rp", &[]),
    ("rt", &[]),
    ("ruby", &[]),
    ("s", &[]),
    ("samp", &[]),
    ("section", &[]),
    ("small", &[]),
    ("source", &["src", "srcset", "sizes", "type", "media"]),
    ("span", &[]),
    ("strong", &[]),
    ("sub", &[]),
    ("summary", &[]),
    ("sup", &[]),
    ("time", &["datetime"]),
    ("track", &["src", "kind", "srclang", "label", "default"]),
    ("u", &[]),
    ("ul", &[]),
    ("var", &[]),
];

/// The rest of [`ELEMENTS`]: tables, video, and what breaks a word.
pub(super) const MORE_ELEMENTS: [(&str, &[&str]); 9] = [
    ("table", &[]),
    ("tbody", &[]),
    ("td", &["colspan", "rowspan", "headers", "align"]),
    ("tfoot", &[]),
    (
        "th",
        &["colspan", "rowspan", "headers", "scope", "abbr", "align"],
    ),
    ("thead", &[]),
    ("tr", &[]),
    (
        "video",
        &[
            "src",
            "poster",
            "width",
            "height",
            "preload",
            "loop",
            "muted",
            "playsinline",
        ],
    ),
    ("wbr", &[]),
];

/// Attributes that every element keeps; `id` and `style` only with certain values.
pub(super) const EVERYWHERE: [&str; 5] = ["title", "lang", "dir", "id", "style"];

/// Elements of which nothing is for a reader.
const WHOLE: [&str; 20] = [
    "script", "style", "template", "noscript", "noframes", "noembed", "title", "head", "textarea",
    "select", "button", "datalist", "svg", "math", "iframe", "object", "applet", "canvas",
    "frameset", "dialog",
];

/// Elements that HTML gives another name today.
const RENAMED: [(&str, &str); 4] = [
    ("strike", "s"),
    ("tt", "code"),
    ("acronym", "abbr"),
    ("xmp", "pre"),
];

pub(super) fn fate(name: &str) -> Fate {
    if let Some((name, _)) = element(name) {
        return Fate::Stays(name);
    }
    if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == name) {
        return Fate::Stays(new);
    }
    // what an object falls back to is for readers; `object` itself is not
    if WHOLE.contains(&name) && name != "object" && name != "canvas" {
        Fate::GoesWhole
    } else {
        Fate::Unwrapped
    }
}

type Known = HashMap<&'static str, (&'static str, &'static [&'static str])>;

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let elements = ELEMENTS.iter().chain(&MORE_ELEMENTS);
    elements.map(|(name, own)| (*name, (*name, *own))).collect()
});

fn element(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    KNOWN.get(name).copied()
}

pub(super) fn keeps(element_name: &str, attribute: &str) -> bool {
    EVERYWHERE.contains(&attribute)
        || element(element_name).is_some_and(|(_, own)| own.contains(&attribute))
}

pub(super) fn is_void(name: &str) -> bool {
    ["br", "hr", "img", "col", "source", "track", "wbr"].contains(&name)
}

pub(super) fn is_heading(name: &str) -> bool {
    matches!(name.as_bytes(), [b'h', b'1'..=b'6'])
}

/// Elements that end an open paragraph (HTML, "in body").
pub(super) fn ends_paragraph(name: &str) -> bool {
    const BLOCKS: [&str; 21] = [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "ul",
    ];
    BLOCKS.contains(&name) || is_heading(name)
}

/// Elements in which a paragraph outside does not count as open.
pub(super) fn is_scope(name: &str) -> bool {
    ["table", "td", "th", "caption"].contains(&name)
}

/// Elements of which a table consists.
pub(super) fn is_table_part(name: &str) -> bool {
    [
        "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th",
    ]
    .contains(&name)
}

/// The elements that `name` may stand in, if it is part of a table.
pub(super) fn table_parents(name: &str) -> &'static [&'static str] {
    match name {
        "td" | "th" => &["tr"],
        "tr" => &["tbody", "thead", "tfoot", "table"],
        "col" => &["colgroup"],
        _ => &["table"],
    }
}

/// HTML elements that end foreign content (HTML, "the rules for parsing tokens in foreign content").
pub(super) fn ends_foreign(name: &str) -> bool {
    const ENDS: [&str; 43] = [
        "b",
        "big",
        "blockquote",
        "body",
        "br",
        "center",
        "code",
        "dd",
        "div",
        "dl",
        "dt",
        "em",
        "embed",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "hr",
        "i",
        "img",
        "li",
        "listing",
        "menu",
        "meta",
        "nobr",
        "ol",
        "p",
        "pre",
        "ruby",
        "s",
        "small",
        "span",
        "strong",
        "strike",
        "sub",
        "sup",
        "table",
        "tt",
        "u",
        "ul",
    ];
    ENDS.contains(&name)
}

/// Whether attributes say that browsers show nothing of an element.
pub(super) fn is_hidden(hidden: Option<&str>, style: Option<&str>) -> bool {
    let is_hiding = |declaration: &str| {
        let Some((property, value)) = declaration.split_once(':') else {
            return false;
        };
        let value = value.trim().to_ascii_lowercase();
        let value = value.split('!').next().unwrap_or_default().trim();
        let property = property.trim().to_ascii_lowercase();
        matches!(
            (&*property, value),
            ("display", "none") | ("visibility", "hidden")
        )
    };
    let is_found = hidden.is_some_and(|value| value.trim().eq_ignore_ascii_case("until-found"));
    hidden.is_some() && !is_found || style.is_some_and(|style| style.split(';').any(is_hiding))
}

/// Classes of what is for the eyes of a browser's user alone.
pub(super) fn is_furniture(classes: &str) -> bool {
    const FURNITURE: [&str; 22] = [
        "lineno",
        "linenos",
        "linenodiv",
        "line-number",
        "line-numbers",
        "line-numbers-rows",
        "gutter",
        "lnt",
        "ln",
        "rouge-gutter",
        "sr-only",
        "visually-hidden",
        "visuallyhidden",
        "screen-reader-text",
        "screen-reader-only",
        "u-visually-hidden",
        "copy-button",
        "copy-code-button",
        "copybtn",
        "clipboard-copy",
        "btn-clipboard",
        "zola-anchor",
    ];
    classes
        .split_ascii_whitespace()
        .any(|class| FURNITURE.contains(&class.to_ascii_lowercase().as_str()))
}

/// Classes of the links that headings have to themselves.
pub(super) fn is_anchor(classes: &str) -> bool {
    const ANCHORS: [&str; 10] = [
        "anchor",
        "headerlink",
        "header-anchor",
        "heading-link",
        "hash-link",
        "anchor-link",
        "anchorjs-link",
        "permalink",
        "heading-anchor",
        "direct-link",
    ];
    classes
        .split_ascii_whitespace()
        .any(|class| ANCHORS.contains(&class.to_ascii_lowercase().as_str()))
}
