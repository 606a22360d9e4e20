//! Front matter: what stands before the text and says what the text is. Read here into plain values; what the keys
//! mean is `keys`' business.

use std::borrow::Cow;

use super::{Markup, Problem};

mod html;
mod json;
mod mangled;
mod pairs;
mod toml;
mod yaml;

pub(super) use html::PAGE_TITLE;

/// The longest head in bytes.
const LONGEST: usize = 64 << 10;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: the key counts as absent.
    Null,
    /// `true` or `false`, without quotes.
    Bool(bool),
    /// A number, as written where that is known.
    Number(String),
    /// Text, or a date.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// Keys (as written) with their values.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value under a key that is written in any of the usual ways.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(name, _)| plain(name) == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Text, numbers and booleans as text.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(Cow::Borrowed(text)),
            Self::Bool(value) => Some(Cow::Owned(value.to_string())),
            _ => None,
        }
    }

    /// What the value is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// A key without case, `-` and `_`.
#[must_use]
pub fn plain(key: &str) -> String {
    // most keys are written so
    if key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9')) {
        return key.to_owned();
    }
    key.chars()
        // what nobody sees is no part of a word
        .filter(|c| !matches!(c, '-' | '_') && !c.is_whitespace() && !mangled::is_invisible(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The head of an article.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// [`plain`] key, line in the file (from 1), value; in the order of the file, no value [`Value::Null`].
    pub entries: Vec<(String, u32, Value)>,
}

impl Head {
    /// The line and the value of a path of [`plain`] keys: `extra.author`, `images[0]`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<(u32, &Value)> {
        // most keys are not there: nearly always their first letter tells
        let first = path.as_bytes().first();
        let is_there = |(name, ..): &(String, u32, Value)| name.as_bytes().first() == first;
        if !self.entries.iter().any(is_there) {
            return None;
        }
        let own = |key: &str| self.entries.iter().find(|(name, ..)| name == key);
        // in YAML a dot is a part of the key
        if let Some((_, line, value)) = own(path).filter(|_| path.contains('.')) {
            return Some((*line, value));
        }
        // most paths are keys
        if !path.bytes().any(|b| matches!(b, b'.' | b'[')) {
            let (_, line, value) = own(path)?;
            return Some((*line, value));
        }
        let (path, first) = path
            .strip_suffix("[0]")
            .map_or((path, false), |path| (path, true));
        let mut keys = path.split('.');
        let key = keys.next()?;
        let (_, line, value) = own(key)?;
        let value = keys.try_fold(value, |value, key| value.get(key))?;
        let value = match value {
            Value::List(list) if first => list.first()?,
            value => value,
        };
        (*value != Value::Null).then_some((*line, value))
    }

    fn put(&mut self, key: &str, line: u32, value: Value) {
        let key = plain(key);
        let empty = matches!(&value, Value::Text(text) if text.trim().is_empty());
        if value != Value::Null && !empty && self.entries.iter().all(|(other, ..)| *other != key) {
            self.entries.push((key, line, value));
        }
    }
}

/// A file's text, taken apart.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What the head says.
    pub head: Head,
    /// The rest.
    pub body: &'a str,
    /// The line at which the rest begins, from 1.
    pub line: u32,
}

/// Takes a file apart. `text` has `\n` line ends.
///
/// # Errors
/// If there is a head that cannot be understood; nothing of such a file may be published.
pub fn read<'a>(path: &str, text: &'a str, markup: Markup) -> Result<Parts<'a>, Problem> {
    let mut parts = if let Some(parts) = declared(path, text, markup)? {
        if let Some(found) = mangled::second(parts.body) {
            let remedy = format!(
                "{}; nothing of the file is published until then",
                found.remedy
            );
            let line = parts.line + found.line - 1;
            return Err(Problem::error(path, found.what).at(line).remedy(remedy));
        }
        parts
    } else {
        refuse_mangled(path, text, markup)?;
        Parts {
            head: Head::default(),
            body: text,
            line: 1,
        }
    };
    if markup == Markup::Html {
        html::read(parts.body, parts.line, &mut parts.head);
    }
    Ok(parts)
}

/// A text without front matter must not begin with what is meant as such.
fn refuse_mangled(path: &str, text: &str, markup: Markup) -> Result<(), Problem> {
    let refuse = |line: u32, what: &str, remedy: &str| {
        let remedy = format!("{remedy}; nothing of the file is published until then");
        Err(Problem::error(path, what).at(line).remedy(remedy))
    };
    if let Some(found) = mangled::find(text) {
        return refuse(found.line, &found.what, found.remedy);
    }
    let top = text.trim_start();
    let seen = top.trim_start_matches(|c: char| c.is_whitespace() || mangled::is_invisible(c));
    if seen.len() < top.len() && !matches!(declared(path, seen, markup), Ok(None)) {
        let line = 1 + lines(&text[..text.len() - top.len()]);
        let what = "an invisible character stands before the front matter";
        return refuse(line, what, "delete all that stands before it");
    }
    Ok(())
}

/// Front matter in one of its forms; `None` if there is none.
fn declared<'a>(path: &str, text: &'a str, markup: Markup) -> Result<Option<Parts<'a>>, Problem> {
    let blank = text.len() - text.trim_start_matches(['\n', ' ', '\t']).len();
    let start = text[..blank].rfind('\n').map_or(0, |newline| newline + 1);
    let (above, rest) = text.split_at(start);
    let above = lines(above);
    let first = rest.lines().next().unwrap_or_default().trim_end();
    // YAML's own directives may stand above its first fence
    let directives = yaml::directives(rest);
    let (above, rest) = (above + lines(&rest[..directives]), &rest[directives..]);
    let first = if directives == 0 { first } else { "---" };
    let fence = fence(first);
    let parts = match fence {
        Some(("---", Some(language))) => {
            let remedy =
                "write it as YAML, TOML or JSON; nothing of the file is published until then";
            let what = format!("front matter in `{language}` is a program, and is not run");
            return Err(Problem::error(path, what).at(above + 1).remedy(remedy));
        }
        Some((kind, _)) => {
            let (ends, reader): (&[&str], Reader) = match kind {
                "json" => (&["---"], json::entries),
                "toml" => (&["---"], toml::read),
                "+++" => (&["+++"], toml::read),
                ";;;" => (&[";;;"], json::inside),
                _ => (&["---", "..."], yaml::read),
            };
            fenced(path, rest, above, ends, reader)?
        }
        None if rest.starts_with('{') && !rest.starts_with("{{") && !rest.starts_with("{%") => {
            json::read(path, rest, above)?
        }
        None => match pairs::nikola(rest, above) {
            Some(parts) => Some(parts),
            None if markup == Markup::Html => None,
            None => pairs::read(path, rest, above)?,
        },
    };
    Ok(parts)
}

/// What a first line opens: a fence, and a language that is none of data.
fn fence(first: &str) -> Option<(&str, Option<&str>)> {
    match first {
        "---" | "+++" | ";;;" => Some((first, None)),
        _ => match first.strip_prefix("---")?.trim_start() {
            language @ ("json" | "toml") => Some((language, None)),
            "yaml" | "yml" => Some(("---", None)),
            language @ ("js" | "javascript" | "coffee" | "coffeescript") => {
                Some(("---", Some(language)))
            }
            _ => None,
        },
    }
}

/// Key, line in the head (from 1), value.
type Entries = Vec<(String, u32, Value)>;

type Reader = fn(head: &str) -> Result<Option<Entries>, Fault>;

/// What is wrong with a head, at a line counted from its first.
struct Fault {
    line: Option<u32>,
    what: String,
}

/// A head between two fences; `None` if it is none after all.
fn fenced<'a>(
    path: &str,
    rest: &'a str,
    above: u32,
    ends: &[&str],
    read: Reader,
) -> Result<Option<Parts<'a>>, Problem> {
    let first = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    let fence = rest[..first].trim_end();
    let mut offset = first;
    let mut found = None;
    for line in rest[first..].split_inclusive('\n') {
        if ends.contains(&line.trim_end()) {
            found = Some((offset, offset + line.len()));
            break;
        }
        offset += line.len();
        if offset > LONGEST {
            break;
        }
    }
    let Some((end, body)) = found else {
        let looks_like_head = rest[first..]
            .lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(is_key);
        if !looks_like_head && matches!(fence, "---" | ";;;") {
            return Ok(None);
        }
        let what = if offset > LONGEST {
            "the front matter is longer than 64 KiB"
        } else {
            "the front matter is never closed"
        };
        let fence = ends.first().unwrap_or(&fence);
        let remedy = format!(
            "put a line `{fence}` between it and the text; nothing of the file is published until then"
        );
        return Err(Problem::error(path, what).at(above + 1).remedy(remedy));
    };
    let head = &rest[first..end];
    let entries = read(head).map_err(|fault| {
        let line = above + 1 + fault.line.unwrap_or(0);
        let remedy = "correct it; nothing of the file is published until then";
        Problem::error(
            path,
            format!("the front matter cannot be read: {}", fault.what),
        )
        .at(line)
        .remedy(remedy)
    })?;
    let Some(entries) = entries else {
        return Ok(None);
    };
    let mut parsed = Head::default();
    for (key, line, value) in entries {
        parsed.put(&key, above + 1 + line, value);
    }
    Ok(Some(Parts {
        head: parsed,
        body: &rest[body..],
        line: above + lines(&rest[..body]) + 1,
    }))
}

/// Whether a line reads as `key: value` or `key = value`.
fn is_key(line: &str) -> bool {
    let key = line.trim_start_matches(['"', '\'']);
    let end = key
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .unwrap_or(key.len());
    end > 0
        && key[end..]
            .trim_start_matches(['"', '\'', ' '])
            .starts_with([':', '='])
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|b| *b == b'\n').count()).unwrap_or(u32::MAX)
}

/// The line, counted from 1, of the first top-level `key` in a head.
fn line_of(head: &str, key: &str) -> u32 {
    let found = head.lines().position(|line| {
        let line = line.trim_start_matches(['"', '\'', '[', ' ', '\t']);
        line.strip_prefix(key).is_some_and(|rest| {
            rest.trim_start_matches(['"', '\'', ' '])
                .starts_with([':', '=', ']', '.'])
        })
    });
    found.map_or(1, |index| u32::try_from(index + 1).unwrap_or(u32::MAX))
}
