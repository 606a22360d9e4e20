//! Authors as the configuration names them.

use std::collections::BTreeMap;

use super::raw::Author;
use crate::article::words::printable;
use crate::article::{Person, address};

/// `Name`, or `Name <mail>`.
pub(super) fn parse(text: &str) -> Result<Person, String> {
    let wrong = || format!("`{text}` is no author; write `Name` or `Name <mail@example.org>`");
    let Some((name, mail)) = text.split_once('<') else {
        return Ok(Person {
            name: printable(text.trim()),
            ..Person::default()
        });
    };
    let mail = mail
        .trim()
        .strip_suffix('>')
        .and_then(address::mail)
        .ok_or_else(wrong)?;
    let name = if name.trim().is_empty() {
        &mail
    } else {
        name.trim()
    };
    Ok(Person {
        name: printable(name),
        email: Some(mail.clone()),
        url: None,
    })
}

/// `[authors.KEY]`, checked.
pub(super) fn table(
    authors: &BTreeMap<String, Author>,
) -> Result<BTreeMap<String, Person>, String> {
    authors
        .iter()
        .map(|(key, author)| {
            let name = author
                .name
                .as_deref()
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .unwrap_or(key);
            // an empty value is none
            let is_set = |text: &&str| !text.trim().is_empty();
            let (email, url) = (author.email.as_deref(), author.url.as_deref());
            let (email, url) = (email.filter(is_set), url.filter(is_set));
            if let Some(mail) = email.filter(|mail| !is_like_mail(mail)) {
                return Err(format!(
                    "`{mail}` of `{key}` is no mail address; write it like `ann@example.org`"
                ));
            }
            let url = url.map(|url| {
                let wrong = || {
                    format!("`{url}` of `{key}` is no URL; write it like `https://ann.example/`")
                };
                crate::link::canonical(url).ok_or_else(wrong)
            });
            let person = Person {
                name: printable(name),
                email: email.and_then(address::mail),
                url: url.transpose()?,
            };
            Ok((key.clone(), person))
        })
        .collect()
}

/// Whether a text is meant as a mail address. What feeds cannot show of them is left out, and said.
fn is_like_mail(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Mail addresses that no feed can show, with the keys of their authors.
pub(super) fn unfit_mail(authors: &BTreeMap<String, Author>) -> Vec<(&str, &str)> {
    let mails = authors
        .iter()
        .filter_map(|(key, author)| Some((key.as_str(), author.email.as_deref()?)));
    mails
        .filter(|(_, mail)| address::mail(mail).is_none())
        .collect()
}
