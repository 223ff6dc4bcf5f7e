//! What a round costs each client as the cohort grows: bytes and messages both ways, counted where they enter the network.

use std::collections::BTreeMap;
use std::time::Instant;

use tacita_protocol::RoundError;
use tacita_protocol::messages::{ClientMessage, RevealRequest, ServerMessage};
use tacita_protocol::roster::identity_width;

use crate::cast::Cast;
use crate::disk::Disk;
use crate::error::SimError;
use crate::setting::Setting;
use crate::streaming::Streaming;

/// Bytes and messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.messages += 1;
    }
}

/// Traffic by the message's name, counted as it passes through the wire format.
#[derive(Debug, Default)]
pub struct Meter {
    /// To clients; certificates by what they are for.
    pub down: BTreeMap<&'static str, Traffic>,
    /// From clients.
    pub up: BTreeMap<&'static str, Traffic>,
    /// Bytes of charge entries, in which the survivors are.
    charges: u64,
    /// Bytes of signatures of whole quorums.
    quorums: u64,
}

impl Meter {
    /// Through the wire to a client. `certificates` says what certificates are for.
    ///
    /// # Errors
    /// [`RoundError`] if the message does not come out as it went in.
    pub fn down(
        &mut self,
        message: &ServerMessage,
        certificates: &'static str,
    ) -> Result<ServerMessage, RoundError> {
        let bytes = message.encode()?;
        let name = match message {
            ServerMessage::Certificates(_) => certificates,
            _ => message.name(),
        };
        self.down.entry(name).or_default().add(bytes.len());
        let charge = |request: &RevealRequest| request.charge.bytes.as_slice().len() as u64;
        match message {
            ServerMessage::Reveal(request) => {
                self.charges += charge(request);
                self.quorums += 64 * request.signatures.len() as u64;
            }
            ServerMessage::Sampled(sampled) => self.charges += charge(&sampled.request),
            _ => {}
        }
        Ok(ServerMessage::decode(&bytes)?)
    }

    /// Through the wire from a client.
    ///
    /// # Errors
    /// As [`Meter::down`].
    pub fn up(&mut self, message: &ClientMessage) -> Result<ClientMessage, RoundError> {
        let bytes = message.encode()?;
        self.up.entry(message.name()).or_default().add(bytes.len());
        Ok(ClientMessage::decode(&bytes)?)
    }
}

/// What one round cost.
#[derive(Debug)]
pub struct Cost {
    /// n, k, t, Q.
    pub shape: (u32, u32, u32, u32),
    /// Members that stayed to the end; one in a hundred deals its shares and is gone.
    pub survivors: u32,
    /// Whether the sum is exact.
    pub exact: bool,
    /// The traffic of all clients.
    pub meter: Meter,
    /// Seconds of this machine, all parties one after the other.
    pub seconds: f64,
}

impl Cost {
    fn is_sampled(&self) -> bool {
        // A list of signers went out.
        self.meter.down.contains_key("signers")
    }

    fn share(&self, bytes: u64) -> u64 {
        bytes / u64::from(self.survivors.max(1))
    }

    /// What grows with n and not with the neighbours, bytes of one client that stays: identities of the roster, bitmaps, the
    /// charge entry, and where the quorum is shown whole its signatures and certificates.
    pub fn lists(&self) -> [(&'static str, u64); 4] {
        let n = u64::from(self.shape.0);
        let width = identity_width(u16::try_from(n).unwrap_or(u16::MAX)) as u64;
        let quorum = match self.meter.down.get("certificates of signers") {
            Some(certificates) if !self.is_sampled() => self.meter.quorums + certificates.bytes,
            _ => 0,
        };
        [
            ("identities", width * n),
            // Sharers, survivors, signers.
            ("bitmaps", 3 * n.div_ceil(8)),
            ("charge entry", self.share(self.meter.charges)),
            ("whole quorum", self.share(quorum)),
        ]
    }

    /// Bytes and messages of one client on the average: all of them; those of the masked vector; and those of
    /// [`Cost::lists`].
    pub fn per_client(&self) -> [Traffic; 3] {
        let clients = u64::from(self.shape.0.max(1));
        let share = |total: Traffic| Traffic {
            bytes: total.bytes / clients,
            messages: total.messages / clients,
        };
        let (mut all, mut vector) = (Traffic::default(), Traffic::default());
        for (name, traffic) in self.meter.down.iter().chain(&self.meter.up) {
            all.bytes += traffic.bytes;
            all.messages += traffic.messages;
            if *name == "chunk" {
                vector.bytes += traffic.bytes;
                vector.messages += traffic.messages;
            }
        }
        let lists = Traffic {
            bytes: self.lists().iter().map(|(_, bytes)| bytes).sum(),
            messages: 0,
        };
        [share(all), share(vector), lists]
    }

    /// k log2 n, to which what is left is compared.
    pub fn yardstick(&self) -> f64 {
        let (n, neighbours, ..) = self.shape;
        f64::from(neighbours) * f64::from(n.max(2)).log2()
    }
}

/// What member `number` contributes at a coordinate: small integers that no other member has in the same order.
fn value(number: usize, at: usize) -> i32 {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (at as u64) << 20);
    (mixed >> 61) as i32 - 4
}

/// Plays one round of `cohort` members with a vector of `dimension`, a twentieth of them colluding and as many dropping out
/// being tolerated. One in a hundred is gone after it dealt its shares. All parties are real, one after another.
///
/// # Errors
/// [`SimError`]; a cohort that the protocol refuses among them.
pub fn round(cohort: u16, dimension: u32, seed: u64) -> Result<Cost, SimError> {
    let twentieth = cohort / 20;
    let setting = Setting {
        dimension,
        chunk: 16_384,
        ..Setting::new(cohort, twentieth, cohort - twentieth.max(1))
    };
    let parameters = setting.parameters()?;
    let cast = Cast::new(usize::from(cohort), seed)?;
    let started = Instant::now();
    let mut round = Streaming::open(&cast, &setting, Box::new(Disk::default()))?;
    let mut expected = vec![0i64; round.manifest().padded()];
    let stays = |number: &usize| number % 100 != 50;
    for number in (0..cast.len()).filter(stays) {
        let fill = |start: usize, values: &mut [i32]| {
            (start..).zip(values).for_each(|(at, to)| *to = value(number, at));
        };
        round.upload(number, &fill, &mut || {})?;
        for (at, sum) in expected.iter_mut().enumerate() {
            *sum += i64::from(value(number, at));
        }
    }
    let mut meter = Meter::default();
    let view = round.finish(&mut meter)?;
    let sum = view.unmasked();
    Ok(Cost {
        shape: (
            u32::from(cohort),
            parameters.neighbours,
            parameters.threshold,
            parameters.quorum,
        ),
        survivors: sum.map_or(0, |sum| u32::from(sum.survivors().count())),
        exact: sum.is_some_and(|sum| sum.vector().to_signed() == expected),
        meter,
        seconds: started.elapsed().as_secs_f64(),
    })
}
