//! Clock and network: one queue of events in the order of simulated time, and what happens to a frame between two machines.
//!
//! Two kinds of network are played. A *stream* is what QUIC gives: frames of one connection arrive in order and once, loss
//! and corruption only cost time, and a silence that is too long breaks the connection. A *raw* network hands every fault
//! to the state machines: frames are lost, doubled, overtaken, and arrive with flipped bits. Hellos have a number of the
//! connection's own, so that an old copy of one is not taken for a new one; everything else defends itself.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;

/// A connection, by its number; numbers are never used again.
pub type LinkId = u64;

/// Faults of the network, rates per thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkFaults {
    /// Whether frames meet the faults themselves, instead of a stream that repairs them.
    pub raw: bool,
    /// Frames lost.
    pub loss: u64,
    /// Frames that arrive twice.
    pub duplication: u64,
    /// Frames whose bits are flipped.
    pub corruption: u64,
    /// Frames that others overtake.
    pub reordering: u64,
    /// Longest ordinary delay, in milliseconds.
    pub delay: u64,
    /// Partitions: for each member and second, one begins.
    pub partition: u64,
}

/// What happens next.
#[derive(Debug, Clone)]
pub enum Event {
    /// A member asks for a connection.
    Connect(usize, LinkId),
    /// The server took it, or turned it away.
    Answered(usize, LinkId, bool),
    /// A frame reaches the server. Hellos carry their number.
    ToHub(usize, LinkId, Vec<u8>, Option<u64>),
    /// A frame reaches a member.
    ToMember(usize, LinkId, Vec<u8>),
    /// The server learns that a connection is gone.
    HubLost(usize, LinkId),
    /// A member learns that its connection is gone.
    MemberLost(usize, LinkId),
    /// A member's timer; void if its number is old.
    MemberTimer(usize, u64),
    /// The server's timer; void if its number is old.
    HubTimer(u64),
    /// A process of a member starts.
    StartMember(usize),
    /// The server's process starts.
    StartHub,
    /// The weather changes: partitions come and go.
    Weather,
    /// All faults end.
    Heal,
}

/// Retransmissions before a stream gives up.
const TRIES: u32 = 7;
/// First retransmission, in milliseconds.
const RESEND: u64 = 25;
/// Between one look at the weather and the next, in milliseconds.
const WEATHER: u64 = 250;

/// One end of the partition.
#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    to_hub: u64,
    to_member: u64,
}

/// The queue, the clock, and the faults.
pub struct Network {
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    faults: NetworkFaults,
    chance: Chance,
    links: LinkId,
    broken: BTreeSet<LinkId>,
    /// When the last frame of a stream arrives, by connection and direction.
    arrivals: BTreeMap<(LinkId, bool), u64>,
    cuts: Vec<Cut>,
    waiting: (Vec<usize>, usize),
}

impl Network {
    /// An idle network of `members`.
    pub fn new(members: usize, faults: NetworkFaults, chance: Chance) -> Self {
        let mut network = Self {
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            faults,
            chance,
            links: 0,
            broken: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            cuts: vec![Cut::default(); members],
            waiting: (vec![0; members], 0),
        };
        if faults.partition > 0 {
            network.after(WEATHER, Event::Weather);
        }
        network
    }

    /// Simulated time, in milliseconds.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The next event, at its time.
    pub fn next_event(&mut self) -> Option<Event> {
        let ((time, _), event) = self.queue.pop_first()?;
        self.now = time;
        match &event {
            Event::ToHub(..) => self.waiting.1 = self.waiting.1.saturating_sub(1),
            Event::ToMember(member, ..) => {
                if let Some(count) = self.waiting.0.get_mut(*member) {
                    *count = count.saturating_sub(1);
                }
            }
            _ => {}
        }
        Some(event)
    }

    /// Frames on their way to the server, and the most that are on their way to one member.
    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting.1, self.waiting.0.iter().copied().max().unwrap_or(0))
    }

    /// Schedules an event.
    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    fn at(&mut self, time: u64, event: Event) {
        match &event {
            Event::ToHub(..) => self.waiting.1 += 1,
            Event::ToMember(member, ..) => {
                if let Some(count) = self.waiting.0.get_mut(*member) {
                    *count += 1;
                }
            }
            _ => {}
        }
        self.sequence += 1;
        self.queue.insert((time, self.sequence), event);
    }

    /// A member asks for a connection; a partition keeps it from asking.
    pub fn connect(&mut self, member: usize) -> LinkId {
        self.links += 1;
        let link = self.links;
        let delay = self.delay();
        if self.is_cut(member, true) || (self.faults.raw && self.chance.hits(self.faults.loss)) {
            self.broken.insert(link);
            self.after(delay + 200, Event::MemberLost(member, link));
        } else {
            self.after(delay, Event::Connect(member, link));
        }
        link
    }

    /// The server answers a request for a connection.
    pub fn answer(&mut self, member: usize, link: LinkId, taken: bool) {
        let delay = self.delay();
        self.after(delay, Event::Answered(member, link, taken));
    }

    /// One end is gone, by its own will or by a crash; the other learns of it after a while.
    pub fn hang_up(&mut self, member: usize, link: LinkId, by_member: bool) {
        self.broken.insert(link);
        let delay = self.delay() + self.chance.below(150);
        let event = if by_member {
            Event::HubLost(member, link)
        } else {
            Event::MemberLost(member, link)
        };
        self.after(delay, event);
    }

    /// Whether frames of a connection still arrive at the end that did not hang up.
    pub fn is_broken(&self, link: LinkId) -> bool {
        self.broken.contains(&link)
    }

    /// Hands a frame to the network.
    pub fn send(&mut self, member: usize, link: LinkId, to_hub: bool, frame: Vec<u8>, hello: Option<u64>) {
        if self.broken.contains(&link) {
            return;
        }
        if self.faults.raw {
            self.send_raw(member, link, to_hub, frame, hello);
        } else {
            self.send_stream(member, link, to_hub, frame, hello);
        }
    }

    fn send_raw(&mut self, member: usize, link: LinkId, to_hub: bool, frame: Vec<u8>, hello: Option<u64>) {
        let faults = self.faults;
        let copies = 1 + u64::from(self.chance.hits(faults.duplication));
        for _ in 0..copies {
            if self.chance.hits(faults.loss) || self.is_cut(member, to_hub) {
                continue;
            }
            let mut bytes = frame.clone();
            if self.chance.hits(faults.corruption) {
                self.chance.corrupt(&mut bytes);
            }
            let mut time = self.now + self.delay();
            let last = self.arrivals.entry((link, to_hub)).or_insert(0);
            if self.chance.hits(faults.reordering) {
                time += self.chance.below(3 * faults.delay + 1);
            } else {
                time = time.max(*last);
                *last = time;
            }
            self.at(time, arrival(member, link, to_hub, bytes, hello));
        }
    }

    /// Every try that is lost or damaged costs a longer wait; too many break the connection for both ends.
    fn send_stream(&mut self, member: usize, link: LinkId, to_hub: bool, frame: Vec<u8>, hello: Option<u64>) {
        let faults = self.faults;
        let mut time = self.now;
        for attempt in 0..TRIES {
            let cut = self
                .cuts
                .get(member)
                .map_or(0, |cut| if to_hub { cut.to_hub } else { cut.to_member });
            let lost = self.chance.hits(faults.loss) || self.chance.hits(faults.corruption) || time < cut;
            if !lost {
                time += self.delay();
                let last = self.arrivals.entry((link, to_hub)).or_insert(0);
                time = time.max(*last);
                *last = time;
                self.at(time, arrival(member, link, to_hub, frame, hello));
                return;
            }
            time += RESEND << attempt;
        }
        self.broken.insert(link);
        self.at(time, Event::HubLost(member, link));
        self.at(time, Event::MemberLost(member, link));
    }

    fn delay(&mut self) -> u64 {
        1 + self.chance.below(self.faults.delay.max(1))
    }

    fn is_cut(&self, member: usize, to_hub: bool) -> bool {
        let until = |cut: &Cut| if to_hub { cut.to_hub } else { cut.to_member };
        self.cuts.get(member).is_some_and(|cut| self.now < until(cut))
    }

    /// Partitions come, in one direction or in both, of one member or of many.
    pub fn weather(&mut self) {
        let rate = self.faults.partition / 4;
        let now = self.now;
        let shared = self
            .chance
            .hits(rate / 2)
            .then(|| now + self.chance.between(50, 2500));
        for cut in &mut self.cuts {
            let own = self
                .chance
                .hits(rate)
                .then(|| now + self.chance.between(50, 2500));
            let until = if self.chance.hits(400) {
                shared.or(own)
            } else {
                own
            };
            let Some(until) = until else { continue };
            match self.chance.below(3) {
                0 => cut.to_hub = until,
                1 => cut.to_member = until,
                _ => (cut.to_hub, cut.to_member) = (until, until),
            }
        }
        if self.faults.partition > 0 {
            self.after(WEATHER, Event::Weather);
        }
    }

    /// All faults end.
    pub fn heal(&mut self) {
        self.faults = NetworkFaults {
            raw: self.faults.raw,
            delay: 10,
            ..NetworkFaults::default()
        };
        self.cuts.fill(Cut::default());
    }
}

fn arrival(member: usize, link: LinkId, to_hub: bool, frame: Vec<u8>, hello: Option<u64>) -> Event {
    if to_hub {
        Event::ToHub(member, link, frame, hello)
    } else {
        Event::ToMember(member, link, frame)
    }
}
