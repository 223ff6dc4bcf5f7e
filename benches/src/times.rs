//! Processor time of a round, step by step.

use std::time::Duration;

/// Processor time of one step, summed over all who took it.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// What it is called in the tables.
    pub step: &'static str,
    /// In total.
    pub total: Duration,
    /// By how many.
    pub times: u32,
}

/// Steps in the order in which they were first taken.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Spent>);

impl Times {
    pub(crate) fn add(&mut self, step: &'static str, time: Duration) {
        match self.0.iter_mut().find(|spent| spent.step == step) {
            Some(spent) => {
                spent.total += time;
                spent.times += 1;
            }
            None => self.0.push(Spent {
                step,
                total: time,
                times: 1,
            }),
        }
    }

    /// All steps.
    #[must_use]
    pub fn steps(&self) -> &[Spent] {
        &self.0
    }

    /// Time of one step over all who took it.
    #[must_use]
    pub fn total_of(&self, step: &str) -> Duration {
        self.0
            .iter()
            .find(|spent| spent.step == step)
            .map_or(Duration::ZERO, |spent| spent.total)
    }

    /// Mean time of one step.
    #[must_use]
    pub fn mean_of(&self, step: &str) -> Duration {
        self.0
            .iter()
            .find(|spent| spent.step == step)
            .map_or(Duration::ZERO, |spent| spent.total / spent.times.max(1))
    }

    /// Time of all steps.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.0.iter().map(|spent| spent.total).sum()
    }
}
