//! Plain addition beside the protocol: the harness looks at every client's noised vector before it is masked, and
//! compares their sum over the survivors with what the server unmasked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tacita_server::RingVector;

type Vectors = HashMap<[u8; 32], HashMap<String, RingVector>>;

/// The vectors of the round in progress.
#[derive(Clone, Default)]
pub(crate) struct PlainSum(Arc<Mutex<Vectors>>);

impl PlainSum {
    /// Notes one client's vector.
    pub(crate) fn note(&self, round_id: [u8; 32], name: &str, vector: RingVector) {
        let mut vectors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        vectors
            .entry(round_id)
            .or_default()
            .insert(name.to_owned(), vector);
    }

    /// Whether the plain sum over `survivors` equals `sum`; the round's vectors are forgotten.
    pub(crate) fn equals(&self, round_id: &[u8; 32], survivors: &[String], sum: &RingVector) -> bool {
        let mut vectors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(round) = vectors.remove(round_id) else {
            return false;
        };
        vectors.clear();
        drop(vectors);
        let mut plain = RingVector::zeros(sum.bits(), sum.len());
        for name in survivors {
            let added = round
                .get(name)
                .is_some_and(|vector| plain.add_assign(vector).is_ok());
            if !added {
                return false;
            }
        }
        plain == *sum
    }
}
