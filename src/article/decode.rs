//! Bytes to text: UTF-8, with or without a byte order mark, UTF-16 with one, or else the encoding that is configured; line
//! ends become `\n`.

use encoding_rs::Encoding;

use super::Problem;

pub(super) fn decode(
    path: &str,
    mut bytes: Vec<u8>,
    fallback: Option<&'static Encoding>,
) -> Result<String, Problem> {
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(path, rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(path, rest, u16::from_be_bytes)?,
        _ => {
            if bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            match (String::from_utf8(bytes), fallback) {
                (Ok(text), _) => text,
                (Err(error), Some(encoding)) => encoding
                    .decode_without_bom_handling_and_without_replacement(error.as_bytes())
                    .map(std::borrow::Cow::into_owned)
                    .ok_or_else(|| neither(path, &error, encoding))?,
                (Err(error), None) => return Err(invalid(path, &error)),
            }
        }
    };
    Ok(if memchr::memchr(b'\r', text.as_bytes()).is_some() {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    })
}

fn invalid(path: &str, error: &std::string::FromUtf8Error) -> Problem {
    let valid = error.utf8_error().valid_up_to();
    let bytes = error.as_bytes();
    let line = bytes[..valid].split(|byte| *byte == b'\n').count();
    let byte = bytes.get(valid).copied().unwrap_or_default();
    Problem::error(path, format!("the byte 0x{byte:02X} is no UTF-8"))
        .at(u32::try_from(line).ok())
        .remedy("save the file as UTF-8, or set `encoding` (such as \"windows-1252\")")
}

fn neither(path: &str, error: &std::string::FromUtf8Error, encoding: &'static Encoding) -> Problem {
    let problem = invalid(path, error);
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
