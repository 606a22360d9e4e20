//! One ping: a form that says which topic changed (WebSub §7; what stands in it hubs agree on by custom).

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use url::{Url, form_urlencoded};

use super::Ping;
use crate::client::{Client, Limits};

const LIMITS: Limits = Limits {
    patience: Duration::from_secs(10),
    body: 64 << 10,
};
/// A hub that moved leads on so often.
const REDIRECTS: usize = 5;

/// What came of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The hub took it.
    Taken,
    /// It did not, and why.
    Failed(String),
}

/// Sends a ping.
///
/// # Errors
/// If the hub does not answer.
pub(super) async fn send(client: &Client, ping: &Ping) -> Result<Outcome> {
    // hubs differ in which of the two they read
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "publish")
        .append_pair("hub.url", &ping.topic)
        .append_pair("hub.topic", &ping.topic)
        .finish();
    let form = Bytes::from(form);
    let mut url = ping.hub.clone();
    for _ in 0..=REDIRECTS {
        let request = Request::post(&url)
            .header(header::USER_AGENT, "tidings")
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            )
            .body(Full::new(form.clone()))?;
        let answer = client.send(request, LIMITS).await?;
        match answer.status {
            status if status.is_success() => return Ok(Outcome::Taken),
            // the others turn a form into a question
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                let to = answer.header(header::LOCATION);
                let to = to.and_then(|to| Url::parse(&url).ok()?.join(to).ok());
                let to = to.filter(|to| matches!(to.scheme(), "http" | "https"));
                let Some(to) = to else {
                    bail!("{} leads nowhere", answer.status);
                };
                url = to.into();
            }
            status => {
                let text = String::from_utf8_lossy(&answer.body);
                let said = text.lines().map(str::trim).find(|line| !line.is_empty());
                let said = said.filter(|line| !line.starts_with('<'));
                let said = said.map(|line| format!(": {}", shortened(line)));
                let said = said.unwrap_or_default();
                return Ok(Outcome::Failed(format!("it answers {status}{said}")));
            }
        }
    }
    bail!("it leads on more than {REDIRECTS} times")
}

/// What somebody else wrote is quoted without control characters, and not for ever.
fn shortened(text: &str) -> String {
    let text = text.chars().filter(|c| !c.is_control());
    text.take(200).collect()
}
