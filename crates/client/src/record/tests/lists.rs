//! How long signed lists are kept, and what of them for good.

use tacita_store::StoreError;

use super::*;

fn id(number: usize) -> [u8; 32] {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    id
}

/// One attempt without noise, up to its signature on a list of survivors.
async fn attempt(record: &mut StoreRecord, number: usize) {
    let ticket = record.reserve("a", None, NOW).unwrap();
    let upload = SignedSharers {
        sharers: vec![0b1011],
        ..signed_sharers()
    };
    let change = RecordChange::Spent {
        round_id: id(number),
        round: 1,
        task: "a".to_owned(),
        release: None,
        upload_digest: [0; 32],
        signed: Box::new(upload),
    };
    // All at one time: their order is that of the record, not of the clock.
    record
        .spend(change, ticket, (terms(), papers()), 10, NOW)
        .await
        .unwrap();
    record.apply(sign(number)).await.unwrap();
}

fn sign(number: usize) -> RecordChange {
    RecordChange::Signed {
        round_id: id(number),
        signed: Box::new(SignedStatement {
            statement: id(number),
            roster_size: 4,
            survivors: vec![0b0011],
            signatures: vec![StatementSignature {
                name: NAME.to_owned(),
                key: [1; 32],
                signature: [2; 64],
            }],
            ..SignedStatement::default()
        }),
    }
}

/// Failure: what was signed is gone with the process, or with the next round; a server that starts attempts fills the disk; or what is dropped with old
/// rows is the bar to a second signature.
#[tokio::test]
async fn signed_lists_outlive_the_process_for_some_attempts_and_s_for_good() {
    let bench = Bench::new(None);
    let mut record = bench.open().unwrap();
    for number in 0..KEPT_ATTEMPTS + 3 {
        if number == 7 {
            drop(record);
            record = bench.open().unwrap();
        }
        attempt(&mut record, number).await;
    }
    drop(record);
    let mut record = bench.open().unwrap();
    let kept = record.lists().unwrap();
    let ids: Vec<String> = kept.iter().map(|kept| kept.round_id.clone()).collect();
    let expected: Vec<String> = (3..KEPT_ATTEMPTS + 3).map(|at| hex::encode(id(at))).collect();
    assert_eq!(ids, expected, "the latest, in order");
    assert_eq!(record.kept_attempts(), KEPT_ATTEMPTS);
    for kept in &kept {
        assert_eq!((kept.upload.sharers.as_str(), kept.upload.roster_size), ("0b", 4));
        let statement = kept.statement.as_ref().unwrap();
        assert_eq!(statement.survivors, "03");
        assert_eq!(statement.signature, "02".repeat(64));
    }
    // Of the oldest S alone is left, and it is as good as any.
    for number in 0..3 {
        let row = record.store.get(SIGNED, &key(NAME, &id(number))).unwrap();
        assert_eq!(row, Some(id(number).to_vec()));
        assert_eq!(record.signed_statement(&id(number)), Some(id(number)));
        let again = record.apply(sign(number)).await.unwrap_err();
        assert!(
            matches!(again, RecordError::Store(StoreError::Exists { .. })),
            "{again}"
        );
    }
    // A row as versions before this one wrote it, and one that nobody wrote.
    let mut batch = Batch::new();
    batch.insert_new(SIGNED, key(NAME, &[9; 32]), vec![8; 32]);
    record.store.commit(batch).unwrap();
    drop(record);
    let record = bench.open().unwrap();
    assert_eq!(record.signed_statement(&[9; 32]), Some([8; 32]));
    let mut batch = Batch::new();
    batch.insert_new(SIGNED, key(NAME, &[10; 32]), vec![8; 33]);
    record.store.commit(batch).unwrap();
    drop(record);
    assert!(matches!(
        bench.open(),
        Err(RecordError::Damaged {
            what: "statement",
            ..
        })
    ));
}

/// Failure: keeping what was signed costs a flush of its own, or part of it is not durable when what it is about leaves.
#[tokio::test]
async fn signed_lists_cost_no_commit_of_their_own() {
    let bench = Bench::new(None);
    let mut record = bench.open().unwrap();
    let before = record.store.stats().batches;
    attempt(&mut record, 1).await;
    assert_eq!(record.store.stats().batches - before, 2);
}
