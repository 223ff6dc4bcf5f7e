//! Entries of the record unit.

use super::*;

fn of_records() -> Manifest {
    Manifest {
        unit: Unit::Record,
        adjacency: Adjacency::AddRemove,
        sampling: Some("0.05".to_owned()),
        largest_records: Some(90),
        ..manifest(1)
    }
}

/// Failure: the text of a client's manifest changes, or a record's has another form than the page states.
#[test]
fn the_terms_stand_in_the_record_unit_only() {
    let text = |manifest: Manifest| String::from_utf8(Entry::Manifest(manifest).encode().unwrap()).unwrap();
    let (client, records) = (text(manifest(1)), text(of_records()));
    assert!(!client.contains("sampling") && !client.contains("largest_records"));
    assert!(records.contains("\"largest_records\":90,") && records.contains("\"sampling\":\"0.05\","));
    assert!(records.contains("\"adjacency\":\"add-remove\"") && records.contains("\"unit\":\"record\""));
    assert_eq!(
        Entry::decode(records.as_bytes()).unwrap(),
        Entry::Manifest(of_records())
    );
    // A null is another spelling of what is absent.
    let null = client.replace(
        "\"share_variance_q16\"",
        "\"sampling\":null,\"share_variance_q16\"",
    );
    assert!(matches!(
        Entry::decode(null.as_bytes()),
        Err(EntryError::NotCanonical { .. })
    ));
}

/// Failure: a sampling of clients is claimed, or a unit goes with the relation of the other.
#[test]
fn claims_that_do_not_go_together_are_refused() {
    type Change = fn(&mut Manifest);
    let cases: [(&str, &[Change]); 3] = [
        (
            "sampling",
            &[
                |m| m.sampling = None,
                |m| m.sampling = Some("0".into()),
                |m| m.sampling = Some("0.0".into()),
                |m| m.sampling = Some("1.01".into()),
                |m| m.sampling = Some("10".into()),
                |m| m.sampling = Some("2".into()),
                |m| m.sampling = Some("half".into()),
                |m| {
                    m.unit = Unit::Client;
                    m.adjacency = Adjacency::ZeroOut;
                },
            ],
        ),
        (
            "largest_records",
            &[
                |m| m.largest_records = None,
                |m| m.largest_records = Some(0),
                |m| m.largest_records = Some(1 << 53),
                |m| {
                    m.unit = Unit::Client;
                    m.adjacency = Adjacency::ZeroOut;
                    m.sampling = None;
                },
            ],
        ),
        (
            "adjacency",
            &[|m| m.adjacency = Adjacency::ZeroOut, |m| m.unit = Unit::Client],
        ),
    ];
    for (field, changes) in cases {
        for change in changes {
            let mut entry = of_records();
            change(&mut entry);
            assert_eq!(refused(Entry::Manifest(entry)), field);
        }
    }
    for whole in ["1", "1.0", "0.999"] {
        let all = Manifest {
            sampling: Some(whole.to_owned()),
            ..of_records()
        };
        assert!(Entry::Manifest(all).encode().is_ok(), "{whole}");
    }
}
