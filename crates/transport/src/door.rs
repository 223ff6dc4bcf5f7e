//! Who may start a handshake: bounds on what strangers can make us do before they have proved anything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::Limits;

/// What to do with a first packet.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Start the handshake; the slot is held until it has ended.
    Admit(Slot),
    /// Ask the address to prove that it can be reached; keeps no state.
    Retry,
    /// Say nothing; an honest client repeats itself after a while, which is the delay.
    Ignore,
    /// Say that there is no room.
    Refuse,
}

/// Counts handshakes under way, in all and by prefix.
#[derive(Debug, Default)]
pub(crate) struct Door {
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    total: usize,
    /// Never more entries than `total`.
    by_prefix: HashMap<Prefix, usize>,
}

/// IPv4 /24 or IPv6 /48: what one customer of a network usually holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Prefix([u8; 6]);

impl Prefix {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                // 2001:db8::/32 is for documentation, so the two families cannot meet.
                Self([0x20, 0x01, 0x0d, a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Self([a, b, c, d, e, f])
            }
        }
    }
}

/// One handshake under way.
#[derive(Debug)]
pub(crate) struct Slot {
    door: Arc<Door>,
    prefix: Prefix,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut under_way = self.door.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.total = under_way.total.saturating_sub(1);
        if let Some(count) = under_way.by_prefix.get_mut(&self.prefix) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                under_way.by_prefix.remove(&self.prefix);
            }
        }
    }
}

impl Door {
    /// Decides about a first packet from `ip`; `proved` if it carries the token of a Retry, `open` connections
    /// exist now.
    pub(crate) fn decide(
        self: &Arc<Self>,
        limits: &Limits,
        ip: IpAddr,
        proved: bool,
        open: usize,
    ) -> Decision {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if open >= limits.connections || under_way.total >= limits.pending {
            return Decision::Refuse;
        }
        let prefix = Prefix::of(ip);
        let from_there = under_way.by_prefix.get(&prefix).copied().unwrap_or(0);
        if limits.per_prefix.is_some_and(|most| from_there >= most) {
            return if proved { Decision::Ignore } else { Decision::Retry };
        }
        if !proved && limits.retry_above.is_some_and(|most| under_way.total > most) {
            return Decision::Retry;
        }
        under_way.total = under_way.total.saturating_add(1);
        under_way.by_prefix.insert(prefix, from_there.saturating_add(1));
        Decision::Admit(Slot {
            door: Arc::clone(self),
            prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn admitted(decision: Decision) -> Slot {
        match decision {
            Decision::Admit(slot) => slot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_prefix_cannot_fill_the_house() {
        let door = Arc::new(Door::default());
        let limits = Limits {
            per_prefix: Some(3),
            retry_above: None,
            ..Limits::default()
        };
        let mut slots: Vec<Slot> = (1..=3)
            .map(|i| admitted(door.decide(&limits, ip(&format!("192.0.2.{i}")), true, 0)))
            .collect();
        assert!(matches!(
            door.decide(&limits, ip("192.0.2.9"), false, 0),
            Decision::Retry
        ));
        assert!(matches!(
            door.decide(&limits, ip("192.0.2.9"), true, 0),
            Decision::Ignore
        ));
        assert!(matches!(
            door.decide(&limits, ip("::ffff:192.0.2.9"), true, 0),
            Decision::Ignore
        ));
        slots.push(admitted(door.decide(&limits, ip("192.0.3.9"), false, 0)));
        slots.push(admitted(door.decide(&limits, ip("2001:db8:1::1"), false, 0)));
        slots.swap_remove(0);
        slots.push(admitted(door.decide(&limits, ip("192.0.2.9"), false, 0)));
        drop(slots);
        assert_eq!(door.under_way.lock().unwrap().total, 0);
        assert!(
            door.under_way.lock().unwrap().by_prefix.is_empty(),
            "no memory of who has left"
        );
    }

    #[test]
    fn retry_above_a_threshold_and_refusal_at_the_limits() {
        let door = Arc::new(Door::default());
        let limits = Limits {
            per_prefix: None,
            retry_above: Some(1),
            pending: 3,
            connections: 10,
            ..Limits::default()
        };
        let one = ip("198.51.100.1");
        let _slots = [
            admitted(door.decide(&limits, one, false, 0)),
            admitted(door.decide(&limits, one, false, 0)),
        ];
        assert!(matches!(door.decide(&limits, one, false, 0), Decision::Retry));
        let _third = admitted(door.decide(&limits, one, true, 0));
        assert!(matches!(door.decide(&limits, one, true, 0), Decision::Refuse));
        drop(_third);
        assert!(matches!(door.decide(&limits, one, true, 10), Decision::Refuse));
    }
}
