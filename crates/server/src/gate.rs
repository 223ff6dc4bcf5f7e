//! How much may be inside at once: messages that come in by their bytes, uploads and messages that go out by their number. What
//! finds no place is not read or not made yet, and QUIC's flow control holds its sender up.

use std::sync::Arc;
use std::time::Duration;

use tacita_protocol::messages::ClientMessage;
use tacita_protocol::parts::CLIENT_PART;
use tacita_transport::Pace;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of all messages that come in, from the first byte of each until the round's driver is done with it.
const WAITING: u32 = 16 << 20;
/// Large messages to members that are made and not yet handed to QUIC, at once. Each takes up to 400 KB at n = 1,000.
const TURNS: usize = 32;
/// Silence between two frames of one upload, or between two parts of one message; and time that an upload's frames may take
/// beyond what its bytes allow.
const UPLOAD_GRACE: Duration = Duration::from_secs(30);

/// What everybody who comes in shares.
#[derive(Clone)]
pub(crate) struct Gate {
    bytes: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// What a message holds until the driver is done with it.
#[derive(Default)]
pub(crate) struct Held {
    _bytes: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

/// Leave to make one large message for one member; over when all its frames were handed to QUIC.
#[derive(Clone)]
pub(crate) struct Turn {
    _permit: Arc<OwnedSemaphorePermit>,
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
    /// Room for the message that is coming in.
    room: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// Room for so many uploads in flight.
    pub(crate) fn new(uploads: u16) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(WAITING as usize)),
            uploads: Arc::new(Semaphore::new(usize::from(uploads.max(1)))),
            turns: Arc::new(Semaphore::new(TURNS)),
        }
    }

    /// For one session.
    pub(crate) fn turnstile(&self) -> Turnstile {
        Turnstile {
            gate: self.clone(),
            upload: None,
            room: None,
        }
    }

    /// Waits for a turn. `None` while the server stops.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let permit = self.turns.clone().acquire_owned().await.ok()?;
        Some(Turn {
            _permit: Arc::new(permit),
        })
    }
}

impl Turnstile {
    /// How slowly the next frame may come. Between frames anything goes, but an upload in flight, or a message of which parts
    /// are missing, keeps others waiting: an upload as a whole may be no slower than a single frame.
    pub(crate) fn pace(&self) -> Pace {
        let pace = Pace::default();
        let quiet = match &self.upload {
            Some(upload) => {
                let earned = upload.bytes.checked_div(u64::from(pace.least_rate)).unwrap_or(0);
                let allowed = UPLOAD_GRACE.saturating_add(Duration::from_secs(earned));
                Some(allowed.saturating_sub(upload.waited).min(UPLOAD_GRACE))
            }
            None => self.room.is_some().then_some(UPLOAD_GRACE),
        };
        Pace { quiet, ..pace }
    }

    /// Waits for a place for a frame of which the length and the first byte are there, and no more. The first part of a message
    /// waits for room for all of it, `parts` bytes. `None` while the server stops.
    pub(crate) async fn admit(&mut self, kind: Option<u8>, length: usize, parts: usize) -> Option<()> {
        // The place first: who waits for one holds none of the room that uploads in flight need to go on.
        if kind == Some(ClientMessage::CHUNK) && self.upload.is_none() {
            self.upload = Some(Upload {
                place: self.gate.uploads.clone().acquire_owned().await.ok()?,
                bytes: 0,
                waited: Duration::ZERO,
            });
        }
        if self.room.is_none() {
            let bytes = if kind == Some(CLIENT_PART) {
                length.max(parts)
            } else {
                length
            };
            let bytes = u32::try_from(bytes).unwrap_or(WAITING).min(WAITING);
            self.room = Some(self.gate.bytes.clone().acquire_many_owned(bytes).await.ok()?);
        }
        Some(())
    }

    /// A message is whole, of `bytes` bytes whose last frame took `waited` to come: what it holds from now on.
    pub(crate) fn pass(&mut self, message: &ClientMessage, bytes: usize, waited: Duration) -> Held {
        let place = match (message, &mut self.upload) {
            (ClientMessage::Chunk(_), Some(upload)) => {
                upload.waited = upload.waited.saturating_add(waited);
                upload.bytes = upload.bytes.saturating_add(bytes as u64);
                None
            }
            // Its end, which keeps the place until it was added; or something else, and then it was given up.
            _ => self.upload.take().map(|upload| upload.place),
        };
        Held {
            _bytes: self.room.take(),
            _place: place,
        }
    }

    /// What came was no message: its room is free again.
    pub(crate) fn discard(&mut self) {
        self.room = None;
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
            noise_anchor: Vec::new().into(),
            signature: [0; 64],
        })
    }

    async fn passes(turnstile: &mut Turnstile, message: ClientMessage, bytes: usize) -> Option<Held> {
        let kind = match &message {
            ClientMessage::Chunk(_) => ClientMessage::CHUNK,
            _ => 0,
        };
        let admitted = turnstile.admit(Some(kind), bytes, 0);
        let admitted = tokio::time::timeout(Duration::from_millis(50), admitted).await;
        admitted.ok().flatten()?;
        Some(turnstile.pass(&message, bytes, Duration::ZERO))
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

    /// Room for the whole of a message is taken with its first part: halves of many cannot keep each other from their end.
    #[tokio::test]
    async fn parts_have_room_for_the_whole() {
        let gate = Gate::new(1);
        let whole = WAITING as usize / 2 + 1;
        let (mut first, mut second) = (gate.turnstile(), gate.turnstile());
        assert!(first.admit(Some(CLIENT_PART), 1, whole).await.is_some());
        assert!(first.pace().quiet.is_some(), "silence here keeps others waiting");
        let waits = second.admit(Some(CLIENT_PART), 1, whole);
        assert!(
            tokio::time::timeout(Duration::from_millis(50), waits)
                .await
                .is_err()
        );
        // Its other parts need none.
        assert!(first.admit(Some(CLIENT_PART), whole - 1, whole).await.is_some());
        let held = first.pass(&end(), whole, Duration::ZERO);
        assert!(first.pace().quiet.is_none());
        drop(held);
        assert!(second.admit(Some(CLIENT_PART), 1, whole).await.is_some());
        second.discard();
        assert!(first.admit(Some(CLIENT_PART), 1, whole).await.is_some());
    }

    #[tokio::test]
    async fn turns_are_counted_until_the_last_frame() {
        let gate = Gate::new(1);
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            turns.push(gate.turn().await.unwrap());
        }
        let two = turns[0].clone();
        turns.clear();
        assert_eq!(gate.turns.available_permits(), TURNS - 1);
        drop(two);
        assert_eq!(gate.turns.available_permits(), TURNS);
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
