//! The cohort of a task, and what follows from its size.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tacita_protocol::graph::{ParameterError, RoundParameters};
use tacita_protocol::kem::KeyAgreement;
use tacita_protocol::limits::{MAX_COHORT, MAX_NEIGHBOURS, SAMPLED_PERCENT, UNSAMPLED_COHORT};
use tacita_transport::limits::CONNECTIONS;

use crate::config::ConfigError;

/// The cohort.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortSection {
    /// n.
    pub clients: u16,
    /// m.
    pub minimum_survivors: u16,
    /// c.
    pub colluders: u16,
    /// Seconds to wait for the whole cohort before a round starts with fewer.
    #[serde(default = "minute")]
    pub wait_seconds: u32,
    /// How pairs of clients agree on their masks.
    #[serde(default)]
    pub key_agreement: Agreement,
}

/// How pairs of clients agree on their masks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// X25519 and ML-KEM-768.
    #[default]
    Hybrid,
    /// X25519 alone; clients refuse it unless their policy says otherwise.
    X25519,
}

impl From<Agreement> for KeyAgreement {
    fn from(agreement: Agreement) -> Self {
        match agreement {
            Agreement::Hybrid => Self::Hybrid,
            Agreement::X25519 => Self::Classical,
        }
    }
}

fn minute() -> u32 {
    60
}

/// Why clients would refuse every manifest of a cohort (TAC-003, TAC-004).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnservedCohort {
    /// n above the largest.
    #[error("this version serves at most {MAX_COHORT}")]
    TooLarge,
    /// The counts make no round.
    #[error(transparent)]
    Counts(#[from] ParameterError),
    /// m below what a sample of the signers needs.
    #[error(
        "above {UNSAMPLED_COHORT} clients at least {SAMPLED_PERCENT} % of clients and colluders, {least}"
    )]
    TooFewToSample {
        /// The least m.
        least: u32,
    },
    /// k above the most that messages have room for.
    #[error("each client would have {neighbours} neighbours, at most {MAX_NEIGHBOURS} are possible")]
    TooManyNeighbours {
        /// k.
        neighbours: u32,
    },
}

/// Graph, k, t and Q of a cohort of n clients, c of them colluding, of whom at least m survive, if clients accept manifests of
/// it.
///
/// # Errors
/// [`UnservedCohort`].
pub fn served_cohort(n: u32, c: u32, m: u32) -> Result<RoundParameters, UnservedCohort> {
    if n > u32::from(MAX_COHORT) {
        return Err(UnservedCohort::TooLarge);
    }
    let parameters = RoundParameters::derive(n, c, m)?;
    // Neither overflows: c < m <= n.
    let least = (SAMPLED_PERCENT * (n + c)).div_ceil(100);
    if n > u32::from(UNSAMPLED_COHORT) && m < least {
        return Err(UnservedCohort::TooFewToSample { least });
    }
    let neighbours = parameters.neighbours;
    if neighbours > u32::from(MAX_NEIGHBOURS) {
        return Err(UnservedCohort::TooManyNeighbours { neighbours });
    }
    Ok(parameters)
}

impl CohortSection {
    /// n, c and m.
    pub(crate) fn counts(&self) -> (u32, u32, u32) {
        (
            u32::from(self.clients),
            u32::from(self.colluders),
            u32::from(self.minimum_survivors),
        )
    }

    /// Graph, k, t and Q; `path` is only for the errors.
    ///
    /// # Errors
    /// [`ConfigError`] for a cohort of which every client would refuse the manifest (TAC-003, TAC-004).
    pub(crate) fn parameters(&self, path: &Path) -> Result<RoundParameters, ConfigError> {
        let (n, c, m) = self.counts();
        served_cohort(n, c, m).map_err(|error| {
            let wrong = |key| ConfigError::Value {
                path: path.to_owned(),
                key,
                message: error.to_string(),
            };
            match error {
                UnservedCohort::Counts(source) => ConfigError::Cohort {
                    path: path.to_owned(),
                    source,
                },
                UnservedCohort::TooLarge => wrong("cohort.clients"),
                UnservedCohort::TooFewToSample { .. } | UnservedCohort::TooManyNeighbours { .. } => {
                    wrong("cohort.minimum_survivors")
                }
            }
        })
    }

    /// Connections to hold open: the usual bound, or twice the cohort if that is more, so that members can wait for a place
    /// and a lost connection's successor finds one.
    pub(crate) fn connections(&self) -> usize {
        CONNECTIONS.max(2 * usize::from(self.clients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cohort(clients: u16, colluders: u16, minimum_survivors: u16) -> CohortSection {
        CohortSection {
            clients,
            minimum_survivors,
            colluders,
            wait_seconds: 60,
            key_agreement: Agreement::Hybrid,
        }
    }

    /// Failure: a cohort larger than the usual bound on connections can never be complete.
    #[test]
    fn every_member_finds_a_connection() {
        for clients in [3, 1000, 1024, 1025, 2048, 2049, MAX_COHORT] {
            let open = cohort(clients, 0, clients).connections();
            assert!(
                open >= 2 * usize::from(clients) && open >= CONNECTIONS,
                "{clients}: {open}"
            );
        }
        assert_eq!(cohort(1000, 0, 1000).connections(), CONNECTIONS);
        assert_eq!(cohort(MAX_COHORT, 0, MAX_COHORT).connections(), 20_000);
    }

    /// Failure: a server starts with a cohort of which every client refuses the manifest.
    #[test]
    fn cohorts_that_no_client_would_join() {
        let refused = |cohort: CohortSection| match cohort.parameters(Path::new("x")) {
            Err(ConfigError::Value { key, message, .. }) => format!("{key}: {message}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused(cohort(10_001, 500, 9_500)),
            "cohort.clients: this version serves at most 10000"
        );
        // 0.76 x 1,101 = 836.76.
        assert_eq!(
            refused(cohort(1_050, 51, 836)),
            "cohort.minimum_survivors: above 1000 clients at least 76 % of clients and colluders, 837"
        );
        assert!(cohort(1_050, 51, 837).parameters(Path::new("x")).is_ok());
        let neighbours = RoundParameters::derive(1_000, 200, 650).unwrap().neighbours;
        assert!(neighbours > u32::from(MAX_NEIGHBOURS));
        assert_eq!(
            refused(cohort(1_000, 200, 650)),
            format!(
                "cohort.minimum_survivors: each client would have {neighbours} neighbours, at most {MAX_NEIGHBOURS} are possible"
            )
        );
    }
}
