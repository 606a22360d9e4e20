//! A feed: which entries it shows, and what it says of itself. One model for all formats.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::article::Person;
use crate::catalogue::{Catalogue, Number, Row};
use crate::edition::Kind;
use crate::site::Site;

mod filter;
mod topics;

pub use filter::{Filter, Terms};
pub use topics::{By, Register, Topic};

/// How much of an article a feed shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// A summary and the whole text.
    Both,
    /// The whole text.
    Full,
    /// A summary.
    Summary,
}

/// Which feed there is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSpec {
    /// The folder of its documents, without a slash at the end; empty for the main feed.
    pub name: String,
    /// Never empty.
    pub title: String,
    /// What the feed says of itself; the title, if there is nothing else to say.
    pub description: Option<String>,
    /// Which entries it is about.
    pub filter: Filter,
    /// At most so many entries; at least 1.
    pub limit: usize,
    /// Only entries younger than this.
    pub max_age: Option<TimeDelta>,
    /// At most so many bytes of content; the newest entry is shown whatever its length.
    pub max_bytes: usize,
    /// How much of an article it shows.
    pub content: Content,
    /// In which formats it is published.
    pub formats: Vec<Kind>,
}

impl FeedSpec {
    /// The route of this feed's document of `kind`.
    #[must_use]
    pub fn route(&self, kind: Kind) -> String {
        let name = match kind {
            Kind::Rss => "rss.xml",
            Kind::Atom => "atom.xml",
            _ => "feed.json",
        };
        if self.name.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.name)
        }
    }
}

/// The entries of a catalogue that a feed may show at `now`, newest first. The size of what they show is not known here:
/// see [`fit`].
#[must_use]
pub fn select(
    catalogue: &Catalogue,
    spec: &FeedSpec,
    site: &Site,
    now: DateTime<Utc>,
) -> Vec<Number> {
    let filter = &spec.filter;
    let fits = |number: &Number| {
        let row = catalogue.row(*number);
        row.is_some_and(|row| row.in_feeds() && filter.has_date(row.published()))
            && (filter.terms.is_empty()
                || catalogue
                    .labels(*number)
                    .is_some_and(|labels| filter.has_terms(&labels, site)))
    };
    let fitting = catalogue.order().iter().copied().filter(fits);
    newest(fitting, catalogue, spec, now)
}

/// Of entries that a feed is about, in the order of the catalogue, those that it may show at `now`.
pub fn newest(
    fitting: impl Iterator<Item = Number>,
    catalogue: &Catalogue,
    spec: &FeedSpec,
    now: DateTime<Utc>,
) -> Vec<Number> {
    let oldest = spec.max_age.map(|age| now - age);
    let is_young = |row: &Row| oldest.is_none_or(|oldest| row.published() > oldest);
    fitting
        .filter(|number| catalogue.row(*number).is_some_and(Row::in_feeds))
        .take_while(|number| catalogue.row(*number).is_some_and(is_young))
        .take(spec.limit)
        .collect()
}

/// When the next entry that a feed shows now becomes too old for it.
#[must_use]
pub fn next_ageing(
    catalogue: &Catalogue,
    shown: &[Number],
    spec: &FeedSpec,
) -> Option<DateTime<Utc>> {
    let oldest = catalogue.row(*shown.last()?)?.published();
    spec.max_age.map(|age| oldest + age)
}

/// How many of the items, newest first, fit into `max_bytes`: whole ones, at least the first.
#[must_use]
pub fn fit(items: &[Item], max_bytes: usize) -> usize {
    let mut total = 0;
    let fitting = items
        .iter()
        .take_while(|item| {
            total += item.weight();
            total <= max_bytes
        })
        .count();
    fitting.max(1).min(items.len())
}

/// A thing to play or fetch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// Absolute.
    pub url: String,
    /// In bytes; 0 if unknown (RSS 2.0 demands a number).
    pub length: u64,
    /// Its MIME type.
    pub mime: String,
    /// How long it plays, in seconds, if that is known.
    pub seconds: Option<u32>,
}

/// What a picture or a sound says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Media {
    /// Its MIME type.
    pub mime: Option<String>,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub seconds: Option<u32>,
}

/// An image that stands for an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// Absolute.
    pub url: String,
    /// Its MIME type, if it is known.
    pub mime: Option<String>,
    /// Width and height in pixels, if they are known.
    pub size: Option<(u32, u32)>,
}

/// Clean HTML that many feeds share, with its digest: most of it is the same in each version of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    text: Arc<str>,
    digest: [u8; 32],
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            digest: *blake3::hash(text.as_bytes()).as_bytes(),
        }
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for Html {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Hash for Html {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // the ledger holds digests of feeds that were made of the text
        self.text.hash(state);
    }
}

impl Serialize for Html {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Html {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// One entry as a feed shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Item {
    /// By which readers know it.
    pub id: String,
    /// Absolute.
    pub link: String,
    /// For a link post: what it is about.
    pub external: Option<String>,
    /// Plain text; `None` for a note.
    pub title: Option<String>,
    /// For Atom, which demands a title of a note too: plain text, never empty.
    pub stand_in_title: String,
    /// In whole seconds.
    pub published: DateTime<Utc>,
    /// In whole seconds, not before `published`.
    pub updated: DateTime<Utc>,
    /// Names, addresses and URLs.
    pub authors: Vec<Person>,
    /// Tags and categories, each once.
    pub tags: Vec<String>,
    /// Plain text; empty if the article has no words.
    pub summary: String,
    /// Clean HTML; empty if the article has no text. Many feeds share it.
    pub html: Html,
    /// A language tag, where it differs from the feed's.
    pub language: Option<String>,
    /// An image that stands for it.
    pub image: Option<Image>,
    /// In the order of the article.
    pub attachments: Vec<Attachment>,
}

impl Item {
    /// The same, as a feed in `language` shows it: its own language is told where it differs. `site` is the language
    /// of items that tell none.
    #[must_use]
    pub fn in_feed_of(&self, language: &str, site: &str) -> Self {
        let own = self.language.as_deref().unwrap_or(site);
        Self {
            language: Some(own.to_owned()).filter(|own| own != language),
            ..self.clone()
        }
    }

    /// The digest of all that a document shows of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Digest(blake3::Hasher::new());
        let Self {
            id,
            link,
            external,
            title,
            stand_in_title,
            published,
            updated,
            authors,
            tags,
            summary,
            html,
            language,
            image,
            attachments,
        } = self;
        (id, link, external, title, stand_in_title, published).hash(&mut hasher);
        (
            updated,
            authors,
            tags,
            summary,
            language,
            image,
            attachments,
        )
            .hash(&mut hasher);
        hasher.0.update(&html.digest);
        *hasher.0.finalize().as_bytes()
    }

    /// About how many bytes it takes in a document: what is text to XML grows when it is escaped.
    fn weight(&self) -> usize {
        let special = |chunk: &[u8]| {
            // few enough for one byte: many are counted at once
            let count = |sum: u8, b: &u8| sum + u8::from(matches!(b, b'<' | b'>' | b'&' | b'"'));
            usize::from(chunk.iter().fold(0, count))
        };
        let escaped =
            |text: &str| text.len() + 4 * text.as_bytes().chunks(255).map(special).sum::<usize>();
        escaped(&self.html) + escaped(&self.summary) + 600
    }
}

/// A feed, ready to be written in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Where it stands and how much it shows.
    pub spec: FeedSpec,
    /// By which readers know it.
    pub id: String,
    /// The instant at which what it shows last changed.
    pub changed: DateTime<Utc>,
    /// The site's.
    pub channel: Channel,
    /// The site's hubs: no content, so that another one is no change of what the feed shows.
    pub hubs: Vec<String>,
    /// Newest first.
    pub items: Vec<Item>,
}

/// What a feed says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Channel {
    /// Plain text, never empty.
    pub title: String,
    /// Plain text, never empty.
    pub description: String,
    /// What the site is called; never empty.
    pub site: String,
    /// The site, absolute.
    pub home: String,
    /// A language tag.
    pub language: String,
    /// Who writes, if one person does.
    pub author: Option<Person>,
    /// A copyright notice.
    pub copyright: Option<String>,
    /// Absolute URL of an image.
    pub icon: Option<String>,
    /// In minutes, at least 1.
    pub ttl: u32,
    /// Absolute URLs of this feed's documents, by format, in the order rss, atom, json.
    pub documents: Vec<(Kind, String)>,
}

impl Channel {
    /// What the feed of `spec` says of itself.
    #[must_use]
    pub fn new(site: &Site, spec: &FeedSpec) -> Self {
        Self {
            title: spec.title.clone(),
            description: match &spec.description {
                Some(description) => description.clone(),
                None if spec.name.is_empty() => site.description.clone(),
                None => spec.title.clone(),
            },
            site: site.title.clone(),
            home: site.base.to_string(),
            language: spec.filter.language().unwrap_or(&site.language).to_owned(),
            author: site.author.clone(),
            copyright: site.copyright.clone(),
            icon: site.icon.clone(),
            ttl: site.ttl,
            documents: spec
                .formats
                .iter()
                .map(|kind| (*kind, site.url(&spec.route(*kind))))
                .collect(),
        }
    }

    /// The absolute URL of this feed's document of `kind`.
    #[must_use]
    pub fn url(&self, kind: Kind) -> &str {
        self.documents
            .iter()
            .find(|(other, _)| *other == kind)
            .map_or("", |(_, url)| url)
    }
}

impl Feed {
    /// The digest of all that subscribers can see, but the date of change: hexadecimal.
    #[must_use]
    pub fn digest(channel: &Channel, items: &[Item], content: Content) -> String {
        let mut hasher = Digest(blake3::Hasher::new());
        (channel, items, content).hash(&mut hasher);
        hasher.0.finalize().to_hex()[..32].to_owned()
    }

    /// The newest of its entries' dates and of the instant at which it last changed for subscribers.
    #[must_use]
    pub fn updated(&self) -> DateTime<Utc> {
        self.items
            .iter()
            .map(|item| item.updated)
            .chain([self.changed])
            .max()
            .unwrap_or(self.changed)
    }
}

/// Feeds `Hash` into blake3. Integers are hashed in a fixed byte order, so that a ledger means the same on any machine.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn write_u32(&mut self, n: u32) {
        self.0.update(&n.to_le_bytes());
    }

    fn write_i32(&mut self, n: i32) {
        self.0.update(&n.to_le_bytes());
    }

    fn write_u64(&mut self, n: u64) {
        self.0.update(&n.to_le_bytes());
    }

    fn write_usize(&mut self, n: usize) {
        self.0.update(&(n as u64).to_le_bytes());
    }

    fn write_isize(&mut self, n: isize) {
        self.0.update(&(n as i64).to_le_bytes());
    }

    fn finish(&self) -> u64 {
        // the 64 bits that `Hasher` wants are never asked for; the whole digest is
        0
    }
}
