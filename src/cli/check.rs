//! `tidings check`: the gate on any feed, in a file or on a server.

use std::io::Read;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::report::Report;
use super::{Format, Place, Refused, configure, exit, say};
use crate::check::{self, Finding, location};
use crate::edition::Kind;
use crate::problem::Level;

mod fetch;
mod visit;

/// The options of `tidings check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Feeds, as files (`-`: standard input) or addresses [default: those in the folder of feeds]
    #[arg(value_name = "FILE|URL")]
    what: Vec<String>,
    #[command(flatten)]
    place: Place,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    /// As text for people, or as JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What was found out of one feed.
#[derive(Debug, Default, serde::Serialize)]
struct Verdict {
    feed: String,
    remarks: Vec<Remark>,
    /// Why it could not be had at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

#[derive(Debug, serde::Serialize)]
struct Remark {
    /// `None`: all is well.
    level: Option<Level>,
    what: String,
}

impl Verdict {
    fn fine(&mut self, what: impl Into<String>) {
        self.put(None, what);
    }

    fn warn(&mut self, what: impl Into<String>) {
        self.put(Some(Level::Warning), what);
    }

    fn wrong(&mut self, what: impl Into<String>) {
        self.put(Some(Level::Error), what);
    }

    fn put(&mut self, level: Option<Level>, what: impl Into<String>) {
        self.remarks.push(Remark {
            level,
            what: what.into(),
        });
    }

    /// What the gate says of a document at this address.
    fn gate(&mut self, kind: Kind, bytes: &[u8], url: &str) {
        let findings = check::check(kind, bytes, check::Place { url });
        let entries = check::read::read(kind, bytes).map(|feed| feed.entries.len());
        let what = match entries {
            Some(1) => format!("{}, 1 entry, {} bytes", name(kind), bytes.len()),
            Some(entries) => format!("{}, {entries} entries, {} bytes", name(kind), bytes.len()),
            None => format!("{}, {} bytes", name(kind), bytes.len()),
        };
        self.fine(what);
        if findings.is_empty() {
            self.fine("valid: nothing that a validator would remark on");
        }
        for finding in findings {
            let level = if finding.is_warning() {
                Level::Warning
            } else {
                Level::Error
            };
            self.put(Some(level), said(&finding));
        }
    }

    fn worst(&self) -> Option<Level> {
        self.remarks.iter().filter_map(|remark| remark.level).max()
    }
}

fn said(finding: &Finding) -> String {
    match &finding.entry {
        Some(entry) => format!("{} ({}), in the entry {entry}", finding.what, finding.rule),
        None => format!("{} ({})", finding.what, finding.rule),
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Rss => "RSS 2.0",
        Kind::Atom => "Atom 1.0",
        Kind::Json => "JSON Feed",
        _ => "OPML 2.0",
    }
}

pub(super) fn check(args: &Check) -> u8 {
    let report = Report::new(false, false, args.strict, args.format == Format::Json);
    let mut feeds = args.what.clone();
    if feeds.is_empty() {
        match published(args) {
            Ok(found) => feeds = found,
            Err(refused) => return report.refusals(&refused.problems, refused.exit),
        }
    }
    let verdicts: Vec<Verdict> = feeds.iter().map(|feed| judge(feed)).collect();
    if args.format == Format::Json {
        say(&json!({ "feeds": verdicts }).to_string());
    } else {
        verdicts.iter().for_each(|verdict| tell(verdict, &report));
    }
    let bar = if args.strict {
        Level::Warning
    } else {
        Level::Error
    };
    if verdicts.iter().any(|verdict| verdict.worst() >= Some(bar)) {
        exit::NOT_AS_WRITTEN
    } else if verdicts.iter().any(|verdict| verdict.failed.is_some()) {
        exit::NOTHING_WRITTEN
    } else {
        exit::DONE
    }
}

fn tell(verdict: &Verdict, report: &Report) {
    say(&verdict.feed);
    for remark in &verdict.remarks {
        report.remark(remark.level, &remark.what);
    }
    if let Some(failed) = &verdict.failed {
        report.remark(Some(Level::Error), failed);
    }
}

/// The feeds that the manifest names.
fn published(args: &Check) -> Result<Vec<String>, Refused> {
    let config = configure(&args.place, &[])?;
    let disk = crate::store::Disk::new(&config.feeds, &config.state(), &config.compress);
    let manifest = disk.manifest(&mut Vec::new()).ok().flatten();
    let manifest = manifest.ok_or_else(|| {
        let problem = crate::problem::Problem::error(
            config.feeds.display().to_string(),
            "holds no feeds that tidings has written",
        );
        vec![problem.remedy("build them first, or name a file or an address")]
    })?;
    let documents = manifest
        .documents
        .iter()
        .filter(|(_, document)| document.kind.has_siblings());
    Ok(documents
        .map(|(route, _)| config.feeds.join(route).display().to_string())
        .collect())
}

fn judge(feed: &str) -> Verdict {
    let mut verdict = Verdict {
        feed: feed.to_owned(),
        ..Verdict::default()
    };
    if feed.starts_with("http://") || feed.starts_with("https://") {
        visit::visit(feed, &mut verdict);
        return verdict;
    }
    let mut bytes = Vec::new();
    let read = if feed == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(Path::new(feed)).map(|read| bytes = read)
    };
    match (read, check::kind(&bytes)) {
        (Err(error), _) => verdict.failed = Some(format!("cannot be read: {error}")),
        (Ok(()), None) => verdict.wrong("is no feed: neither RSS, Atom, JSON Feed nor OPML"),
        (Ok(()), Some(kind)) => {
            // where it is published it says itself
            let url = location(kind, &bytes).unwrap_or_default();
            verdict.gate(kind, &bytes, &url);
        }
    }
    verdict
}
