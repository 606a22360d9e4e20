//! The choice of an encoding: RFC 9110 §12.5.3. There is always an answer, never a 406.

use http::header::{self, HeaderMap};

use crate::edition::encode::Coding;
use crate::served::Variant;

/// The variant that the client likes best; of those that it likes equally, the smallest. `None` if there is none.
pub(super) fn choose<'v>(variants: &'v [Variant], headers: &HeaderMap) -> Option<&'v Variant> {
    let identity = variants.first();
    if variants.len() < 2 || !headers.contains_key(header::ACCEPT_ENCODING) {
        return identity;
    }
    let wishes = Wishes::of(headers);
    let liked = variants
        .iter()
        .filter(|variant| wishes.weight(variant.coding) > 0)
        .min_by_key(|variant| (1001 - wishes.weight(variant.coding), variant.bytes.len()));
    liked.or(identity)
}

/// How much a client likes each encoding, from 0 to 1000; `None`: it does not say.
#[derive(Debug, Default)]
struct Wishes {
    identity: Option<u16>,
    gzip: Option<u16>,
    br: Option<u16>,
    zstd: Option<u16>,
    any: Option<u16>,
}

impl Wishes {
    fn of(headers: &HeaderMap) -> Self {
        let mut wishes = Self::default();
        let lines = headers.get_all(header::ACCEPT_ENCODING).into_iter();
        for member in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
            let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let Some(weight) = weight(parts) else {
                continue;
            };
            let wish = match name.as_slice() {
                b"identity" => &mut wishes.identity,
                b"gzip" | b"x-gzip" => &mut wishes.gzip,
                b"br" => &mut wishes.br,
                b"zstd" => &mut wishes.zstd,
                b"*" => &mut wishes.any,
                _ => continue,
            };
            *wish = Some(weight);
        }
        wishes
    }

    fn weight(&self, coding: Option<Coding>) -> u16 {
        let named = match coding {
            // what nobody asks for is what remains when nothing else is liked
            None => self.identity,
            Some(Coding::Gzip) => self.gzip,
            Some(Coding::Brotli) => self.br,
            Some(Coding::Zstd) => self.zstd,
        };
        named.or(self.any).unwrap_or(0)
    }
}

/// `q=0.5`, in thousandths; 1000 if there is none; `None` if it is no weight.
fn weight<'p>(mut parameters: impl Iterator<Item = &'p [u8]>) -> Option<u16> {
    let q = parameters.find_map(|parameter| match parameter {
        [b'q' | b'Q', rest @ ..] => rest.trim_ascii().strip_prefix(b"="),
        _ => None,
    });
    let Some(q) = q else { return Some(1000) };
    let q: f32 = std::str::from_utf8(q.trim_ascii()).ok()?.parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 1000"
    )]
    (0.0..=1.0)
        .contains(&q)
        .then_some((q * 1000.0).round() as u16)
}
