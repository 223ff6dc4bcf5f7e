//! The embedded data sets as federations: who holds what, and what the global model is scored on.

use crate::dataset::{Dataset, DatasetError};
use crate::defaults::EmbeddedData;
use crate::digits::{self, DigitsError};
use crate::heart::{self, HeartError};
use crate::partition::{Partition, PartitionError};

/// Why there is no such federation.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// The hospitals are four.
    #[error("the heart data has four clients, one a hospital, not {0}")]
    Hospitals(usize),
    /// The split is impossible.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// The embedded digits are damaged.
    #[error(transparent)]
    Digits(#[from] DigitsError),
    /// The embedded heart data is damaged.
    #[error(transparent)]
    Heart(#[from] HeartError),
    /// A part is no data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// One client's share.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// `cleveland` and so on, or `client-001` and so on.
    pub name: String,
    /// What it trains on.
    pub train: Dataset,
}

/// All clients' shares and the held-out data, which no client has.
#[derive(Debug, Clone, PartialEq)]
pub struct Federation {
    /// In a fixed order.
    pub members: Vec<Member>,
    /// The same whatever the number of clients, the split and the seed.
    pub held_out: Dataset,
}

impl Federation {
    /// The federation of an embedded data set. `heart` has four clients, whose patients neither `partition` nor `seed` moves.
    ///
    /// # Errors
    /// [`FederationError::Hospitals`], [`FederationError::Partition`]; the others only if the embedded files are damaged.
    pub fn embedded(
        data: EmbeddedData,
        clients: usize,
        partition: Partition,
        seed: u64,
    ) -> Result<Self, FederationError> {
        match data {
            EmbeddedData::Heart if clients != heart::SITES.len() => Err(FederationError::Hospitals(clients)),
            EmbeddedData::Heart => {
                let (mut members, mut held_out) = (Vec::new(), Vec::new());
                for site in heart::load()? {
                    let parts = site.hold_out_fifth()?;
                    members.push(Member {
                        name: site.name.to_owned(),
                        train: parts.train,
                    });
                    held_out.push(parts.held_out);
                }
                Ok(Self {
                    members,
                    held_out: Dataset::concat(&held_out)?,
                })
            }
            EmbeddedData::Digits => {
                let parts = digits::load()?;
                let width = clients.to_string().len().max(3);
                let members = (1..)
                    .zip(partition.split(&parts.train, clients, seed)?)
                    .map(|(number, train): (usize, _)| Member {
                        name: format!("client-{number:0width$}"),
                        train,
                    })
                    .collect();
                Ok(Self {
                    members,
                    held_out: parts.held_out,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hospitals_keep_their_patients() {
        let heart = |clients, seed| Federation::embedded(EmbeddedData::Heart, clients, Partition::Iid, seed);
        let found = heart(4, 0).unwrap();
        let rows: Vec<_> = found
            .members
            .iter()
            .map(|one| (one.name.as_str(), one.train.rows()))
            .collect();
        assert_eq!(
            rows,
            [
                ("cleveland", 243),
                ("hungary", 209),
                ("switzerland", 37),
                ("long-beach", 104)
            ]
        );
        assert_eq!(found.held_out, heart::held_out().unwrap());
        assert_eq!(found, heart(4, 9).unwrap());
        assert!(matches!(heart(5, 0), Err(FederationError::Hospitals(5))));
    }

    #[test]
    fn digits_go_to_everybody_and_the_held_out_part_stays() {
        let digits = |clients, partition, seed| {
            Federation::embedded(EmbeddedData::Digits, clients, partition, seed).unwrap()
        };
        let (five_hundred, ten) = (digits(500, Partition::Shards, 1), digits(10, Partition::Iid, 2));
        assert_eq!(five_hundred.held_out, ten.held_out);
        assert_eq!(
            five_hundred
                .members
                .iter()
                .map(|one| one.train.rows())
                .sum::<usize>(),
            4_496
        );
        assert_eq!(five_hundred.members[499].name, "client-500");
        assert_eq!(ten.members[0].name, "client-001");
        let refused = Federation::embedded(EmbeddedData::Digits, 4_497, Partition::Iid, 0);
        assert!(matches!(
            refused,
            Err(FederationError::Partition(PartitionError::TooFewRows { .. }))
        ));
    }
}
