//! What a turn tells: counts for people, paths for programs, and advice.

use std::collections::BTreeMap;

use super::read::Folder;
use super::{Catalogue, Config, Observation, Problem, Turn};
use crate::config::DEFAULT_BASE_URL;

/// The account of a turn, as far as the articles go.
pub(super) fn turn(config: &Config, seen: &mut Observation, catalogue: &Catalogue) -> Turn {
    seen.problems.extend(shared_links(catalogue));
    Turn {
        new: std::mem::take(&mut seen.new),
        updated: std::mem::take(&mut seen.updated),
        withdrawn: std::mem::take(&mut seen.withdrawn),
        returned: std::mem::take(&mut seen.returned),
        renamed: std::mem::take(&mut seen.renamed),
        changed_ids: std::mem::take(&mut seen.changed_ids),
        entries: catalogue.entries().len(),
        problems: advice(config).into_iter().collect(),
        ..Turn::default()
    }
}

/// How many articles there are, by their state: `found` of them are for the public, if their dates allow.
pub(super) fn counts(folder: &Folder, found: usize, public: usize) -> BTreeMap<&'static str, u64> {
    let all = folder.present.len();
    BTreeMap::from([
        ("public", public as u64),
        // scheduled, expired, or a copy of another one
        ("withheld", found.saturating_sub(public) as u64),
        ("draft", all.saturating_sub(found) as u64),
    ])
}

/// Problems of articles know the path inside the folder; people know it from outside.
pub(super) fn in_folder(config: &Config, problems: Vec<Problem>) -> impl Iterator<Item = Problem> {
    problems.into_iter().map(|problem| Problem {
        path: config.articles.join(&problem.path).display().to_string(),
        ..problem
    })
}

fn advice(config: &Config) -> Option<Problem> {
    if !config.has_base_url {
        let what = format!(
            "no `base_url` is set: links lead to `{DEFAULT_BASE_URL}`, and ids are provisional"
        );
        let remedy = "put `base_url = \"https://…\"` with your public address into the file, or use `--base-url`";
        return Some(Problem::warning(&config.name, what).remedy(remedy));
    }
    None
}

/// With a permalink pattern, two articles with one link.
fn shared_links(catalogue: &Catalogue) -> Vec<Problem> {
    let mut by_link: std::collections::HashMap<&str, &str> = std::collections::HashMap::new();
    let mut found = Vec::new();
    for (index, entry) in catalogue.entries().iter().enumerate().rev() {
        let path = entry.article.path.as_str();
        if let Some(other) = by_link.insert(catalogue.link(index), path) {
            let what = format!("has the same link as `{other}`: {}", catalogue.link(index));
            found.push(
                Problem::warning(path, what).remedy("give one of them another `slug` or `url`"),
            );
        }
    }
    found
}
