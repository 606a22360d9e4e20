//! TOML between `+++` lines.

use super::{Entries, Fault, Value, line_of};

/// Reads a head.
pub(super) fn read(head: &str) -> Result<Option<Entries>, Fault> {
    let table: toml::Table = toml::from_str(head).map_err(|error: toml::de::Error| {
        let before = error.span().map(|span| &head[..span.start.min(head.len())]);
        let line = before.and_then(|before| {
            u32::try_from(before.bytes().filter(|b| *b == b'\n').count() + 1).ok()
        });
        Fault {
            line,
            what: error.message().lines().collect::<Vec<_>>().join(", "),
        }
    })?;
    let entries = table.into_iter().map(|(key, value)| {
        let line = line_of(head, &key);
        (key, line, convert(value))
    });
    Ok(Some(entries.collect()))
}

fn convert(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::Text(text),
        toml::Value::Integer(number) => Value::Number(number.to_string()),
        toml::Value::Float(number) => Value::Number(number.to_string()),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(date) => Value::Text(date.to_string()),
        toml::Value::Array(list) => Value::List(list.into_iter().map(convert).collect()),
        toml::Value::Table(table) => Value::Map(
            table
                .into_iter()
                .map(|(key, value)| (key, convert(value)))
                .collect(),
        ),
    }
}
