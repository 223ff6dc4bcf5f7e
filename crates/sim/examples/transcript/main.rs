//! Random honest rounds, each printed as one JSON object: what the round starts from and every message of every party.
//! `protocol-spec/reference/compare.py` reads it and computes all of it again (`protocol-spec/10-vectors.md` section 4).
//!
//! ```text
//! cargo run --release -p tacita-sim --example transcript -- --rounds 0..200
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::ops::Range;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::sync::Arc;
use tacita_ledger::Entry;
use tacita_ledger::entry::Release;
use tacita_privacy::{Budget, BudgetFilter, Decimal, PrivacyUnit};
use tacita_protocol::kem::KeyAgreement;
use tacita_protocol::ledger_entries::{self, hex_digest};
use tacita_protocol::manifest::Manifest;
use tacita_sim::cast::NOW;
use tacita_sim::{Cast, Client, Ledger, MemoryRecord, Noise, Score, Setting, SimError, Stage, Walk};

mod content;

use content::Content;

type Failure = Box<dyn Error>;

/// Between which discrete Gaussian shares are accepted (02 section 3.1).
const NARROWEST_GAUSSIAN: u64 = 294_912;
const WIDEST_GAUSSIAN: u64 = 6_553_600_000_000;

/// Members of the cast; the first ones take part.
const CAST: usize = 72;

fn main() -> Result<(), Failure> {
    let rounds = rounds(std::env::args().skip(1))?;
    let cast = Cast::new(CAST, 20_26)?;
    let out = std::io::stdout();
    let mut out = out.lock();
    writeln!(out, "{}", cast_json(&cast)?)?;
    for number in rounds {
        writeln!(out, "{}", round(&cast, number)?)?;
    }
    Ok(())
}

fn rounds(mut arguments: impl Iterator<Item = String>) -> Result<Range<u64>, Failure> {
    const USAGE: &str = "usage: transcript --rounds A..B";
    let (Some("--rounds"), Some(range), None) =
        (arguments.next().as_deref(), arguments.next(), arguments.next())
    else {
        return Err(USAGE.into());
    };
    let (from, to) = range.split_once("..").ok_or(USAGE)?;
    Ok(from.parse()?..to.parse()?)
}

fn cast_json(cast: &Cast) -> Result<Value, Failure> {
    let actor = |member: &tacita_sim::CastMember| {
        json!({
            "certificate": hex(&member.der),
            "seed": hex(member.key.as_bytes()),
        })
    };
    Ok(json!({
        "now": NOW,
        "root": hex(cast.authority().anchor().der()),
        "deny_list": hex(cast.participant(0)?.deny.as_bytes()),
        "origin": cast.log_verifier().name(),
        "log_seed": hex(cast.log_key().as_bytes()),
        "server": actor(cast.server()),
        "members": cast.members().iter().map(actor).collect::<Vec<_>>(),
    }))
}

/// What chance decides of a round.
struct Draw(ChaCha20Rng);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    /// From `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// n, c and m: mostly small and complete, every twentieth round a ring.
fn counts(draw: &mut Draw, number: u64) -> Result<(u16, u16, u16), Failure> {
    let (n, c, d) = if number % 20 == 7 {
        (draw.between(65, CAST as u64), draw.below(3), draw.between(1, 3))
    } else {
        let most = if draw.one_in(6) { 14 } else { 7 };
        let n = draw.between(3, most);
        let c = draw.below((n - 1) / 2);
        let quorum = (n + c) / 2 + 1;
        (n, c, draw.below(n - quorum + 1))
    };
    Ok((n.try_into()?, c.try_into()?, (n - d).try_into()?))
}

fn setting(draw: &mut Draw, number: u64) -> Result<(Setting, Content), Failure> {
    let (n, c, m) = counts(draw, number)?;
    let mut setting = Setting::new(n, c, m);
    setting.grid = 1 << draw.between(6, 14);
    setting.noise = noise(draw, setting.grid);
    let content = Content::draw(draw, setting.noise)?;
    let longest = if draw.one_in(4) { 300 } else { 40 };
    setting.dimension = u32::try_from(draw.between(1, longest))? + content.extra();
    if draw.one_in(2) {
        let whole = setting.dimension.next_power_of_two().ilog2();
        setting.block = Some(1 << draw.below(u64::from(whole) + 1));
    }
    // Half of the small rounds, and one ring in four, with ML-KEM: in Python it takes its time.
    let every = if setting.cohort > 64 { 4 } else { 2 };
    if !draw.one_in(every) {
        setting.agreement = KeyAgreement::Classical;
    }
    setting.chunk = 64 << draw.below(3);
    let tolerated = u32::from(setting.cohort - setting.minimum_survivors);
    if matches!(setting.noise, Noise::Skellam(_)) && tolerated > 0 && !draw.one_in(4) {
        // Some of the levels below the last, on a grid that leaves room for them.
        setting.levels = (1..tolerated).filter(|_| draw.one_in(2)).collect();
        setting.levels.truncate(7);
        setting.levels.push(tolerated);
    }
    setting.model = vec![0; draw.between(1, 500).try_into()?];
    draw.0.fill_bytes(&mut setting.model);
    Ok((setting, content))
}

/// None in half of the rounds, of one law or the other in the rest.
fn noise(draw: &mut Draw, grid: u32) -> Noise {
    // A standard deviation of half the clip norm and more, which any budget covers once.
    let square = u64::from(grid).pow(2);
    let variance = draw.between(square << 14, square << 16);
    match draw.below(6) {
        0 | 1 => Noise::Skellam(variance),
        2 => Noise::DiscreteGaussian(variance.clamp(NARROWEST_GAUSSIAN, WIDEST_GAUSSIAN)),
        _ => Noise::None,
    }
}

/// Earlier attempts that were given up.
fn prior(draw: &mut Draw, setting: &Setting, content: &Content) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for attempt in 0..draw.below(4) {
        let mut round_id = [0; 32];
        draw.0.fill_bytes(&mut round_id);
        let mut manifest = before(setting, round_id)?;
        content.state_first(&mut manifest, setting)?;
        let manifest = manifest.check()?;
        entries.push(ledger_entries::reserve(&manifest, NOW - 100 + attempt));
        entries.push(Entry::Release(Release {
            round_id: hex_digest(&round_id),
            round: 1,
            time: NOW - 100 + attempt,
            reason: "too few clients joined".to_owned(),
        }));
    }
    let mut round_id = [0; 32];
    draw.0.fill_bytes(&mut round_id);
    entries.extend(content.round_before(before(setting, round_id)?)?);
    Ok(entries)
}

/// The manifest of an earlier attempt at the first round, without its content.
fn before(setting: &Setting, round_id: [u8; 32]) -> Result<Manifest, Failure> {
    let empty = tacita_ledger::tree::empty_root();
    Ok(setting.manifest(1, round_id, (0, empty), NOW)?)
}

/// Who falls silent when: on the complete graph at most n - m anywhere, on the ring where the graph still carries it.
fn silent(draw: &mut Draw, setting: &Setting) -> BTreeMap<usize, Stage> {
    let mut silent = BTreeMap::new();
    let most = u64::from(setting.cohort - setting.minimum_survivors);
    let ring = setting.cohort > 64;
    // Somebody in most rounds that bear it.
    let count = draw.below(most + 1).max(u64::from(most > 0 && !draw.one_in(4)));
    for _ in 0..count {
        let member = draw.below(u64::from(setting.cohort)) as usize;
        let stages: &[Stage] = if ring {
            &[Stage::Sharers, Stage::Agree, Stage::Outcome]
        } else {
            &Stage::ALL
        };
        let at = draw.below(stages.len() as u64) as usize;
        silent.extend(stages.get(at).map(|stage| (member, *stage)));
    }
    silent
}

/// Runs one round, drawn again until chance gives one that an honest server finishes.
fn round(cast: &Cast, number: u64) -> Result<Value, Failure> {
    let mut last = None;
    for attempt in 0..50 {
        let seed = number * 50 + attempt;
        match attempt_at(cast, number, seed) {
            Ok(value) => return Ok(value),
            // On the ring silence can leave a member with too few answering neighbours: such a round aborts.
            Err(Stop::Aborted(why)) => last = Some(why),
            Err(Stop::Failed(failure)) => return Err(failure),
        }
    }
    Err(format!("round {number} never came to an end: {last:?}").into())
}

enum Stop {
    /// An honest party refused another, or too few answers were left.
    Aborted(SimError),
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn attempt_at(cast: &Cast, number: u64, seed: u64) -> Result<Value, Stop> {
    let mut draw = Draw(ChaCha20Rng::seed_from_u64(seed));
    let (setting, content) = setting(&mut draw, number)?;
    let prior = prior(&mut draw, &setting, &content)?;
    let mut ledger = Ledger::create(cast.log_key().clone(), cast.log_verifier().clone())?;
    for entry in &prior {
        ledger.append(entry)?;
    }
    let mut round_id = [0; 32];
    draw.0.fill_bytes(&mut round_id);
    let round = content.round().unwrap_or(1 + (number as u32));
    let mut manifest = setting.manifest(round, round_id, (ledger.size(), ledger.root()), NOW)?;
    content.state(&mut manifest, &setting)?;
    // A wider ring than needed is allowed.
    manifest.bits = (manifest.bits + draw.below(9) as u8).min(62);
    if draw.one_in(6) {
        manifest.bits = draw.between(u64::from(manifest.bits), 62) as u8;
    }
    let silent = silent(&mut draw, &setting);
    let members = usize::from(setting.cohort);
    let remembered: Vec<u64> = (0..members).map(|_| draw.below(ledger.size() + 1)).collect();
    let score = Score {
        manifest,
        model: setting.model.clone(),
        silent,
        prior,
        remembered,
    };
    let tapes: Vec<String> = (0..members)
        .map(|i| format!("round {seed}, member {i}"))
        .collect();
    let clients = (0..members)
        .map(|member| client(cast, (&setting, &content), &mut draw, member, &tapes))
        .collect::<Result<Vec<_>, _>>()?;
    let mut walk = Walk::open(cast, &score, clients)?;
    let sum = walk.run().map_err(Stop::Aborted)?;
    Ok(json!({
        "round": number,
        "members": members,
        "model": hex(&score.model),
        "tapes": tapes,
        "silent": score.silent.iter().map(|(m, s)| (m.to_string(), json!(name(*s)))).collect::<serde_json::Map<_, _>>(),
        "prior": score.prior.iter().map(|e| Ok(hex(&e.encode()?))).collect::<Result<Vec<_>, Failure>>()?,
        "remembered": score.remembered,
        "encoded": walk.clients().iter().map(Client::encoded).collect::<Vec<_>>(),
        "messages": walk.said().iter().map(said).collect::<Vec<_>>(),
        "survivors": sum.survivors,
        "sum": sum.values,
    }))
}

fn client(
    cast: &Cast,
    (setting, content): (&Setting, &Content),
    draw: &mut Draw,
    member: usize,
    tapes: &[String],
) -> Result<Client, Failure> {
    let budget = match setting.noise {
        Noise::None => None,
        Noise::Skellam(_) | Noise::DiscreteGaussian(_) => Some(BudgetFilter::new(Budget {
            epsilon: Decimal::new(30, 0)?,
            delta: Decimal::new(1, 2)?,
        })?),
    };
    let update: Vec<f32> = (content.extra()..setting.dimension)
        .map(|_| draw.between(0, 2000) as f32 / 1000.0 - 1.0)
        .collect();
    let tape = tapes.get(member).ok_or("no tape")?;
    let rng = ChaCha20Rng::seed_from_u64(draw.0.next_u64());
    let mut participant = cast.participant(member)?;
    participant.cache = Arc::default();
    participant.policy.require_post_quantum = false;
    participant.policy.units = vec![PrivacyUnit::Client, PrivacyUnit::Record];
    let record = MemoryRecord::new(budget);
    let client = Client::new(Arc::new(participant), record, rng, update, NOW).with_tapes(tape);
    Ok(client
        .with_alongside(Content::alongside(draw))
        .with_records(draw.below(60).try_into()?))
}

fn said(said: &tacita_sim::Said) -> Value {
    let direction = if said.to_member { "to" } else { "from" };
    json!({ "step": name(said.stage), direction: said.member, "bytes": hex(&said.bytes) })
}

/// The step's name in the vectors.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Invite => "invite",
        Stage::Roster => "roster",
        Stage::Sharers => "sharers",
        Stage::Agree => "agree",
        Stage::Reveal => "reveal",
        Stage::Outcome => "outcome",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
