//! Processor time of the calling thread.
//!
//! On a machine that others use too, the time a thread was on a processor is what its work costs; the time on the wall is
//! what the neighbours left of it.

use std::time::{Duration, Instant};

/// Processor time that this thread has used; `None` where the system does not tell.
fn used() -> Option<Duration> {
    // The kernel adds up a thread's time when it is scheduled: giving up the processor makes the sum current.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Keeps work that could go to all cores on the calling thread, whose time is measured here.
pub fn one_core() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread();
    // Fails only for the second caller, and then all is as wanted already.
    let _ = pool.build_global();
}

/// A running stopwatch.
pub struct Stopwatch {
    start: Option<Duration>,
    wall: Instant,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: used(),
            wall: Instant::now(),
        }
    }

    /// Processor time since the start; time on the wall where the system does not tell.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match (self.start, used()) {
            (Some(start), Some(end)) if end > start => end.saturating_sub(start),
            _ => self.wall.elapsed(),
        }
    }
}

/// The result of `work` and the processor time it took.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let watch = Stopwatch::start();
    let result = work();
    (result, watch.elapsed())
}

#[cfg(test)]
mod tests {
    use super::{Stopwatch, time};
    use std::time::{Duration, Instant};

    #[test]
    fn sleeping_costs_nothing_and_working_does() {
        let (_, slept) = time(|| std::thread::sleep(Duration::from_millis(60)));
        assert!(slept < Duration::from_millis(30), "{slept:?}");
        // However busy the machine is, work shows after a while.
        let (start, watch) = (Instant::now(), Stopwatch::start());
        let mut sum = 0u64;
        while watch.elapsed() < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{sum} additions cost nothing"
            );
        }
    }
}
