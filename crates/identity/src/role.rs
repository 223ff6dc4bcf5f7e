//! Roles, the subject alternative name that carries them, and the 32-byte identity derived from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::tagged;
use crate::name::{Name, NameError};

/// What a certificate lets its holder be. No certificate is for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A participant: trains and uploads.
    Client,
    /// The aggregation server.
    Server,
}

impl Role {
    /// `client` or `server`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Client => 1,
            Self::Server => 2,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Client),
            2 => Some(Self::Server),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = SanError;
    fn from_str(text: &str) -> Result<Self, SanError> {
        match text {
            "client" => Ok(Self::Client),
            "server" => Ok(Self::Server),
            _ => Err(SanError::Kind),
        }
    }
}

/// A parsed subject alternative name: `tacita:client:NAME`, `tacita:server:NAME` or `tacita:authority:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// A member of the service.
    Member(Role, Name),
    /// The enrolment authority's own TLS end point: can enrol, can neither train nor aggregate.
    Authority(Name),
}

/// Why a text is not a [`San`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SanError {
    /// Does not start with `tacita:`.
    #[error("not a tacita: URI")]
    Scheme,
    /// The middle part is not a known role.
    #[error("the role is neither client nor server")]
    Kind,
    /// The last part is not a name.
    #[error("bad name in the URI: {0}")]
    Name(#[from] NameError),
}

impl San {
    /// Parses the one spelling that exists for each name.
    ///
    /// # Errors
    /// [`SanError`] says which part is wrong.
    pub fn parse(uri: &str) -> Result<Self, SanError> {
        let rest = uri.strip_prefix("tacita:").ok_or(SanError::Scheme)?;
        let (kind, name) = rest.split_once(':').ok_or(SanError::Kind)?;
        match kind {
            "authority" => Ok(Self::Authority(Name::new(name)?)),
            kind => Ok(Self::Member(kind.parse()?, Name::new(name)?)),
        }
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(role, name) => write!(f, "tacita:{role}:{name}"),
            Self::Authority(name) => write!(f, "tacita:authority:{name}"),
        }
    }
}

/// The 32 bytes that stand for one member in rosters: a hash of the SAN, not of the certificate, so that renewing a
/// key changes nothing and one name cannot sit twice in a cohort.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    /// H("tacita/1 identity", SAN URI), with the field encoding of `protocol-spec`.
    #[must_use]
    pub fn of(role: Role, name: &Name) -> Self {
        let uri = San::Member(role, name.clone()).to_string();
        Self(tagged("tacita/1 identity", &[uri.as_bytes()]))
    }

    /// The bytes of the identity.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_round_trips() {
        for uri in [
            "tacita:client:alice",
            "tacita:server:hub-1",
            "tacita:authority:root",
        ] {
            assert_eq!(San::parse(uri).unwrap().to_string(), uri);
        }
    }

    #[test]
    fn nothing_else_parses() {
        for uri in [
            "",
            "tacita",
            "tacita:",
            "tacita:client",
            "tacita:client:",
            "tacita:Client:a",
            "tacita:clients:a",
            "TACITA:client:a",
            "tacita:client:a:b",
            "tacita:client:A",
            " tacita:client:a",
            "tacita:client:a ",
            "tacita::a",
            "https://tacita:client:a",
            "tacita:client:-a",
        ] {
            assert!(San::parse(uri).is_err(), "{uri:?}");
        }
    }

    #[test]
    fn identity_separates_names_and_roles() {
        let name = Name::new("alice").unwrap();
        let client = Identity::of(Role::Client, &name);
        assert_ne!(client, Identity::of(Role::Server, &name));
        assert_ne!(client, Identity::of(Role::Client, &Name::new("alicf").unwrap()));
        assert_eq!(client.to_string(), IDENTITY_OF_CLIENT_ALICE);
    }

    /// Computed with Python's hashlib over the encoding written in `hash.rs`.
    const IDENTITY_OF_CLIENT_ALICE: &str = "e73a5f2ee38c05a142d64e67d0388f267c9a0ecaf2c1c727542f571cddd0c1b7";
}
