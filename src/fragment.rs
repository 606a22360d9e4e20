//! One entry, rendered: its clean HTML, its summary, where its references lead. What feeds and pages are made of.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::article::template::{self, Why};
use crate::article::words::cut;
use crate::article::{Article, Markup, TitleFrom, markdown, text};
use crate::catalogue::{Catalogue, Entry};
use crate::feed::{Attachment, Image, Item, Media};
use crate::html::{self, Surroundings};
use crate::link::{self, Asked, Resolver};
use crate::problem::Problem;
use crate::site::Site;

/// A summary taken from the text is cut at so many characters.
const SUMMARY: usize = 1000;

/// What stands in for the title of a note is cut at so many characters.
const STAND_IN: usize = 72;

/// A rendered entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fragment {
    /// As feeds show it.
    pub item: Item,
    /// The assets that it shows or plays, as paths inside the articles folder.
    pub assets: BTreeSet<String>,
    /// What was asked of other files.
    pub asked: BTreeSet<Asked>,
    /// What the author should know; told when it is rendered.
    #[serde(skip)]
    pub problems: Vec<Problem>,
}

/// Renders an entry whose text was read.
#[must_use]
pub fn render(entry: &Entry, catalogue: &Catalogue, site: &Site, media: &MediaFiles) -> Fragment {
    let article = &entry.article;
    let link = link::of(entry, site);
    let base = Url::parse(&link).unwrap_or_else(|_| site.base.clone());
    let resolver = Resolver::new(site, catalogue, &article.path, &base);
    let mut problems = Vec::new();
    let prefix = prefix(&entry.id);
    let resolve = |reference: &str| resolver.resolve(reference);
    let around = Surroundings {
        base: &base,
        prefix: &prefix,
        resolve: &resolve,
    };
    let find = |name: &str| resolver.find(name);
    let template = template::Around {
        find: &find,
        base: site.base.as_str(),
    };
    let html = html::clean(&source_html(article, &template, &mut problems), &around);
    // line ends alone are no text
    let html = if html.trim().is_empty() {
        String::new()
    } else {
        html
    };
    let text = if article.title.is_none() {
        html::text(&html)
    } else {
        String::new()
    };
    let title = article.title.as_ref().map(|title| title.text.clone());
    let image = image(article, &resolver, media);
    let attachments = attachments(article, &resolver, media, &mut problems);
    problems.extend(resolver.missing().iter().map(|name| missing(article, name)));
    let item = Item {
        id: entry.id.clone(),
        external: link::external(entry, site),
        stand_in_title: title.clone().unwrap_or_else(|| stand_in(&text, article)),
        title,
        published: entry.published,
        updated: entry.updated,
        authors: authors(article, site),
        tags: tags(article),
        summary: summary(article, &template, &html),
        language: article
            .language
            .clone()
            .filter(|language| *language != site.language),
        image,
        attachments,
        html: html.into(),
        link,
    };
    let (assets, asked) = resolver.account();
    Fragment {
        item,
        assets,
        asked,
        problems,
    }
}

/// Returns what an article asks of other files when it is rendered.
#[must_use]
pub fn asked(article: &Article, catalogue: &Catalogue, site: &Site) -> BTreeSet<Asked> {
    // references do not depend on the identity
    let entry = Entry {
        id: String::new(),
        published: DateTime::UNIX_EPOCH,
        updated: DateTime::UNIX_EPOCH,
        updated_declared: false,
        page: None,
        article: article.clone(),
    };
    render(&entry, catalogue, site, &MediaFiles::new()).asked
}

/// What became of the text of an entry on its way into feeds.
#[derive(Debug, Clone)]
pub struct Account {
    /// Before it was cleaned.
    pub source: String,
    /// As feeds have it.
    pub clean: String,
    /// Addresses that were made absolute, as written and as they are.
    pub addresses: Vec<(String, String)>,
    /// As feeds show it.
    pub item: Item,
    /// What the author should know.
    pub problems: Vec<Problem>,
}

/// Renders an entry whose text was read, and tells what was done to it.
#[must_use]
pub fn account(entry: &Entry, catalogue: &Catalogue, site: &Site) -> Account {
    let fragment = render(entry, catalogue, site, &MediaFiles::new());
    let article = &entry.article;
    let base = Url::parse(&fragment.item.link).unwrap_or_else(|_| site.base.clone());
    let resolver = Resolver::new(site, catalogue, &article.path, &base);
    let find = |name: &str| resolver.find(name);
    let template = template::Around {
        find: &find,
        base: site.base.as_str(),
    };
    let source = source_html(article, &template, &mut Vec::new());
    let addresses = RefCell::new(Vec::new());
    let resolve = |reference: &str| {
        let url = resolver.resolve(reference)?;
        let pair = (reference.to_owned(), url.clone());
        if !addresses.borrow().contains(&pair) {
            addresses.borrow_mut().push(pair);
        }
        Some(url)
    };
    let prefix = prefix(&entry.id);
    let around = Surroundings {
        base: &base,
        prefix: &prefix,
        resolve: &resolve,
    };
    let clean = html::clean(&source, &around);
    Account {
        source,
        clean,
        addresses: addresses.into_inner(),
        item: fragment.item,
        problems: fragment.problems,
    }
}

/// Footnotes' ids get this in front, since feeds show several articles in one page.
fn prefix(id: &str) -> String {
    format!("a{}-", &blake3::hash(id.as_bytes()).to_hex()[..8])
}

/// The body as HTML, without the heading that is its title.
fn source_html(
    article: &Article,
    around: &template::Around<'_>,
    problems: &mut Vec<Problem>,
) -> String {
    let source = &*expanded(article, around, problems);
    let html = match article.body.markup {
        Markup::Text => return text::to_html(source),
        Markup::Html => html::content(source).to_owned(),
        Markup::Markdown => match markdown::to_html(source) {
            Ok(html) => html,
            Err(cause) => {
                let what = format!("the Markdown parser gives up on this text ({cause})");
                let problem = Problem::error(&article.path, what).at(article.body.line);
                problems.push(
                    problem.remedy("it is shown as plain text; try to write it in a simpler way"),
                );
                return text::to_html(source);
            }
        },
    };
    match &article.title {
        Some(title)
            if matches!(
                title.from,
                TitleFrom::Head | TitleFrom::Heading | TitleFrom::Page
            ) =>
        {
            html::without_heading(&html, &title.text)
        }
        _ => html,
    }
}

/// The body without templates.
fn expanded<'a>(
    article: &'a Article,
    around: &template::Around<'_>,
    problems: &mut Vec<Problem>,
) -> Cow<'a, str> {
    let source = article.body.shown();
    if !template::is_in(&source) {
        return source;
    }
    let (text, dropped) = template::expand(&source, article.body.markup, around);
    let mut told: Vec<(&str, usize)> = Vec::new();
    for one in &dropped {
        match told.iter_mut().find(|(what, _)| *what == one.what) {
            Some((_, times)) => *times += 1,
            None => told.push((&one.what, 1)),
        }
    }
    // each kind once, where it stands first
    for (what, times) in told {
        let Some(first) = dropped.iter().find(|one| one.what == what) else {
            continue;
        };
        let newlines = source[..first.at].bytes().filter(|b| *b == b'\n').count();
        let line = article.body.line + u32::try_from(newlines).unwrap_or_default();
        let times = if times > 1 {
            format!(", {times} times")
        } else {
            String::new()
        };
        let problem = match first.why {
            Why::Unknown => Problem::warning(
                &article.path,
                format!("`{what}` is a template of another program and is left out{times}"),
            )
            .remedy("write what it shows as Markdown or HTML, if readers need it"),
            Why::Astray => Problem::warning(
                &article.path,
                format!("`{what}` names no article that is public{times}"),
            )
            .remedy("correct the name; until then the link leads to the article itself"),
        };
        problems.push(problem.at(line));
    }
    text.into()
}

/// The article's authors, else the site's.
fn authors(article: &Article, site: &Site) -> Vec<crate::article::Person> {
    if article.authors.is_empty() {
        site.author.iter().cloned().collect()
    } else {
        article.authors.clone()
    }
}

/// Tags and categories, each once.
fn tags(article: &Article) -> Vec<String> {
    let mut seen = BTreeSet::new();
    article
        .tags
        .iter()
        .chain(&article.categories)
        .filter(|tag| seen.insert(*tag))
        .cloned()
        .collect()
}

/// Plain text: the declared summary, else the first paragraph.
fn summary(article: &Article, around: &template::Around<'_>, html: &str) -> String {
    let declared = article.summary.as_deref().map(|summary| {
        if template::is_in(summary) {
            template::expand(summary, article.body.markup, around).0
        } else {
            summary.to_owned()
        }
    });
    let declared = declared
        .as_deref()
        .map(|summary| match article.body.markup {
            Markup::Markdown => {
                html::text(&markdown::to_html(summary).unwrap_or_else(|_| text::to_html(summary)))
            }
            Markup::Html => html::text(summary),
            Markup::Text => html::text(&text::to_html(summary)),
        });
    let summary = declared
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| html::first_paragraph(html));
    // of an entry that has a title alone the title is all there is to say
    let title = article
        .title
        .as_ref()
        .filter(|_| summary.is_empty() && html.is_empty());
    cut(title.map_or(&summary, |title| &title.text), SUMMARY)
}

/// Atom demands a title of a note too: the first words of its text.
fn stand_in(text: &str, article: &Article) -> String {
    let words = cut(text, STAND_IN);
    if words.is_empty() {
        crate::article::location::stem(&article.path).into_owned()
    } else {
        words
    }
}

/// What the files say of themselves that articles have as pictures or play, by their paths.
pub type MediaFiles = BTreeMap<String, Media>;

/// The files that an article has as its picture or plays, as far as they lie in the folder.
#[must_use]
pub fn media_files(article: &Article, catalogue: &Catalogue, site: &Site) -> Vec<String> {
    let references = article
        .image
        .iter()
        .chain(article.enclosures.iter().map(|enclosure| &enclosure.href));
    let resolver = Resolver::new(site, catalogue, &article.path, &site.base);
    references
        .filter_map(|reference| resolver.asset(reference))
        .collect()
}

/// Returns whether a file of the folder is missing that an article has as its picture or plays.
#[must_use]
pub fn lacks_media(article: &Article, catalogue: &Catalogue, site: &Site) -> bool {
    let resolver = Resolver::new(site, catalogue, &article.path, &site.base);
    let played = article.enclosures.iter().map(|enclosure| &enclosure.href);
    let mut references = article.image.iter().chain(played);
    references.any(|reference| resolver.lacks(reference))
}

fn image(article: &Article, resolver: &Resolver<'_>, media: &MediaFiles) -> Option<Image> {
    let reference = article.image.as_deref()?;
    let url = resolver
        .resolve(reference)
        .filter(|_| !resolver.lacks(reference))
        .and_then(|url| link::canonical(&url))?;
    let file = resolver.asset(reference).and_then(|path| media.get(&path));
    let own = file.and_then(|file| file.mime.clone());
    let mime = own
        .or_else(|| mime(&url))
        .filter(|mime| mime.starts_with("image/"));
    Some(Image {
        url,
        mime,
        size: file.and_then(|file| file.width.zip(file.height)),
    })
}

fn attachments(
    article: &Article,
    resolver: &Resolver<'_>,
    media: &MediaFiles,
    problems: &mut Vec<Problem>,
) -> Vec<Attachment> {
    let mut found = Vec::new();
    for enclosure in &article.enclosures {
        let Some(url) = resolver
            .resolve(&enclosure.href)
            .filter(|_| !resolver.lacks(&enclosure.href))
            .and_then(|url| link::canonical(&url))
        else {
            continue;
        };
        let path = resolver.asset(&enclosure.href);
        let on_disk = path.as_ref().and_then(|path| resolver.size(path));
        let file = path.as_ref().and_then(|path| media.get(path));
        let length = on_disk.or(enclosure.length).unwrap_or_else(|| {
            let what = format!(
                "the length of the enclosure `{}` is unknown",
                enclosure.href
            );
            let remedy = "put the file into the articles folder, or declare `length` in bytes";
            problems.push(Problem::warning(&article.path, what).remedy(remedy));
            0
        });
        let own = file.and_then(|file| file.mime.clone());
        let declared = enclosure.mime.clone().filter(|mime| is_mime(mime));
        let mime = declared.or(own).or_else(|| mime(&url));
        found.push(Attachment {
            url,
            length,
            seconds: file.and_then(|file| file.seconds),
            mime: mime.unwrap_or_else(|| "application/octet-stream".to_owned()),
        });
    }
    found
}

/// What the author is told of a file that is not there, with the line that names it.
fn missing(article: &Article, name: &str) -> Problem {
    let line = article
        .body
        .file
        .lines()
        .position(|line| line.contains(name));
    let line = line.and_then(|line| u32::try_from(line + 1).ok());
    Problem::warning(&article.path, format!("`{name}` is not in the folder"))
        .at(line)
        .remedy("add the file, or correct its name; readers miss it until then")
}

/// Whether a text is a media type (RFC 6838 §4.2), without parameters.
fn is_mime(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
    let name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(fits)
            && name.len() < 128
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

/// The MIME type that a URL's extension tells.
fn mime(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    mime_guess::from_path(path)
        .first()
        .map(|mime| mime.essence_str().to_owned())
}
