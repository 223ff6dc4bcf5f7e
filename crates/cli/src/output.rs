//! What the command says, where, and the code it exits with.
//!
//! Standard output carries results: text for people, or with `--json` exactly one JSON document. Standard error
//! carries logs and, when something fails, one line that starts with `error:`.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use tracing_subscriber::EnvFilter;

/// How a command ended. The numbers are part of the interface; `tacita --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, and every check passed.
    Done = 0,
    /// A check failed, or the work did.
    Failed = 1,
    /// The command line or a configuration file is wrong (clap exits with the same code).
    Usage = 2,
    /// Refused by the budget, the consent policy, or because nothing may be overwritten.
    Refused = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that exits with another code than [`Exit::Failed`]. Put it anywhere in an `anyhow` chain.
#[derive(Debug)]
pub(crate) struct EndsWith {
    exit: Exit,
    message: String,
}

impl fmt::Display for EndsWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EndsWith {}

/// The error of a command line or configuration that cannot be meant so.
pub(crate) fn usage(message: impl fmt::Display) -> anyhow::Error {
    EndsWith {
        exit: Exit::Usage,
        message: message.to_string(),
    }
    .into()
}

/// The error of something that could be done and is not allowed.
pub(crate) fn refused(message: impl fmt::Display) -> anyhow::Error {
    EndsWith {
        exit: Exit::Refused,
        message: message.to_string(),
    }
    .into()
}

/// Where results go.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    document_printed: Cell<bool>,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            quiet,
            document_printed: Cell::new(false),
        }
    }

    /// Whether progress should stay silent: with `--quiet`, and with `--json`, whose reader is a program.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet || self.json
    }

    /// Prints the result: the text, or the document with `--json`.
    ///
    /// # Errors
    /// If standard output cannot be written. A reader that went away (`| head`) is not an error.
    pub(crate) fn result(&self, text: &str, document: &impl Serialize) -> anyhow::Result<()> {
        if self.json {
            return self.document(document);
        }
        print(text)
    }

    /// Prints the one JSON document.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(crate) fn document(&self, document: &impl Serialize) -> anyhow::Result<()> {
        self.document_printed.set(true);
        print(&serde_json::to_string_pretty(document)?)
    }

    /// Prints an error, as one line on standard error and as the JSON document if none was printed yet, and says how
    /// to exit.
    pub(crate) fn failure(&self, error: &anyhow::Error) -> Exit {
        let exit = error
            .downcast_ref::<EndsWith>()
            .map_or(Exit::Failed, |ends| ends.exit);
        self.complaint(&one_line(error), exit)
    }

    /// The same for a finding that has no error value.
    pub(crate) fn complaint(&self, message: &str, exit: Exit) -> Exit {
        // Nobody is left to tell if standard error or output is closed; the exit code still says it.
        let _ = writeln!(io::stderr().lock(), "error: {message}");
        if self.json && !self.document_printed.replace(true) {
            let document = json!({ "error": message, "exit_code": exit as u8 });
            let _ = print(&format!("{document:#}"));
        }
        exit
    }
}

/// The error and its causes, joined; a cause that the message above it already repeats is left out.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace(['\n', '\r'], " ");
        if line.is_empty() {
            line = text;
        } else if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    line
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| match text.ends_with('\n') {
            true => out.flush(),
            false => out.write_all(b"\n").and_then(|()| out.flush()),
        });
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Sends logs to standard error: warnings, or more with `-v`, or what `RUST_LOG` asks for.
pub(crate) fn start_logging(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => {
            "info,tacita_server=debug,tacita_client=debug,tacita_transport=debug,tacita_authority=debug"
        }
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(verbose > 2);
    // Fails only if a subscriber is installed already, which then does the work.
    let _ = log.try_init();
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let error = Err::<(), _>(anyhow::anyhow!("no such\nfile"))
            .context("cannot read x")
            .unwrap_err();
        assert_eq!(one_line(&error), "cannot read x: no such file");
        let repeated = Err::<(), _>(anyhow::anyhow!("full"))
            .context("disk: full")
            .unwrap_err();
        assert_eq!(one_line(&repeated), "disk: full");
    }

    #[test]
    fn codes_survive_added_context() {
        let output = Output::new(false, false);
        let error = Err::<(), _>(refused("over budget"))
            .context("round 3")
            .unwrap_err();
        assert_eq!(output.failure(&error), Exit::Refused);
        assert_eq!(output.failure(&usage("no")), Exit::Usage);
        assert_eq!(output.failure(&anyhow::anyhow!("no")), Exit::Failed);
    }
}
