//! `tacita demo --processes` and `--server-process`: the server and each client as a process of its own, started from the configurations that the
//! demonstration wrote. A child prints one JSON line per event; that is how the harness sees rounds and noised vectors.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use tacita_client::{Hooks, Machine, enrolment};
use tacita_identity::Role;
use tacita_server::{NoisyFigures, Observer, RingBits, RingVector, RoundReport, Server, ServerEvent};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::plan::Plan;
use super::probe::PlainSum;
use super::vanish;
use crate::commands::{client, server};
use crate::enrolling;
use crate::output::Exit;

/// Arguments of the hidden command that the demonstration starts children with.
#[derive(Debug, Args)]
pub(crate) struct ChildArgs {
    /// `server` or `client`
    role: String,
    /// Its configuration
    #[arg(long)]
    config: PathBuf,
    /// Seed of the drop-out schedule
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Clients of the demonstration
    #[arg(long, default_value_t = 0)]
    clients: u16,
    /// Clients that vanish in each round
    #[arg(long, default_value_t = 0)]
    vanishing: u16,
}

/// A line that a child prints.
#[derive(Serialize, Deserialize)]
enum Line {
    Listening(String),
    Started(u32, usize),
    Failed(u32, String),
    /// Coordinates from `start` on of the sum of the round whose line follows: in pieces, so that what only a demonstration
    /// prints adds nothing to the memory that it measures.
    Sum {
        bits: u8,
        len: usize,
        start: usize,
        packed: String,
    },
    Round(Box<RoundLine>),
    /// Most memory that the process held at once, in bytes.
    Peak(u64),
    Vector {
        round_id: String,
        name: String,
        bits: u8,
        len: usize,
        packed: String,
    },
}

#[derive(Serialize, Deserialize)]
struct RoundLine {
    round: u32,
    round_id: String,
    cohort: u16,
    survivors: u16,
    names: Vec<String>,
    surplus_removed: usize,
    noise_variance_q16: String,
    accuracy: Option<f64>,
    loss: Option<f64>,
    /// Accuracy, loss, error, share within the clip norm, as the ledger has them; and the clip norm.
    figures: ([Option<String>; 4], tacita_privacy::Decimal),
    epsilon_server: Option<tacita_privacy::Decimal>,
    epsilon_public: Option<tacita_privacy::Decimal>,
    seconds: f64,
    phases: BTreeMap<String, f64>,
    upload_bytes: u64,
    model_digest: String,
}

/// Coordinates of a sum in one line: whole bytes at any number of bits.
const PIECE: usize = 1 << 14;

fn say(line: &Line) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if let Ok(text) = serde_json::to_string(line) {
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

fn packed(vector: &RingVector) -> String {
    hex::encode(vector.pack(0..vector.len()))
}

fn say_sum(sum: &RingVector) {
    for start in (0..sum.len()).step_by(PIECE) {
        let end = start.saturating_add(PIECE).min(sum.len());
        say(&Line::Sum {
            bits: sum.bits().get(),
            len: sum.len(),
            start,
            packed: hex::encode(sum.pack(start..end)),
        });
    }
}

fn unpacked(bits: u8, len: usize, text: &str) -> anyhow::Result<RingVector> {
    let mut vector = RingVector::zeros(RingBits::new(bits)?, len);
    vector.unpack_into(0, len, &hex::decode(text)?)?;
    Ok(vector)
}

/// Runs one child.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &ChildArgs) -> anyhow::Result<Exit> {
    match args.role.as_str() {
        "server" => run_server(args),
        "client" => {
            let (seed, clients, vanishing) = (args.seed, args.clients, args.vanishing);
            let hooks = Hooks {
                vanish: (vanishing > 0).then(|| {
                    Arc::new(move |name: &str, round: u32| {
                        vanish::moment(seed, clients, vanishing, name, round)
                    }) as _
                }),
                probe: Some(Arc::new(|name: &str, round_id: &[u8; 32], update| {
                    // The harness's look at a noised vector, in a process that only a demonstration starts.
                    let vector = update.dangerous_inspect();
                    say(&Line::Vector {
                        round_id: hex::encode(round_id),
                        name: name.to_owned(),
                        bits: vector.bits().get(),
                        len: vector.len(),
                        packed: packed(vector),
                    });
                })),
                canary: None,
            };
            crate::runtime()?.block_on(client::join_with(&args.config, hooks))?;
            Ok(Exit::Done)
        }
        other => bail!("no such part: {other}"),
    }
}

fn run_server(args: &ChildArgs) -> anyhow::Result<Exit> {
    let config = server::read(&args.config)?;
    let observer: Observer = Arc::new(|event| match event {
        ServerEvent::Listening(address) => say(&Line::Listening(address.to_string())),
        ServerEvent::RoundStarted { round, cohort } => say(&Line::Started(round, cohort)),
        ServerEvent::AttemptFailed { round, reason } => say(&Line::Failed(round, reason.to_owned())),
        ServerEvent::RoundDone { report, sum } => {
            say_sum(sum);
            say(&Line::Round(Box::new(RoundLine {
                round: report.round,
                round_id: hex::encode(report.round_id),
                cohort: report.cohort,
                survivors: report.survivors,
                names: report.survivor_names.clone(),
                surplus_removed: report.noise.0,
                noise_variance_q16: report.noise.1.to_string(),
                accuracy: report.accuracy,
                loss: report.loss,
                figures: figures(report),
                epsilon_server: report.epsilon_server,
                epsilon_public: report.epsilon_public,
                seconds: report.seconds,
                phases: report
                    .phases
                    .iter()
                    .map(|(name, s)| ((*name).to_owned(), *s))
                    .collect(),
                upload_bytes: report.upload_bytes,
                model_digest: report.model_digest.clone(),
            })));
        }
    });
    crate::runtime()?.block_on(async {
        let machine = Machine::new(&config.server.state);
        let period = Duration::from_secs(config.server.authority_seconds.get().into());
        let (_, standing) = enrolment::in_standing(&machine, Role::Server, period).await?;
        let setup = server::setup(&config, standing, Some(observer))?;
        let mut server = Server::open(config.clone(), &args.config, setup, crate::signals::stop())?;
        let ended = server.run().await;
        if let Some(bytes) = super::account::peak_rss() {
            say(&Line::Peak(bytes));
        }
        ended.map_err(server::ended)?;
        Ok(Exit::Done)
    })
}

/// Starts the authority as a process and waits until it listens. It ends when the handle is dropped.
pub(crate) async fn start_authority(dir: &std::path::Path) -> anyhow::Result<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["authority", "serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a process")?;
    let mut lines = BufReader::new(child.stdout.take().context("no pipe")?).lines();
    let first = lines
        .next_line()
        .await?
        .context("the authority process ended before it listened")?;
    tracing::debug!(%first, "authority process");
    // Keep reading, so that it never waits for us.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(child)
}

/// A server in a process of its own.
pub(crate) struct ServerProcess {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    pub(crate) address: String,
}

fn start(plan: &Plan, role: &str, config: PathBuf) -> anyhow::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["demo-part", role, "--config"])
        .arg(config)
        .args([
            "--seed",
            &plan.args.seed.to_string(),
            "--clients",
            &plan.clients.to_string(),
        ])
        .args(["--vanishing", &plan.vanishing.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a process")
}

impl ServerProcess {
    /// Starts it and waits until it listens.
    pub(crate) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut process = start(plan, "server", plan.server_config_path())?;
        let mut lines = BufReader::new(process.stdout.take().context("no pipe")?).lines();
        let address = loop {
            let Some(text) = lines.next_line().await? else {
                bail!("the server process ended before it listened")
            };
            if let Line::Listening(address) = serde_json::from_str(&text)? {
                break address;
            }
        };
        Ok(Self {
            process,
            lines,
            address,
        })
    }

    /// Feeds what it prints to the observer until it ends; the most memory that it held at once.
    pub(crate) async fn watch(mut self, observer: &Observer) -> anyhow::Result<Option<u64>> {
        let mut peak = None;
        let mut gathered = None;
        while let Some(text) = self.lines.next_line().await? {
            match serde_json::from_str(&text)? {
                Line::Sum {
                    bits,
                    len,
                    start,
                    packed,
                } => {
                    let sum = match &mut gathered {
                        Some(sum) => sum,
                        none => none.insert(RingVector::zeros(RingBits::new(bits)?, len)),
                    };
                    let count = PIECE.min(len.saturating_sub(start));
                    sum.unpack_into(start, count, &hex::decode(packed)?)?;
                }
                Line::Round(line) => {
                    let report = round_of(*line)?;
                    let sum = gathered.take().context("a round without its sum")?;
                    observer(ServerEvent::RoundDone {
                        report: &report,
                        sum: &sum,
                    });
                }
                Line::Failed(round, reason) => observer(ServerEvent::AttemptFailed {
                    round,
                    reason: &reason,
                }),
                Line::Started(round, cohort) => observer(ServerEvent::RoundStarted { round, cohort }),
                Line::Peak(bytes) => peak = Some(bytes),
                Line::Listening(_) | Line::Vector { .. } => {}
            }
        }
        let status = self.process.wait().await?;
        if status.success() {
            Ok(peak)
        } else {
            bail!("the server process failed ({status}); its error is above")
        }
    }
}

/// Starts server and clients as processes and feeds what they print to the observer; the most memory that the server held.
pub(crate) async fn run_town(
    plan: &Plan,
    observer: Observer,
    plain: &PlainSum,
) -> anyhow::Result<Option<u64>> {
    let server = ServerProcess::start(plan).await?;
    let mut children = Vec::new();
    let failed: Arc<Mutex<Vec<String>>> = Arc::default();
    for index in 0..plan.clients {
        let path = plan.client_config_path(index);
        let config = plan.client_config(index, &server.address)?;
        enrolling::write_public(&path, &toml::to_string(&config)?)?;
        let mut child = start(plan, "client", path)?;
        let mut lines = BufReader::new(child.stdout.take().context("no pipe")?).lines();
        let (plain, failed) = (plain.clone(), failed.clone());
        tokio::spawn(async move {
            while let Ok(Some(text)) = lines.next_line().await {
                if let Err(error) = note_vector(&plain, &text) {
                    failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(error.to_string());
                }
            }
        });
        children.push(child);
    }
    let ended = server.watch(&observer).await;
    for child in &mut children {
        let _ = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
    }
    if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).first() {
        bail!("a client process printed something else than a vector: {error}");
    }
    ended
}

fn note_vector(plain: &PlainSum, text: &str) -> anyhow::Result<()> {
    if let Line::Vector {
        round_id,
        name,
        bits,
        len,
        packed,
    } = serde_json::from_str(text)?
    {
        let id = hex::decode(round_id)?
            .try_into()
            .map_err(|_| anyhow::anyhow!("round id"))?;
        plain.note(id, &name, unpacked(bits, len, &packed)?);
    }
    Ok(())
}

fn figures(report: &RoundReport) -> ([Option<String>; 4], tacita_privacy::Decimal) {
    let (figures, clip) = report.figures.clone();
    (
        [figures.accuracy, figures.loss, figures.error, figures.within_clip],
        clip,
    )
}

fn round_of(line: RoundLine) -> anyhow::Result<RoundReport> {
    let ([accuracy, loss, error, within_clip], clip) = line.figures;
    const PHASES: [&str; 8] = [
        "invite",
        "advertise",
        "share",
        "upload",
        "agree",
        "charge",
        "reveal",
        "unmask",
    ];
    let known = |name: &String| PHASES.into_iter().chain(["outcome"]).find(|known| known == name);
    Ok(RoundReport {
        round: line.round,
        round_id: hex::decode(line.round_id)?
            .try_into()
            .map_err(|_| anyhow::anyhow!("round id"))?,
        cohort: line.cohort,
        survivors: line.survivors,
        survivor_names: line.names,
        noise: (line.surplus_removed, line.noise_variance_q16.parse()?),
        accuracy: line.accuracy,
        loss: line.loss,
        figures: (
            NoisyFigures {
                accuracy,
                loss,
                error,
                within_clip,
            },
            clip,
        ),
        epsilon_server: line.epsilon_server,
        epsilon_public: line.epsilon_public,
        seconds: line.seconds,
        phases: line
            .phases
            .iter()
            .filter_map(|(name, s)| known(name).map(|known| (known, *s)))
            .collect(),
        upload_bytes: line.upload_bytes,
        model_digest: line.model_digest,
    })
}
