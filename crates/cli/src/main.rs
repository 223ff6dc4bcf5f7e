//! The one command, `tacita`.
fn main() {}
