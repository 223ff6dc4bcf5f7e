//! The round: sans-IO state machines for both sides, masks and the wire format.
