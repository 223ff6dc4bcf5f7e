//! A round is opened with a checked manifest.
use std::sync::Arc;

use tacita_protocol::manifest::Manifest;
use tacita_protocol::server::Gathering;

fn open(manifest: Arc<Manifest>) -> Gathering {
    Gathering::open(manifest)
}

fn main() {}
