//! Who wrote an article.

use super::Keys;
use super::place::web;
use crate::article::Person;
use crate::article::front_matter::Value;
use crate::article::words::folded;

impl Keys<'_> {
    pub(in crate::article) fn authors(&mut self) -> Vec<Person> {
        let found = [
            "authors",
            "author",
            "by",
            "hosts",
            "extra.author",
            "params.author",
        ]
        .iter()
        .find_map(|key| self.head.get(key).map(|(line, value)| (*key, line, value)));
        let Some((key, line, value)) = found else {
            return Vec::new();
        };
        let values = match value {
            Value::List(list) => list.as_slice(),
            value => std::slice::from_ref(value),
        };
        self.note("authors", key, line);
        let mut people: Vec<Person> = Vec::new();
        for value in values.iter().filter(|value| **value != Value::Null) {
            match self.person(value) {
                Some(person) if !people.contains(&person) => people.push(person),
                Some(_) => {}
                None => {
                    let remedy =
                        "write a name, `Name <mail>`, or a mapping with `name`, `email` and `url`";
                    self.wrong(
                        line,
                        format!("`{key}` holds {} without a name", value.kind()),
                        remedy,
                    );
                }
            }
        }
        people
    }

    fn person(&self, value: &Value) -> Option<Person> {
        if let Value::Map(_) = value {
            let text = |key: &str| {
                value
                    .get(key)
                    .and_then(Value::text)
                    .map(|text| folded(&text))
                    .filter(|text| !text.is_empty())
            };
            let email = text("email")
                .or_else(|| text("mail"))
                .filter(|mail| is_mail(mail));
            let url = text("url")
                .or_else(|| text("uri"))
                .or_else(|| text("link"))
                .filter(|url| web(url));
            return Some(Person {
                name: text("name")?,
                email,
                url,
            });
        }
        let text = folded(&value.text()?);
        if let Some(person) = self.dialect.authors.get(&text) {
            return Some(person.clone());
        }
        let (name, mail) = match text
            .split_once('<')
            .and_then(|(name, rest)| Some((name, rest.trim().strip_suffix('>')?)))
        {
            Some((name, mail)) if is_mail(mail.trim()) => (name.trim(), Some(mail.trim())),
            _ => (text.as_str(), None),
        };
        let name = if name.is_empty() { mail? } else { name };
        Some(Person {
            name: name.to_owned(),
            email: mail.map(str::to_owned),
            url: None,
        })
    }
}

fn is_mail(text: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"')
    };
    text.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
        && !text.contains(odd)
}
