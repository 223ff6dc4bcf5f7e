//! What a round costs each client as the cohort grows: bytes and messages both ways, counted where they enter the network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::cast::Cast;
use crate::error::SimError;
use crate::plain;
use crate::setting::Setting;
use crate::stage::{Attack, Backstage};
use crate::world::{Plan, World};

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

/// An honest server whose traffic is counted, by the message's name.
#[derive(Debug, Default)]
pub struct Meter {
    /// To clients.
    pub down: BTreeMap<&'static str, Traffic>,
    /// From clients.
    pub up: BTreeMap<&'static str, Traffic>,
}

impl Attack for Meter {
    fn to_client(&mut self, _at: &Backstage<'_>, _to: usize, message: ServerMessage) -> Vec<ServerMessage> {
        let bytes = message.encode().map_or(0, |frame| frame.len());
        self.down.entry(message.name()).or_default().add(bytes);
        vec![message]
    }

    fn to_server(&mut self, _at: &Backstage<'_>, _from: usize, message: ClientMessage) -> Vec<ClientMessage> {
        let bytes = message.encode().map_or(0, |frame| frame.len());
        self.up.entry(message.name()).or_default().add(bytes);
        vec![message]
    }
}

/// What one round cost.
#[derive(Debug)]
pub struct Cost {
    /// n, k, t, Q.
    pub shape: (u32, u32, u32, u32),
    /// Whether the sum is exact.
    pub exact: bool,
    /// The traffic of all clients.
    pub meter: Meter,
    /// Seconds of this machine, all parties one after the other.
    pub seconds: f64,
}

impl Cost {
    /// Bytes and messages of one client on the average: all of them; those of the masked vector and the model; and those of
    /// lists of the whole cohort, which are the identities of the roster and the quorum with its certificates.
    pub fn per_client(&self) -> [Traffic; 3] {
        let (n, _, _, quorum) = self.shape;
        let clients = u64::from(n.max(1));
        let share = |total: Traffic| Traffic {
            bytes: total.bytes / clients,
            messages: total.messages / clients,
        };
        let (mut all, mut vector) = (Traffic::default(), Traffic::default());
        for (name, traffic) in self.meter.down.iter().chain(&self.meter.up) {
            all.bytes += traffic.bytes;
            all.messages += traffic.messages;
            if matches!(*name, "chunk" | "model") {
                vector.bytes += traffic.bytes;
                vector.messages += traffic.messages;
            }
        }
        let certificates = self.meter.down.get("certificates").copied().unwrap_or_default();
        let cohort = Traffic {
            bytes: 32 * u64::from(n) + 64 * u64::from(quorum) + certificates.bytes / clients,
            messages: certificates.messages / clients,
        };
        [share(all), share(vector), cohort]
    }

    /// k log2 n, to which what is left is compared.
    pub fn yardstick(&self) -> f64 {
        let (n, neighbours, ..) = self.shape;
        f64::from(neighbours) * f64::from(n.max(2)).log2()
    }
}

/// Plays one round of `cohort` members with a vector of `dimension`, a twentieth of them colluding and as many dropping out
/// being tolerated.
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
    let cast = Arc::new(Cast::new(usize::from(cohort), seed)?);
    let mut world = World::new(cast, setting, seed)?;
    let (mut meter, started) = (Meter::default(), Instant::now());
    let report = world.run(&Plan::new(), &mut meter)?;
    Ok(Cost {
        shape: (
            u32::from(cohort),
            parameters.neighbours,
            parameters.threshold,
            parameters.quorum,
        ),
        exact: report.result().is_ok_and(|sum| plain::is_exact(&report, sum)),
        meter,
        seconds: started.elapsed().as_secs_f64(),
    })
}
