//! A checked manifest is as it was checked.
use tacita_protocol::manifest::CheckedManifest;

fn lower(manifest: &mut CheckedManifest) {
    manifest.manifest.threshold = 2;
}

fn main() {}
