//! Tells hubs elsewhere which feeds changed (WebSub §7): a ping per hub and topic, tried until it is taken or a day has
//! gone by. Whoever fetches the topic then must find the new bytes, so pings follow what is durable and served.
//!
//! What the hubs know is kept in the state folder as the hash of each topic. So nothing is lost by a process that dies
//! between publishing and telling: what differs from the manifest is told by the next one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Client, hurried};
use crate::config::{Config, Hub};
use crate::edition::Manifest;
use crate::problem::Problem;
use crate::site;
use crate::store::Lock;

mod ping;
mod told;

pub use ping::Outcome;
pub use told::{Ping, Told};

/// Held by who tells hubs what is new, while it runs.
const LOCK: &str = "announcer.lock";
/// Changes within so much time become one ping.
pub const BURST: Duration = Duration::from_secs(2);
/// How often is looked whether another announcer has gone.
const AGAIN: Duration = Duration::from_secs(5);
/// So many pings to one hub are under way at once.
const AT_ONCE: usize = 8;

/// What is published and may be subscribed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// The public address.
    pub base: String,
    /// The hubs elsewhere that are to be told.
    pub hubs: Vec<String>,
    /// The hub that we are.
    pub hub: Hub,
    /// The route of each feed's documents, with the hash of its bytes.
    pub topics: BTreeMap<String, String>,
}

impl News {
    /// Of what is published; without topics where nobody pushes them.
    #[must_use]
    pub fn of(config: &Config, manifest: &Manifest) -> Self {
        let is_pushed = !config.site.hubs.is_empty();
        let documents = manifest.documents.iter().filter(|_| is_pushed);
        let topics = documents.filter(|(_, document)| document.kind.is_feed());
        Self {
            base: config.site.base.to_string(),
            hubs: config.hubs.clone(),
            hub: config.hub.clone(),
            topics: topics
                .map(|(route, document)| (route.clone(), document.hash.clone()))
                .collect(),
        }
    }

    /// The URL of a topic.
    #[must_use]
    pub fn url(&self, route: &str) -> String {
        format!("{}{}", self.base, site::encode_path(route))
    }
}

/// Keeps for hubs of which nothing is known that they know what was published until now: who has lost the state folder,
/// such as a fresh clone, is not to tell every hub of every feed. One who has lost what was published, too, tells them if
/// there `is_news`.
///
/// # Errors
/// If the state folder cannot be written.
pub fn begin(
    config: &Config,
    previous: Option<&Manifest>,
    current: &Manifest,
    is_news: bool,
) -> Result<()> {
    if config.hubs.is_empty() {
        return Ok(());
    }
    let known = previous.or(Some(current).filter(|_| !is_news));
    let known = known.map(|manifest| News::of(config, manifest));
    let mut told = Told::load(&config.state())?;
    if told.begin(&config.hubs, &known.unwrap_or_default()) {
        told.save(&config.state())?;
    }
    Ok(())
}

/// Tries every ping that is outstanding once, for a process that ends then. What failed is given as warnings, and is tried
/// by the next. Where a server runs here it is left to it: only that knows when it serves what is new.
#[must_use]
pub fn once(config: &Config, manifest: &Manifest, clock: fn() -> SystemTime) -> Vec<Problem> {
    let news = News::of(config, manifest);
    let state = config.state();
    // replicas look each second, and are asked as soon as a hub hears of it
    let lag = config.bucket.as_ref().map_or(Duration::ZERO, |_| BURST);
    match try_once(&news, &state, lag, clock) {
        Ok(problems) => problems,
        Err(error) => {
            let what = format!("the hubs were not told: {error:#}");
            vec![
                Problem::warning(state.display().to_string(), what)
                    .remedy("the next run tries again"),
            ]
        }
    }
}

fn try_once(
    news: &News,
    state: &Path,
    lag: Duration,
    clock: fn() -> SystemTime,
) -> Result<Vec<Problem>> {
    let Some(_lock) = Lock::try_of(state, LOCK)? else {
        return Ok(Vec::new());
    };
    let mut told = Told::load(state)?;
    told.begin(&news.hubs, news);
    let pings = told.outstanding(news, None);
    if pings.is_empty() {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcomes = runtime.block_on(async {
        tokio::time::sleep(lag).await;
        Ok::<_, anyhow::Error>(send(&Client::new()?, pings).await)
    })?;
    let mut failures = BTreeMap::new();
    for (ping, outcome) in outcomes {
        if let Outcome::Failed(why) = &outcome {
            let (count, _) = failures.entry(ping.hub.clone()).or_insert((0, why.clone()));
            *count += 1;
        }
        told.note(&ping, &outcome, clock().into());
    }
    told.save(state)?;
    let problems = failures.into_iter().map(|(hub, (count, why))| {
        let what = format!("this hub was not told of {}: {why}", feeds(count));
        Problem::warning(hub, what).remedy("the next run tries again, for a day")
    });
    Ok(problems.collect())
}

/// Tells hubs what is new as long as the process lives, and tries again what failed.
///
/// # Errors
/// If it cannot begin: the machine has no certificates to trust.
pub async fn run(
    mut news: watch::Receiver<News>,
    state: PathBuf,
    clock: fn() -> SystemTime,
) -> Result<()> {
    let mut teller = Teller {
        client: Client::new()?,
        state,
        clock,
        held: None,
        told: None,
        complaints: BTreeMap::new(),
    };
    loop {
        let current = news.borrow_and_update().clone();
        let wait = if current.hubs.is_empty() {
            None
        } else {
            teller.round(&current).await.unwrap_or_else(|error| {
                let why = format!("what the hubs were told cannot be kept: {error:#}");
                teller.complain("", why);
                Some(AGAIN)
            })
        };
        let again = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = news.changed() => match changed {
                // what follows at once is told with it
                Ok(()) => tokio::time::sleep(hurried(BURST)).await,
                Err(_) => return Ok(()),
            },
            () = again => {}
        }
    }
}

/// Who tells hubs what is new, as long as the process lives.
struct Teller {
    client: Client,
    state: PathBuf,
    clock: fn() -> SystemTime,
    held: Option<Lock>,
    /// What the hubs know; what is on disk may be older.
    told: Option<Told>,
    /// What was said, by hub; of what is kept without one.
    complaints: BTreeMap<String, String>,
}

impl Teller {
    /// Sends what is due, and in the first round all that an earlier process could not tell; how long to wait for what is
    /// not due.
    async fn round(&mut self, news: &News) -> Result<Option<Duration>> {
        if self.held.is_none() {
            self.held = Lock::try_of(&self.state, LOCK)?;
        }
        if self.held.is_none() {
            return Ok(Some(AGAIN));
        }
        let kept = Told::load(&self.state)?;
        let is_first = self.told.is_none();
        let mut told = self.told.take().unwrap_or_default();
        told.merge(kept.clone());
        told.begin(&news.hubs, news);
        let now = (!is_first).then(|| (self.clock)().into());
        for (ping, outcome) in send(&self.client, told.outstanding(news, now)).await {
            told.note(&ping, &outcome, (self.clock)().into());
            match outcome {
                Outcome::Failed(why) => {
                    let hub = &ping.hub;
                    let why = format!(
                        "the hub {hub} was not told what is new: {why}; it is tried again for a day"
                    );
                    self.complain(hub, why);
                }
                Outcome::Taken => {
                    let hub = &ping.hub;
                    self.praise(hub, &format!("the hub {hub} takes what it is told again"));
                }
            }
        }
        let next = told.next(news);
        // a publication may have brought a hub in the meantime
        let saved = Told::load(&self.state).and_then(|kept| {
            told.merge(kept.clone());
            if told == kept {
                Ok(())
            } else {
                told.save(&self.state)
            }
        });
        // what could not be kept is known here all the same, and is not told again
        self.told = Some(told);
        saved?;
        self.praise("", "what the hubs were told is kept again");
        let until = |next: DateTime<Utc>| next - DateTime::<Utc>::from((self.clock)());
        Ok(next.map(|next| until(next).to_std().unwrap_or_default()))
    }

    /// Says once what is wrong with a hub, or with what is kept.
    fn complain(&mut self, about: &str, why: String) {
        if self.complaints.get(about) != Some(&why) {
            tracing::warn!("{why}");
            self.complaints.insert(about.to_owned(), why);
        }
    }

    /// Says that it is over, if anything was said.
    fn praise(&mut self, about: &str, what: &str) {
        if self.complaints.remove(about).is_some() {
            tracing::info!("{what}");
        }
    }
}

/// Sends pings to all hubs at once.
async fn send(client: &Client, pings: Vec<Ping>) -> Vec<(Ping, Outcome)> {
    let mut of_hubs: BTreeMap<String, Vec<Ping>> = BTreeMap::new();
    for ping in pings {
        of_hubs.entry(ping.hub.clone()).or_default().push(ping);
    }
    let mut hubs = JoinSet::new();
    for pings in of_hubs.into_values() {
        hubs.spawn(send_to_one(client.clone(), pings));
    }
    hubs.join_all().await.into_iter().flatten().collect()
}

/// Sends pings to one hub, some at once. One that does not answer is not asked again for each of its topics.
async fn send_to_one(client: Client, pings: Vec<Ping>) -> Vec<(Ping, Outcome)> {
    let mut outcomes = Vec::with_capacity(pings.len());
    let mut down = None;
    let mut waiting = pings.into_iter();
    let mut under_way = JoinSet::new();
    loop {
        while down.is_none() && under_way.len() < AT_ONCE {
            let Some(ping) = waiting.next() else { break };
            let client = client.clone();
            under_way.spawn(async move {
                let sent = ping::send(&client, &ping).await;
                (ping, sent)
            });
        }
        let Some(joined) = under_way.join_next().await else {
            break;
        };
        // a task that panics has lost its ping: the next run tries it
        let Ok((ping, sent)) = joined else { continue };
        let outcome = sent.unwrap_or_else(|error| {
            let why = format!("{error:#}");
            down.get_or_insert(why.clone());
            Outcome::Failed(why)
        });
        outcomes.push((ping, outcome));
    }
    if let Some(why) = down {
        outcomes.extend(waiting.map(|ping| (ping, Outcome::Failed(why.clone()))));
    }
    outcomes
}

fn feeds(count: usize) -> String {
    match count {
        1 => "a feed that changed".to_owned(),
        count => format!("{count} feeds that changed"),
    }
}
