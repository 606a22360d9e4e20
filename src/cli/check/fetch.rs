//! One request to a server, as a feed reader makes it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;

pub(super) use crate::client::Answer;
use crate::client::{Client, Limits};

const LIMITS: Limits = Limits {
    patience: Duration::from_secs(20),
    // a feed that is longer is none that a reader takes
    body: 32 << 20,
};

/// Asks for `url` with these headers; redirects are not followed.
pub(super) fn fetch(
    method: Method,
    url: &str,
    headers: &[(header::HeaderName, &str)],
) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut request = Request::builder().method(method).uri(url).header(header::USER_AGENT, "tidings check").header(
        header::ACCEPT,
        "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.8",
    );
    for (name, value) in headers {
        request = request.header(name, HeaderValue::from_str(value)?);
    }
    let request = request
        .body(Full::new(Bytes::new()))
        .context("this is no address on the web")?;
    let answer = runtime.block_on(async { Client::new()?.send(request, LIMITS).await })?;
    ensure!(
        answer.is_whole,
        "the answer breaks off, does not end, or is longer than {} MiB",
        LIMITS.body >> 20
    );
    Ok(answer)
}
