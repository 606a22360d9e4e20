//! `[serve]`: how and where the server answers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::{Refusals, quantity, raw};
use crate::served::Detours;
use crate::site::Site;

/// The address that is listened on when none is set.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// The meaning of `[serve]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Where to listen; empty: on the sockets that systemd hands over.
    pub listen: Vec<Address>,
    /// Where metrics and orders are taken, if anywhere.
    pub admin: Option<Address>,
    /// How long a reader need not ask again.
    pub fresh: Duration,
    /// How often the folder is walked, whatever events say.
    pub scan: Duration,
    /// How requests are logged.
    pub log: Log,
    /// Whose word is taken for where a request came from.
    pub trusted: Trusted,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// Paths that are answered beside the documents.
    pub detours: Detours,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(text) => f.write_str(text),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The form of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// The combined log format, with four more fields.
    Combined,
    /// One JSON object a line.
    Json,
    /// None.
    Off,
}

/// The proxies whose word is taken for where a request came from. Nothing else of what they say is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted {
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Whoever comes through a unix socket.
    pub unix: bool,
}

impl Trusted {
    /// Whether a proxy at this address is trusted; `None` is a unix socket.
    #[must_use]
    pub fn has(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            Some(ip) => {
                let ip = ip.to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            }
            None => self.unix,
        }
    }
}

pub(super) fn resolve(
    raw: &raw::Serve,
    site: Option<&Site>,
    home: &Path,
    refusals: &mut Refusals<'_>,
) -> Option<Serve> {
    let default = [DEFAULT_LISTEN.to_owned()];
    let listen = raw.listen.as_deref().unwrap_or(&default);
    let listen = listen
        .iter()
        .map(|text| address(text, home))
        .collect::<Result<Vec<_>, _>>();
    let listen = refusals.take("listen", listen);
    let admin = raw
        .admin
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let admin = admin
        .map(|text| address(text, home).and_then(private))
        .transpose();
    let admin = refusals.take("admin", admin);
    let duration = |text: &Option<String>, default: &str| {
        quantity::duration(text.as_deref().unwrap_or(default))
    };
    let fresh = refusals.take("fresh", duration(&raw.fresh, "30 minutes"));
    let scan = refusals.take("scan", duration(&raw.scan, "60 seconds"));
    let log = match raw.log.as_deref().unwrap_or("combined") {
        "combined" => Ok(Log::Combined),
        "json" => Ok(Log::Json),
        "off" => Ok(Log::Off),
        other => Err(format!(
            "`{other}` is no log; use `combined`, `json` or `off`"
        )),
    };
    let log = refusals.take("log", log);
    let trusted = refusals.take("trusted_proxies", trusted(&raw.trusted_proxies));
    let max = match raw.max_connections.unwrap_or(16_384) {
        0 => Err("is 0; at least one connection is needed".to_owned()),
        max => Ok(max),
    };
    let max_connections = refusals.take("max_connections", max);
    let detours = refusals.take("serve", detours(raw, site));
    Some(Serve {
        listen: listen?,
        admin: admin?,
        fresh: fresh?,
        scan: scan?,
        log: log?,
        trusted: trusted?,
        max_connections: max_connections?,
        detours: detours?,
    })
}

/// `unix:PATH`, or a host and a port.
fn address(text: &str, home: &Path) -> Result<Address, String> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Address::Unix(home.join(path)));
    }
    let port = text
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse::<u16>()));
    match port {
        Some((host, Ok(_))) if !host.is_empty() => Ok(Address::Tcp(text.to_owned())),
        _ => Err(format!(
            "`{text}` is no address; write it like `127.0.0.1:8080`, `[::]:8080` or `unix:/run/tidings.sock`"
        )),
    }
}

/// Orders and metrics are for the machine itself.
fn private(address: Address) -> Result<Address, String> {
    let Address::Tcp(text) = &address else {
        return Ok(address);
    };
    let found: Vec<_> = text
        .to_socket_addrs()
        .map_err(|error| format!("`{text}` cannot be resolved: {error}; use `127.0.0.1:9090`"))?
        .collect();
    if found.iter().all(|found| found.ip().is_loopback()) {
        Ok(address)
    } else {
        Err(format!(
            "`{text}` can be reached from outside; use a loopback address such as `127.0.0.1:9090`, or a unix socket"
        ))
    }
}

fn trusted(texts: &[String]) -> Result<Trusted, String> {
    let mut trusted = Trusted::default();
    for text in texts {
        let text = text.trim();
        if text == "unix" {
            trusted.unix = true;
            continue;
        }
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        trusted.networks.push(network.map_err(|_| {
            format!("`{text}` is no network; write it like `10.0.0.0/8` or `::1`, or `unix`")
        })?);
    }
    Ok(trusted)
}

/// Paths as requests have them, so that a query or a host in one is a mistake.
fn detours(raw: &raw::Serve, site: Option<&Site>) -> Result<Detours, String> {
    let mut detours = Detours::default();
    for (from, to) in &raw.aliases {
        detours.aliases.insert(path(from)?, path(to)?);
    }
    for from in &raw.gone {
        detours.gone.push(path(from)?);
    }
    for from in raw.moved.keys() {
        let url = destination(from, &raw.moved, site)?;
        detours.moved.insert(path(from)?, url);
    }
    let Detours {
        aliases,
        moved,
        gone,
    } = &detours;
    let is_detour =
        |route| aliases.contains_key(route) || moved.contains_key(route) || gone.contains(route);
    if let Some((from, to)) = aliases.iter().find(|(_, to)| is_detour(to)) {
        return Err(format!(
            "the alias `/{from}` leads to `/{to}`, which `aliases`, `moved` or `gone` leads elsewhere; let it lead to a document"
        ));
    }
    Ok(detours)
}

/// Where a path leads in one hop: along all that moved again.
fn destination(
    from: &str,
    moved: &BTreeMap<String, String>,
    site: Option<&Site>,
) -> Result<String, String> {
    let mut to = &moved[from];
    for _ in 0..=moved.len() {
        if let Some(further) = moved.get(to) {
            to = further;
            continue;
        }
        if let Some(url) = crate::link::canonical(to) {
            return Ok(url);
        }
        let route = path(to)?;
        return Ok(site.map(|site| site.url(&route)).unwrap_or_default());
    }
    Err(format!(
        "`{from}` moves in a circle; let it lead to a path that stays"
    ))
}

/// A path without the slash in front and without escapes.
fn path(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is no path; write it like `/feed.xml`");
    let below = text.trim().strip_prefix('/').ok_or_else(wrong)?;
    if below.contains(['?', '#', '\\']) {
        return Err(wrong());
    }
    let decoded = percent_encoding::percent_decode_str(below).decode_utf8();
    Ok(decoded.map_err(|_| wrong())?.into_owned())
}
