//! A fuse: where a process dies. Every write and every message of a party is a step; the fuse burns by one at each, and at
//! its end nothing more of that process happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// The process is dead; whatever it was about to do it did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dead;

#[derive(Debug)]
struct Inner {
    /// Steps until death; negative: none is near.
    left: AtomicI64,
    /// How long the next process lives; negative: as long as it likes.
    next: AtomicI64,
    steps: AtomicU64,
    dead: AtomicBool,
}

/// A fuse, shared by a process and its disk.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<Inner>);

impl Default for Fuse {
    fn default() -> Self {
        Self(Arc::new(Inner {
            left: AtomicI64::new(-1),
            next: AtomicI64::new(-1),
            steps: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        }))
    }
}

impl Fuse {
    /// Lights it: the process dies before the step after the next `steps` ones.
    pub fn light(&self, steps: u64) {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        self.0.left.store(steps, Ordering::Relaxed);
    }

    /// Lights the fuse of the process after this one as well.
    pub fn light_again(&self, steps: Option<u64>) {
        let steps = steps.map_or(-1, |steps| i64::try_from(steps).unwrap_or(i64::MAX));
        self.0.next.store(steps, Ordering::Relaxed);
    }

    /// Takes one step, if the process lives that long.
    ///
    /// # Errors
    /// [`Dead`].
    pub fn step(&self) -> Result<(), Dead> {
        if self.is_dead() {
            return Err(Dead);
        }
        match self.0.left.load(Ordering::Relaxed) {
            0 => {
                self.0.dead.store(true, Ordering::Relaxed);
                return Err(Dead);
            }
            left if left > 0 => self.0.left.store(left - 1, Ordering::Relaxed),
            _ => {}
        }
        self.0.steps.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether it has burnt down.
    pub fn is_dead(&self) -> bool {
        self.0.dead.load(Ordering::Relaxed)
    }

    /// Steps taken, over all lives.
    pub fn steps(&self) -> u64 {
        self.0.steps.load(Ordering::Relaxed)
    }

    /// A new process starts. After a death no other is in sight but one that was planned; a fuse lit
    /// beforehand stays lit.
    pub fn replace(&self) {
        if self.0.dead.swap(false, Ordering::Relaxed) {
            let next = self.0.next.swap(-1, Ordering::Relaxed);
            self.0.left.store(next, Ordering::Relaxed);
        }
    }
}
