//! Where an article is on the web, and where the references in it lead.

use std::cell::RefCell;
use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;

pub use crate::article::address::canonical;
use crate::article::{Article, location};
use crate::catalogue::{Catalogue, Entry, row};
use crate::site::{Pattern, Site, encode_path};

/// The folder of pages and assets, below the base URL.
pub const PAGES: &str = "articles/";

/// The absolute URL of an article: its own, else by the permalink pattern, else its built-in page.
#[must_use]
pub fn of(entry: &Entry, site: &Site) -> String {
    let article = &entry.article;
    if let Some(pattern) = declared_pattern(article) {
        return pattern.apply(article, site, site.day(entry.published));
    }
    if let Some(url) = declared(article, site) {
        return url;
    }
    if let Some(pattern) = &site.permalink {
        return pattern.apply(article, site, site.day(entry.published));
    }
    let page = entry
        .page
        .clone()
        .unwrap_or_else(|| crate::site::slug::slug_path(&location::stem(&article.path)));
    format!("{}{PAGES}{}/", site.base, encode_path(&page))
}

/// A pattern that one article declares for itself, as Jekyll and Hugo allow.
fn declared_pattern(article: &Article) -> Option<Pattern> {
    let url = article.url.as_deref()?;
    let pattern = match url {
        "date" => "/:categories/:year/:month/:day/:title.html",
        "pretty" => "/:categories/:year/:month/:day/:title/",
        "none" => "/:categories/:title.html",
        url if url.contains("/:") && !url.contains("://") => url,
        _ => return None,
    };
    Pattern::parse(pattern).ok()
}

/// The URL that the front matter gives: `url` and its kin, else a `link` or a canonical URL on our own host.
#[must_use]
pub fn declared(article: &Article, site: &Site) -> Option<String> {
    let same_site =
        |url: &&str| Url::parse(url).is_ok_and(|url| url.host_str() == site.base.host_str());
    let link = article
        .link
        .as_deref()
        .filter(|link| same_site(link) || Url::parse(link).is_err());
    let canonical = article.canonical.as_deref().filter(same_site);
    article
        .url
        .as_deref()
        .or(link)
        .or(canonical)
        .and_then(|url| own(url, site))
}

/// A declared URL of the site's own: an absolute one stays, any other is below the base URL, with or without a
/// slash in front. A root-relative one that already begins with the base URL's path is not put there twice.
fn own(url: &str, site: &Site) -> Option<String> {
    if let Ok(absolute) = Url::parse(url) {
        return canonical(absolute.as_str());
    }
    if url.starts_with("//") {
        return site
            .base
            .join(url)
            .ok()
            .and_then(|url| canonical(url.as_str()));
    }
    let base = site.base.path();
    let below = url
        .strip_prefix(base)
        .unwrap_or(url)
        .trim_start_matches('/');
    site.base
        .join(&format!("./{below}"))
        .ok()
        .and_then(|url| canonical(url.as_str()))
}

/// The link of a link post: the absolute URL on another host that it is about.
#[must_use]
pub fn external(entry: &Entry, site: &Site) -> Option<String> {
    let elsewhere =
        |link: &&str| Url::parse(link).is_ok_and(|url| url.host_str() != site.base.host_str());
    let article = &entry.article;
    article
        .external_url
        .as_deref()
        .or(article.link.as_deref().filter(elsewhere))
        .and_then(canonical)
}

/// The route below the base URL of an address that an article had: a path, or a URL on the site's own host. Not
/// percent-encoded.
#[must_use]
pub fn route_of(address: &str, site: &Site) -> Option<String> {
    let url = Url::parse(&own(address.trim(), site)?).ok()?;
    let is_own = url.origin() == site.base.origin() && url.query().is_none();
    let below = url
        .path()
        .strip_prefix(site.base.path())
        .filter(|_| is_own)?;
    Some(percent_decode_str(below).decode_utf8().ok()?.into_owned())
}

/// A reference to a file without the word in front by which Pelican knows it.
fn without_prefix(reference: &str) -> &str {
    const MARKS: [&str; 8] = [
        "{static}",
        "{attach}",
        "{filename}",
        "|static|",
        "%7Bstatic%7D",
        "%7Battach%7D",
        "%7Bfilename%7D",
        "%7Cstatic%7C",
    ];
    MARKS
        .iter()
        .find_map(|mark| reference.strip_prefix(mark))
        .unwrap_or(reference)
}

/// What was asked of other files. A rendering stays what it is as long as the answers do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Asked {
    /// Where the article at this path is.
    Article(String),
    /// Whether there is a file at this path that articles may show.
    Asset(String),
    /// Which article has this name, seen from this path.
    Name(String, String),
}

impl Asked {
    /// The hash of the answer.
    #[must_use]
    pub fn answer(&self, catalogue: &Catalogue, site: &Site) -> u64 {
        let answer = match self {
            // a row has that hash of its link
            Self::Article(path) => {
                let row = catalogue.at(path).filter(|row| row.is_public());
                return row.map_or(0, |row| row.link);
            }
            Self::Asset(path) => catalogue.asset(path).map(|stamp| format!("{stamp:?}")),
            Self::Name(name, from) => catalogue.find(name, from, site),
        };
        answer.map_or(0, |answer| row::hash(&answer))
    }
}

/// Finds where the references of one article lead, and notes which assets they name.
#[derive(Debug)]
pub struct Resolver<'a> {
    site: &'a Site,
    catalogue: &'a Catalogue,
    path: &'a str,
    base: &'a Url,
    used: RefCell<BTreeSet<String>>,
    missing: RefCell<BTreeSet<String>>,
    asked: RefCell<BTreeSet<Asked>>,
}

impl<'a> Resolver<'a> {
    /// For the article at `path`, whose URL is `base`.
    #[must_use]
    pub fn new(site: &'a Site, catalogue: &'a Catalogue, path: &'a str, base: &'a Url) -> Self {
        Self {
            site,
            catalogue,
            path,
            base,
            used: RefCell::default(),
            missing: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    fn ask(&self, asked: Asked) {
        self.asked.borrow_mut().insert(asked);
    }

    /// The absolute URL of the article that has this name (see [`Catalogue::find`]).
    #[must_use]
    pub fn find(&self, name: &str) -> Option<String> {
        self.ask(Asked::Name(name.to_owned(), self.path.to_owned()));
        self.catalogue.find(name, self.path, self.site)
    }

    fn link_of(&self, path: &str) -> Option<String> {
        self.ask(Asked::Article(path.to_owned()));
        self.catalogue.link_of(path, self.site)
    }

    /// The size of the file at `path`, if it is one that articles may show.
    #[must_use]
    pub fn size(&self, path: &str) -> Option<u64> {
        self.ask(Asked::Asset(path.to_owned()));
        self.catalogue.asset(path).map(|stamp| stamp.size)
    }

    /// The absolute URL of a reference as written; `None` if it is no URL at all.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<String> {
        if let Some(url) = self.internal(reference) {
            return Some(url);
        }
        let reference = without_prefix(reference);
        let file = (!reference.starts_with("//"))
            .then(|| self.file(reference))
            .flatten();
        if let Some((path, rest)) = file {
            if let Some(link) = self.link_of(&path) {
                return Some(format!("{link}{rest}"));
            }
            if self.site.permalink.is_none() && self.size(&path).is_some() {
                self.used.borrow_mut().insert(path.clone());
                return Some(format!(
                    "{}{PAGES}{}{rest}",
                    self.site.base,
                    encode_path(&path)
                ));
            }
        }
        if self.lacks(reference) {
            self.missing.borrow_mut().insert(reference.to_owned());
        }
        self.base.join(reference).ok().map(String::from)
    }

    /// Whether a reference names a picture, a sound or a film beside the article that is not there. Where pages are
    /// somebody else's, and from the root on, files may lie elsewhere.
    #[must_use]
    pub fn lacks(&self, reference: &str) -> bool {
        let reference = without_prefix(reference);
        let name = reference.split(['?', '#']).next().unwrap_or_default();
        let kind = mime_guess::from_path(name).first();
        let is_media =
            kind.is_some_and(|kind| ["image", "audio", "video"].contains(&kind.type_().as_str()));
        is_media
            && self.site.permalink.is_none()
            && !reference.starts_with('/')
            && self
                .file(reference)
                .is_some_and(|(path, _)| self.size(&path).is_none())
    }

    /// References that [`resolve`](Self::resolve) met and that lead to no file.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }

    /// Zola's `@/blog/other.md`, Pelican's `{filename}other.md`: an article by its file.
    fn internal(&self, reference: &str) -> Option<String> {
        let end = reference.find(['?', '#']).unwrap_or(reference.len());
        let (name, rest) = reference.split_at(end);
        let name = percent_decode_str(name).decode_utf8().ok()?;
        let name = if name.starts_with("@/") {
            &name
        } else {
            ["{filename}", "|filename|"]
                .iter()
                .find_map(|mark| name.strip_prefix(mark))?
        };
        let link = self.find(name)?;
        Some(format!("{link}{rest}"))
    }

    /// The asset that a reference names, whatever its URL will be.
    #[must_use]
    pub fn asset(&self, reference: &str) -> Option<String> {
        self.file(without_prefix(reference))
            .map(|(path, _)| path)
            .filter(|path| self.size(path).is_some())
    }

    /// The assets that [`resolve`](Self::resolve) met, and all that was asked of other files.
    #[must_use]
    pub fn account(self) -> (BTreeSet<String>, BTreeSet<Asked>) {
        (self.used.into_inner(), self.asked.into_inner())
    }

    /// The file that a reference names, inside the articles folder, and what stands behind the path.
    fn file<'r>(&self, reference: &'r str) -> Option<(String, &'r str)> {
        let end = reference.find(['?', '#']).unwrap_or(reference.len());
        let (path, rest) = reference.split_at(end);
        if path.is_empty() || Url::parse(reference).is_ok() {
            return None;
        }
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let (folder, relative) = match path.strip_prefix('/') {
            Some(from_root) => ("", from_root),
            None => (location::folder(self.path), path.as_ref()),
        };
        let mut segments: Vec<&str> = folder
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        for segment in relative.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop()?;
                }
                name => segments.push(name),
            }
        }
        Some((segments.join("/"), rest))
    }
}
