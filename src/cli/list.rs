//! `tidings list`: each article as it is understood.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::report::Report;
use super::{Format, Place, configure, exit, look, say, terminal_width};
use crate::article::words::cut;
use crate::config::Config;
use crate::publisher::{ArticleState, Listed, Publisher};

/// The options of `tidings list`.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Only articles in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_enum)]
    state: Vec<StateName>,
    /// Tell id and link of each article, too
    #[arg(long, short)]
    long: bool,
    /// As a table, or as JSON with all that is known
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateName {
    /// In feeds
    Public,
    /// On a page, in no feed
    Unlisted,
    /// Appears by itself at its date
    Scheduled,
    /// Went by itself at its date
    Expired,
    /// Kept back by its author
    Draft,
    /// A copy, or with another article's id
    Held,
    /// Not understood
    Broken,
    /// Only leads elsewhere
    Redirect,
    /// No article: a front page, or a file that belongs to an article
    Ignored,
}

impl StateName {
    fn is(self, state: ArticleState) -> bool {
        format!("{self:?}").eq_ignore_ascii_case(state.name())
    }
}

pub(super) fn list(args: &List) -> u8 {
    let report = Report::new(false, false, false, args.format == Format::Json);
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
    let wanted = |listed: &&Listed| {
        args.state.is_empty() || args.state.iter().any(|state| state.is(listed.state))
    };
    let mut files: Vec<&Listed> = survey.files.iter().filter(wanted).collect();
    // newest first, as feeds have them; what has no date comes last
    files.sort_by(|a, b| (b.published, &a.path).cmp(&(a.published, &b.path)));
    if args.format == Format::Json {
        say(&json!({ "articles": files }).to_string());
        return exit::DONE;
    }
    table(&files, &config, args.long);
    exit::DONE
}

fn table(files: &[&Listed], config: &Config, long: bool) {
    let terminal = std::io::stdout().is_terminal();
    let width = if terminal {
        terminal_width()
    } else {
        usize::MAX
    };
    for listed in files {
        let date = listed.published.map_or_else(String::new, |published| {
            published
                .with_timezone(&config.site.zone)
                .format("%Y-%m-%d")
                .to_string()
        });
        let title = listed
            .title
            .as_deref()
            .unwrap_or("(a note without a title)");
        let left = format!("{date:10}  {:9}  ", listed.state.name());
        // title and path share what is left of the line
        let room = width.saturating_sub(left.len());
        let path = &listed.path;
        if title.chars().count() + path.chars().count() + 2 <= room {
            say(&format!("{left}{title}  {path}"));
        } else {
            say(&format!("{left}{}", cut(title, room.max(20))));
            say(&format!("{:23}{path}", ""));
        }
        if !listed.why.is_empty() {
            wrapped(&listed.why, width);
        }
        if long {
            for text in [&listed.id, &listed.link].into_iter().flatten() {
                say(&format!("{:23}{text}", ""));
            }
        }
    }
    if terminal {
        say(&counts(files));
    }
}

/// A text under the title, broken at words where it would run over the edge.
fn wrapped(text: &str, width: usize) {
    let room = width.saturating_sub(23).max(20);
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() + 1 > room {
            say(&format!("{:23}{line}", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    say(&format!("{:23}{line}", ""));
}

fn counts(files: &[&Listed]) -> String {
    let mut parts = Vec::new();
    for state in ArticleState::ALL {
        let count = files.iter().filter(|listed| listed.state == state).count();
        if count > 0 {
            parts.push(format!("{count} {}", state.name()));
        }
    }
    if parts.is_empty() {
        "no articles".to_owned()
    } else {
        parts.join(", ")
    }
}
