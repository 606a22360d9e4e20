//! One document as HTTP offers it: its validators, its headers and its bytes, made once per version.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{Exhibit, Exhibited, Leaf, Terms, preview_of};
use crate::edition::encode::{Coding, Encoded};
use crate::edition::{self, Kind, Published};
use crate::page;
use crate::site::Site;

/// A document.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its route, as metrics and logs name it.
    pub route: String,
    /// What it is.
    pub kind: Kind,
    /// The opaque part of its entity tag.
    pub tag: String,
    /// The first whole second after these bytes became current.
    pub last_modified: SystemTime,
    /// Every header of a 304: all but those of the content. `Last-Modified` is as it will be once it is due.
    pub headers: HeaderMap,
    /// The page that a browser is sent to instead.
    pub preview: Option<String>,
    /// Whether it is made of the feeds and belongs to the server alone.
    pub is_leaf: bool,
    /// Its bytes.
    pub content: Content,
    /// Of which terms its headers were made.
    terms: u64,
}

/// The bytes of a document.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory: as it is, then its encodings.
    Memory(Vec<Variant>),
    /// On the shelf of published documents.
    Shelf(Blob),
}

/// The bytes of a document in one encoding.
#[derive(Debug, Clone)]
pub struct Variant {
    /// `None`: as it is.
    pub coding: Option<Coding>,
    /// The whole body.
    pub bytes: Bytes,
    /// Every header of a 200.
    pub headers: HeaderMap,
}

/// A file that the publisher named.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Its name on the shelf.
    pub route: String,
    /// In bytes.
    pub size: u64,
    /// By which it is known to be the same.
    pub mtime: SystemTime,
    /// Every header of a 200.
    pub headers: HeaderMap,
}

/// How long a style sheet or an asset may be kept without asking, in seconds.
const HOUR: u64 = 3600;
/// The same for a page that a person reads.
const MINUTE: u64 = 60;

const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src https: data: 'self'; media-src https: 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// HTML, SVG and XML of the author's could carry scripts.
const ASSET_POLICY: &str = "sandbox; default-src 'none'";

/// RFC-less, but every browser's: <https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header>.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

impl Resource {
    /// The document of an edition; `before` is kept if it is the same version in the same place.
    pub(super) fn of(
        exhibit: &Exhibit<'_>,
        terms: &Terms,
        before: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let Exhibit {
            route,
            published,
            body,
        } = exhibit;
        // most are what they were: then their headers are not even written
        let same = before.filter(|before| before.is_of(route, published, terms));
        let same = same.filter(|before| match (body, &before.content) {
            (Exhibited::Shelf(mtime), Content::Shelf(blob)) => blob.mtime == *mtime,
            (Exhibited::Memory(_, encoded), Content::Memory(_)) => {
                encoded.is_empty() || before.has_encodings()
            }
            _ => false,
        });
        if let Some(same) = same {
            return Arc::clone(same);
        }
        let fresh = Self::bare(route, published, terms);
        let variants = match body {
            Exhibited::Shelf(mtime) => return fresh.on_shelf(published, *mtime),
            Exhibited::Memory(bytes, encoded) => fresh.variants(bytes.clone(), encoded),
        };
        Arc::new(Self {
            content: Content::Memory(variants),
            ..fresh
        })
    }

    /// The style sheet of the server's own pages, where no document is one.
    pub(super) fn style(terms: &Terms, before: Option<&Arc<Self>>) -> Arc<Self> {
        let document = page::style();
        let edition::Body::Memory(bytes) = document.body else {
            return Arc::new(Self::bare(page::STYLE, &nothing(Kind::Style), terms));
        };
        let published = Published {
            hash: edition::hash(&bytes),
            size: bytes.len() as u64,
            ..nothing(Kind::Style)
        };
        let exhibit = Exhibit {
            route: page::STYLE,
            published: &published,
            body: Exhibited::Memory(bytes, &[]),
        };
        Self::of(&exhibit, terms, before)
    }

    /// A page made of the feeds. Its date is the first whole second after it was made.
    pub(super) fn leaf(
        leaf: &Leaf,
        terms: &Terms,
        before: Option<&Arc<Self>>,
        now: SystemTime,
    ) -> Arc<Self> {
        let hash = edition::hash(&leaf.html);
        let same = before.filter(|before| before.tag == edition::tag(&leaf.path, &hash));
        let published = Published {
            hash,
            size: leaf.html.len() as u64,
            last_modified: match (leaf.made, same) {
                (Some(made), _) => made.into(),
                (None, Some(before)) => before.last_modified.into(),
                (None, None) => edition::manifest::last_modified(
                    now.into(),
                    before.map(|before| before.last_modified.into()),
                ),
            },
            ..nothing(Kind::Page)
        };
        if let Some(same) = same.filter(|same| same.is_of(&leaf.path, &published, terms)) {
            return Arc::clone(same);
        }
        let fresh = Self {
            is_leaf: true,
            ..Self::bare(&leaf.path, &published, terms)
        };
        let variants = fresh.variants(leaf.html.clone(), &[]);
        Arc::new(Self {
            content: Content::Memory(variants),
            ..fresh
        })
    }

    /// The same document with these encodings.
    #[must_use]
    pub fn encoded(&self, encoded: &[Encoded]) -> Self {
        match self.identity() {
            Some(bytes) => Self {
                content: Content::Memory(self.variants(bytes.clone(), encoded)),
                ..self.clone()
            },
            None => self.clone(),
        }
    }

    /// Its bytes, if they are in memory.
    #[must_use]
    pub fn identity(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Memory(variants) => variants.first().map(|variant| &variant.bytes),
            Content::Shelf(_) => None,
        }
    }

    /// The headers that go with its bytes, if they are in memory.
    #[must_use]
    pub fn identity_headers(&self) -> Option<&HeaderMap> {
        match &self.content {
            Content::Memory(variants) => variants.first().map(|variant| &variant.headers),
            Content::Shelf(_) => None,
        }
    }

    /// Its encodings, if they are in memory.
    #[must_use]
    pub fn encodings(&self) -> Vec<Encoded> {
        let Content::Memory(variants) = &self.content else {
            return Vec::new();
        };
        let encoded = variants.iter().filter_map(|variant| {
            variant.coding.map(|coding| Encoded {
                coding,
                bytes: variant.bytes.clone(),
            })
        });
        encoded.collect()
    }

    /// Whether it is known in this encoding.
    #[must_use]
    pub fn has(&self, coding: Coding) -> bool {
        match &self.content {
            Content::Memory(variants) => variants.iter().any(|one| one.coding == Some(coding)),
            Content::Shelf(_) => false,
        }
    }

    /// Whether it is known in more than its own bytes.
    #[must_use]
    pub fn has_encodings(&self) -> bool {
        matches!(&self.content, Content::Memory(variants) if variants.len() > 1)
    }

    /// Whether its tag is a strong one: the bytes are always the same ones (RFC 9110 §8.8.1).
    #[must_use]
    pub fn is_strong(&self) -> bool {
        self.kind == Kind::Asset
    }

    /// Whether it is this document in this version: its headers are a function of these.
    fn is_of(&self, route: &str, published: &Published, terms: &Terms) -> bool {
        self.kind == published.kind
            && self.route == route
            && self.terms == terms.version()
            && self.last_modified == SystemTime::from(published.last_modified)
            && self.tag == edition::tag(route, &published.hash)
    }

    /// All but the content.
    fn bare(route: &str, published: &Published, terms: &Terms) -> Self {
        let tag = edition::tag(route, &published.hash);
        let kind = published.kind;
        let last_modified = SystemTime::from(published.last_modified);
        let quoted = if kind == Kind::Asset {
            format!("\"{tag}\"")
        } else {
            format!("W/\"{tag}\"")
        };
        let mut headers = HeaderMap::with_capacity(16);
        let media = media_type(route, kind);
        // what is the same for all costs no counting when it is copied into an answer
        let mut always = |name: HeaderName, text: &'static str| {
            headers.insert(name, HeaderValue::from_static(text));
        };
        always(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        let ranges = if kind == Kind::Asset { "bytes" } else { "none" };
        always(header::ACCEPT_RANGES, ranges);
        if kind.stays_in_memory() || kind == Kind::Page {
            always(header::VARY, "Accept-Encoding");
        }
        if kind.has_siblings() || kind == Kind::Asset {
            always(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
            always(RESOURCE_POLICY, "cross-origin");
            let exposed = "ETag, Last-Modified, Link, Retry-After";
            always(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        if kind == Kind::Page {
            always(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
        }
        if kind == Kind::Asset && is_document(&media) {
            always(header::CONTENT_SECURITY_POLICY, ASSET_POLICY);
        }
        let mut set = |name: HeaderName, text: &str| {
            // tags, dates and URLs are ASCII without control characters
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, &quoted);
        let date = httpdate::fmt_http_date(last_modified.max(SystemTime::UNIX_EPOCH));
        set(header::LAST_MODIFIED, &date);
        set(header::CACHE_CONTROL, &cache_control(kind, terms.fresh));
        if kind.is_feed() {
            set(header::LINK, &links(route, &terms.site));
        }
        Self {
            route: route.to_owned(),
            kind,
            tag,
            last_modified,
            headers,
            preview: preview_of(route, kind),
            is_leaf: false,
            content: Content::Memory(Vec::new()),
            terms: terms.version(),
        }
    }

    fn on_shelf(self, published: &Published, mtime: SystemTime) -> Arc<Self> {
        let blob = Blob {
            route: self.route.clone(),
            size: published.size,
            mtime,
            headers: self.with_content(published.size, None),
        };
        Arc::new(Self {
            content: Content::Shelf(blob),
            ..self
        })
    }

    fn variants(&self, identity: Bytes, encoded: &[Encoded]) -> Vec<Variant> {
        let variant = |coding: Option<Coding>, bytes: Bytes| Variant {
            coding,
            headers: self.with_content(bytes.len() as u64, coding),
            bytes,
        };
        let encoded = encoded
            .iter()
            .map(|encoded| variant(Some(encoded.coding), encoded.bytes.clone()));
        std::iter::once(variant(None, identity))
            .chain(encoded)
            .collect()
    }

    fn with_content(&self, length: u64, coding: Option<Coding>) -> HeaderMap {
        let mut headers = self.headers.clone();
        let media = media_type(&self.route, self.kind);
        if media == UNKNOWN {
            headers.insert(
                header::CONTENT_DISPOSITION,
                HeaderValue::from_static("attachment"),
            );
        }
        if let Ok(value) = HeaderValue::from_str(&media) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        if let Some(coding) = coding {
            let value = HeaderValue::from_static(coding.name());
            headers.insert(header::CONTENT_ENCODING, value);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers
    }
}

/// Where a feed is, and who pushes it: the same as in its body. One field, and no other parameter, since there are readers
/// that miss them otherwise.
fn links(route: &str, site: &Site) -> String {
    let mut links = format!("<{}>; rel=\"self\"", site.url(route));
    for hub in &site.hubs {
        links += &format!(", <{hub}>; rel=\"hub\"");
    }
    links
}

fn nothing(kind: Kind) -> Published {
    Published {
        kind,
        hash: String::new(),
        size: 0,
        // a style sheet changes with the program alone, and its tag says so
        last_modified: (SystemTime::UNIX_EPOCH + Duration::from_secs(1)).into(),
        encodings: Vec::new(),
    }
}

pub(crate) fn cache_control(kind: Kind, fresh: u64) -> String {
    let age = match kind {
        Kind::Page => MINUTE,
        Kind::Style | Kind::Asset => HOUR,
        _ => fresh,
    };
    format!("public, max-age={age}, stale-while-revalidate=600, stale-if-error=604800")
}

const UNKNOWN: &str = "application/octet-stream";

/// The media type of a document, as `Content-Type` has it.
pub(crate) fn media_type(route: &str, kind: Kind) -> String {
    match kind {
        Kind::Rss => "application/rss+xml; charset=utf-8".to_owned(),
        Kind::Atom => "application/atom+xml; charset=utf-8".to_owned(),
        Kind::Json => "application/feed+json; charset=utf-8".to_owned(),
        Kind::Opml => "text/x-opml; charset=utf-8".to_owned(),
        Kind::Page => "text/html; charset=utf-8".to_owned(),
        Kind::Style => "text/css; charset=utf-8".to_owned(),
        Kind::Asset => mime_guess::from_path(route)
            .first_raw()
            .unwrap_or(UNKNOWN)
            .to_owned(),
    }
}

/// Whether a browser would run scripts that stand in it.
fn is_document(media: &str) -> bool {
    media.contains("html") || media.contains("xml") || media.contains("svg")
}
