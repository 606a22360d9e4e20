//! The operator's door: `/metrics`, `/refresh`, and how it is doing.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::House;
use super::body::Body;
use super::patience::Turn;
use crate::watch::Wake;

pub(super) fn answer(house: &House, request: &Request<Incoming>, turn: Turn) -> Response<Body> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let draining = house.draining.load(Ordering::Relaxed);
    let (status, allow, text) = match request.uri().path() {
        "/metrics" if is_read => {
            let text = house.metrics.to_text(
                &house.board.read(),
                house.hub.tally(),
                house.connections(),
                (house.clock)(),
            );
            (StatusCode::OK, "", text)
        }
        "/refresh" if request.method() == Method::POST => {
            // who orders it need not wait for it; when it is over `/metrics` tells
            let text = match house.wakes.send(Wake::Refresh) {
                Ok(()) => "the folder is looked at\n",
                Err(_) => "stopping\n",
            };
            (StatusCode::ACCEPTED, "", text.to_owned())
        }
        "/readyz" if is_read && draining => {
            (StatusCode::SERVICE_UNAVAILABLE, "", "stopping\n".to_owned())
        }
        "/livez" | "/readyz" if is_read => (StatusCode::OK, "", "ok\n".to_owned()),
        "/refresh" => (
            StatusCode::METHOD_NOT_ALLOWED,
            "POST",
            "send POST\n".to_owned(),
        ),
        "/metrics" | "/livez" | "/readyz" => (
            StatusCode::METHOD_NOT_ALLOWED,
            "GET, HEAD",
            "send GET\n".to_owned(),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            "",
            "there are /metrics, /refresh, /livez and /readyz\n".to_owned(),
        ),
    };
    let length = text.len();
    let body = if request.method() == Method::HEAD {
        Bytes::new()
    } else {
        Bytes::from(text)
    };
    let mut response = Response::new(Body::bytes(body, turn));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let media = if request.uri().path() == "/metrics" {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; charset=utf-8"
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if !allow.is_empty() {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}
