//! The simulator's own store keeps the contract of every store, also when it fails.

use tacita_sim::faults::{Chance, Disk, DiskFaults, Fuse};
use tacita_store::{Batch, Store, StoreError, conformance};

fn disk(seed: u64, faults: DiskFaults, fuse: &Fuse) -> Disk {
    Disk::new(Chance::new(seed), faults, fuse.clone())
}

/// Failure: what crates/store demands of SQLite, the simulator's store does not do.
#[test]
fn the_simulated_store_conforms() {
    let disk = disk(1, DiskFaults::default(), &Fuse::default());
    conformance::check(&disk.open()).unwrap();
    let disk = self::disk(2, DiskFaults::default(), &Fuse::default());
    conformance::check_reopened(&mut || Ok(Box::new(disk.open()))).unwrap();
}

/// Failure: after crashes and failed writes an acknowledged batch is gone, a refused one is there, or one is there in part.
#[test]
fn acknowledged_whole_or_nothing() {
    let (mut lost_in_flight, mut found_in_flight) = (0, 0);
    for seed in 0..300 {
        let mut chance = Chance::new(seed);
        let fuse = Fuse::default();
        let faults = DiskFaults {
            failed: 100,
            ..DiskFaults::default()
        };
        let disk = disk(seed, faults, &fuse);
        let mut acknowledged = Vec::new();
        let mut store = disk.open();
        for number in 0..40u8 {
            if chance.hits(150) {
                fuse.light(chance.below(3));
            }
            let mut batch = Batch::new();
            batch.insert_new("batch", [number, 0], vec![number; 20]).put(
                "batch",
                [number, 1],
                vec![number; 20],
            );
            match store.commit(batch) {
                Ok(()) => acknowledged.push(number),
                Err(StoreError::DiskFull { .. }) => {}
                Err(_) => {
                    fuse.replace();
                    store = disk.open();
                    match store.scan("batch", &[number]).unwrap().len() {
                        0 => lost_in_flight += 1,
                        2 => found_in_flight += 1,
                        _ => panic!("seed {seed}: half of batch {number} is there"),
                    }
                }
            }
            assert!(acknowledged.iter().all(|number| {
                let pair = store.scan("batch", &[*number]).unwrap();
                pair.len() == 2 && pair.iter().all(|(_, value)| *value == vec![*number; 20])
            }));
        }
    }
    // Both kinds happen, or the test shows nothing.
    assert!(
        lost_in_flight > 100 && found_in_flight > 100,
        "{lost_in_flight} {found_in_flight}"
    );
}

/// Failure: a disk that acknowledges what it has not synced passes for an honest one.
#[test]
fn a_lying_disk_loses_what_it_acknowledged() {
    let fuse = Fuse::default();
    let faults = DiskFaults {
        lies: true,
        ..DiskFaults::default()
    };
    let lost = (0..50).any(|seed| {
        let disk = disk(seed, faults, &fuse);
        let mut batch = Batch::new();
        batch.put("batch", "key", "value");
        disk.open().commit(batch).unwrap();
        disk.open().get("batch", b"key").unwrap().is_none()
    });
    assert!(lost);
}
