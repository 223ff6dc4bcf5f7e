//! The one command, `tacita`.
//!
//! Arguments come in through [`args`], each command has a module below [`commands`], and everything it has to say
//! leaves through [`output`]: results on standard output, logs and the one line of an error on standard error. [`report`]
//! recomputes what a ledger's rounds cost.

mod args;
mod commands;
mod enrolling;
mod output;
mod report;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use output::{Exit, Output};

/// The system's allocator keeps twice what a server with a thousand members uses, in holes between messages that came and went.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Services say what they do; everything else says only what is wrong.
    let services = u8::from(cli.command.is_service());
    output::start_logging(cli.global.verbose.saturating_add(services), cli.global.quiet);
    let output = Output::new(cli.global.json, cli.global.quiet);
    let exit = match run(&cli.command, &output) {
        Ok(exit) => exit,
        Err(error) => output.failure(&error),
    };
    exit.into()
}

fn run(command: &Command, output: &Output) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => commands::demo::run(args, output),
        Command::DemoPart(args) => commands::demo::run_child(args),
        Command::Authority(args) => commands::authority::run(args, output),
        Command::Server(args) => commands::server::run(args, output),
        Command::Client(args) => commands::client::run(args, output),
        Command::Ledger(args) => commands::ledger::run(args, output),
        Command::Privacy(args) => commands::privacy::run(args, output),
    }
}

/// The runtime of commands that use the network.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
