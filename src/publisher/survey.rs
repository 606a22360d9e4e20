//! Every file of the folder as it is understood, and why it is, or is not, where readers see it. Writes nothing.

use chrono::{DateTime, Utc};

use super::books::Books;
use super::desk::Desk;
use super::meeting::{Met, observe};
use super::read::{self, Offer};
use super::{Catalogue, Config, Halt, Order, Problem, Progress};
use crate::article::Article;
use crate::catalogue::{Class, Entry, Number, Reading, Row, Standing};
use crate::problem::Level;
use crate::state::State as Kept;

/// What readers see of an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is in feeds.
    Public,
    /// It has a page, and is in no feed.
    Unlisted,
    /// It appears by itself.
    Scheduled,
    /// It went by itself.
    Expired,
    /// Its author keeps it back.
    Draft,
    /// It is a copy, claims another article's id, or waits for a file that is being copied.
    Held,
    /// It cannot be understood, and no earlier version is left.
    Broken,
    /// It only leads elsewhere.
    Redirect,
    /// It is no article: a page that lists some, or a file that belongs to another.
    Ignored,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Public,
        Self::Unlisted,
        Self::Scheduled,
        Self::Expired,
        Self::Draft,
        Self::Held,
        Self::Broken,
        Self::Redirect,
        Self::Ignored,
    ];

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Scheduled => "scheduled",
            Self::Expired => "expired",
            Self::Draft => "draft",
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Redirect => "redirect",
            Self::Ignored => "ignored",
        }
    }
}

/// One file, as it is understood.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// Inside the articles folder.
    pub path: String,
    /// What readers see of it.
    pub state: State,
    /// Why; empty if there is nothing special.
    pub why: String,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// The instant at which it was, or will be, published.
    pub published: Option<DateTime<Utc>>,
    /// When it last changed for readers.
    pub updated: Option<DateTime<Utc>>,
    /// By which readers know it.
    pub id: Option<String>,
    /// Where it is on the web.
    pub link: Option<String>,
}

/// What a folder holds.
pub struct Survey {
    /// In the order of paths.
    pub files: Vec<Listed>,
    /// What is public.
    pub catalogue: Catalogue,
    /// What the author should know, with paths inside the folder.
    pub problems: Vec<Problem>,
    /// What the last run left.
    state: Kept,
}

impl Survey {
    /// A public article with its text.
    #[must_use]
    pub fn whole(&self, number: Number, config: &Config) -> Option<Entry> {
        let public = self.catalogue.row(number)?.public()?;
        let article = read::whole(config, &self.catalogue, &self.state, number)?;
        Some(Entry::new(&public, article))
    }
}

/// Looks at everything as a turn would.
pub(super) fn survey(
    config: &Config,
    order: &Order,
    progress: &dyn Progress,
) -> Result<Survey, Halt> {
    let state = Kept::load(&config.state());
    let mut desk = Desk::default();
    desk.open(config);
    // everything is to be judged anew, so that all is told
    desk.is_settled = false;
    let look = read::look(config, &desk, &state, order, progress)?;
    let mut books = Books::open(config, &mut desk, state)?;
    let at = books.at_a_sound_time(config, order, desk.turned);
    let Met { seen, .. } = observe(config, &mut books, &mut desk, look, &at, order.now);
    let catalogue = desk.catalogue;
    let mut problems = desk.aside.problems;
    problems.extend(catalogue.notes());
    problems.extend(seen.problems);
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    let rows = catalogue
        .rows()
        .filter(|(_, row)| row.class == Class::Article);
    let listed =
        rows.map(|(number, row)| listed(number, row, &catalogue, config, order.now, &problems));
    let mut files: Vec<Listed> = listed.collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Survey {
        files,
        catalogue,
        problems,
        state: books.state,
    })
}

fn listed(
    number: Number,
    row: &Row,
    catalogue: &Catalogue,
    config: &Config,
    now: DateTime<Utc>,
    problems: &[Problem],
) -> Listed {
    let path = row.path.to_string();
    if let Some(entry) = catalogue.entry(number) {
        return public(&entry, &crate::link::of(&entry, &config.site), problems);
    }
    let article = catalogue.article(number);
    match (row.standing, article) {
        (Standing::Waiting, Some(article)) => withheld(&path, &article, config, now, problems),
        (_, Some(article)) if row.reading == Reading::Whole => {
            match read::offer(catalogue, number, config) {
                Offer::Hidden(why) => draft(article, why, config),
                Offer::Aside(why) => Listed {
                    state: State::Ignored,
                    why,
                    title: title(&article),
                    ..bare(path)
                },
                _ => bare(path),
            }
        }
        (_, Some(article)) if row.reading == Reading::Early => Listed {
            state: State::Held,
            why: problem(&path, Level::Warning, problems).unwrap_or_default(),
            title: title(&article),
            published: article
                .published
                .map(|date| date.instant(config.site.zone, 0)),
            ..bare(path)
        },
        _ if row.reading == Reading::Other => {
            let why = problem(&path, Level::Info, problems).unwrap_or_default();
            let is_redirect = why.contains("redirect");
            Listed {
                state: if is_redirect {
                    State::Redirect
                } else {
                    State::Ignored
                },
                why,
                ..bare(path)
            }
        }
        _ => Listed {
            why: problem(&path, Level::Error, problems)
                .or_else(|| problem(&path, Level::Warning, problems))
                .unwrap_or_else(|| "is empty".to_owned()),
            ..bare(path)
        },
    }
}

fn bare(path: String) -> Listed {
    Listed {
        path,
        state: State::Broken,
        why: String::new(),
        title: None,
        published: None,
        updated: None,
        id: None,
        link: None,
    }
}

fn public(entry: &Entry, link: &str, problems: &[Problem]) -> Listed {
    let (state, mut why) = if entry.in_feeds() {
        (State::Public, String::new())
    } else {
        (
            State::Unlisted,
            entry.article.why.clone().unwrap_or_default(),
        )
    };
    if let Some(kept) = problem(&entry.article.path, Level::Warning, problems)
        .filter(|what| what.contains("last good version"))
    {
        why = kept;
    }
    Listed {
        path: entry.article.path.clone(),
        state,
        why,
        title: title(&entry.article),
        published: Some(entry.published),
        updated: Some(entry.updated),
        id: Some(entry.id.clone()),
        link: Some(link.to_owned()),
    }
}

/// For the public, if its dates and the others allowed it.
fn withheld(
    path: &str,
    article: &Article,
    config: &Config,
    now: DateTime<Utc>,
    problems: &[Problem],
) -> Listed {
    let zone = config.site.zone;
    let instant = |date: crate::article::Date| date.instant(zone, 0);
    let said = |instant: DateTime<Utc>| {
        instant
            .with_timezone(&zone)
            .format("%Y-%m-%d %H:%M %Z")
            .to_string()
    };
    let (published, expires) = (article.published.map(instant), article.expires.map(instant));
    let (state, why) = match (published, expires) {
        (Some(published), _) if published > now => {
            (State::Scheduled, format!("appears on {}", said(published)))
        }
        (_, Some(expires)) if expires <= now => {
            (State::Expired, format!("went on {}", said(expires)))
        }
        _ => {
            let why = problem(path, Level::Error, problems)
                .or_else(|| problem(path, Level::Warning, problems));
            (State::Held, why.unwrap_or_default())
        }
    };
    Listed {
        state,
        why,
        title: title(article),
        published,
        ..bare(path.to_owned())
    }
}

fn draft(article: Article, why: String, config: &Config) -> Listed {
    Listed {
        state: State::Draft,
        why,
        title: title(&article),
        published: article
            .published
            .map(|date| date.instant(config.site.zone, 0)),
        ..bare(article.path)
    }
}

fn problem(path: &str, level: Level, problems: &[Problem]) -> Option<String> {
    let found = problems
        .iter()
        .find(|problem| problem.path == path && problem.level == level)?;
    let line = found.line.map(|line| format!(" (line {line})"));
    Some(format!("{}{}", found.what, line.unwrap_or_default()))
}

fn title(article: &Article) -> Option<String> {
    article.title.as_ref().map(|title| title.text.clone())
}
