//! Where figures are made: each bench measures what the code does beside something it can be compared with, in one run.
//!
//! - [`Race`] runs contestants in turn and gives best, median and worst of each, so that a ratio compares like with like
//!   on a machine that is not quiet;
//! - [`cpu`] is the processor time of the calling thread, for steps too long to repeat;
//! - [`round`] walks whole rounds, every party in this process, and says where the time went;
//! - [`units`] measures the building blocks of a round, so that its time can be split by kind of work;
//! - [`checks`] counts the signatures that the messages of such a round make its parties check.
//!
//! What was measured, with what command and on what machine, stands in `README.md` beside this folder.
#![allow(clippy::print_stdout)] // A bench is there to print.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed assumption is a failed bench.

pub mod checks;
pub mod cpu;
mod race;
pub mod round;
pub mod times;
pub mod units;

pub use race::{Race, Spread};

/// How the bench was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// `cargo bench`: measure.
    Full,
    /// `cargo bench -- --quick`: measure, with the fewest repetitions.
    Quick,
    /// `cargo test`, or a list was asked for: print no figures.
    None,
}

impl Effort {
    /// From the arguments that cargo passes to the bench.
    #[must_use]
    pub fn from_args() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let given = |name: &str| arguments.iter().any(|argument| argument == name);
        if !given("--bench") || given("--list") || given("--test") {
            Self::None
        } else if given("--quick") {
            Self::Quick
        } else {
            Self::Full
        }
    }

    /// Repetitions of each contestant of a [`Race`].
    #[must_use]
    pub fn laps(self) -> usize {
        match self {
            Self::Full => 15,
            Self::Quick => 5,
            Self::None => 1,
        }
    }
}

/// Runs `work` in a pool of one thread, so that what spreads over all cores elsewhere stays on the core that is measured.
pub fn on_one_core<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a thread").install(work)
}

/// Criterion with few samples: the spread that matters here is the machine's, and a [`Race`] shows it. All work stays on
/// one core.
#[must_use]
pub fn criterion() -> criterion::Criterion {
    cpu::one_core();
    criterion_on_all_cores()
}

/// The same for work that spreads over all cores, measured on the wall.
#[must_use]
pub fn criterion_on_all_cores() -> criterion::Criterion {
    use std::time::Duration;
    criterion::Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args()
}
