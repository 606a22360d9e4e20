//! YAML between `---` lines.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::{Entries, Fault, Value, is_key, line_of};

mod plain;

/// Nothing that an author writes comes near these; an alias bomb does at once.
fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::options! { strict_booleans: true };
    if let Some(budget) = &mut options.budget {
        budget.max_aliases = 100;
        budget.max_anchors = 100;
        budget.max_depth = 64;
    }
    options
}

/// Reads a head; `None` if it is no mapping but text between two thematic breaks.
pub(super) fn read(head: &str) -> Result<Option<Entries>, Fault> {
    if let Some(entries) = plain::read(head) {
        return Ok(Some(entries));
    }
    let blank = head
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if blank {
        return Ok(Some(Vec::new()));
    }
    // a flow mapping is one as a whole: `{title: A, draft: true}`
    let is_flow = head.trim_start().starts_with('{') && head.trim_end().ends_with('}');
    if !is_flow && !head.lines().any(|line| is_key(line.trim_start())) {
        return Ok(None);
    }
    parsed(head).map(Some)
}

/// How many bytes the directives above the first fence have (`%YAML 1.2`, YAML 1.2 §6.8); 0 if there are none, or no fence.
pub(super) fn directives(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            "---" => return length,
            line if line.starts_with("%YAML ") || line.starts_with("%TAG ") => {}
            _ => return 0,
        }
        length += line.len();
    }
    0
}

/// What is wrong, in words of authors and not of the library.
fn in_words(what: &str) -> String {
    let what = what.split(", set ").next().unwrap_or(what);
    if let Some(key) = what.strip_prefix("duplicate mapping key: ") {
        return format!("the key `{key}` stands twice; keep one");
    }
    let is_quoting = [
        "mapping values",
        "block sequence entries",
        "alias",
        "tagged scalar",
        "anchor",
    ];
    if is_quoting.iter().any(|part| what.contains(part)) {
        return format!(
            "{what}; put quotes around a value that holds `: ` or begins with `*`, `&`, `!`, `-`, `[` or `{{`"
        );
    }
    what.to_owned()
}

/// Reads a mapping of any form.
fn parsed(head: &str) -> Result<Entries, Fault> {
    let top: Top = serde_saphyr::from_str_with_options(head, options()).map_err(|error| {
        let line = error
            .location()
            .and_then(|location| u32::try_from(location.line()).ok())
            .filter(|line| *line > 0);
        let what = error.without_snippet().to_string();
        let what = what.lines().next().unwrap_or_default();
        let what = what
            .split(" at line ")
            .next()
            .unwrap_or(what)
            .trim_start_matches("error: ");
        Fault {
            line,
            what: in_words(what),
        }
    })?;
    let lines: Vec<&str> = head.lines().collect();
    let entries = top.0.into_iter().map(|(key, value)| {
        let line = u32::try_from(value.referenced.line())
            .ok()
            .filter(|line| *line > 0);
        let raw = || scalar(&lines, &value.referenced);
        let value = match value.value {
            // `1.10` is a version or a title more often than a number
            Value::Number(number) => Value::Number(raw().unwrap_or(number)),
            value => value,
        };
        let line = match value {
            Value::List(_) | Value::Map(_) => line_of(head, &key),
            _ => line.unwrap_or_else(|| line_of(head, &key)),
        };
        (key, line, value)
    });
    Ok(entries.collect())
}

/// A plain scalar as it stands in the text.
fn scalar(lines: &[&str], at: &serde_saphyr::Location) -> Option<String> {
    let line = lines.get(usize::try_from(at.line()).ok()?.checked_sub(1)?)?;
    let start = line
        .char_indices()
        .nth(usize::try_from(at.column()).ok()?.checked_sub(1)?)?
        .0;
    let text = &line[start..];
    let text = text
        .find(" #")
        .map_or(text, |comment| &text[..comment])
        .trim();
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    plain.then(|| text.to_owned())
}

struct Top(Vec<(String, Spanned<Value>)>);

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Top;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("keys with values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
                let mut entries: Vec<(String, Spanned<Value>)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Top(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
