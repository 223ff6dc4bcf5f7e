//! A participant: clock, sockets, disk and training around the protocol.
