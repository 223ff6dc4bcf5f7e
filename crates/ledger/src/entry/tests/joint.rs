//! What travels beside updates, and what is published of it.

use super::*;

/// A change of one field.
type Edit<T> = fn(&mut T);

fn refused(entry: Entry, field: &str) {
    match entry.encode() {
        Err(EntryError::Field { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{field}: {other:?}"),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Failure: terms come alone that need each other, or are no decimals, and an auditor has nothing to recompute a clip norm from.
#[test]
fn terms_beside_the_update() {
    let whole = Manifest {
        update_clip: some("1"),
        metrics: some("0.2,4"),
        clip_rule: some("0.5,0.2,1,0.1,10"),
        count_scale: some("0.1"),
        ..manifest(1)
    };
    Entry::Manifest(whole.clone()).encode().unwrap();
    let edits: [(Edit<Manifest>, &str); 10] = [
        (|m| m.update_clip = some("0"), "update_clip"),
        (|m| m.update_clip = None, "update_clip"),
        (|m| m.metrics = some("0.2"), "metrics"),
        (|m| m.metrics = some("0.2,4,4"), "metrics"),
        (|m| m.metrics = some("0.2,0"), "metrics"),
        (|m| m.clip_rule = some("0.5,0.2,1,0.1"), "clip_rule"),
        (|m| m.clip_rule = some("0.5,0.2,1,-0.1,10"), "clip_rule"),
        (|m| m.clip_rule = None, "count_scale"),
        (|m| m.count_scale = None, "count_scale"),
        (|m| m.count_scale = some("0"), "count_scale"),
    ];
    for (edit, field) in edits {
        let mut entry = whole.clone();
        edit(&mut entry);
        refused(Entry::Manifest(entry), field);
    }
}

/// Failure: a figure comes without its error, or a share that no rule can take.
#[test]
fn figures_of_an_outcome() {
    let whole = Outcome {
        federated_accuracy: some("-0.125000"),
        federated_loss: some("1.5"),
        federated_error: some("0.25"),
        within_clip: some("1.000000"),
        ..outcome(1)
    };
    Entry::Outcome(whole.clone()).encode().unwrap();
    let edits: [(Edit<Outcome>, &str); 9] = [
        (|o| o.federated_accuracy = None, "federated_loss"),
        (|o| o.federated_loss = None, "federated_loss"),
        (|o| o.federated_error = None, "federated_error"),
        (|o| o.federated_error = some("-0.25"), "federated_error"),
        (|o| o.within_clip = some("1.000001"), "within_clip"),
        (|o| o.within_clip = some("2"), "within_clip"),
        (|o| o.within_clip = some("-0.1"), "within_clip"),
        (|o| o.within_clip = some("0.1234567"), "within_clip"),
        (|o| o.within_clip = some(".5"), "within_clip"),
    ];
    for (edit, field) in edits {
        let mut entry = whole.clone();
        edit(&mut entry);
        refused(Entry::Outcome(entry), field);
    }
}
