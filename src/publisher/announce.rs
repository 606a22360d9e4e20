//! What a turn tells: counts for people, paths for programs, and advice.

use std::collections::BTreeMap;

use super::{Catalogue, Config, Observation, Problem, Turn};
use crate::catalogue::Entry;
use crate::config::DEFAULT_BASE_URL;
use crate::site::Site;

/// The account of a turn, as far as the articles go.
pub(super) fn turn(config: &Config, seen: &mut Observation, catalogue: &Catalogue) -> Turn {
    seen.problems.extend(shared_links(catalogue, &config.site));
    Turn {
        new: std::mem::take(&mut seen.new),
        updated: std::mem::take(&mut seen.updated),
        withdrawn: std::mem::take(&mut seen.withdrawn),
        returned: std::mem::take(&mut seen.returned),
        renamed: std::mem::take(&mut seen.renamed),
        changed_ids: std::mem::take(&mut seen.changed_ids),
        entries: catalogue.order().len(),
        problems: advice(config)
            .into_iter()
            .chain(config.notes.clone())
            .collect(),
        ..Turn::default()
    }
}

/// How many articles there are, by their state.
pub(super) fn counts(catalogue: &Catalogue) -> BTreeMap<&'static str, u64> {
    let public = catalogue.order().len();
    let (all, waiting) = catalogue.articles();
    BTreeMap::from([
        ("public", public as u64),
        // scheduled, expired, or a copy of another one
        ("withheld", waiting as u64),
        ("draft", all.saturating_sub(public + waiting) as u64),
    ])
}

/// Problems of articles know the path inside the folder; people know it from outside.
pub(super) fn in_folder(config: &Config, problem: Problem) -> Problem {
    Problem {
        path: config.articles.join(&problem.path).display().to_string(),
        ..problem
    }
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

/// With a permalink pattern, two articles with one link: the newer one is told of the older.
fn shared_links(catalogue: &Catalogue, site: &Site) -> Vec<Problem> {
    let mut found = Vec::new();
    for group in catalogue.sharing_links() {
        let entries = group
            .into_iter()
            .filter_map(|number| catalogue.entry(number));
        let entries: Vec<Entry> = entries.collect();
        for pair in entries.windows(2) {
            let (path, other) = (&pair[0].article.path, &pair[1].article.path);
            let link = crate::link::of(&pair[0], site);
            let what = format!("has the same link as `{other}`: {link}");
            found.push(
                Problem::warning(path, what).remedy("give one of them another `slug` or `url`"),
            );
        }
    }
    found
}
