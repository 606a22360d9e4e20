//! A folder of published documents, opened once: blobs are read beneath its handle, so that no name leads elsewhere.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags, open, openat};

/// The folder, held open.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<OwnedFd>);

/// A document opened for reading: these bytes or none.
#[derive(Debug)]
pub struct Cut {
    file: File,
    size: u64,
    mtime: SystemTime,
}

impl Shelf {
    /// Opens the folder.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(Arc::new(open(folder, flags, Mode::empty())?)))
    }

    /// Opens the document at `route`, whose file must have this size and this modification time; no symlink is
    /// followed.
    ///
    /// # Errors
    /// If there is no such file, or it is another one by now.
    pub fn cut(&self, route: &str, size: u64, mtime: SystemTime) -> io::Result<Cut> {
        let mut folder = Arc::clone(&self.0);
        let mut segments = route.split('/').peekable();
        while let Some(segment) = segments.next() {
            if matches!(segment, "" | "." | "..") {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let last = segments.peek().is_none();
            let kind = if last {
                OFlags::RDONLY | OFlags::NONBLOCK
            } else {
                OFlags::PATH | OFlags::DIRECTORY
            };
            let flags = kind | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = openat(&*folder, segment, flags, Mode::empty())?;
            if last {
                let file = File::from(opened);
                let cut = Cut { file, size, mtime };
                cut.verify()?;
                return Ok(cut);
            }
            folder = Arc::new(opened);
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

impl Cut {
    /// The bytes from `start`, at most `length`.
    ///
    /// # Errors
    /// If the file changed: what was read is then thrown away, so that no two versions are ever mixed.
    pub fn read(&mut self, start: u64, length: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut bytes)?;
        self.verify()?;
        Ok(Bytes::from(bytes))
    }

    fn verify(&self) -> io::Result<()> {
        let meta = self.file.metadata()?;
        if meta.is_file() && meta.len() == self.size && meta.modified()? == self.mtime {
            Ok(())
        } else {
            Err(io::Error::other("the file is another one by now"))
        }
    }
}
