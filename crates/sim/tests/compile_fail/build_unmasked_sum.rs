//! A sum is what the end of a round says, for the survivors that it says.
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::server::UnmaskedSum;

fn build(mut sum: UnmaskedSum, survivors: Bitmap) -> UnmaskedSum {
    sum.survivors = survivors;
    sum
}

fn main() {}
