//! An object store, as little of it as is needed: objects by key, conditions, and the answer whether somebody else was
//! quicker. Blocking, on a runtime of its own.

#[cfg(not(feature = "bucket"))]
use anyhow::Result;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "bucket")]
mod open;
#[cfg(feature = "bucket")]
mod store;

#[cfg(feature = "bucket")]
pub(super) use store::Remote;

/// What tells one version of an object from the others, as the store says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// An entity tag.
    pub(super) e_tag: Option<String>,
    /// What some stores have instead.
    pub(super) version: Option<String>,
}

/// What stands at a key.
#[cfg_attr(
    not(feature = "bucket"),
    allow(dead_code, reason = "there is no store to say it")
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// What is known already.
    Same,
    /// Nothing.
    Nothing,
    /// Another version.
    Other(Bytes, Version),
}

/// A key that anybody may fetch, with what HTTP is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Public {
    pub(super) key: String,
    pub(super) bytes: Bytes,
    pub(super) media: String,
    pub(super) cache: String,
    /// The edition it is of: one that is older never takes its place.
    pub(super) edition: u64,
    /// What stands there, as far as is known.
    pub(super) known: Option<Version>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) modified: DateTime<Utc>,
    /// In bytes.
    pub(super) size: u64,
}

/// Without the feature there is none.
#[cfg(not(feature = "bucket"))]
#[derive(Debug)]
pub(super) enum Remote {}

#[cfg(not(feature = "bucket"))]
impl Remote {
    pub(super) fn open(_: &str) -> Result<Self> {
        anyhow::bail!(
            "this tidings was built without buckets; install it with `cargo install --profile dist --path . --features bucket`"
        )
    }

    pub(super) fn get(&self, _: &str, _: Option<&Version>) -> Result<Found> {
        match *self {}
    }

    pub(super) fn fetch(&self, _: &[String]) -> Result<Vec<Option<Bytes>>> {
        match *self {}
    }

    pub(super) fn create(&self, _: &str, _: Bytes) -> Result<Option<Version>> {
        match *self {}
    }

    pub(super) fn swap(&self, _: &str, _: Bytes, _: &Version) -> Result<Option<Version>> {
        match *self {}
    }

    pub(super) fn put(&self, _: Vec<(String, Bytes)>) -> Result<()> {
        match *self {}
    }

    pub(super) fn publish(&self, _: Vec<Public>) -> Result<Vec<Option<Version>>> {
        match *self {}
    }

    pub(super) fn list(&self, _: &str, _: impl Fn(&str) -> bool) -> Result<Vec<Listed>> {
        match *self {}
    }

    pub(super) fn delete(&self, _: &[String]) -> Result<()> {
        match *self {}
    }
}
