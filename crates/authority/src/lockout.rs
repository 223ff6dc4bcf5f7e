//! Wrong secrets, counted by where they come from. A secret has 256 bits and cannot be guessed; what this bounds is the
//! work and the log lines that guessing costs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Wrong attempts from one source before it is locked out.
pub const LOCKOUT_ATTEMPTS: u32 = 10;
/// How long attempts are counted, and how long a source stays locked out, in seconds.
pub const LOCKOUT_SECONDS: u64 = 60;
/// Most sources remembered; beyond, the longest silent one is forgotten.
pub const MAX_TRACKED_SOURCES: usize = 4_096;

/// Failed attempts by source.
#[derive(Default)]
pub(crate) struct Lockout {
    failures: HashMap<IpAddr, Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    until: u64,
}

impl Lockout {
    /// Whether `source` has to wait. `now` is in seconds of a clock that never goes back.
    pub(crate) fn is_locked(&self, source: IpAddr, now: u64) -> bool {
        self.failures
            .get(&key(source))
            .is_some_and(|seen| now < seen.until && seen.count >= LOCKOUT_ATTEMPTS)
    }

    /// Counts a wrong secret.
    pub(crate) fn count(&mut self, source: IpAddr, now: u64) {
        let source = key(source);
        if !self.failures.contains_key(&source) && self.failures.len() >= MAX_TRACKED_SOURCES {
            self.make_room(now);
        }
        let seen = self
            .failures
            .entry(source)
            .or_insert(Failures { count: 0, until: 0 });
        if now >= seen.until {
            seen.count = 0;
        }
        seen.count = seen.count.saturating_add(1);
        seen.until = now.saturating_add(LOCKOUT_SECONDS);
    }

    fn make_room(&mut self, now: u64) {
        self.failures.retain(|_, seen| now < seen.until);
        if self.failures.len() < MAX_TRACKED_SOURCES {
            return;
        }
        let oldest = self
            .failures
            .iter()
            .min_by_key(|(_, seen)| seen.until)
            .map(|(source, _)| *source);
        if let Some(oldest) = oldest {
            self.failures.remove(&oldest);
        }
    }
}

/// IPv6 sources are counted by /64, the smallest block that one customer gets.
fn key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn locks_after_the_last_attempt_and_opens_again() {
        let mut lockout = Lockout::default();
        for _ in 1..LOCKOUT_ATTEMPTS {
            lockout.count(v4(1), 100);
        }
        assert!(!lockout.is_locked(v4(1), 100));
        lockout.count(v4(1), 100);
        assert!(lockout.is_locked(v4(1), 100) && !lockout.is_locked(v4(2), 100));
        assert!(lockout.is_locked(v4(1), 100 + LOCKOUT_SECONDS - 1));
        assert!(!lockout.is_locked(v4(1), 100 + LOCKOUT_SECONDS));
        lockout.count(v4(1), 100 + LOCKOUT_SECONDS);
        assert!(
            !lockout.is_locked(v4(1), 100 + LOCKOUT_SECONDS),
            "the count starts anew"
        );
    }

    #[test]
    fn one_ipv6_block_is_one_source() {
        let mut lockout = Lockout::default();
        for i in 0..LOCKOUT_ATTEMPTS {
            lockout.count(format!("2001:db8:1:2::{i:x}").parse().unwrap(), 5);
        }
        assert!(lockout.is_locked("2001:db8:1:2:ffff::1".parse().unwrap(), 5));
        assert!(!lockout.is_locked("2001:db8:1:3::1".parse().unwrap(), 5));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes() {
        let mut lockout = Lockout::default();
        for n in 0..MAX_TRACKED_SOURCES as u32 + 100 {
            lockout.count(v4(n), 1 + u64::from(n) / 1_000);
        }
        assert_eq!(lockout.failures.len(), MAX_TRACKED_SOURCES);
        assert!(
            lockout
                .failures
                .contains_key(&v4(MAX_TRACKED_SOURCES as u32 + 99))
        );
    }
}
