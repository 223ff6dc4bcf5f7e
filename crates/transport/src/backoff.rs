//! Growing random pauses between attempts, so that many clients do not come back in step.

use std::time::{Duration, Instant};

/// What worked for less than this is part of the same trouble: a peer that lets us in and throws us out at once must not
/// be asked again and again without pauses that grow.
const SETTLED: Duration = Duration::from_secs(1);

/// Exponential back-off: each pause is random between half of its step and the whole, and steps double up to a
/// largest one.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    largest: Duration,
    step: Duration,
    /// When something worked last, if no pause was needed since.
    worked: Option<Instant>,
}

impl Default for Backoff {
    /// From 250 ms to 15 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(15))
    }
}

impl Backoff {
    /// Steps from `first` to `largest`.
    #[must_use]
    pub fn new(first: Duration, largest: Duration) -> Self {
        Self {
            first,
            largest,
            step: first,
            worked: None,
        }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        if self.worked.take().is_some_and(|since| since.elapsed() >= SETTLED) {
            self.step = self.first;
        }
        let step = self.step.min(self.largest);
        self.step = step.saturating_mul(2);
        let half = step / 2;
        // Without randomness from the system the pause is the whole step: later is always safe.
        let share = getrandom::u64().unwrap_or(u64::MAX);
        let part = u128::from(share).saturating_mul(half.as_nanos()) >> 64;
        half.saturating_add(Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX)))
    }

    /// Something works. If it still does a second later, pauses start over from the first step.
    pub fn worked(&mut self) {
        self.worked = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_stay_in_their_band_and_differ() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50 {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
            for step in [100, 200, 350, 350, 350] {
                let step = Duration::from_millis(step);
                let pause = backoff.pause();
                assert!(
                    pause >= step / 2 && pause <= step,
                    "{pause:?} for a step of {step:?}"
                );
                seen.insert(pause);
            }
            // Thrown out at once: no fresh start.
            backoff.worked();
            assert!(backoff.pause() > Duration::from_millis(100));
            backoff.worked = Instant::now().checked_sub(SETTLED);
            assert!(backoff.pause() <= Duration::from_millis(100));
        }
        assert!(seen.len() > 200, "pauses are random: {}", seen.len());
    }

    #[test]
    fn no_step_overflows() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::MAX);
        for _ in 0..200 {
            backoff.pause();
        }
    }
}
