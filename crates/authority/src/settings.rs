//! `authority.toml`.

use serde::{Deserialize, Serialize};
use tacita_identity::{DEFAULT_LIFE_SECONDS, Life, LifeError};

/// What an operator may choose. Everything else is a constant of the profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address that invitations name, `host:port`, as participants reach it. Without it, the address that `serve`
    /// last listened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Life of members' certificates in seconds; 300 to 604,800.
    #[serde(default = "default_life")]
    pub certificate_life_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: None,
            certificate_life_seconds: DEFAULT_LIFE_SECONDS,
        }
    }
}

impl Settings {
    /// The life within its bounds.
    ///
    /// # Errors
    /// [`LifeError`].
    pub fn life(&self) -> Result<Life, LifeError> {
        Life::from_seconds(self.certificate_life_seconds)
    }
}

const fn default_life() -> u64 {
    DEFAULT_LIFE_SECONDS
}
