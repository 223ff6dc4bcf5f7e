//! Splitting one data set over many clients.

use core::str::FromStr;

use rand_distr::{Distribution, Gamma};
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, DatasetError, Labels};
use crate::shuffle::{generator, permutation, shuffle};

/// How the rows are dealt. Written `iid`, `shards` or `dirichlet:ALPHA`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Partition {
    /// A random deal; sizes differ by one at most.
    #[default]
    Iid,
    /// Rows sorted by label, cut into two shards a client, two random shards for each: most clients see two labels
    /// (McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data", section 3).
    Shards,
    /// Each class is dealt in proportions drawn from a symmetric Dirichlet distribution (Hsu et al. 2019,
    /// "Measuring the Effects of Non-Identical Data Distribution"); sizes vary, every client gets one row first. Classification only.
    Dirichlet {
        /// Concentration, above 0: small is uneven.
        alpha: f64,
    },
}

/// Why a split is impossible.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PartitionError {
    /// No clients.
    #[error("a split needs at least one client")]
    NoClients,
    /// Not enough rows for everybody.
    #[error("{rows} rows are not enough for {clients} clients ({needed} needed)")]
    TooFewRows {
        /// Rows there are.
        rows: usize,
        /// Clients asked for.
        clients: usize,
        /// Least rows for this kind of split.
        needed: usize,
    },
    /// A Dirichlet split of a regression.
    #[error("a Dirichlet split needs classes")]
    NeedsClasses,
    /// The concentration is not a finite positive number in 0.001..=1000.
    #[error("the Dirichlet concentration must lie in 0.001..=1000")]
    Alpha,
    /// A name that is no split.
    #[error("a split is \"iid\", \"shards\" or \"dirichlet:ALPHA\", not {0:?}")]
    Name(String),
    /// The pieces could not be built.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl FromStr for Partition {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "iid" => Ok(Self::Iid),
            "shards" => Ok(Self::Shards),
            _ => text
                .strip_prefix("dirichlet:")
                .and_then(|alpha| alpha.parse().ok())
                .map(|alpha| Self::Dirichlet { alpha })
                .ok_or_else(|| PartitionError::Name(text.chars().take(40).collect())),
        }
    }
}

impl Partition {
    /// Splits `data` over `clients`; every row goes to exactly one client and every client gets at least one. The same
    /// arguments give the same split on every machine (for Dirichlet: with the same version of `rand_distr`).
    ///
    /// # Errors
    /// [`PartitionError::TooFewRows`] if a client would stay empty, and what else the arguments may be guilty of.
    pub fn split(&self, data: &Dataset, clients: usize, seed: u64) -> Result<Vec<Dataset>, PartitionError> {
        if clients == 0 {
            return Err(PartitionError::NoClients);
        }
        let needed = match self {
            Self::Shards => clients.saturating_mul(2),
            _ => clients,
        };
        let rows = data.rows();
        if rows < needed {
            return Err(PartitionError::TooFewRows {
                rows,
                clients,
                needed,
            });
        }
        let mut rng = generator("tacita/partition", seed);
        let order = permutation(rows, &mut rng);
        let dealt = match self {
            Self::Iid => even(&order, clients),
            Self::Shards => {
                let mut pieces = even(&by_label(data, order), needed);
                shuffle(&mut pieces, &mut rng);
                pieces.chunks_exact(2).map(<[_]>::concat).collect()
            }
            Self::Dirichlet { alpha } => {
                if !(0.001..=1000.0).contains(alpha) {
                    return Err(PartitionError::Alpha);
                }
                let gamma = Gamma::new(*alpha, 1.0).map_err(|_| PartitionError::Alpha)?;
                dirichlet(data, &order, clients, || gamma.sample(&mut rng))?
            }
        };
        dealt.iter().map(|rows| Ok(data.select(rows)?)).collect()
    }
}

/// `parts` runs of `order` whose lengths differ by one at most.
fn even(order: &[usize], parts: usize) -> Vec<Vec<usize>> {
    let (least, longer) = (order.len() / parts, order.len() % parts);
    let mut rest = order;
    (0..parts)
        .map(|part| {
            let (taken, left) = rest.split_at(least + usize::from(part < longer));
            rest = left;
            taken.to_vec()
        })
        .collect()
}

/// `order` sorted by label, equal labels as they stood.
fn by_label(data: &Dataset, mut order: Vec<usize>) -> Vec<usize> {
    match data.labels() {
        Labels::Class { values, .. } => order.sort_by_key(|&row| values[row]),
        Labels::Real(values) => order.sort_by(|&a, &b| values[a].total_cmp(&values[b])),
    }
    order
}

fn dirichlet(
    data: &Dataset,
    order: &[usize],
    clients: usize,
    mut gamma: impl FnMut() -> f64,
) -> Result<Vec<Vec<usize>>, PartitionError> {
    let Labels::Class { values, classes } = data.labels() else {
        return Err(PartitionError::NeedsClasses);
    };
    let (first, rest) = order.split_at(clients);
    let mut dealt: Vec<Vec<usize>> = first.iter().map(|&row| vec![row]).collect();
    for class in 0..*classes {
        let members: Vec<usize> = rest
            .iter()
            .copied()
            .filter(|&row| values[row] as usize == class)
            .collect();
        let weights: Vec<f64> = (0..clients).map(|_| gamma()).collect();
        let total: f64 = weights.iter().sum();
        let (mut cumulated, mut start) = (0.0, 0);
        for (client, weight) in weights.iter().enumerate() {
            cumulated += weight;
            // All weights can underflow to zero when alpha is tiny: then the last client takes the class.
            let share = if total > 0.0 { cumulated / total } else { 0.0 };
            let end = if client + 1 == clients {
                members.len()
            } else {
                ((share * members.len() as f64).round() as usize).clamp(start, members.len())
            };
            dealt[client].extend_from_slice(&members[start..end]);
            start = end;
        }
    }
    Ok(dealt)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Row i has feature i, so that rows can be told apart after a split.
    fn numbered(rows: usize, classes: usize) -> Dataset {
        let values = (0..rows).map(|row| (row % classes) as u32).collect();
        Dataset::new(
            (0..rows).map(|row| row as f32).collect(),
            1,
            Labels::Class { values, classes },
        )
        .unwrap()
    }

    fn classes_of(data: &Dataset) -> BTreeSet<u32> {
        match data.labels() {
            Labels::Class { values, .. } => values.iter().copied().collect(),
            Labels::Real(_) => BTreeSet::new(),
        }
    }

    #[test]
    fn every_split_deals_every_row_once() {
        let data = numbered(1003, 10);
        for partition in [
            Partition::Iid,
            Partition::Shards,
            Partition::Dirichlet { alpha: 0.3 },
        ] {
            let clients = partition.split(&data, 50, 9).unwrap();
            assert_eq!(clients.len(), 50);
            let mut rows: Vec<f32> = clients
                .iter()
                .flat_map(|client| client.features().to_vec())
                .collect();
            rows.sort_by(f32::total_cmp);
            assert_eq!(rows, data.features(), "{partition:?}");
            assert_eq!(clients, partition.split(&data, 50, 9).unwrap());
            assert_ne!(clients, partition.split(&data, 50, 10).unwrap());
        }
    }

    #[test]
    fn iid_is_even_and_shards_see_few_classes() {
        let data = numbered(1000, 10);
        let sizes: BTreeSet<usize> = Partition::Iid
            .split(&data, 30, 1)
            .unwrap()
            .iter()
            .map(Dataset::rows)
            .collect();
        assert_eq!(sizes, BTreeSet::from([33, 34]));
        // 100 rows a class and 50 shards of 20 rows: a shard holds one class.
        let shards = Partition::Shards.split(&data, 25, 1).unwrap();
        assert!(
            shards
                .iter()
                .all(|client| client.rows() == 40 && classes_of(client).len() <= 2)
        );
        assert!(shards.iter().any(|client| classes_of(client).len() == 2));
        let iid = Partition::Iid.split(&data, 25, 1).unwrap();
        assert!(iid.iter().all(|client| classes_of(client).len() > 5));
    }

    #[test]
    fn impossible_splits_are_named() {
        let data = numbered(10, 2);
        assert_eq!(Partition::Iid.split(&data, 0, 0), Err(PartitionError::NoClients));
        assert_eq!(
            Partition::Iid.split(&data, 11, 0),
            Err(PartitionError::TooFewRows {
                rows: 10,
                clients: 11,
                needed: 11
            })
        );
        assert_eq!(
            Partition::Shards.split(&data, 6, 0),
            Err(PartitionError::TooFewRows {
                rows: 10,
                clients: 6,
                needed: 12
            })
        );
        assert_eq!(
            Partition::Dirichlet { alpha: f64::NAN }.split(&data, 2, 0),
            Err(PartitionError::Alpha)
        );
        let real = Dataset::new(vec![1.0; 4], 1, Labels::Real(vec![1.0; 4])).unwrap();
        assert_eq!(
            Partition::Dirichlet { alpha: 1.0 }.split(&real, 2, 0),
            Err(PartitionError::NeedsClasses)
        );
    }

    #[test]
    fn names() {
        assert_eq!("iid".parse(), Ok(Partition::Iid));
        assert_eq!("shards".parse(), Ok(Partition::Shards));
        assert_eq!("dirichlet:0.5".parse(), Ok(Partition::Dirichlet { alpha: 0.5 }));
        assert_eq!(
            "IID".parse::<Partition>(),
            Err(PartitionError::Name("IID".into()))
        );
    }
}
