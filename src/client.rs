//! Requests to others: hubs and callbacks, and the feeds that `check` asks for. What comes back is read only so far, and
//! waited for only so long.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tower_service::Service;

mod backoff;

pub use backoff::{Backoff, hurried};

/// Whether an address may be connected to.
pub type Guard = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Of who does not even take a connection nothing more is expected.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection that nobody needs stays open.
const IDLE: Duration = Duration::from_secs(10);
/// The heads of strangers' answers may be so long, in bytes.
const HEAD: usize = 16 << 10;

/// Asks others.
#[derive(Clone)]
pub struct Client {
    inner: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    guard: Option<Guard>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status; redirects are not followed.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as far as it was read.
    pub body: Bytes,
    /// Whether that is all of it; else it is longer, or breaks off, or did not come in time.
    pub is_whole: bool,
}

impl Answer {
    /// A header's value, if it is text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// How far an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the request to the end of the answer.
    pub patience: Duration,
    /// So many bytes of the body are read; the connection of a longer one is closed.
    pub body: usize,
}

impl Client {
    /// One that may ask anybody.
    ///
    /// # Errors
    /// If the machine has no certificates to trust.
    pub fn new() -> Result<Self> {
        Self::with(Resolver(None), None)
    }

    /// One that connects only to addresses that the guard lets through: it is asked for the very address that is then used,
    /// whatever the name said a moment ago. At most `lookups` names are looked up at once, and no connection is kept.
    ///
    /// # Errors
    /// If the machine has no certificates to trust.
    pub fn guarded(guard: Guard, lookups: usize) -> Result<Self> {
        let room = Arc::new(Semaphore::new(lookups));
        Self::with(Resolver(Some((Arc::clone(&guard), room))), Some(guard))
    }

    fn with(resolver: Resolver, guard: Option<Guard>) -> Result<Self> {
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let tls = match HttpsConnectorBuilder::new().with_native_roots() {
            Ok(tls) => tls.https_or_http().enable_http1(),
            Err(error) => bail!("this machine has no certificates to trust: {error}"),
        };
        let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE);
        if guard.is_some() {
            // of many strangers each would keep a descriptor, and as much memory as it likes
            builder.pool_max_idle_per_host(0).http1_max_buf_size(HEAD);
        }
        Ok(Self {
            inner: builder.build(tls.wrap_connector(connector)),
            guard,
        })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If there is no answer, or none in time, or the address may not be connected to.
    pub async fn send(&self, request: Request<Full<Bytes>>, limits: Limits) -> Result<Answer> {
        // an address that is no name is not resolved, so that the resolver does not see it
        if let (Some(guard), Some(ip)) = (&self.guard, literal(request.uri()))
            && !guard(ip)
        {
            bail!(Refused);
        }
        let end = tokio::time::Instant::now() + limits.patience;
        let (head, body) = match tokio::time::timeout_at(end, self.inner.request(request)).await {
            Ok(Ok(answer)) => answer.into_parts(),
            Ok(Err(error)) => {
                let mut causes = anyhow::Chain::new(&error)
                    .map(ToString::to_string)
                    .collect::<Vec<_>>();
                causes.dedup();
                bail!(causes.join(": "));
            }
            Err(_) => bail!("no answer within {} seconds", limits.patience.as_secs()),
        };
        let mut read = BytesMut::new();
        let reading = read_into(&mut read, body, limits.body);
        let is_whole = tokio::time::timeout_at(end, reading).await;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            is_whole: is_whole.unwrap_or_default(),
            body: read.freeze(),
        })
    }
}

/// Reads a body as far as it may go; whether that was all.
async fn read_into(read: &mut BytesMut, mut body: Incoming, most: usize) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = most - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return false;
        }
    }
    true
}

/// The address, where the host is no name.
fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    let host = host.strip_prefix('[').unwrap_or(host);
    host.strip_suffix(']').unwrap_or(host).parse().ok()
}

#[derive(Debug, thiserror::Error)]
#[error("its address is not public")]
struct Refused;

/// Finds the addresses of a name, and leaves out those that the guard does not let through.
#[derive(Clone)]
struct Resolver(Option<(Guard, Arc<Semaphore>)>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guarded = self.0.clone();
        Box::pin(async move {
            let Some((guard, room)) = guarded else {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
                return Ok(found.collect::<Vec<_>>().into_iter());
            };
            // the system's look-up cannot be given up: its place is free when it ends, not when nobody waits any longer
            let place = room.acquire_owned().await.map_err(std::io::Error::other)?;
            let looked = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                drop(place);
                found
            });
            let mut addresses: Vec<SocketAddr> =
                looked.await.map_err(std::io::Error::other)??.collect();
            addresses.retain(|address| guard(address.ip()));
            if addresses.is_empty() {
                return Err(std::io::Error::other(Refused));
            }
            Ok(addresses.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_no_name_is_seen_in_each_of_its_forms() {
        let host = |text: &str| literal(&text.parse().unwrap()).map(|ip| ip.to_string());
        assert_eq!(host("http://127.0.0.1:80/x").as_deref(), Some("127.0.0.1"));
        assert_eq!(host("http://[::1]/x").as_deref(), Some("::1"));
        assert_eq!(host("http://example.org/"), None);
    }
}
