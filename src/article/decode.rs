//! Bytes to text: UTF-8, with or without a byte order mark, UTF-16 with one, or else the encoding that is configured; line
//! ends become `\n`.

use std::borrow::Cow;
use std::str::Utf8Error;

use encoding_rs::Encoding;

use super::Problem;

#[allow(
    clippy::needless_pass_by_value,
    reason = "once there is a text, nobody needs the bytes"
)]
pub(super) fn decode(
    path: &str,
    bytes: Vec<u8>,
    fallback: Option<&'static Encoding>,
) -> Result<String, Problem> {
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(path, rest, u16::from_le_bytes)?.into(),
        [0xfe, 0xff, rest @ ..] => utf16(path, rest, u16::from_be_bytes)?.into(),
        _ if is_unmarked_utf16(&bytes) => {
            let what = "is UTF-16 without a byte order mark";
            let remedy = "save the file as UTF-8; nothing of it is published until then";
            return Err(Problem::error(path, what).remedy(remedy));
        }
        _ => {
            let marked = bytes.strip_prefix(b"\xef\xbb\xbf");
            other(path, marked.unwrap_or(&bytes), fallback)?
        }
    };
    Ok(if memchr::memchr(b'\r', text.as_bytes()).is_some() {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.into_owned()
    })
}

/// Whether every other byte at the beginning is zero, as in UTF-16 (and three of four in UTF-32) of most languages. It is
/// not read: which of its two orders it has is a guess.
fn is_unmarked_utf16(bytes: &[u8]) -> bool {
    let beginning = &bytes[..bytes.len().min(256)];
    let zeros = |offset: usize| {
        let every_other = beginning.iter().skip(offset).step_by(2);
        every_other.filter(|byte| **byte == 0).count()
    };
    beginning.len() >= 4 && zeros(0).max(zeros(1)) * 4 > beginning.len()
}

/// UTF-8, or else the encoding that is configured.
fn other<'a>(
    path: &str,
    bytes: &'a [u8],
    fallback: Option<&'static Encoding>,
) -> Result<Cow<'a, str>, Problem> {
    if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
        return Ok(text.into());
    }
    match (std::str::from_utf8(bytes), fallback) {
        (Ok(text), _) => Ok(text.into()),
        (Err(error), Some(encoding)) => encoding
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or_else(|| neither(path, bytes, error, encoding)),
        (Err(error), None) => Err(invalid(path, bytes, error)),
    }
}

fn invalid(path: &str, bytes: &[u8], error: Utf8Error) -> Problem {
    let valid = error.valid_up_to();
    let line = bytes[..valid].split(|byte| *byte == b'\n').count();
    let byte = bytes.get(valid).copied().unwrap_or_default();
    Problem::error(path, format!("the byte 0x{byte:02X} is no UTF-8"))
        .at(u32::try_from(line).ok())
        .remedy("save the file as UTF-8, or set `encoding` (such as \"windows-1252\")")
}

fn neither(path: &str, bytes: &[u8], error: Utf8Error, encoding: &'static Encoding) -> Problem {
    let problem = invalid(path, bytes, error);
    let what = format!(
        "{}, and the file is no {} either",
        problem.what,
        encoding.name()
    );
    Problem { what, ..problem }.remedy("save the file as UTF-8")
}

fn utf16(path: &str, bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Problem> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| unit([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units)
        .ok()
        .filter(|_| bytes.len().is_multiple_of(2))
        .ok_or_else(|| {
            Problem::error(path, "begins as UTF-16, but is none").remedy("save the file as UTF-8")
        })
}
