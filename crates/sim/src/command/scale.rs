//! Honest rounds of growing cohorts, and what they cost a client.

use std::io::{self, IsTerminal as _, Write};

use serde_json::json;
use tacita_sim::scale::{self, Cost};

use super::Command;

/// Values in the vector.
const DIMENSION: u32 = 10_000;

/// Cohorts below the one asked for.
const LADDER: [u16; 5] = [100, 300, 1_000, 3_000, 10_000];

/// Plays a round of `cohort` and of cohorts below it; whether all came to exact sums.
pub(super) fn rounds(command: &Command, cohort: u16, out: &mut impl Write) -> io::Result<bool> {
    let (mut passed, mut failed, mut rows) = (0, 0, Vec::new());
    if !command.json() {
        writeln!(
            out,
            "{DIMENSION} values, c = n - m = n / 20, one member in a hundred gone after it shared; bytes and messages of one client, both ways"
        )?;
        writeln!(
            out,
            "{:>6} {:>4} {:>4} {:>5} {:>10} {:>9} {:>8} {:>10} {:>9} {:>12} {:>8}",
            "n", "k", "t", "Q", "bytes", "messages", "vector", "n-lists", "rest", "rest/k log n", "seconds"
        )?;
    }
    let below = LADDER.into_iter().filter(|n| *n < cohort);
    for n in below.chain([cohort]) {
        // The largest takes minutes; rows come when a round is over.
        if io::stderr().is_terminal() {
            writeln!(io::stderr(), "playing a round of {n}")?;
        }
        let cost = match scale::round(n, DIMENSION, 5) {
            Ok(cost) => cost,
            Err(error) => {
                writeln!(out, "n = {n}: {error}")?;
                failed += 1;
                continue;
            }
        };
        if cost.exact {
            passed += 1;
        } else {
            failed += 1;
        }
        if command.json() {
            rows.push(row(&cost));
            continue;
        }
        let (n, k, t, quorum) = cost.shape;
        let ([all, vector, lists], rest, ratio) = rest(&cost);
        writeln!(
            out,
            "{n:>6} {k:>4} {t:>4} {quorum:>5} {:>10} {:>9} {:>8} {:>10} {rest:>9} {ratio:>12.1} {:>8.1}",
            all.bytes, all.messages, vector.bytes, lists.bytes, cost.seconds
        )?;
        out.flush()?;
        if n == u32::from(cohort) {
            kinds(&cost, out)?;
        }
    }
    if command.json() {
        writeln!(out, "{}", json!({ "rounds": rows }))?;
    } else {
        writeln!(out, "{passed} passed, {failed} failed")?;
    }
    Ok(failed == 0)
}

/// What is left without the vector and the lists of the whole cohort, and what it is of k log2 n.
fn rest(cost: &Cost) -> ([scale::Traffic; 3], u64, f64) {
    let per_client = cost.per_client();
    let [all, vector, lists] = per_client;
    let rest = all.bytes.saturating_sub(vector.bytes).saturating_sub(lists.bytes);
    (per_client, rest, rest as f64 / cost.yardstick())
}

/// Bytes of one client by the kind of message, and of the lists that grow with n.
fn kinds(cost: &Cost, out: &mut impl Write) -> io::Result<()> {
    let clients = u64::from(cost.shape.0.max(1));
    for (way, table) in [
        ("to a client", &cost.meter.down),
        ("from a client", &cost.meter.up),
    ] {
        for (name, traffic) in table {
            let messages = traffic.messages as f64 / clients as f64;
            writeln!(
                out,
                "  {way}: {name}: {} bytes in {messages:.2}",
                traffic.bytes / clients
            )?;
        }
    }
    for (name, bytes) in cost.lists() {
        writeln!(out, "  of it proportional to n: {name}: {bytes} bytes")?;
    }
    Ok(())
}

fn row(cost: &Cost) -> serde_json::Value {
    let (n, k, t, quorum) = cost.shape;
    let ([all, vector, lists], rest, ratio) = rest(cost);
    json!({
        "n": n, "k": k, "t": t, "q": quorum, "survivors": cost.survivors, "bytes": all.bytes, "messages": all.messages,
        "vector_bytes": vector.bytes, "cohort_bytes": lists.bytes, "rest_bytes": rest,
        "rest_per_k_log_n": ratio, "seconds": cost.seconds, "exact": cost.exact,
    })
}
