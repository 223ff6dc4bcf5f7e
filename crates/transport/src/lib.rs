//! The room between two machines: opaque frames over QUIC, between peers whose certificates were checked.
//!
//! A frame is up to [`MAX_FRAME`] bytes that this crate never looks into. TLS 1.3 only, both sides with a
//! certificate of the same authority, keys agreed by X25519MLKEM768 where the peer can; no resumption, no 0-RTT,
//! no migration, no datagrams. Who may talk to whom is decided by `tacita-identity`; what is said, by the
//! protocol above. Every resource that a stranger can use is bounded in [`limits`].
//!
//! ```text
//! LocalIdentity + Limits -> ServerEndpoint -> accept() -> Connection -> (FrameSender, FrameReceiver)
//! LocalIdentity          -> ClientEndpoint -> connect() -> Connection -> (FrameSender, FrameReceiver)
//! root fingerprint       -> ClientEndpoint -> connect_authority() -> AuthorityConnection
//! Invitation, PrivateKey -> enrol() -> Enrolled    (and renew(), fetch_deny_list())
//! Machine -> MachineIdentity -> Keeper -> Standing (certificate and deny list of a machine that runs)
//! ```
//!
//! One [`ClientEndpoint`] serves many identities of one process over one UDP socket. Time comes from the system
//! clock: this is a shell crate.

mod backoff;
mod client;
mod connection;
mod door;
mod enrol;
mod error;
mod frame;
pub mod limits;
mod local;
mod machine;
mod server;
mod socket;
mod standing;
mod tls;

pub use backoff::Backoff;
pub use client::{AuthorityConnection, ClientEndpoint};
pub use connection::Connection;
pub use enrol::{EnrolError, Enrolled, enrol, fetch_deny_list, renew};
pub use error::{CLOSE_COME_BACK, CLOSE_DONE, CLOSE_REFUSED, PeerVerdict, TransportError};
pub use frame::{FrameReceiver, FrameSender};
pub use limits::{ALPN, Limits, MAX_FRAME, Pace};
pub use local::{IdentityError, LocalIdentity};
pub use machine::{Machine, MachineError, MachineIdentity};
pub use server::{Admission, FailedHandshake, ServerEndpoint, ServerStats};
pub use socket::SocketBuffers;
pub use standing::{Keeper, KeeperError, Standing, Visit};
