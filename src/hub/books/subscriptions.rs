//! The subscriptions, and what each of them has.

use std::time::Duration;

use anyhow::Result;
use rusqlite::{OptionalExtension, Row, params};

use super::{Books, Seconds, seconds};
use crate::hub::delivery::Lane;
use crate::hub::request::Callback;

/// After so long a version that cannot be delivered is given up, in seconds.
const DAY: i64 = 24 * 3600;

/// A subscription that something may have to be delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hub) struct Candidate {
    pub(in crate::hub) id: i64,
    pub(in crate::hub) topic: String,
    pub(in crate::hub) host: String,
}

/// A delivery that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hub) struct Due {
    id: i64,
    turn: i64,
    pub(in crate::hub) callback: Callback,
    pub(in crate::hub) secret: Option<String>,
}

/// A subscription as it was when a delivery began.
pub(in crate::hub) type Key = (i64, i64);

impl Due {
    pub(in crate::hub) fn key(&self) -> Key {
        (self.id, self.turn)
    }
}

impl Books {
    /// Those subscriptions to a topic on a lane, at most `most` with ids above `after`, that do not have the version `tag`,
    /// and that have not failed to take it.
    pub(in crate::hub) async fn behind(
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
    pub(in crate::hub) async fn due(
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
    pub(in crate::hub) async fn next_due(
        &self,
        lane: Lane,
        now: Seconds,
    ) -> Result<Option<Seconds>> {
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
    pub(in crate::hub) async fn take(
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
    pub(in crate::hub) async fn delivered(&self, key: Key, tag: String, lane: Lane) -> Result<()> {
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
    pub(in crate::hub) async fn failed(
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
    pub(in crate::hub) async fn end(&self, key: Key) -> Result<()> {
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
