//! One honest round of a large cohort, and what it costs a client.

use std::io::{self, Write};

use serde_json::json;
use tacita_sim::scale;

use super::Command;

/// Values in the vector.
const DIMENSION: u32 = 10_000;

/// Plays a round of `cohort` and of cohorts below it; whether all came to exact sums.
pub(super) fn rounds(command: &Command, cohort: u16, out: &mut impl Write) -> io::Result<bool> {
    let (mut passed, mut failed, mut rows) = (0, 0, Vec::new());
    if !command.json() {
        writeln!(
            out,
            "{DIMENSION} values, c = n - m = n / 20; bytes and messages of one client, both ways"
        )?;
        writeln!(
            out,
            "{:>6} {:>4} {:>4} {:>5} {:>10} {:>9} {:>10} {:>10} {:>9} {:>12} {:>8}",
            "n", "k", "t", "Q", "bytes", "messages", "vector", "cohort", "rest", "rest/k log n", "seconds"
        )?;
    }
    for divisor in [8, 4, 2, 1] {
        let cost = match scale::round(cohort / divisor, DIMENSION, 5) {
            Ok(cost) => cost,
            Err(error) => {
                writeln!(out, "n = {}: {error}", cohort / divisor)?;
                failed += 1;
                continue;
            }
        };
        if cost.exact {
            passed += 1;
        } else {
            failed += 1;
        }
        let (n, k, t, quorum) = cost.shape;
        let [all, vector, lists] = cost.per_client();
        let rest = all.bytes.saturating_sub(vector.bytes).saturating_sub(lists.bytes);
        let ratio = rest as f64 / cost.yardstick();
        if command.json() {
            rows.push(json!({
                "n": n, "k": k, "t": t, "q": quorum, "bytes": all.bytes, "messages": all.messages,
                "vector_bytes": vector.bytes, "cohort_bytes": lists.bytes, "rest_bytes": rest,
                "rest_per_k_log_n": ratio, "seconds": cost.seconds, "exact": cost.exact,
            }));
            continue;
        }
        writeln!(
            out,
            "{n:>6} {k:>4} {t:>4} {quorum:>5} {:>10} {:>9} {:>10} {:>10} {rest:>9} {ratio:>12.1} {:>8.1}",
            all.bytes, all.messages, vector.bytes, lists.bytes, cost.seconds
        )?;
    }
    if command.json() {
        writeln!(out, "{}", json!({ "rounds": rows }))?;
    } else {
        writeln!(out, "{passed} passed, {failed} failed")?;
    }
    Ok(failed == 0)
}
