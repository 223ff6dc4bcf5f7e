//! A participant's own data: one CSV file with a header.
//!
//! All clients of a task must agree on the order of the columns, the classes and the scales, so these come from the
//! configuration and never from the file's contents: with `features` unset the header's order counts. Scaling uses public
//! constants only. Errors name file, line (from 1, the header is line 1) and column, but repeat no cell: logs travel further
//! than the data may.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ::csv::{ReaderBuilder, StringRecord, Trim};
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, DatasetError, Labels, MAX_CLASSES, MAX_COLUMNS, MAX_VALUES};

/// Largest file read, in bytes.
pub const MAX_FILE_BYTES: u64 = 512 << 20;
/// Most rows read.
pub const MAX_ROWS: usize = 4_000_000;

/// What the label column holds. In TOML: `target = "regression"` or `target = { classification = ["no", "yes"] }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// One of these words, all classes of the task and the same list for every client; a label's index in the list is its class.
    Classification(Vec<String>),
    /// A real number.
    Regression,
}

/// Public constants: a cell becomes (value - centre) / scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Subtracted first.
    #[serde(default)]
    pub centre: f32,
    /// Then divided by; finite and positive.
    pub scale: f32,
}

/// How to read a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvOptions {
    /// Name of the label column.
    pub label: String,
    /// What it holds.
    pub target: Target,
    /// Feature columns in the order of the model's inputs; other columns are ignored. Unset: every column but the label.
    #[serde(default)]
    pub features: Option<Vec<String>>,
    /// Public scale by column name (the label too, in a regression); columns not named stay as they are.
    #[serde(default)]
    pub scales: BTreeMap<String, Scale>,
}

/// Where in a file something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u64,
    /// Column name.
    pub column: String,
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{}, line {}, column {:?}",
            self.file.display(),
            self.line,
            self.column
        )
    }
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// It cannot be opened or read.
    #[error("{}: cannot be read: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("{}: larger than {MAX_FILE_BYTES} bytes", .0.display())]
    FileTooLarge(PathBuf),
    /// A line is not valid UTF-8 CSV.
    #[error("{}, line {line}: not valid UTF-8 text", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
    },
    /// The first line names no columns.
    #[error("{}, line 1: no header", .0.display())]
    NoHeader(PathBuf),
    /// A header cell is empty or repeats a name.
    #[error("{}, line 1: column {number} is empty or repeats a name", file.display())]
    HeaderCell {
        /// The file.
        file: PathBuf,
        /// Column number, from 1.
        number: usize,
    },
    /// A column that the configuration names is not in the header.
    #[error("{}, line 1: no column {column:?}", file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The name.
        column: String,
    },
    /// More columns than [`MAX_COLUMNS`], or no feature column.
    #[error("{}, line 1: {columns} feature columns (1 to {MAX_COLUMNS} allowed)", file.display())]
    Columns {
        /// The file.
        file: PathBuf,
        /// Feature columns.
        columns: usize,
    },
    /// A line has too few or too many cells.
    #[error("{}, line {line}: {found} cells where the header has {expected}", file.display())]
    Width {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Cells found.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// An empty cell.
    #[error("{0}: empty cell")]
    Empty(Place),
    /// A cell that is no number.
    #[error("{0}: not a number")]
    NotANumber(Place),
    /// NaN, infinity, or a number too large for `f32` before or after scaling.
    #[error("{0}: not finite")]
    NotFinite(Place),
    /// A label that is not among the configured classes.
    #[error("{0}: the label is not among the configured classes")]
    UnknownClass(Place),
    /// Too many rows or values.
    #[error("{}, line {line}: more than {MAX_ROWS} rows or {MAX_VALUES} values", file.display())]
    TooManyRows {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
    },
    /// A header and nothing else.
    #[error("{}: no rows", .0.display())]
    NoRows(PathBuf),
    /// The configuration lists fewer than 2 or more than [`MAX_CLASSES`] classes, an empty or a repeated one.
    #[error("the configured classes must be 2 to {MAX_CLASSES} distinct words")]
    Classes,
    /// The configuration lists the label or the same column twice among the features.
    #[error("the configured feature column {0:?} is the label or is listed twice")]
    Features(String),
    /// A scale is not finite and positive, its centre is not finite, or its column is unknown.
    #[error("the configured scale of column {0:?} is not usable")]
    Scale(String),
    /// The rows make no data set.
    #[error("{}: not usable: {source}", file.display())]
    Dataset {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: DatasetError,
    },
}

/// A file's rows and the names of its feature columns, in the order of the model's inputs.
#[derive(Debug, Clone)]
pub struct Table {
    /// The rows.
    pub data: Dataset,
    /// One name a feature.
    pub columns: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// [`CsvError`], which says where.
pub fn read(path: &Path, options: &CsvOptions) -> Result<Table, CsvError> {
    let io = |source| CsvError::Io {
        file: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() > MAX_FILE_BYTES {
        return Err(CsvError::FileTooLarge(path.to_owned()));
    }
    // Also capped while reading: the file may grow, or be a device.
    parse(path, BufReader::new(file).take(MAX_FILE_BYTES), options)
}

/// Parses CSV text; `file` is only for the errors.
///
/// # Errors
/// [`CsvError`], which says where.
pub fn parse(file: &Path, input: impl Read, options: &CsvOptions) -> Result<Table, CsvError> {
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .flexible(true)
        .from_reader(input);
    let header = reader
        .headers()
        .map_err(|error| reading(file, &error, 1))?
        .clone();
    let plan = Plan::new(file, &header, options)?;
    let (mut features, mut classes, mut reals) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0_usize;
    let mut record = StringRecord::new();
    loop {
        let next_line = reader.position().line();
        if !reader
            .read_record(&mut record)
            .map_err(|error| reading(file, &error, next_line))?
        {
            break;
        }
        let line = record.position().map_or(next_line, ::csv::Position::line);
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            return Err(CsvError::Width {
                file: file.to_owned(),
                line,
                found,
                expected,
            });
        }
        rows += 1;
        if rows > MAX_ROWS || features.len() + plan.features.len() > MAX_VALUES {
            return Err(CsvError::TooManyRows {
                file: file.to_owned(),
                line,
            });
        }
        for column in &plan.features {
            features.push(column.number(file, line, &record)?);
        }
        let text = plan.label.text(file, line, &record)?;
        match &plan.classes {
            Some(known) => match known.get(text) {
                Some(&class) => classes.push(class),
                None => return Err(CsvError::UnknownClass(plan.label.place(file, line))),
            },
            None => reals.push(plan.label.number(file, line, &record)?),
        }
    }
    if rows == 0 {
        return Err(CsvError::NoRows(file.to_owned()));
    }
    let labels = match &plan.classes {
        Some(known) => Labels::Class {
            values: classes,
            classes: known.len(),
        },
        None => Labels::Real(reals),
    };
    let columns: Vec<String> = plan
        .features
        .into_iter()
        .map(|column| column.name.to_owned())
        .collect();
    let data = Dataset::new(features, columns.len(), labels).map_err(|source| CsvError::Dataset {
        file: file.to_owned(),
        source,
    })?;
    Ok(Table { data, columns })
}

fn reading(file: &Path, error: &::csv::Error, line: u64) -> CsvError {
    let file = file.to_owned();
    match error.kind() {
        // The source cannot be moved out of a borrowed kind; its kind and message survive.
        ::csv::ErrorKind::Io(io) => CsvError::Io {
            file,
            source: std::io::Error::new(io.kind(), io.to_string()),
        },
        kind => CsvError::Malformed {
            file,
            line: kind.position().map_or(line, ::csv::Position::line),
        },
    }
}

/// One column to read.
struct Column<'a> {
    index: usize,
    name: &'a str,
    scale: Option<Scale>,
}

impl Column<'_> {
    fn place(&self, file: &Path, line: u64) -> Place {
        Place {
            file: file.to_owned(),
            line,
            column: self.name.to_owned(),
        }
    }

    fn text<'r>(&self, file: &Path, line: u64, record: &'r StringRecord) -> Result<&'r str, CsvError> {
        match record.get(self.index) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(CsvError::Empty(self.place(file, line))),
        }
    }

    fn number(&self, file: &Path, line: u64, record: &StringRecord) -> Result<f32, CsvError> {
        let text = self.text(file, line, record)?;
        let value: f32 = text
            .parse()
            .map_err(|_| CsvError::NotANumber(self.place(file, line)))?;
        let value = self
            .scale
            .map_or(value, |scale| (value - scale.centre) / scale.scale);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(CsvError::NotFinite(self.place(file, line)))
        }
    }
}

/// The configuration resolved against a header.
struct Plan<'a> {
    features: Vec<Column<'a>>,
    label: Column<'a>,
    classes: Option<HashMap<&'a str, u32>>,
}

impl<'a> Plan<'a> {
    fn new(file: &Path, header: &'a StringRecord, options: &'a CsvOptions) -> Result<Self, CsvError> {
        if header.iter().all(str::is_empty) {
            return Err(CsvError::NoHeader(file.to_owned()));
        }
        let mut positions = HashMap::new();
        for (index, name) in header.iter().enumerate() {
            if name.is_empty() || positions.insert(name, index).is_some() {
                return Err(CsvError::HeaderCell {
                    file: file.to_owned(),
                    number: index + 1,
                });
            }
        }
        let column = |name: &'a str| match positions.get(name) {
            Some(&index) => Ok(Column {
                index,
                name,
                scale: options.scales.get(name).copied(),
            }),
            None => Err(CsvError::MissingColumn {
                file: file.to_owned(),
                column: name.to_owned(),
            }),
        };
        let label = column(&options.label)?;
        let features: Vec<Column<'a>> = match &options.features {
            Some(names) => names.iter().map(|name| column(name)).collect::<Result<_, _>>()?,
            None => header
                .iter()
                .filter(|name| *name != options.label)
                .map(column)
                .collect::<Result<_, _>>()?,
        };
        if features.is_empty() || features.len() > MAX_COLUMNS {
            return Err(CsvError::Columns {
                file: file.to_owned(),
                columns: features.len(),
            });
        }
        let mut taken = std::collections::HashSet::from([label.index]);
        if let Some(twice) = features.iter().find(|column| !taken.insert(column.index)) {
            return Err(CsvError::Features(twice.name.to_owned()));
        }
        for (name, scale) in &options.scales {
            let usable = scale.centre.is_finite() && scale.scale.is_finite() && scale.scale > 0.0;
            // A scale for a column that is not read would be a spelling mistake that nobody sees.
            let read = positions
                .get(name.as_str())
                .is_some_and(|index| taken.contains(index));
            let is_class = *name == options.label && options.target != Target::Regression;
            if !usable || !read || is_class {
                return Err(CsvError::Scale(name.clone()));
            }
        }
        let classes = match &options.target {
            Target::Regression => None,
            Target::Classification(classes) => {
                let index: HashMap<&str, u32> = classes.iter().map(|class| class.trim()).zip(0..).collect();
                let distinct = index.len() == classes.len() && !index.contains_key("");
                if !distinct || !(2..=MAX_CLASSES).contains(&classes.len()) {
                    return Err(CsvError::Classes);
                }
                Some(index)
            }
        };
        Ok(Self {
            features,
            label,
            classes,
        })
    }
}

#[cfg(test)]
mod tests;
