//! The encodings that lie beside a document.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

/// The name of each as HTTP has it (RFC 9110 §8.4.1, RFC 7932), and its file's extension.
pub(super) const ENCODINGS: [(&str, &str); 2] = [("gzip", "gz"), ("br", "br")];

/// Quickly: gzip 6, brotli 5. The same input gives the same bytes; gzip's header holds no time.
pub(super) fn encode(encoding: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    if encoding == "gzip" {
        let mut writer = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::new(6));
        writer.write_all(bytes)?;
        return writer.finish();
    }
    let mut encoded = Vec::new();
    let params = brotli::enc::BrotliEncoderParams {
        quality: 5,
        size_hint: bytes.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut io::Cursor::new(bytes), &mut encoded, &params)?;
    Ok(encoded)
}
