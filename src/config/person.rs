//! Authors as the configuration names them.

use std::collections::BTreeMap;

use super::raw::Author;
use crate::article::Person;

/// `Name`, or `Name <mail>`.
pub(super) fn parse(text: &str) -> Result<Person, String> {
    let wrong = || format!("`{text}` is no author; write `Name` or `Name <mail@example.org>`");
    let Some((name, mail)) = text.split_once('<') else {
        return Ok(Person {
            name: text.trim().to_owned(),
            ..Person::default()
        });
    };
    let mail = mail
        .trim()
        .strip_suffix('>')
        .filter(|mail| is_mail(mail))
        .ok_or_else(wrong)?;
    let name = if name.trim().is_empty() {
        mail
    } else {
        name.trim()
    };
    Ok(Person {
        name: name.to_owned(),
        email: Some(mail.to_owned()),
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
            if let Some(mail) = author.email.as_deref().filter(|mail| !is_mail(mail)) {
                return Err(format!(
                    "`{mail}` of `{key}` is no mail address; write it like `ann@example.org`"
                ));
            }
            let url = author.url.as_deref().map(|url| {
                let wrong = || {
                    format!("`{url}` of `{key}` is no URL; write it like `https://ann.example/`")
                };
                crate::link::canonical(url).ok_or_else(wrong)
            });
            let person = Person {
                name: name.to_owned(),
                email: author.email.clone(),
                url: url.transpose()?,
            };
            Ok((key.clone(), person))
        })
        .collect()
}

fn is_mail(text: &str) -> bool {
    let parts = text
        .split_once('@')
        .filter(|(local, host)| !local.is_empty() && host.contains('.') && !host.contains('@'));
    parts.is_some()
        && !text.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '(' | ')' | ',')
        })
}
