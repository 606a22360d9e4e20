//! What tells that a file is as it was.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Size, times and number of a file, as its file system tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// When it was written: seconds and nanoseconds since 1970.
    pub mtime: (i64, i64),
    /// When anything of it changed: seconds and nanoseconds since 1970.
    pub ctime: (i64, i64),
    /// The number of the file in its file system.
    pub inode: u64,
}

impl Stamp {
    /// When the file was last written, in whole seconds.
    #[must_use]
    pub fn modified(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.mtime.0, 0).unwrap_or_default()
    }
}
