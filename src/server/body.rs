//! The body of an answer: bytes in memory, or a file of the shelf read piece by piece.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use super::patience::Turn;
use crate::store::Cut;

/// So much of a file is in memory at once, in bytes.
const PIECE: u64 = 128 << 10;

/// A body, which ends the turn of its answer when it is gone.
#[derive(Debug)]
pub(super) struct Body {
    content: Content,
    _turn: Turn,
}

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    File(File),
}

/// A file that is read when the client is ready for more, so that a slow one holds no thread.
#[derive(Debug)]
struct File {
    cut: Option<Cut>,
    left: Range<u64>,
    reading: Option<JoinHandle<(Cut, io::Result<Bytes>)>>,
}

impl Body {
    pub(super) fn bytes(bytes: Bytes, turn: Turn) -> Self {
        Self {
            content: Content::Bytes(bytes),
            _turn: turn,
        }
    }

    pub(super) fn file(cut: Cut, part: Range<u64>, turn: Turn) -> Self {
        Self {
            content: Content::File(File {
                cut: Some(cut),
                left: part,
                reading: None,
            }),
            _turn: turn,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.content {
            Content::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::File(file) => file.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::File(file) => file.left.is_empty() && file.reading.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(file) => file.left.end - file.left.start,
        })
    }
}

impl File {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.reading.is_none() {
            let Some(mut cut) = self.cut.take().filter(|_| !self.left.is_empty()) else {
                return Poll::Ready(None);
            };
            let start = self.left.start;
            let length = (self.left.end - start).min(PIECE);
            self.reading = Some(spawn_blocking(move || {
                let bytes = cut.read(start, usize::try_from(length).unwrap_or_default());
                (cut, bytes)
            }));
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let Poll::Ready(outcome) = Pin::new(reading).poll(context) else {
            return Poll::Pending;
        };
        self.reading = None;
        Poll::Ready(Some(outcome.map_err(io::Error::other).and_then(
            |(cut, bytes)| {
                // an error here cuts the connection: the client knows that it has not got all
                let bytes = bytes?;
                self.left.start += bytes.len() as u64;
                self.cut = Some(cut);
                Ok(Frame::data(bytes))
            },
        )))
    }
}
