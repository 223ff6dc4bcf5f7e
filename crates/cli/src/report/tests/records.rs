//! Charges of the record unit: what they cost, what is said of them, and what is not added up.

use super::*;

/// The manifest of a round in the record unit.
fn of_records(id: u8, round: u64) -> Manifest {
    Manifest {
        unit: Unit::Record,
        adjacency: Adjacency::AddRemove,
        sampling: Some("0.05".to_owned()),
        largest_records: Some(90),
        ..manifest(id, round)
    }
}

/// Failure: a sampled round is charged without amplification, or at another probability than its manifest states.
#[test]
fn records_are_charged_as_sampled() {
    let entries = [Entry::Manifest(of_records(1, 1)), Entry::Charge(charge(1, 1, 9))];
    let report = recompute(&entries).unwrap();
    let release = SkellamRelease {
        grid: 4096,
        padded: 1024,
        share_variance_q16: 5_000_000_000_000,
        honest_shares: 8,
        shares: 10,
    };
    let sampled = tacita_privacy::Release::Skellam(release).of_records("0.05".parse().ok());
    let expected = sampled
        .curve()
        .epsilon_with_sampler("0.00001".parse().unwrap(), 10_240)
        .unwrap();
    assert_eq!(report.tasks[0].spent.epsilon_server, Some(expected));
    assert!(expected < epsilon(&[8]));
    // Room for 90 records of each client: seven bits more.
    let whole = recompute(&[Entry::Manifest(manifest(1, 1)), Entry::Charge(charge(1, 1, 9))]).unwrap();
    let bits = |report: &Report| report.tasks[0].rounds[0].needed_bits.unwrap();
    assert!(bits(&report) > bits(&whole), "{} {}", bits(&report), bits(&whole));
    let words = plain::statement(&report.tasks[0]).join(" ");
    assert!(words.contains("any one record of one client: whether it was among that client's data, or not"));
    assert!(words.contains("nothing about a client as a whole"), "{words}");
    let text = text::render(&report);
    assert!(
        text.contains(
            "unit record, add-remove: each record sampled with probability 0.05, room for 90 records"
        )
    );
    assert!(unit::sampling(&whole).contains("none is credited: the server picks the cohort"));
}

/// Failure: one figure is given for rounds about clients and rounds about records, of one task or of all.
#[test]
fn units_are_not_added_up() {
    let mixed = [
        Entry::Manifest(manifest(1, 1)),
        Entry::Charge(charge(1, 1, 9)),
        Entry::Manifest(of_records(2, 2)),
        Entry::Charge(charge(2, 2, 9)),
    ];
    let refused = NoReport::Units {
        entry: 2,
        task: "digits".to_owned(),
        round: 2,
    };
    assert_eq!(recompute(&mixed).unwrap_err(), refused);
    let mut apart = mixed.to_vec();
    if let Entry::Manifest(manifest) = &mut apart[2] {
        manifest.task = "heart".to_owned();
    }
    let report = recompute(&apart).unwrap();
    assert_eq!(report.tasks.len(), 2);
    assert!(report.all_tasks.is_none());
    assert!(unit::unit(&report).contains("in other tasks record: one record"));
}

/// Failure: a sampling of clients, or none of records, passes for something that is accounted for.
#[test]
fn claims_of_sampling_that_nobody_carries_out_have_no_report() {
    let with = |manifest: Manifest| recompute(&[Entry::Manifest(manifest), Entry::Charge(charge(1, 1, 9))]);
    let field = |field| NoReport::Field {
        entry: 0,
        task: "digits".to_owned(),
        round: 1,
        field,
    };
    let sampled_clients = Manifest {
        sampling: Some("0.05".to_owned()),
        ..manifest(1, 1)
    };
    assert_eq!(with(sampled_clients).unwrap_err(), field("sampling"));
    for q in [None, Some("0"), Some("1.5")] {
        let records = Manifest {
            sampling: q.map(str::to_owned),
            ..of_records(1, 1)
        };
        assert_eq!(with(records).unwrap_err(), field("sampling"));
    }
    let zero_out = Manifest {
        adjacency: Adjacency::ZeroOut,
        ..of_records(1, 1)
    };
    assert_eq!(with(zero_out).unwrap_err(), field("adjacency"));
}
