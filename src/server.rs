//! The server: sockets in, answers out. What an answer is [`respond`](crate::respond) decides; here stand the
//! connections, their limits of time and number, and the end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::{Notify, watch};

use crate::crank::Window;
use crate::hub::Inbox;
use crate::status::Board;
use crate::watch::Wake;

mod access;
mod admin;
mod answer;
mod body;
mod client;
mod form;
mod listen;
mod metrics;
mod patience;

pub use access::AccessLog;
pub use listen::{Listener, bind, inherited};

use client::Peer;
use metrics::Metrics;
use patience::{Patient, Turns};

/// How long a stop waits for answers that are being sent.
pub const GRACE: Duration = Duration::from_secs(10);
/// Heads are read into at most so many bytes: a target that is too long is answered, and not cut off.
const BUFFER: usize = 96 << 10;
/// A head with more fields is refused (431).
const FIELDS: usize = 64;
/// Descriptors that are kept for other things than connections.
const RESERVED: u64 = 64;
/// The hub has at most so many connections to callbacks.
const CALLBACKS: u64 = 2048;

/// What all connections share.
pub struct House {
    window: Window,
    board: Board,
    metrics: Metrics,
    log: AccessLog,
    wakes: Sender<Wake>,
    clock: fn() -> SystemTime,
    hub: Inbox,
    draining: AtomicBool,
    guests: Guests,
    most: usize,
}

/// How many connections there are.
#[derive(Default)]
struct Guests {
    count: AtomicUsize,
    left: Notify,
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// For everybody.
    Public,
    /// For the operator.
    Admin,
}

impl House {
    /// Offers what stands in `window`; orders to look at the folder go to `wakes`, and forms for the hub to `hub`.
    #[must_use]
    pub fn new(
        window: Window,
        board: Board,
        log: AccessLog,
        wakes: Sender<Wake>,
        hub: Inbox,
        clock: fn() -> SystemTime,
    ) -> Arc<Self> {
        Arc::new(Self {
            window,
            board,
            metrics: Metrics::new(),
            log,
            wakes,
            hub,
            clock,
            draining: AtomicBool::new(false),
            guests: Guests::default(),
            most: descriptors().0,
        })
    }

    fn limit(&self) -> usize {
        let offer = self.window.load();
        let wanted = offer
            .as_ref()
            .map_or(usize::MAX, |offer| offer.settings.max_connections);
        wanted.min(self.most)
    }

    /// Waits until there is room for one more.
    async fn room(&self) {
        loop {
            let left = self.guests.left.notified();
            if self.connections() < self.limit() {
                return;
            }
            left.await;
        }
    }

    fn enter(self: &Arc<Self>) -> Guest {
        self.guests.count.fetch_add(1, Ordering::AcqRel);
        Guest(Arc::clone(self))
    }

    /// From now on `/readyz` says that it is about to stop, and every answer is the last of its connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Waits until nobody is served any more.
    pub async fn empty(&self) {
        loop {
            let left = self.guests.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.guests.count.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.guests.count.load(Ordering::Acquire)
    }
}

/// One connection that counts.
struct Guest(Arc<House>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.guests.count.fetch_sub(1, Ordering::AcqRel);
        self.0.guests.left.notify_waiters();
    }
}

/// Accepts connections until `stop` says that it is over; those that are open then finish what they send.
pub async fn accept(
    house: Arc<House>,
    listener: Listener,
    door: Door,
    stop: watch::Receiver<bool>,
) {
    let mut pause = Duration::from_millis(10);
    let mut told: Option<SystemTime> = None;
    loop {
        // the operator is let in however many there are
        if door == Door::Public {
            house.room().await;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                pause = Duration::from_millis(10);
                let guest = (door == Door::Public).then(|| house.enter());
                let (house, stop) = (Arc::clone(&house), stop.clone());
                tokio::spawn(async move {
                    match stream {
                        listen::Stream::Tcp(stream) => {
                            attend(house, stream, peer, door, stop).await;
                        }
                        listen::Stream::Unix(stream) => {
                            attend(house, stream, peer, door, stop).await;
                        }
                    }
                    drop(guest);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // out of descriptors or memory: others must end first
                let now = (house.clock)();
                if told
                    .is_none_or(|told| now.duration_since(told).is_ok_and(|age| age.as_secs() >= 1))
                {
                    told = Some(now);
                    tracing::warn!("no connection can be accepted: {error}; trying again");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

async fn attend<S>(
    house: Arc<House>,
    stream: S,
    peer: Peer,
    door: Door,
    mut stop: watch::Receiver<bool>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let turns = Turns::default();
    let io = TokioIo::new(Patient::new(stream, turns.clone()));
    let service = service_fn(|request| {
        let (house, turns) = (Arc::clone(&house), turns.clone());
        async move {
            let turn = turns.begin();
            match door {
                Door::Public => answer::answer(&house, peer, request, turn).await,
                Door::Admin => Ok(admin::answer(&house, &request, turn)),
            }
        }
    });
    let connection = http1::Builder::new()
        .half_close(true)
        .max_buf_size(BUFFER)
        .max_headers(FIELDS)
        .serve_connection(io, service);
    tokio::pin!(connection);
    if *stop.borrow() {
        // who comes now is answered once
        let _ = connection.await;
        return;
    }
    tokio::select! {
        // who goes away in the middle is nobody's error
        _ = connection.as_mut() => {}
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// How many connections the limit of descriptors allows, after it was raised as far as it goes: from clients, and to the
/// callbacks of the hub.
#[must_use]
pub fn descriptors() -> (usize, usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    let limit = limit.unwrap_or(u64::MAX);
    let callbacks = (limit / 8).min(CALLBACKS);
    let clients = limit.saturating_sub(RESERVED + callbacks).max(1);
    let count = |room| usize::try_from(room).unwrap_or(usize::MAX);
    (count(clients), count(callbacks))
}
