//! Embedded `digits`: UCI optdigits, 5,620 handwritten digits of 8 x 8 pixels (attribution in `data/ATTRIBUTION.md`).

use std::io::Read;

use flate2::read::GzDecoder;

use crate::dataset::{Dataset, DatasetError, HeldOut, Labels};

/// Rows in the file.
pub const ROWS: usize = 5_620;
/// Pixels a row.
pub const COLUMNS: usize = 64;
/// Classes, the digits 0 to 9.
pub const CLASSES: usize = 10;

/// Public constant that pixels (0 to 16) are divided by; every feature lies in [0, 1].
const PIXEL_SCALE: f32 = 16.0;

static COMPRESSED: &[u8] = include_bytes!("../data/optdigits.u8.gz");

/// The embedded copy is not what it was when it was committed.
#[derive(Debug, thiserror::Error)]
pub enum DigitsError {
    /// It does not decompress.
    #[error("the embedded digits do not decompress")]
    Decompress(#[source] std::io::Error),
    /// It has another length.
    #[error("the embedded digits have {0} bytes")]
    Length(usize),
    /// It holds values out of range.
    #[error("the embedded digits are damaged")]
    Dataset(#[from] DatasetError),
}

/// All 5,620 digits, features scaled to [0, 1] by the public constant 16.
///
/// # Errors
/// [`DigitsError`] only if the embedded file is damaged.
pub fn all() -> Result<Dataset, DigitsError> {
    let expected = ROWS * (COLUMNS + 1);
    let mut bytes = Vec::with_capacity(expected);
    GzDecoder::new(COMPRESSED)
        .take(expected as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(DigitsError::Decompress)?;
    if bytes.len() != expected {
        return Err(DigitsError::Length(bytes.len()));
    }
    let mut features = Vec::with_capacity(ROWS * COLUMNS);
    let mut values = Vec::with_capacity(ROWS);
    for row in bytes.chunks_exact(COLUMNS + 1) {
        let (pixels, label) = row.split_at(COLUMNS);
        features.extend(pixels.iter().map(|&pixel| f32::from(pixel) / PIXEL_SCALE));
        values.extend(label.iter().map(|&label| u32::from(label)));
    }
    Ok(Dataset::new(
        features,
        COLUMNS,
        Labels::Class {
            values,
            classes: CLASSES,
        },
    )?)
}

/// The digits with a fixed fifth (1,124) held out, the same for every seed; 4,496 remain for training.
///
/// # Errors
/// [`DigitsError`] only if the embedded file is damaged.
pub fn load() -> Result<HeldOut, DigitsError> {
    Ok(all()?.hold_out_fifth()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_ranges_and_split() {
        assert_eq!(COMPRESSED.len(), 142_051);
        let all = all().unwrap();
        assert_eq!((all.rows(), all.columns()), (ROWS, COLUMNS));
        assert!(all.features().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        assert!(all.features().contains(&1.0));
        let Labels::Class { values, .. } = all.labels() else {
            panic!("classes")
        };
        let mut counts = [0; CLASSES];
        for &value in values {
            counts[value as usize] += 1;
        }
        // Counts of the UCI documentation (training and test file together).
        assert_eq!(counts, [554, 571, 557, 572, 568, 558, 558, 566, 554, 562]);
        let parts = load().unwrap();
        assert_eq!((parts.train.rows(), parts.held_out.rows()), (4_496, 1_124));
    }
}
