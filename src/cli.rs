//! The command line: arguments and environment become an order; what came of it becomes text and an exit code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::announce;
use crate::config::{self, Config, Raw};
use crate::folder::Finished;
use crate::problem::Problem;
use crate::publisher::{Desk, Halt, Order, Publisher, Turn};
use crate::store::Disk;

mod check;
mod explain;
mod init;
mod list;
mod progress;
mod report;
mod serve;
mod shell;

use report::Report;

/// Exit codes, as the README lists them.
mod exit {
    pub(super) const DONE: u8 = 0;
    pub(super) const USAGE: u8 = 2;
    pub(super) const NOT_AS_WRITTEN: u8 = 3;
    pub(super) const LOCKED: u8 = 4;
    pub(super) const NOTHING_WRITTEN: u8 = 5;
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  2  wrong usage or configuration
  3  an article or a document is not as it is written
  4  another run is at work
  5  nothing was written; the old feeds stay";

const SERVE_EXIT_CODES: &str = "\
Exit codes:
  0  stopped by a signal
  2  wrong usage or configuration
  5  it could not start";

const CHECK_EXIT_CODES: &str = "\
Exit codes:
  0  nothing is wrong
  2  wrong usage or configuration
  3  something is wrong
  5  a file or a server could not be read";

/// Turns a folder of articles into valid RSS, Atom and JSON feeds, and serves them.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the articles, write the feeds, and stop
    #[command(after_help = EXIT_CODES)]
    Build(Build),
    /// Serve the feeds over HTTP, and make them anew whenever the folder changes
    #[command(after_help = SERVE_EXIT_CODES)]
    Serve(serve::Serve),
    /// Write a tidings.toml for the folder that is here
    Init(init::Init),
    /// List each article as it is understood, with its state and why
    List(list::List),
    /// Tell of one article which key or rule gave which value
    Explain(explain::Explain),
    /// Check feeds: those in `feeds`, any file, or what a server answers
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(check::Check),
    /// Write a script that completes commands and options in a shell
    Completions(shell::Completions),
    /// Write the manual page
    Man(shell::Man),
}

/// Which site it is about.
#[derive(Debug, Clone, Default, Args)]
struct Place {
    /// The configuration [default: tidings.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of articles [default: articles]
    #[arg(long, value_name = "FOLDER")]
    articles: Option<PathBuf>,
    /// Where the feeds go [default: feeds]
    #[arg(long, value_name = "FOLDER")]
    feeds: Option<PathBuf>,
    #[arg(
        long,
        value_name = "URL",
        help = "The public address, such as https://example.org/"
    )]
    base_url: Option<String>,
    /// Where your pages are, such as /:year/:month/:slug/ or hugo [default: pages of tidings' own]
    #[arg(long, value_name = "PATTERN")]
    permalink: Option<String>,
}

#[derive(Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are the options of the command line, one by one"
)]
struct Build {
    #[command(flatten)]
    place: Place,
    /// Accept that more than half of the files are gone
    #[arg(long)]
    allow_shrink: bool,
    /// Say nothing but errors
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,
    /// Say everything: warnings told before, too, and each article that changed
    #[arg(long, short)]
    verbose: bool,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    /// Say what subscribers would see, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// How long to wait for another run to finish
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// How to say what was done
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the program with the arguments and the environment of the process.
#[must_use]
pub fn run() -> ExitCode {
    // this thread works with the others: what is little is done before another one is awake
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    let code = match Cli::try_parse() {
        Ok(Cli {
            command: Some(command),
        }) => match command {
            Command::Build(build) => self::build(&build),
            Command::Serve(serve) => serve::serve(&serve),
            Command::Init(init) => init::init(&init),
            Command::List(list) => list::list(&list),
            Command::Explain(explain) => explain::explain(&explain),
            Command::Check(check) => check::check(&check),
            Command::Completions(completions) => shell::completions(&completions),
            Command::Man(man) => shell::man(&man),
        },
        Ok(Cli { command: None }) => serve::serve(&serve::Serve::default()),
        Err(error) => {
            // a closed pipe must not become a panic
            let _ = error.print();
            if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            }
        }
    };
    ExitCode::from(code)
}

fn build(args: &Build) -> u8 {
    let report = Report::new(
        args.quiet,
        args.verbose,
        args.strict,
        args.format == Format::Json,
    );
    let config = match configure(&args.place, &[]) {
        Ok(config) => config,
        Err(refused) => {
            return report.refusals(&refused.problems, refused.exit);
        }
    };
    let now = match now() {
        Ok(now) => now,
        Err(problem) => {
            return report.refusals(&[problem], exit::USAGE);
        }
    };
    let progress = progress::Bar::new(!args.quiet && std::io::stderr().is_terminal());
    let order = Order {
        now,
        allow_shrink: args.allow_shrink,
        dry_run: args.dry_run,
        wait: Duration::from_secs(args.wait),
        clock,
        finished: Finished::default(),
        heard: None,
    };
    let mut desk = Desk::default();
    let publisher = Publisher::new(&config, &progress);
    let outcome = publisher.turn_at(&mut desk, &order, &mut |_| {});
    // the process ends: giving its memory back piece by piece would keep the user waiting
    std::mem::forget(desk);
    progress.finish();
    match outcome {
        Ok(mut turn) => {
            if !args.dry_run {
                announce(&config, &mut turn);
            }
            report.turn(&turn, &config, &order);
            if report.failed(&turn) {
                exit::NOT_AS_WRITTEN
            } else {
                exit::DONE
            }
        }
        Err(halt) => {
            report.halt(&halt);
            if matches!(halt, Halt::Locked) {
                exit::LOCKED
            } else {
                exit::NOTHING_WRITTEN
            }
        }
    }
}

/// Tells the hubs what is new. A hub that does not listen is told of each time, as a warning: nobody else would know.
fn announce(config: &Config, turn: &mut Turn) {
    if config.hubs.is_empty() {
        return;
    }
    let disk = Disk::new(&config.feeds, &config.state(), &config.compress);
    if let Ok(Some(manifest)) = disk.manifest(&mut Vec::new()) {
        let problems = announce::once(config, &manifest, clock);
        turn.news.extend(problems.iter().map(ToString::to_string));
        turn.problems.extend(problems);
    }
}

/// Option before environment before file.
fn configure(args: &Place, listen: &[String]) -> Result<Config, Refused> {
    let (mut raw, name, home) = read_config(args.config.as_deref())?;
    // what the file says is below its own folder; what is typed is below the one that the shell is in
    let here = |path: &Path| {
        let is_same = home.as_os_str().is_empty() || config::is_remote(path);
        let absolute = (!is_same).then(|| std::path::absolute(path).ok()).flatten();
        absolute.unwrap_or_else(|| path.to_owned())
    };
    environment(&mut raw, here);
    raw.articles = args.articles.as_deref().map(here).or(raw.articles);
    raw.feeds = args.feeds.as_deref().map(here).or(raw.feeds);
    raw.base_url = args.base_url.clone().or(raw.base_url);
    raw.permalink = args.permalink.clone().or(raw.permalink);
    if !listen.is_empty() {
        raw.serve.listen = Some(listen.to_vec());
    }
    // what the feed was called when its folder had another name, here or in another clone
    let has_title = raw.title.is_some();
    if !has_title {
        raw.title = kept_title(&raw, &home)?;
    }
    let mut config = Config::resolve(&raw, &name, &home)?;
    config.site.has_title = has_title;
    Ok(config)
}

/// The title that the main feed was given by itself.
fn kept_title(raw: &Raw, home: &Path) -> Result<Option<String>, Refused> {
    let place = |path: &Option<PathBuf>, default: &str| {
        home.join(path.as_deref().unwrap_or(Path::new(default)))
    };
    let ledger = place(&raw.ledger, config::LEDGER);
    let feeds = place(&raw.feeds, config::FEEDS);
    crate::publisher::title::kept(&ledger, &feeds, &config::state_beside(&ledger)).map_err(
        |error| {
            let what = format!("cannot be read: {error}");
            let problem = Problem::error(ledger.display().to_string(), what);
            Refused {
                problems: vec![
                    problem.remedy("let it be read; nothing was published, the old feeds stay"),
                ],
                exit: exit::NOTHING_WRITTEN,
            }
        },
    )
}

/// Why there is no configuration, and the exit code that says so: a disk that fails is not the user's fault.
struct Refused {
    problems: Vec<Problem>,
    exit: u8,
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            exit: exit::USAGE,
        }
    }
}

/// The configuration, what to call it, and the folder that its paths are relative to.
fn read_config(path: Option<&Path>) -> Result<(Raw, String, PathBuf), Refused> {
    let file = path.unwrap_or(Path::new(config::FILE));
    let name = file.display().to_string();
    let home = file.parent().map(Path::to_path_buf).unwrap_or_default();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((Raw::parse(&text, &name)?, name, home)),
        Err(error) if path.is_none() && crate::store::durable::is_absent(&error) => {
            Ok((Raw::default(), name, home))
        }
        Err(error) => {
            let (exit, remedy) = if crate::store::durable::is_absent(&error) {
                (
                    exit::USAGE,
                    "name a file that exists, or leave `--config` out",
                )
            } else {
                let remedy = "let it be read; nothing was published, the old feeds stay";
                (exit::NOTHING_WRITTEN, remedy)
            };
            let what = format!("cannot be read: {error}");
            let problems = vec![Problem::error(name, what).remedy(remedy)];
            Err(Refused { problems, exit })
        }
    }
}

/// `TIDINGS_BASE_URL` and its kin, for every key that holds one value, and `TIDINGS_HUBS`, with blanks between. One that is
/// empty counts as not set: compose files make such.
fn environment(raw: &mut Raw, here: impl Fn(&Path) -> PathBuf) {
    let value = |key: &str| {
        let value = std::env::var(format!("TIDINGS_{key}")).ok()?;
        (!value.trim().is_empty()).then_some(value)
    };
    let texts = [
        ("BASE_URL", &mut raw.base_url),
        ("TITLE", &mut raw.title),
        ("DESCRIPTION", &mut raw.description),
        ("LANGUAGE", &mut raw.language),
        ("TIME_ZONE", &mut raw.time_zone),
        ("AUTHOR", &mut raw.author),
        ("COPYRIGHT", &mut raw.copyright),
        ("ICON", &mut raw.icon),
        ("PERMALINK", &mut raw.permalink),
        ("ENCODING", &mut raw.encoding),
    ];
    for (key, text) in texts {
        *text = value(key).or(text.take());
    }
    for (key, path) in [
        ("ARTICLES", &mut raw.articles),
        ("FEEDS", &mut raw.feeds),
        ("LEDGER", &mut raw.ledger),
    ] {
        *path = value(key)
            .map(|path| here(Path::new(&path)))
            .or(path.take());
    }
    if let Some(hubs) = value("HUBS") {
        // a comma before the next address is none of an address
        let hubs = hubs.replace(",http", " http");
        let hubs = hubs.split_whitespace().map(|hub| hub.trim_end_matches(','));
        raw.hubs = hubs
            .filter(|hub| !hub.is_empty())
            .map(str::to_owned)
            .collect();
    }
}

/// The time, or what `SOURCE_DATE_EPOCH` says it is: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn now() -> Result<DateTime<Utc>, Problem> {
    // files of container programs make empty variables
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let Some(epoch) = epoch.filter(|epoch| !epoch.trim().is_empty()) else {
        return Ok(DateTime::from(clock()));
    };
    let instant = epoch
        .trim()
        .parse()
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    instant.ok_or_else(|| {
        Problem::error(
            "SOURCE_DATE_EPOCH",
            format!("`{epoch}` is no number of seconds"),
        )
        .remedy("unset it, or set it to `date +%s`")
    })
}

/// An order that only looks.
fn look() -> Result<Order, Problem> {
    Ok(Order {
        now: now()?,
        allow_shrink: true,
        dry_run: true,
        wait: Duration::ZERO,
        clock,
        finished: Finished::default(),
        heard: None,
    })
}

/// How many columns the terminal has.
fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// Writes to standard output; a reader that went away is nobody's error.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}").context("cannot write");
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place that asks the clock; everybody else is told"
)]
fn clock() -> SystemTime {
    SystemTime::now()
}
