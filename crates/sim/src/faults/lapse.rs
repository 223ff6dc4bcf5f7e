//! What the members of some mutants do with their noise.

use tacita_algebra::RingVector;
use tacita_protocol::Hash;
use tacita_protocol::messages::ClientMessage;

use super::machines;
use super::member::Member;
use super::mutant::Mutant;

/// What a member has no business to keep.
#[derive(Default)]
pub(super) struct Lapse {
    /// The seed of its first layer of noise.
    pub(super) first_layer: Option<Hash>,
    /// The integers that it masked.
    pub(super) encoded: Vec<i64>,
}

impl Member {
    /// A message on its way out, which a mutant changes.
    pub(super) fn lapse(&self, message: &mut ClientMessage) {
        let play = self.process.as_ref().and_then(|process| process.play.as_ref());
        let first = play.and_then(|play| play.lapse.first_layer);
        if let (Mutant::RevealsAnotherLevel, ClientMessage::Reveal(reveal), Some(first)) =
            (self.mutant, message, first)
        {
            reveal.noise_seed = first.to_vec().into();
        }
    }

    /// The answers to a message that came again: the same bytes, or of a mutant a vector under the same masks with noise that
    /// was drawn again.
    pub(super) fn draw_again(&mut self, answers: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        if self.mutant != Mutant::NoisesAgain {
            return answers;
        }
        let again = |frame: &Vec<u8>| self.noised_again(frame).unwrap_or_else(|| frame.clone());
        answers.iter().map(again).collect()
    }

    fn noised_again(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let ClientMessage::Chunk(mut chunk) = ClientMessage::decode(frame).ok()? else {
            return None;
        };
        let process = self.process.as_ref()?;
        let play = process.play.as_ref()?;
        let (bits, size) = (play.manifest.bits(), play.manifest.fields().chunk as usize);
        let mut ticket = machines::spare_ticket(&play.manifest)?;
        let mut rng = process.rng.clone();
        let (_, fresh) =
            machines::prepare(&play.manifest, self.update.clone(), &mut ticket, &mut rng).ok()?;
        let start = size.checked_mul(chunk.index as usize)?;
        let part = |values: &[i64]| {
            let values: Vec<i64> = values.iter().skip(start).take(size).copied().collect();
            RingVector::from_signed(bits, &values)
        };
        let (mut vector, old) = (part(&fresh), part(&play.lapse.encoded));
        vector.sub_assign(&old).ok()?;
        let length = vector.len();
        let mut masked = RingVector::zeros(bits, length);
        masked.unpack_into(0, length, chunk.packed.as_slice()).ok()?;
        vector.add_assign(&masked).ok()?;
        chunk.packed = vector.pack(0..length).into();
        ClientMessage::Chunk(chunk).encode().ok()
    }
}
