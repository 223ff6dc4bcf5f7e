//! Recomputed values against the accountant asked directly, and every way in which entries may be short or lie.

mod records;

use tacita_ledger::entry::{Adjacency, Mechanism, Unit, statement_digest};
use tacita_privacy::{Decimal, RdpCurve, SkellamRelease};

use super::account::MAX_DISTINCT;
use super::*;

fn digest(byte: u8) -> String {
    hex::encode([byte; 32])
}

/// n = 10, c = 1, m = 8, d = 650, S = 4096.
fn manifest(id: u8, round: u64) -> Manifest {
    Manifest {
        task: "digits".to_owned(),
        round,
        round_id: digest(id),
        manifest_digest: digest(id ^ 0x80),
        time: 0,
        cohort: 10,
        colluders: 1,
        minimum_survivors: 8,
        neighbours: 9,
        threshold: 6,
        quorum: 6,
        bits: 32,
        dimension: 650,
        padded: 1024,
        clip: "1.0".to_owned(),
        grid: 4096,
        mechanism: Mechanism::Skellam,
        share_variance_q16: "5000000000000".to_owned(),
        noise_levels: None,
        update_clip: None,
        metrics: None,
        clip_rule: None,
        count_scale: None,
        unit: Unit::Client,
        adjacency: Adjacency::ZeroOut,
        sampling: None,
        largest_records: None,
        budget_epsilon: Some("8".to_owned()),
        budget_delta: Some("0.00001".to_owned()),
        planned_rounds: 20,
        model_digest: digest(0x11),
    }
}

fn charge(id: u8, round: u64, survivors: u16) -> Charge {
    let bitmap = ((1u32 << survivors) - 1).to_le_bytes();
    let bitmap = &bitmap[..2];
    let statement = statement_digest(&[id ^ 0x80; 32], &[0x22; 32], &[0x33; 32], 10, bitmap);
    Charge {
        task: "digits".to_owned(),
        round,
        round_id: digest(id),
        time: 0,
        manifest_digest: digest(id ^ 0x80),
        roster_root: digest(0x22),
        sharers_digest: digest(0x33),
        roster_size: 10,
        survivors: hex::encode(bitmap),
        statement: hex::encode(statement),
        survivor_count: u64::from(survivors),
        uploads_root: digest(0x66),
    }
}

fn outcome(id: u8, round: u64, survivors: u64, server: Option<&str>, public: Option<&str>) -> Entry {
    Entry::Outcome(Outcome {
        round_id: digest(id),
        round,
        time: 0,
        survivor_count: survivors,
        responders: survivors,
        noise_variance_q16: (survivors * 5_000_000_000_000).to_string(),
        sum_digest: digest(0x44),
        model_digest: digest(0x55),
        accuracy: None,
        loss: None,
        federated_accuracy: None,
        federated_loss: None,
        federated_error: None,
        within_clip: None,
        epsilon_server: server.map(str::to_owned),
        epsilon_public: public.map(str::to_owned),
    })
}

/// Epsilon of one release per number of honest shares, at delta 10^-5.
fn epsilon(honest: &[u32]) -> Decimal {
    let mut curve = RdpCurve::zero();
    for &honest_shares in honest {
        let release = SkellamRelease {
            grid: 4096,
            padded: 1024,
            share_variance_q16: 5_000_000_000_000,
            honest_shares,
            shares: 10,
        };
        curve = curve.plus(&release.curve());
    }
    curve
        .epsilon_with_sampler("0.00001".parse().unwrap(), honest.len() as u128 * 10_240)
        .unwrap()
}

/// A task with an outcome, an attempt that was given up, a charge without outcome and a repetition.
pub(super) fn story(task: &str, reason: &str) -> Vec<Entry> {
    let reserve = |id, round| {
        Entry::Manifest(Manifest {
            task: task.to_owned(),
            time: 1_700_000_000,
            ..manifest(id, round)
        })
    };
    let commit = |id, round, survivors| {
        Entry::Charge(Charge {
            task: task.to_owned(),
            ..charge(id, round, survivors)
        })
    };
    let mut done = outcome(1, 1, 9, Some("8"), Some("8"));
    if let Entry::Outcome(outcome) = &mut done {
        (outcome.accuracy, outcome.loss) = (Some("0.8125".to_owned()), Some("0.5".to_owned()));
    }
    let release = tacita_ledger::entry::Release {
        round_id: digest(2),
        round: 2,
        time: 1_700_000_050,
        reason: reason.to_owned(),
    };
    vec![
        reserve(1, 1),
        commit(1, 1, 9),
        done,
        reserve(2, 2),
        Entry::Release(release),
        reserve(3, 2),
        commit(3, 2, 8),
        reserve(4, 2),
        commit(4, 2, 9),
        outcome(4, 2, 9, Some("8"), Some("8")),
    ]
}

fn m(id: u8, round: u64) -> Entry {
    Entry::Manifest(manifest(id, round))
}

fn c(id: u8, round: u64, survivors: u16) -> Entry {
    Entry::Charge(charge(id, round, survivors))
}

#[test]
fn shares_that_colluders_know_do_not_count() {
    let two = |entry: Manifest| Manifest {
        colluders: 3,
        ..entry
    };
    let report = recompute(&[Entry::Manifest(two(manifest(1, 1))), c(1, 1, 9)]).unwrap();
    let round = &report.tasks[0].rounds[0];
    assert_eq!(round.spent.epsilon_server, Some(epsilon(&[6])));
    assert_eq!(round.spent.epsilon_public, Some(epsilon(&[8])));
    assert_eq!(round.planned_variance_q16, "25000000000000");
    assert_eq!(round.present_variance_q16, "30000000000000");
    assert_eq!(round.present_variance_public_q16, "40000000000000");
    // sqrt(3 x 10^13 / 2^16) / 4096 = 5.22348...
    assert_eq!(round.present_noise_multiplier, "5.2234");
    assert_eq!(report.findings, []);
}

#[test]
fn charges_without_outcome_and_repetitions_count() {
    let entries = [
        m(1, 1),
        c(1, 1, 9),
        outcome(1, 1, 9, None, None),
        m(2, 2),
        c(2, 2, 8),
        m(3, 2),
        c(3, 2, 10),
    ];
    let report = recompute(&entries).unwrap();
    let task = &report.tasks[0];
    assert_eq!(task.spent.epsilon_server, Some(epsilon(&[8, 7, 9])));
    assert_eq!(task.spent.epsilon_public, Some(epsilon(&[8, 7, 9])));
    assert_eq!(
        task.rounds.iter().map(|round| round.repeated).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(task.rounds[1].spent.epsilon_server, Some(epsilon(&[8, 7])));
    assert!(task.rounds[1].outcome.is_none());
    assert_eq!(report.last_charge().unwrap().entry, 6);
}

#[test]
fn released_attempts_cost_nothing() {
    let release = tacita_ledger::entry::Release {
        round_id: digest(1),
        round: 1,
        time: 0,
        reason: "too few".to_owned(),
    };
    let report = recompute(&[m(1, 1), Entry::Release(release)]).unwrap();
    let task = &report.tasks[0];
    assert_eq!((task.attempts, task.released, task.rounds.len()), (1, 1, 0));
    assert_eq!(task.spent.epsilon_server, Some(Decimal::ZERO));
}

#[test]
fn a_claim_below_the_charges_is_found_and_an_exact_one_is_not() {
    let exact = epsilon(&[8]).to_string();
    let honest = outcome(1, 1, 9, Some(&exact), Some("100"));
    assert_eq!(recompute(&[m(1, 1), c(1, 1, 9), honest]).unwrap().findings, []);
    let micros = |by: f64| format!("{:.6}", exact.parse::<f64>().unwrap() - by);
    let low = micros(1e-6);
    let report = recompute(&[m(1, 1), c(1, 1, 9), outcome(1, 1, 9, Some("100"), Some(&low))]).unwrap();
    assert_eq!(report.findings.len(), 1);
    let text = report.findings[0].to_string();
    assert_eq!(
        text,
        format!(
            "round 1 of task digits (entry 2): claims epsilon_public {low}, the charges amount to {exact}"
        )
    );
    // What is recomputed does not depend on the claim.
    assert_eq!(report.tasks[0].spent.epsilon_public, Some(epsilon(&[8])));
}

#[test]
fn a_claim_counts_every_charge_before_it() {
    let one = epsilon(&[8]).to_string();
    // Round 2 was charged before the outcome of round 1 was written.
    let entries = [
        m(1, 1),
        m(2, 2),
        c(1, 1, 9),
        c(2, 2, 9),
        outcome(1, 1, 9, Some(&one), None),
    ];
    let report = recompute(&entries).unwrap();
    assert_eq!(
        (
            report.findings.len(),
            report.findings[0].round,
            report.findings[0].entry
        ),
        (1, 1, 4)
    );
}

#[test]
fn without_noise_nothing_is_promised_and_no_claim_stands() {
    let silent = |id, round| {
        let manifest = manifest(id, round);
        Entry::Manifest(Manifest {
            mechanism: Mechanism::None,
            share_variance_q16: "0".to_owned(),
            budget_epsilon: None,
            budget_delta: None,
            ..manifest
        })
    };
    let report = recompute(&[silent(1, 1), c(1, 1, 9), outcome(1, 1, 9, None, None)]).unwrap();
    assert_eq!(
        (report.tasks[0].spent.epsilon_server, report.findings.len()),
        (None, 0)
    );
    // A later round with noise does not mend it.
    let entries = [
        silent(1, 1),
        c(1, 1, 9),
        m(2, 2),
        c(2, 2, 9),
        outcome(2, 2, 9, Some("50"), None),
    ];
    let report = recompute(&entries).unwrap();
    assert_eq!(report.tasks[0].spent.epsilon_public, None);
    let found: Vec<_> = report.findings.iter().map(|finding| finding.entry).collect();
    assert_eq!(found, [3, 4], "round 2 has a budget that is passed, and a claim");
}

#[test]
fn spending_over_the_stated_budget_is_found() {
    let spent = epsilon(&[8]);
    let tight = |budget: &str| {
        Entry::Manifest(Manifest {
            budget_epsilon: Some(budget.to_owned()),
            ..manifest(1, 1)
        })
    };
    assert_eq!(
        recompute(&[tight(&spent.to_string()), c(1, 1, 9)])
            .unwrap()
            .findings,
        []
    );
    let report = recompute(&[tight("0.01"), c(1, 1, 9)]).unwrap();
    assert!(
        report.findings[0].what.contains("over the task's budget of 0.01"),
        "{}",
        report.findings[0]
    );
}

#[test]
fn a_missing_or_unusable_field_means_no_report() {
    let change = |edit: &dyn Fn(&mut Manifest)| {
        let mut changed = manifest(1, 1);
        edit(&mut changed);
        recompute(&[Entry::Manifest(changed), c(1, 1, 9)]).unwrap_err()
    };
    let missing = change(&|m| (m.budget_epsilon, m.budget_delta) = (None, None));
    assert_eq!(
        missing.to_string(),
        "no report: round 1 of task digits was charged, and its manifest (entry 0) has no budget_delta"
    );
    for (field, error) in [
        ("budget_delta", change(&|m| m.budget_delta = Some("0".to_owned()))),
        ("budget_delta", change(&|m| m.budget_delta = Some("1".to_owned()))),
        ("grid", change(&|m| m.grid = 1 << 25)),
        ("grid", change(&|m| m.grid = 1 << 40)),
        ("padded", change(&|m| m.padded = 1000)),
        ("padded", change(&|m| m.padded = 2048)),
        (
            "share_variance_q16",
            change(&|m| m.share_variance_q16 = "9".repeat(39)),
        ),
        ("colluders", change(&|m| m.colluders = 1 << 33)),
    ] {
        let NoReport::Field { field: named, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*named, field, "{error}");
    }
    // A manifest that was never charged costs nothing and may lack anything.
    let mut open = manifest(1, 1);
    open.budget_delta = None;
    assert!(recompute(&[Entry::Manifest(open)]).is_ok());
}

#[test]
fn tasks_have_accounts_of_their_own_and_one_together() {
    let other = Manifest {
        task: "other".to_owned(),
        budget_delta: Some("0.001".to_owned()),
        ..manifest(2, 1)
    };
    let second = Charge {
        task: "other".to_owned(),
        ..charge(2, 1, 9)
    };
    let report = recompute(&[m(1, 1), c(1, 1, 9), Entry::Manifest(other), Entry::Charge(second)]).unwrap();
    assert_eq!(report.tasks.len(), 2);
    assert_eq!(report.tasks[0].spent.epsilon_server, Some(epsilon(&[8])));
    assert!(
        report.tasks[1].spent.epsilon_server < report.tasks[0].spent.epsilon_server,
        "a larger delta"
    );
    let all = report.all_tasks.unwrap();
    assert_eq!(
        (all.epsilon_server, all.delta),
        (Some(epsilon(&[8, 8])), Some("0.00001".parse().unwrap()))
    );
}

#[test]
fn many_different_releases_are_summed_too() {
    let entries: Vec<Entry> = (0..MAX_DISTINCT as u64 + 20)
        .flat_map(|round| {
            let id = format!("{round:064x}");
            let variance = 400_000_000_000_000_u64 + round;
            let manifest = Manifest {
                round_id: id.clone(),
                share_variance_q16: variance.to_string(),
                ..manifest(1, round)
            };
            [
                Entry::Manifest(manifest),
                Entry::Charge(Charge {
                    round_id: id,
                    ..charge(1, round, 9)
                }),
            ]
        })
        .collect();
    let task = &recompute(&entries).unwrap().tasks[0];
    let spent: Vec<f64> = task
        .rounds
        .iter()
        .map(|row| row.spent.epsilon_server.unwrap().to_f64())
        .collect();
    let step = |at: usize| spent[at] - spent[at - 1];
    // No jump where the way of summing changes.
    assert!(
        (step(MAX_DISTINCT) / step(MAX_DISTINCT - 5) - 1.0).abs() < 0.01,
        "{:?}",
        &spent[MAX_DISTINCT - 6..]
    );
}

#[test]
fn the_text_names_what_matters() {
    let entries = [
        m(1, 1),
        c(1, 1, 9),
        outcome(1, 1, 9, Some("7.5"), None),
        m(2, 1),
        c(2, 1, 8),
    ];
    let text = text::render(&recompute(&entries).unwrap());
    for part in [
        "Task digits",
        "planned rounds 20, budget epsilon 8",
        "charged 2 (1 without outcome, 1 repeated)",
        "7.5 / -",
        "no outcome",
        "delta 0.00001",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(text::render(&recompute(&[]).unwrap()).contains("No rounds"));
}
