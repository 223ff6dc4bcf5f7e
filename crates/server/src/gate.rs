//! How much may wait inside: messages by their bytes, uploads by their number. What finds no place is not read, and QUIC's flow
//! control holds its sender up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tacita_protocol::messages::ClientMessage;
use tacita_transport::Pace;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of all messages that wait for the round's driver.
const WAITING: u32 = 32 << 20;
/// Silence between two frames of one upload, and time that its frames may take beyond what its bytes allow.
const UPLOAD_GRACE: Duration = Duration::from_secs(30);

/// What everybody who comes in shares.
#[derive(Clone)]
pub(crate) struct Gate {
    bytes: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
}

/// What a message holds until the driver is done with it.
#[derive(Default)]
pub(crate) struct Held {
    _bytes: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

/// A session's upload in flight.
struct Upload {
    place: OwnedSemaphorePermit,
    bytes: u64,
    waited: Duration,
}

/// One session's way in.
pub(crate) struct Turnstile {
    gate: Gate,
    upload: Option<Upload>,
}

impl Gate {
    /// Room for so many uploads in flight.
    pub(crate) fn new(uploads: u16) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(WAITING as usize)),
            uploads: Arc::new(Semaphore::new(usize::from(uploads.max(1)))),
        }
    }

    /// For one session.
    pub(crate) fn turnstile(&self) -> Turnstile {
        Turnstile {
            gate: self.clone(),
            upload: None,
        }
    }
}

impl Turnstile {
    /// How slowly the next frame may come. Between frames anything goes, but an upload in flight keeps others waiting: as a whole
    /// it may be no slower than a single frame.
    pub(crate) fn pace(&self) -> Pace {
        let pace = Pace::default();
        let Some(upload) = &self.upload else {
            return pace;
        };
        let earned = upload.bytes.checked_div(u64::from(pace.least_rate)).unwrap_or(0);
        let allowed = UPLOAD_GRACE.saturating_add(Duration::from_secs(earned));
        Pace {
            quiet: Some(allowed.saturating_sub(upload.waited).min(UPLOAD_GRACE)),
            ..pace
        }
    }

    /// Waits for a place for a message of `bytes` bytes that was awaited since `since`. `None` while the server stops.
    pub(crate) async fn pass(
        &mut self,
        message: &ClientMessage,
        bytes: usize,
        since: Instant,
    ) -> Option<Held> {
        if let Some(upload) = &mut self.upload {
            upload.waited = upload.waited.saturating_add(since.elapsed());
            upload.bytes = upload.bytes.saturating_add(bytes as u64);
        }
        // The place first: who waits for one holds none of the room that uploads in flight need to go on.
        let place = match message {
            ClientMessage::Chunk(_) => {
                if self.upload.is_none() {
                    self.upload = Some(Upload {
                        place: self.gate.uploads.clone().acquire_owned().await.ok()?,
                        bytes: bytes as u64,
                        waited: Duration::ZERO,
                    });
                }
                None
            }
            // Its end, which keeps the place until it was added; or something else, and then it was given up.
            _ => self.upload.take().map(|upload| upload.place),
        };
        let room = u32::try_from(bytes).unwrap_or(WAITING).min(WAITING);
        let bytes = self.gate.bytes.clone().acquire_many_owned(room).await.ok()?;
        Some(Held {
            _bytes: Some(bytes),
            _place: place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacita_protocol::messages::{Hello, UploadChunk, UploadEnd};

    fn chunk() -> ClientMessage {
        ClientMessage::Chunk(UploadChunk {
            index: 0,
            packed: vec![0; 8].into(),
        })
    }

    fn end() -> ClientMessage {
        ClientMessage::UploadEnd(UploadEnd {
            suspects: Vec::new().into(),
            signature: [0; 64],
        })
    }

    async fn passes(turnstile: &mut Turnstile, message: ClientMessage, bytes: usize) -> Option<Held> {
        let passing = turnstile.pass(&message, bytes, Instant::now());
        tokio::time::timeout(Duration::from_millis(50), passing)
            .await
            .ok()
            .flatten()
    }

    #[tokio::test]
    async fn uploads_wait_for_a_place_until_one_was_added_or_is_gone() {
        let gate = Gate::new(1);
        let (mut first, mut second) = (gate.turnstile(), gate.turnstile());
        assert!(first.pace().quiet.is_none());
        assert!(passes(&mut first, chunk(), 8).await.is_some());
        assert!(passes(&mut first, chunk(), 8).await.is_some(), "the same upload");
        assert!(first.pace().quiet.is_some());
        assert!(passes(&mut second, chunk(), 8).await.is_none(), "no place");
        let held = passes(&mut first, end(), 8).await.unwrap();
        assert!(first.pace().quiet.is_none());
        assert!(passes(&mut second, chunk(), 8).await.is_none(), "not added yet");
        drop(held);
        assert!(passes(&mut second, chunk(), 8).await.is_some());
        // A session that ends in the middle gives its place back, and so does one that gives its upload up.
        drop(second);
        assert!(passes(&mut first, chunk(), 8).await.is_some());
        let hello = ClientMessage::Hello(Hello::fresh(0));
        drop(passes(&mut first, hello, 8).await.unwrap());
        assert!(passes(&mut gate.turnstile(), chunk(), 8).await.is_some());
    }

    #[tokio::test]
    async fn bytes_that_wait_are_bounded() {
        let gate = Gate::new(9);
        let mut turnstile = gate.turnstile();
        let half = WAITING as usize / 2;
        let first = passes(&mut turnstile, end(), half).await.unwrap();
        let _second = passes(&mut turnstile, end(), half).await.unwrap();
        assert!(passes(&mut turnstile, end(), 1).await.is_none());
        drop(first);
        assert!(passes(&mut turnstile, end(), 1).await.is_some());
    }

    #[test]
    fn a_slow_upload_loses_its_patience() {
        let gate = Gate::new(1);
        let mut turnstile = gate.turnstile();
        turnstile.upload = Some(Upload {
            place: gate.uploads.clone().try_acquire_owned().unwrap(),
            bytes: 10 * 16 * 1024,
            waited: Duration::from_secs(39),
        });
        assert_eq!(turnstile.pace().quiet, Some(Duration::from_secs(1)));
    }
}
