//! From a URL to a store, with the credentials that the tools of each cloud use: environment, files, and what a machine in
//! that cloud is told.

use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

/// So long a request is tried again: a build gives up within half a minute.
const PATIENCE: Duration = Duration::from_secs(24);

pub(super) fn open(text: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        // another one that was chosen before is as good
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let url = Url::parse(text).with_context(|| format!("`{text}` is no URL of a bucket"))?;
    if url.host_str().is_none_or(str::is_empty) {
        bail!("`{text}` names no bucket; write it like `s3://bucket/prefix`");
    }
    let prefix =
        Path::from_url_path(url.path()).with_context(|| format!("`{text}` has no fit prefix"))?;
    // the store is the bucket; the prefix is ours
    let mut bucket = url.clone();
    bucket.set_path("");
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(4),
            base: 2.0,
        },
        max_retries: 10,
        retry_timeout: PATIENCE,
    };
    let client = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(5))
        // a large document may take its time, but not be silent
        .with_timeout_disabled()
        .with_read_timeout(Duration::from_secs(8));
    let failed = || format!("cannot use `{text}`");
    let store: Arc<dyn ObjectStore> = match url.scheme() {
        "s3" | "s3a" => {
            let mut builder = AmazonS3Builder::from_env();
            for (key, value) in profile() {
                if builder.get_config_value(&key).is_none() {
                    builder = builder.with_config(key, value);
                }
            }
            let endpoints = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
            let endpoints = endpoints.map(|key| builder.get_config_value(&key));
            let endpoints: Vec<String> = endpoints.into_iter().flatten().collect();
            if endpoints.iter().any(|endpoint| has_user(endpoint)) {
                // it would stand in every error
                bail!(
                    "the endpoint for `{text}` has a user name in it; credentials come from the environment, or from the \
                     files of the AWS tools"
                );
            }
            // who names an endpoint without TLS means it
            let is_plain = endpoints.iter().any(|one| one.starts_with("http://"));
            let store = builder
                .with_url(bucket)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_retry(retry)
                .with_client_options(client.with_allow_http(is_plain))
                .build();
            Arc::new(store.with_context(failed)?)
        }
        "gs" => {
            let store = GoogleCloudStorageBuilder::from_env()
                .with_url(bucket)
                .with_retry(retry)
                .with_client_options(client)
                .build();
            Arc::new(store.with_context(failed)?)
        }
        "az" | "azure" | "abfs" | "abfss" => {
            let store = MicrosoftAzureBuilder::from_env()
                .with_url(bucket)
                .with_retry(retry)
                .with_client_options(client)
                .build();
            Arc::new(store.with_context(failed)?)
        }
        other => bail!("`{other}://` is no store that is known; use `s3://`, `gs://` or `az://`"),
    };
    Ok((store, prefix))
}

fn has_user(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
}

/// What the files of the AWS tools say for the profile that is chosen: the crate reads the environment alone.
fn profile() -> Vec<(AmazonS3ConfigKey, String)> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let file = |variable: &str, name: &str| {
        std::env::var_os(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from)
    };
    let name = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
    let mut found = Vec::new();
    for (place, section) in [
        (
            file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            name.clone(),
        ),
        (file("AWS_CONFIG_FILE", "config"), format!("profile {name}")),
        // the default profile stands there without the word
        (file("AWS_CONFIG_FILE", "config"), name),
    ] {
        // whoever has no such file uses something else
        if let Ok(text) = std::fs::read_to_string(place) {
            found.extend(keys(&text, &section));
        }
    }
    found
}

/// The keys of one section of such a file.
fn keys(text: &str, section: &str) -> Vec<(AmazonS3ConfigKey, String)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            is_inside = name.trim_end_matches(']').trim() == section;
        } else if is_inside
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
        {
            let key = match name.trim() {
                "aws_access_key_id" => AmazonS3ConfigKey::AccessKeyId,
                "aws_secret_access_key" => AmazonS3ConfigKey::SecretAccessKey,
                "aws_session_token" => AmazonS3ConfigKey::Token,
                "region" => AmazonS3ConfigKey::Region,
                "endpoint_url" => AmazonS3ConfigKey::Endpoint,
                _ => continue,
            };
            found.push((key, value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_aws_tools_are_read_by_profile() {
        let text = "[default]\naws_access_key_id = A\n# x = y\n[ other ]\naws_access_key_id=B\naws_secret_access_key = s=/+\nrole_arn = x\n";
        let of = |section| {
            keys(text, section)
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        };
        assert_eq!(of("default"), ["A"]);
        assert_eq!(of("other"), ["B", "s=/+"]);
        assert!(of("none").is_empty());
    }

    #[test]
    fn what_is_no_bucket_is_refused_with_a_remedy() {
        for (url, said) in [
            ("s3:///x", "names no bucket"),
            ("ftp://bucket/x", "is no store that is known"),
        ] {
            let error = open(url).unwrap_err().to_string();
            assert!(error.contains(said), "{url}: {error}");
        }
    }
}
