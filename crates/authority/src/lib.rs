//! The enrolment authority as a running thing: a directory with the root key, a register of what was issued, and a
//! QUIC end point that hands out certificates.
//!
//! Operators' decisions come in through [`AuthorityDir`] (`init`, `invite`, `list`, `revoke`, `reinstate`), strangers'
//! messages through [`serve`]; certificates, the signed deny list and revocation lists go out. What may be issued to
//! whom is decided in `tacita-identity`; this crate adds the clock, the disk and the sockets.
//!
//! ```text
//! DIR/root.key        the root key, PKCS#8 PEM, mode 0600; never leaves this machine
//! DIR/root.pem        the root certificate, public
//! DIR/authority.toml  the settings
//! DIR/authority.db    the register: invitations (hashed), certificates, deny lists
//! ```
//!
//! Several processes may work in one directory at once: the register is opened shared, and everything that may happen
//! once (an invitation spent, a certificate renewed, a deny list numbered) is a key that is inserted once, in the same
//! durable batch as its consequence.

mod deny;
mod directory;
mod error;
mod files;
mod grant;
mod host;
mod lockout;
mod member;
mod register;
mod serve;
mod settings;

pub use deny::CRL_LIFE_SECONDS;
pub use directory::AuthorityDir;
pub use error::AuthorityError;
pub use lockout::{LOCKOUT_ATTEMPTS, LOCKOUT_SECONDS, MAX_TRACKED_SOURCES};
pub use member::{Member, MemberState, OpenInvitation, Overview};
pub use register::KEEP_EXPIRED_SECONDS;
pub use serve::{
    AuthorityServer, CONNECTION_SECONDS, MAX_REQUESTS_PER_CONNECTION, MAX_WORKERS, REQUEST_SECONDS, serve,
};
pub use settings::Settings;
