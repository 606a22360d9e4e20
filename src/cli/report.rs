//! What a person or a program is told of a run.

use std::io::{IsTerminal, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::say;
use crate::config::Config;
use crate::problem::{Level, Problem};
use crate::publisher::{Halt, Order, Turn};

/// How to speak.
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are the options of the command line, one by one"
)]
pub(super) struct Report {
    quiet: bool,
    verbose: bool,
    strict: bool,
    json: bool,
    terminal: bool,
    colour: bool,
}

impl Report {
    #[allow(
        clippy::fn_params_excessive_bools,
        reason = "they are the options of the command line, one by one"
    )]
    pub(super) fn new(quiet: bool, verbose: bool, strict: bool, json: bool) -> Self {
        let stderr = std::io::stderr().is_terminal();
        let colour = stderr && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            quiet,
            verbose,
            strict,
            json,
            terminal: std::io::stdout().is_terminal(),
            colour,
        }
    }

    /// Whether the run ends with an error: something is not as written, or, when strict, not as it should be.
    pub(super) fn failed(&self, turn: &Turn) -> bool {
        let bar = if self.strict {
            Level::Warning
        } else {
            Level::Error
        };
        turn.problems.iter().any(|problem| problem.level >= bar)
    }

    /// Tells what stands in the way before anything was begun.
    /// The exit code is given back.
    pub(super) fn refusals(&self, problems: &[Problem], exit: u8) -> u8 {
        if self.json {
            say(&json!({ "exit": exit, "problems": problems }).to_string());
        }
        problems.iter().for_each(|problem| self.problem(problem));
        exit
    }

    /// Tells why nothing was written.
    pub(super) fn halt(&self, halt: &Halt) {
        let code = if matches!(halt, Halt::Locked) {
            super::exit::LOCKED
        } else {
            super::exit::NOTHING_WRITTEN
        };
        if self.json {
            say(&json!({ "exit": code, "error": halt.to_string() }).to_string());
        }
        self.line(Level::Error, &halt.to_string());
    }

    /// Tells what was done.
    pub(super) fn turn(&self, turn: &Turn, config: &Config, order: &Order) {
        if self.json {
            say(&self.as_json(turn, order));
        }
        for problem in &turn.problems {
            let news = self.verbose || turn.news.contains(&problem.to_string());
            let wanted = match problem.level {
                Level::Error => true,
                Level::Warning => !self.quiet && (self.strict || news),
                Level::Info => self.verbose,
            };
            if wanted {
                self.problem(problem);
            }
        }
        if self.json || self.quiet {
            return;
        }
        if order.dry_run || self.verbose {
            changes(turn, order);
        }
        if self.terminal || order.dry_run || self.verbose || turn.changed() {
            say(&summary(turn, config));
        }
    }

    fn as_json(&self, turn: &Turn, order: &Order) -> String {
        let pairs = |list: &[(String, String)]| {
            list.iter()
                .map(|(to, from)| json!({ "path": to, "was": from }))
                .collect::<Vec<_>>()
        };
        json!({
            "exit": if self.failed(turn) { super::exit::NOT_AS_WRITTEN } else { super::exit::DONE },
            "dry_run": order.dry_run,
            "new": turn.new,
            "updated": turn.updated,
            "withdrawn": turn.withdrawn,
            "returned": turn.returned,
            "renamed": pairs(&turn.renamed),
            "changed_ids": turn.changed_ids.iter()
                .map(|(path, from, to)| json!({ "path": path, "was": from, "id": to })).collect::<Vec<_>>(),
            "next_due": turn.next.map(rfc3339),
            "written": turn.written,
            "deleted": turn.deleted,
            "entries": turn.entries,
            "problems": turn.problems,
        })
        .to_string()
    }

    /// One line below the name of a feed; without a level all is well.
    pub(super) fn remark(&self, level: Option<Level>, text: &str) {
        let (start, end) = match (self.colour && self.terminal, level) {
            (false, _) => ("", ""),
            (true, None) => ("\x1b[1;32m", "\x1b[0m"),
            (true, Some(Level::Error)) => ("\x1b[1;31m", "\x1b[0m"),
            (true, Some(_)) => ("\x1b[1;33m", "\x1b[0m"),
        };
        let word = level.map_or_else(|| "ok".to_owned(), |level| level.to_string());
        say(&format!("  {start}{word:8}{end} {text}"));
    }

    fn problem(&self, problem: &Problem) {
        self.line(problem.level, &problem.to_string());
    }

    /// One line on standard error: the level in its colour, then the text.
    fn line(&self, level: Level, text: &str) {
        let (start, end) = match (self.colour, level) {
            (false, _) => ("", ""),
            (true, Level::Error) => ("\x1b[1;31m", "\x1b[0m"),
            (true, Level::Warning) => ("\x1b[1;33m", "\x1b[0m"),
            (true, Level::Info) => ("\x1b[1;36m", "\x1b[0m"),
        };
        let _ = writeln!(std::io::stderr().lock(), "{start}{level}{end}: {text}");
    }
}

/// Each article that subscribers see change, and each document.
fn changes(turn: &Turn, order: &Order) {
    let lists = [
        ("new", &turn.new),
        ("updated", &turn.updated),
        ("withdrawn", &turn.withdrawn),
        ("returned", &turn.returned),
    ];
    for (word, paths) in lists {
        paths
            .iter()
            .for_each(|path| say(&format!("{word:10} {path}")));
    }
    turn.renamed
        .iter()
        .for_each(|(path, old)| say(&format!("{:10} {path} (was {old})", "renamed")));
    turn.changed_ids.iter().for_each(|(path, old, new)| {
        say(&format!("{:10} {path}: {old} becomes {new}", "id changed"));
    });
    let (write, delete) = if order.dry_run {
        ("would write", "would delete")
    } else {
        ("wrote", "deleted")
    };
    turn.written
        .iter()
        .for_each(|route| say(&format!("{write} {route}")));
    turn.deleted
        .iter()
        .for_each(|route| say(&format!("{delete} {route}")));
}

/// What changed for subscribers, in a line.
pub(super) fn summary(turn: &Turn, config: &Config) -> String {
    let mut text = format!(
        "{} new, {} updated, {} withdrawn",
        turn.new.len(),
        turn.updated.len(),
        turn.withdrawn.len()
    );
    if !turn.returned.is_empty() {
        text += &format!(", {} returned", turn.returned.len());
    }
    text += &format!(", {} ids changed", turn.changed_ids.len());
    if let Some(next) = turn.next {
        text += &format!(
            "; next due {}",
            next.with_timezone(&config.site.zone)
                .format("%Y-%m-%d %H:%M")
        );
    }
    text
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
