//! What a participant does not agree to, what a budget does not cover, and cohorts that are too small.

use super::says;
use crate::federation::process::until;
use crate::federation::{Federation, Plan, edit, text};
use crate::running::tacita;

/// The task of three whose second member has this in its configuration instead: it leaves with exit code 3 and this reason,
/// and nothing of it was sent.
fn second_member_refuses(plan: Plan, from: &str, to: &str, words: &[&str]) {
    let federation = Federation::new(Plan {
        attempts: 1,
        wait: 5,
        ..plan
    });
    edit(&federation.client_config(1), from, to);
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    assert_eq!(clients[1].wait(), 3, "{}", clients[1].stderr());
    let said = clients[1].stderr();
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("error: "), "{said}");
    for word in words {
        assert!(last.contains(word), "no {word:?} in: {last}");
    }
    assert!(!said.contains("consented to round"), "{said}");
    assert_eq!(server.wait(), 1, "{}", server.stderr());
    assert_eq!(federation.status(1)["uploads"], 0);
    // The reserve of the attempt was released.
    assert_eq!(federation.entries_of("charge").len(), 0);
    assert_eq!(
        federation.entries_of("release").len(),
        federation.entries_of("manifest").len()
    );
    federation.report();
}

#[test]
fn a_manifest_that_the_consent_policy_forbids() {
    let private = Plan {
        epsilon: Some("8"),
        ..Plan::new(3, 3, 0)
    };
    for (plan, from, to, words) in [
        (
            private,
            "smallest_cohort = 3",
            "smallest_cohort = 4",
            &["consent", "3", "4"][..],
        ),
        (private, "small-task", "another-task", &["small-task"]),
        (
            private,
            "noise_floor = \"0.1\"",
            "noise_floor = \"500\"",
            &["noise", "500"],
        ),
        (
            private,
            "largest_clip = \"1\"",
            "largest_clip = \"0.5\"",
            &["clip"],
        ),
        (private, "least_colluders = 0", "least_colluders = 1", &["collu"]),
        (
            Plan::new(3, 3, 0),
            "allow_unprotected = true\nlargest_clip = \"1\"\n",
            "largest_clip = \"1\"\n[budget.task]\nepsilon = \"8\"\ndelta = \"0.0001\"\n",
            &["noise"],
        ),
    ] {
        second_member_refuses(plan, from, to, words);
    }
}

#[test]
fn a_clients_own_budget_refuses() {
    let plan = Plan {
        epsilon: Some("8"),
        ..Plan::new(3, 3, 0)
    };
    second_member_refuses(plan, "epsilon = \"30\"", "epsilon = \"0.5\"", &["budget", "0.5"]);
}

#[test]
fn a_servers_budget_refuses_before_the_round_starts() {
    let federation = Federation::new(Plan {
        rounds: 2,
        epsilon: Some("4"),
        ..Plan::new(3, 3, 0)
    });
    federation.run_to_the_end();
    let before = federation.entries();
    // One round more for the same epsilon: what is spent stays spent.
    edit(&federation.server_config(), "rounds = 2", "rounds = 3");
    let mut server = federation.start_server();
    let _clients = federation.start_clients();
    assert_eq!(server.wait(), 3);
    let said = server.stderr();
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("error: the privacy budget refuses the next round"),
        "{last}"
    );
    assert_eq!(federation.entries(), before, "not even reserved");
    federation.report();
}

#[test]
fn a_cohort_below_the_minimum() {
    let federation = Federation::new(Plan {
        wait: 1,
        ..Plan::new(3, 3, 0)
    });
    let run = || tacita(["server", "run", "--config", text(&federation.server_config())]);
    says(1, &run(), &["only 0 of the 3 clients", "minimum_survivors"]);
    let mut server = federation.start_server();
    let mut clients = [federation.start_client(0), federation.start_client(1)];
    assert_eq!(server.wait(), 1);
    let said = server.stderr();
    assert!(said.lines().last().unwrap().starts_with("error: only "), "{said}");
    assert!(federation.entries().is_empty(), "no round was promised");
    // Those who came wait for the next start.
    for client in &mut clients {
        assert!(client.is_running(), "{}", client.stderr());
    }
    edit(
        &federation.server_config(),
        "wait_seconds = 1",
        "wait_seconds = 30",
    );
    let mut server = federation.start_server();
    let [first, second] = clients;
    let mut clients = [first, second, federation.start_client(2)];
    federation.finish(&mut server, &mut clients);
    until("all are in the last sum", || {
        federation.entries_of("outcome").last().unwrap()["survivor_count"] == 3
    });
}
