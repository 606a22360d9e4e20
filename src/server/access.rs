//! The access log: a line a request, on standard output. A log that nobody reads holds no request up.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderValue;
use http::header;
use serde_json::json;

use super::client::Peer;
use crate::config::Log;
use crate::respond::{Head, Reply};

/// So many lines may wait to be written; more are lost.
const WAITING: usize = 1 << 16;

/// Writes lines on a thread of its own.
#[derive(Debug, Clone)]
pub struct AccessLog(Option<SyncSender<String>>);

impl AccessLog {
    /// Writes to `out` until it refuses.
    #[must_use]
    pub fn to(out: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::spawn(move || write(&receiver, out));
        Self(Some(sender))
    }

    pub(super) fn write(&self, line: &Line<'_>) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(line.to_text());
        }
    }
}

fn write(lines: &Receiver<String>, out: impl Write) {
    let mut out = std::io::BufWriter::with_capacity(64 << 10, out);
    while let Ok(line) = lines.recv() {
        let mut outcome = out.write_all(line.as_bytes());
        for line in lines.try_iter() {
            outcome = outcome.and_then(|()| out.write_all(line.as_bytes()));
        }
        if outcome.and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) form: Log,
    pub(super) client: Peer,
    pub(super) now: SystemTime,
    pub(super) head: Head<'a>,
    pub(super) reply: &'a Reply,
}

impl Line<'_> {
    fn to_text(&self) -> String {
        let now: DateTime<Utc> = self.now.into();
        let field = |name| {
            self.head
                .headers
                .get(name)
                .map(HeaderValue::as_bytes)
                .map(String::from_utf8_lossy)
        };
        let (referer, agent) = (field(header::REFERER), field(header::USER_AGENT));
        let subscribers = agent.as_deref().and_then(subscribers);
        let of_reply = |name| {
            self.reply
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let length = of_reply(header::CONTENT_LENGTH).unwrap_or("0");
        let encoding = of_reply(header::CONTENT_ENCODING);
        let target = self.head.uri.to_string();
        let (method, status) = (self.head.method.as_str(), self.reply.status.as_u16());
        let outcome = self.reply.outcome.name();
        if self.form == Log::Json {
            let line = json!({
                "time": now.to_rfc3339_opts(SecondsFormat::Millis, true),
                "client": self.client.to_string(),
                "method": method,
                "target": target,
                "status": status,
                "bytes": length.parse::<u64>().unwrap_or_default(),
                "validator": outcome,
                "encoding": encoding,
                "referer": referer,
                "agent": agent,
                "subscribers": subscribers,
            });
            return format!("{line}\n");
        }
        let mut line = format!(
            "{} - - [{}] \"{method} {} {:?}\" {status} {length} ",
            self.client,
            now.format("%d/%b/%Y:%H:%M:%S +0000"),
            quoted(&target),
            self.head.version,
        );
        let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), quoted);
        let _ = writeln!(
            line,
            "\"{}\" \"{}\" {outcome} {} {}",
            or_dash(referer.as_deref()),
            or_dash(agent.as_deref()),
            encoding.unwrap_or("-"),
            subscribers.map_or_else(|| "-".to_owned(), |count| count.to_string()),
        );
        line
    }
}

/// What a client writes must neither end a field nor drive a terminal.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// How many people an aggregator reads for, if it tells: `Feedly/1.0 (…; 12 subscribers; …)`.
fn subscribers(agent: &str) -> Option<u64> {
    let at = agent
        .find(" subscriber")
        .or_else(|| agent.find(" reader"))?;
    let digits = agent[..at].rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subscribers_that_aggregators_tell_are_read() {
        for (agent, count) in [
            (
                "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers; like FeedFetcher-Google)",
                Some(12),
            ),
            (
                "NewsBlur Feed Fetcher - 1 subscriber - http://www.newsblur.com/site/1/",
                Some(1),
            ),
            (
                "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 3 subscribers; )",
                Some(3),
            ),
            ("Feedbin feed-id:1 - 5 subscribers", Some(5)),
            ("FreshRSS/1.24 (Linux; https://freshrss.org)", None),
            ("x subscribers", None),
        ] {
            assert_eq!(subscribers(agent), count, "{agent}");
        }
    }

    #[test]
    fn a_client_cannot_forge_a_line() {
        assert_eq!(quoted("a\"b\\c\nd\u{1b}[0m"), "a\\\"b\\\\c\\x0ad\\x1b[0m");
    }
}
