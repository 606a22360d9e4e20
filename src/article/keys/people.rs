//! Who wrote an article.

use super::Keys;
use crate::article::front_matter::Value;
use crate::article::hidden::hide_in_words;
use crate::article::words::folded;
use crate::article::{Person, address};
use crate::problem::Problem;

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
            match self.person(value, line) {
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

    fn person(&mut self, value: &Value, line: u32) -> Option<Person> {
        if let Value::Map(_) = value {
            let text = |key: &str| {
                value
                    .get(key)
                    .and_then(Value::text)
                    .map(|text| folded(&hide_in_words(&text)))
                    .filter(|text| !text.is_empty())
            };
            let email = text("email").or_else(|| text("mail"));
            let url = text("url").or_else(|| text("uri")).or_else(|| text("link"));
            let person = Person {
                name: text("name")?,
                email: email.as_deref().and_then(address::mail),
                url: url.as_deref().and_then(address::canonical),
            };
            for (what, written, kept) in [
                ("mail address", &email, &person.email),
                ("address on the web", &url, &person.url),
            ] {
                if let (Some(written), None) = (written, kept) {
                    let what = format!(
                        "`{written}` of `{}` is no {what} that feeds can show",
                        person.name
                    );
                    self.problems.push(
                        Problem::warning(self.path, what)
                            .at(line)
                            .remedy("correct it; it is left out until then"),
                    );
                }
            }
            return Some(person);
        }
        let text = folded(&hide_in_words(&value.text()?));
        if let Some(person) = self.dialect.authors.get(&text) {
            return Some(person.clone());
        }
        let named = text
            .split_once('<')
            .and_then(|(name, rest)| Some((name.trim(), rest.trim().strip_suffix('>')?)))
            .filter(|(_, mail)| is_like_mail(mail));
        let Some((name, written)) = named else {
            return (!text.is_empty()).then(|| Person {
                name: text,
                ..Person::default()
            });
        };
        let email = address::mail(written);
        if email.is_none() {
            let what = format!("`{written}` is no mail address that feeds can show");
            self.problems.push(
                Problem::warning(self.path, what)
                    .at(line)
                    .remedy("correct it; it is left out until then"),
            );
        }
        let name = if name.is_empty() { written } else { name };
        Some(Person {
            name: name.to_owned(),
            email,
            url: None,
        })
    }
}

/// Whether a text is meant as a mail address.
fn is_like_mail(text: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"')
    };
    text.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
        && !text.contains(odd)
}
