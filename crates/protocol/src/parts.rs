//! Messages larger than a frame (spec 05 section 3): only `shares`, `roster`, `sharers` and `sampled
//! request` grow with the neighbours, and travel in parts when they must. The state machines see whole messages only.

use tls_codec::{Deserialize as _, Serialize as _, TlsByteVecU32, TlsDeserialize, TlsSerialize, TlsSize};

use crate::kem::{KEM_CIPHERTEXT, KeyAgreement};
use crate::limits::{MAX_BOX, MAX_FRAME, MAX_MESSAGE};
use crate::manifest::CheckedManifest;
use crate::refusal::{DecodeError, Misuse};

/// Kind of a part from a client: the first byte of its frame.
pub const CLIENT_PART: u8 = 9;
/// Kind of a part from the server.
pub(crate) const SERVER_PART: u8 = 75;
/// Bytes of a part beside its share of the message: kind, whether it is the last, length.
const HEADER: usize = 1 + 1 + 4;
/// Bytes of the message in every part but the last.
const FULL: usize = MAX_FRAME - HEADER;

/// The kinds of a client that may come in parts: `shares`.
const DIVISIBLE_OF_CLIENT: [u8; 1] = [3];
/// Those of the server: `roster`, `sharers` and `sampled request`.
const DIVISIBLE_OF_SERVER: [u8; 3] = [68, 69, 78];

/// A part without its kind.
#[derive(TlsSerialize, TlsDeserialize, TlsSize)]
struct Part {
    last: u8,
    bytes: TlsByteVecU32,
}

/// Most bytes of a message that begins with this kind.
pub(crate) fn largest(kind: Option<&u8>) -> usize {
    match kind {
        Some(kind) if DIVISIBLE_OF_CLIENT.contains(kind) || DIVISIBLE_OF_SERVER.contains(kind) => MAX_MESSAGE,
        _ => MAX_FRAME,
    }
}

/// The frames of an encoded message: itself, or parts.
pub(crate) fn frames(message: Vec<u8>, kind: u8) -> Result<Vec<Vec<u8>>, Misuse> {
    if message.len() <= MAX_FRAME {
        return Ok(vec![message]);
    }
    let count = message.len().div_ceil(FULL);
    message
        .chunks(FULL)
        .enumerate()
        .map(|(number, bytes)| {
            let part = Part {
                last: u8::from(number + 1 == count),
                bytes: bytes.into(),
            };
            let mut frame = vec![kind];
            part.tls_serialize(&mut frame).map_err(|_| Misuse::Encoding)?;
            Ok(frame)
        })
        .collect()
}

/// Most bytes that the `shares` of a round can take: a server takes no larger ones in parts.
#[must_use]
pub fn largest_shares(manifest: &CheckedManifest) -> usize {
    let ciphertexts = match manifest.key_agreement() {
        KeyAgreement::Classical => 0,
        KeyAgreement::Hybrid => 2 * KEM_CIPHERTEXT,
    };
    let dealt = 2 + 32 + 2 + 2 + 2 + ciphertexts + MAX_BOX;
    1 + 128 + 33 + 4 + usize::from(manifest.fields().neighbours) * dealt
}

/// Puts the parts that come from one side of one connection together. Parts of the other side's kind are none: a message
/// has one division only.
pub struct Assembler {
    part: u8,
    divisible: &'static [u8],
    held: Vec<u8>,
}

impl Assembler {
    /// For what a client sends.
    #[must_use]
    pub fn of_client() -> Self {
        Self {
            part: CLIENT_PART,
            divisible: &DIVISIBLE_OF_CLIENT,
            held: Vec::new(),
        }
    }

    /// For what the server sends.
    #[must_use]
    pub fn of_server() -> Self {
        Self {
            part: SERVER_PART,
            divisible: &DIVISIBLE_OF_SERVER,
            held: Vec::new(),
        }
    }

    /// Takes one frame: gives the message that it is or completes, nothing while parts are missing. `room` is how many
    /// bytes of parts this side takes now; 0 outside the step that expects them.
    ///
    /// # Errors
    /// [`DecodeError::Part`] for parts that are out of place, not full, too many, or of a message that needed none; what was
    /// held is forgotten then.
    pub fn push(&mut self, frame: Vec<u8>, room: usize) -> Result<Option<Vec<u8>>, DecodeError> {
        if frame.first() != Some(&self.part) {
            // Nothing may come between two parts.
            return if std::mem::take(&mut self.held).is_empty() {
                Ok(Some(frame))
            } else {
                Err(DecodeError::Part("another message before the last part"))
            };
        }
        let held = std::mem::take(&mut self.held);
        let mut rest = frame.get(1..).unwrap_or_default();
        let part = Part::tls_deserialize(&mut rest).map_err(|_| DecodeError::Malformed)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes);
        }
        let bytes = part.bytes.as_slice();
        let total = held.len().saturating_add(bytes.len());
        if total > room.min(MAX_MESSAGE) {
            return Err(DecodeError::Part("more than is taken here"));
        }
        let first = held.first().or(bytes.first());
        if !first.is_some_and(|kind| self.divisible.contains(kind)) {
            return Err(DecodeError::Part("of a message that is never divided"));
        }
        let in_order = match part.last {
            0 => bytes.len() == FULL,
            // One encoding: a message that fits a frame is not divided.
            1 => !bytes.is_empty() && bytes.len() <= FULL && total > MAX_FRAME,
            _ => false,
        };
        if !in_order {
            return Err(DecodeError::Part("not of full size, or not needed"));
        }
        let mut held = held;
        held.extend_from_slice(bytes);
        if part.last == 1 {
            return Ok(Some(held));
        }
        self.held = held;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, bytes: usize) -> Vec<u8> {
        let mut message: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
        message[0] = kind;
        message
    }

    fn refused(frames: &[Vec<u8>], room: usize) -> DecodeError {
        let mut assembler = Assembler::of_client();
        frames
            .iter()
            .find_map(|frame| assembler.push(frame.clone(), room).err())
            .expect("a refusal")
    }

    #[test]
    fn what_was_divided_comes_out_whole() {
        for bytes in [1, MAX_FRAME, MAX_FRAME + 1, 2 * FULL, 2 * FULL + 1, MAX_MESSAGE] {
            let whole = message(3, bytes);
            let frames = frames(whole.clone(), CLIENT_PART).unwrap();
            assert_eq!(
                frames.len(),
                if bytes <= MAX_FRAME {
                    1
                } else {
                    bytes.div_ceil(FULL)
                }
            );
            assert!(frames.iter().all(|frame| frame.len() <= MAX_FRAME));
            let mut assembler = Assembler::of_client();
            let mut out = Vec::new();
            for frame in frames {
                out.extend(assembler.push(frame, MAX_MESSAGE).unwrap());
            }
            assert_eq!(out, [whole]);
        }
    }

    #[test]
    fn each_side_has_its_own_parts() {
        // Parts of the server's kind are no parts from a client: what the decoder does not know.
        let foreign = frames(message(3, MAX_FRAME + 100), SERVER_PART).unwrap();
        let mut assembler = Assembler::of_client();
        let passed = assembler.push(foreign[0].clone(), MAX_MESSAGE).unwrap().unwrap();
        assert!(crate::messages::ClientMessage::decode(&passed).is_err());
        // Nor does the kind of a part make the other side's message one that is divided.
        for (kind, part, mut assembler) in [
            (68, CLIENT_PART, Assembler::of_client()),
            (3, SERVER_PART, Assembler::of_server()),
        ] {
            let frames = frames(message(kind, MAX_FRAME + 100), part).unwrap();
            let refused = assembler.push(frames[0].clone(), MAX_MESSAGE);
            assert_eq!(
                refused,
                Err(DecodeError::Part("of a message that is never divided"))
            );
        }
    }

    #[test]
    fn parts_out_of_place_are_refused() {
        let part = |text| DecodeError::Part(text);
        let good = frames(message(3, MAX_FRAME + 100), CLIENT_PART).unwrap();
        // More than this side takes: refused at the part that would exceed it.
        let much = part("more than is taken here");
        assert_eq!(refused(&good, 0), much);
        assert_eq!(refused(&good, MAX_FRAME), much);
        let beyond = frames(message(3, MAX_MESSAGE + 1), CLIENT_PART).unwrap();
        assert_eq!(refused(&beyond, usize::MAX), much);
        // A message that is never divided; one between two parts; a short part; a last part alone; a division too many.
        let other = frames(message(4, MAX_FRAME + 100), CLIENT_PART).unwrap();
        let whole = part("of a message that is never divided");
        assert_eq!(refused(&other, MAX_MESSAGE), whole);
        let between = [good[0].clone(), vec![8, 0, 0]];
        let inside = part("another message before the last part");
        assert_eq!(refused(&between, MAX_MESSAGE), inside);
        for last in [0, 1, 2] {
            let needless = [vec![CLIENT_PART, last, 0, 0, 0, 1, 3]];
            let size = part("not of full size, or not needed");
            assert_eq!(refused(&needless, MAX_MESSAGE), size);
        }
        // Cut and padded.
        assert!(matches!(
            refused(&[vec![CLIENT_PART, 0, 0]], MAX_MESSAGE),
            DecodeError::Malformed
        ));
        let mut padded = good[1].clone();
        padded.push(0);
        assert!(matches!(
            refused(&[good[0].clone(), padded], MAX_MESSAGE),
            DecodeError::TrailingBytes
        ));
    }
}
