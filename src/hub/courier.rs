//! What is sent to callbacks: the question whether they meant it, what changed, and that a subscription has ended.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use ipnet::IpNet;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::address;
use super::delivery::Lane;
use super::request::{Callback, Mode};
use crate::client::{Answer, Client, Guard, Limits};

/// Callbacks have little to say.
const LIMITS: Limits = Limits {
    patience: Duration::from_secs(10),
    body: 1 << 10,
};
/// Who is asked for the first time must not take long: there may be many who never answer.
const FIRST: Limits = Limits {
    patience: Duration::from_secs(3),
    ..LIMITS
};
/// Taking a whole feed may last longer.
const DELIVERY: Limits = Limits {
    patience: Duration::from_secs(30),
    ..LIMITS
};

/// What a callback said to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It meant it.
    Meant,
    /// It did not.
    NotMeant,
    /// It did not say.
    Silent,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivered {
    Taken,
    /// The subscriber is gone for good.
    Gone,
    Failed(String),
}

/// What a topic is now.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// Tells it from others.
    pub(super) tag: String,
    /// Exactly what is served there.
    pub(super) bytes: Bytes,
    pub(super) media: HeaderValue,
    /// Where it is, and who pushes it.
    pub(super) links: HeaderValue,
}

/// Sends to callbacks, and only to such addresses as it may.
pub(super) struct Courier {
    sender: ArcSwap<Sender>,
    random: SystemRandom,
}

/// Who sends, and where beside the public addresses. Names are looked up for each kind by itself: those whose servers never
/// answer are in nobody's way but their own kind's.
struct Sender {
    quick: Client,
    patient: Client,
    allow: Vec<IpNet>,
}

/// So many names are looked up at once for callbacks that were quick …
const QUICK_LOOKUPS: usize = 48;
/// … and for all others.
const LOOKUPS: usize = 16;

impl Sender {
    fn new(allow: &[IpNet]) -> Result<Self> {
        let allow = allow.to_vec();
        let guard: Guard = {
            let allow = allow.clone();
            Arc::new(move |ip| address::is_allowed(ip, &allow))
        };
        Ok(Self {
            quick: Client::guarded(Arc::clone(&guard), QUICK_LOOKUPS)?,
            patient: Client::guarded(guard, LOOKUPS)?,
            allow,
        })
    }
}

impl Courier {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            sender: ArcSwap::from_pointee(Sender::new(&[])?),
            random: SystemRandom::new(),
        })
    }

    /// From now on these networks are allowed beside the public ones.
    pub(super) fn allow(&self, networks: &[IpNet]) {
        if self.sender.load().allow == networks {
            return;
        }
        // with the client go connections to where it may not send any longer
        match Sender::new(networks) {
            Ok(sender) => self.sender.store(Arc::new(sender)),
            Err(error) => tracing::error!("`[hub] allow` cannot be taken over: {error:#}"),
        }
    }

    /// Whether this is an address that is not even tried.
    pub(super) fn refuses(&self, callback: &Callback) -> bool {
        let literal = callback.literal();
        literal.is_some_and(|ip| !address::is_allowed(ip, &self.sender.load().allow))
    }

    /// Asks whether a request was meant (WebSub §5.3).
    pub(super) async fn verify(
        &self,
        mode: Mode,
        topic: &str,
        callback: &Callback,
        lease: Duration,
        is_first: bool,
    ) -> Verdict {
        let Ok(challenge) = self.challenge() else {
            return Verdict::Silent;
        };
        let lease = lease.as_secs().to_string();
        let mut parameters = vec![
            ("hub.mode", mode.name()),
            ("hub.topic", topic),
            ("hub.challenge", &challenge),
        ];
        if mode == Mode::Subscribe {
            parameters.push(("hub.lease_seconds", &lease));
        }
        let limits = if is_first { FIRST } else { LIMITS };
        let Ok(answer) = self.get(&callback.with(&parameters), limits).await else {
            return Verdict::Silent;
        };
        if answer.status.is_success() && answer.is_whole && answer.body == challenge {
            Verdict::Meant
        } else if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS
        {
            Verdict::Silent
        } else {
            Verdict::NotMeant
        }
    }

    /// Tells that a subscription has ended (WebSub §5.2). It has, whether that is heard or not.
    pub(super) async fn deny(&self, topic: &str, callback: &Callback, reason: &str) {
        let parameters = [
            ("hub.mode", "denied"),
            ("hub.topic", topic),
            ("hub.reason", reason),
        ];
        let _ = self.get(&callback.with(&parameters), LIMITS).await;
    }

    /// Delivers a version (WebSub §7, §8).
    pub(super) async fn deliver(
        &self,
        version: &Version,
        callback: &Callback,
        secret: Option<&str>,
        lane: Lane,
    ) -> Delivered {
        let mut request = Request::post(callback.as_str())
            .header(header::USER_AGENT, AGENT)
            .header(header::CONTENT_TYPE, version.media.clone())
            .header(header::LINK, version.links.clone());
        if let Some(secret) = secret {
            request = request.header("x-hub-signature", signature(secret, &version.bytes));
        }
        let sent = async {
            let request = request.body(Full::new(version.bytes.clone()))?;
            let sender = self.sender.load_full();
            let client = match lane {
                Lane::Quick => &sender.quick,
                Lane::Slow => &sender.patient,
            };
            client.send(request, DELIVERY).await
        };
        match sent.await {
            Ok(answer) if answer.status.is_success() => Delivered::Taken,
            Ok(answer) if answer.status == StatusCode::GONE => Delivered::Gone,
            Ok(answer) => Delivered::Failed(format!("it answers {}", answer.status)),
            Err(error) => Delivered::Failed(format!("{error:#}")),
        }
    }

    async fn get(&self, url: &str, limits: Limits) -> Result<Answer> {
        let request = Request::get(url)
            .header(header::USER_AGENT, AGENT)
            .body(Full::new(Bytes::new()))
            .context("this is no address on the web")?;
        self.sender.load_full().patient.send(request, limits).await
    }

    /// 256 bits that nobody can guess, hexadecimal.
    fn challenge(&self) -> Result<String> {
        let mut bytes = [0; 32];
        if self.random.fill(&mut bytes).is_err() {
            bail!("the system gives no random numbers");
        }
        Ok(hexadecimal(&bytes))
    }
}

/// Who we say that we are.
const AGENT: HeaderValue = HeaderValue::from_static("tidings (WebSub hub)");

/// `X-Hub-Signature` of a body (WebSub §7.1).
fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hexadecimal(hmac::sign(&key, body).as_ref()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // writing to a string cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn no_two_challenges_are_the_same() {
        let courier = Courier::new().unwrap();
        let challenges: std::collections::HashSet<String> =
            (0..1000).map(|_| courier.challenge().unwrap()).collect();
        assert_eq!(challenges.len(), 1000);
        assert!(challenges.iter().all(|challenge| challenge.len() == 64));
    }
}
