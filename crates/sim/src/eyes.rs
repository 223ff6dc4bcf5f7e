//! What every round of the world is watched with: one-time values are used once, and no secret shows in what leaves a machine
//! or in what it prints. A round in which one does not hold ends with an error, whoever attacks it.

use std::collections::BTreeMap;

use tacita_protocol::Hash;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::canary::Canaries;
use crate::cast::Cast;
use crate::client::{Client, State};
use crate::once::Once;
use crate::secrets::{self, Secret};

/// The watch of one world, over all its rounds.
pub(crate) struct Eyes {
    once: Once,
    canaries: Canaries,
    /// Seeds of layers of noise, by member.
    chains: BTreeMap<usize, Vec<Hash>>,
    /// Shares revealed of which the world knew that they were dealt, and all.
    shares: (u64, u64),
    wrong: Vec<String>,
}

impl Eyes {
    pub(crate) fn new(cast: &Cast) -> Self {
        Self {
            once: Once::default(),
            canaries: Canaries::of(cast),
            chains: BTreeMap::new(),
            shares: (0, 0),
            wrong: Vec::new(),
        }
    }

    /// A client took a message: what it drew for that is secret from now on, and if it signed an S, the seed that is for this S
    /// no more.
    pub(crate) fn took(
        &mut self,
        member: usize,
        manifest: &CheckedManifest,
        client: &mut Client,
        message: &ServerMessage,
    ) {
        let drawn: Vec<Secret> = client.take_secrets();
        let layer = |secret: &&Secret| secret.0 == secrets::LAYER;
        let chain: Vec<Hash> = drawn.iter().filter(layer).map(|(_, seed)| *seed).collect();
        if !chain.is_empty() {
            self.chains.insert(member, chain);
        }
        for (what, secret) in drawn {
            self.canaries.add(what, &secret);
        }
        if let (ServerMessage::Agree(request), State::Agreed) = (message, client.state()) {
            let bytes = request.survivors.as_slice().iter();
            let survivors = bytes.map(|byte| byte.count_ones()).sum();
            let chain = self.chains.get(&member).map_or(&[][..], Vec::as_slice);
            if let Some(seed) = secrets::surplus(manifest, chain, survivors) {
                self.canaries.forgive(seed);
            }
        }
    }

    /// A client hands a frame to the network.
    pub(crate) fn leaves(
        &mut self,
        member: usize,
        manifest: &CheckedManifest,
        encoded: Option<&[i64]>,
        (message, frame): (&ClientMessage, &[u8]),
    ) {
        if let ClientMessage::Reveal(reveal) = message {
            for share in reveal.shares.as_slice() {
                let known = self.canaries.forgive(&share.value);
                self.shares.0 += u64::from(known);
                self.shares.1 += 1;
            }
        }
        if let Some(what) = self.canaries.in_bytes(frame) {
            let name = message.name();
            self.wrong
                .push(format!("{what} shows in a {name} of member {member}"));
        }
        self.once.leaves(member, manifest, message, frame);
        if let (ClientMessage::Chunk(chunk), Some(encoded)) = (message, encoded) {
            self.once.masks(member, manifest, chunk, encoded);
        }
    }

    /// An honest machine of the server says something.
    pub(crate) fn says(&mut self, message: &ServerMessage, frame: &[u8]) {
        if let Some(what) = self.canaries.in_bytes(frame) {
            self.wrong.push(format!("{what} shows in a {}", message.name()));
        }
    }

    /// A machine prints this.
    pub(crate) fn prints(&mut self, error: &tacita_protocol::RoundError) {
        for text in [error.to_string(), format!("{error:?}")] {
            if let Some(what) = self.canaries.in_text(&text) {
                self.wrong.push(format!("{what} shows in \"{text}\""));
            }
        }
    }

    /// Shares revealed of which the world knew that they were dealt, and all.
    pub(crate) fn shares(&self) -> (u64, u64) {
        self.shares
    }

    /// What did not hold since the last call.
    pub(crate) fn wrong(&mut self) -> Option<String> {
        let mut wrong = std::mem::take(&mut self.wrong);
        wrong.extend(self.once.wrong());
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}
