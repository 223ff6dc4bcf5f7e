//! Append-only signed log in the C2SP formats.
