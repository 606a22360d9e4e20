//! The object store itself.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutResult, UpdateVersion,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Found, Listed, Public, Version};

/// So many requests are under way at once.
const AT_ONCE: usize = 32;
/// Which edition a public key is of, as its own metadata.
const EDITION: &str = "tidings-edition";
/// How often a key is tried that others put at the same time.
const TRIES: usize = 8;

/// An object store, beneath a prefix.
#[derive(Debug)]
pub(in crate::bucket) struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: Runtime,
}

impl Remote {
    /// The store of a URL. Nothing is asked yet.
    pub(in crate::bucket) fn open(url: &str) -> Result<Self> {
        let (store, prefix) = super::open::open(url)?;
        Self::over(store, prefix)
    }

    fn over(store: Arc<dyn ObjectStore>, prefix: Path) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bucket")
            .enable_all()
            .build()
            .context("cannot start a thread")?;
        Ok(Self {
            store,
            prefix,
            runtime,
        })
    }

    #[cfg(test)]
    pub(in crate::bucket) fn in_memory() -> Self {
        let store = Arc::new(object_store::memory::InMemory::new());
        Self::over(store, Path::from("x/y")).unwrap()
    }

    fn place(&self, key: &str) -> Path {
        // as it is: what readers ask for is escaped once, by who asks
        let text = format!("{}/{key}", self.prefix);
        Path::parse(&text).unwrap_or_else(|_| Path::from(text))
    }

    /// What stands at a key, unless it is known.
    pub(in crate::bucket) fn get(&self, key: &str, known: Option<&Version>) -> Result<Found> {
        let options = GetOptions {
            if_none_match: known.and_then(|known| known.e_tag.clone()),
            ..GetOptions::default()
        };
        let place = self.place(key);
        let got = async {
            let got = self.store.get_opts(&place, options).await?;
            let version = Version {
                e_tag: got.meta.e_tag.clone(),
                version: got.meta.version.clone(),
            };
            Ok((got.bytes().await?, version))
        };
        match self.runtime.block_on(got) {
            Ok((bytes, version)) => Ok(Found::Other(bytes, version)),
            Err(Error::NotModified { .. }) => Ok(Found::Same),
            Err(Error::NotFound { .. }) => Ok(Found::Nothing),
            Err(error) => Err(told(&error)).with_context(|| format!("cannot read `{place}`")),
        }
    }

    /// All of these, in their order; `None` for one that is not there.
    pub(in crate::bucket) fn fetch(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let store = Arc::clone(&self.store);
        self.each(keys, move |place| {
            let store = Arc::clone(&store);
            async move {
                match store.get(&place).await {
                    Ok(got) => got.bytes().await.map(Some),
                    Err(Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        })
    }

    /// Puts an object where there is none; `None` if there is one.
    pub(in crate::bucket) fn create(&self, key: &str, bytes: Bytes) -> Result<Option<Version>> {
        self.put_if(key, bytes, PutMode::Create)
    }

    /// Puts an object in the place of the version that is known; `None` if another one stands there.
    pub(in crate::bucket) fn swap(
        &self,
        key: &str,
        bytes: Bytes,
        known: &Version,
    ) -> Result<Option<Version>> {
        self.put_if(key, bytes, PutMode::Update(known.clone().into()))
    }

    fn put_if(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Option<Version>> {
        let place = self.place(key);
        let is_update = matches!(mode, PutMode::Update(_));
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, "application/json"),
            (Attribute::CacheControl, "no-cache"),
        ]);
        let options = PutOptions {
            mode,
            attributes,
            ..PutOptions::default()
        };
        let put = self.store.put_opts(&place, bytes.into(), options);
        match self.runtime.block_on(put) {
            Ok(put) => Ok(Some(put.into())),
            Err(error) if is_lost(&error, is_update) => Ok(None),
            Err(error) => Err(told(&error)).with_context(|| format!("cannot write `{place}`")),
        }
    }

    /// Puts objects whose names tell what they are: one that is there is the same.
    pub(in crate::bucket) fn put(&self, objects: Vec<(String, Bytes)>) -> Result<()> {
        let (keys, bytes): (Vec<String>, Vec<Bytes>) = objects.into_iter().unzip();
        let mut bytes = bytes.into_iter();
        let store = Arc::clone(&self.store);
        self.each(&keys, move |place| {
            let store = Arc::clone(&store);
            let bytes = bytes.next().unwrap_or_default();
            async move {
                let attributes = Attributes::from_iter([
                    (Attribute::ContentType, "application/octet-stream"),
                    (
                        Attribute::CacheControl,
                        "public, max-age=31536000, immutable",
                    ),
                ]);
                let options = PutOptions {
                    attributes,
                    ..PutOptions::default()
                };
                store.put_opts(&place, bytes.into(), options).await
            }
        })
        .map(drop)
    }

    /// Puts public keys, each unless one of a newer edition stands there; the versions that stand there then, if they are
    /// ours.
    pub(in crate::bucket) fn publish(&self, keys: Vec<Public>) -> Result<Vec<Option<Version>>> {
        let places: Vec<String> = keys.iter().map(|public| public.key.clone()).collect();
        let mut keys = keys.into_iter();
        let store = Arc::clone(&self.store);
        self.each(&places, move |place| {
            let store = Arc::clone(&store);
            let public = keys.next();
            async move {
                match public {
                    Some(public) => publish(&*store, &place, public).await,
                    None => Ok(None),
                }
            }
        })
    }

    /// Every object beneath a folder whose key `is_wanted`.
    pub(in crate::bucket) fn list(
        &self,
        folder: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Listed>> {
        let place = self.place(folder);
        let listed = async {
            let mut found = Vec::new();
            let mut pages = self.store.list(Some(&place));
            // a stream without the crate of streams
            while let Some(meta) =
                std::future::poll_fn(|context| pages.as_mut().poll_next(context)).await
            {
                let meta = meta?;
                let key = meta.location.prefix_match(&self.prefix);
                let key: Option<Vec<String>> =
                    key.map(|parts| parts.map(|part| part.as_ref().to_owned()).collect());
                let key = key.map(|key| key.join("/"));
                found.extend(key.filter(|key| is_wanted(key)).map(|key| Listed {
                    key,
                    modified: meta.last_modified,
                    size: meta.size,
                }));
            }
            Ok::<_, Error>(found)
        };
        self.runtime
            .block_on(listed)
            .map_err(|error| told(&error))
            .with_context(|| format!("cannot list `{place}`"))
    }

    /// Deletes objects; one that is not there is deleted.
    pub(in crate::bucket) fn delete(&self, keys: &[String]) -> Result<()> {
        let store = Arc::clone(&self.store);
        self.each(keys, move |place| {
            let store = Arc::clone(&store);
            async move {
                match store.delete(&place).await {
                    Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
                    Err(error) => Err(error),
                }
            }
        })
        .map(drop)
    }

    /// Does something with each key, some at once; the first that fails is told.
    fn each<T, F>(&self, keys: &[String], mut work: impl FnMut(Path) -> F) -> Result<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        self.runtime.block_on(async {
            let room = Arc::new(Semaphore::new(AT_ONCE));
            let mut tasks = JoinSet::new();
            for (index, key) in keys.iter().enumerate() {
                let (place, room) = (self.place(key), Arc::clone(&room));
                let working = work(place);
                tasks.spawn(async move {
                    let _permit = room.acquire().await;
                    (index, working.await)
                });
            }
            let mut done: Vec<Option<T>> = keys.iter().map(|_| None).collect();
            while let Some(joined) = tasks.join_next().await {
                let (index, outcome) = joined.context("a request was cut short")?;
                let place = &keys[index];
                let outcome = outcome.map_err(|error| told(&error));
                done[index] = Some(outcome.with_context(|| format!("`{place}` in the bucket"))?);
            }
            Ok(done.into_iter().flatten().collect())
        })
    }
}

/// Puts a public key by comparing and swapping, so that a publisher that was held up does not put an old edition over a new
/// one.
async fn publish(
    store: &dyn ObjectStore,
    place: &Path,
    public: Public,
) -> object_store::Result<Option<Version>> {
    let mut known = public.known;
    let mut must_look = known.is_none();
    for _ in 0..TRIES {
        if must_look {
            match standing(store, place).await? {
                Some((edition, version)) if edition >= Some(public.edition) => {
                    let is_ours = edition == Some(public.edition);
                    return Ok(is_ours.then_some(version));
                }
                standing => known = standing.map(|(_, version)| version),
            }
        }
        let mode = match &known {
            Some(known) => PutMode::Update(known.clone().into()),
            None => PutMode::Create,
        };
        let attributes = Attributes::from_iter([
            (
                Attribute::ContentType,
                AttributeValue::from(public.media.clone()),
            ),
            (Attribute::CacheControl, public.cache.clone().into()),
            (
                Attribute::Metadata(EDITION.into()),
                public.edition.to_string().into(),
            ),
        ]);
        let options = PutOptions {
            mode,
            attributes,
            ..PutOptions::default()
        };
        match store
            .put_opts(place, public.bytes.clone().into(), options)
            .await
        {
            Ok(put) => return Ok(Some(put.into())),
            Err(error) if is_lost(&error, known.is_some()) => must_look = true,
            Err(error) => return Err(error),
        }
    }
    // whoever puts it all the time is at it
    Ok(None)
}

/// Which edition stands at a key, if it says so, and its version.
async fn standing(
    store: &dyn ObjectStore,
    place: &Path,
) -> object_store::Result<Option<(Option<u64>, Version)>> {
    let options = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    match store.get_opts(place, options).await {
        Ok(found) => {
            let edition = found.attributes.get(&Attribute::Metadata(EDITION.into()));
            let version = Version {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            Ok(Some((
                edition.and_then(|edition| edition.parse().ok()),
                version,
            )))
        }
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error in one breath: it tells of its causes itself, but for the first of them.
fn told(error: &Error) -> anyhow::Error {
    let text = error.to_string();
    let chain = anyhow::Chain::new(error);
    let first = chain.last().map(ToString::to_string).unwrap_or_default();
    if text.contains(&first) {
        anyhow!(text)
    } else {
        anyhow!("{text}: {first}")
    }
}

/// Whether somebody else was quicker. What is to take the place of something may find nothing there.
fn is_lost(error: &Error, is_update: bool) -> bool {
    match error {
        Error::AlreadyExists { .. } | Error::Precondition { .. } => true,
        Error::NotFound { .. } => is_update,
        _ => false,
    }
}

impl From<PutResult> for Version {
    fn from(put: PutResult) -> Self {
        Self {
            e_tag: put.e_tag,
            version: put.version,
        }
    }
}

impl From<Version> for UpdateVersion {
    fn from(version: Version) -> Self {
        Self {
            e_tag: version.e_tag,
            version: version.version,
        }
    }
}
