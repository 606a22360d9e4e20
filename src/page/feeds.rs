//! The pages that show feeds to people: the index of the site, and the preview of a feed. They are made of the
//! published documents alone, so they show what a subscriber gets.

use chrono::{DateTime, Utc};
use maud::{Markup, PreEscaped, html};

use super::{Frame, direction, here, local, media_type, name};
use crate::article::words;
use crate::check::read::{Published, PublishedEntry};
use crate::feed::{By, Channel};
use crate::render::opml;
use crate::served::PREVIEW;
use crate::site::{Site, encode_path};

/// A feed with what was published of it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The folder of its documents; empty or ending in `/`.
    pub folder: String,
    /// What it says of itself.
    pub channel: Channel,
    /// Its entries.
    pub published: Published,
}

/// The first page: what this is, the feeds, the newest articles.
#[must_use]
pub fn index(site: &Site, feeds: &[(&str, &Channel)], newest: &Published) -> String {
    let (topics, feeds): (Vec<_>, Vec<_>) = feeds
        .iter()
        .partition(|(folder, _)| By::of(folder).is_some());
    let feeds: Vec<(&str, &Channel)> = feeds;
    let channels: Vec<Channel> = feeds
        .iter()
        .map(|(_, channel)| (*channel).clone())
        .collect();
    let frame = Frame {
        site,
        root: "",
        feeds: &channels,
        language: "en",
        title: site.title.clone(),
        description: &site.description,
        canonical: Some(site.base.as_str()),
    };
    let newest = &newest.entries;
    let body = html! {
        main {
            div.title lang=(site.language) dir=(direction(&site.language)) {
                h1 { (site.title) }
                @if site.description != site.title { p.description { (site.description) } }
            }
            section aria-labelledby="subscribe" {
                h2 id="subscribe" { "Subscribe" }
                p {
                    "New articles come to you by themselves: copy an address into your "
                    a href="https://aboutfeeds.com/" { "feed reader" } ". One is enough; all three carry the same."
                }
                @for (folder, channel) in &feeds {
                    @if feeds.len() > 1 { h3 lang=(channel.language) { (channel.title) } }
                    (addresses(channel))
                    p.more { a href={ (folder) (PREVIEW) } { "See what this feed holds" } }
                }
                (topic_lists(&topics, site))
                @if feeds.len() + topics.len() > 1 {
                    p.more { a href=(opml::ROUTE) type="text/x-opml" { "All feeds as a list for your reader (OPML)" } }
                }
            }
            section aria-labelledby="newest" {
                h2 id="newest" { "Newest articles" }
                @if newest.is_empty() { p { "There are none yet." } }
                ul.entries { @for entry in newest { li { (heading(entry, site, "")) } } }
            }
        }
        footer { (colophon(site, "")) }
    };
    frame.around(&body).into_string()
}

/// What a feed shows, for a person who opened its address in a browser.
#[must_use]
pub fn preview(site: &Site, feed: &Shown) -> String {
    let depth = feed.folder.matches('/').count() + 1;
    let root = "../".repeat(depth);
    let channels = std::slice::from_ref(&feed.channel);
    let frame = Frame {
        site,
        root: &root,
        feeds: channels,
        language: "en",
        title: format!("{} – feed", feed.channel.title),
        description: &feed.channel.description,
        canonical: None,
    };
    let mut entries = feed.published.entries.iter();
    // there may be many of these, and they are kept in memory
    let is_topic = By::of(&feed.folder).is_some();
    let body = html! {
        header { a href=(here(&root)) lang=(site.language) dir=(direction(&site.language)) { (site.title) } }
        main {
            div.title lang=(feed.channel.language) dir=(direction(&feed.channel.language)) { h1 { (feed.channel.title) } }
            div.notice {
                p {
                    strong { "This is a feed. " }
                    "Programs read it for you and tell you what is new: copy an address into your "
                    a href="https://aboutfeeds.com/" { "feed reader" } "."
                }
                (addresses(&feed.channel))
            }
            @if is_topic { } @else if let Some(newest) = entries.next() { (whole(newest, site, &root)) }
            @if feed.published.entries.is_empty() { p { "It is empty for now." } }
            @for entry in entries { (brief(entry, site, &root)) }
        }
        footer { (colophon(site, &root)) }
    };
    frame.around(&body).into_string()
}

/// The addresses of a feed, each to be copied as it stands, or handed to the reader of this machine.
fn addresses(channel: &Channel) -> Markup {
    html! {
        dl.addresses {
            @for (kind, url) in &channel.documents {
                div {
                    dt { (name(*kind)) }
                    dd {
                        code { (url) } " "
                        a href=(handed_over(url)) type=(media_type(*kind)) aria-label={ "Open the " (name(*kind)) " feed in a feed reader" } { "Open in reader" }
                    }
                }
            }
        }
    }
}

/// The feeds of single terms, by what kind of term it is; each leads to its preview, where its addresses are.
fn topic_lists(topics: &[(&str, &Channel)], site: &Site) -> Markup {
    let start = format!("{}: ", site.title);
    let of = |by: By| {
        topics
            .iter()
            .filter(move |(folder, _)| By::of(folder) == Some(by))
    };
    html! {
        @for by in By::ALL {
            @if of(by).next().is_some() {
                h3 { "By " (by.name()) }
                ul.topics {
                    @for (folder, channel) in of(by) {
                        li { a href={ (encode_path(folder)) (PREVIEW) } lang=(channel.language) dir="auto" {
                            (channel.title.strip_prefix(&start).unwrap_or(&channel.title))
                        } }
                    }
                }
            }
        }
    }
}

fn heading(entry: &PublishedEntry, site: &Site, root: &str) -> Markup {
    let link = entry.link.as_deref().or(entry.external_url.as_deref());
    let title = entry.title.clone().unwrap_or_else(|| opening(entry, 90));
    html! {
        @if let Some(date) = entry.published.or(entry.updated) { (day(date, site)) " " }
        @match link {
            Some(link) => { a href=(local::reference(link, site, root)) lang=(language(entry, site)) dir="auto" { (title) } }
            None => { span lang=(language(entry, site)) dir="auto" { (title) } }
        }
    }
}

/// An entry as a reader shows it.
fn whole(entry: &PublishedEntry, site: &Site, root: &str) -> Markup {
    let Some(content) = entry.content_html.as_deref() else {
        return brief(entry, site, root);
    };
    html! {
        article.entry lang=(language(entry, site)) dir=(direction(language(entry, site))) {
            @if entry.title.is_some() { h2 { (title(entry, site, root)) } }
            (byline(entry, site, root))
            div.content { (PreEscaped(local::content(content, site, root))) }
        }
    }
}

fn brief(entry: &PublishedEntry, site: &Site, root: &str) -> Markup {
    html! {
        article.entry lang=(language(entry, site)) dir=(direction(language(entry, site))) {
            @if entry.title.is_some() { h2 { (title(entry, site, root)) } }
            (byline(entry, site, root))
            p { (opening(entry, 280)) }
        }
    }
}

fn title(entry: &PublishedEntry, site: &Site, root: &str) -> Markup {
    let title = entry.title.as_deref().unwrap_or_default();
    html! {
        @match &entry.link {
            Some(link) => { a href=(local::reference(link, site, root)) { (title) } }
            None => { (title) }
        }
    }
}

/// Date and authors; of a note, which has no title, they are its heading.
fn byline(entry: &PublishedEntry, site: &Site, root: &str) -> Markup {
    let authors = html! { @for (name, _, _) in &entry.authors { " · " (name) } };
    let date = entry.published.or(entry.updated);
    let date = html! { @if let Some(date) = date { (day(date, site)) } };
    html! {
        @match (&entry.title, &entry.link) {
            (Some(_), _) => { p.byline { (date) (authors) } }
            (None, Some(link)) => { h2.byline { a href=(local::reference(link, site, root)) { (date) } (authors) } }
            (None, None) => { h2.byline { (date) (authors) } }
        }
    }
}

/// The address that makes a browser start the feed reader of the machine.
fn handed_over(url: &str) -> String {
    let after_scheme = url.split_once(':').map_or(url, |(_, rest)| rest);
    format!("feed:{after_scheme}")
}

/// The beginning of an entry's text, in at most so many characters.
fn opening(entry: &PublishedEntry, limit: usize) -> String {
    let text = entry
        .summary
        .clone()
        .or_else(|| entry.content_html.as_deref().map(crate::html::text));
    words::cut(&text.unwrap_or_default(), limit)
}

fn day(date: DateTime<Utc>, site: &Site) -> Markup {
    let local = date.with_timezone(&site.zone);
    html! { time datetime=(local.format("%Y-%m-%dT%H:%M:%S%:z")) { (local.format("%Y-%m-%d")) } }
}

fn language<'e>(entry: &'e PublishedEntry, site: &'e Site) -> &'e str {
    entry.language.as_deref().unwrap_or(&site.language)
}

fn colophon(site: &Site, root: &str) -> Markup {
    html! {
        @if let Some(copyright) = &site.copyright { p lang=(site.language) { (copyright) } }
        p { a href={ (root) (opml::ROUTE) } type="text/x-opml" { "List of feeds (OPML)" } }
    }
}
