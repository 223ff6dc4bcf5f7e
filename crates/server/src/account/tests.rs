use tacita_ledger::entry::Release as GivenUp;
use tacita_privacy::{Encoding, Headroom};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::graph::RoundParameters;
use tacita_protocol::ledger_entries;
use tacita_protocol::limits::VERSION;
use tacita_protocol::manifest::{Deadlines, Manifest, mechanism_field};

use super::*;

const TASK: &str = "a-task";

fn budget(epsilon: &str) -> Budget {
    Budget {
        epsilon: epsilon.parse().unwrap(),
        delta: "0.00001".parse().unwrap(),
    }
}

/// n = 10, c = 2, m = 8, 1024 values on a grid of 256, standard deviation of the planned noise about 5 clip norms.
fn manifest(id: u8, round: u32, task: &str, law: Mechanism) -> CheckedManifest {
    manifest_of(id, round, task, law, None)
}

/// The same, of records sampled with this probability, ten of a client at most.
fn manifest_of(id: u8, round: u32, task: &str, law: Mechanism, sampling: Option<&str>) -> CheckedManifest {
    let share = match law {
        Mechanism::None => 0,
        _ => (500u64 * 500) << 16,
    };
    let noise = NoiseShare::of_law(law, share).unwrap();
    let of_records = sampling.is_some();
    let largest = if of_records { 10 } else { 1 };
    let bits = Headroom::needed_bits_of(256, 1024, &noise, 10, largest).unwrap();
    let parameters = RoundParameters::derive(10, 2, 8).unwrap();
    let narrow = |value: u32| u16::try_from(value).unwrap();
    let promise = |text: &str| match law {
        Mechanism::None => Vec::new().into(),
        _ => text.as_bytes().into(),
    };
    let manifest = Manifest {
        version: VERSION,
        task: task.as_bytes().into(),
        round,
        round_id: [id; 32],
        cohort: 10,
        colluders: 2,
        minimum_survivors: 8,
        neighbours: narrow(parameters.neighbours),
        threshold: narrow(parameters.threshold),
        quorum: narrow(parameters.quorum),
        key_agreement: 0,
        bits: bits.get(),
        dimension: 1024,
        padded: 1024,
        block: Encoding::usual_block(1024),
        chunk: 64,
        clip: b"1".as_slice().into(),
        grid: 256,
        mechanism: mechanism_field(law),
        total_variance_q16: 6 * share,
        share_variance_q16: share,
        noise_levels: Vec::new().into(),
        rounds: 100,
        epsilon: promise("8"),
        delta: promise("0.00001"),
        unit: u8::from(of_records),
        sampling: sampling.unwrap_or_default().as_bytes().into(),
        largest_records: if of_records { largest } else { 0 },
        expected_records: if of_records { 20 } else { 0 },
        weighting: 0,
        weight_cap: 0,
        weight_scale: Vec::new().into(),
        update_clip: Vec::new().into(),
        metrics: Vec::new().into(),
        adaptive_clip: Vec::new().into(),
        model_digest: [0; 32],
        training: b"{}".as_slice().into(),
        deadlines: Deadlines {
            advertise_ms: 1,
            share_ms: 1,
            upload_ms: 1,
            agree_ms: 1,
            reveal_ms: 1,
        },
        ledger_size: 0,
        ledger_root: [0; 32],
        issued_at: 0,
    };
    manifest.check().unwrap()
}

/// What the ledger holds of a charged attempt.
fn charged(manifest: &CheckedManifest, survivors: u16) -> [Entry; 2] {
    let bitmap = Bitmap::from_indices(10, 0..survivors);
    let charge = ledger_entries::charge(manifest, &[1; 32], &[2; 32], &bitmap, &[3; 32], &[4; 32], 1);
    [ledger_entries::reserve(manifest, 1), charge]
}

/// Rounds that are granted until the filter refuses.
fn granted(account: &mut Account, from: u8) -> u8 {
    for id in from..=u8::MAX {
        let manifest = manifest(id, u32::from(id), TASK, Mechanism::Skellam);
        match account.reserve(manifest.release()) {
            Ok(ticket) => account.commit(ticket, &manifest, 10),
            Err(_) => return id - from,
        }
    }
    panic!("the filter grants everything")
}

/// Failure: an attempt that failed before its charge costs the task, or one that was charged does not.
#[test]
fn reserved_is_counted_charged_is_final_and_only_reserves_come_back() {
    let fresh = || Account::new(Some(budget("8"))).unwrap();
    let all = granted(&mut fresh(), 1);
    assert!(all > 3, "{all}");
    let mut account = fresh();
    let release = manifest(1, 1, TASK, Mechanism::Skellam).release();
    // Open reserves count.
    let open: Vec<_> = (0..all).map(|_| account.reserve(release).unwrap()).collect();
    assert!(account.reserve(release).is_err());
    open.into_iter().for_each(|ticket| account.release(ticket));
    assert_eq!(account.epsilon_server(), Some(Decimal::ZERO));
    // A charge without its ticket is a charge all the same.
    account.commit(None, &manifest(1, 1, TASK, Mechanism::Skellam), 10);
    account.release(None);
    assert_eq!(granted(&mut account, 2), all - 1);
}

/// Failure: a restart forgets a charge, counts a repeated round once, takes another task's for its own, or believes a release
/// that comes after a charge.
#[test]
fn a_restart_counts_what_the_ledger_charges() {
    let mut live = Account::new(Some(budget("8"))).unwrap();
    let mut entries = Vec::new();
    // The second attempt at round 1 was charged too.
    for (id, round, survivors) in [(1, 1, 10), (2, 1, 8), (3, 2, 9)] {
        let manifest = manifest(id, round, TASK, Mechanism::Skellam);
        let ticket = live.reserve(manifest.release()).unwrap();
        live.commit(ticket, &manifest, u32::from(survivors));
        entries.extend(charged(&manifest, survivors));
    }
    entries.extend(charged(&manifest(4, 1, "another", Mechanism::Skellam), 10));
    let given_up = manifest(5, 3, TASK, Mechanism::Skellam);
    entries.push(ledger_entries::reserve(&given_up, 1));
    for id in [5, 1] {
        entries.push(Entry::Release(GivenUp {
            round_id: hex::encode([id; 32]),
            round: 3,
            time: 1,
            reason: "too late".to_owned(),
        }));
    }
    let mut restarted = Account::new(Some(budget("8"))).unwrap();
    restarted.replay(TASK, &entries).unwrap();
    assert!(live.epsilon_server() > live.epsilon_public() && live.epsilon_public() > Some(Decimal::ZERO));
    assert_eq!(restarted.epsilon_server(), live.epsilon_server());
    assert_eq!(restarted.epsilon_public(), live.epsilon_public());
    assert_eq!(granted(&mut restarted, 10), granted(&mut live, 10));
}

/// Failure: a charge whose terms cannot be read is left out, so that the task looks cheaper than it was.
#[test]
fn a_charge_that_cannot_be_accounted_for_stops_the_server() {
    let [Entry::Manifest(good), charge] = charged(&manifest(1, 1, TASK, Mechanism::Skellam), 10) else {
        panic!("a manifest and a charge")
    };
    type Spoil = fn(&mut entry::Manifest);
    let spoils: [Spoil; 4] = [
        |m| m.share_variance_q16 = u64::MAX.to_string(),
        |m| m.noise_levels = Some("1".to_owned()),
        |m| m.mechanism = entry::Mechanism::None,
        // Wide enough for Skellam noise, not for sums of this one.
        |m| (m.mechanism, m.share_variance_q16) = (entry::Mechanism::DiscreteGaussian, "65536".to_owned()),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let mut manifest = good.clone();
        spoil(&mut manifest);
        let entries = [Entry::Manifest(manifest), charge.clone()];
        let mut account = Account::new(Some(budget("8"))).unwrap();
        let refused = account.replay(TASK, &entries);
        assert_eq!(refused, Err(Unaccountable(hex::encode([1; 32]))), "{number}");
    }
}

/// Failure: rounds of another law are charged as Skellam, or not at all.
#[test]
fn a_task_that_changes_its_law_adds_both() {
    let laws = [
        Mechanism::Skellam,
        Mechanism::DiscreteGaussian,
        Mechanism::Skellam,
    ];
    let manifests: Vec<_> = (1u8..)
        .zip(laws)
        .map(|(id, law)| manifest(id, u32::from(id), TASK, law))
        .collect();
    let entries: Vec<_> = manifests.iter().flat_map(|m| charged(m, 8)).collect();
    let mut account = Account::new(Some(budget("8"))).unwrap();
    account.replay(TASK, &entries).unwrap();
    let releases: Vec<_> = manifests.iter().map(|m| m.release().unwrap()).collect();
    assert!(matches!(releases[1], Release::DiscreteGaussian(_)));
    let sum = releases
        .iter()
        .fold(RdpCurve::zero(), |sum, release| sum.plus(&release.curve()));
    let draws = releases.iter().map(Release::draws).sum();
    let line = releases.iter().fold(Concentrated::NOTHING, |sum, release| {
        sum.plus(release.concentrated())
    });
    let renyi = sum.epsilon_with_sampler(budget("8").delta, draws).unwrap();
    let expected = renyi.min(line.epsilon_with_sampler(budget("8").delta, draws).unwrap());
    assert_eq!(account.epsilon_server(), Some(expected));
    // Without noise nothing can be promised any more.
    account
        .replay(TASK, &charged(&manifest(9, 9, TASK, Mechanism::None), 8))
        .unwrap();
    assert_eq!((account.epsilon_server(), account.epsilon_public()), (None, None));
}

/// Failure: rounds of the record unit are charged as if every record had been in the sum, or rounds that protect whole clients are
/// added to them.
#[test]
fn sampled_records_are_charged_as_sampled() {
    for law in [Mechanism::Skellam, Mechanism::DiscreteGaussian] {
        let manifest = |id: u8| manifest_of(id, u32::from(id), TASK, law, Some("0.1"));
        let sampled = manifest(1).release().unwrap();
        assert_eq!(sampled.sampling(), Some("0.1".parse().unwrap()));
        let mut live = Account::new(Some(budget("8"))).unwrap();
        let mut entries = Vec::new();
        for id in 1..=3 {
            let ticket = live.reserve(manifest(id).release()).unwrap();
            live.commit(ticket, &manifest(id), 8);
            entries.extend(charged(&manifest(id), 8));
        }
        let mut restarted = Account::new(Some(budget("8"))).unwrap();
        restarted.replay(TASK, &entries).unwrap();
        let (delta, draws) = (budget("8").delta, 3 * sampled.draws());
        let expected = sampled
            .curve()
            .times(3)
            .epsilon_with_sampler(delta, draws)
            .unwrap();
        for account in [&live, &restarted] {
            assert_eq!(account.epsilon_server(), Some(expected), "{law:?}");
        }
        let whole = manifest_of(9, 9, TASK, law, None).release();
        for mut account in [live, restarted] {
            assert!(matches!(
                account.reserve(whole),
                Err(BudgetRefusal::OtherUnit { .. })
            ));
        }
        // A sampling that the entry does not state is none.
        let [Entry::Manifest(mut silent), charge] = charged(&manifest(1), 8) else {
            panic!("a manifest and a charge")
        };
        silent.sampling = None;
        let mut account = Account::new(Some(budget("8"))).unwrap();
        let refused = account.replay(TASK, &[Entry::Manifest(silent), charge]);
        assert_eq!(refused, Err(Unaccountable(hex::encode([1; 32]))));
    }
}
