//! Both state machines: a round of four members over a network that belongs to the fuzzer. Bytes decide who vanishes when, and
//! what becomes of each message.

use tacita_protocol::RoundError;
use tacita_protocol::messages::{ClientMessage, ServerMessage};

use super::bytes::Bytes;
use super::decoders::CAST;
use crate::plain;
use crate::report::Report;
use crate::setting::Setting;
use crate::stage::{Attack, Backstage, Moment};
use crate::world::{Plan, World};

/// What becomes of one message: one of these, by a byte, most often the first.
enum Fate {
    Passes,
    Lost,
    Twice,
    Flipped,
    Replaced,
    Held,
    Old,
}

impl Fate {
    fn of(byte: u8) -> Self {
        match byte % 32 {
            26 => Self::Lost,
            27 => Self::Twice,
            28 => Self::Flipped,
            29 => Self::Replaced,
            30 => Self::Held,
            31 => Self::Old,
            _ => Self::Passes,
        }
    }
}

/// A message in one direction as the network treats it: bytes in between.
trait OnTheWire: Clone {
    fn bytes(&self) -> Vec<u8>;
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl OnTheWire for ClientMessage {
    fn bytes(&self) -> Vec<u8> {
        self.encode().unwrap_or_default()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }
}

impl OnTheWire for ServerMessage {
    fn bytes(&self) -> Vec<u8> {
        self.encode().unwrap_or_default()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }
}

/// One direction of the network.
struct Direction<M> {
    /// All messages that were on it, by whom they were from or for.
    old: Vec<M>,
    /// Held back until the end of the stage, or a later one.
    held: Vec<(usize, M)>,
}

impl<M: OnTheWire> Direction<M> {
    fn carry(&mut self, bytes: &mut Bytes<'_>, peer: usize, message: M) -> Vec<M> {
        let out = match Fate::of(bytes.byte()) {
            Fate::Passes => vec![message.clone()],
            Fate::Lost => Vec::new(),
            Fate::Twice => vec![message.clone(), message.clone()],
            Fate::Flipped => {
                let mut frame = message.bytes();
                for _ in 0..=bytes.byte() % 3 {
                    let at = bytes.below(frame.len());
                    let mask = bytes.byte();
                    if let Some(byte) = frame.get_mut(at) {
                        *byte ^= mask;
                    }
                }
                M::read(&frame).into_iter().collect()
            }
            Fate::Replaced => M::read(bytes.slice()).into_iter().collect(),
            Fate::Held => {
                self.held.push((peer, message.clone()));
                Vec::new()
            }
            Fate::Old => {
                // First somebody's earlier message, then this one.
                let old = self.old.get(bytes.below(self.old.len())).cloned();
                old.into_iter().chain([message.clone()]).collect()
            }
        };
        self.old.push(message);
        out
    }

    /// Some of what was held back, to whomever the fuzzer likes.
    fn release(&mut self, bytes: &mut Bytes<'_>) -> Vec<(usize, M)> {
        let mut out = Vec::new();
        while !self.held.is_empty() && bytes.byte() & 1 == 0 {
            let (peer, message) = self.held.remove(bytes.below(self.held.len()));
            let other = usize::from(bytes.byte());
            out.push((if other < 4 { other } else { peer }, message));
        }
        out
    }
}

struct Network<'a> {
    bytes: Bytes<'a>,
    down: Direction<ServerMessage>,
    up: Direction<ClientMessage>,
}

impl Attack for Network<'_> {
    fn to_client(&mut self, _at: &Backstage<'_>, to: usize, message: ServerMessage) -> Vec<ServerMessage> {
        self.down.carry(&mut self.bytes, to, message)
    }

    fn to_server(&mut self, _at: &Backstage<'_>, from: usize, message: ClientMessage) -> Vec<ClientMessage> {
        self.up.carry(&mut self.bytes, from, message)
    }

    fn more_to_clients(&mut self, _at: &Backstage<'_>) -> Vec<(usize, ServerMessage)> {
        self.down.release(&mut self.bytes)
    }

    fn more_to_server(&mut self, _at: &Backstage<'_>) -> Vec<(usize, ClientMessage)> {
        self.up.release(&mut self.bytes)
    }
}

/// Whether the round ended in a sum. Whatever it ended in: nothing but one agreed sum is exposed, and the sum is exact.
pub(super) fn machines(data: &[u8]) -> bool {
    let Some(cast) = CAST.as_ref() else {
        return false;
    };
    let mut bytes = Bytes::new(data);
    let (seed, vanish) = (u64::from(bytes.byte()), bytes.number());
    let moments = (0..4).map(|member| {
        let moment = match vanish.checked_shr(4 * member).unwrap_or(0) & 15 {
            12 => Moment::AfterAdvertise,
            13 => Moment::AfterShare,
            14 => Moment::AfterUpload,
            15 => Moment::AfterSign,
            _ => Moment::Never,
        };
        (member as usize, moment)
    });
    let plan = Plan {
        vanish: moments.collect(),
        ..Plan::new()
    };
    let setting = Setting {
        dimension: 70,
        ..Setting::new(4, 1, 3)
    };
    let Ok(mut world) = World::new(cast.clone(), setting, seed) else {
        return false;
    };
    let mut network = Network {
        bytes,
        down: Direction {
            old: Vec::new(),
            held: Vec::new(),
        },
        up: Direction {
            old: Vec::new(),
            held: Vec::new(),
        },
    };
    // An error is the world's own failure, and a finding.
    let report = world.run(&plan, &mut network);
    assert!(report.is_ok(), "{:?}", report.err());
    let Ok(report) = report else { return false };
    holds(&report);
    assert!(world.ledger().verify().is_ok());
    report.result().is_ok()
}

fn holds(report: &Report) {
    let knowledge = &report.knowledge;
    assert_eq!(knowledge.double_reveals(), Vec::new(), "both secrets");
    assert_eq!(knowledge.unclassified(), 0, "a share of no dealing");
    let exposed = knowledge.exposed();
    assert!(exposed.len() < 2, "two sums are exposed: {exposed:?}");
    for set in &exposed {
        assert!(set.len() >= 2, "fewer than m - c: {set:?}");
    }
    for view in &report.views {
        if let Ok(sum) = &view.result {
            assert!(sum.survivors.len() >= 3);
            assert!(plain::is_exact(report, sum), "not the sum of {:?}", sum.survivors);
            assert!(
                exposed
                    .iter()
                    .all(|set| set.iter().all(|m| sum.survivors.contains(m)))
            );
        }
        for turned in &view.turned {
            assert!(
                !matches!(turned.error, RoundError::Misuse(_)),
                "{:?}",
                turned.error
            );
        }
    }
    for client in &report.clients {
        assert!(
            !matches!(client.refusal, Some(RoundError::Misuse(_))),
            "{:?}",
            client.refusal
        );
    }
}
