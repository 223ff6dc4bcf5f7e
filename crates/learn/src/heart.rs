//! Embedded `heart`: UCI Heart Disease, 740 patients of four hospitals (attribution in `data/ATTRIBUTION.md`).
//!
//! Features are scaled with the public constants below, round figures of clinical practice that were not computed from these
//! patients: statistics of private data would leak outside the privacy accounting. A cholesterol or a blood pressure of
//! 0 stands for "not measured" (all of Switzerland's cholesterol) and becomes the public centre, hence 0 after scaling.

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::dataset::{Dataset, DatasetError, HeldOut, Labels};

/// Names of the features, in order. `cp` (chest pain, 4 values) and `restecg` (resting ECG, 3 values) are one column a value
/// with the first value left out.
pub const FEATURES: [&str; 13] = [
    "age",
    "sex",
    "trestbps",
    "chol",
    "fbs",
    "thalach",
    "exang",
    "oldpeak",
    "cp=2",
    "cp=3",
    "cp=4",
    "restecg=1",
    "restecg=2",
];
/// Number of features.
pub const COLUMNS: usize = FEATURES.len();
/// Classes: 0 healthy, 1 disease.
pub const CLASSES: usize = 2;
/// The hospitals, in the order of [`load`].
pub const SITES: [&str; 4] = ["cleveland", "hungary", "switzerland", "long-beach"];

/// (centre, scale): years, mm Hg, mg/dl, beats a minute, mm of ST depression.
const AGE: (f32, f32) = (55.0, 10.0);
const BLOOD_PRESSURE: (f32, f32) = (130.0, 20.0);
const CHOLESTEROL: (f32, f32) = (240.0, 50.0);
const HEART_RATE: (f32, f32) = (140.0, 25.0);
const ST_DEPRESSION: (f32, f32) = (1.0, 1.0);

static COMPRESSED: &[u8] = include_bytes!("../data/heart.csv.gz");

/// The embedded copy is not what it was when it was committed.
#[derive(Debug, thiserror::Error)]
pub enum HeartError {
    /// It does not decompress or parse.
    #[error("the embedded heart data does not parse")]
    Parse(#[from] ::csv::Error),
    /// A site or code is out of range.
    #[error("row {0} of the embedded heart data has an unknown code")]
    Code(usize),
    /// A hospital's rows make no data set.
    #[error("the embedded heart data is damaged")]
    Dataset(#[from] DatasetError),
}

/// One row of the file, in its units.
#[derive(Deserialize)]
struct Patient {
    site: usize,
    age: f32,
    sex: f32,
    cp: u8,
    trestbps: f32,
    chol: f32,
    fbs: f32,
    restecg: u8,
    thalach: f32,
    exang: f32,
    oldpeak: f32,
    label: u32,
}

impl Patient {
    fn features(&self) -> [f32; COLUMNS] {
        let scaled = |value: f32, (centre, scale): (f32, f32)| (value - centre) / scale;
        let measured = |value: f32, range| if value == 0.0 { 0.0 } else { scaled(value, range) };
        let is = |value: u8, code: u8| f32::from(u8::from(value == code));
        [
            scaled(self.age, AGE),
            self.sex,
            measured(self.trestbps, BLOOD_PRESSURE),
            measured(self.chol, CHOLESTEROL),
            self.fbs,
            scaled(self.thalach, HEART_RATE),
            self.exang,
            scaled(self.oldpeak, ST_DEPRESSION),
            is(self.cp, 2),
            is(self.cp, 3),
            is(self.cp, 4),
            is(self.restecg, 1),
            is(self.restecg, 2),
        ]
    }
}

/// A hospital: one client.
#[derive(Debug, Clone)]
pub struct Site {
    /// One of [`SITES`].
    pub name: &'static str,
    /// All its patients.
    pub patients: Dataset,
}

impl Site {
    /// The hospital's patients with a fixed fifth held out.
    ///
    /// # Errors
    /// [`DatasetError`] for fewer than five patients.
    pub fn hold_out_fifth(&self) -> Result<HeldOut, DatasetError> {
        self.patients.hold_out_fifth()
    }
}

/// The four hospitals: 303, 261, 46 and 130 patients.
///
/// # Errors
/// [`HeartError`] only if the embedded file is damaged.
pub fn load() -> Result<Vec<Site>, HeartError> {
    let mut rows: [(Vec<f32>, Vec<u32>); SITES.len()] = Default::default();
    let mut reader = ::csv::Reader::from_reader(GzDecoder::new(COMPRESSED));
    for (index, patient) in reader.deserialize::<Patient>().enumerate() {
        let patient = patient?;
        if !(1..=4).contains(&patient.cp) || patient.restecg > 2 {
            return Err(HeartError::Code(index));
        }
        let (features, labels) = rows.get_mut(patient.site).ok_or(HeartError::Code(index))?;
        features.extend(patient.features());
        labels.push(patient.label);
    }
    SITES
        .into_iter()
        .zip(rows)
        .map(|(name, (features, values))| {
            let patients = Dataset::new(
                features,
                COLUMNS,
                Labels::Class {
                    values,
                    classes: CLASSES,
                },
            )?;
            Ok(Site { name, patients })
        })
        .collect()
}

/// The held-out fifths of all four hospitals together (147 patients): what the global model is scored on.
///
/// # Errors
/// [`HeartError`] only if the embedded file is damaged.
pub fn held_out() -> Result<Dataset, HeartError> {
    let parts = load()?
        .iter()
        .map(Site::hold_out_fifth)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Dataset::concat(parts.iter().map(|part| &part.held_out))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_four_hospitals() {
        assert_eq!(COMPRESSED.len(), 6_105);
        let sites = load().unwrap();
        let rows: Vec<usize> = sites.iter().map(|site| site.patients.rows()).collect();
        // The complete patients of FLamby's Fed-Heart-Disease: 740.
        assert_eq!(rows, [303, 261, 46, 130]);
        let ill: Vec<u32> = sites
            .iter()
            .map(|site| match site.patients.labels() {
                Labels::Class { values, .. } => values.iter().sum(),
                Labels::Real(_) => 0,
            })
            .collect();
        assert_eq!(ill, [139, 98, 45, 101]);
        assert_eq!(held_out().unwrap().rows(), 60 + 52 + 9 + 26);
    }

    #[test]
    fn first_patient_by_hand() {
        // 63 years, male, cp 1, 145 mm Hg, 233 mg/dl, fbs 1, restecg 2, 150 beats, no angina, 2.3 mm.
        let sites = load().unwrap();
        let expected = [0.8, 1.0, 0.75, -0.14, 1.0, 0.4, 0.0, 1.3, 0.0, 0.0, 0.0, 0.0, 1.0];
        for (value, expected) in sites[0].patients.features().iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
    }

    #[test]
    fn unmeasured_becomes_the_centre_and_ranges_are_moderate() {
        let sites = load().unwrap();
        let cholesterol = |site: usize| sites[site].patients.features().iter().skip(3).step_by(COLUMNS);
        assert!(cholesterol(2).all(|&value| value == 0.0));
        assert!(cholesterol(0).any(|&value| value != 0.0));
        for site in &sites {
            assert!(site.patients.features().iter().all(|value| value.abs() < 8.0));
        }
    }
}
