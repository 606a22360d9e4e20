//! The pattern by which another generator's URLs are foretold, or the generator itself.

use std::path::Path;

use super::slug::{slug, slug_path};
use super::tools::{self, Tool};
use super::{Site, encode_path};
use crate::article::{Article, location};

/// How the URLs of articles are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permalink {
    /// A checked pattern: `/:year/:month/:slug/`.
    Pattern(Pattern),
    /// As a generator does by default; with the folders, each with a slash behind it, that stand between the
    /// generator's folder of content and that of the articles.
    Tool(Tool, String),
}

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Year,
    Month,
    Day,
    Slug,
    Section,
    FileName,
    Title,
    Categories,
}

impl Permalink {
    /// Reads a pattern, or the name of a generator. `articles` is the folder of articles as it is configured.
    ///
    /// # Errors
    /// What is wrong with it, and what to do, in one sentence.
    pub fn parse(text: &str, articles: &Path) -> Result<Self, String> {
        if let Some(tool) = Tool::named(text) {
            return Ok(Self::Tool(tool, tool.prefix(articles)));
        }
        if !text.contains([':', '/']) {
            let names = Tool::ALL
                .map(|tool| format!("`{}`", tool.name()))
                .join(", ");
            return Err(format!(
                "`{text}` is neither a pattern nor a generator that is known ({names}); write a pattern such as `/:year/:month/:slug/`"
            ));
        }
        let pattern = Pattern::parse(text)?;
        if pattern.is_one_for_all() {
            return Err(format!(
                "the pattern `{text}` gives many articles one URL; use `:slug`, `:filename` or `:title` in it"
            ));
        }
        Ok(Self::Pattern(pattern))
    }

    /// The URL of an article that was published at the given local day; percent-encoded.
    #[must_use]
    pub fn apply(&self, article: &Article, site: &Site, day: (i32, u32, u32)) -> String {
        match self {
            Self::Pattern(pattern) => pattern.apply(article, site, day),
            Self::Tool(tool, prefix) => {
                format!("{}{}", site.base, tool.path(article, site, day, prefix))
            }
        }
    }

    /// The generator, if it is one.
    #[must_use]
    pub fn tool(&self) -> Option<Tool> {
        match self {
            Self::Pattern(_) => None,
            Self::Tool(tool, _) => Some(*tool),
        }
    }
}

impl Pattern {
    /// Reads a pattern; one without a part that tells articles apart is for the front matter of one article.
    ///
    /// # Errors
    /// What is wrong with it, and what to do, in one sentence.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = pattern.trim_start_matches('/');
        while let Some(colon) = rest.find(':') {
            if colon > 0 {
                parts.push(Part::Text(rest[..colon].to_owned()));
            }
            rest = &rest[colon + 1..];
            let end = rest
                .find(|c: char| !(c.is_ascii_alphabetic() || c == '_'))
                .unwrap_or(rest.len());
            let name = &rest[..end];
            rest = &rest[end..];
            // Jekyll's suffix of what it writes
            if name == "output_ext" {
                parts.push(Part::Text(".html".to_owned()));
            } else {
                parts.push(Part::named(name)?);
            }
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    fn is_one_for_all(&self) -> bool {
        let tells = |part: &Part| matches!(part, Part::Slug | Part::FileName | Part::Title);
        !self.0.iter().any(tells)
    }

    /// The URL of an article that was published at the given local day; percent-encoded.
    #[must_use]
    pub fn apply(&self, article: &Article, site: &Site, day: (i32, u32, u32)) -> String {
        let jekyll = site.permalink.as_ref().and_then(Permalink::tool) == Some(Tool::Jekyll);
        let mut url = String::new();
        for part in &self.0 {
            let text = match part {
                Part::Text(text) => text.clone(),
                Part::Year => format!("{:04}", day.0),
                Part::Month => format!("{:02}", day.1),
                Part::Day => format!("{:02}", day.2),
                Part::Slug => slug_of(article),
                Part::Section => slug_path(&location::sections(&article.path)),
                Part::FileName => location::name(&location::stem(&article.path)).to_owned(),
                // the same word means another thing there
                Part::Title if jekyll => tools::jekyll_title(article),
                Part::Title => title_of(article),
                Part::Categories => tools::jekyll_categories(article),
            };
            url.push_str(&encode_path(&text));
        }
        // an article at the top has no section: the slash that would follow it goes
        let mut url = url.trim_start_matches('/').to_owned();
        while url.contains("//") {
            url = url.replace("//", "/");
        }
        format!("{}{url}", site.base)
    }
}

impl Part {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "year" => Self::Year,
            "month" => Self::Month,
            "day" => Self::Day,
            "slug" => Self::Slug,
            "section" => Self::Section,
            "filename" => Self::FileName,
            "title" => Self::Title,
            "categories" => Self::Categories,
            _ => {
                return Err(format!(
                    "`:{name}` is no part of a permalink; use `:year`, `:month`, `:day`, `:slug`, `:section`, `:filename`, `:title` or `:categories`"
                ));
            }
        })
    }
}

/// The declared slug, else the file's name without its date and language.
fn slug_of(article: &Article) -> String {
    let stem = location::stem(&article.path);
    let name = location::name(location::without_language(&stem));
    article
        .slug
        .as_deref()
        .and_then(slug)
        .or_else(|| slug(location::without_date(name)))
        .unwrap_or_else(|| name.to_owned())
}

fn title_of(article: &Article) -> String {
    article
        .title
        .as_ref()
        .and_then(|title| slug(&title.text))
        .unwrap_or_else(|| slug_of(article))
}
