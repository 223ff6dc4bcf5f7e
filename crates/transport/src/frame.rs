//! Frames on a stream: a four-byte little-endian length, then so many bytes.

use std::fmt;
use std::sync::Arc;

use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::time::{Instant, timeout_at};

use crate::error::TransportError;
use crate::limits::{MAX_FRAME, Pace};

const HEADER: usize = 4;
/// Queued frames are handed to QUIC when they reach this size, so that small ones share packets.
const BATCH: usize = 64 << 10;
/// Frames from this size on are not copied into the queue.
const LARGE: usize = 16 << 10;
/// First memory for a frame; more follows only as its bytes arrive.
const FIRST_BODY: usize = 16 << 10;
/// Stream code when this side gives a stream up with data unsent or a peer that breaks the framing.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// The sending half of a stream.
pub struct FrameSender {
    stream: SendStream,
    /// Frames not yet handed to QUIC; the first `done` bytes are.
    queue: Vec<u8>,
    done: usize,
    /// Body of a large frame that follows the queue, and how much of it QUIC has taken: it is not copied.
    large: Option<(Arc<Vec<u8>>, usize)>,
}

impl FrameSender {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self {
            stream,
            queue: Vec::new(),
            done: 0,
            large: None,
        }
    }

    /// Sends one frame, and whatever was queued before it.
    ///
    /// Returns when QUIC has taken the bytes, which waits for the peer to make room but not for it to read them.
    /// Cancel-safe in the sense that the frame stays queued, whole, if the future is dropped.
    ///
    /// # Errors
    /// [`TransportError::FrameTooLarge`] before anything is sent, or what ended the stream.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        self.finish_large().await?;
        self.push(frame)?;
        self.flush().await
    }

    /// Queues one frame without sending it until 64 KiB have gathered or [`flush`](Self::flush) is called.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn queue(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        self.finish_large().await?;
        self.push(frame)?;
        if self.queue.len() >= BATCH {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// As [`queue`](Self::queue), for a frame that others may hold too: from 16 KiB on it is not copied, and sent at once.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn queue_shared(&mut self, frame: Arc<Vec<u8>>) -> Result<(), TransportError> {
        if frame.len() < LARGE {
            return self.queue(&frame).await;
        }
        self.finish_large().await?;
        self.push_length(frame.len())?;
        self.large = Some((frame, 0));
        self.flush().await
    }

    /// What a dropped future left unsent comes before any other frame.
    async fn finish_large(&mut self) -> Result<(), TransportError> {
        if self.large.is_some() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Hands all queued frames to QUIC.
    ///
    /// # Errors
    /// What ended the stream.
    pub async fn flush(&mut self) -> Result<(), TransportError> {
        while let Some(rest) = self.queue.get(self.done..).filter(|rest| !rest.is_empty()) {
            let taken = self.stream.write(rest).await.map_err(write_error)?;
            self.done = self.done.saturating_add(taken);
        }
        self.done = 0;
        // A connection that has nothing to say holds no memory for it.
        self.queue = Vec::new();
        while let Some((frame, done)) = &mut self.large {
            let Some(rest) = frame.get(*done..).filter(|rest| !rest.is_empty()) else {
                self.large = None;
                break;
            };
            let taken = self.stream.write(rest).await.map_err(write_error)?;
            *done = done.saturating_add(taken);
        }
        Ok(())
    }

    /// Sends what is queued and ends the stream; the peer's receiver then sees its end.
    ///
    /// # Errors
    /// What ended the stream before.
    pub async fn finish(mut self) -> Result<(), TransportError> {
        self.flush().await?;
        self.stream.finish().map_err(|_| TransportError::StreamClosed)
    }

    /// Waits until the peer has received everything of a stream that ended, or has given the stream up.
    ///
    /// # Errors
    /// What ended the connection before.
    pub async fn finish_and_wait(mut self) -> Result<(), TransportError> {
        self.flush().await?;
        self.stream.finish().map_err(|_| TransportError::StreamClosed)?;
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(TransportError::StreamReset {
                code: code.into_inner(),
            }),
            Err(error) => Err(write_error(error.into())),
        }
    }

    fn push(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        self.push_length(frame.len())?;
        self.queue.extend_from_slice(frame);
        Ok(())
    }

    fn push_length(&mut self, bytes: usize) -> Result<(), TransportError> {
        let too_large = TransportError::FrameTooLarge { bytes };
        if bytes > MAX_FRAME {
            return Err(too_large);
        }
        let length = u32::try_from(bytes).map_err(|_| too_large)?;
        self.queue.extend_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        if !self.queue.is_empty() || self.large.is_some() {
            // Without this the peer would take the cut for a proper end.
            let _ = self.stream.reset(GIVEN_UP);
        }
    }
}

/// The receiving half of a stream.
pub struct FrameReceiver {
    stream: RecvStream,
    pace: Option<Pace>,
    header: [u8; HEADER],
    /// Bytes of the current header and body that have arrived.
    filled: usize,
    body: Vec<u8>,
    /// When the first byte of the current frame arrived.
    started: Option<Instant>,
}

impl FrameReceiver {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            pace: None,
            header: [0; HEADER],
            filled: 0,
            body: Vec::new(),
            started: None,
        }
    }

    /// Sets how slowly the peer may send; without it only the connection's own life bounds the wait.
    pub fn set_pace(&mut self, pace: Option<Pace>) {
        self.pace = pace;
    }

    /// The next frame, or `None` when the peer has ended the stream.
    ///
    /// Cancel-safe: a dropped future loses nothing. After an error of this side's making (too large, too slow)
    /// the stream is given up and the peer told so.
    ///
    /// # Errors
    /// [`TransportError::FrameTooLarge`] from the header alone, before memory is taken;
    /// [`TransportError::TooSlow`], [`TransportError::Silent`] by the [`Pace`]; [`TransportError::Truncated`];
    /// or what ended the stream.
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        let outcome = self.next().await;
        self.give_up_if_broken(outcome.as_ref().err());
        outcome
    }

    /// Length and first byte of the next frame, without the rest of it; `None` when the peer has ended the stream. A reader
    /// that has no place for the frame yet waits between this and [`recv`](Self::recv): the peer's clock stands still then, and
    /// flow control holds it up.
    ///
    /// Cancel-safe, and so is asking twice.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn announced(&mut self) -> Result<Option<(usize, Option<u8>)>, TransportError> {
        let outcome = self.head().await;
        self.give_up_if_broken(outcome.as_ref().err());
        self.started = None;
        outcome
    }

    async fn head(&mut self) -> Result<Option<(usize, Option<u8>)>, TransportError> {
        let silent_from = Instant::now();
        while self.filled < HEADER {
            if self.read(silent_from, HEADER).await? == 0 {
                return if self.filled == 0 {
                    Ok(None)
                } else {
                    Err(TransportError::Truncated)
                };
            }
        }
        let length = self.length()?;
        if length > 0 && self.filled == HEADER && self.read(silent_from, 1).await? == 0 {
            return Err(TransportError::Truncated);
        }
        Ok(Some((length, self.body.first().copied())))
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        let Some((length, _)) = self.head().await? else {
            return Ok(None);
        };
        let silent_from = *self.started.get_or_insert_with(Instant::now);
        while self.filled < HEADER.saturating_add(length) {
            if self.read(silent_from, length).await? == 0 {
                return Err(TransportError::Truncated);
            }
        }
        self.filled = 0;
        self.started = None;
        Ok(Some(std::mem::take(&mut self.body)))
    }

    /// Tells the peer if this side will read no further.
    fn give_up_if_broken(&mut self, error: Option<&TransportError>) {
        if let Some(TransportError::FrameTooLarge { .. } | TransportError::TooSlow | TransportError::Silent) =
            error
        {
            let _ = self.stream.stop(GIVEN_UP);
        }
    }

    /// The announced length, refused above the limit.
    fn length(&self) -> Result<usize, TransportError> {
        let bytes = usize::try_from(u32::from_le_bytes(self.header)).unwrap_or(usize::MAX);
        if bytes > MAX_FRAME {
            Err(TransportError::FrameTooLarge { bytes })
        } else {
            Ok(bytes)
        }
    }

    /// Reads towards the current header, or towards the first `most` bytes of the body; 0 at the end of the stream.
    async fn read(&mut self, silent_from: Instant, most: usize) -> Result<usize, TransportError> {
        let deadline = self.deadline(silent_from)?;
        let in_header = self.filled < HEADER;
        let target = if in_header {
            self.header.get_mut(self.filled..)
        } else {
            let length = self.length()?.min(most);
            let have = self.filled.saturating_sub(HEADER);
            if self.body.len() == have {
                // Memory follows the bytes that arrived, doubling, never the announcement alone.
                let size = length.min(have.saturating_mul(2).max(FIRST_BODY));
                self.body.reserve_exact(size.saturating_sub(have));
                self.body.resize(size, 0);
            }
            self.body.get_mut(have..)
        };
        // Both ranges start inside their buffer; an empty one would read nothing.
        let read = self.stream.read(target.unwrap_or_default());
        let got = match deadline {
            None => read.await,
            Some((at, late)) => timeout_at(at, read).await.map_err(|_| late)?,
        };
        let got = got.map_err(read_error)?.unwrap_or(0);
        if got > 0 && self.started.is_none() {
            self.started = Some(Instant::now());
        }
        self.filled = self.filled.saturating_add(got);
        Ok(got)
    }

    /// When the wait ends, and with which error.
    fn deadline(&self, silent_from: Instant) -> Result<Option<(Instant, TransportError)>, TransportError> {
        let Some(pace) = self.pace else { return Ok(None) };
        Ok(match self.started {
            None => pace
                .quiet
                .and_then(|quiet| Some((silent_from.checked_add(quiet)?, TransportError::Silent))),
            Some(started) => {
                let length = if self.filled < HEADER { 0 } else { self.length()? };
                started
                    .checked_add(pace.allowance(length))
                    .map(|at| (at, TransportError::TooSlow))
            }
        })
    }
}

fn write_error(error: WriteError) -> TransportError {
    match error {
        WriteError::Stopped(code) => TransportError::StreamReset {
            code: code.into_inner(),
        },
        WriteError::ConnectionLost(error) => error.into(),
        WriteError::ClosedStream | WriteError::ZeroRttRejected => TransportError::StreamClosed,
    }
}

fn read_error(error: ReadError) -> TransportError {
    match error {
        ReadError::Reset(code) => TransportError::StreamReset {
            code: code.into_inner(),
        },
        ReadError::ConnectionLost(error) => error.into(),
        ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => {
            TransportError::StreamClosed
        }
    }
}

impl fmt::Debug for FrameSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameSender({})", self.stream.id())
    }
}

impl fmt::Debug for FrameReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameReceiver({})", self.stream.id())
    }
}
