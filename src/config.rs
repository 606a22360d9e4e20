//! `tidings.toml`: what was typed ([`raw`]) becomes what is meant ([`Config`]), or a clear refusal.

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use encoding_rs::Encoding;
use url::Url;

use crate::article::Dialect;
use crate::edition::encode::Coding;
use crate::feed::{By, FeedSpec};
use crate::problem::Problem;
use crate::site::{self, Permalink, Site};

mod bucket;
mod feeds;
mod keys;
mod person;
mod push;
mod quantity;
pub mod raw;
mod serve;

pub use bucket::Target;
pub(crate) use bucket::{is_remote, url as bucket_url};
pub use push::Hub;
pub use raw::Raw;
pub use serve::{Address, DEFAULT_LISTEN, Log, Serve, Trusted};

/// The name of the ledger, if the settings give it no other.
pub const LEDGER: &str = "ledger.jsonl";

/// The folder of documents, if the settings name no other.
pub const FEEDS: &str = "feeds";

/// The name of the file.
pub const FILE: &str = "tidings.toml";

/// The address that stands in when none is set.
pub const DEFAULT_BASE_URL: &str = "http://localhost:8080/";

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the file is called in messages.
    pub name: String,
    /// The site.
    pub site: Site,
    /// How files are understood.
    pub dialect: Dialect,
    /// The folder of articles.
    pub articles: PathBuf,
    /// The folder of documents; of a bucket, its mirror.
    pub feeds: PathBuf,
    /// The bucket that documents are published to.
    pub bucket: Option<Target>,
    /// The file of ids and dates.
    pub ledger: PathBuf,
    /// The main feed, and then those of `[[feed]]`.
    pub specs: Vec<FeedSpec>,
    /// By what articles are sorted into further feeds, which have the main feed's form.
    pub by: Vec<By>,
    /// A file under the articles folder that is the site's icon, if it is not given as a URL.
    pub icon_asset: Option<String>,
    /// Whether a base URL is set anywhere.
    pub has_base_url: bool,
    /// The encodings that lie beside each document; none, and no sidecars either, where the host encodes by itself.
    pub compress: Vec<Coding>,
    /// The hubs elsewhere that are told what is new; `site.hubs` has our own, too.
    pub hubs: Vec<String>,
    /// The hub that `serve` is.
    pub hub: Hub,
    /// How and where the server answers.
    pub serve: Serve,
    /// What is odd about the settings, and stops nothing.
    pub notes: Vec<Problem>,
}

impl Config {
    /// The folder of what may be lost: beside the ledger.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        state_beside(&self.ledger)
    }

    /// Finds the meaning of what was typed. `raw` is already overridden by environment and options; `home` is the
    /// folder of the file, or the working folder.
    ///
    /// # Errors
    /// Everything that is wrong, each as a problem with file and, where it is known, line.
    pub fn resolve(raw: &Raw, name: &str, home: &Path) -> Result<Self, Vec<Problem>> {
        let mut refusals = Refusals {
            name,
            text: &raw.source,
            found: raw.unbuilt(name),
        };
        // the folder that the shell is in has no name of its own
        let here = if home.as_os_str().is_empty() {
            Path::new(".")
        } else {
            home
        };
        let folder = here.canonicalize().unwrap_or_else(|_| home.to_owned());
        let folder = folder.file_name().map_or_else(
            || "Feed".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        let title = title_of(raw, &folder);
        let base = refusals.take(
            "base_url",
            base_url(raw.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL)),
        );
        let zone = refusals.take(
            "time_zone",
            time_zone(raw.time_zone.as_deref().unwrap_or("UTC")),
        );
        let language = refusals.take(
            "language",
            language(raw.language.as_deref().unwrap_or("en")),
        );
        let authors = refusals.take("authors", person::table(&raw.authors));
        let author = non_empty(raw.author.as_deref()).map(|author| {
            authors
                .as_ref()
                .and_then(|known| known.get(author))
                .cloned()
                .map_or_else(|| person::parse(author), Ok)
        });
        let author = refusals.take("author", author.transpose());
        let articles = raw.articles.as_deref().unwrap_or(Path::new("articles"));
        let permalink = non_empty(raw.permalink.as_deref())
            .map(|text| Permalink::parse(text, articles.strip_prefix(home).unwrap_or(articles)))
            .transpose();
        let permalink = refusals.take("permalink", permalink);
        let encoding = non_empty(raw.encoding.as_deref()).map(encoding).transpose();
        let encoding = refusals.take("encoding", encoding);
        let ttl = refusals.take(
            "fresh",
            quantity::minutes(raw.serve.fresh.as_deref().unwrap_or("30 minutes")),
        );
        let by = refusals.take("by", feeds::by(&raw.defaults.by));
        let main = refusals.take("defaults", feeds::main(&title, &raw.defaults));
        let mut specs: Vec<FeedSpec> = main.into_iter().collect();
        let context = zone
            .zip(authors.as_ref())
            .map(|(zone, authors)| feeds::Context {
                title: &title,
                zone,
                authors,
            });
        for (index, feed) in raw.feed.iter().enumerate() {
            if let (Some(main), Some(context)) = (specs.first(), &context) {
                let spec = feeds::named(feed, main, &specs, context);
                specs.extend(refusals.take_nth("feed", index, spec));
            }
        }
        let icon = non_empty(raw.icon.as_deref()).map(str::to_owned);
        let icon_url = icon.as_deref().and_then(crate::link::canonical);
        let hub = refusals.take("allow", push::hub(&raw.hub));
        let hubs = refusals.take("hubs", push::hubs(&raw.hubs));
        let site = (|| {
            let base = base?;
            let hubs = hubs.clone();
            let own = raw.hub.enabled.then(|| format!("{base}{}", site::HUB));
            Some(Site {
                is_hub: own.is_some(),
                hubs: push::all(hubs?, own),
                base,
                description: non_empty(raw.description.as_deref())
                    .unwrap_or(&title)
                    .to_owned(),
                title,
                has_title: raw.title.is_some(),
                language: language?,
                zone: zone?,
                author: author?,
                copyright: non_empty(raw.copyright.as_deref()).map(str::to_owned),
                icon: icon_url.clone(),
                permalink: permalink?,
                ttl: ttl?,
            })
        })();
        let serve = serve::resolve(&raw.serve, site.as_ref(), home, &mut refusals);
        let compress = refusals.take("compress", compress(raw.compress.as_deref()));
        let bucket = refusals.take("feeds", bucket::target(raw, &title_of(raw, &folder)));
        let (
            Some(site),
            Some(authors),
            Some(encoding),
            Some(compress),
            Some(bucket),
            Some(by),
            Some(hubs),
            Some(hub),
            Some(serve),
            [],
        ) = (
            site,
            authors,
            encoding,
            compress,
            bucket,
            by,
            hubs,
            hub,
            serve,
            refusals.found.as_slice(),
        )
        else {
            return Err(refusals.found);
        };
        let path = |text: Option<&PathBuf>, default: &str| {
            home.join(text.map_or(Path::new(default), PathBuf::as_path))
        };
        let ledger = path(raw.ledger.as_ref(), LEDGER);
        let (feeds, compress) = match &bucket {
            // nobody but us reads it
            Some(_) => (bucket::mirror(&ledger), Vec::new()),
            None => (path(raw.feeds.as_ref(), FEEDS), compress),
        };
        Ok(Self {
            name: name.to_owned(),
            dialect: Dialect {
                zone: site.zone,
                authors,
                encoding,
            },
            articles: path(raw.articles.as_ref(), "articles"),
            feeds,
            bucket,
            ledger,
            specs,
            by,
            icon_asset: icon
                .filter(|_| icon_url.is_none())
                .map(|icon| icon.trim_start_matches('/').to_owned()),
            has_base_url: raw.base_url.is_some(),
            compress,
            // who names our own among them means the same
            hubs: hubs
                .into_iter()
                .filter(|url| !site.is_hub || *url != site.url(site::HUB))
                .collect(),
            hub,
            serve,
            site,
            notes: notes(raw, name),
        })
    }
}

/// What a user should know of settings that are not as they could be.
fn notes(raw: &Raw, name: &str) -> Vec<Problem> {
    let mails = person::unfit_mail(&raw.authors)
        .into_iter()
        .map(|(key, mail)| {
            let what = format!("`{mail}` of `{key}` is no mail address that feeds can show");
            let remedy = "correct it; it is left out until then";
            let line = keys::nth_line(&raw.source, "email", 0);
            Problem::warning(name, what).at(line).remedy(remedy)
        });
    mails.collect()
}

/// The state folder that belongs to a ledger.
pub(crate) fn state_beside(ledger: &Path) -> PathBuf {
    let folder = ledger.parent().unwrap_or(Path::new(""));
    folder.join(".tidings")
}

/// Collects what is wrong instead of stopping at the first.
struct Refusals<'a> {
    name: &'a str,
    text: &'a str,
    found: Vec<Problem>,
}

impl Refusals<'_> {
    /// `Err` holds what is wrong, and after a `; ` what to do.
    fn take<T>(&mut self, key: &str, value: Result<T, String>) -> Option<T> {
        self.take_nth(key, 0, value)
    }

    /// The same, of a key that stands several times.
    fn take_nth<T>(&mut self, key: &str, nth: usize, value: Result<T, String>) -> Option<T> {
        value
            .map_err(|message| {
                let (what, remedy) = message.split_once("; ").unwrap_or((&message, ""));
                let problem = Problem::error(self.name, format!("`{key}`: {what}")).remedy(remedy);
                self.found
                    .push(problem.at(keys::nth_line(self.text, key, nth)));
            })
            .ok()
    }
}

fn title_of(raw: &Raw, folder: &str) -> String {
    let title = non_empty(raw.title.as_deref());
    crate::article::words::printable(title.unwrap_or(folder))
}

fn non_empty(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn base_url(text: &str) -> Result<Url, String> {
    let example = "write it like `https://example.org/` or `https://example.org/blog/`";
    let mut url = Url::parse(text.trim())
        .map_err(|error| format!("`{text}` is no URL: {error}; {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("`{text}` is no address on the web; {example}"));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(format!(
            "`{text}` has a query, a fragment or a user name; {example}"
        ));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    // the form that links and documents have
    if let Some(canonical) =
        crate::link::canonical(url.as_str()).and_then(|url| Url::parse(&url).ok())
    {
        url = canonical;
    }
    Ok(url)
}

fn time_zone(text: &str) -> Result<Tz, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is no time zone; use an IANA name, such as `Europe/Berlin`"))
}

fn compress(names: Option<&[String]>) -> Result<Vec<Coding>, String> {
    let Some(names) = names else {
        return Ok(Coding::SIBLINGS.to_vec());
    };
    let unknown = |name: &&String| Coding::SIBLINGS.iter().all(|coding| coding.name() != *name);
    if let Some(name) = names.iter().find(unknown) {
        return Err(format!(
            "`{name}` lies beside no document; use \"gzip\" and \"br\", or `[]` for neither"
        ));
    }
    let wanted = |coding: &Coding| names.iter().any(|name| name == coding.name());
    Ok(Coding::SIBLINGS.into_iter().filter(wanted).collect())
}

fn encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(label.as_bytes())
        .filter(|encoding| encoding.is_ascii_compatible())
        .ok_or_else(|| {
            format!(
                "`{label}` is no encoding of text files; use one like `windows-1252` or `shift_jis`"
            )
        })
}

fn language(text: &str) -> Result<String, String> {
    crate::article::language::tag(text)
        .ok_or_else(|| format!("`{text}` is no language tag; use one like `en`, `de` or `pt-BR`"))
}
