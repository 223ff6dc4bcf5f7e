//! Every bound of the transport, in one place. The specification repeats the constants.

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};

/// The application protocol that both sides must name.
pub const ALPN: &[u8] = b"tacita/1";
/// Longest frame, in bytes, its four-byte length not counted.
pub const MAX_FRAME: usize = 256 << 10;
/// Bidirectional streams that a peer may have open at once.
pub const BIDI_STREAMS: u32 = 4;
/// Unidirectional streams that a peer may have open.
pub const UNI_STREAMS: u32 = 0;
/// Largest window of a connection: bytes that the peer may send, on all its streams together, ahead of the reader, and bytes
/// that we keep for it until it acknowledges them.
pub const WINDOW: u32 = 1 << 20;
/// Smallest window. At 100 ms of round trip it carries 640 kB a second.
pub const LEAST_WINDOW: u32 = 64 << 10;
/// Bytes that the windows of one direction share on a listening side that knows how many come, as long as none would be
/// smaller than the smallest.
pub const WINDOWS: u64 = 16 << 20;
/// Packets that the peer is asked to receive before it acknowledges them (draft-ietf-quic-ack-frequency); packets
/// out of order are still reported at once. Against every second packet this saves a tenth of an upload's
/// processor time.
pub const PACKETS_PER_ACK: u32 = 10;
/// Handshake bytes out of order that one connection may make us keep.
pub const CRYPTO_BUFFER: usize = 16 << 10;
/// A connection without a sign of life for this long is lost.
pub const IDLE: Duration = Duration::from_secs(15);
/// Interval of signs of life while nothing is said.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// A handshake that takes longer is given up.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes under way at once; further ones are refused, and clients come back after a random delay.
pub const PENDING: usize = 256;
/// Above so many handshakes under way, an address must first prove with a Retry packet that it can be reached.
pub const RETRY_ABOVE: usize = 64;
/// Handshakes under way from one address prefix (IPv4 /24, IPv6 /48).
pub const PER_PREFIX: usize = 64;
/// A handshake that failed counts as under way for so long more: QUIC keeps its state for three probe timeouts
/// (RFC 9000 section 10.2), and without this a flood of failures would not be seen.
pub const LINGER: Duration = Duration::from_secs(3);
/// Open connections.
pub const CONNECTIONS: usize = 2_048;
/// Bytes of early packets kept for one connection attempt, and for all of them, before it is looked at.
pub const INCOMING_BUFFER: (u64, u64) = (16 << 10, 4 << 20);
/// Life of the token in a Retry packet.
pub const RETRY_TOKEN_LIFE: Duration = Duration::from_secs(10);
/// Bytes asked of the system for each direction of the UDP socket. The usual 208 KiB loses packets when hundreds
/// of clients upload at once, and each loss halves somebody's speed.
pub const SOCKET_BUFFER: usize = 4 << 20;
/// Longest certificate chain looked at: the authority sends its own certificate and the root.
pub const MAX_CHAIN: usize = 2;
/// Longest text of a peer that goes into an error, in characters.
pub const MAX_REASON: usize = 128;

/// The bounds that an operator may move.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// See [`PENDING`].
    pub pending: usize,
    /// See [`RETRY_ABOVE`]; `None` never sends Retry.
    pub retry_above: Option<usize>,
    /// See [`PER_PREFIX`]; `None` counts no prefixes.
    pub per_prefix: Option<usize>,
    /// See [`CONNECTIONS`].
    pub connections: usize,
    /// See [`HANDSHAKE`].
    pub handshake: Duration,
    /// See [`IDLE`].
    pub idle: Duration,
    /// See [`KEEP_ALIVE`].
    pub keep_alive: Duration,
    /// See [`SOCKET_BUFFER`].
    pub socket_buffer: usize,
    /// See [`WINDOW`] and [`Limits::shared_by`].
    pub window: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending: PENDING,
            retry_above: Some(RETRY_ABOVE),
            per_prefix: Some(PER_PREFIX),
            connections: CONNECTIONS,
            handshake: HANDSHAKE,
            idle: IDLE,
            keep_alive: KEEP_ALIVE,
            socket_buffer: SOCKET_BUFFER,
            window: WINDOW,
        }
    }
}

impl Limits {
    /// For a demonstration on one machine, where hundreds of clients share an address, start in the same
    /// instant and compete for the same cores.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            pending: 1_024,
            retry_above: None,
            per_prefix: None,
            handshake: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            ..Self::default()
        }
    }

    /// For so many connections at once: their windows share [`WINDOWS`] bytes in each direction, each a power of two between
    /// [`LEAST_WINDOW`] and [`WINDOW`].
    #[must_use]
    pub fn shared_by(self, connections: usize) -> Self {
        let share = WINDOWS.checked_div(connections as u64).unwrap_or(WINDOWS).max(1);
        let window = 1u64.checked_shl(share.ilog2()).unwrap_or(WINDOWS);
        let bounds = (LEAST_WINDOW.into(), WINDOW.into());
        Self {
            window: u32::try_from(window.clamp(bounds.0, bounds.1)).unwrap_or(LEAST_WINDOW),
            ..self
        }
    }

    pub(crate) fn transport(&self) -> Arc<TransportConfig> {
        let mut config = TransportConfig::default();
        // Milliseconds up to 2^32: an operator's larger value means 49 days.
        let idle = VarInt::from_u32(u32::try_from(self.idle.as_millis()).unwrap_or(u32::MAX));
        config
            .max_concurrent_bidi_streams(BIDI_STREAMS.into())
            .max_concurrent_uni_streams(UNI_STREAMS.into())
            .stream_receive_window(self.window.into())
            .receive_window(self.window.into())
            .send_window(self.window.into())
            .crypto_buffer_size(CRYPTO_BUFFER)
            .max_idle_timeout(Some(IdleTimeout::from(idle)))
            .keep_alive_interval(Some(self.keep_alive))
            .datagram_receive_buffer_size(None)
            .allow_spin(false);
        let mut acknowledgements = AckFrequencyConfig::default();
        acknowledgements.ack_eliciting_threshold(PACKETS_PER_ACK.into());
        config.ack_frequency_config(Some(acknowledgements));
        Arc::new(config)
    }
}

/// How slowly a peer may send before [`FrameReceiver::recv`](crate::FrameReceiver::recv) gives up on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Longest silence between two frames; `None` waits as long as the connection lives.
    pub quiet: Option<Duration>,
    /// Time that any frame may take, once its first byte is there.
    pub grace: Duration,
    /// Bytes a second expected beyond `grace`.
    pub least_rate: u32,
}

impl Default for Pace {
    /// 16 KiB a second after ten seconds, any silence between frames.
    fn default() -> Self {
        Self {
            quiet: None,
            grace: Duration::from_secs(10),
            least_rate: 16 << 10,
        }
    }
}

impl Pace {
    /// Time that a frame of `bytes` may take from its first byte to its last.
    #[must_use]
    pub fn allowance(&self, bytes: usize) -> Duration {
        let seconds = bytes.checked_div(self.least_rate as usize).unwrap_or(0) as u64;
        self.grace.saturating_add(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_share_their_bytes() {
        for (connections, window) in [
            (0, WINDOW),
            (1, WINDOW),
            (16, WINDOW),
            (17, 512 << 10),
            (100, 128 << 10),
            (256, LEAST_WINDOW),
            (1_000, LEAST_WINDOW),
            (10_000, LEAST_WINDOW),
            (usize::MAX, LEAST_WINDOW),
        ] {
            assert_eq!(
                Limits::default().shared_by(connections).window,
                window,
                "{connections}"
            );
        }
    }
}
