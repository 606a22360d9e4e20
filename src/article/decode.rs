//! Bytes to text: UTF-8, with or without a byte order mark, or UTF-16 with one; line ends become `\n`.

use std::borrow::Cow;

use super::Problem;

pub(super) fn decode<'a>(path: &str, bytes: &'a [u8]) -> Result<Cow<'a, str>, Problem> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(path, rest, u16::from_le_bytes)?.into(),
        [0xfe, 0xff, rest @ ..] => utf16(path, rest, u16::from_be_bytes)?.into(),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            Cow::Borrowed(std::str::from_utf8(bytes).map_err(|error| {
                let good = &bytes[..error.valid_up_to()];
                let line = good.iter().filter(|b| **b == b'\n').count() + 1;
                let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
                Problem::error(path, format!("the byte 0x{byte:02X} is no UTF-8"))
                    .at(u32::try_from(line).ok())
                    .remedy("save the file as UTF-8")
            })?)
        }
    };
    Ok(if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        text
    })
}

fn utf16(path: &str, bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Problem> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| unit([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units)
        .ok()
        .filter(|_| bytes.len() % 2 == 0)
        .ok_or_else(|| {
            Problem::error(path, "begins as UTF-16, but is none").remedy("save the file as UTF-8")
        })
}
