//! `tidings serve --from`: a replica, which serves what is published to a bucket. It has the publisher's settings, but for
//! where it listens and what it logs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use anyhow::{Context, anyhow};
use tokio::sync::watch;

use super::{Serve, Voice, attend, greet, listen, listen_admin, runtime};
use crate::announce::News;
use crate::bucket::Bucket;

use crate::cli::{Refused, clock, environment, read_config};
use crate::config::{Config, Raw};
use crate::crank::Crank;
use crate::hub::Hub;
use crate::problem::Problem;
use crate::server::{AccessLog, House};
use crate::store::Disk;

/// Where a replica keeps what it mirrors, beside its configuration.
const HOME: &str = ".tidings/replica";

/// Why a replica does not start.
pub(super) enum Failure {
    Settings(Refused),
    World(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::World(error)
    }
}

pub(super) fn run(args: &Serve, url: &str) -> Result<(), Failure> {
    let url = crate::config::bucket_url(url).map_err(|error| {
        let (what, remedy) = error.split_once("; ").unwrap_or((&error, ""));
        Failure::Settings(vec![Problem::error("--from", what).remedy(remedy)].into())
    })?;
    let (_, _, home) = read_config(args.place.config.as_deref()).map_err(Failure::Settings)?;
    let folder = home.join(HOME);
    let state = folder.join("state");
    let disk = Disk::new(&folder.join("feeds"), &state, &[]);
    let bucket = Bucket::open(&url, &state)?;
    // what was mirrored last is as good as it was then, and what is new follows at once
    if !bucket.is_known() || disk.stamp().is_none() {
        bucket.pull(&disk, None)?;
    }
    if disk.stamp().is_none() {
        let error = anyhow!(
            "nothing is published to `{url}` yet: `feeds = \"{url}\"` lets `tidings build` do that"
        );
        return Err(Failure::World(error));
    }
    let config = settle(args, &folder).map_err(Failure::Settings)?;
    let runtime = runtime()?;
    let (tell, news) = watch::channel(News::default());
    let reload = {
        let (args, folder) = (args.clone(), folder.clone());
        Box::new(move || settle(&args, &folder).map_err(|refused| refused.problems))
    };
    let file = PathBuf::from(crate::config::FILE);
    let mut crank = Crank::new(config.clone(), file, reload, Box::new(Voice(tell)), clock);
    if !crank.load() {
        return Err(Failure::World(anyhow!(
            "what is mirrored in `{}` is damaged; delete that folder, and it is fetched again",
            folder.display()
        )));
    }
    let window = crank.window();
    let (waker, wakes) = channel();
    // who subscribes does so at the publisher
    let (_, inbox) = Hub::new(news, window.clone(), state, clock, 1);
    let log = AccessLog::to(std::io::stdout());
    let house = House::new(window, crank.board(), log, waker.clone(), inbox, clock);
    let (public, admin) = {
        let _inside = runtime.enter();
        (listen(&config)?, listen_admin(&config)?)
    };
    greet(&config, &format!("`{url}`"), &public, &admin);
    let following = {
        let waker = waker.clone();
        std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || crank.run_replica(&bucket, &wakes, &waker))
            .context("cannot start a thread")?
    };
    let outcome = runtime.block_on(attend(house, public, admin, &waker, &following));
    runtime.shutdown_background();
    Ok(outcome?)
}

/// The publisher's settings, which come with what is published, with our own for what is about this machine.
fn settle(args: &Serve, folder: &Path) -> Result<Config, Refused> {
    let (mut here, name, home) = read_config(args.place.config.as_deref())?;
    environment(&mut here, Path::to_owned);
    let feeds = folder.join("feeds");
    let disk = Disk::new(&feeds, folder, &[]);
    let refuse = |what: String| vec![Problem::error(feeds.display().to_string(), what)];
    let manifest = disk.manifest(&mut Vec::new());
    let manifest = manifest.map_err(|error| refuse(format!("{error:#}")))?;
    let settings = manifest.and_then(|manifest| manifest.row?.settings);
    let settings = settings.ok_or_else(|| refuse("has no settings".to_owned()))?;
    let mut raw: Raw = serde_json::from_value(settings)
        .map_err(|error| refuse(format!("has settings that are not understood: {error}")))?;
    raw.serve.listen = here.serve.listen;
    if !args.listen.is_empty() {
        raw.serve.listen = Some(args.listen.clone());
    }
    raw.serve.admin = here.serve.admin;
    raw.serve.log = here.serve.log;
    raw.serve.trusted_proxies = here.serve.trusted_proxies;
    raw.serve.max_connections = here.serve.max_connections;
    raw.ledger = Some(PathBuf::from(HOME).join("state/ledger.jsonl"));
    raw.feeds = Some(PathBuf::from(HOME).join("feeds"));
    raw.articles = Some(PathBuf::from(HOME).join("articles"));
    Ok(Config::resolve(&raw, &name, &home)?)
}
