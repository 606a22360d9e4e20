//! The subscriptions, and what is asked for and not verified yet, in a database of one file that survives whatever happens
//! to the process. One thread writes; what comes while it does is written together.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::delivery::Lane;
use super::request::{Callback, Mode, Request};
use crate::client::hurried;

/// The file, in the state folder.
const FILE: &str = "hub.sqlite";

/// So many jobs are written together at most.
const TOGETHER: usize = 1024;
/// So many subscriptions there may be, with what is asked for and not verified.
const MOST: u32 = 100_000;
/// So many of one host.
const MOST_OF_HOST: u32 = 1_000;
/// So much may be asked for and not be verified.
const MOST_ASKED: u32 = 20_000;
/// After so long what nobody verified is forgotten, in seconds.
const PATIENCE: i64 = 3600;
/// After so long a version that cannot be delivered is given up, in seconds.
const DAY: i64 = 24 * 3600;

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
";

/// The file that a database was damaged in, and what belongs to it.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// Instants here are seconds since 1970.
pub(super) type Seconds = i64;

/// A subscription that something may have to be delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: i64,
    pub(super) topic: String,
    pub(super) host: String,
}

/// A delivery that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    id: i64,
    turn: i64,
    pub(super) callback: Callback,
    pub(super) secret: Option<String>,
}

/// A subscription as it was when a delivery began.
pub(super) type Key = (i64, i64);

impl Due {
    pub(super) fn key(&self) -> Key {
        (self.id, self.turn)
    }
}

/// A request that is to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: i64,
    pub(super) tries: u32,
    pub(super) request: Request,
}

/// Why no request is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// This host has too many.
    Host,
    /// There are too many.
    All,
}

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

    /// Takes a request, in the place of an earlier one that was not verified.
    pub(super) async fn file(&self, request: Request, now: Seconds) -> Result<Result<(), Full>> {
        self.ask(move |connection| file(connection, &request, now))
            .await
    }

    /// The hosts that have something to be asked, whether each was silent, and when it is due.
    pub(super) async fn hosts(&self) -> Result<Vec<(String, bool, Seconds)>> {
        self.ask(|connection| {
            let sql = "SELECT host, min(tries) > 0, min(due) FROM request GROUP BY host";
            let mut statement = connection.prepare_cached(sql)?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        })
        .await
    }

    /// The request of this host that is to be verified next. One that an earlier version let in, and this one does not, is
    /// dropped.
    pub(super) async fn asked_of(&self, host: String, now: Seconds) -> Result<Option<Asked>> {
        self.ask(move |connection| {
            loop {
                let sql = "SELECT id, mode, topic, callback, secret, lease, tries
                           FROM request WHERE host = ?1 AND due <= ?2 ORDER BY due, id LIMIT 1";
                let mut statement = connection.prepare_cached(sql)?;
                let found = statement.query_row(params![host, now], |row| {
                    Ok((row.get::<_, i64>(0)?, asked(row)?))
                });
                match found.optional()? {
                    Some((id, None)) => {
                        connection.execute("DELETE FROM request WHERE id = ?1", [id])?;
                    }
                    found => return Ok(found.and_then(|(_, asked)| asked)),
                }
            }
        })
        .await
    }

    /// When this host is to be asked next, and whether it was silent.
    pub(super) async fn next_of(&self, host: String) -> Result<Option<(bool, Seconds)>> {
        self.ask(move |connection| {
            let sql = "SELECT tries > 0, due FROM request WHERE host = ?1 ORDER BY due LIMIT 1";
            let mut statement = connection.prepare_cached(sql)?;
            let next = statement.query_row([host], |row| Ok((row.get(0)?, row.get(1)?)));
            next.optional()
        })
        .await
    }

    /// What was asked for was meant: a subscription begins, goes on with another lease and secret, or ends. What is current
    /// is delivered right then.
    pub(super) async fn settle(&self, asked: Asked, now: Seconds) -> Result<()> {
        self.ask(move |connection| settle(connection, &asked, now))
            .await
    }

    /// What was asked for was not meant, or comes to nothing.
    pub(super) async fn drop(&self, id: i64) -> Result<()> {
        self.ask(move |connection| {
            connection
                .prepare_cached("DELETE FROM request WHERE id = ?1")?
                .execute([id])
                .map(drop)
        })
        .await
    }

    /// The callback did not say what it meant: it is asked again at `due`.
    pub(super) async fn postpone(&self, id: i64, due: Seconds) -> Result<()> {
        self.ask(move |connection| {
            let sql = "UPDATE request SET tries = tries + 1, due = ?2 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute([id, due]).map(drop)
        })
        .await
    }

    /// Those subscriptions to a topic on a lane, at most `most` with ids above `after`, that do not have the version `tag`,
    /// and that have not failed to take it.
    pub(super) async fn behind(
        &self,
        topic: String,
        tag: String,
        lane: Lane,
        after: i64,
        now: Seconds,
        most: u32,
    ) -> Result<Vec<Candidate>> {
        self.ask(move |connection| {
            let sql = "SELECT id, topic, host FROM subscription
                       WHERE topic = ?1 AND slow = ?2 AND id > ?3 AND expires > ?4
                         AND delivered <> ?5 AND failing <> ?5 ORDER BY id LIMIT ?6";
            let mut statement = connection.prepare_cached(sql)?;
            let parameters = params![topic, lane as i64, after, now, tag, most];
            statement.query_map(parameters, candidate)?.collect()
        })
        .await
    }

    /// Those subscriptions on a lane that are due by now, in their order, behind the instant and the id `after`: they are new,
    /// or did not take what they were sent.
    pub(super) async fn due(
        &self,
        lane: Lane,
        after: (Seconds, i64),
        now: Seconds,
        most: u32,
    ) -> Result<Vec<(Seconds, Candidate)>> {
        self.ask(move |connection| {
            let sql = "SELECT id, topic, host, due FROM subscription
                       WHERE slow = ?1 AND due IS NOT NULL AND due <= ?2 AND expires > ?2
                         AND (due, id) > (?3, ?4) ORDER BY due, id LIMIT ?5";
            let mut statement = connection.prepare_cached(sql)?;
            let parameters = params![lane as i64, now, after.0, after.1, most];
            let rows = statement.query_map(parameters, |row| Ok((row.get(3)?, candidate(row)?)));
            rows?.collect()
        })
        .await
    }

    /// When the next delivery on a lane is due.
    pub(super) async fn next_due(&self, lane: Lane, now: Seconds) -> Result<Option<Seconds>> {
        self.ask(move |connection| {
            let sql = "SELECT due FROM subscription
                       WHERE slow = ?1 AND due IS NOT NULL AND expires > ?2 ORDER BY due LIMIT 1";
            let next = connection.query_row(sql, params![lane as i64, now], |row| row.get(0));
            next.optional()
        })
        .await
    }

    /// What is needed to deliver the version `tag`, if the subscription is still there and does not have it. Until `until` it
    /// is not due again, whatever becomes of us.
    pub(super) async fn take(
        &self,
        id: i64,
        tag: String,
        now: Seconds,
        until: Seconds,
    ) -> Result<Option<Due>> {
        self.ask(move |connection| {
            let sql = "SELECT id, turn, callback, secret FROM subscription
                       WHERE id = ?1 AND expires > ?2 AND delivered <> ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_row(params![id, now, tag], due).optional()?;
            let until = found.as_ref().and(Some(until));
            let sql = "UPDATE subscription SET due = ?2 WHERE id = ?1 AND due IS NOT ?2";
            connection
                .prepare_cached(sql)?
                .execute(params![id, until])?;
            Ok(found.flatten())
        })
        .await
    }

    /// This version was taken; on which lane the next one is delivered.
    pub(super) async fn delivered(&self, key: Key, tag: String, lane: Lane) -> Result<()> {
        self.ask(move |connection| {
            let sql = "UPDATE subscription
                       SET delivered = ?3, failing = '', tries = 0, since = 0, due = NULL, slow = ?4
                       WHERE id = ?1 AND turn = ?2";
            let parameters = params![key.0, key.1, tag, lane as i64];
            connection
                .prepare_cached(sql)?
                .execute(parameters)
                .map(drop)
        })
        .await
    }

    /// This version was not taken: it is tried again after what `wait` says of so many failures, for a day.
    pub(super) async fn failed(
        &self,
        key: Key,
        tag: String,
        now: Seconds,
        wait: fn(u32) -> Duration,
    ) -> Result<()> {
        self.ask(move |connection| {
            let sql = "SELECT tries, since FROM subscription WHERE id = ?1 AND failing = ?2";
            let before = connection.query_row(sql, params![key.0, tag], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, Seconds>(1)?))
            });
            let (tries, since) = before.optional()?.unwrap_or((0, now));
            let tries = tries + 1;
            // given up until there is a newer one
            let due = (now - since < DAY).then(|| now + seconds(wait(tries)));
            let sql = "UPDATE subscription
                       SET failing = ?3, tries = ?4, since = ?5, due = ?6, slow = 1
                       WHERE id = ?1 AND turn = ?2";
            let parameters = params![key.0, key.1, tag, tries, since, due];
            connection
                .prepare_cached(sql)?
                .execute(parameters)
                .map(drop)
        })
        .await
    }

    /// A subscription has ended.
    pub(super) async fn end(&self, key: Key) -> Result<()> {
        self.ask(move |connection| {
            let sql = "DELETE FROM subscription WHERE id = ?1 AND turn = ?2";
            let parameters = params![key.0, key.1];
            connection
                .prepare_cached(sql)?
                .execute(parameters)
                .map(drop)
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

fn file(
    connection: &Connection,
    request: &Request,
    now: Seconds,
) -> rusqlite::Result<Result<(), Full>> {
    let count = |sql: &str, of: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<u32> {
        connection
            .prepare_cached(sql)?
            .query_row(of, |row| row.get(0))
    };
    let (topic, host) = (&request.topic, request.callback.host());
    let callback = request.callback.as_str();
    // who renews, or ends, what he has takes no more room
    let known = "SELECT (SELECT count(*) FROM subscription WHERE topic = ?1 AND callback = ?2)
                      + (SELECT count(*) FROM request WHERE topic = ?1 AND callback = ?2)";
    if count(known, &[topic, &callback])? == 0 {
        let of_host = "SELECT (SELECT count(*) FROM subscription WHERE host = ?1)
                            + (SELECT count(*) FROM request WHERE host = ?1)";
        if count(of_host, &[&host])? >= MOST_OF_HOST {
            return Ok(Err(Full::Host));
        }
        let asked = count("SELECT count(*) FROM request", &[])?;
        if asked >= MOST_ASKED || asked + count("SELECT count(*) FROM subscription", &[])? >= MOST {
            return Ok(Err(Full::All));
        }
    }
    // with an id of its own: what comes of an earlier one that is just being verified must not be noted of this one
    let sql =
        "INSERT OR REPLACE INTO request (mode, topic, callback, host, secret, lease, asked, due)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        request.mode.name(),
        topic,
        callback,
        host,
        request.secret,
        seconds(request.lease),
        now
    ])?;
    Ok(Ok(()))
}

fn settle(connection: &Connection, asked: &Asked, now: Seconds) -> rusqlite::Result<()> {
    let Request {
        mode,
        topic,
        callback,
        lease,
        secret,
    } = &asked.request;
    // another request may have taken its place: that one counts
    let sql = "DELETE FROM request WHERE id = ?1";
    if connection.prepare_cached(sql)?.execute([asked.id])? == 0 {
        return Ok(());
    }
    match mode {
        Mode::Subscribe => {
            let sql = "INSERT INTO subscription (topic, callback, host, secret, expires, due)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                       ON CONFLICT (topic, callback) DO UPDATE
                       SET secret = ?4, expires = ?5, delivered = '', failing = '', tries = 0, since = 0, due = ?6,
                           turn = turn + 1";
            connection.prepare_cached(sql)?.execute(params![
                topic,
                callback.as_str(),
                callback.host(),
                secret,
                now.saturating_add(seconds(hurried(*lease))),
                now
            ])?;
        }
        Mode::Unsubscribe => {
            let sql = "DELETE FROM subscription WHERE topic = ?1 AND callback = ?2";
            connection
                .prepare_cached(sql)?
                .execute(params![topic, callback.as_str()])?;
        }
    }
    Ok(())
}

/// `None` for what an earlier version let in and this one does not.
fn asked(row: &Row<'_>) -> rusqlite::Result<Option<Asked>> {
    let (mode, callback): (String, String) = (row.get(1)?, row.get(3)?);
    let (Some(mode), Ok(callback)) = (Mode::of(&mode), Callback::parse(&callback)) else {
        return Ok(None);
    };
    Ok(Some(Asked {
        id: row.get(0)?,
        tries: row.get(6)?,
        request: Request {
            mode,
            topic: row.get(2)?,
            callback,
            lease: Duration::from_secs(row.get::<_, u32>(5)?.into()),
            secret: row.get(4)?,
        },
    }))
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        id: row.get(0)?,
        topic: row.get(1)?,
        host: row.get(2)?,
    })
}

fn due(row: &Row<'_>) -> rusqlite::Result<Option<Due>> {
    let callback: String = row.get(2)?;
    let Ok(callback) = Callback::parse(&callback) else {
        return Ok(None);
    };
    Ok(Some(Due {
        id: row.get(0)?,
        turn: row.get(1)?,
        callback,
        secret: row.get(3)?,
    }))
}
