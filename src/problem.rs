//! What the author is told: one form for every fault in an article, a document or the folder.
//!
//! A fault of the outside world (a full disk, say) is an error of the run, not a [`Problem`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a [`Problem`] matters; ordered from harmless to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing, nothing to do.
    Info,
    /// Published as far as it was understood; the author should look.
    Warning,
    /// An article or a document is not as it is written.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One fault: where it is, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// How much it matters.
    pub level: Level,
    /// The file, as the user would write it; for an article its path inside the articles folder
    /// (the shell puts the folder's name in front).
    pub path: String,
    /// The line in the file, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// What is wrong: lower case, names in backticks, no final stop.
    pub what: String,
    /// What to do about it, in the same form; empty if there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub remedy: String,
}

impl Problem {
    /// A problem of `level` in the file `path`.
    pub fn new(level: Level, path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            level,
            path: path.into(),
            line: None,
            what: what.into(),
            remedy: String::new(),
        }
    }

    /// An [`Level::Error`] in the file `path`.
    pub fn error(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Error, path, what)
    }

    /// A [`Level::Warning`] in the file `path`.
    pub fn warning(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Warning, path, what)
    }

    /// An [`Level::Info`] on the file `path`.
    pub fn info(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Info, path, what)
    }

    /// The same problem, at `line` (counted from 1).
    #[must_use]
    pub fn at(mut self, line: impl Into<Option<u32>>) -> Self {
        self.line = line.into();
        self
    }

    /// The same problem, with what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl fmt::Display for Problem {
    /// `path:line: what; remedy`, on one line whatever the parts hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.path))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", printable(&self.what))?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", printable(&self.remedy))?;
        }
        Ok(())
    }
}

/// File names and quoted text may hold control characters: they must not drive a terminal.
fn printable(text: &str) -> String {
    let hidden =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .flat_map(|c| {
            if hidden(c) {
                c.escape_unicode().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}
