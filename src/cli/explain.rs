//! `tidings explain`: one article, and which key or rule gave which value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;

use super::report::Report;
use super::{Place, configure, exit, look, say};
use crate::article::head::Labels;
use crate::article::{self, Article, Origin, Outcome, Source, TitleFrom, location};
use crate::catalogue::Entry;
use crate::config::Config;
use crate::feed;
use crate::fragment::{self, Account};
use crate::html;
use crate::problem::Problem;
use crate::publisher::{Listed, Publisher, Survey};

/// The options of `tidings explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The article's file, from here or from inside the folder of articles
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Show the text as feeds have it, too
    #[arg(long)]
    html: bool,
}

pub(super) fn explain(args: &Explain) -> u8 {
    let report = Report::new(false, true, false, false);
    let config = match configure(&args.place, &[]) {
        Ok(config) => config,
        Err(refused) => {
            return report.refusals(&refused.problems, refused.exit);
        }
    };
    let order = match look() {
        Ok(order) => order,
        Err(problem) => {
            return report.refusals(&[problem], exit::USAGE);
        }
    };
    let survey = match Publisher::new(&config, &super::progress::Bar::new(false)).survey(&order) {
        Ok(survey) => survey,
        Err(halt) => {
            report.halt(&halt);
            return exit::NOTHING_WRITTEN;
        }
    };
    let path = inside(&args.path, &config);
    let Some(listed) = survey.files.iter().find(|listed| listed.path == path) else {
        let what = "is no article of this folder";
        let remedy = "`tidings list` names all of them; names that begin with `.` or `_`, a `README` at the top and other extensions are no articles";
        let problem = Problem::error(args.path.display().to_string(), what).remedy(remedy);
        return report.refusals(&[problem], exit::USAGE);
    };
    tell(listed, &survey, &config, order.now, args.html);
    let own = survey
        .problems
        .iter()
        .filter(|problem| problem.path == path);
    let mut problems: Vec<Problem> = own.cloned().collect();
    if let Some(account) = account(&path, &survey, &config) {
        problems.extend(account.problems);
    }
    if !problems.is_empty() {
        say("");
    }
    for problem in problems {
        let shown = Problem {
            path: config.articles.join(&problem.path).display().to_string(),
            ..problem
        };
        say(&format!("{}: {shown}", shown.level));
    }
    exit::DONE
}

/// The path inside the folder of articles.
fn inside(path: &Path, config: &Config) -> String {
    let below = path
        .strip_prefix(&config.articles)
        .map(Path::to_path_buf)
        .ok();
    let real = || {
        let (path, folder) = (
            path.canonicalize().ok()?,
            config.articles.canonicalize().ok()?,
        );
        path.strip_prefix(folder).map(Path::to_path_buf).ok()
    };
    let found = below.or_else(real).unwrap_or_else(|| path.to_path_buf());
    found.display().to_string()
}

fn account(path: &str, survey: &Survey, config: &Config) -> Option<Account> {
    let number = survey.catalogue.number(path)?;
    let entry = survey.whole(number, config)?;
    Some(fragment::account(&entry, &survey.catalogue, &config.site))
}

fn line(name: &str, value: &str, from: &str) {
    if from.is_empty() {
        say(&format!("  {name:10} {value}"));
    } else if name.is_empty() {
        say(&format!("  {name:10} {value}{from}"));
    } else {
        say(&format!("  {name:10} {value}"));
        say(&format!("  {:10}   ← {from}", ""));
    }
}

fn tell(listed: &Listed, survey: &Survey, config: &Config, now: DateTime<Utc>, with_html: bool) {
    say(&config.articles.join(&listed.path).display().to_string());
    say("");
    line("state", listed.state.name(), &listed.why);
    let bytes = std::fs::read(config.articles.join(&listed.path)).unwrap_or_default();
    let source = Source {
        path: &listed.path,
        bytes,
    };
    let reading = article::read(source, &config.dialect);
    let (Outcome::Article(own) | Outcome::Held(own)) = &reading.outcome else {
        return;
    };
    let from = |what: &str| origin(&reading.origins, what);
    // the last good version, if the file is broken
    let number = survey.catalogue.number(&listed.path);
    let entry = number.and_then(|number| survey.catalogue.entry(number));
    if let Some(entry) = &entry {
        let id = from("id").unwrap_or_else(|| "given once, and kept in the ledger".to_owned());
        line("id", &entry.id, &id);
        line(
            "link",
            &crate::link::of(entry, &config.site),
            &link(own, config, &from),
        );
        let shown = |instant: DateTime<Utc>| instant.with_timezone(&config.site.zone).to_rfc3339();
        line("published", &shown(entry.published), &published(own, &from));
        let updated = from("updated").unwrap_or_else(|| {
            let changed = entry.updated > entry.published;
            if changed {
                "when its text last changed"
            } else {
                "its text never changed"
            }
            .to_owned()
        });
        line("updated", &shown(entry.updated), &updated);
    } else if let Some(published) = listed.published {
        line(
            "published",
            &published.with_timezone(&config.site.zone).to_rfc3339(),
            &from("published").unwrap_or_default(),
        );
    }
    if let Some(expires) = own.expires {
        let instant = expires
            .instant(config.site.zone, 0)
            .with_timezone(&config.site.zone);
        line(
            "expires",
            &instant.to_rfc3339(),
            &from("expires").unwrap_or_default(),
        );
    }
    line(
        "title",
        own.title
            .as_ref()
            .map_or("(none: a note)", |title| &title.text),
        &title(own, &from),
    );
    let account = account(&listed.path, survey, config);
    if let Some(account) = &account {
        item(account, own, &from);
    }
    let taken: Vec<&str> = reading
        .origins
        .iter()
        .map(|origin| origin.key.split('.').next().unwrap_or_default())
        .collect();
    let unused: Vec<String> = reading
        .keys
        .iter()
        .filter(|(key, _)| {
            !taken.contains(&key.as_str())
                && !key.starts_with('<')
                && !["draft", "isdraft", "unlisted", "feed", "rss"].contains(&key.as_str())
        })
        .map(|(key, line)| format!("`{key}` (line {line})"))
        .collect();
    if !unused.is_empty() {
        line("not used", &unused.join(", "), "");
    }
    if let Some(entry) = &entry {
        feeds(entry, survey, config, now);
    }
    if let Some(account) = &account {
        changes(account);
        if with_html {
            say("");
            say(&account.clean);
        }
    }
}

fn origin(origins: &[Origin], what: &str) -> Option<String> {
    let found = origins.iter().find(|origin| origin.what == what)?;
    Some(format!("`{}` in line {}", found.key, found.line))
}

type Asked<'a> = dyn Fn(&str) -> Option<String> + 'a;

fn link(article: &Article, config: &Config, from: &Asked<'_>) -> String {
    let declared = from("url").filter(|_| article.url.is_some());
    declared
        .or_else(|| from("link").filter(|_| crate::link::declared(article, &config.site).is_some()))
        .or_else(|| {
            from("canonical").filter(|_| crate::link::declared(article, &config.site).is_some())
        })
        .unwrap_or_else(|| match &config.site.permalink {
            Some(permalink) => match permalink.tool() {
                Some(tool) => format!("as {} makes it (`permalink`)", tool.name()),
                None => "the pattern in `permalink`".to_owned(),
            },
            None => "the page that tidings makes".to_owned(),
        })
}

fn published(article: &Article, from: &Asked<'_>) -> String {
    from("published").unwrap_or_else(|| {
        if article::date::in_path(&article.path).is_some() {
            "the date in its path".to_owned()
        } else if article.published.is_some() {
            "the date in its URL".to_owned()
        } else {
            "when it was first seen; recorded in the ledger".to_owned()
        }
    })
}

fn title(article: &Article, from: &Asked<'_>) -> String {
    let Some(title) = &article.title else {
        return "short, and nothing that could be a title".to_owned();
    };
    match title.from {
        TitleFrom::Head => from("title").unwrap_or_default(),
        TitleFrom::Heading => "the first heading of the text".to_owned(),
        TitleFrom::Page => "the page's `<title>`".to_owned(),
        TitleFrom::Line => "the first line of the text".to_owned(),
        TitleFrom::FileName => "the name of the file".to_owned(),
        TitleFrom::Sentence => "the first sentence of the text".to_owned(),
    }
}

fn item(account: &Account, own: &Article, from: &Asked<'_>) {
    let item = &account.item;
    let names: Vec<&str> = item
        .authors
        .iter()
        .map(|author| author.name.as_str())
        .collect();
    if !names.is_empty() {
        line(
            "authors",
            &names.join(", "),
            &from("authors").unwrap_or_else(|| "`author` of the configuration".to_owned()),
        );
    }
    for (name, terms) in [("tags", &own.tags), ("categories", &own.categories)] {
        if !terms.is_empty() {
            line(
                name,
                &terms.join(", "),
                &from(name).unwrap_or_else(|| "the folders around `_posts`".to_owned()),
            );
        }
    }
    let summary = from("summary").unwrap_or_else(|| {
        if own.summary.is_some() {
            "what stands before the `more` mark"
        } else {
            "the first paragraph"
        }
        .to_owned()
    });
    line("summary", &article::words::cut(&item.summary, 60), &summary);
    if let Some(language) = &own.language {
        let named = location::language(&own.path).map(|_| "the name of the file".to_owned());
        line(
            "language",
            language,
            &from("language").or(named).unwrap_or_default(),
        );
    }
    if let Some(image) = &item.image {
        line("image", &image.url, &from("image").unwrap_or_default());
    }
    for attachment in &item.attachments {
        line(
            "enclosure",
            &format!(
                "{} ({}, {} bytes)",
                attachment.url, attachment.mime, attachment.length
            ),
            &from("enclosures").unwrap_or_default(),
        );
    }
}

/// Which feeds show it.
fn feeds(entry: &Entry, survey: &Survey, config: &Config, now: DateTime<Utc>) {
    let number = survey.catalogue.number(&entry.article.path);
    let mut names: Vec<String> = Vec::new();
    for spec in &config.specs {
        let selected = feed::select(&survey.catalogue, spec, &config.site, now);
        if let Some(place) = selected.iter().position(|other| Some(*other) == number) {
            let folder = if spec.name.is_empty() {
                String::new()
            } else {
                format!("{}/", spec.name)
            };
            names.push(format!(
                "/{folder} as entry {} of {}",
                place + 1,
                selected.len()
            ));
        }
    }
    for by in &config.by {
        for term in by.terms(&Labels::from(&entry.article), &config.site) {
            names.push(format!("the {} {term}", by.name()));
        }
    }
    let none = "none: there are newer ones, or its own switches keep it out".to_owned();
    line(
        "in feeds",
        if names.is_empty() {
            &none
        } else {
            names.first().unwrap_or(&none)
        },
        "",
    );
    for name in names.iter().skip(1) {
        line("", name, "");
    }
}

/// What was done to the text on its way into feeds.
fn changes(account: &Account) {
    let (before, after) = (html::census(&account.source), html::census(&account.clean));
    let gone: BTreeMap<&str, usize> = before
        .iter()
        .filter_map(|(name, count)| {
            let left = count.saturating_sub(after.get(name).copied().unwrap_or_default());
            (left > 0).then_some((name.as_str(), left))
        })
        .collect();
    say("");
    if account.addresses.is_empty() && gone.is_empty() {
        say("  the text goes into feeds as it is");
        return;
    }
    say("  the text in feeds");
    for (written, absolute) in &account.addresses {
        line("", &format!("{written} → {absolute}"), "");
    }
    let parts: Vec<String> = gone
        .iter()
        .map(|(name, count)| {
            if *count == 1 {
                (*name).to_owned()
            } else {
                format!("{count} × {name}")
            }
        })
        .collect();
    if !parts.is_empty() {
        line(
            "",
            &format!(
                "not for readers, or written otherwise: {}",
                parts.join(", ")
            ),
            "",
        );
    }
}
