//! F36: a flipped bit in the state of a stopped server. The next start refuses, names the file and signs nothing.

use std::fs;
use std::path::PathBuf;

use crate::federation::{Federation, Plan, text};
use crate::running::tacita;

#[test]
fn a_flipped_bit_stops_the_next_start() {
    let federation = Federation::new(Plan {
        rounds: 2,
        epsilon: Some("30"),
        ..Plan::new(3, 3, 0)
    });
    federation.run_to_the_end();
    let config = federation.server_config();
    // More rounds to go, so that a start has work to do.
    crate::federation::edit(&config, "rounds = 2", "rounds = 4");
    let ledger = federation.ledger();
    let size = federation.entries().len();
    let files: Vec<PathBuf> = vec![
        ledger.join("checkpoint"),
        ledger.join(format!("tile/entries/000.p/{size}")),
        ledger.join(format!("tile/0/000.p/{size}")),
        federation.last_model(),
    ];
    for file in files {
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let at = bad.len() / 2;
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        let ran = tacita(["server", "run", "--config", text(&config)]);
        assert_eq!(ran.code, 1, "{}", file.display());
        let shown = file.file_name().unwrap().to_str().unwrap();
        let last = ran.stderr.lines().last().unwrap();
        assert!(
            last.starts_with("error: ") && last.contains(shown),
            "{}: {last}",
            file.display()
        );
        assert_eq!(fs::read(&file).unwrap(), bad, "left as it was found");
        fs::write(&file, &good).unwrap();
    }
    assert_eq!(federation.entries().len(), size, "nothing was signed");
    federation.report();
}
