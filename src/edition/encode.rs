//! The encodings of a document: the same input gives the same bytes.

use std::io::{self, Write};
use std::sync::OnceLock;

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};

/// How a document can be encoded (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`: in memory only, since no static host knows its files.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Brotli, Self::Zstd];
    /// Those that lie beside a document on disk.
    pub const SIBLINGS: [Self; 2] = [Self::Gzip, Self::Brotli];

    /// As HTTP names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The extension of its files, without a dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Brotli => "br",
            Self::Zstd => "zst",
        }
    }
}

/// How much time an encoding may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// There is so much to do that somebody would wait too long: gzip 1, brotli 2, zstd 3. A quarter of the time, and a
    /// tenth more bytes.
    Hasty,
    /// Somebody waits: gzip 6, brotli 5, zstd 6.
    Quick,
    /// Nobody does: gzip 12, brotli 11, zstd 19.
    Best,
}

/// More documents at once than these are encoded in haste.
const MANY: usize = 64;

impl Effort {
    /// For one of so many documents that are encoded at once.
    #[must_use]
    pub fn of(documents: usize) -> Self {
        if documents > MANY {
            Self::Hasty
        } else {
            Self::Quick
        }
    }

    /// What gzip, brotli and zstd call it.
    fn levels(self) -> (i32, i32, i32) {
        match self {
            Self::Hasty => (1, 2, 3),
            Self::Quick => (6, 5, 6),
            Self::Best => (12, 11, 19),
        }
    }
}

/// Encodes.
///
/// # Errors
/// If an encoder refuses; none is known to when it writes to memory.
pub fn encode(coding: Coding, effort: Effort, bytes: &[u8]) -> io::Result<Bytes> {
    let (gzip, brotli, zstd) = effort.levels();
    let encoded = match coding {
        Coding::Gzip => {
            // no time stands in its header: the same bytes on any day
            let level = CompressionLvl::new(gzip);
            let mut compressor = Compressor::new(level.unwrap_or_default());
            let mut encoded = vec![0; compressor.gzip_compress_bound(bytes.len())];
            let length = compressor.gzip_compress(bytes, &mut encoded);
            encoded.truncate(length.map_err(io::Error::other)?);
            // what is longer than its content would stay so as long as it is offered
            encoded.shrink_to_fit();
            encoded
        }
        Coding::Brotli => {
            // a window no larger than the document: it is the larger part of the encoder's memory
            let window = usize::BITS - bytes.len().leading_zeros();
            let params = brotli::enc::BrotliEncoderParams {
                quality: brotli,
                lgwin: i32::try_from(window.clamp(16, 22)).unwrap_or(22),
                size_hint: bytes.len(),
                ..Default::default()
            };
            let mut encoded = Vec::new();
            brotli::BrotliCompress(&mut io::Cursor::new(bytes), &mut encoded, &params)?;
            encoded
        }
        Coding::Zstd => {
            // piece by piece: at once it would take as much memory again as the document has
            let mut writer = zstd::Encoder::new(Vec::new(), zstd)?;
            writer.set_pledged_src_size(u64::try_from(bytes.len()).ok())?;
            writer.write_all(bytes)?;
            writer.finish()?
        }
    };
    Ok(Bytes::from(encoded))
}

/// Whether the end of a gzip stream tells of this content: its checksum and its length (RFC 1952 §2.3.1).
#[must_use]
pub fn is_gzip_of(encoded: &[u8], content: &[u8]) -> bool {
    let mut sum = libdeflater::Crc::new();
    sum.update(content);
    let length = u32::try_from(content.len() & 0xffff_ffff).unwrap_or_default();
    let end = [sum.sum().to_le_bytes(), length.to_le_bytes()].concat();
    encoded.ends_with(&end)
}

/// Does work for which nobody waits on threads that give way to all others: readers are answered meanwhile, and do not
/// notice. Without such threads it is done at once.
pub fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static THREADS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    let threads = THREADS.get_or_init(|| {
        let threads = rayon::ThreadPoolBuilder::new().start_handler(|_| give_way());
        let threads = threads.thread_name(|_| "encodings".to_owned());
        threads.build().ok()
    });
    match threads {
        Some(threads) => threads.install(work),
        None => work(),
    }
}

/// Lets this thread give way to all others.
pub fn give_way() {
    // where it is not allowed, it is as it was
    let _ = rustix::process::setpriority_process(None, COURTEOUS);
}

/// The niceness of threads that give way.
const COURTEOUS: i32 = 10;

/// One encoding of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Which.
    pub coding: Coding,
    /// Fewer bytes than the document has.
    pub bytes: Bytes,
}

/// Encodes in each of `codings`; what does not become smaller is left out.
///
/// # Errors
/// As [`encode`].
pub fn all(codings: &[Coding], effort: Effort, bytes: &[u8]) -> io::Result<Vec<Encoded>> {
    let made = codings
        .iter()
        .map(|coding| smaller(*coding, effort, bytes).transpose());
    made.flatten().collect()
}

/// Encodes; `None` if it does not become smaller.
///
/// # Errors
/// As [`encode`].
pub fn smaller(coding: Coding, effort: Effort, bytes: &[u8]) -> io::Result<Option<Encoded>> {
    let encoded = encode(coding, effort, bytes)?;
    let is_smaller = encoded.len() < bytes.len();
    Ok(is_smaller.then_some(Encoded {
        coding,
        bytes: encoded,
    }))
}
