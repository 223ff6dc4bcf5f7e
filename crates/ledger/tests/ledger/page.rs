//! The specification's table of limits against the constants of the code.

use tacita_ledger::{entry, layout, note};

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let (head, rest) = digits.split_at(first);
    let groups = rest
        .as_bytes()
        .chunks(3)
        .map(|group| std::str::from_utf8(group).unwrap());
    std::iter::once(head).chain(groups).collect::<Vec<_>>().join(",")
}

#[test]
fn limits_of_the_specification() {
    let page = include_str!("../../../../protocol-spec/06-ledger.md");
    for row in [
        format!("| note | {} bytes |", grouped(note::MAX_NOTE)),
        format!(
            "| signature lines in a note | {} |",
            grouped(note::MAX_SIGNATURES)
        ),
        format!("| entry | {} bytes |", grouped(entry::MAX_ENTRY)),
        format!(
            "| bundle | {} x (2 + {}) bytes |",
            layout::TILE_WIDTH,
            grouped(entry::MAX_ENTRY)
        ),
        format!("| hash tile | {} bytes |", grouped(layout::MAX_TILE)),
        format!("An origin or key name has 1 to {} bytes", note::MAX_KEY_NAME),
        format!("| `task` | string, 1 to {} characters |", entry::MAX_TASK),
        format!("`reason` (string, 1 to {} characters)", entry::MAX_REASON),
        format!("of at most {} characters, no negative zero", entry::MAX_DECIMAL),
        format!("| `cohort` | n, 1 to {} |", grouped(entry::MAX_COHORT as usize)),
        format!(
            "| `roster_size` | n', 1 to {} |",
            grouped(entry::MAX_COHORT as usize)
        ),
        format!("`kind`, `version` ({})", entry::VERSION),
    ] {
        assert!(page.contains(&row), "{row}");
    }
    assert_eq!(layout::MAX_BUNDLE, 256 * (2 + entry::MAX_ENTRY));
}
