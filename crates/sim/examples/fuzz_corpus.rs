//! Writes the corpora of the fuzz targets anew: `cargo run --release -p tacita-sim --example fuzz_corpus`. Needed when a message
//! changes its form; files that are not made here (findings) stay.
#![allow(clippy::print_stdout)] // It says what it wrote.

use std::fs;
use std::path::Path;

use tacita_sim::fuzzing::corpus;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    for (target, inputs) in corpus::make()? {
        let folder = root.join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in &inputs {
            fs::write(folder.join(name), bytes)?;
        }
        println!("{target}: {} inputs", inputs.len());
    }
    Ok(())
}
