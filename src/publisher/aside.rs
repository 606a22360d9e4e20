//! Files that have the form of an article and are none, because of where they lie: what stands beside an `index.md`
//! belongs to that article, and generators have folders in which no articles are.

use super::Config;
use crate::article::{Article, location};
use crate::catalogue::{Catalogue, Class};
use crate::site::tools::Tool;

/// Why a file is no article; `None` if it is one.
pub(super) fn why(article: &Article, catalogue: &Catalogue, config: &Config) -> Option<String> {
    let path = &article.path;
    let tool = config
        .site
        .permalink
        .as_ref()
        .and_then(super::super::site::permalink::Permalink::tool);
    if !article.is_dated && article.published.is_none() && is_jekyll_post(path, config) {
        return Some("lies in `_posts` and has no date: no article".to_owned());
    }
    if tool == Some(Tool::Pelican) {
        let folder = path.split_once('/').map(|(folder, _)| folder);
        if let Some(folder @ ("pages" | "extra")) = folder {
            return Some(format!("lies in Pelican's folder `{folder}`: no article"));
        }
    }
    if is_index(path) && tool.is_none_or(|tool| !has_leaf_bundles(tool)) {
        return None;
    }
    let folder = if tool.is_some_and(has_leaf_bundles) {
        // the bundle's own text lies in the folder itself
        let inner = location::folder(path);
        let mut around = std::iter::successors(Some(inner), |folder| {
            (!folder.is_empty()).then(|| location::folder(folder))
        });
        around
            .find(|folder| !(is_index(path) && *folder == inner) && is_bundle(folder, catalogue))?
    } else if article.is_dated {
        return None;
    } else {
        let folder = location::folder(path);
        is_bundle(folder, catalogue).then_some(folder)?
    };
    Some(format!(
        "belongs to the article of the folder `{folder}`: no article of its own"
    ))
}

/// Whether all that lies in the folder of an article, and below, belongs to it.
fn has_leaf_bundles(tool: Tool) -> bool {
    matches!(tool, Tool::Hugo | Tool::Zola)
}

/// Whether a path is that of a bundle's own text: `a/index.md`, `a/index.fr.md`.
pub(super) fn is_index(path: &str) -> bool {
    let name = location::name(path);
    path.len() > name.len()
        && name
            .split('.')
            .next()
            .is_some_and(|stem| stem.eq_ignore_ascii_case("index"))
}

/// Whether a folder is that of one article. At the top an `index.md` is the front page.
fn is_bundle(folder: &str, catalogue: &Catalogue) -> bool {
    if folder.is_empty() {
        return false;
    }
    let path = |number: &u32| catalogue.row(*number).map_or("", |row| &row.path);
    let files = catalogue.folder(folder);
    let start = files.partition_point(|number| location::name(path(number)) < "index.");
    let indexes = files[start..]
        .iter()
        .take_while(|number| is_index(path(number)));
    let mut rows = indexes.filter_map(|number| catalogue.row(*number));
    rows.any(|row| row.class == Class::Article)
}

/// Whether a file lies where Jekyll takes files for posts.
fn is_jekyll_post(path: &str, config: &Config) -> bool {
    let root = config.articles.file_name();
    let mut folders = path.split('/').rev().skip(1);
    root.is_some_and(|name| name == "_posts") || folders.any(|folder| folder == "_posts")
}
