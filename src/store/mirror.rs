//! A copy of what is published elsewhere, in the form that documents have on disk: what is served is read from it, and it is
//! there when the other place is not.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;

use super::durable::{self, Dated};
use super::{Disk, FORMER, MANIFEST, ready};
use crate::edition::{self, Manifest, Published};

/// So many documents are fetched together.
const TOGETHER: usize = 64;

impl Disk {
    /// Forgets what is mirrored: the files stay, and are looked at byte by byte before they are believed again.
    pub fn forget(&self) {
        // where it cannot be taken away it is as it was
        let _ = fs::remove_file(self.feeds.join(MANIFEST));
        let _ = fs::remove_file(self.feeds.join(FORMER));
    }

    /// Makes the folder what `manifest` says. The bytes of what is not there already come from `fetch`, in the order of what
    /// it is asked for. The manifest is written last, and only if it is another one.
    ///
    /// # Errors
    /// Those of `fetch`, and if the disk refuses; the old manifest stays then.
    pub fn mirror(
        &self,
        manifest: &Manifest,
        fetch: impl Fn(&[&Published]) -> Result<Vec<Bytes>>,
    ) -> Result<()> {
        let failed = || format!("cannot write in `{}`", self.feeds.display());
        fs::create_dir_all(&self.feeds).with_context(failed)?;
        let before = self.manifest(&mut Vec::new()).unwrap_or_default();
        let before = before.unwrap_or_default();
        let mut missing: Vec<(PathBuf, &Published)> = Vec::new();
        for (route, published) in &manifest.documents {
            let place = self.place(route)?;
            let known = before.documents.get(route);
            let is_known = known.is_some_and(|known| known.hash == published.hash);
            if is_known && ready::is_dated(&place, published) {
                continue;
            }
            // another date, or what a mirroring that was cut short has left
            if has(&place, published) {
                let file = fs::File::options().append(true).open(&place);
                file.and_then(|file| file.set_modified(published.last_modified.into()))
                    .with_context(failed)?;
            } else {
                missing.push((place, published));
            }
        }
        for some in missing.chunks(TOGETHER) {
            let wanted: Vec<&Published> = some.iter().map(|(_, published)| *published).collect();
            let fetched = fetch(&wanted)?;
            for (place, _) in some {
                if let Some(folder) = place.parent() {
                    durable::make_folders(&self.feeds, folder).with_context(failed)?;
                }
            }
            let files = some.iter().zip(fetched);
            let files = files.map(|((place, published), bytes)| Dated {
                path: place.clone(),
                bytes: bytes.to_vec().into(),
                mtime: published.last_modified,
            });
            durable::put_all(&files.collect::<Vec<_>>()).with_context(failed)?;
        }
        if before != *manifest {
            durable::put(&self.feeds.join(MANIFEST), &manifest.to_text()).with_context(failed)?;
        }
        for route in before.documents.keys() {
            if !manifest.documents.contains_key(route) {
                // what stays behind is named by nobody
                let _ = fs::remove_file(self.place(route)?);
            }
        }
        Ok(())
    }
}

fn has(place: &Path, published: &Published) -> bool {
    let is_as_long = fs::symlink_metadata(place)
        .is_ok_and(|meta| meta.is_file() && meta.len() == published.size);
    is_as_long && fs::read(place).is_ok_and(|bytes| edition::hash(&bytes) == published.hash)
}
