//! Invitations, certificate requests, profiles, chain checks and revocation, without I/O.
