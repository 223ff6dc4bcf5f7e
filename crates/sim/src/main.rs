//! `cargo run --release -p tacita-sim -- --seeds A..B`: seeds of the faulty world on all cores; failures with their seed and
//! the end of their history; `N passed, M failed` last.

use std::process::ExitCode;

mod command;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    match command::Command::parse(std::env::args().skip(1)) {
        Ok(command) => command.run(&mut out),
        Err(message) => command::usage(&mut out, &message),
    }
}
