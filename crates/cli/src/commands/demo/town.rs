//! The federation itself: enrol everybody, start everybody, watch the rounds.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tacita_authority::{AuthorityDir, AuthorityServer, Settings};
use tacita_client::{
    Canary, CertificateCache, Client, ClientEndpoint, ClientError, Hooks, JoinEnd, Limits, Machine, Sharing,
    SqliteStore, Stats, Stopper, Store, enrolment,
};
use tacita_identity::{Invitation, Name, Role};
use tacita_server::config::ServerConfig;
use tacita_server::{Observer, RoundReport, Server, ServerEvent};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::child;
use super::plan::Plan;
use super::probe::PlainSum;
use super::vanish;
use crate::commands::{client, server};
use crate::enrolling;
use crate::output::Output;

/// Enrolments under way at once.
const ENROLLING: usize = 32;

/// A completed round and whether its sum was exact; nobody can tell by plain addition where noise was taken off it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) report: RoundReport,
    pub(crate) exact: Option<bool>,
}

/// What a run left.
pub(crate) struct Town {
    pub(crate) rounds: Vec<Seen>,
    pub(crate) server: ServerConfig,
    /// The clients' durable batches, where they share this process.
    pub(crate) stats: Option<Stats>,
    /// Most memory that the server held, where it is a process of its own.
    pub(crate) server_peak: Option<u64>,
    pub(crate) enrolment_seconds: f64,
    /// Attempts that failed, with their reasons.
    pub(crate) failed: Vec<String>,
}

/// What the observer collects.
#[derive(Default)]
struct Watch {
    rounds: Vec<Seen>,
    failed: Vec<String>,
}

/// Runs the demonstration. Canaries need their members in this process.
pub(crate) async fn run(plan: &Plan, canary: Option<Canary>, output: &Output) -> anyhow::Result<Town> {
    std::fs::create_dir_all(plan.out.join("clients")).with_context(|| plan.out.display().to_string())?;
    let bar = progress(output, u64::from(plan.clients), "{msg} {wide_bar} {pos}/{len}");
    bar.set_message("enrolling");
    let started = std::time::Instant::now();
    let dir = AuthorityDir::init(
        &plan.out.join("authority"),
        &Name::new("authority")?,
        Settings::default(),
    )?;
    let (close, closed) = watch::channel(false);
    // Either in this process or in one of its own; invitations are made beside it in both cases.
    let mut process = None;
    let serving = if plan.args.processes {
        process = Some(child::start_authority(&plan.out.join("authority")).await?);
        None
    } else {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let authority = AuthorityServer::start(dir, local, Limits::loopback())?;
        Some(tokio::spawn(authority.run(until(closed.clone()))))
    };
    let inviting = Arc::new(AuthorityDir::open(&plan.out.join("authority"))?);

    let endpoint = ClientEndpoint::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &Limits::loopback())?;
    let config = write_server(plan)?;
    enrol(
        &inviting,
        &endpoint,
        "aggregator",
        Role::Server,
        config.server.state.clone(),
    )
    .await?;
    enrol_clients(plan, &inviting, &endpoint, &bar).await?;
    let enrolment_seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();

    let watch = Arc::new(Mutex::new(Watch::default()));
    let plain = PlainSum::default();
    let bar = progress(
        output,
        u64::from(plan.rounds),
        "round {pos}/{len} {wide_bar} {msg}",
    );
    bar.set_position(0);
    let observer = observer(plan, watch.clone(), plain.clone(), bar.clone());
    let (stats, server_peak) = if plan.args.processes {
        (None, child::run_town(plan, observer, &plain).await?)
    } else if plan.args.server_process {
        let (stats, peak) = beside_server(plan, observer, &plain, canary, endpoint).await?;
        (Some(stats), peak)
    } else {
        let stats = in_process(plan, &config, observer, &plain, canary, endpoint).await?;
        (Some(stats), None)
    };
    bar.finish_and_clear();
    let _ = close.send(true);
    if let Some(serving) = serving {
        let _ = serving.await;
    }
    drop(process);
    let watched = std::mem::take(&mut *watch.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Town {
        rounds: watched.rounds,
        server: config,
        stats,
        server_peak,
        enrolment_seconds,
        failed: watched.failed,
    })
}

async fn until(mut closed: watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
}

fn progress(output: &Output, length: u64, template: &str) -> ProgressBar {
    let target = if output.is_quiet() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Writes the operator's configuration and reads it back as the server would.
fn write_server(plan: &Plan) -> anyhow::Result<ServerConfig> {
    let path = plan.server_config_path();
    enrolling::write_public(&path, &toml::to_string(&plan.server_config()?)?)?;
    let config = server::read(&path)?;
    let (_, verifier) = server::ledger_key(&config)?;
    enrolling::write_public(&plan.out.join("ledger.vkey"), &format!("{verifier}\n"))?;
    Ok(config)
}

async fn enrol(
    authority: &Arc<AuthorityDir>,
    endpoint: &ClientEndpoint,
    name: &str,
    role: Role,
    state: std::path::PathBuf,
) -> anyhow::Result<()> {
    let (desk, name) = (authority.clone(), Name::new(name)?);
    let text = tokio::task::spawn_blocking(move || desk.invite(&name, role)).await??;
    let invitation = Invitation::parse(&text)?;
    enrolment::enrol(endpoint, &Machine::new(&state), &invitation).await?;
    Ok(())
}

async fn enrol_clients(
    plan: &Plan,
    authority: &Arc<AuthorityDir>,
    endpoint: &ClientEndpoint,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let gate = Arc::new(Semaphore::new(ENROLLING));
    let mut enrolling = JoinSet::new();
    for index in 0..plan.clients {
        let (authority, endpoint, gate, bar) =
            (authority.clone(), endpoint.clone(), gate.clone(), bar.clone());
        let name = Plan::client_name(index);
        let state = plan.out.join("clients").join(&name);
        enrolling.spawn(async move {
            let _permit = gate.acquire_owned().await?;
            enrol(&authority, &endpoint, &name, Role::Client, state).await?;
            bar.inc(1);
            Ok::<(), anyhow::Error>(())
        });
    }
    while let Some(done) = enrolling.join_next().await {
        done??;
    }
    Ok(())
}

/// Collects rounds, compares sums, moves the bar.
fn observer(plan: &Plan, watch: Arc<Mutex<Watch>>, plain: PlainSum, bar: ProgressBar) -> Observer {
    let quiet = bar.is_hidden();
    let rounds = plan.rounds;
    Arc::new(move |event| {
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            ServerEvent::RoundDone { report, sum } => {
                let equal = plain.equals(&report.round_id, &report.survivor_names, sum);
                let exact = (report.noise.0 == 0).then_some(equal);
                let line = line(report, exact);
                if !quiet {
                    bar.set_position(u64::from(report.round));
                    bar.set_message(line.clone());
                    bar.println(format!("round {:>3}/{rounds}  {line}", report.round));
                }
                watch.rounds.push(Seen {
                    report: report.clone(),
                    exact,
                });
            }
            ServerEvent::AttemptFailed { round, reason } => {
                bar.println(format!("round {round}: {reason}; trying again"));
                watch.failed.push(format!("round {round}: {reason}"));
            }
            ServerEvent::Listening(_) | ServerEvent::RoundStarted { .. } => {}
        }
    })
}

/// One round in words.
fn line(report: &RoundReport, exact: Option<bool>) -> String {
    let accuracy = report.accuracy.map_or_else(|| "-".into(), |a| format!("{a:.4}"));
    let epsilon = report
        .epsilon_server
        .map_or_else(|| "none".into(), |e| format!("{:.3}", e.to_f64()));
    format!(
        "{}/{} survivors  accuracy {accuracy}  epsilon {epsilon}  {:.2} s{}",
        report.survivors,
        report.cohort,
        report.seconds,
        match exact {
            Some(true) => "",
            Some(false) => "  SUM NOT EXACT",
            None => "  surplus noise taken off",
        }
    )
}

/// All clients of this process, and the store that they share.
struct Members {
    store: Arc<dyn Store>,
    joining: JoinSet<Result<JoinEnd, ClientError>>,
}

impl Members {
    fn start(
        plan: &Plan,
        address: &str,
        plain: &PlainSum,
        canary: Option<Canary>,
        endpoint: &ClientEndpoint,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(
            plan.out.join("clients.sqlite"),
            Sharing::Exclusive,
        )?);
        let cache: Arc<CertificateCache> = Arc::default();
        let (seed, clients, vanishing) = (plan.args.seed, plan.clients, plan.vanishing);
        let probe = plain.clone();
        let hooks = Hooks {
            vanish: (vanishing > 0).then(|| {
                Arc::new(move |name: &str, round: u32| vanish::moment(seed, clients, vanishing, name, round))
                    as _
            }),
            // The harness compares the sum with plain addition; participants outside a demonstration have no such hook.
            probe: Some(Arc::new(move |name: &str, round_id: &[u8; 32], update| {
                probe.note(*round_id, name, update.dangerous_inspect().clone());
            })),
            canary,
        };
        let mut joining = JoinSet::new();
        for index in 0..plan.clients {
            let path = plan.client_config_path(index);
            enrolling::write_public(&path, &toml::to_string(&plan.client_config(index, address)?)?)?;
            let config = client::read(&path)?;
            let me = Machine::new(&config.client.state).load(Role::Client, enrolling::now())?;
            // Enrolled a moment ago, for a day: nobody needs to visit the authority again.
            let standing = watch::channel(me.standing.clone()).1;
            let setup = client::setup(
                &config,
                me,
                standing,
                store.clone(),
                endpoint.clone(),
                cache.clone(),
                hooks.clone(),
            )?;
            let mut client = Client::open(setup)?;
            let stopper = Stopper::new(stop.clone());
            joining.spawn(async move { client.join(stopper).await });
        }
        Ok(Self { store, joining })
    }

    /// Waits until they heard that the task is over, which takes nobody long; the last error that one of them ended with.
    async fn drain(mut self) -> (Arc<dyn Store>, Option<ClientError>) {
        let drained = tokio::time::timeout(Duration::from_secs(10), async {
            let mut refusal = None;
            while let Some(done) = self.joining.join_next().await {
                if let Ok(Err(error)) = done {
                    refusal = Some(error);
                }
            }
            refusal
        })
        .await;
        self.joining.abort_all();
        (self.store, drained.ok().flatten())
    }
}

/// Turns true with the first signal, and stays.
fn stopping() -> watch::Receiver<bool> {
    let (stop_sender, stop) = watch::channel(false);
    let signal = crate::signals::stop();
    tokio::spawn(async move {
        until(signal).await;
        let _ = stop_sender.send(true);
        std::future::pending::<()>().await;
    });
    stop
}

async fn in_process(
    plan: &Plan,
    config: &ServerConfig,
    observer: Observer,
    plain: &PlainSum,
    canary: Option<Canary>,
    endpoint: ClientEndpoint,
) -> anyhow::Result<Stats> {
    let stop = stopping();
    let me = Machine::new(&config.server.state).load(Role::Server, enrolling::now())?;
    let setup = server::setup(config, watch::channel(me.standing).1, Some(observer))?;
    let mut server = Server::open(config.clone(), &plan.server_config_path(), setup, stop.clone())?;
    let address = server.local_addr()?.to_string();
    let members = Members::start(plan, &address, plain, canary, &endpoint, &stop)?;
    let ended = server.run().await;
    match (ended, members.drain().await) {
        (Err(error), (_, Some(refusal))) => Err(client::ended(refusal).context(error.to_string())),
        (Err(error), _) => Err(server::ended(error)),
        (Ok(_), (store, _)) => Ok(store.stats()),
    }
}

/// The server as a process of its own, all clients in this one.
async fn beside_server(
    plan: &Plan,
    observer: Observer,
    plain: &PlainSum,
    canary: Option<Canary>,
    endpoint: ClientEndpoint,
) -> anyhow::Result<(Stats, Option<u64>)> {
    let server = child::ServerProcess::start(plan).await?;
    let members = Members::start(plan, &server.address, plain, canary, &endpoint, &stopping())?;
    let ended = server.watch(&observer).await;
    let (store, refusal) = members.drain().await;
    match (ended, refusal) {
        (Err(error), Some(refusal)) => Err(client::ended(refusal).context(error.to_string())),
        (Err(error), None) => Err(error),
        (Ok(peak), _) => Ok((store.stats(), peak)),
    }
}
