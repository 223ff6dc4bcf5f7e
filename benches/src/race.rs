//! Contestants measured in turn.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// What one contestant did, over all laps.
#[derive(Debug, Clone)]
pub struct Spread {
    /// Its name.
    pub name: String,
    laps: Vec<Duration>,
}

impl Spread {
    /// The fastest lap: what the code can do when nobody disturbs it.
    #[must_use]
    pub fn best(&self) -> Duration {
        self.laps.iter().copied().min().unwrap_or_default()
    }

    /// The middle lap.
    #[must_use]
    pub fn median(&self) -> Duration {
        let mut sorted = self.laps.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// The slowest lap.
    #[must_use]
    pub fn worst(&self) -> Duration {
        self.laps.iter().copied().max().unwrap_or_default()
    }

    /// How many times as fast as `other`, best lap against best lap.
    #[must_use]
    pub fn against(&self, other: &Self) -> f64 {
        other.best().as_secs_f64() / self.best().as_secs_f64()
    }

    /// Median over the laps of how many times as fast as `other`: neighbours in time, so that a slow minute of the machine
    /// hits both.
    #[must_use]
    pub fn lap_by_lap(&self, other: &Self) -> f64 {
        let mut ratios: Vec<f64> = self
            .laps
            .iter()
            .zip(&other.laps)
            .map(|(own, theirs)| theirs.as_secs_f64() / own.as_secs_f64())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Contestants that take laps in turn.
#[derive(Default)]
pub struct Race<'a> {
    contestants: Vec<(String, Box<dyn FnMut() + 'a>)>,
}

impl<'a> Race<'a> {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; `lap` is what is timed. Its result is used as far as the compiler can tell.
    #[must_use]
    pub fn enter<T>(mut self, name: impl Into<String>, mut lap: impl FnMut() -> T + 'a) -> Self {
        let timed = move || {
            black_box(lap());
        };
        self.contestants.push((name.into(), Box::new(timed)));
        self
    }

    /// One unmeasured lap each, then `laps` laps in turn.
    #[must_use]
    pub fn run(mut self, laps: usize) -> Vec<Spread> {
        let mut spreads: Vec<Spread> = self
            .contestants
            .iter()
            .map(|(name, _)| Spread {
                name: name.clone(),
                laps: Vec::with_capacity(laps),
            })
            .collect();
        self.contestants.iter_mut().for_each(|(_, lap)| lap());
        for _ in 0..laps {
            for ((_, lap), spread) in self.contestants.iter_mut().zip(&mut spreads) {
                let start = Instant::now();
                lap();
                spread.laps.push(start.elapsed());
            }
        }
        spreads
    }

    /// As [`Race::run`], and prints a line for each: rate at the best, median and worst lap for `amount` units a lap.
    pub fn print(self, laps: usize, amount: f64, unit: &str) -> Vec<Spread> {
        let spreads = self.run(laps);
        println!(
            "    {:<44} {:>10} {:>10} {:>10}  {unit}",
            "", "best", "median", "worst"
        );
        for spread in &spreads {
            let rate = |lap: Duration| amount / lap.as_secs_f64();
            println!(
                "    {:<44} {:>10.2} {:>10.2} {:>10.2}",
                spread.name,
                rate(spread.best()),
                rate(spread.median()),
                rate(spread.worst())
            );
        }
        spreads
    }
}

#[cfg(test)]
mod tests {
    use super::Race;
    use std::cell::RefCell;
    use std::hint::black_box;

    #[test]
    fn contestants_take_turns_after_one_lap_each() {
        let order = RefCell::new(String::new());
        let spreads = Race::new()
            .enter("a", || order.borrow_mut().push('a'))
            .enter("b", || order.borrow_mut().push('b'))
            .run(3);
        assert_eq!(*order.borrow(), "abababab");
        assert!(spreads.iter().all(|s| s.laps.len() == 3 && s.best() <= s.worst()));
    }

    #[test]
    fn the_faster_one_is_above_one() {
        let work = |n: u64| move || (0..n).fold(1u64, |a, i| black_box(a ^ i));
        let spreads = Race::new()
            .enter("short", work(10_000))
            .enter("long", work(100_000))
            .run(5);
        assert!(spreads[0].against(&spreads[1]) > 1.0);
        assert!(spreads[0].lap_by_lap(&spreads[1]) > 1.0);
    }
}
