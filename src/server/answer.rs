//! One request of the public door: the answer, its line in the log, its place in the metrics.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::client::{self, Peer};
use super::patience::Turn;
use super::{House, access, form};
use crate::config::Log;
use crate::crank::Offer;
use crate::respond::{self, Head, Moment, Payload, Reply, respond};
use crate::store::Cut;

/// How often, and how long apart, a file is looked for that another publisher has just replaced.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn answer(
    house: &House,
    peer: Peer,
    request: Request<Incoming>,
    turn: Turn,
) -> Result<Response<Body>, Infallible> {
    let (request, body) = request.into_parts();
    let head = Head {
        method: &request.method,
        uri: &request.uri,
        version: request.version,
        headers: &request.headers,
    };
    let offer = house.window.load();
    let Some(offer) = offer.as_deref() else {
        // the port is bound only when there is something to offer
        return Ok(respond_with(house, starting(), Bytes::new(), turn));
    };
    let moment = Moment {
        now: (house.clock)(),
        draining: house.draining.load(Ordering::Relaxed),
    };
    let mut reply = respond(&offer.served, head, moment);
    let mut cut = None;
    if let Payload::Form = reply.payload {
        reply = Box::pin(form::take(&house.hub, body)).await;
    }
    if let Payload::Shelf(_) = reply.payload {
        (reply, cut) = Box::pin(from_shelf(house, head, moment, reply)).await;
    }
    house.metrics.count(head, &reply);
    if offer.settings.log != Log::Off {
        let client = client::resolve(peer, head.headers, &offer.settings.trusted);
        house.log.write(&access::Line {
            form: offer.settings.log,
            client,
            now: moment.now,
            head,
            reply: &reply,
        });
    }
    Ok(match (cut, reply.payload.clone()) {
        (Some(cut), Payload::Shelf(part)) => {
            let mut response = Response::new(Body::file(cut, part, turn));
            dress(house, &mut response, reply);
            response
        }
        (_, Payload::Bytes(bytes)) => respond_with(house, reply, bytes, turn),
        _ => respond_with(house, reply, Bytes::new(), turn),
    })
}

/// Opens the file of an answer; while it is being replaced, the next offer is waited for.
async fn from_shelf(
    house: &House,
    head: Head<'_>,
    moment: Moment,
    mut reply: Reply,
) -> (Reply, Option<Cut>) {
    for _ in 0..TRIES {
        let offer = house.window.load_full();
        let Some(offer) = offer else { break };
        reply = respond(&offer.served, head, moment);
        if !matches!(reply.payload, Payload::Shelf(_)) {
            return (reply, None);
        }
        if let Some(cut) = open(&offer, &reply).await {
            return (reply, Some(cut));
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut missing = respond::plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "this file is being replaced; try again",
    );
    missing
        .headers
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    missing
        .headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    missing.resource = reply.resource;
    (missing, None)
}

async fn open(offer: &Offer, reply: &Reply) -> Option<Cut> {
    let shelf = offer.shelf.clone()?;
    let crate::served::Content::Shelf(blob) = &reply.resource.as_ref()?.content else {
        return None;
    };
    let (route, size, mtime) = (blob.route.clone(), blob.size, blob.mtime);
    let opened = tokio::task::spawn_blocking(move || shelf.cut(&route, size, mtime));
    opened.await.ok()?.ok()
}

fn starting() -> Reply {
    respond::plain(StatusCode::SERVICE_UNAVAILABLE, "starting")
}

fn respond_with(house: &House, reply: Reply, bytes: Bytes, turn: Turn) -> Response<Body> {
    let mut response = Response::new(Body::bytes(bytes, turn));
    dress(house, &mut response, reply);
    response
}

fn dress(house: &House, response: &mut Response<Body>, reply: Reply) {
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if house.draining.load(Ordering::Relaxed) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}
