//! What a subscriber asks for, as it stands in the form (WebSub §5.1).

use std::time::Duration;

use http::StatusCode;
use url::{Url, form_urlencoded};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Subscribe,
    Unsubscribe,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        let modes = [Self::Subscribe, Self::Unsubscribe];
        modes.into_iter().find(|mode| mode.name() == name)
    }
}

/// A request to subscribe, or to end that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) mode: Mode,
    pub(super) topic: String,
    pub(super) callback: Callback,
    /// How long to deliver.
    pub(super) lease: Duration,
    /// With which what is delivered is to be signed.
    pub(super) secret: Option<String>,
}

/// Where to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Callback(Url);

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// What the subscriber is told.
    pub text: String,
}

impl Refusal {
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: text.into(),
        }
    }
}

/// Neither shorter nor longer leases are given.
const LEASES: std::ops::RangeInclusive<u64> = 5 * 60..=30 * 24 * 3600;
/// The lease of who asks for none, in seconds.
const LEASE: u64 = 10 * 24 * 3600;
/// WebSub §5.1.
const SECRET: usize = 200;
/// Longer callbacks are refused, in bytes.
const LONGEST: usize = 2048;

impl Request {
    /// Reads a form; parameters that it does not know are ignored.
    pub(super) fn parse(form: &[u8]) -> Result<Self, Refusal> {
        let mut known: [(&str, Option<String>); 5] = [
            ("hub.mode", None),
            ("hub.topic", None),
            ("hub.callback", None),
            ("hub.lease_seconds", None),
            ("hub.secret", None),
        ];
        for (name, value) in form_urlencoded::parse(form) {
            let Some((_, known)) = known.iter_mut().find(|(known, _)| *known == name) else {
                continue;
            };
            if known.is_some() {
                return Err(Refusal::bad(format!("`{name}` stands there twice")));
            }
            // what is no text would be another secret, or another address
            if value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(Refusal::bad(format!("`{name}` is no UTF-8")));
            }
            *known = Some(value.into_owned());
        }
        let [mode, topic, callback, lease, secret] = known.map(|(name, value)| {
            let value = value.filter(|value| !value.is_empty());
            (name, value)
        });
        let needed = |(name, value): (&str, Option<String>)| {
            value.ok_or_else(|| Refusal::bad(format!("`{name}` is missing")))
        };
        let mode = needed(mode)?;
        if mode == "publish" {
            let text = "this hub knows by itself what changed at its topics; nothing needs to be published here";
            return Err(Refusal::bad(text));
        }
        let mode = Mode::of(&mode)
            .ok_or_else(|| Refusal::bad("`hub.mode` is neither `subscribe` nor `unsubscribe`"))?;
        let topic = needed(topic)?;
        let callback = Callback::parse(&needed(callback)?)?;
        let lease = match lease.1 {
            None => LEASE,
            // more digits than a number has are very long, too
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().unwrap_or(u64::MAX)
            }
            Some(_) => return Err(Refusal::bad("`hub.lease_seconds` is no number of seconds")),
        };
        let secret = secret.1;
        if secret.as_ref().is_some_and(|secret| secret.len() >= SECRET) {
            let text = format!("`hub.secret` must be shorter than {SECRET} bytes");
            return Err(Refusal::bad(text));
        }
        Ok(Self {
            mode,
            topic,
            callback,
            lease: Duration::from_secs(lease.clamp(*LEASES.start(), *LEASES.end())),
            secret,
        })
    }
}

impl Callback {
    /// An address that requests can be sent to without harm, as far as that can be seen in it.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: &str| Err(Refusal::bad(format!("`hub.callback` {what}")));
        if text.len() > LONGEST {
            return refuse("is longer than 2048 bytes");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("is no URL");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("has a user name or a password");
        }
        if url.fragment().is_some() {
            return refuse("has a fragment");
        }
        if !matches!(url.port_or_known_default(), Some(80 | 443 | 1024..)) {
            return refuse("has a port that is neither 80 nor 443 nor 1024 or more");
        }
        Ok(Self(url))
    }

    /// The host, by which subscribers are told apart.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address, if the host is no name.
    pub(super) fn literal(&self) -> Option<std::net::IpAddr> {
        match self.0.host()? {
            url::Host::Domain(_) => None,
            url::Host::Ipv4(ip) => Some(ip.into()),
            url::Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same with further parameters behind its own (WebSub §5.3).
    pub(super) fn with(&self, parameters: &[(&str, &str)]) -> String {
        let own = self.0.query().unwrap_or_default();
        let mut query = own.to_owned();
        if !query.is_empty() && !query.ends_with('&') {
            query.push('&');
        }
        let from = query.len();
        let mut form = form_urlencoded::Serializer::for_suffix(query, from);
        form.extend_pairs(parameters);
        let mut url = self.0.clone();
        url.set_query(Some(&form.finish()));
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: &str =
        "hub.mode=subscribe&hub.topic=https://a.example/rss.xml&hub.callback=https://b.example/x";

    fn with(more: &str) -> Result<Request, Refusal> {
        Request::parse(format!("{WELL}&{more}").as_bytes())
    }

    #[test]
    fn a_form_is_read_and_what_nobody_knows_is_ignored() {
        let request = with("hub.verify=sync&x=y&hub.lease_seconds=3600&hub.secret=s%26t").unwrap();
        assert_eq!(request.mode, Mode::Subscribe);
        assert_eq!(request.topic, "https://a.example/rss.xml");
        assert_eq!(request.callback.as_str(), "https://b.example/x");
        assert_eq!(request.lease, Duration::from_hours(1));
        assert_eq!(request.secret.as_deref(), Some("s&t"));
    }

    #[test]
    fn leases_have_bounds() {
        let day = 24 * 3600;
        for (asked, given) in [
            ("", 10 * day),
            ("hub.lease_seconds=", 10 * day),
            ("hub.lease_seconds=0", 300),
            ("hub.lease_seconds=299", 300),
            ("hub.lease_seconds=301", 301),
            ("hub.lease_seconds=99999999", 30 * day),
            ("hub.lease_seconds=99999999999999999999999999", 30 * day),
        ] {
            assert_eq!(with(asked).unwrap().lease.as_secs(), given, "{asked}");
        }
        for wrong in ["-1", "ten", "1.5", "1e3", "+5"] {
            let refusal = Request::parse(
                format!("{WELL}&hub.lease_seconds={}", wrong.replace('+', "%2B")).as_bytes(),
            );
            assert!(refusal.unwrap_err().text.contains("no number"), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_shorter_than_200_bytes() {
        assert!(with(&format!("hub.secret={}", "x".repeat(199))).is_ok());
        let refusal = with(&format!("hub.secret={}", "x".repeat(200))).unwrap_err();
        assert!(refusal.text.contains("shorter than 200 bytes"));
        assert_eq!(with("hub.secret=").unwrap().secret, None);
    }

    #[test]
    fn what_is_missing_doubled_or_unknown_is_refused_with_a_reason() {
        for (form, said) in [
            ("", "`hub.mode` is missing"),
            ("hub.mode=subscribe", "`hub.topic` is missing"),
            (
                "hub.mode=subscribe&hub.topic=x",
                "`hub.callback` is missing",
            ),
            ("hub.mode=publish&hub.url=x", "knows by itself"),
            ("hub.mode=SUBSCRIBE", "neither `subscribe`"),
            (
                "hub.mode=subscribe&hub.mode=unsubscribe",
                "`hub.mode` stands there twice",
            ),
        ] {
            let refusal = Request::parse(form.as_bytes()).unwrap_err();
            assert!(refusal.text.contains(said), "{form}: {refusal:?}");
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn forged_callbacks_are_refused() {
        for (callback, said) in [
            ("x", "is no URL"),
            ("//b.example/x", "is no URL"),
            ("ftp://b.example/x", "neither http nor https"),
            ("file:///etc/passwd", "neither http nor https"),
            ("gopher://b.example:70/", "neither http nor https"),
            ("http://u@b.example/", "user name"),
            ("http://u:p@b.example/", "user name"),
            ("http://:p@b.example/", "user name"),
            ("http://b.example/#x", "fragment"),
            ("http://b.example:22/", "port"),
            ("http://b.example:25/", "port"),
            ("http://b.example:0/", "port"),
            ("https://b.example:1023/", "port"),
        ] {
            let refusal = Callback::parse(callback).unwrap_err();
            assert!(refusal.text.contains(said), "{callback}: {refusal:?}");
        }
        assert!(Callback::parse(&format!("http://b.example/{}", "x".repeat(2048))).is_err());
        for fine in [
            "http://b.example/",
            "https://b.example:80/",
            "http://b.example:443/?a=b",
            "http://b.example:1024/",
        ] {
            assert!(Callback::parse(fine).is_ok(), "{fine}");
        }
        // numbers in disguise are numbers
        for local in [
            "http://0x7f.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://①②⑦.0.0.1/",
        ] {
            let callback = Callback::parse(local).unwrap();
            assert_eq!(
                callback.literal().unwrap().to_string(),
                "127.0.0.1",
                "{local}"
            );
        }
    }

    #[test]
    fn parameters_are_put_behind_those_of_the_callback() {
        let with = |callback: &str| {
            Callback::parse(callback)
                .unwrap()
                .with(&[("hub.topic", "https://a/?b=c&d")])
        };
        assert_eq!(
            with("http://b.example/x"),
            "http://b.example/x?hub.topic=https%3A%2F%2Fa%2F%3Fb%3Dc%26d"
        );
        assert_eq!(
            with("http://b.example/x?k=1&k=2&a+b=%2f&q"),
            "http://b.example/x?k=1&k=2&a+b=%2f&q&hub.topic=https%3A%2F%2Fa%2F%3Fb%3Dc%26d"
        );
        assert_eq!(
            with("http://b.example/x?"),
            "http://b.example/x?hub.topic=https%3A%2F%2Fa%2F%3Fb%3Dc%26d"
        );
    }
}
