//! What a round costs: durable commits and signature checks, time by step, growth with n, drop-outs and dimension, and
//! where the processor time of a large round goes.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use tacita_benches::Effort;
use tacita_benches::round::{self, Account, Shape};
use tacita_benches::units::{Units, Work};
use tacita_sim::Cast;

/// Members and seed of the casts; certificates are made once.
struct Casts(BTreeMap<u16, Arc<Cast>>);

impl Casts {
    fn of(&mut self, clients: u16) -> Arc<Cast> {
        self.0
            .entry(clients)
            .or_insert_with(|| {
                let cast = Arc::new(Cast::new(usize::from(clients), u64::from(clients)).unwrap());
                let chain = round::introduce(&cast);
                println!(
                    "  {clients} certificates checked, {:.0} us each; later rounds find them cached",
                    micros(chain)
                );
                cast
            })
            .clone()
    }

    /// Small rounds twice: the first fills the noise tables.
    fn walk(&mut self, shape: &Shape) -> Account {
        let cast = self.of(shape.clients);
        if shape.clients <= 20 {
            drop(round::walk(&cast, shape));
        }
        round::walk(&cast, shape)
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const CLIENT_STEPS: [&str; 8] = [
    "advertise",
    "roster, deal",
    "clip to noise",
    "sharers, mask",
    "pack",
    "agree",
    "quorum, reveal",
    "outcome",
];
const SERVER_PHASES: [&str; 6] = [
    "advertise",
    "share",
    "upload",
    "agree",
    "reveal, unmask",
    "outcome",
];

fn graph(account: &Account) -> String {
    let fields = account.manifest.fields();
    if account.manifest.is_complete() {
        format!("complete t={}", fields.threshold)
    } else {
        format!("ring {}/{}", fields.neighbours, fields.threshold)
    }
}

fn shape_of(shape: &Shape, account: &Account) -> String {
    format!(
        "n={:<4} d=2^{:<3} -{:<4} {:<14} b={}",
        shape.clients,
        shape.dimension.ilog2(),
        shape.vanish,
        graph(account),
        account.manifest.bits().get()
    )
}

fn print_clients(rows: &[(Shape, Account)]) {
    println!("\n  client, milliseconds of processor time by step (mean over those who took it)");
    print!("    {:<44}", "");
    CLIENT_STEPS.iter().for_each(|step| print!(" {step:>14}"));
    println!(" {:>9}", "sum");
    for (shape, account) in rows {
        print!("    {:<44}", shape_of(shape, account));
        let mut sum = 0.0;
        for step in CLIENT_STEPS {
            let mean = millis(account.clients.total_of(step)) / account.survivors as f64;
            // A step that drop-outs took too: the mean over all who took it; packing is counted twice and belongs together.
            let mean = if step == "pack" {
                mean
            } else {
                millis(account.clients.mean_of(step))
            };
            sum += mean;
            print!(" {mean:>14.3}");
        }
        println!(" {sum:>9.2}");
    }
}

fn print_server(rows: &[(Shape, Account)]) {
    println!(
        "\n  server, milliseconds of processor time by phase; encoding and decoding of both sides; all parties together"
    );
    print!("    {:<44}", "");
    SERVER_PHASES.iter().for_each(|phase| print!(" {phase:>14}"));
    println!(" {:>9} {:>9} {:>9}", "sum", "wire", "core-s");
    for (shape, account) in rows {
        print!("    {:<44}", shape_of(shape, account));
        for phase in SERVER_PHASES {
            print!(" {:>14.1}", millis(account.server.total_of(phase)));
        }
        println!(
            " {:>9.1} {:>9.1} {:>9.2}",
            millis(account.server.total()),
            millis(account.wire),
            account.total().as_secs_f64()
        );
    }
}

fn print_counts(rows: &[(Shape, Account)]) {
    println!("\n  durable commits and signature checks, per round and client");
    println!(
        "    {:<44} {:>8} {:>10} {:>9} {:>8} {:>8} {:>9} {:>9} {:>11}",
        "", "commits", "disk syncs", "wait ms", "checks", "batched", "single", "server's", "upload B"
    );
    for (shape, account) in rows {
        let clients = f64::from(shape.clients);
        let per = |count: usize| count as f64 / clients;
        println!(
            "    {:<44} {:>8.2} {:>10.3} {:>9.1} {:>8.1} {:>8.1} {:>9.1} {:>9.1} {:>11}",
            shape_of(shape, account),
            account.store.batches as f64 / clients,
            account.store.transactions as f64 / clients,
            millis(account.durable),
            per(account.client_checks.total()),
            per(account.client_checks.batched),
            per(account.client_checks.alone),
            per(account.server_checks.total()),
            account.upload_bytes,
        );
    }
}

fn print_parts(shape: &Shape, account: &Account, effort: Effort) {
    let units = Units::measure(account, effort.laps());
    println!(
        "\n  where the core-seconds of one round go, all parties: {}",
        shape_of(shape, account)
    );
    println!(
        "    {:<46} {:>10} {:>12} {:>9} {:>7}",
        "", "count", "us each", "core-s", "part"
    );
    let total = account.total().as_secs_f64();
    let line = |name: &str, count: f64, seconds: f64| {
        println!(
            "    {name:<46} {count:>10.0} {:>12.2} {seconds:>9.3} {:>6.1}%",
            seconds / count * 1e6,
            100.0 * seconds / total
        );
    };
    let mut sum = 0.0;
    for Work { name, count, each } in units.of_round(shape, account) {
        let seconds = count as f64 * each.as_secs_f64();
        sum += seconds;
        line(name, count as f64, seconds);
    }
    let preparing = account.clients.total_of("clip to noise");
    sum += preparing.as_secs_f64();
    line(
        "clip, rotate, round, noise",
        f64::from(shape.clients),
        preparing.as_secs_f64(),
    );
    sum += account.wire.as_secs_f64();
    line(
        "encoding and decoding of messages",
        f64::from(shape.clients),
        account.wire.as_secs_f64(),
    );
    let packing = account.clients.total_of("pack");
    sum += packing.as_secs_f64();
    line(
        "packing for record and wire",
        account.survivors as f64,
        packing.as_secs_f64(),
    );
    println!(
        "    {:<46} {:>10} {:>12} {:>9.3} {:>6.1}%",
        "the rest: cold caches, copies, lists, ledger",
        "",
        "",
        total - sum,
        100.0 * (total - sum) / total
    );
    println!("    {:<46} {:>10} {:>12} {total:>9.3}", "measured", "", "");
}

fn report(effort: Effort) {
    println!("\nrounds, every party in this process, one thread");
    let mut casts = Casts(BTreeMap::new());
    let usual = Shape::usual;
    let sizes = if effort == Effort::Quick {
        vec![usual(4, 0, 1024), usual(20, 0, 1024), usual(100, 0, 1024)]
    } else {
        vec![
            usual(4, 0, 1024),
            usual(20, 0, 1024),
            usual(60, 0, 1024),
            usual(100, 0, 1024),
            usual(500, 0, 1024),
        ]
    };
    let mut dropping = vec![usual(100, 10, 1024), usual(100, 20, 1024)];
    if effort == Effort::Full {
        dropping.extend([usual(500, 10, 1024), usual(500, 20, 1024)]);
    }
    let wide = vec![
        usual(20, 0, 1 << 16),
        usual(100, 0, 1 << 16),
        usual(20, 0, 1 << 20),
        usual(20, 20, 1 << 20),
    ];
    let rows: Vec<(Shape, Account)> = sizes
        .into_iter()
        .chain(dropping)
        .chain(wide)
        .map(|shape| {
            let account = casts.walk(&shape);
            (shape, account)
        })
        .collect();
    print_counts(&rows);
    print_clients(&rows);
    print_server(&rows);
    let all_stay = rows.iter().filter(|(shape, _)| shape.vanish == 0);
    if let Some((shape, account)) = all_stay.max_by_key(|(shape, _)| shape.clients) {
        print_parts(shape, account, effort);
    }
}

fn groups(criterion: &mut Criterion) {
    let cast = Arc::new(Cast::new(4, 4).unwrap());
    let _ = round::introduce(&cast);
    criterion.bench_function("a round of 4, all parties, with durable records", |b| {
        b.iter(|| round::walk(&cast, &Shape::usual(4, 0, 1024)));
    });
}

fn main() {
    tacita_benches::on_one_core(measure);
}

fn measure() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        report(effort);
    }
}
