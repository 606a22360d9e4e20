//! `tidings serve`: the crank on one thread, the server on the others, and the signals that end it.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use clap::Args;
use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::report::Report;
use super::{Place, clock, configure, exit, report};
use crate::announce::{self, News};
use crate::config::{self, Config};
use crate::crank::{Crank, Herald};
use crate::edition::{Manifest, encode};
use crate::hub::Hub;
use crate::problem::{Level, Problem};
use crate::publisher::Turn;
use crate::server::{
    AccessLog, Door, GRACE, House, Listener, accept, bind, descriptors, inherited,
};
use crate::watch::Wake;

mod replica;

/// The options of `tidings serve`.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Accept that more than half of the files are gone
    #[arg(long)]
    allow_shrink: bool,
    #[arg(
        long,
        value_name = "ADDRESS",
        help = "Where to listen, such as 127.0.0.1:8080 or unix:/run/tidings.sock; may be given several times"
    )]
    listen: Vec<String>,
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["articles", "feeds", "base_url", "permalink", "allow_shrink"],
        help = "Serve what is published to a bucket, such as s3://bucket/prefix; there need be no articles here"
    )]
    from: Option<String>,
}

pub(super) fn serve(args: &Serve) -> u8 {
    give_back();
    tell_on_stderr();
    if let Some(url) = &args.from {
        return match replica::run(args, url) {
            Ok(()) => exit::DONE,
            Err(replica::Failure::Settings(refused)) => {
                Report::new(false, false, false, false).refusals(&refused.problems, refused.exit)
            }
            Err(replica::Failure::World(error)) => {
                tracing::error!("{error:#}");
                exit::NOTHING_WRITTEN
            }
        };
    }
    let config = match configure(&args.place, &args.listen) {
        Ok(config) => config,
        Err(refused) => {
            return Report::new(false, false, false, false)
                .refusals(&refused.problems, refused.exit);
        }
    };
    match run(args, &config) {
        Ok(()) => exit::DONE,
        Err(error) => {
            tracing::error!("{error:#}");
            exit::NOTHING_WRITTEN
        }
    }
}

/// Starts the program anew with an allocator that gives memory back as soon as it is free: a server is idle most of the
/// time, and what one edit took is three times what is needed between two. The allocator reads its settings once, before
/// there is anybody to ask; so this is the only way. Where it is refused, all goes on as it is.
fn give_back() {
    if std::env::var_os(PURGE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let mut again = std::process::Command::new(&program);
    // whoever could start it can start it again; if not, it is running already
    let _ = again.arg0(name).args(arguments).env(PURGE, "0").exec();
}

/// The allocator's setting: how long, in milliseconds, free memory is kept.
const PURGE: &str = "MIMALLOC_PURGE_DELAY";

/// Everything but the access log goes to standard error.
fn tell_on_stderr() {
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(colour);
    // what libraries have to say is for who works on them
    let ours = filter_fn(|about| {
        *about.level() <= tracing::Level::INFO && about.target().starts_with(env!("CARGO_PKG_NAME"))
    });
    let lines = Registry::default().with(if std::env::var_os("JOURNAL_STREAM").is_some() {
        // the journal has the time of each line already
        lines.without_time().with_filter(ours).boxed()
    } else {
        lines.with_filter(ours).boxed()
    });
    let _ = lines.try_init();
}

/// Says in the log what the crank has to say, and to those who push it what is published.
struct Voice(watch::Sender<News>);

impl Herald for Voice {
    fn problem(&self, problem: &Problem) {
        self.state(problem.level, &problem.to_string());
    }

    fn turn(&self, turn: &Turn, config: &Config) {
        tracing::info!("{}", report::summary(turn, config));
    }

    fn published(&self, manifest: &Manifest, config: &Config) {
        let news = News::of(config, manifest);
        self.0.send_if_modified(|before| {
            let is_other = *before != news;
            *before = news;
            is_other
        });
    }

    fn state(&self, level: Level, text: &str) {
        match level {
            Level::Error => tracing::error!("{text}"),
            Level::Warning => tracing::warn!("{text}"),
            Level::Info => tracing::info!("{text}"),
        }
    }
}

fn run(args: &Serve, config: &Config) -> Result<()> {
    let runtime = runtime()?;
    let file = args.place.config.clone();
    let file = file.unwrap_or_else(|| PathBuf::from(config::FILE));
    let reload = {
        let args = args.clone();
        Box::new(move || configure(&args.place, &args.listen).map_err(|refused| refused.problems))
    };
    let (tell, news) = watch::channel(News::default());
    let voice = Box::new(Voice(tell));
    let mut crank = Crank::new(config.clone(), file, reload, voice, clock);
    let window = crank.window();
    let (_, callbacks) = descriptors();
    let (hub, inbox) = Hub::new(
        news.clone(),
        Arc::clone(&window),
        config.state(),
        clock,
        callbacks,
    );
    if !crank.load() {
        // there is nothing to offer until the folder is read
        crank.turn(clock().into(), args.allow_shrink, None);
        anyhow::ensure!(
            window.load().is_some(),
            "there is nothing to serve yet; what stands in the way is said above"
        );
    }
    let (waker, wakes) = channel();
    let house = House::new(
        window,
        crank.board(),
        AccessLog::to(std::io::stdout()),
        waker.clone(),
        inbox,
        clock,
    );
    let (public, admin) = {
        let _inside = runtime.enter();
        (listen(config)?, listen_admin(config)?)
    };
    let folder = absolute(&config.articles);
    greet(config, &folder, &public, &admin);
    let turning = {
        let (waker, allow_shrink) = (waker.clone(), args.allow_shrink);
        std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || crank.run(&wakes, &waker, allow_shrink))
            .context("cannot start a thread")?
    };
    push(hub, news, config.state())?;
    let outcome = runtime.block_on(attend(house, public, admin, &waker, &turning));
    runtime.shutdown_background();
    outcome
}

/// Lets hubs elsewhere be told what is new, and our own deliver it, on a thread that gives way to requests and ends with
/// the process: whatever it is at, the next one goes on with it.
fn push(hub: Hub, news: watch::Receiver<News>, state: PathBuf) -> Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUPS)
        .build()
        .context("cannot start a thread")?;
    let work = move || {
        encode::give_way();
        runtime.block_on(async {
            let hub = async {
                if let Err(error) = hub.run().await {
                    tracing::error!("there is no hub: {error:#}");
                }
            };
            let told = async {
                if let Err(error) = announce::run(news, state, clock).await {
                    tracing::error!("hubs are not told what is new: {error:#}");
                }
            };
            tokio::join!(hub, told);
        });
    };
    std::thread::Builder::new()
        .name("push".to_owned())
        .spawn(work)
        .map(drop)
        .context("cannot start a thread")
}

/// So many names are looked up at once: as many as callbacks may have, and some for hubs.
const LOOKUPS: usize = 80;

/// One thread a core; on a single core one thread does all.
fn runtime() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = if cores == 1 {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder
        .enable_all()
        .build()
        .context("cannot start the server's threads")
}

fn listen(config: &Config) -> Result<Vec<Listener>> {
    if config.serve.listen.is_empty() {
        return inherited();
    }
    let mut listeners = Vec::new();
    for address in &config.serve.listen {
        listeners.extend(bind(address, Door::Public, &config.serve.listen)?);
    }
    Ok(listeners)
}

fn listen_admin(config: &Config) -> Result<Vec<Listener>> {
    config
        .serve
        .admin
        .as_ref()
        .map_or(Ok(Vec::new()), |address| bind(address, Door::Admin, &[]))
}

fn greet(config: &Config, from: &str, public: &[Listener], admin: &[Listener]) {
    tracing::info!(
        "`{}` from {from}, for {}",
        config.site.title,
        config.site.base
    );
    for listener in public {
        if let Some(url) = listener.url() {
            tracing::info!("open {url}");
        } else {
            tracing::info!("listening on {}", listener.name);
        }
    }
    for listener in admin {
        tracing::info!("metrics and /refresh on {}", listener.name);
    }
    for hub in &config.site.hubs {
        tracing::info!("what changes is pushed through {hub}");
    }
}

fn absolute(path: &Path) -> String {
    let real = path.canonicalize();
    format!("`{}`", real.as_deref().unwrap_or(path).display())
}

/// Serves until a signal says that it is over.
async fn attend(
    house: Arc<House>,
    public: Vec<Listener>,
    admin: Vec<Listener>,
    waker: &Sender<Wake>,
    turning: &JoinHandle<()>,
) -> Result<()> {
    let failed = "cannot wait for signals";
    let mut hangup = signal(SignalKind::hangup()).context(failed)?;
    let mut terminate = signal(SignalKind::terminate()).context(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(failed)?;
    let (stop, stopped) = watch::channel(false);
    let doors = public.into_iter().map(|listener| (listener, Door::Public));
    let doors = doors.chain(admin.into_iter().map(|listener| (listener, Door::Admin)));
    let tasks: Vec<_> = doors
        .map(|(listener, door)| {
            tokio::spawn(accept(Arc::clone(&house), listener, door, stopped.clone()))
        })
        .collect();
    tell_systemd(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                // the crank lives as long as we do
                let _ = waker.send(Wake::Settings);
            }
            () = either(&mut terminate, &mut interrupt) => break,
        }
    }
    tell_systemd(&[NotifyState::Stopping]);
    house.drain();
    let _ = stop.send(true);
    let _ = waker.send(Wake::Stop);
    tracing::info!("stopping; a second signal stops at once");
    let ended = async {
        house.empty().await;
        // what it is publishing is better whole, though it would survive
        while !turning.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(GRACE) => {
            if house.connections() > 0 {
                tracing::warn!("{} connections were cut off", house.connections());
            }
        }
        () = either(&mut terminate, &mut interrupt) => {}
    }
    // sockets in the file system go with their listeners
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    // without systemd nobody wants to know
    let _ = sd_notify::notify(state);
}
