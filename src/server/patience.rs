//! How long a connection may take: to send a head, to do nothing, to take what is sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A head must be there so long after its first byte; the first one, after the connection was made.
const HEAD: Duration = Duration::from_secs(10);
/// A connection on which nothing happens is closed.
const IDLE: Duration = Duration::from_secs(75);
/// A client that takes nothing for so long is dropped.
const STALL: Duration = Duration::from_secs(30);

/// A client that still sends when it has got its last answer is listened to for so long, and for so many bytes: closing
/// at once would take the answer away from it (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// Counts the beginnings and ends of answers: odd while one is being made or sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<AtomicUsize>);

impl Turns {
    /// A request is there.
    pub(super) fn begin(&self) -> Turn {
        self.0.fetch_add(1, Ordering::Relaxed);
        Turn(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One answer, from the request to the last byte of its body.
#[derive(Debug)]
pub(super) struct Turn(Turns);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a head.
    Idle,
    /// The rest of a head.
    Head,
    /// Nothing: an answer is on its way.
    Busy,
}

/// A stream that loses its patience.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    turns: Turns,
    seen: usize,
    phase: Phase,
    /// When the phase is over; not known until somebody has to wait, since most never do.
    deadline: Option<Instant>,
    /// Fires at the deadline or earlier, and is then set anew: so that no request costs a timer.
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
    lingering: Option<Linger>,
}

/// The end of a connection, after our last byte.
#[derive(Debug)]
struct Linger {
    sleep: Pin<Box<Sleep>>,
    left: usize,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, turns: Turns) -> Self {
        Self {
            stream,
            turns,
            seen: 0,
            phase: Phase::Head,
            deadline: None,
            reading: None,
            writing: None,
            lingering: None,
        }
    }

    /// Whether what is waited for is late.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let seen = self.turns.count();
        if seen != self.seen {
            self.seen = seen;
            if seen % 2 == 1 {
                self.phase = Phase::Busy;
            } else {
                self.phase = Phase::Idle;
                self.deadline = None;
            }
        }
        if self.phase == Phase::Busy {
            return false;
        }
        let patience = if self.phase == Phase::Head {
            HEAD
        } else {
            IDLE
        };
        let deadline = *self
            .deadline
            .get_or_insert_with(|| Instant::now() + patience);
        let sleep = self
            .reading
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(outcome) => {
                let is_first = self.phase != Phase::Head || self.turns.count() != self.seen;
                if buffer.filled().len() > before && is_first {
                    self.seen = self.turns.count();
                    self.phase = Phase::Head;
                    self.deadline = None;
                }
                Poll::Ready(outcome)
            }
            Poll::Pending if self.is_late(context) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    /// What the stream said of a write; an error if it has taken nothing for too long.
    fn written<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing = None;
            return outcome;
        }
        let sleep = self
            .writing
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STALL)));
        match sleep.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = match slices {
            [only] => Pin::new(&mut self.stream).poll_write(context, only),
            many => Pin::new(&mut self.stream).poll_write_vectored(context, many),
        };
        self.written(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.written(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
            std::task::ready!(self.written(outcome, context))?;
        }
        self.linger(context)
    }
}

impl<S: AsyncRead + Unpin> Patient<S> {
    /// Throws away what a client still sends, until it has closed too.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase == Phase::Idle && self.turns.count() == self.seen {
            // it was waiting for nothing, and sends nothing
            return Poll::Ready(Ok(()));
        }
        let lingering = self.lingering.get_or_insert_with(|| Linger {
            sleep: Box::pin(sleep_until(Instant::now() + LINGER)),
            left: LINGER_BYTES,
        });
        let mut waste = [0; 16 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    lingering.left = lingering.left.saturating_sub(buffer.filled().len());
                    if lingering.left == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        lingering.sleep.as_mut().poll(context).map(Ok)
    }
}
