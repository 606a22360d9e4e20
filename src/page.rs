//! The page that a person reads: one article, static HTML, no scripts.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::edition::{Body, Document, Kind};
use crate::feed::{Attachment, Channel, Item};
use crate::link::PAGES;
use crate::site::Site;

/// The route of the style sheet of all pages.
pub const STYLE: &str = "tidings.css";

/// The page of one article, at `articles/PAGE/index.html`.
#[must_use]
pub fn article(page: &str, item: &Item, site: &Site, feeds: &[Channel]) -> Document {
    let language = item.language.as_deref().unwrap_or(&site.language);
    let title = item.title.as_deref().unwrap_or(&item.stand_in_title);
    let markup = html! {
        (DOCTYPE)
        html lang=(language) dir=(direction(language)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – " (site.title) }
                @if !item.summary.is_empty() { meta name="description" content=(item.summary); }
                link rel="canonical" href=(item.link);
                link rel="stylesheet" href=(site.url(STYLE));
                @if let Some(icon) = &site.icon { link rel="icon" href=(icon); }
                (autodiscovery(feeds))
            }
            body {
                header lang=(site.language) dir=(direction(&site.language)) { a href=(site.base) { (site.title) } }
                main { (text(item, site)) }
                footer lang=(site.language) dir=(direction(&site.language)) { (subscribe(feeds)) }
            }
        }
    };
    let route = format!("{PAGES}{page}/index.html");
    Document {
        route,
        kind: Kind::Page,
        body: Body::Memory(markup.into_string().into_bytes()),
    }
}

/// The style sheet of all pages.
#[must_use]
pub fn style() -> Document {
    let css = include_str!("page/style.css");
    Document {
        route: STYLE.to_owned(),
        kind: Kind::Style,
        body: Body::Memory(css.as_bytes().to_vec()),
    }
}

fn text(item: &Item, site: &Site) -> Markup {
    let local = item.published.with_timezone(&site.zone);
    html! {
        article {
            @if let Some(title) = &item.title { h1 { (title) } }
            p.byline {
                time datetime=(local.format("%Y-%m-%dT%H:%M:%S%:z")) { (local.format("%Y-%m-%d")) }
                @for author in &item.authors {
                    " · "
                    @if let Some(url) = &author.url { a rel="author" href=(url) { (author.name) } } @else { (author.name) }
                }
            }
            @if let Some(external) = &item.external { p.about { a href=(external) { (external) } } }
            (PreEscaped(&item.html))
            @for attachment in &item.attachments { (player(attachment)) }
            @if !item.tags.is_empty() {
                p.tags { @for tag in &item.tags { span { (tag) } " " } }
            }
        }
    }
}

fn player(attachment: &Attachment) -> Markup {
    let name = attachment.url.rsplit('/').next().unwrap_or_default();
    html! {
        p.attachment {
            @if attachment.mime.starts_with("audio/") {
                audio controls preload="none" src=(attachment.url) {}
            } @else if attachment.mime.starts_with("video/") {
                video controls preload="none" src=(attachment.url) {}
            }
            a href=(attachment.url) { (name) }
        }
    }
}

fn autodiscovery(feeds: &[Channel]) -> Markup {
    html! {
        @for feed in feeds {
            @for (kind, url) in &feed.documents {
                link rel="alternate" type=(media_type(*kind)) title=(feed.title) href=(url);
            }
        }
    }
}

fn subscribe(feeds: &[Channel]) -> Markup {
    let name = |kind| match kind {
        Kind::Rss => "RSS",
        Kind::Atom => "Atom",
        _ => "JSON Feed",
    };
    html! {
        @for feed in feeds {
            p { @for (kind, url) in &feed.documents { a href=(url) type=(media_type(*kind)) { (name(*kind)) } " " } }
        }
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
