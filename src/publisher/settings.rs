//! Half a configuration, of a file that was cut off, or is gone, must not publish: links to nowhere and feeds that answer
//! 410 are what subscribers would get.

use std::collections::BTreeSet;

use super::books::Books;
use super::{Config, Halt, Order};
use crate::ledger::Minted;

/// Refuses settings that lack what the ledger and the last run show that they had.
pub(super) fn refuse_half(config: &Config, books: &Books, order: &Order) -> Result<(), Halt> {
    if order.allow_shrink {
        return Ok(());
    }
    let lacks = |what: String| {
        let remedy = "put it back, or use `--allow-shrink` if that is meant";
        Err(Halt::Settings(format!(
            "{}: {what}; the old feeds stay; {remedy}",
            config.name
        )))
    };
    let of_public_host = books
        .ledger
        .feeds()
        .filter(|feed| feed.minted == Minted::Final);
    let mut hosts = of_public_host.filter_map(|feed| {
        let (host, _) = feed.id.strip_prefix("tag:")?.split_once(',')?;
        Some(host.to_owned())
    });
    if !config.has_base_url
        && let Some(host) = hosts.next()
    {
        return lacks(format!(
            "`base_url` is not set, and this ledger belongs to https://{host}/"
        ));
    }
    if config.site.permalink.is_none() && books.state.has_permalink {
        return lacks("`permalink` is not set, and was when the feeds were built last".to_owned());
    }
    Ok(())
}

/// Refuses to withdraw more than half of the feeds at once.
pub(super) fn refuse_few(
    config: &Config,
    books: &Books,
    order: &Order,
    wanted: &BTreeSet<String>,
) -> Result<(), Halt> {
    let before = books
        .manifest
        .iter()
        .flat_map(|manifest| &manifest.documents);
    let before: Vec<&String> = before
        .filter(|(_, document)| document.kind.is_feed())
        .map(|(route, _)| route)
        .collect();
    let left = before
        .iter()
        .filter(|route| wanted.contains(**route))
        .count();
    if order.allow_shrink || before.len() < 2 || left * 2 >= before.len() {
        return Ok(());
    }
    Err(Halt::Settings(format!(
        "{}: {} of {} feeds would be gone, and their subscribers told so; the old feeds stay; name them again, or use `--allow-shrink` if that is meant",
        config.name,
        before.len() - left,
        before.len()
    )))
}
