//! Configuration files with mistakes in them.

use std::fs;
use std::path::Path;

use super::{complaint, files_below, says};
use crate::federation::{Federation, Plan, edit, succeeded, text};
use crate::running::{Ran, tacita};

/// A fresh `tacita ROLE init`, and its commands after an edit of the file.
struct Bench {
    root: tempfile::TempDir,
    role: &'static str,
}

impl Bench {
    fn new(role: &'static str) -> Self {
        let bench = Self {
            root: tempfile::tempdir().unwrap(),
            role,
        };
        succeeded(&bench.run("init"));
        bench
    }

    fn config(&self) -> std::path::PathBuf {
        self.root.path().join("it.toml")
    }

    fn run(&self, action: &str) -> Ran {
        tacita([self.role, action, "--config", text(&self.config())])
    }

    /// Every command refuses the file after this edit, names it and `words`, and changes nothing.
    fn refuses(&self, from: &str, to: &str, words: &[&str]) {
        let good = fs::read_to_string(self.config()).unwrap();
        edit(&self.config(), from, to);
        let before = files_below(self.root.path());
        let actions: &[&str] = match self.role {
            "server" => &["check", "run", "enrol", "init"],
            _ => &["status", "join", "enrol", "init"],
        };
        for action in actions {
            let ran = self.run(action);
            says(2, &ran, words);
            says(2, &ran, &["it.toml"]);
        }
        assert_eq!(files_below(self.root.path()), before);
        fs::write(self.config(), good).unwrap();
    }
}

#[test]
fn a_servers_file_with_mistakes() {
    let bench = Bench::new("server");
    for (from, to, words) in [
        ("attempts = 3", "atempts = 3", &["atempts", "line"][..]),
        ("rounds = 20", "rounds = \"many\"", &["line", "many"]),
        ("rounds = 20", "rounds = -1", &["rounds"]),
        ("rounds = 20", "rounds = 0", &["task.rounds", "at least 1"]),
        ("[task]", "[tusk]", &["tusk"]),
        ("[task]", "[task", &["line"]),
        ("clip = \"1\"", "", &["clip", "missing"]),
        ("clip = \"1\"", "clip = \"NaN\"", &["clip"]),
        ("epsilon = \"8\"", "epsilon = \"-8\"", &["epsilon"]),
        (
            "epsilon = \"8\"",
            "",
            &["privacy", "epsilon and delta, or neither"],
        ),
        ("delta = \"0.0001\"", "delta = \"1\"", &["[privacy]", "delta 1"]),
        ("minimum_survivors = 9", "minimum_survivors = 5", &["[cohort]"]),
        ("minimum_survivors = 9", "minimum_survivors = 11", &["[cohort]"]),
        ("clients = 10", "clients = 60000", &["cohort.clients"]),
        ("colluders = 1", "colluders = 9", &["[cohort]"]),
        ("softmax 4 2", "softmax 4", &["training.model"]),
        ("softmax 4 2", "transformer 4 2", &["training.model"]),
        (
            "learning_rate = \"0.1\"\n",
            "learning_rate = \"0\"\n",
            &["training"],
        ),
        ("name = \"my-task\"", "name = \"My Task\"", &["task.name", "a-z"]),
        // What travels beside the updates.
        (
            "clip = \"1\"",
            "clip = \"1\"\nweighting = { cap = 9, scale = \"0\" }",
            &["privacy.weighting.scale", "above 0"],
        ),
        (
            "clip = \"1\"",
            "clip = \"1\"\nmetrics = { loss_cap = \"1000000000\" }",
            &["privacy.metrics.loss_cap", "below 10^9"],
        ),
        (
            "clip = \"1\"",
            "clip = \"1\"\nadaptive_clip = { least = \"0.1\", largest = \"1000000000\" }",
            &["privacy.adaptive_clip", "10^9"],
        ),
        // The rule may lead there, with a count beside it that takes the joint norm past what a manifest can state.
        (
            "clip = \"1\"",
            "clip = \"1\"\nadaptive_clip = { least = \"0.1\", largest = \"999999999\" }",
            &["privacy.adaptive_clip.largest"],
        ),
    ] {
        bench.refuses(from, to, words);
    }
}

#[test]
fn a_clients_file_with_mistakes() {
    let bench = Bench::new("client");
    for (from, to, words) in [
        (
            "smallest_cohort",
            "smalest_cohort",
            &["smalest_cohort", "line"][..],
        ),
        (
            "smallest_cohort = 3",
            "smallest_cohort = 1",
            &["consent.smallest_cohort"],
        ),
        (
            "noise_floor = \"0.5\"",
            "noise_floor = \"lots\"",
            &["noise_floor"],
        ),
        ("source = \"csv\"", "source = \"parquet\"", &["data.source"]),
        (
            "target = \"classification\"",
            "target = \"guess\"",
            &["data.target"],
        ),
        ("label = \"label\"", "", &["data.label"]),
        ("classes = [\"0\", \"1\"]", "", &["data.classes"]),
        ("path = \"data.csv\"", "", &["data.path"]),
        ("[budget.task]", "[budget.tusk]", &["tusk"]),
        ("tasks = [\"my-task\"]", "tasks = []", &["consent.tasks"]),
    ] {
        bench.refuses(from, to, words);
    }
    // Without a budget only what the policy calls unprotected is possible, and it does not here.
    let config = fs::read_to_string(bench.config()).unwrap();
    let budget = config.split_once("[budget.task]").unwrap().1;
    bench.refuses(
        &format!("[budget.task]{budget}"),
        "",
        &["budget", "allow unprotected"],
    );
}

#[test]
fn an_authoritys_file_with_mistakes() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("authority");
    let run = |args: &[&str]| tacita([&["authority"], args, &["--dir", text(&dir)]].concat());
    succeeded(&run(&["init"]));
    let settings = dir.join("authority.toml");
    let good = fs::read_to_string(&settings).unwrap();
    for (bad, words) in [
        (
            format!("{good}adress = \"x:1\"\n"),
            &["authority.toml", "adress"][..],
        ),
        ("certificate_life_seconds = 10\n".to_owned(), &["300"]),
        (
            "certificate_life_seconds = \"long\"\n".to_owned(),
            &["authority.toml"],
        ),
        ("[".to_owned(), &["authority.toml"]),
    ] {
        fs::write(&settings, &bad).unwrap();
        let before = files_below(&dir);
        for args in [
            &["list"][..],
            &["serve", "--listen", "127.0.0.1:0"],
            &["invite", "alice", "--role", "client"],
        ] {
            says(2, &run(args), words);
        }
        assert_eq!(files_below(&dir), before);
    }
    fs::write(&settings, good).unwrap();
    succeeded(&run(&["list"]));
}

#[test]
fn files_that_are_not_there_or_not_text() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing.toml");
    let run = |role: &str, action: &str, path: &Path| tacita([role, action, "--config", text(path)]);
    for (role, action) in [
        ("server", "run"),
        ("server", "check"),
        ("client", "join"),
        ("client", "status"),
    ] {
        says(2, &run(role, action, &missing), &["missing.toml", "No such file"]);
    }
    let binary = root.path().join("binary.toml");
    fs::write(&binary, [0xff, 0xfe, 0, 1]).unwrap();
    says(2, &run("server", "run", &binary), &["binary.toml"]);
    says(2, &run("client", "join", &binary), &["binary.toml"]);
    let folder = root.path().join("folder.toml");
    fs::create_dir(&folder).unwrap();
    complaint(2, &run("client", "join", &folder));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    for role in ["server", "client"] {
        let bench = Bench::new(role);
        let key = bench.root.path().join("state/key.pem");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::read(&key).unwrap();
        says(1, &bench.run("init"), &["key.pem", "chmod 600"]);
        assert_eq!(fs::read(&key).unwrap(), before);
    }
}

#[test]
fn commands_before_enrolment() {
    let server = Bench::new("server");
    says(1, &server.run("run"), &["enrol first"]);
    says(1, &server.run("check"), &["enrol first"]);
    let client = Bench::new("client");
    says(1, &client.run("join"), &["enrol first"]);
    // Nothing was spent: that can be said at any time.
    succeeded(&client.run("status"));
}

/// Failure: a name that is not the enrolled one is believed: `status` then shows an empty account, as if nothing had been spent.
#[test]
fn a_name_that_is_not_the_enrolled_one() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let config = federation.client_config(0);
    succeeded(&tacita(["client", "status", "--config", text(&config)]));
    edit(&config, "name = \"client-0000\"", "name = \"somebody\"");
    for action in ["status", "join"] {
        let ran = tacita(["client", action, "--config", text(&config)]);
        says(
            2,
            &ran,
            &["client.toml", "client.name", "somebody", "client-0000"],
        );
    }
}
