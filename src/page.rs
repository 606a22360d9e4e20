//! The pages that a person reads: static HTML, no scripts. What leads to the site itself is relative, so that a page
//! works wherever it is looked at: behind a proxy, on a static host, on a developer's machine.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::article::GENERATOR;
use crate::edition::{Body, Document, Kind};
use crate::feed::{Attachment, Channel, Item};
use crate::link::PAGES;
use crate::site::Site;

mod feeds;
mod local;

pub use feeds::{Shown, index, preview};

/// The route of the style sheet of all pages.
pub const STYLE: &str = "tidings.css";

/// The route of the page of one article.
#[must_use]
pub fn route(page: &str) -> String {
    format!("{PAGES}{page}/index.html")
}

/// The version of all that pages are made of beside the articles.
#[must_use]
pub fn made_of(site: &Site, feeds: &[Channel]) -> u64 {
    crate::catalogue::row::hash(&format!("{site:?}{feeds:?}"))
}

/// The page of one article, at `articles/PAGE/index.html`.
#[must_use]
pub fn article(page: &str, item: &Item, site: &Site, feeds: &[Channel]) -> Document {
    let route = route(page);
    let root = "../".repeat(route.matches('/').count());
    let language = item.language.as_deref().unwrap_or(&site.language);
    let title = item.title.as_deref().unwrap_or(&item.stand_in_title);
    let frame = Frame {
        site,
        root: &root,
        feeds,
        language,
        title: format!("{title} – {}", site.title),
        description: &item.summary,
        canonical: Some(&item.link),
    };
    let markup = frame.around(&html! {
        header lang=(site.language) dir=(direction(&site.language)) { a href=(here(&root)) { (site.title) } }
        main { (text(item, site, &root)) }
        footer lang=(site.language) dir=(direction(&site.language)) { (subscribe(feeds)) }
    });
    let mut text = markup.into_string();
    // it grew by doubling, and is kept
    text.shrink_to_fit();
    Document {
        route,
        kind: Kind::Page,
        body: Body::Memory(text.into()),
    }
}

/// Whether a document is a page that was made here, whatever it shows.
#[must_use]
pub fn is_ours(html: &[u8]) -> bool {
    let mark = format!("<meta name=\"generator\" content=\"{GENERATOR}\">");
    memchr::memmem::find(html, mark.as_bytes()).is_some()
}

/// The style sheet of all pages.
#[must_use]
pub fn style() -> Document {
    let css = include_str!("page/style.css");
    Document {
        route: STYLE.to_owned(),
        kind: Kind::Style,
        body: Body::Memory(css.into()),
    }
}

/// What is the same on all pages.
struct Frame<'a> {
    site: &'a Site,
    /// The relative reference to the top, empty or ending in `/`.
    root: &'a str,
    feeds: &'a [Channel],
    language: &'a str,
    title: String,
    description: &'a str,
    canonical: Option<&'a str>,
}

impl Frame<'_> {
    fn around(&self, body: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(self.language) dir=(direction(self.language)) {
                head {
                    meta charset="utf-8";
                    meta name="generator" content=(GENERATOR);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    @if !self.description.is_empty() { meta name="description" content=(self.description); }
                    @if let Some(canonical) = self.canonical { link rel="canonical" href=(canonical); }
                    link rel="stylesheet" href={ (self.root) (STYLE) };
                    @if let Some(icon) = &self.site.icon {
                        link rel="icon" href=(local::reference(icon, self.site, self.root));
                    } @else {
                        link rel="icon" href="data:,";
                    }
                    @for feed in self.feeds {
                        @for (kind, url) in &feed.documents {
                            link rel="alternate" type=(media_type(*kind)) title=(feed.title) href=(url);
                        }
                    }
                }
                body { (body) }
            }
        }
    }
}

/// A reference to the top that is never empty.
fn here(root: &str) -> &str {
    if root.is_empty() { "./" } else { root }
}

fn text(item: &Item, site: &Site, root: &str) -> Markup {
    let local = item.published.with_timezone(&site.zone);
    let byline = html! {
        time datetime=(local.format("%Y-%m-%dT%H:%M:%S%:z")) { (local.format("%Y-%m-%d")) }
        @for author in &item.authors {
            " · "
            @if let Some(url) = &author.url { a rel="author" href=(url) { (author.name) } } @else { (author.name) }
        }
    };
    html! {
        article {
            @if let Some(title) = &item.title {
                h1 { (title) }
                p.byline { (byline) }
            } @else {
                h1.byline { (byline) }
            }
            @if let Some(external) = &item.external { p.about { a href=(external) { (external) } } }
            (PreEscaped(local::content(&item.html, site, root)))
            @for attachment in &item.attachments { (player(attachment, site, root)) }
            @if !item.tags.is_empty() {
                p.tags { @for tag in &item.tags { span { (tag) } " " } }
            }
        }
    }
}

fn player(attachment: &Attachment, site: &Site, root: &str) -> Markup {
    let name = attachment.url.rsplit('/').next().unwrap_or_default();
    let url = local::reference(&attachment.url, site, root);
    html! {
        p.attachment {
            @if attachment.mime.starts_with("audio/") {
                audio controls preload="none" src=(url) {}
            } @else if attachment.mime.starts_with("video/") {
                video controls preload="none" src=(url) {}
            }
            a href=(url) { (name) }
        }
    }
}

fn subscribe(feeds: &[Channel]) -> Markup {
    html! {
        @for feed in feeds {
            p { @for (kind, url) in &feed.documents { a href=(url) type=(media_type(*kind)) { (name(*kind)) } " " } }
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Rss => "RSS",
        Kind::Atom => "Atom",
        _ => "JSON Feed",
    }
}

fn media_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Rss => "application/rss+xml",
        Kind::Atom => "application/atom+xml",
        _ => "application/feed+json",
    }
}

/// The direction in which a language is written.
fn direction(language: &str) -> &'static str {
    let primary = language.split('-').next().unwrap_or_default();
    let rtl = [
        "ar", "arc", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi",
    ]
    .contains(&primary);
    let script = language.split('-').nth(1).filter(|part| part.len() == 4);
    let rtl = script.map_or(rtl, |script| {
        ["Arab", "Hebr", "Thaa", "Syrc"].contains(&script)
    });
    if rtl { "rtl" } else { "ltr" }
}
