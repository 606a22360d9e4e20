//! The pattern by which another generator's URLs are foretold.

use super::slug::{slug, slug_path};
use super::{Site, encode_path};
use crate::article::{Article, location};

/// The generators whose patterns will be known by name.
const PRESETS: [&str; 6] = ["hugo", "jekyll", "zola", "eleventy", "pelican", "astro"];

/// A checked pattern: `/:year/:month/:slug/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permalink(Vec<Part>);

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
}

impl Permalink {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and what to do, in one sentence.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        if PRESETS.contains(&pattern) {
            return Err(format!(
                "the preset `{pattern}` is not built yet; write the pattern out, such as `/:year/:month/:slug/`"
            ));
        }
        let mut parts = Vec::new();
        let mut rest = pattern.trim_start_matches('/');
        while let Some(colon) = rest.find(':') {
            if colon > 0 {
                parts.push(Part::Text(rest[..colon].to_owned()));
            }
            rest = &rest[colon + 1..];
            let end = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            parts.push(Part::named(&rest[..end])?);
            rest = &rest[end..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !parts
            .iter()
            .any(|part| matches!(part, Part::Slug | Part::FileName | Part::Title))
        {
            return Err(format!(
                "the pattern `{pattern}` gives many articles one URL; use `:slug`, `:filename` or `:title` in it"
            ));
        }
        Ok(Self(parts))
    }

    /// The URL of an article that was published at the given local day, below the base URL; percent-encoded.
    #[must_use]
    pub fn apply(&self, article: &Article, site: &Site, day: (i32, u32, u32)) -> String {
        let mut url = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => url.push_str(&encode_path(text)),
                Part::Year => url.push_str(&format!("{:04}", day.0)),
                Part::Month => url.push_str(&format!("{:02}", day.1)),
                Part::Day => url.push_str(&format!("{:02}", day.2)),
                Part::Slug => url.push_str(&encode_path(&slug_of(article))),
                Part::Section => url.push_str(&encode_path(&slug_path(location::folder(
                    location::stem(&article.path),
                )))),
                Part::FileName => {
                    url.push_str(&encode_path(location::name(location::stem(&article.path))));
                }
                Part::Title => url.push_str(&encode_path(&title_of(article))),
            }
        }
        // an article at the top has no section: the slash that would follow it goes
        let url = url.trim_start_matches('/').replace("//", "/");
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
            _ => {
                return Err(format!(
                    "`:{name}` is no part of a permalink; use `:year`, `:month`, `:day`, `:slug`, `:section`, `:filename` or `:title`"
                ));
            }
        })
    }
}

/// The declared slug, else the file's name without its date.
fn slug_of(article: &Article) -> String {
    let name = location::name(location::stem(&article.path));
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
