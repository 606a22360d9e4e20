//! What an earlier run put among the articles, where the folder of documents and that of articles overlap. It is never
//! read: each run would publish what the one before made.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Our own output, as far as it lies in the folder of articles. Empty where the two folders have nothing in common.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// The folder of documents, if it lies inside the folder of articles.
    folder: Option<PathBuf>,
    /// Single documents, where both folders are the same one, or the articles lie among the documents.
    files: HashSet<PathBuf>,
}

impl Ours {
    /// Finds what is ours; `routes` is asked for the documents that are published, below the folder of documents, only
    /// if that matters.
    #[must_use]
    pub fn among(articles: &Path, documents: &Path, routes: impl FnOnce() -> Vec<String>) -> Self {
        let (Ok(articles), Ok(documents)) = (articles.canonicalize(), documents.canonicalize())
        else {
            return Self::default();
        };
        if documents != articles && documents.starts_with(&articles) {
            return Self {
                folder: Some(documents),
                ..Self::default()
            };
        }
        let files = if articles.starts_with(&documents) {
            routes()
                .into_iter()
                .map(|route| documents.join(route))
                .collect()
        } else {
            HashSet::new()
        };
        Self {
            folder: None,
            files,
        }
    }

    /// Whether a file is ours, or lies in a folder that is.
    pub(super) fn holds(&self, place: &Path) -> bool {
        self.is_folder(place) || self.files.contains(place)
    }

    /// Whether all in a folder is ours.
    pub(super) fn is_folder(&self, place: &Path) -> bool {
        self.folder
            .as_ref()
            .is_some_and(|folder| place.starts_with(folder))
    }
}
