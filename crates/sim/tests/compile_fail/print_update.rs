//! An update is not for reading.
use tacita_privacy::NoisedUpdate;

fn print(update: &NoisedUpdate) {
    println!("{update}");
}

fn main() {}
