//! How each generator makes the URL of an article, as long as nobody configures it otherwise. What stands here was
//! compared with the generators themselves (`tests/generators`).

use std::path::{Component, Path};

use deunicode::deunicode;

use super::{Site, encode_path};
use crate::article::{Article, location};

/// A generator whose URLs are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `/posts/my-post/`: folders and name in lower case, or `slug`.
    Hugo,
    /// `/category/2024/05/01/my-post.html`: the name without its date, or `slug`.
    Jekyll,
    /// `/posts/my-post/`: folders as they are, and the name, or `slug`, in ASCII.
    Zola,
    /// `/posts/my-post/`: folders and name as they are.
    Eleventy,
    /// `/my-title.html`: the title in ASCII, or `slug`.
    Pelican,
    /// `/posts/my-post/`: the name, or `slug`.
    Nikola,
    /// `/blog/my-post/`: folders and name in lower case, or `slug`.
    Astro,
    /// `/2024/05/01/my-post/`: the name as it is.
    Hexo,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Hugo,
        Self::Jekyll,
        Self::Zola,
        Self::Eleventy,
        Self::Pelican,
        Self::Nikola,
        Self::Astro,
        Self::Hexo,
    ];

    /// As it is written in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hugo => "hugo",
            Self::Jekyll => "jekyll",
            Self::Zola => "zola",
            Self::Eleventy => "eleventy",
            Self::Pelican => "pelican",
            Self::Nikola => "nikola",
            Self::Astro => "astro",
            Self::Hexo => "hexo",
        }
    }

    /// The generator of this name, in any letter case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.name().eq_ignore_ascii_case(name))
    }

    /// The folders between the generator's folder of content and `articles`, each with a slash behind it.
    pub(super) fn prefix(self, articles: &Path) -> String {
        let names: Vec<&str> = articles
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect();
        let behind = |root: &str| {
            names
                .iter()
                .rposition(|name| *name == root)
                .map(|at| at + 1)
        };
        let from = match self {
            Self::Hugo | Self::Zola => behind("content"),
            Self::Astro => behind("content").or(behind("pages")),
            Self::Eleventy => behind("content")
                .or(behind("src"))
                .or((!articles.is_absolute()).then_some(0)),
            Self::Jekyll | Self::Pelican | Self::Nikola | Self::Hexo => None,
        };
        let below = names.get(from.unwrap_or(names.len())..).unwrap_or_default();
        below
            .iter()
            .fold(String::new(), |path, name| path + name + "/")
    }

    /// The path of an article below the base URL, percent-encoded.
    pub(super) fn path(
        self,
        article: &Article,
        site: &Site,
        (year, month, day): (i32, u32, u32),
        prefix: &str,
    ) -> String {
        let stem = format!("{prefix}{}", location::stem(&article.path));
        let declared = article.slug.as_deref();
        let other = article.language.as_deref();
        let other = other.filter(|language| *language != site.language);
        // of a site in several languages each but the first has its folder
        let translated = |path: String| match other {
            Some(language) => format!("{}/{path}", language.to_lowercase()),
            None => path,
        };
        let path = match self {
            Self::Hugo => {
                let (folder, name) = parts(location::without_language(&stem));
                let name = declared.unwrap_or(name);
                translated(format!("{}{}/", hugo(folder), hugo(name)))
            }
            Self::Zola => {
                let (folder, name) = parts(location::without_language(&stem));
                let name = declared.unwrap_or(location::without_date(name));
                translated(format!("{folder}{}/", ascii(name)))
            }
            Self::Eleventy => format!("{stem}/"),
            Self::Astro => {
                let slug = declared.map(|slug| format!("{prefix}{slug}"));
                let path = slug.as_deref().unwrap_or(&stem);
                let parts = path.split('/').map(astro);
                format!("{}/", parts.collect::<Vec<_>>().join("/"))
            }
            Self::Jekyll => {
                let categories = jekyll_categories(article);
                let slash = if categories.is_empty() { "" } else { "/" };
                let title = jekyll_title(article);
                format!("{categories}{slash}{year:04}/{month:02}/{day:02}/{title}.html")
            }
            Self::Pelican => {
                let title = article.title.as_ref().map(|title| python(&title.text, ""));
                let slug = declared
                    .map(str::to_owned)
                    .or(title)
                    .unwrap_or_else(|| python(location::name(&stem), ""));
                let suffix = other.map(|language| format!("-{language}"));
                format!("{slug}{}.html", suffix.unwrap_or_default())
            }
            Self::Nikola => {
                let (folder, name) = parts(location::without_language(&stem));
                let slug = declared.map_or_else(|| python(name, "+"), str::to_owned);
                let path = format!("posts/{folder}{slug}/");
                other.map_or(path.clone(), |language| format!("{language}/{path}"))
            }
            Self::Hexo => {
                let below = stem
                    .rsplit_once("_posts/")
                    .map_or(stem.as_str(), |(_, below)| below);
                format!("{year:04}/{month:02}/{day:02}/{below}/")
            }
        };
        encode_path(&path)
    }
}

/// The folder, with a slash behind it, and the name.
fn parts(stem: &str) -> (&str, &str) {
    stem.rfind('/')
        .map_or(("", stem), |slash| stem.split_at(slash + 1))
}

/// Hugo's paths: lower case, `-` for white space, and only what it lets stand in a URL.
fn hugo(path: &str) -> String {
    let mut out = String::new();
    for c in path.trim().chars().flat_map(char::to_lowercase) {
        if c.is_whitespace() {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else if c.is_alphanumeric()
            || unicode_normalization::char::is_combining_mark(c)
            || matches!(c, '.' | '/' | '\\' | '_' | '#' | '+' | '~' | '-' | '@')
        {
            out.push(c);
        }
    }
    out
}

/// ASCII letters and digits in lower case, one `-` for everything else.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in deunicode(text).chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// As Pelican and Nikola do: to ASCII, words and `-` and what is in `more`, `-` for white space.
fn python(text: &str, more: &str) -> String {
    let mut out = String::new();
    for c in deunicode(text).trim().chars() {
        if c.is_ascii_alphanumeric() || c == '_' || more.contains(c) {
            out.push(c.to_ascii_lowercase());
        } else if (c.is_whitespace() || c == '-') && !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}

/// As the slugs of GitHub's headings.
fn astro(text: &str) -> String {
    let lower = text.chars().flat_map(char::to_lowercase);
    let kept = lower.filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Jekyll's `:title`: the declared slug, else the name without its date, in the case in which it is written.
pub(super) fn jekyll_title(article: &Article) -> String {
    let stem = location::stem(&article.path);
    let name = article.slug.as_deref();
    let name = name.unwrap_or_else(|| location::without_date(location::name(&stem)));
    let mut out = String::new();
    for c in name.chars() {
        if c.is_alphanumeric()
            || "._~!$&'()+,;=@".contains(c)
            || unicode_normalization::char::is_combining_mark(c)
        {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// Jekyll's `:categories`: in lower case, the folders first, each a folder.
pub(super) fn jekyll_categories(article: &Article) -> String {
    let around = article
        .path
        .split_once("/_posts/")
        .map(|(around, _)| around);
    let is_folder =
        |name: &str| around.is_some_and(|around| around.split('/').any(|folder| folder == name));
    let (folders, declared): (Vec<&String>, Vec<&String>) =
        article.categories.iter().partition(|name| is_folder(name));
    let all = folders.into_iter().chain(declared);
    all.map(|name| name.to_lowercase().replace('/', "-"))
        .collect::<Vec<_>>()
        .join("/")
}
