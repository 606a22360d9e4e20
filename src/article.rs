//! An article: what one file says, understood and checked, before anything is known of other files.
//!
//! This room reads bytes and gives values. It knows no folder, no clock, no ledger and no feed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono_tz::Tz;
use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use crate::problem::{Level, Problem};

pub mod address;
mod conflict;
pub mod date;
mod decode;
mod digest;
pub mod front_matter;
pub mod head;
pub mod hidden;
pub mod id;
mod keys;
pub mod language;
pub mod location;
pub mod markdown;
mod more;
pub mod section;
pub mod stamp;
pub mod template;
pub mod text;
mod title;
pub mod words;

pub use date::Date;
use keys::Keys;
pub use keys::Origin;
pub use section::{Section, section};
pub use stamp::Stamp;

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Path inside the articles folder, `/` between segments; bytes that are not UTF-8 percent-encoded.
    pub path: &'a str,
    /// All that stands in the file.
    pub bytes: Vec<u8>,
}

/// What of the configuration changes how a file is understood.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// The zone of dates that are written without one.
    pub zone: Tz,
    /// `[authors.KEY]` of the configuration, by key.
    pub authors: BTreeMap<String, Person>,
    /// How files are encoded that are not UTF-8; `None`: they are refused.
    pub encoding: Option<&'static Encoding>,
}

/// Somebody who wrote an article.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The name that readers see; never empty.
    pub name: String,
    /// A mail address, without `mailto:`.
    pub email: Option<String>,
    /// An absolute http(s) URL.
    pub url: Option<String>,
}

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Markup {
    /// `CommonMark` with tables, footnotes, strikethrough and task lists.
    Markdown,
    /// HTML: a fragment or a whole page.
    Html,
    /// Plain text.
    Text,
}

/// The text of an article as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// How it is written.
    pub markup: Markup,
    /// The whole file, front matter too: line ends as `\n`, no byte order mark. Empty in a [`head`].
    #[serde(skip)]
    pub file: String,
    /// Where the text begins in it, in bytes.
    #[serde(skip)]
    pub start: usize,
    /// The line of the file at which the text begins, counted from 1.
    pub line: u32,
}

impl Body {
    /// The text after the front matter.
    #[must_use]
    pub fn source(&self) -> &str {
        self.file.get(self.start..).unwrap_or_default()
    }

    /// The text without what its author hides in it: see [`hidden`].
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        hidden::hide(self.source(), self.markup)
    }
}

/// Where a title was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TitleFrom {
    /// Declared in the front matter.
    Head,
    /// The first `<h1>` or `#` of the body.
    Heading,
    /// HTML's `<title>`.
    Page,
    /// The first line of a plain text.
    Line,
    /// The name of the file.
    FileName,
    /// The first sentence of the text.
    Sentence,
}

/// A title, as plain text: trimmed, white space folded, no control characters, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    /// The words.
    pub text: String,
    /// Where they were found.
    pub from: TitleFrom,
}

/// Whether the article is for the public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Visibility {
    /// In feeds and on a page.
    Public,
    /// On a page, but in no feed (`feed: false` and its kin).
    PageOnly,
    /// Nowhere.
    Draft,
}

/// Something to play or fetch that belongs to an article.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Enclosure {
    /// As written: a reference to an asset, or an absolute URL.
    pub href: String,
    /// Length in bytes, if declared.
    pub length: Option<u64>,
    /// MIME type, if declared.
    pub mime: Option<String>,
}

/// What one file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Article {
    /// Path inside the articles folder, as in [`Source::path`].
    #[serde(skip)]
    pub path: String,
    // what articles are sorted by comes first: it is read without the rest (see `head::labels`)
    /// In the order of the file, each once, none empty.
    pub tags: Vec<String>,
    /// In the order of the file, each once, none empty.
    pub categories: Vec<String>,
    /// In the order of the file, each once.
    pub authors: Vec<Person>,
    /// A language tag (BCP 47) in its usual case, `en-GB`; `None` means the folder's or the site's.
    pub language: Option<String>,
    /// The id that the author declared, trimmed, never empty, as written.
    pub id: Option<String>,
    /// `None` for a note: at most 280 characters and nothing that could be a title.
    pub title: Option<Title>,
    /// From the front matter, else from names and paths; without either the ledger decides.
    pub published: Option<Date>,
    /// Whether its head, or the name of its own file, says when it was published: what does not may be a note beside
    /// an article, or a page that lists some.
    pub is_dated: bool,
    /// As declared.
    pub updated: Option<Date>,
    /// As declared: from this instant on the article is gone.
    pub expires: Option<Date>,
    /// Whether the article is for the public.
    pub visibility: Visibility,
    /// Why, if it is not, or not wholly.
    pub why: Option<String>,
    /// The article's own URL as declared (`url`, `permalink`, `path`, or a `link` or `canonical`
    /// that leads to our own host is found out later): absolute, root-relative or relative.
    pub url: Option<String>,
    /// The last segment of the URL, as declared.
    pub slug: Option<String>,
    /// `canonical_url`, `canonical`, as declared.
    pub canonical: Option<String>,
    /// Former URLs, as declared.
    pub aliases: Vec<String>,
    /// For a link post: the absolute http(s) URL that it is about (`external_url`, `link_url`, `link_to`).
    pub external_url: Option<String>,
    /// `link`, as declared: the article's URL if it is relative or on our own host, else a link post's target.
    pub link: Option<String>,
    /// As declared, or what stands before `<!-- more -->`: plain text or HTML as written, not empty.
    pub summary: Option<String>,
    /// The image that stands for the article: a reference to an asset, or an absolute URL.
    pub image: Option<String>,
    /// In the order of the file.
    pub enclosures: Vec<Enclosure>,
    /// The text.
    pub body: Body,
    /// What counts as a change of the article (`articles.md`, Identity): hexadecimal.
    pub digest: String,
}

/// What became of a file.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An article; [`Visibility`] says whether it is for the public.
    Article(Box<Article>),
    /// An article of which it is not clear that it is for the public now: a date of it cannot be read, say. An earlier
    /// version of it may stay; where there is none it waits for its author.
    Held(Box<Article>),
    /// Not understood well enough to publish; an earlier version of it may stay.
    Broken,
    /// No text at all: an editor in the middle of saving; an earlier version of it may stay.
    Empty,
    /// Not an article (only a redirect, say).
    Other,
}

/// Understands one file.
///
/// Never panics and never fails as a whole: what cannot be understood is a [`Problem`] with a line.
#[must_use]
pub fn parse(source: Source<'_>, dialect: &Dialect) -> (Outcome, Vec<Problem>) {
    let reading = read(source, dialect);
    (reading.outcome, reading.problems)
}

/// What one file says, and why it was understood so.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What became of it.
    pub outcome: Outcome,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Which keys of its head gave what.
    pub origins: Vec<Origin>,
    /// Every key of its head, without case, `-` and `_`, with its line.
    pub keys: Vec<(String, u32)>,
}

impl Reading {
    fn of(outcome: Outcome, problems: Vec<Problem>) -> Self {
        Self {
            outcome,
            problems,
            origins: Vec::new(),
            keys: Vec::new(),
        }
    }
}

/// Understands one file as [`parse`] does, and tells how.
#[must_use]
pub fn read(source: Source<'_>, dialect: &Dialect) -> Reading {
    let path = source.path;
    let text = match decode::decode(path, source.bytes, dialect.encoding) {
        Ok(text) => text,
        Err(problem) => return Reading::of(Outcome::Broken, vec![problem]),
    };
    if text.trim().is_empty() {
        return Reading::of(Outcome::Empty, Vec::new());
    }
    let markup = Markup::of(path);
    let parts = match front_matter::read(path, &text, markup) {
        Ok(parts) => parts,
        Err(problem) => return Reading::of(Outcome::Broken, vec![problem]),
    };
    if let Some(problem) = redirect(path, &parts).or_else(|| own_page(path, &parts)) {
        return Reading::of(Outcome::Other, vec![problem]);
    }
    let (head, line, start) = (parts.head, parts.line, text.len() - parts.body.len());
    let mut keys = Keys {
        path,
        head: &head,
        dialect,
        problems: Vec::new(),
        origins: Vec::new(),
    };
    let body = Body {
        markup,
        file: text,
        start,
        line,
    };
    let outcome = article(&mut keys, body);
    let Keys {
        problems, origins, ..
    } = keys;
    Reading {
        outcome,
        problems,
        origins,
        keys: head
            .entries
            .into_iter()
            .map(|(key, line, _)| (key, line))
            .collect(),
    }
}

/// A file without text that only leads elsewhere.
fn redirect(path: &str, parts: &front_matter::Parts<'_>) -> Option<Problem> {
    let to_layout = |(_, value): (u32, &front_matter::Value)| {
        value.text().is_some_and(|text| text == "redirect")
    };
    let leads = ["redirect", "redirectto"]
        .iter()
        .any(|key| parts.head.get(key).is_some())
        || parts.head.get("layout").is_some_and(to_layout);
    (leads && parts.body.trim().is_empty())
        .then(|| Problem::info(path, "is only a redirect, no article"))
}

/// A page that an earlier run made: where folders overlap, it lies among the articles.
fn own_page(path: &str, parts: &front_matter::Parts<'_>) -> Option<Problem> {
    let (_, generator) = parts.head.get("generator")?;
    let is_ours = Markup::of(path) == Markup::Html && generator.text()? == GENERATOR;
    is_ours.then(|| Problem::info(path, "is a page that tidings made, no article"))
}

/// What pages say of who made them, in `<meta name="generator">`.
pub const GENERATOR: &str = "tidings";

/// A page that only lists articles: at the top of the folder and undated, or undated and nothing but a template.
fn lists(article: &Article, has_templates: bool) -> Option<&'static str> {
    let name = article.path.split('.').next().unwrap_or_default();
    if article.is_dated {
        None
    } else if name.eq_ignore_ascii_case("index") {
        Some("is the front page, without a date: no article")
    } else if has_templates && title::is_blank(&article.body) {
        Some("is nothing but a template, without a date: no article")
    } else {
        None
    }
}

/// Understands the keys of a head, and the text below it.
fn article(keys: &mut Keys<'_>, mut body: Body) -> Outcome {
    let declared = keys.title();
    let declared_summary = keys.summary();
    let digest = digest::digest(declared.as_deref(), declared_summary.as_deref(), &body);
    let shown = |text: String| {
        let shown = words::folded(&hidden::hide_in_words(&text));
        (!shown.is_empty()).then_some(shown)
    };
    let (declared, declared_summary) = (declared.and_then(shown), declared_summary.and_then(shown));
    let mut is_held = keys.hidden(&body);
    let page_title = keys
        .head
        .get(front_matter::PAGE_TITLE)
        .and_then(|(_, value)| value.text())
        .and_then(|title| shown(title.into_owned()));
    let title = match declared {
        Some(text) => Some(Title {
            text,
            from: TitleFrom::Head,
        }),
        None => title::find(keys.path, page_title, &mut body),
    };
    let Some(visibility) = keys.visibility() else {
        return Outcome::Broken;
    };
    let why = keys.origins.iter().find(|origin| origin.what == "state");
    let why = why.map(|origin| format!("`{}` in line {}", origin.key, origin.line));
    let said = keys.problems.len();
    let (published, expires) = (keys.published(&mut is_held), keys.expires(&mut is_held));
    let is_declared = |origin: &Origin| origin.what == "published" && origin.key != "<time>";
    let is_dated =
        keys.origins.iter().any(is_declared) || date::in_path(location::name(keys.path)).is_some();
    let is_draft = visibility == Visibility::Draft;
    for problem in keys.problems[said..].iter_mut().filter(|_| is_draft) {
        // a draft may wait for its date
        problem.level = Level::Info;
    }
    let article = Box::new(Article {
        path: keys.path.to_owned(),
        id: keys.id(),
        title,
        published,
        is_dated,
        updated: keys.updated(),
        expires,
        visibility,
        why,
        url: keys.url(),
        slug: keys.slug(),
        canonical: keys.canonical(),
        aliases: keys.aliases(),
        external_url: keys.external_url(),
        link: keys.link(),
        tags: keys.tags(),
        categories: keys.categories(),
        authors: keys.authors(),
        summary: declared_summary.or_else(|| more::above(&body.shown())),
        image: keys.image(),
        enclosures: keys.enclosures(),
        language: keys.language(),
        digest,
        body,
    });
    let has_templates = template::is_in(article.body.source());
    if let Some(what) = lists(&article, has_templates) {
        // an unreadable date may be what makes an article of it
        if !is_held || is_draft {
            keys.problems.push(Problem::info(keys.path, what));
            return Outcome::Other;
        }
    }
    if is_held && !is_draft {
        Outcome::Held(article)
    } else {
        Outcome::Article(article)
    }
}

impl Markup {
    /// By the extension of a path; Markdown if it is none of the others.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let extension = path
            .rsplit_once('.')
            .map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("html" | "htm" | "xhtml") => Self::Html,
            Some("txt" | "text") => Self::Text,
            _ => Self::Markdown,
        }
    }
}
