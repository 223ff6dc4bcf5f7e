//! How a task trains, as the text that the server signs in every manifest and each client reads: canonical JSON with
//! integers and decimal strings only.

use core::str::FromStr;

use serde::{Deserialize, Serialize};
use tacita_privacy::Decimal;

use crate::model::ModelSpec;
use crate::train::{Algorithm, TrainConfig, TrainError};

/// Why a training text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstructionsError {
    /// Not the expected JSON.
    #[error("the training text is malformed: {0}")]
    Malformed(String),
    /// The same values have another, canonical text.
    #[error("the training text is not canonical")]
    NotCanonical,
    /// The model is unknown.
    #[error("the training text names the model \"{0}\", which this version does not know")]
    Model(String),
    /// A setting is out of range.
    #[error(transparent)]
    Train(#[from] TrainError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    // Alphabetical, so that the text is canonical.
    algorithm: Algorithm,
    batch: u32,
    epochs: u32,
    gradient_clip: Option<Decimal>,
    learning_rate: Decimal,
    model: String,
}

/// The model and how each client trains it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instructions {
    /// The model.
    pub model: ModelSpec,
    /// How the delta comes about.
    pub algorithm: Algorithm,
    /// Passes over the local examples.
    pub epochs: u32,
    /// Examples a step; 0 takes all of them at once.
    pub batch: u32,
    /// Step size.
    pub learning_rate: Decimal,
    /// Largest gradient norm of a batch.
    pub gradient_clip: Option<Decimal>,
}

impl Instructions {
    /// The canonical text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let text = Text {
            algorithm: self.algorithm,
            batch: self.batch,
            epochs: self.epochs,
            gradient_clip: self.gradient_clip,
            learning_rate: self.learning_rate,
            model: self.model.to_string(),
        };
        // Cannot fail: strings and integers.
        serde_json::to_string(&text).unwrap_or_default()
    }

    /// Reads a text and checks every setting.
    ///
    /// # Errors
    /// [`InstructionsError`] by cause.
    pub fn from_text(text: &str) -> Result<Self, InstructionsError> {
        let parsed: Text =
            serde_json::from_str(text).map_err(|e| InstructionsError::Malformed(e.to_string()))?;
        let model =
            ModelSpec::from_str(&parsed.model).map_err(|_| InstructionsError::Model(parsed.model.clone()))?;
        let instructions = Self {
            model,
            algorithm: parsed.algorithm,
            epochs: parsed.epochs,
            batch: parsed.batch,
            learning_rate: parsed.learning_rate,
            gradient_clip: parsed.gradient_clip,
        };
        instructions.config().check()?;
        if instructions.to_text() == text {
            Ok(instructions)
        } else {
            Err(InstructionsError::NotCanonical)
        }
    }

    /// The trainer's form.
    #[must_use]
    pub fn config(&self) -> TrainConfig {
        TrainConfig {
            algorithm: self.algorithm,
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate.to_f64() as f32,
            gradient_clip: self.gradient_clip.map(|clip| clip.to_f64() as f32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_only_one_text_means_it() {
        let instructions = Instructions {
            model: ModelSpec::Softmax {
                inputs: 64,
                classes: 10,
            },
            algorithm: Algorithm::FedAvg,
            epochs: 5,
            batch: 0,
            learning_rate: "0.5".parse().unwrap(),
            gradient_clip: None,
        };
        let text = instructions.to_text();
        assert_eq!(Instructions::from_text(&text).unwrap(), instructions);
        assert_eq!(
            Instructions::from_text(&text.replace(':', ": ")),
            Err(InstructionsError::NotCanonical)
        );
        assert!(Instructions::from_text(&text.replace("0.5", "0")).is_err());
        assert!(matches!(
            Instructions::from_text(&text.replace("softmax", "mystery")),
            Err(InstructionsError::Model(_))
        ));
    }
}
