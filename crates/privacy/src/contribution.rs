//! What one client puts into a sum, by unit of privacy, proven not to wrap.

use crate::decimal::Decimal;
use crate::encoding::Encoding;
use crate::headroom::{Headroom, HeadroomError};
use crate::noise::NoiseShare;
use crate::record::{RecordHeadroom, RecordTerms};
use crate::sensitivity::PrivacyUnit;

/// The proof for one unit; the vectors of the other do not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contribution {
    /// One vector a client.
    Client(Headroom),
    /// The sum of its sampled records.
    Record(RecordHeadroom),
}

impl Contribution {
    /// Proves that the sum over `clients` does not wrap: of their vectors, or with `records` of their sums of records.
    ///
    /// # Errors
    /// [`HeadroomError`], one variant per cause.
    pub fn prove(
        encoding: Encoding,
        share: NoiseShare,
        clients: u32,
        records: Option<RecordTerms>,
    ) -> Result<Self, HeadroomError> {
        match records {
            None => Headroom::prove(encoding, share, clients).map(Self::Client),
            Some(terms) => RecordHeadroom::prove(encoding, share, clients, terms).map(Self::Record),
        }
    }

    /// Whose data is protected.
    pub fn unit(&self) -> PrivacyUnit {
        match self {
            Self::Client(_) => PrivacyUnit::Client,
            Self::Record(_) => PrivacyUnit::Record,
        }
    }

    /// The encoding of one vector: a client's, or a record's.
    pub fn encoding(&self) -> &Encoding {
        match self {
            Self::Client(headroom) => headroom.encoding(),
            Self::Record(headroom) => headroom.encoding(),
        }
    }

    /// The noise of one client.
    pub fn noise_share(&self) -> NoiseShare {
        match self {
            Self::Client(headroom) => headroom.noise_share(),
            Self::Record(headroom) => headroom.noise_share(),
        }
    }

    /// The proof for whole clients, in the client unit.
    pub fn client(&self) -> Option<&Headroom> {
        match self {
            Self::Client(headroom) => Some(headroom),
            Self::Record(_) => None,
        }
    }

    /// The proof for sums of records, in the record unit.
    pub fn records(&self) -> Option<&RecordHeadroom> {
        match self {
            Self::Client(_) => None,
            Self::Record(headroom) => Some(headroom),
        }
    }

    /// The probability with which a record is sampled, in the record unit.
    pub fn sampling(&self) -> Option<Decimal> {
        self.records().map(|headroom| headroom.terms().sampling())
    }

    /// The same proof under another rotation, on which it does not depend.
    pub fn with_rotation_seed(self, seed: [u8; 32]) -> Self {
        match self {
            Self::Client(headroom) => Self::Client(headroom.with_rotation_seed(seed)),
            Self::Record(headroom) => Self::Record(headroom.with_rotation_seed(seed)),
        }
    }
}
