//! What the keys of a head mean: the table of the README, as code in the same order.

use std::collections::BTreeSet;

use url::Url;

use super::front_matter::{Head, Value};
use super::words::folded;
use super::{Date, Dialect, Enclosure, Person, Problem, Visibility, date, language, location};

/// The head of one file, with the problems that its values have.
pub(super) struct Keys<'a> {
    pub(super) path: &'a str,
    pub(super) head: &'a Head,
    pub(super) dialect: &'a Dialect,
    pub(super) problems: Vec<Problem>,
    /// Which keys gave something, in the order in which they were asked.
    pub(super) origins: Vec<Origin>,
}

/// What of a head gave one value of an article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it gave: `title`, `published` …
    pub what: &'static str,
    /// The key, without case, `-` and `_`.
    pub key: String,
    /// Its line in the file, from 1.
    pub line: u32,
}

/// What stands between several values in one text.
#[derive(Clone, Copy)]
enum Separators {
    None,
    Commas,
    CommasOrSpaces,
}

const PUBLISHED: [&str; 8] = [
    "publishdate",
    "pubdate",
    "published",
    "publishedat",
    "publisheddate",
    "pubdatetime",
    "date",
    "created",
];
const UPDATED: [&str; 9] = [
    "updated",
    "lastmod",
    "lastmodifiedat",
    "lastmodified",
    "modified",
    "updatedat",
    // Astro
    "updateddate",
    "moddatetime",
    "lastupdate.date",
];
const EXPIRES: [&str; 3] = ["expirydate", "expires", "unpublishdate"];
const IMAGE: [&str; 10] = [
    "image",
    "images[0]",
    "cover",
    "cover.image",
    "coverimage",
    "featuredimage",
    "heroimage",
    "thumbnail",
    "previewimage",
    "banner",
];
const ENCLOSURE: [&str; 5] = ["enclosure", "enclosures", "audio", "podcastfile", "media"];

impl Keys<'_> {
    fn wrong(&mut self, line: u32, what: String, remedy: &str) {
        self.problems
            .push(Problem::error(self.path, what).at(line).remedy(remedy));
    }

    fn note(&mut self, what: &'static str, key: &str, line: u32) {
        let key = key.trim_end_matches("[0]").to_owned();
        self.origins.push(Origin { what, key, line });
    }

    /// The first of `keys` that is present and is text.
    fn text(&mut self, what: &'static str, keys: &[&str]) -> Option<String> {
        for key in keys {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            match value
                .text()
                .map(|text| folded(&text))
                .filter(|text| !text.is_empty())
            {
                Some(text) => {
                    self.note(what, key, line);
                    return Some(text);
                }
                None if matches!(value, Value::List(_) | Value::Map(_)) => {
                    let what = format!("`{key}` is {} where text is expected", value.kind());
                    self.wrong(line, what, "write one text; the key is ignored");
                }
                None => {}
            }
        }
        None
    }

    pub(super) fn id(&mut self) -> Option<String> {
        self.text("id", &["id", "guid", "uuid"])
    }

    pub(super) fn title(&mut self) -> Option<String> {
        self.text("title", &["title", "newstitle", "linktitle"])
    }

    pub(super) fn published(&mut self) -> Option<Date> {
        let declared = self
            .date("published", &PUBLISHED)
            .or_else(|| self.date("published", &["<time>"]));
        let in_url = |keys: &Self| {
            let url = ["path", "permalink", "url"]
                .iter()
                .find_map(|key| keys.head.get(key)?.1.text());
            url.and_then(|url| date::in_path(&url))
        };
        declared
            .or_else(|| date::in_path(self.path))
            .or_else(|| in_url(self))
    }

    pub(super) fn updated(&mut self) -> Option<Date> {
        self.date("updated", &UPDATED)
    }

    pub(super) fn expires(&mut self) -> Option<Date> {
        self.date("expires", &EXPIRES)
    }

    fn date(&mut self, what: &'static str, keys: &[&str]) -> Option<Date> {
        for key in keys {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            let Some(text) = value.text().filter(|_| !matches!(value, Value::Bool(_))) else {
                if !(*key == "published" && matches!(value, Value::Bool(_))) {
                    let what = format!("`{key}` is {} where a date is expected", value.kind());
                    self.wrong(line, what, "write a date like `2026-09-14`");
                }
                continue;
            };
            if *key == "published"
                && switch(value).is_some()
                && date::parse(&text, self.dialect.zone).is_err()
            {
                continue;
            }
            match date::parse(&text, self.dialect.zone) {
                Ok(date) => {
                    self.note(what, key, line);
                    return Some(date);
                }
                Err(message) => {
                    let (wrong, remedy) = message.split_once("; ").unwrap_or((&message, ""));
                    self.wrong(line, format!("`{key}`: {wrong}"), remedy);
                }
            }
        }
        None
    }

    /// `None` if a switch cannot be understood: nothing may be published then.
    pub(super) fn visibility(&mut self) -> Option<Visibility> {
        let mut draft = false;
        let mut clear = true;
        for (key, means) in [
            ("draft", true),
            ("isdraft", true),
            ("published", false),
            ("render", false),
            ("unlisted", true),
        ] {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            match switch(value) {
                Some(value) => {
                    if value == means {
                        self.note("state", key, line);
                    }
                    draft |= value == means;
                }
                // a date, read elsewhere
                None if key == "published"
                    && value
                        .text()
                        .is_some_and(|text| text.contains(|c: char| c.is_ascii_digit())) => {}
                // Hugo's and Jekyll's `render` knows words of its own
                None if key == "render" && matches!(value, Value::Text(_)) => {}
                None => {
                    clear = false;
                    let shown = value
                        .text()
                        .map_or_else(|| value.kind().to_owned(), |text| format!("`{text}`"));
                    let remedy =
                        "write `true` or `false`; nothing of the file is published until then";
                    self.wrong(
                        line,
                        format!("`{key}` is {shown}, which is neither true nor false"),
                        remedy,
                    );
                }
            }
        }
        // Eleventy: no page is written
        let unwritten = |(_, value): (u32, &Value)| *value == Value::Bool(false);
        if let Some((line, _)) = self.head.get("permalink").filter(|found| unwritten(*found)) {
            self.note("state", "permalink", line);
            draft = true;
        }
        if let Some((line, value)) = self.head.get("status") {
            let status = value.text().unwrap_or_default().to_lowercase();
            if ["draft", "private", "hidden", "skip", "pending", "trash"].contains(&status.trim()) {
                self.note("state", "status", line);
                draft = true;
            }
        }
        clear.then(|| {
            if draft {
                Visibility::Draft
            } else {
                self.in_feeds()
            }
        })
    }

    fn in_feeds(&mut self) -> Visibility {
        let switches = [
            ("feed", false),
            ("rss", false),
            ("rss.exclude", true),
            ("disablefeed", true),
            ("feedexclude", true),
            ("excludefromfeed", true),
            ("hiddeninrss", true),
            ("showonrssfeed", false),
            ("includeinfeeds", false),
            ("eleventyexcludefromcollections", true),
        ];
        let out = switches.iter().find_map(|(key, means)| {
            let (line, value) = self.head.get(key)?;
            (switch(value) == Some(*means)).then_some((*key, line))
        });
        if let Some((key, line)) = out {
            self.note("state", key, line);
            Visibility::PageOnly
        } else {
            Visibility::Public
        }
    }

    /// Zola's `path` names the folder of a page.
    pub(super) fn url(&mut self) -> Option<String> {
        let declared = self.text("url", &["url", "permalink"]);
        let declared = declared.filter(|url| !matches!(url.as_str(), "true" | "false"));
        let declared = declared.and_then(|url| self.filled(&url));
        let url = declared.or_else(|| {
            let path = self.text("url", &["path"])?;
            Some(
                if path.ends_with('/') || path.to_ascii_lowercase().ends_with(".html") {
                    path
                } else {
                    path + "/"
                },
            )
        });
        url.filter(|url| self.is_safe("url", url))
    }

    /// A URL in which the values of a template are filled in, as far as they are known here.
    fn filled(&mut self, url: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = url;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (name, after) = behind.split_once("}}").unwrap_or((behind, ""));
            out.push_str(before);
            let Some(value) = self.value(name) else {
                let line = self
                    .head
                    .get("url")
                    .or_else(|| self.head.get("permalink"))
                    .map_or(1, |e| e.0);
                let what = format!("`{{{{{name}}}}}` in the URL cannot be filled in");
                self.wrong(line, what, "write the URL out; the key is ignored");
                return None;
            };
            out.push_str(&value);
            rest = after;
        }
        Some(out + rest)
    }

    /// What Eleventy's permalinks are made of most often.
    fn value(&mut self, name: &str) -> Option<String> {
        let stem = location::stem(self.path).into_owned();
        let file = location::without_date(location::name(&stem)).to_owned();
        let mut filters = name.split('|').map(str::trim);
        let value = match filters.next()? {
            "page.fileSlug" => file,
            "page.filePathStem" => format!("/{stem}"),
            "title" => self.title()?,
            "slug" => self.slug()?,
            _ => return None,
        };
        match filters.next() {
            None => Some(value),
            Some("slug" | "slugify") => crate::site::slug::slug(&deunicode::deunicode(&value)),
            Some(_) => None,
        }
    }

    pub(super) fn slug(&mut self) -> Option<String> {
        self.text("slug", &["slug"])
    }

    pub(super) fn canonical(&mut self) -> Option<String> {
        let canonical = self.text("canonical", &["canonicalurl", "canonical"]);
        canonical.filter(|url| self.is_safe("canonical_url", url))
    }

    pub(super) fn link(&mut self) -> Option<String> {
        let link = self.text("link", &["link"]);
        link.filter(|url| self.is_safe("link", url))
    }

    pub(super) fn external_url(&mut self) -> Option<String> {
        let url = self.text("external", &["externalurl", "linkurl", "linkto"])?;
        if web(&url) {
            return Some(url);
        }
        self.refuse_url("external_url", &url);
        None
    }

    fn is_safe(&mut self, key: &str, url: &str) -> bool {
        // what does not parse by itself is relative
        let safe = if Url::parse(url).is_ok() {
            web(url)
        } else {
            !url.contains(['<', '>', '"']) && !url.starts_with("//")
        };
        if !safe {
            self.refuse_url(key, url);
        }
        safe
    }

    fn refuse_url(&mut self, key: &str, url: &str) {
        let line = self
            .head
            .entries
            .iter()
            .find(|(_, _, value)| value.text().is_some_and(|text| text == url))
            .map_or(1, |e| e.1);
        let what = format!("`{key}` is `{url}`, which is no address on the web");
        self.wrong(
            line,
            what,
            "write it like `https://example.org/page/`; the key is ignored",
        );
    }

    pub(super) fn aliases(&mut self) -> Vec<String> {
        self.list(
            "aliases",
            &["aliases", "redirectfrom", "alias"],
            Separators::None,
        )
    }

    pub(super) fn tags(&mut self) -> Vec<String> {
        let tags = self.terms("tags", &["taxonomies.tags", "keywords", "tag"]);
        // collections of Eleventy
        tags.into_iter()
            .filter(|tag| !["post", "posts", "all"].contains(&tag.as_str()))
            .collect()
    }

    pub(super) fn categories(&mut self) -> Vec<String> {
        let mut categories = self.terms("categories", &["category", "taxonomies.categories"]);
        // Jekyll: the folders around `_posts`
        if let Some((around, _)) = self.path.split_once("/_posts/") {
            for folder in around.split('/') {
                if !folder.starts_with('_') && !categories.iter().any(|other| other == folder) {
                    categories.push(folder.to_owned());
                }
            }
        }
        categories
    }

    /// Jekyll's plural keys hold words with spaces between them, if there are no commas.
    fn terms(&mut self, plural: &'static str, others: &[&str]) -> Vec<String> {
        let spaced = self.head.get(plural).is_some();
        if spaced {
            self.list(plural, &[plural], Separators::CommasOrSpaces)
        } else {
            self.list(plural, others, Separators::Commas)
        }
    }

    /// A list, or text with commas; each once, none empty.
    fn list(&mut self, what: &'static str, keys: &[&str], separators: Separators) -> Vec<String> {
        let Some((key, line, value)) = keys
            .iter()
            .find_map(|key| self.head.get(key).map(|(line, value)| (key, line, value)))
        else {
            return Vec::new();
        };
        self.note(what, key, line);
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut take = |text: &str| {
            let text = folded(text);
            if !text.is_empty() && seen.insert(text.clone()) {
                found.push(text);
            }
        };
        let mut wrong = None;
        match value {
            Value::List(list) => {
                for value in list {
                    match value.text() {
                        Some(text) => take(&text),
                        None if *value == Value::Null => {}
                        None => wrong = Some(value.kind()),
                    }
                }
            }
            value => match value.text() {
                Some(text) => match separators {
                    Separators::CommasOrSpaces if !text.contains(',') => {
                        text.split_whitespace().for_each(take);
                    }
                    Separators::CommasOrSpaces | Separators::Commas => {
                        text.split(',').for_each(take);
                    }
                    Separators::None => take(&text),
                },
                None => wrong = Some(value.kind()),
            },
        }
        if let Some(kind) = wrong {
            self.wrong(
                line,
                format!("`{key}` holds {kind} where text is expected"),
                "write a list of texts",
            );
        }
        found
    }

    pub(super) fn authors(&mut self) -> Vec<Person> {
        let found = [
            "authors",
            "author",
            "by",
            "hosts",
            "extra.author",
            "params.author",
        ]
        .iter()
        .find_map(|key| self.head.get(key).map(|(line, value)| (*key, line, value)));
        let Some((key, line, value)) = found else {
            return Vec::new();
        };
        let values = match value {
            Value::List(list) => list.as_slice(),
            value => std::slice::from_ref(value),
        };
        self.note("authors", key, line);
        let mut people: Vec<Person> = Vec::new();
        for value in values.iter().filter(|value| **value != Value::Null) {
            match self.person(value) {
                Some(person) if !people.contains(&person) => people.push(person),
                Some(_) => {}
                None => {
                    let remedy =
                        "write a name, `Name <mail>`, or a mapping with `name`, `email` and `url`";
                    self.wrong(
                        line,
                        format!("`{key}` holds {} without a name", value.kind()),
                        remedy,
                    );
                }
            }
        }
        people
    }

    fn person(&self, value: &Value) -> Option<Person> {
        if let Value::Map(_) = value {
            let text = |key: &str| {
                value
                    .get(key)
                    .and_then(Value::text)
                    .map(|text| folded(&text))
                    .filter(|text| !text.is_empty())
            };
            let email = text("email")
                .or_else(|| text("mail"))
                .filter(|mail| is_mail(mail));
            let url = text("url")
                .or_else(|| text("uri"))
                .or_else(|| text("link"))
                .filter(|url| web(url));
            return Some(Person {
                name: text("name")?,
                email,
                url,
            });
        }
        let text = folded(&value.text()?);
        if let Some(person) = self.dialect.authors.get(&text) {
            return Some(person.clone());
        }
        let (name, mail) = match text
            .split_once('<')
            .and_then(|(name, rest)| Some((name, rest.trim().strip_suffix('>')?)))
        {
            Some((name, mail)) if is_mail(mail.trim()) => (name.trim(), Some(mail.trim())),
            _ => (text.as_str(), None),
        };
        let name = if name.is_empty() { mail? } else { name };
        Some(Person {
            name: name.to_owned(),
            email: mail.map(str::to_owned),
            url: None,
        })
    }

    pub(super) fn summary(&mut self) -> Option<String> {
        self.text(
            "summary",
            &["summary", "excerpt", "description", "intro", "subtitle"],
        )
    }

    pub(super) fn image(&mut self) -> Option<String> {
        let extra = IMAGE.map(|key| format!("extra.{key}"));
        let found = IMAGE
            .into_iter()
            .chain(extra.iter().map(String::as_str))
            .find_map(|key| {
                let (line, value) = self.head.get(key)?;
                let value = match value {
                    Value::List(list) => list.first()?,
                    value => value,
                };
                let named = ["path", "url", "src", "image"]
                    .iter()
                    .find_map(|key| value.get(key).and_then(Value::text));
                let found = named.or_else(|| match value {
                    Value::Text(text) => Some(text.as_str().into()),
                    _ => None,
                })?;
                let found = found.trim();
                (!found.is_empty() && is_reference(found))
                    .then(|| (key.to_owned(), line, found.to_owned()))
            });
        let (key, line, found) = found?;
        self.note("image", &key, line);
        Some(found)
    }

    pub(super) fn enclosures(&mut self) -> Vec<Enclosure> {
        let Some((key, line, value)) = ENCLOSURE
            .iter()
            .find_map(|key| self.head.get(key).map(|(line, v)| (*key, line, v)))
        else {
            return Vec::new();
        };
        let values = match value {
            Value::List(list) => list.as_slice(),
            value => std::slice::from_ref(value),
        };
        self.note("enclosures", key, line);
        let found: Vec<Enclosure> = values.iter().filter_map(enclosure).collect();
        if found.len() < values.len() {
            let what = format!("`{key}` holds {} without an address", value.kind());
            self.wrong(
                line,
                what,
                "write the path of a file, a URL, or a mapping with `url`, `length` and `type`",
            );
        }
        found
    }

    /// As declared, else as the file's name says (`name.fr.md`).
    pub(super) fn language(&mut self) -> Option<String> {
        self.declared_language()
            .or_else(|| location::language(self.path))
    }

    pub(super) fn declared_language(&mut self) -> Option<String> {
        for key in ["lang", "language", "locale"] {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            let text = value.text();
            if let Some(tag) = text.as_deref().and_then(language::tag) {
                self.note("language", key, line);
                return Some(tag);
            }
            let shown = text.map_or_else(|| value.kind().to_owned(), |text| format!("`{text}`"));
            let what = format!("`{key}` is {shown}, which is no language tag");
            self.wrong(line, what, "use one like `en`, `de` or `pt-BR`");
        }
        None
    }
}

/// `WordPress`' enclosures are three lines: address, length, type.
fn enclosure(value: &Value) -> Option<Enclosure> {
    if let Value::Map(_) = value {
        let text = |keys: &[&str]| {
            keys.iter()
                .find_map(|key| value.get(key).and_then(Value::text))
                .map(|t| t.trim().to_owned())
        };
        let href =
            text(&["url", "href", "src", "path", "file"]).filter(|href| is_reference(href))?;
        let length = text(&["length", "size", "bytes"]).and_then(|length| length.parse().ok());
        return Some(Enclosure {
            href,
            length,
            mime: text(&["type", "mime", "mimetype"]).filter(|mime| is_mime(mime)),
        });
    }
    let text = value.text()?.into_owned();
    let mut lines = text.lines().map(str::trim);
    let href = lines
        .next()
        .filter(|href| !href.is_empty() && is_reference(href))?
        .to_owned();
    let length = lines.next().and_then(|length| length.parse().ok());
    Some(Enclosure {
        href,
        length,
        mime: lines.next().filter(|mime| is_mime(mime)).map(str::to_owned),
    })
}

fn is_mime(text: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(kind, name)| word(kind) && word(name))
}

/// A boolean, or what people write for one.
fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        value => match value.text()?.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "y" => Some(true),
            "false" | "no" | "off" | "0" | "n" => Some(false),
            _ => None,
        },
    }
}

fn web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
    })
}

/// A relative reference, or an address on the web.
fn is_reference(text: &str) -> bool {
    match Url::parse(text) {
        Ok(_) => web(text),
        Err(_) => !text.contains(['<', '>', '"', '\n']),
    }
}

fn is_mail(text: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"')
    };
    text.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
        && !text.contains(odd)
}
