//! QUIC with mutual TLS: opaque frames between authenticated peers.
