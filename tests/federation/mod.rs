//! A federation of real processes: an authority, a server and clients, each with its own directory, configuration, key and
//! data below one temporary folder.
#![allow(dead_code, unreachable_pub)] // Each test uses a part of it.

pub mod data;
pub mod process;
pub mod relay;

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::running::{Ran, command, tacita};
use data::Task;
use process::{Process, until};

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub clients: u16,
    pub minimum_survivors: u16,
    pub colluders: u16,
    pub rounds: u32,
    pub attempts: u32,
    /// Over all rounds, at delta 0.0001; `None`: no noise.
    pub epsilon: Option<&'static str>,
    /// Each participant's own cap: attempts that fail after its upload cost it more than they cost the task.
    pub cap: &'static str,
    pub task: Task,
    /// Uploads that the server takes at once.
    pub places: u16,
    /// Another model than the task's.
    pub model: Option<&'static str>,
    /// Seconds of every phase.
    pub deadline: u32,
    /// Seconds to wait for a whole cohort.
    pub wait: u32,
}

impl Plan {
    /// No noise, and deadlines that an honest round never meets.
    pub fn new(clients: u16, minimum_survivors: u16, colluders: u16) -> Self {
        Self {
            clients,
            minimum_survivors,
            colluders,
            rounds: 3,
            attempts: 3,
            epsilon: None,
            cap: "30",
            task: Task::Classification,
            places: 32,
            model: None,
            deadline: 30,
            wait: 30,
        }
    }
}

/// The parties and their files.
pub struct Federation {
    root: TempDir,
    pub plan: Plan,
    /// Where the server listens.
    pub port: u16,
    pub authority: Process,
}

impl Federation {
    /// Everybody enrolled, nobody started but the authority.
    pub fn new(plan: Plan) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("authority");
        succeeded(&tacita(["authority", "init", "--dir", text(&dir)]));
        let authority = serve(&dir, "127.0.0.1:0");
        let federation = Self {
            root,
            plan,
            port: free_port(),
            authority,
        };
        federation.write_server();
        succeeded(&tacita([
            "server",
            "init",
            "--config",
            text(&federation.server_config()),
        ]));
        federation.enrol("server", "aggregator", &federation.server_config());
        for index in 0..plan.clients {
            federation.write_client(index, federation.port);
            let config = federation.client_config(index);
            succeeded(&tacita(["client", "init", "--config", text(&config)]));
            federation.enrol("client", &name(index), &config);
        }
        federation
    }

    /// Starts the authority again after it was killed.
    pub fn start_authority(&mut self, address: &str) {
        self.authority = serve(&self.path().join("authority"), address);
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn server_config(&self) -> PathBuf {
        self.path().join("server/server.toml")
    }

    pub fn server_state(&self) -> PathBuf {
        self.path().join("server/state")
    }

    pub fn ledger(&self) -> PathBuf {
        self.path().join("server/ledger")
    }

    pub fn client_dir(&self, index: u16) -> PathBuf {
        self.path().join(name(index))
    }

    pub fn client_config(&self, index: u16) -> PathBuf {
        self.client_dir(index).join("client.toml")
    }

    pub fn invite(&self, role: &str, name: &str) -> String {
        let dir = self.path().join("authority");
        let ran = tacita(["authority", "invite", name, "--role", role, "--dir", text(&dir)]);
        succeeded(&ran);
        ran.stdout
    }

    fn enrol(&self, role: &str, name: &str, config: &Path) {
        succeeded(&redeem(role, config, &self.invite(role, name)));
    }

    pub fn write_server(&self) {
        let plan = &self.plan;
        let (port, rounds, attempts, places) = (self.port, plan.rounds, plan.attempts, plan.places);
        let (n, m, c, wait, deadline) = (
            plan.clients,
            plan.minimum_survivors,
            plan.colluders,
            plan.wait,
            plan.deadline,
        );
        let budget = plan.epsilon.map_or_else(String::new, |epsilon| {
            format!("epsilon = \"{epsilon}\"\ndelta = \"0.0001\"\n")
        });
        let model = plan.model.unwrap_or(plan.task.model());
        let target = match plan.task {
            Task::Classification => r#"{ classification = ["no", "yes"] }"#,
            Task::Regression => r#""regression""#,
        };
        let text = format!(
            r#"[server]
name = "aggregator"
listen = "127.0.0.1:{port}"
state = "state"
ledger = "ledger"
origin = "tacita.test/ledger"
authority_seconds = 1
uploads_in_flight = {places}
[task]
name = "small-task"
rounds = {rounds}
attempts = {attempts}
[cohort]
clients = {n}
minimum_survivors = {m}
colluders = {c}
wait_seconds = {wait}
[privacy]
{budget}clip = "1"
[training]
model = "{model}"
seed = 3
epochs = 10
batch = 0
learning_rate = "0.3"
[evaluation]
path = "held-out.csv"
csv = {{ label = "label", target = {target} }}
[deadlines]
advertise = {deadline}
share = {deadline}
upload = {deadline}
agree = {deadline}
reveal = {deadline}
"#
        );
        fs::create_dir_all(self.path().join("server")).expect("a directory");
        fs::write(self.server_config(), text).expect("a file");
        plan.task.write(&self.path().join("server/held-out.csv"), 100, 99);
    }

    /// Data and configuration of one client that connects to `port`.
    pub fn write_client(&self, index: u16, port: u16) {
        let plan = &self.plan;
        let (name, m, c) = (name(index), plan.minimum_survivors, plan.colluders);
        let honest = m - c;
        let (protected, unprotected) = match plan.epsilon {
            Some(_) => ("noise_floor = \"0.1\"\n", ""),
            None => ("", "allow_unprotected = true\n"),
        };
        let budget = plan.epsilon.map_or_else(String::new, |_| {
            let cap = plan.cap;
            format!("[budget.task]\nepsilon = \"{cap}\"\ndelta = \"0.0001\"\n")
        });
        let target = match plan.task {
            Task::Classification => "target = \"classification\"\nclasses = [\"no\", \"yes\"]",
            Task::Regression => "target = \"regression\"",
        };
        let text = format!(
            r#"[client]
name = "{name}"
state = "state"
server = "127.0.0.1:{port}"
server_name = "aggregator"
ledger_key = "../server/ledger.vkey"
[data]
source = "csv"
path = "data.csv"
label = "label"
{target}
[consent]
tasks = ["small-task"]
smallest_cohort = {m}
smallest_honest = {honest}
least_colluders = {c}
{protected}{unprotected}largest_clip = "1"
{budget}"#
        );
        fs::create_dir_all(self.client_dir(index)).expect("a directory");
        fs::write(self.client_config(index), text).expect("a file");
        let data = self.client_dir(index).join("data.csv");
        plan.task.write(&data, 60, u64::from(index) + 1);
    }

    /// `tacita server run`, once it listens.
    pub fn start_server(&self) -> Process {
        self.try_start_server()
            .unwrap_or_else(|| panic!("no server: {}", self.server_said()))
    }

    fn server_said(&self) -> String {
        fs::read_to_string(self.path().join("server.err")).expect("text")
    }

    /// The same; `None` if it ends before it listens.
    pub fn try_start_server(&self) -> Option<Process> {
        let log = self.path().join("server.err");
        let before = fs::read_to_string(log)
            .unwrap_or_default()
            .matches("listening")
            .count();
        let mut server = Process::start(
            command()
                .args(["server", "run", "--config"])
                .arg(self.server_config())
                .env("RUST_LOG", "info,tacita_server=debug"),
            &self.path().join("server.log"),
        );
        let mut listens = false;
        until("the server listens", || {
            let running = server.is_running();
            listens = server.stderr().matches("listening").count() > before;
            listens || !running
        });
        listens.then_some(server)
    }

    /// `tacita client join`.
    pub fn start_client(&self, index: u16) -> Process {
        Process::start(
            command()
                .args(["client", "join", "--config"])
                .arg(self.client_config(index))
                .env("RUST_LOG", "warn,tacita_client=info"),
            &self.path().join(format!("{}.log", name(index))),
        )
    }

    pub fn start_clients(&self) -> Vec<Process> {
        (0..self.plan.clients)
            .map(|index| self.start_client(index))
            .collect()
    }

    /// Runs the task to its end; everybody ends well.
    pub fn run_to_the_end(&self) {
        let mut server = self.start_server();
        self.finish(&mut server, &mut self.start_clients());
    }

    /// Waits for the end of the task.
    pub fn finish(&self, server: &mut Process, clients: &mut [Process]) {
        assert_eq!(server.wait(), 0, "{}", server.stderr());
        for client in clients {
            assert_eq!(client.wait(), 0, "{}", client.stderr());
        }
        assert!(server.stdout().contains("task completed"), "{}", server.stdout());
    }

    /// `tacita client status`.
    pub fn status(&self, index: u16) -> Value {
        let ran = tacita([
            "client",
            "status",
            "--json",
            "--config",
            text(&self.client_config(index)),
        ]);
        succeeded(&ran);
        ran.json()
    }

    /// `tacita ledger verify` and `report` with the pinned key; the report.
    pub fn report(&self) -> Value {
        let key = self.path().join("server/ledger.vkey");
        let ledger = self.ledger();
        let check = |what: &str| tacita(["ledger", what, text(&ledger), "--key", text(&key), "--json"]);
        let verified = check("verify");
        succeeded(&verified);
        assert_eq!(verified.json()["ledger"]["origin_checked"], true);
        let report = check("report");
        succeeded(&report);
        let report = report.json();
        assert_eq!(report["claims_hold"], true, "{report:#}");
        report
    }

    /// The ledger's entries, read here by the format's rule and not by the code under test.
    pub fn entries(&self) -> Vec<Value> {
        entries(&self.ledger())
    }

    /// Entries of one kind.
    pub fn entries_of(&self, kind: &str) -> Vec<Value> {
        let mut entries = self.entries();
        entries.retain(|entry| entry["kind"] == kind);
        entries
    }

    /// The model file that the last outcome names.
    pub fn last_model(&self) -> PathBuf {
        let outcomes = self.entries_of("outcome");
        let digest = outcomes.last().expect("an outcome")["model_digest"]
            .as_str()
            .expect("text")
            .to_owned();
        self.server_state().join(format!("models/{digest}.safetensors"))
    }
}

/// `tacita authority serve`, once it listens.
fn serve(dir: &Path, address: &str) -> Process {
    let log = dir.with_extension("log");
    let said = || fs::read_to_string(log.with_extension("out")).unwrap_or_default();
    let before = said().matches("Listening on").count();
    let mut authority = Process::start(
        command()
            .args(["authority", "serve", "--listen", address, "--dir"])
            .arg(dir),
        &log,
    );
    until("the authority listens", || {
        assert!(authority.is_running(), "{}", authority.stderr());
        said().matches("Listening on").count() > before
    });
    authority
}

/// Entries of a ledger, as many as its checkpoint says: bundles of 256, the last one partial, with two bytes of length before
/// each entry (c2sp.org/tlog-tiles).
pub fn entries(ledger: &Path) -> Vec<Value> {
    let bytes = loop {
        let Ok(checkpoint) = fs::read_to_string(ledger.join("checkpoint")) else {
            return Vec::new();
        };
        let size: usize = checkpoint
            .lines()
            .nth(1)
            .expect("a size")
            .parse()
            .expect("a number");
        let mut names: Vec<String> = (0..size / 256).map(|i| format!("{i:03}")).collect();
        if !size.is_multiple_of(256) {
            names.push(format!("{:03}.p/{}", size / 256, size % 256));
        }
        let read = names
            .iter()
            .map(|name| fs::read(ledger.join("tile/entries").join(name)));
        // One may be replaced by a larger one if the ledger grows between the two looks.
        if let Ok(bundles) = read.collect::<Result<Vec<_>, _>>() {
            break bundles.concat();
        }
    };
    let (mut rest, mut found) = (&bytes[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        found.push(serde_json::from_slice(entry).expect("JSON"));
        rest = after;
    }
    found
}

pub fn name(index: u16) -> String {
    format!("client-{index:04}")
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub fn succeeded(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Replaces `from` in a file.
pub fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).expect("a file");
}

/// `tacita ROLE enrol` with the invitation on standard input.
pub fn redeem(role: &str, config: &Path, invitation: &str) -> Ran {
    with_input(&[role, "enrol", "--config", text(config)], invitation)
}

/// Runs `tacita` to its end with this on standard input.
pub fn with_input(args: &[&str], input: &str) -> Ran {
    use std::io::Write as _;
    let mut command: Command = command();
    let mut child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A command that fails before it reads closes the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A UDP port that nobody uses, below those that the system hands out by itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1000).expect("small") * 20;
    loop {
        let port = 11_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
