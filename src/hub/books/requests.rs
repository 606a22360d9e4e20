//! What is asked for and not verified yet.

use std::time::Duration;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Books, Seconds, seconds};
use crate::client::hurried;
use crate::hub::request::{Callback, Mode, Request};

/// So many subscriptions there may be, with what is asked for and not verified.
const MOST: u32 = 100_000;
/// So many of one host.
const MOST_OF_HOST: u32 = 1_000;
/// So much may be asked for and not be verified.
const MOST_ASKED: u32 = 20_000;

/// A request that is to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hub) struct Asked {
    pub(in crate::hub) id: i64,
    pub(in crate::hub) tries: u32,
    pub(in crate::hub) request: Request,
}

/// Why no request is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Full {
    /// This host has too many.
    Host,
    /// There are too many.
    All,
}

impl Books {
    /// Takes a request, in the place of an earlier one that was not verified.
    pub(in crate::hub) async fn file(
        &self,
        request: Request,
        now: Seconds,
    ) -> Result<Result<(), Full>> {
        self.ask(move |connection| file(connection, &request, now))
            .await
    }

    /// The hosts that have something to be asked, whether each was silent, and when it is due.
    pub(in crate::hub) async fn hosts(&self) -> Result<Vec<(String, bool, Seconds)>> {
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
    pub(in crate::hub) async fn asked_of(
        &self,
        host: String,
        now: Seconds,
    ) -> Result<Option<Asked>> {
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
    pub(in crate::hub) async fn next_of(&self, host: String) -> Result<Option<(bool, Seconds)>> {
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
    pub(in crate::hub) async fn settle(&self, asked: Asked, now: Seconds) -> Result<()> {
        self.ask(move |connection| settle(connection, &asked, now))
            .await
    }

    /// What was asked for was not meant, or comes to nothing.
    pub(in crate::hub) async fn drop(&self, id: i64) -> Result<()> {
        self.ask(move |connection| {
            connection
                .prepare_cached("DELETE FROM request WHERE id = ?1")?
                .execute([id])
                .map(drop)
        })
        .await
    }

    /// The callback did not say what it meant: it is asked again at `due`.
    pub(in crate::hub) async fn postpone(&self, id: i64, due: Seconds) -> Result<()> {
        self.ask(move |connection| {
            let sql = "UPDATE request SET tries = tries + 1, due = ?2 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute([id, due]).map(drop)
        })
        .await
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
