//! What a picture or a sound says of itself: type, size in pixels, duration. Read from the beginning of the file, by
//! libraries made for it.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use imagesize::{Compression, ImageType};
use lofty::config::ParseOptions;
use lofty::file::{AudioFile, FileType};
use lofty::probe::Probe;
use rustix::fs::OFlags;

use crate::article::markdown::silenced;
use crate::feed::Media;

/// Reads what a file says of itself; nothing if it is neither, or damaged.
#[must_use]
pub fn media(place: &Path) -> Media {
    // whatever a damaged file does to a library, it does to no other article
    silenced(|| picture(place).or_else(|| sound(place)))
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// A regular file; what took its place since the scan must not make us wait.
fn open(place: &Path) -> Option<BufReader<File>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let file = File::options()
        .read(true)
        .custom_flags(flags)
        .open(place)
        .ok()?;
    file.metadata()
        .ok()?
        .is_file()
        .then(|| BufReader::new(file))
}

fn picture(place: &Path) -> Option<Media> {
    let kind = imagesize::reader_type(open(place)?).ok()?;
    let size = imagesize::reader_size(open(place)?).ok()?;
    let mime = match kind {
        ImageType::Png => "image/png",
        ImageType::Jpeg => "image/jpeg",
        ImageType::Gif => "image/gif",
        ImageType::Webp => "image/webp",
        ImageType::Bmp => "image/bmp",
        ImageType::Tiff => "image/tiff",
        ImageType::Jxl => "image/jxl",
        ImageType::Heif(Compression::Av1) => "image/avif",
        ImageType::Heif(_) => "image/heif",
        _ => return None,
    };
    Some(Media {
        mime: Some(mime.to_owned()),
        width: u32::try_from(size.width).ok(),
        height: u32::try_from(size.height).ok(),
        seconds: None,
    })
}

fn sound(place: &Path) -> Option<Media> {
    let options = ParseOptions::new().read_tags(false).read_cover_art(false);
    let probe = Probe::new(open(place)?)
        .options(options)
        .guess_file_type()
        .ok()?;
    let mime = match probe.file_type()? {
        FileType::Mpeg => Some("audio/mpeg"),
        FileType::Aac => Some("audio/aac"),
        FileType::Aiff => Some("audio/aiff"),
        FileType::Flac => Some("audio/flac"),
        FileType::Opus | FileType::Vorbis | FileType::Speex => Some("audio/ogg"),
        FileType::Wav => Some("audio/wav"),
        // a film may be in the same container: its name knows
        _ => None,
    };
    let seconds = probe
        .read()
        .ok()?
        .properties()
        .duration()
        .as_secs_f64()
        .round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a duration is not negative, and saturates after 136 years"
    )]
    let seconds = seconds as u32;
    Some(Media {
        mime: mime.map(str::to_owned),
        seconds: Some(seconds).filter(|seconds| *seconds > 0),
        ..Media::default()
    })
}
