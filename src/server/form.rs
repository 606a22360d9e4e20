//! A form for the hub: it is read, handed in, and answered (WebSub §5.1).

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::hub::{Inbox, Refusal};
use crate::respond::{LONGEST_FORM, Reply, plain, refuse};

/// A form must be here within this time.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn take(hub: &Inbox, body: Incoming) -> Reply {
    let form = Limited::new(body, LONGEST_FORM).collect();
    let form = match tokio::time::timeout(PATIENCE, form).await {
        Ok(Ok(form)) => form.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let what = "a form here has at most 16 KiB";
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, what);
        }
        Ok(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "the form breaks off"),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the form did not come"),
    };
    let mut reply = match hub.hand_in(form.into()).await {
        Ok(()) => plain(
            StatusCode::ACCEPTED,
            "the callback is asked whether this is meant",
        ),
        Err(Refusal { status, text }) => plain(status, &text),
    };
    reply.forbid_keeping();
    if reply.status == StatusCode::SERVICE_UNAVAILABLE
        || reply.status == StatusCode::TOO_MANY_REQUESTS
    {
        reply.ask_to_wait();
    }
    reply
}
