//! The aggregation service: clock, sockets and disk around the protocol.
