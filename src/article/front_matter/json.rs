//! A JSON object before the text, by itself or between fences.

use super::{Entries, Fault, Head, LONGEST, Parts, Problem, Value, line_of, lines};

/// Reads the object at the beginning of `rest`; `None` if it only looks like one.
pub(super) fn read<'a>(
    path: &str,
    rest: &'a str,
    above: u32,
) -> Result<Option<Parts<'a>>, Problem> {
    if !rest[1..].trim_start().starts_with(['"', '}']) {
        return Ok(None);
    }
    let mut stream = serde_json::Deserializer::from_str(rest)
        .into_iter::<serde_json::Map<String, serde_json::Value>>();
    let refuse = |line: u32, what: &str| {
        let remedy = "correct it; nothing of the file is published until then";
        Problem::error(path, what).at(above + line).remedy(remedy)
    };
    let map = match stream.next() {
        Some(Ok(map)) => map,
        Some(Err(error)) => {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            let line = u32::try_from(error.line()).unwrap_or(1);
            return Err(refuse(
                line,
                &format!("the front matter cannot be read: {what}"),
            ));
        }
        None => return Ok(None),
    };
    let end = stream.byte_offset();
    if end > LONGEST {
        return Err(refuse(1, "the front matter is longer than 64 KiB"));
    }
    let mut head = Head::default();
    for (key, value) in map {
        let line = above + line_of(&rest[..end], &key);
        head.put(&key, line, convert(value));
    }
    let body = rest[end..].strip_prefix('\n').unwrap_or(&rest[end..]);
    Ok(Some(Parts {
        head,
        body,
        line: above + lines(&rest[..rest.len() - body.len()]) + 1,
    }))
}

/// Reads the object between two fences.
pub(super) fn entries(head: &str) -> Result<Option<Entries>, Fault> {
    object(head, head)
}

/// Reads what stands between two fences and would be an object with braces around it (Hexo).
pub(super) fn inside(head: &str) -> Result<Option<Entries>, Fault> {
    object(&format!("{{{head}}}"), head)
}

fn object(text: &str, head: &str) -> Result<Option<Entries>, Fault> {
    let map: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| {
            let what = error.to_string();
            Fault {
                line: u32::try_from(error.line()).ok(),
                what: what
                    .split(" at line ")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            }
        })?;
    let entries = map.into_iter().map(|(key, value)| {
        let line = line_of(head, &key);
        (key, line, convert(value))
    });
    Ok(Some(entries.collect()))
}

fn convert(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => Value::Number(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(list) => Value::List(list.into_iter().map(convert).collect()),
        serde_json::Value::Object(map) => Value::Map(
            map.into_iter()
                .map(|(key, value)| (key, convert(value)))
                .collect(),
        ),
    }
}
