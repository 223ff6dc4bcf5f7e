//! Starting the real binary and keeping what it said.
#![allow(dead_code, unreachable_pub)] // Each test uses a part of it.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a finished command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output as the one JSON document that it must be.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard error without its `error: `; it must be one such line.
    pub fn error(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.contains('\n'), "more than one line: {}", self.stderr);
        line.strip_prefix("error: ")
            .unwrap_or_else(|| panic!("no error line: {self:?}"))
    }
}

/// The binary, ready for arguments, with nothing of the caller's environment that changes what it says.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tacita"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs `tacita` to its end.
pub fn tacita(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    let output = command().args(args).output().expect("the binary starts");
    Ran {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}
