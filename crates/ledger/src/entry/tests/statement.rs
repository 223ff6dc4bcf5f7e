//! The digest that a charge repeats.

use super::*;

/// The digest of one statement computed by hand with other tools (see the specification's example).
#[test]
fn statement_vector() {
    let digest = statement_digest(&[0x81; 32], &[0x22; 32], &[0x33; 32], 9, &[0xfb, 0x01]);
    assert_eq!(
        hex::encode(digest),
        include_str!("../../../tests/golden/statement.txt").trim()
    );
    // Every field counts, and lengths keep neighbours apart.
    let base = statement_digest(&[1; 32], &[2; 32], &[3; 32], 8, &[0xff]);
    assert_ne!(base, statement_digest(&[2; 32], &[2; 32], &[3; 32], 8, &[0xff]));
    assert_ne!(base, statement_digest(&[1; 32], &[3; 32], &[3; 32], 8, &[0xff]));
    assert_ne!(base, statement_digest(&[1; 32], &[2; 32], &[2; 32], 8, &[0xff]));
    assert_ne!(base, statement_digest(&[1; 32], &[2; 32], &[3; 32], 7, &[0xff]));
    assert_ne!(base, statement_digest(&[1; 32], &[2; 32], &[3; 32], 8, &[0xfe]));
    assert_ne!(
        base,
        statement_digest(&[1; 32], &[2; 32], &[3; 32], 8, &[0xff, 0x00])
    );
}
