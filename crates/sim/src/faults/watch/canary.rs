//! Canaries: secrets that the world knows because it drew them, and must never see again in what leaves a machine.

use std::collections::HashMap;

/// Bytes of a secret that are looked for.
const WINDOW: usize = 8;

/// Known secrets, by their first bytes.
#[derive(Default)]
pub struct Canaries {
    known: HashMap<[u8; WINDOW], &'static str>,
    /// Which first two bytes any of them has.
    filter: Vec<bool>,
}

impl Canaries {
    /// Remembers a secret.
    pub fn add(&mut self, what: &'static str, secret: &[u8]) {
        let Some(window) = secret.first_chunk::<WINDOW>() else {
            return;
        };
        if self.filter.is_empty() {
            self.filter = vec![false; 1 << 16];
        }
        if let Some(slot) = self.filter.get_mut(prefix(window)) {
            *slot = true;
        }
        self.known.insert(*window, what);
    }

    /// Forgets a secret whose time to be told has come.
    pub fn forgive(&mut self, secret: &[u8]) {
        if let Some(window) = secret.first_chunk::<WINDOW>() {
            self.known.remove(window);
        }
    }

    /// The secret that shows in raw bytes, if one does.
    pub fn in_bytes(&self, bytes: &[u8]) -> Option<&'static str> {
        bytes
            .windows(WINDOW)
            .filter_map(<[u8]>::first_chunk::<WINDOW>)
            .filter(|window| self.filter.get(prefix(window)) == Some(&true))
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

fn prefix(window: &[u8; WINDOW]) -> usize {
    usize::from(window[0]) << 8 | usize::from(window[1])
}
