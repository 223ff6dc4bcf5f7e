//! Canaries: secrets that the world knows because it drew them, and must never see again in what leaves a machine.

use std::collections::HashMap;

use crate::cast::Cast;

/// Bytes of a secret that are looked for.
const WINDOW: usize = 8;

/// Known secrets, by their first bytes.
#[derive(Default)]
pub struct Canaries {
    known: HashMap<[u8; WINDOW], &'static str>,
    /// Which first twenty bits any of them has, one bit each.
    filter: Vec<u64>,
}

impl Canaries {
    /// The long-lived keys of a cast.
    pub fn of(cast: &Cast) -> Self {
        let mut canaries = Self::default();
        for member in cast.members() {
            canaries.add("a member's certificate key", &member.key.to_bytes());
        }
        canaries.add("the server's certificate key", &cast.server().key.to_bytes());
        canaries.add("the log's key", &cast.log_key().to_bytes());
        canaries
    }

    /// Remembers a secret.
    pub fn add(&mut self, what: &'static str, secret: &[u8]) {
        let Some(window) = secret.first_chunk::<WINDOW>() else {
            return;
        };
        if self.filter.is_empty() {
            self.filter = vec![0; 1 << 14];
        }
        let (slot, bit) = prefix(window);
        if let Some(slot) = self.filter.get_mut(slot) {
            *slot |= bit;
        }
        self.known.insert(*window, what);
    }

    /// Forgets a secret whose time to be told has come; whether it was known.
    pub fn forgive(&mut self, secret: &[u8]) -> bool {
        let window = secret.first_chunk::<WINDOW>();
        window.is_some_and(|window| self.known.remove(window).is_some())
    }

    /// The secret that shows in raw bytes, if one does.
    pub fn in_bytes(&self, bytes: &[u8]) -> Option<&'static str> {
        bytes
            .windows(WINDOW)
            .filter_map(<[u8]>::first_chunk::<WINDOW>)
            .filter(|window| {
                let (slot, bit) = prefix(window);
                self.filter.get(slot).is_some_and(|bits| bits & bit != 0)
            })
            .find_map(|window| self.known.get(window).copied())
    }

    /// The secret that shows in text, in hexadecimal or as the list of its bytes.
    pub fn in_text(&self, text: &str) -> Option<&'static str> {
        let hexadecimal = text.split(|c: char| !c.is_ascii_hexdigit()).find_map(|run| {
            // Both alignments: what goes before the secret may be of odd length.
            let digits: Vec<u8> = run
                .chars()
                .filter_map(|c| c.to_digit(16)?.try_into().ok())
                .collect();
            [0, 1].into_iter().find_map(|skip| {
                let bytes: Vec<u8> = digits
                    .get(skip..)?
                    .chunks_exact(2)
                    .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
                    .collect();
                self.in_bytes(&bytes)
            })
        });
        hexadecimal.or_else(|| {
            text.split(['[', ']']).find_map(|list| {
                let bytes: Option<Vec<u8>> = list.split(',').map(|part| part.trim().parse().ok()).collect();
                self.in_bytes(&bytes?)
            })
        })
    }
}

/// Word and bit of the filter.
fn prefix(window: &[u8; WINDOW]) -> (usize, u64) {
    let slot = usize::from(window[0]) << 6 | usize::from(window[1] >> 2);
    let bit = (window[1] & 3) << 4 | window[2] >> 4;
    (slot, 1 << bit)
}

#[cfg(test)]
mod tests {
    use super::Canaries;

    /// Failure: a secret in the middle of bytes, in hexadecimal at either alignment, or as a list of bytes is overlooked; or
    /// one whose time has come still counts.
    #[test]
    fn seen_however_it_is_written() {
        let secret: Vec<u8> = (0..32).map(|at| at * 7 + 3).collect();
        let mut canaries = Canaries::default();
        canaries.add("a secret", &secret);
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let framed: Vec<u8> = [&[1, 2, 3][..], &secret, &[4]].concat();
        assert_eq!(canaries.in_bytes(&framed), Some("a secret"));
        assert_eq!(
            canaries.in_bytes(&framed[4..]),
            None,
            "only its start is looked for"
        );
        for text in [format!("key {hex}"), format!("a{hex}"), format!("{secret:?}")] {
            assert_eq!(canaries.in_text(&text), Some("a secret"), "{text}");
        }
        assert_eq!(canaries.in_text("nothing"), None);
        assert!(canaries.forgive(&secret) && !canaries.forgive(&secret));
        assert_eq!(canaries.in_bytes(&framed), None);
    }
}
