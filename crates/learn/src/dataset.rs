//! A data set in memory: a row-major feature matrix and its labels.

use core::fmt;

use crate::shuffle::{generator, permutation};

/// Most features a data set or model may have.
pub const MAX_COLUMNS: usize = 4_096;
/// Most classes.
pub const MAX_CLASSES: usize = 1_024;
/// Most feature values (rows x columns): 256 MiB of `f32`.
pub const MAX_VALUES: usize = 1 << 26;

/// What a data set cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// No rows.
    #[error("the data set has no rows")]
    Empty,
    /// No columns, or more than [`MAX_COLUMNS`].
    #[error("a data set has 1 to {MAX_COLUMNS} feature columns, not {0}")]
    Columns(usize),
    /// Fewer than two classes, or more than [`MAX_CLASSES`].
    #[error("a classification has 2 to {MAX_CLASSES} classes, not {0}")]
    Classes(usize),
    /// More values than [`MAX_VALUES`].
    #[error("the data set has more than {MAX_VALUES} values")]
    TooLarge,
    /// The feature vector is not rows x columns.
    #[error("{values} feature values do not make {rows} rows of {columns} columns")]
    Shape {
        /// Values given.
        values: usize,
        /// Labels given.
        rows: usize,
        /// Columns claimed.
        columns: usize,
    },
    /// A NaN or infinite feature.
    #[error("row {row}, column {column}: not a finite number")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
    },
    /// A NaN or infinite real label, or a class outside the range.
    #[error("row {row}: the label is out of range")]
    Label {
        /// Row, from 0.
        row: usize,
    },
    /// A row index past the end.
    #[error("row {row} of {rows}")]
    NoSuchRow {
        /// Row asked for, from 0.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
    /// Two sets with different columns or tasks were to be joined.
    #[error("the data sets have different columns or labels")]
    Mismatch,
    /// Too few rows to hold a fifth out.
    #[error("holding out a fifth needs at least 5 rows, there are {0}")]
    TooFewToHoldOut(usize),
}

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One of `classes` classes.
    Classification {
        /// Number of classes.
        classes: usize,
    },
    /// A real number.
    Regression,
}

/// One label a row.
#[derive(Clone, PartialEq)]
pub enum Labels {
    /// Class indices, each below `classes`.
    Class {
        /// One a row.
        values: Vec<u32>,
        /// Number of classes.
        classes: usize,
    },
    /// Real targets.
    Real(Vec<f32>),
}

impl Labels {
    /// Number of labels.
    pub fn len(&self) -> usize {
        match self {
            Self::Class { values, .. } => values.len(),
            Self::Real(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Labels")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Features (row-major, finite) and labels. Its `Debug` shows the shape alone.
#[derive(Clone, PartialEq)]
pub struct Dataset {
    features: Vec<f32>,
    columns: usize,
    labels: Labels,
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("rows", &self.rows())
            .field("columns", &self.columns)
            .field("task", &self.task())
            .finish_non_exhaustive()
    }
}

/// A data set cut in two.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// For training.
    pub train: Dataset,
    /// A fifth, never trained on.
    pub held_out: Dataset,
}

impl Dataset {
    /// Checks and builds. `features` is row-major, one row a label.
    ///
    /// # Errors
    /// Any [`DatasetError`] about shape, size, non-finite values or labels out of range.
    pub fn new(features: Vec<f32>, columns: usize, labels: Labels) -> Result<Self, DatasetError> {
        let rows = labels.len();
        if rows == 0 {
            return Err(DatasetError::Empty);
        }
        if columns == 0 || columns > MAX_COLUMNS {
            return Err(DatasetError::Columns(columns));
        }
        if features.len() > MAX_VALUES {
            return Err(DatasetError::TooLarge);
        }
        if rows.checked_mul(columns) != Some(features.len()) {
            return Err(DatasetError::Shape {
                values: features.len(),
                rows,
                columns,
            });
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            return Err(DatasetError::NotFinite {
                row: at / columns,
                column: at % columns,
            });
        }
        let bad = match &labels {
            Labels::Class { classes, .. } if *classes < 2 || *classes > MAX_CLASSES => {
                return Err(DatasetError::Classes(*classes));
            }
            Labels::Class { values, classes } => values.iter().position(|&class| class as usize >= *classes),
            Labels::Real(values) => values.iter().position(|value| !value.is_finite()),
        };
        match bad {
            Some(row) => Err(DatasetError::Label { row }),
            None => Ok(Self {
                features,
                columns,
                labels,
            }),
        }
    }

    /// Number of examples.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All features, row-major.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// The labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        match &self.labels {
            Labels::Class { classes, .. } => Task::Classification { classes: *classes },
            Labels::Real(_) => Task::Regression,
        }
    }

    /// The rows with the given indices (from 0), in that order; an index may repeat.
    ///
    /// # Errors
    /// [`DatasetError::NoSuchRow`], [`DatasetError::Empty`] for no indices, [`DatasetError::TooLarge`].
    pub fn select(&self, rows: &[usize]) -> Result<Self, DatasetError> {
        if rows.is_empty() {
            return Err(DatasetError::Empty);
        }
        if rows.len().saturating_mul(self.columns) > MAX_VALUES {
            return Err(DatasetError::TooLarge);
        }
        if let Some(&row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(DatasetError::NoSuchRow {
                row,
                rows: self.rows(),
            });
        }
        let mut features = Vec::with_capacity(rows.len() * self.columns);
        for &row in rows {
            features.extend_from_slice(&self.features[row * self.columns..(row + 1) * self.columns]);
        }
        let labels = match &self.labels {
            Labels::Class { values, classes } => Labels::Class {
                values: rows.iter().map(|&row| values[row]).collect(),
                classes: *classes,
            },
            Labels::Real(values) => Labels::Real(rows.iter().map(|&row| values[row]).collect()),
        };
        Ok(Self {
            features,
            columns: self.columns,
            labels,
        })
    }

    /// All rows of several sets, one after the other.
    ///
    /// # Errors
    /// [`DatasetError::Mismatch`] if columns or tasks differ, [`DatasetError::Empty`] for no sets, [`DatasetError::TooLarge`].
    pub fn concat<'a>(sets: impl IntoIterator<Item = &'a Dataset>) -> Result<Self, DatasetError> {
        let mut sets = sets.into_iter();
        let mut joined = sets.next().ok_or(DatasetError::Empty)?.clone();
        for set in sets {
            if set.columns != joined.columns || set.task() != joined.task() {
                return Err(DatasetError::Mismatch);
            }
            if joined.features.len().saturating_add(set.features.len()) > MAX_VALUES {
                return Err(DatasetError::TooLarge);
            }
            joined.features.extend_from_slice(&set.features);
            match (&mut joined.labels, &set.labels) {
                (Labels::Class { values, .. }, Labels::Class { values: more, .. }) => {
                    values.extend_from_slice(more)
                }
                (Labels::Real(values), Labels::Real(more)) => values.extend_from_slice(more),
                _ => return Err(DatasetError::Mismatch),
            }
        }
        Ok(joined)
    }

    /// Holds out a fifth of the rows (rounded down), chosen by a permutation that depends on the number of rows alone:
    /// no seed moves it, so that figures of different runs are about the same examples. Both parts keep the order of the rows.
    ///
    /// # Errors
    /// [`DatasetError::TooFewToHoldOut`] below five rows.
    pub fn hold_out_fifth(&self) -> Result<HeldOut, DatasetError> {
        let rows = self.rows();
        if rows < 5 {
            return Err(DatasetError::TooFewToHoldOut(rows));
        }
        let mut order = permutation(rows, &mut generator("tacita/held-out", 0));
        let (held_out, train) = order.split_at_mut(rows / 5);
        held_out.sort_unstable();
        train.sort_unstable();
        Ok(HeldOut {
            train: self.select(train)?,
            held_out: self.select(held_out)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toy(rows: usize) -> Dataset {
        let features = (0..rows * 2).map(|v| v as f32).collect();
        let values = (0..rows).map(|row| (row % 3) as u32).collect();
        Dataset::new(features, 2, Labels::Class { values, classes: 3 }).unwrap()
    }

    #[test]
    fn refuses_what_it_must() {
        let class = |values: Vec<u32>, classes| Labels::Class { values, classes };
        assert_eq!(
            Dataset::new(vec![], 1, Labels::Real(vec![])),
            Err(DatasetError::Empty)
        );
        assert_eq!(
            Dataset::new(vec![], 0, Labels::Real(vec![1.0])),
            Err(DatasetError::Columns(0))
        );
        assert_eq!(
            Dataset::new(vec![1.0; 3], 2, Labels::Real(vec![1.0; 2])),
            Err(DatasetError::Shape {
                values: 3,
                rows: 2,
                columns: 2
            })
        );
        assert_eq!(
            Dataset::new(vec![1.0, 2.0, 3.0, f32::NAN], 2, Labels::Real(vec![1.0; 2])),
            Err(DatasetError::NotFinite { row: 1, column: 1 })
        );
        assert_eq!(
            Dataset::new(vec![1.0; 2], 1, class(vec![0, 2], 2)),
            Err(DatasetError::Label { row: 1 })
        );
        assert_eq!(
            Dataset::new(vec![1.0], 1, class(vec![0], 1)),
            Err(DatasetError::Classes(1))
        );
        assert_eq!(
            Dataset::new(vec![1.0], 1, Labels::Real(vec![f32::INFINITY])),
            Err(DatasetError::Label { row: 0 })
        );
    }

    #[test]
    fn select_and_concat_keep_rows_together() {
        let set = toy(6);
        let picked = set.select(&[4, 0]).unwrap();
        assert_eq!(picked.features(), [8.0, 9.0, 0.0, 1.0]);
        assert_eq!(
            picked.labels(),
            &Labels::Class {
                values: vec![1, 0],
                classes: 3
            }
        );
        assert_eq!(set.select(&[6]), Err(DatasetError::NoSuchRow { row: 6, rows: 6 }));
        let (low, high) = (set.select(&[0, 1, 2]).unwrap(), set.select(&[3, 4, 5]).unwrap());
        assert_eq!(Dataset::concat([&low, &high]).unwrap(), set);
        let other = Dataset::new(vec![1.0, 1.0], 2, Labels::Real(vec![0.0])).unwrap();
        assert_eq!(Dataset::concat([&low, &other]), Err(DatasetError::Mismatch));
    }

    #[test]
    fn the_held_out_fifth_is_disjoint_complete_and_fixed() {
        let set = toy(52);
        let parts = set.hold_out_fifth().unwrap();
        assert_eq!((parts.train.rows(), parts.held_out.rows()), (42, 10));
        let mut firsts: Vec<f32> = [&parts.train, &parts.held_out]
            .iter()
            .flat_map(|part| part.features().iter().step_by(2).copied())
            .collect();
        firsts.sort_by(f32::total_cmp);
        assert_eq!(firsts, (0..52).map(|row| (row * 2) as f32).collect::<Vec<_>>());
        assert_eq!(set.hold_out_fifth().unwrap().held_out, parts.held_out);
        assert_eq!(
            toy(4).hold_out_fifth().unwrap_err(),
            DatasetError::TooFewToHoldOut(4)
        );
    }

    #[test]
    fn debug_shows_no_values() {
        let text = format!("{:?}", toy(6));
        assert!(text.contains("rows: 6") && !text.contains("11"), "{text}");
        assert!(!format!("{:?}", toy(6).labels()).contains('['));
    }
}
