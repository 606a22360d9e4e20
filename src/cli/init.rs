//! `tidings init`: a configuration for the folder that is here.

use std::io::Write;
use std::path::Path;

use clap::Args;

use super::report::Report;
use super::{exit, say};
use crate::config::{self, Config, Raw};
use crate::problem::Problem;
use crate::site::Tool;

mod recognise;

use recognise::{Look, recognise};

/// The options of `tidings init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    #[arg(
        long,
        value_name = "URL",
        help = "The public address, such as https://example.org/"
    )]
    base_url: Option<String>,
}

/// What git must know: lines of the ledger merge, and what may be lost is not committed.
const GIT: [(&str, &str); 2] = [
    (".gitattributes", "ledger.jsonl merge=union"),
    (".gitignore", ".tidings/"),
];

pub(super) fn init(args: &Init) -> u8 {
    let report = Report::new(false, false, false, false);
    let mut look = recognise(Path::new(""));
    look.base_url = args.base_url.clone().or(look.base_url);
    let text = configuration(&look);
    // what is written must be what is understood
    let checked = Raw::parse(&text, config::FILE)
        .and_then(|raw| Config::resolve(&raw, config::FILE, Path::new("")));
    if let Err(problems) = checked {
        return report.refusals(&problems, exit::USAGE);
    }
    if let Err(problem) = put_new(config::FILE, &text) {
        return report.refusals(&[problem], exit::USAGE);
    }
    say(&match &look.tool {
        Some((tool, file)) => format!(
            "wrote tidings.toml: looks like {} ({file})",
            title_case(tool.name())
        ),
        None => "wrote tidings.toml".to_owned(),
    });
    for note in &look.notes {
        say(&format!("note: {note}"));
    }
    for (file, line) in GIT {
        match add_line(file, line) {
            Ok(true) => say(&format!("wrote {file}: {line}")),
            Ok(false) => {}
            Err(problem) => {
                return report.refusals(&[problem], exit::NOTHING_WRITTEN);
            }
        }
    }
    if look.articles.is_none() {
        say("there is no folder of articles yet: put them into `articles/`");
    }
    say("next: `tidings list` shows how the articles are understood, `tidings serve` the feeds");
    exit::DONE
}

fn title_case(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Never in the place of a file that is there.
fn put_new(file: &str, text: &str) -> Result<(), Problem> {
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(file);
    match made.and_then(|mut made| made.write_all(text.as_bytes())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Problem::error(file, "is there already").remedy("edit it, or move it away first"))
        }
        Err(error) => Err(Problem::error(file, format!("cannot be written: {error}"))
            .remedy("see that this folder may be written to")),
    }
}

/// Whether the line was missing.
fn add_line(file: &str, line: &str) -> Result<bool, Problem> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    if text.lines().any(|other| other.trim() == line) {
        return Ok(false);
    }
    let start = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let mut options = std::fs::File::options();
    let written = options
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| writeln!(file, "{start}{line}"));
    written.map(|()| true).map_err(|error| {
        Problem::error(file, format!("cannot be written: {error}"))
            .remedy("see that this folder may be written to")
    })
}

/// The text of the configuration: what is known is set, what is usual stands there as a comment.
fn configuration(look: &Look) -> String {
    let mut text = String::from(
        "# Every key is optional, and unknown keys are refused. The README explains them all.\n\n",
    );
    let quoted = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let mut put = |key: &str, value: Option<&str>, instead: &str, comment: &str| {
        let (mark, value) = match value {
            Some(value) => ("", quoted(value)),
            None => ("# ", quoted(instead)),
        };
        let line = format!("{mark}{key:11} = {value}");
        let line = if comment.is_empty() {
            line
        } else {
            format!("{line:50} # {comment}")
        };
        text += &line;
        text.push('\n');
    };
    let base = look
        .base_url
        .as_deref()
        .filter(|url| url.starts_with("http"));
    put(
        "base_url",
        base,
        "https://example.org/",
        "the public address: links and ids depend on it",
    );
    put("title", look.title.as_deref(), "My site", "");
    if let Some(description) = &look.description {
        put("description", Some(description), "", "");
    }
    put(
        "author",
        look.author.as_deref(),
        "Ann Example <ann@example.org>",
        "",
    );
    let language = look
        .language
        .as_deref()
        .and_then(crate::article::language::tag);
    put("language", language.as_deref(), "en", "");
    let machine = iana_time_zone::get_timezone().ok();
    let (zone, whose) = match &look.time_zone {
        Some(zone) => (Some(zone.clone()), "of dates written without a zone"),
        None => (machine, "this machine's, for dates written without a zone"),
    };
    let zone = zone.filter(|zone| zone.parse::<chrono_tz::Tz>().is_ok());
    put("time_zone", zone.as_deref(), "UTC", whose);
    let articles = look
        .articles
        .as_ref()
        .map(|articles| articles.display().to_string());
    put("articles", articles.as_deref(), "articles", "");
    match (&look.permalink, &look.tool) {
        (Some(pattern), _) => put("permalink", Some(pattern), "", "where your pages are"),
        (None, Some((tool, _))) => put(
            "permalink",
            Some(tool.name()),
            "",
            &format!("your pages are where {} puts them", title_case(tool.name())),
        ),
        (None, None) => put(
            "permalink",
            None,
            "/:year/:month/:slug/",
            "where your pages are; without it tidings makes pages",
        ),
    }
    if let Some((Tool::Eleventy, _)) = look.tool {
        text += "# links follow Eleventy's `permalink` in front matter; one that a layout or a data file sets is not seen\n";
    }
    text += "\n[defaults]\n# limit   = 30                      # entries in a feed\n# content = \"both\"                  # summary and whole text; or full, summary\n# by      = [\"tag\", \"category\"]     # also a feed per tag, category, author, section, language\n";
    text
}
