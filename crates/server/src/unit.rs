//! `privacy.unit`: whose data epsilon is about, and what the record unit needs beside it.

use serde::{Deserialize, Serialize};
use tacita_learn::Algorithm;
use tacita_privacy::{RecordTerms, RecordTermsError};

use crate::config::ServerConfig;

/// A unit of privacy as a file names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Everything that one client sends; zero-out.
    #[default]
    Client,
    /// One record of one client; add-remove.
    Record,
}

/// The terms of the record unit; `None` in the client unit. What nobody carries out cannot be claimed.
pub(crate) fn terms(config: &ServerConfig) -> Result<Option<RecordTerms>, (&'static str, String)> {
    let privacy = &config.privacy;
    if privacy.unit == Unit::Client {
        if privacy.sampling.is_some() {
            return Err((
                "privacy.sampling",
                "this server picks the cohort and sees it, so no sampling of clients can be credited; records are sampled by coins of \
                 their client, with unit = \"record\""
                    .to_owned(),
            ));
        }
        return match (privacy.largest_records, privacy.expected_records) {
            (None, None) => Ok(None),
            (Some(_), _) => Err(("privacy.largest_records", only_records())),
            (None, Some(_)) => Err(("privacy.expected_records", only_records())),
        };
    }
    let needed = |key: &'static str| (key, "is needed with unit = \"record\"".to_owned());
    let sampling = privacy.sampling.ok_or(needed("privacy.sampling"))?;
    let largest = privacy.largest_records.ok_or(needed("privacy.largest_records"))?;
    let expected = privacy
        .expected_records
        .ok_or(needed("privacy.expected_records"))?;
    if privacy.weighting.is_some() {
        let message = "records have no weights: each counts as it is sampled";
        return Err(("privacy.weighting", message.to_owned()));
    }
    if privacy.metrics.is_some() || privacy.adaptive_clip.is_some() {
        let (key, what) = if privacy.metrics.is_some() {
            ("privacy.metrics", "figures")
        } else {
            ("privacy.adaptive_clip", "a count")
        };
        let message = format!(
            "has no bound for one record: {what} of a whole client would tell of all its records at once"
        );
        return Err((key, message));
    }
    if config.training.algorithm != Algorithm::FedSgd {
        let message = "must be fed-sgd with unit = \"record\": only one gradient of a record depends on that record alone, and \
                       later steps of a client would see records that the coins left out of the account";
        return Err(("training.algorithm", message.to_owned()));
    }
    if config.training.gradient_clip.is_some() {
        let message =
            "has no meaning with unit = \"record\": privacy.clip is the clip of each record's vector";
        return Err(("training.gradient_clip", message.to_owned()));
    }
    let terms = RecordTerms::new(sampling, largest, expected);
    terms.map(Some).map_err(|error| {
        let key = match error {
            RecordTermsError::Sampling(_) => "privacy.sampling",
            RecordTermsError::Largest(_) => "privacy.largest_records",
            RecordTermsError::Expected => "privacy.expected_records",
        };
        (key, error.to_string())
    })
}

fn only_records() -> String {
    "belongs to unit = \"record\"".to_owned()
}
