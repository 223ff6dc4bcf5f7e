//! The one command, `tacita`.
//!
//! Arguments come in through [`args`], each command has a module below [`commands`], and everything it has to say
//! leaves through [`output`]: results on standard output, logs and the one line of an error on standard error.

mod args;
mod commands;
mod output;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use output::{Exit, Output};

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_logging(cli.global.verbose, cli.global.quiet);
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
        Command::Server(args) => commands::server::run(args, output),
        Command::Client(args) => commands::client::run(args, output),
    }
}
