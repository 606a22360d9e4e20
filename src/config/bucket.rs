//! A bucket in the place of the folder `feeds`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use url::Url;

use super::Raw;

/// The folder in the state folder that mirrors a bucket.
pub(super) const MIRROR: &str = "mirror";

/// The meaning of `feeds`, if it is a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `s3://bucket/prefix`, or `gs://`, `az://`.
    pub url: String,
    /// What replicas are to know of the configuration: all but where this machine has what.
    pub settings: Value,
}

/// Whether `feeds` is no folder.
pub(crate) fn is_remote(feeds: &Path) -> bool {
    feeds.to_str().is_some_and(|feeds| feeds.contains("://"))
}

pub(super) fn target(raw: &Raw, title: &str) -> Result<Option<Target>, String> {
    let feeds = raw.feeds.as_deref().filter(|feeds| is_remote(feeds));
    let Some(text) = feeds.and_then(Path::to_str) else {
        return Ok(None);
    };
    let url = url(text)?;
    let settings = Raw {
        title: Some(title.to_owned()),
        articles: None,
        feeds: None,
        ledger: None,
        serve: super::raw::Serve {
            fresh: raw.serve.fresh.clone(),
            aliases: raw.serve.aliases.clone(),
            moved: raw.serve.moved.clone(),
            gone: raw.serve.gone.clone(),
            ..super::raw::Serve::default()
        },
        ..raw.clone()
    };
    let settings = serde_json::to_value(settings).map_err(|error| error.to_string())?;
    Ok(Some(Target {
        url,
        settings: without_nothing(settings),
    }))
}

/// A URL of a bucket, without a slash at its end.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let example = "write it like `s3://bucket/prefix`, `gs://…` or `az://…`";
    let url =
        Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}; {example}"))?;
    if !matches!(url.scheme(), "s3" | "gs" | "az") {
        return Err(format!(
            "`{text}` is neither a folder nor a bucket; {example}"
        ));
    }
    if url.host_str().is_none_or(str::is_empty) || url.query().is_some() || url.fragment().is_some()
    {
        return Err(format!("`{text}` names no bucket; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let what = "has a user name; credentials come from the environment, or from the files of your cloud's tools";
        return Err(what.to_owned());
    }
    if !cfg!(feature = "bucket") {
        return Err(
            "this tidings was built without buckets; install it with `cargo install --profile dist --path . --features bucket`"
                .to_owned(),
        );
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Where the mirror is.
pub(super) fn mirror(ledger: &Path) -> PathBuf {
    super::state_beside(ledger).join(MIRROR)
}

/// A value without what is not set.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(key, value)| (key, without_nothing(value)));
            let is_set = |value: &Value| match value {
                Value::Null => false,
                Value::Object(members) => !members.is_empty(),
                Value::Array(list) => !list.is_empty(),
                _ => true,
            };
            Value::Object(members.filter(|(_, value)| is_set(value)).collect())
        }
        other => other,
    }
}
