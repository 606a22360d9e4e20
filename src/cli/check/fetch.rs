//! One request to a server, as a feed reader makes it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// A feed that is longer is none that a reader takes.
const LONGEST: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A header's value, if it is text.
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

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
        .body(Empty::<Bytes>::new())
        .context("this is no address on the web")?;
    let asked = async {
        let tls = HttpsConnectorBuilder::new().with_native_roots();
        let connector = match tls {
            Ok(tls) => tls.https_or_http().enable_http1().build(),
            Err(error) => bail!("this machine has no certificates to trust: {error}"),
        };
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let answer = client.request(request).await.map_err(|error| {
            let mut causes = anyhow::Chain::new(&error)
                .map(ToString::to_string)
                .collect::<Vec<_>>();
            causes.dedup();
            anyhow::anyhow!(causes.join(": "))
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let body = body
            .map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    };
    runtime.block_on(async {
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => bail!("no answer within {} seconds", PATIENCE.as_secs()),
        }
    })
}
