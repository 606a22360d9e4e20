//! `hubs` and `[hub]`: who pushes what changed to subscribers (WebSub).

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use super::raw;

/// The meaning of `[hub]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hub {
    /// Whether `serve` is a hub for its own feeds.
    pub enabled: bool,
    /// Networks that are not public, and that callbacks may be in all the same.
    pub allow: Vec<IpNet>,
}

pub(super) fn hub(raw: &raw::Hub) -> Result<Hub, String> {
    let network = |text: &String| {
        let text = text.trim();
        let network = text.parse::<IpNet>();
        let network = network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| format!("`{text}` is no network; write it like `10.0.0.0/8` or `::1`"))
    };
    Ok(Hub {
        enabled: raw.enabled,
        allow: raw.allow.iter().map(network).collect::<Result<_, _>>()?,
    })
}

/// Hubs elsewhere.
pub(super) fn hubs(texts: &[String]) -> Result<Vec<String>, String> {
    let hub = |text: &String| {
        let wrong =
            || format!("`{text}` is no address of a hub; write it like `https://hub.example/`");
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let is_fit = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        // what stands in a header between `<` and `>`; the parser leaves neither in a URL
        is_fit.then(|| url.to_string()).ok_or_else(wrong)
    };
    Ok(all(texts.iter().map(hub).collect::<Result<_, _>>()?, None))
}

/// All hubs, each once: our own comes last, since readers that take one hub take the first, and whoever names another
/// one means it.
pub(super) fn all(hubs: Vec<String>, own: Option<String>) -> Vec<String> {
    let mut all = Vec::new();
    for hub in hubs.into_iter().chain(own) {
        if !all.contains(&hub) {
            all.push(hub);
        }
    }
    all
}
