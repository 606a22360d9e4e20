//! The subscriptions, and what is asked for and not verified yet, in a database of one file that survives whatever happens
//! to the process. One thread writes; what comes while it does is written together.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::request::Callback;
use crate::client::hurried;

mod requests;
mod subscriptions;

pub(super) use requests::{Asked, Full};
pub(super) use subscriptions::{Candidate, Due};

/// The file, in the state folder.
const FILE: &str = "hub.sqlite";

/// So many jobs are written together at most.
const TOGETHER: usize = 1024;
/// After so long what nobody verified is forgotten, in seconds.
const PATIENCE: i64 = 3600;

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS subscription (
  -- never given twice: a delivery that is under way must not be noted of another subscription
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  topic     TEXT NOT NULL,
  callback  TEXT NOT NULL,
  host      TEXT NOT NULL,
  secret    TEXT,
  expires   INTEGER NOT NULL,
  -- the version that it has
  delivered TEXT NOT NULL DEFAULT '',
  -- the version that could not be delivered: how often it was tried, since when, and when it is tried again
  failing   TEXT NOT NULL DEFAULT '',
  tries     INTEGER NOT NULL DEFAULT 0,
  since     INTEGER NOT NULL DEFAULT 0,
  due       INTEGER,
  -- whether the last delivery took long or failed
  slow      INTEGER NOT NULL DEFAULT 0,
  -- raised with each request that is verified: what was begun before is not noted of it
  turn      INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, callback)
);
CREATE INDEX IF NOT EXISTS subscription_host ON subscription (host);
CREATE INDEX IF NOT EXISTS subscription_of ON subscription (topic, slow, id);
CREATE INDEX IF NOT EXISTS subscription_due ON subscription (slow, due, id) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS request (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  mode      TEXT NOT NULL,
  topic     TEXT NOT NULL,
  callback  TEXT NOT NULL,
  host      TEXT NOT NULL,
  secret    TEXT,
  lease     INTEGER NOT NULL,
  asked     INTEGER NOT NULL,
  tries     INTEGER NOT NULL DEFAULT 0,
  due       INTEGER NOT NULL,
  UNIQUE (topic, callback)
);
CREATE INDEX IF NOT EXISTS request_host ON request (host, due);
-- one row: the public address of the feeds, how long they were served there, in milliseconds, and what it was before
CREATE TABLE IF NOT EXISTS address (
  base      TEXT NOT NULL,
  served    INTEGER NOT NULL,
  former    TEXT
);
";

/// The file that a database was damaged in, and what belongs to it.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// Instants here are seconds since 1970.
pub(super) type Seconds = i64;

/// What is to be found out, or to be changed; what is then to be done when it is durable, or is not.
type Job = Box<dyn FnOnce(&Connection) -> After + Send>;
type After = Box<dyn FnOnce(Result<(), &rusqlite::Error>) + Send>;

/// The database, open. The thread that has it ends when the last of these is gone.
#[derive(Debug, Clone)]
pub(super) struct Books(Sender<Job>);

impl Books {
    /// Opens the database in the state folder. One that is damaged is put aside, and told: readers subscribe anew before
    /// their leases end.
    pub(super) fn open(state: &Path) -> Result<Self> {
        std::fs::create_dir_all(state)
            .with_context(|| format!("cannot make `{}`", state.display()))?;
        let path = state.join(FILE);
        let connection = match connect(&path) {
            Err(error) if is_damaged(&error) => {
                let aside = put_aside(&path)?;
                tracing::error!(
                    "`{}` is damaged: {error}; it is kept as `{}`, and readers subscribe anew when their leases end",
                    path.display(),
                    aside.display()
                );
                connect(&path)
            }
            opened => opened,
        };
        let connection = connection.with_context(|| format!("cannot open `{}`", path.display()))?;
        let (sender, jobs) = channel();
        std::thread::Builder::new()
            .name("hub".to_owned())
            .spawn(move || work(connection, &jobs))
            .context("cannot start a thread")?;
        Ok(Self(sender))
    }

    /// Does something, and waits until it is durable.
    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = job(connection);
            Box::new(move |durable| {
                let done = match durable {
                    Ok(()) => done.map_err(anyhow::Error::from),
                    Err(error) => Err(anyhow!("the database cannot be written: {error}")),
                };
                // whoever asked may have gone
                let _ = sender.send(done);
            })
        });
        let gone = "the database is closed";
        self.0.send(job).map_err(|_| anyhow!(gone))?;
        receiver.await.context(gone)?
    }

    /// Notes that the feeds were served at this public address for some time more. Returns for how long they were in all, and
    /// what the address was before.
    pub(super) async fn serve_at(
        &self,
        base: String,
        more: Duration,
    ) -> Result<(Duration, Option<String>)> {
        self.ask(move |connection| {
            let known = connection
                .prepare_cached("SELECT base, served, former FROM address")?
                .query_row([], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
                });
            let (served, former) = match known.optional()? {
                Some((known, served, former)) if known == base => {
                    let served = Duration::from_millis(served.unsigned_abs());
                    (served + more, former)
                }
                known => (Duration::ZERO, known.map(|(known, ..)| known)),
            };
            connection.execute("DELETE FROM address", [])?;
            let sql = "INSERT INTO address (base, served, former) VALUES (?1, ?2, ?3)";
            let milliseconds = i64::try_from(served.as_millis()).unwrap_or(i64::MAX);
            connection.execute(sql, params![base, milliseconds, former])?;
            Ok((served, former))
        })
        .await
    }

    /// All topics that somebody is subscribed to, or wants to be.
    pub(super) async fn topics(&self) -> Result<Vec<String>> {
        self.ask(|connection| {
            let sql = "SELECT topic FROM subscription UNION SELECT topic FROM request";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        })
        .await
    }

    /// Some of those who are subscribed to a topic, or want to be; they are not any longer.
    pub(super) async fn disband(&self, topic: String, most: u32) -> Result<Vec<Callback>> {
        self.ask(move |connection| {
            let mut found = Vec::new();
            for table in ["request", "subscription"] {
                let sql = format!(
                    "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE topic = ?1 LIMIT ?2)
                     RETURNING callback"
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map(params![topic, most], |row| row.get::<_, String>(0))?;
                for callback in rows {
                    found.extend(Callback::parse(&callback?).ok());
                }
            }
            Ok(found)
        })
        .await
    }

    /// Forgets what is over, and tells how many subscriptions there are.
    pub(super) async fn tidy(&self, now: Seconds) -> Result<u64> {
        self.ask(move |connection| {
            connection.execute("DELETE FROM subscription WHERE expires <= ?1", [now])?;
            let patience = seconds(hurried(Duration::from_secs(PATIENCE.unsigned_abs())));
            connection.execute("DELETE FROM request WHERE asked <= ?1", [now - patience])?;
            let count: u32 =
                connection.query_row("SELECT count(*) FROM subscription", [], |row| row.get(0))?;
            Ok(count.into())
        })
        .await
    }
}

/// A duration in whole seconds, at least 1.
pub(super) fn seconds(duration: Duration) -> Seconds {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX).max(1)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(SCHEMA)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(connection);
    }
    let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(damaged, Some(verdict)))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

/// Moves a damaged database out of the way, and what belongs to it.
fn put_aside(path: &Path) -> Result<PathBuf> {
    let failed = || format!("cannot put `{}` aside", path.display());
    let free = (1..).map(|number| path.with_extension(format!("damaged-{number}.sqlite")));
    let aside = free.into_iter().find(|aside| !aside.exists());
    let aside = aside.with_context(failed)?;
    for suffix in PARTS {
        let part = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        match std::fs::rename(part(path), part(&aside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(failed);
            }
            _ => {}
        }
    }
    Ok(aside)
}

/// Does jobs, as many together as have come, until nobody is left to send any.
fn work(mut connection: Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut after: Vec<After> = Vec::new();
        // what reads first and writes then must not find another one writing in between
        let immediate = TransactionBehavior::Immediate;
        let written = connection
            .transaction_with_behavior(immediate)
            .and_then(|transaction| {
                let jobs = std::iter::once(first).chain(jobs.try_iter());
                after.extend(jobs.take(TOGETHER).map(|job| job(&transaction)));
                transaction.commit()
            });
        for after in after {
            after(written.as_ref().copied());
        }
    }
}
