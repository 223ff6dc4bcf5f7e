//! Evaluates a file of golden accounting values (schema `tacita-dp-golden/1`) with this library.
//!
//! `cargo run --release -p tacita-privacy --example golden -- FILE` prints a line for each expectation outside its window, and
//! `N passed, M failed` last; the exit code is 1 if anything failed. A case, metric or method that is not known fails.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program for the terminal.

mod cases;
mod distributed;
mod file;
mod gaussian;
mod laws;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: golden FILE");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    match file::evaluate(&text) {
        Ok(tally) => {
            for failure in &tally.failures {
                println!("{failure}");
            }
            println!("{} passed, {} failed", tally.passed, tally.failures.len());
            ExitCode::from(u8::from(!tally.failures.is_empty()))
        }
        Err(error) => {
            println!("{error}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}
