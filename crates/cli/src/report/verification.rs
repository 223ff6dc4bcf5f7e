//! What the report says about the ledger that it was computed from.

use serde::Serialize;

/// How far the ledger can be trusted to be the one that participants saw.
#[derive(Debug, Serialize)]
pub(crate) struct Verification {
    pub(crate) origin: String,
    pub(crate) size: u64,
    /// Root over its entries, hex.
    pub(crate) root: String,
    pub(crate) origin_checked: bool,
    /// In the words of the specification.
    pub(crate) check: &'static str,
    pub(crate) witnessed: bool,
    /// The same in words, with the numbers behind it.
    pub(crate) witness: String,
    /// Keys that signed it, with the size from which on each did.
    pub(crate) keys: Vec<(u64, String)>,
    /// Times of the first and the last entry, unix seconds.
    pub(crate) period: Option<(u64, u64)>,
    /// When the report was made, as the caller says; the report itself looks at no clock.
    pub(crate) date: Option<String>,
}

/// A time in UTC, for people.
pub(crate) fn utc(seconds: u64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|at| at.format(&format).ok())
        // Entries may state any time below 2^53.
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}
