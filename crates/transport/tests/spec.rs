//! The table of section 2 of `protocol-spec/08-limits.md` against the constants.
#![allow(clippy::unwrap_used)] // A failed assumption is a failed test.

use std::time::Duration;

use tacita_transport::Pace;
use tacita_transport::limits::*;

const PAGE: &str = include_str!("../../../protocol-spec/08-limits.md");

fn whole_seconds(time: Duration) -> String {
    assert_eq!(time.subsec_nanos(), 0);
    time.as_secs().to_string()
}

#[test]
fn every_limit_of_the_page_is_the_one_in_the_code() {
    let code = [
        ("ALPN", String::from_utf8(ALPN.to_vec()).unwrap()),
        ("MAX_FRAME", MAX_FRAME.to_string()),
        ("BIDI_STREAMS", BIDI_STREAMS.to_string()),
        ("UNI_STREAMS", UNI_STREAMS.to_string()),
        ("WINDOW", WINDOW.to_string()),
        ("LEAST_WINDOW", LEAST_WINDOW.to_string()),
        ("WINDOWS", WINDOWS.to_string()),
        ("PACKETS_PER_ACK", PACKETS_PER_ACK.to_string()),
        ("CRYPTO_BUFFER", CRYPTO_BUFFER.to_string()),
        ("IDLE", whole_seconds(IDLE)),
        ("KEEP_ALIVE", whole_seconds(KEEP_ALIVE)),
        ("HANDSHAKE", whole_seconds(HANDSHAKE)),
        ("PENDING", PENDING.to_string()),
        ("RETRY_ABOVE", RETRY_ABOVE.to_string()),
        ("PER_PREFIX", PER_PREFIX.to_string()),
        ("LINGER", whole_seconds(LINGER)),
        ("CONNECTIONS", CONNECTIONS.to_string()),
        (
            "INCOMING_BUFFER",
            format!("{}, {}", INCOMING_BUFFER.0, INCOMING_BUFFER.1),
        ),
        ("RETRY_TOKEN_LIFE", whole_seconds(RETRY_TOKEN_LIFE)),
        ("SOCKET_BUFFER", SOCKET_BUFFER.to_string()),
        ("MAX_CHAIN", MAX_CHAIN.to_string()),
        ("MAX_REASON", MAX_REASON.to_string()),
    ];
    let section = PAGE.split("\n## ").find(|part| part.starts_with("2. ")).unwrap();
    let rows: Vec<(&str, String)> = section
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name, cells.next()?.to_owned()))
        })
        .collect();
    assert_eq!(rows, code);
    // None of the code's is missing from the list above.
    let source: Vec<&str> = include_str!("../src/limits.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .collect();
    let mut names: Vec<&str> = code.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let mut sorted = source.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
}

#[test]
fn the_pace_of_the_page_is_the_default() {
    let pace = Pace::default();
    let sentence = format!(
        "A frame may take {} s from its first byte to its last, and one second more for each {} bytes.",
        whole_seconds(pace.grace),
        pace.least_rate
    );
    assert!(PAGE.contains(&sentence), "{sentence}");
    assert_eq!(pace.quiet, None);
}
