//! The data that the server evaluates global models on, if it has any.

use tacita_learn::{Dataset, DatasetError, EmbeddedData};

use crate::config::{Checked, ServerConfig};
use crate::server::ServerError;

pub(crate) fn evaluation_data(
    config: &ServerConfig,
    checked: &Checked,
) -> Result<Option<Dataset>, ServerError> {
    let text = |e: &dyn std::fmt::Display| ServerError::Data(e.to_string());
    let held_out = |data: Result<Dataset, DatasetError>| data.map(Some).map_err(|e| text(&e));
    let section = &config.evaluation;
    match (checked.embedded, &section.path) {
        (Some(EmbeddedData::Digits), _) => {
            Ok(Some(tacita_learn::digits::load().map_err(|e| text(&e))?.held_out))
        }
        (Some(EmbeddedData::Heart), _) => Ok(Some(tacita_learn::heart::held_out().map_err(|e| text(&e))?)),
        (None, Some(path)) => {
            let options = section
                .csv
                .as_ref()
                .ok_or_else(|| ServerError::Data("[evaluation.csv] with the label is missing".into()))?;
            held_out(Ok(tacita_learn::csv::read(path, options)
                .map_err(|e| text(&e))?
                .data))
        }
        (None, None) => Ok(None),
    }
}
