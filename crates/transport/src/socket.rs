//! The UDP socket, with buffers as large as the system grants.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::TransportError;

/// What was asked for the socket's buffers, and what the system gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBuffers {
    /// Bytes asked for each direction.
    pub asked: usize,
    /// Bytes granted for receiving.
    pub receive: usize,
    /// Bytes granted for sending.
    pub send: usize,
}

impl SocketBuffers {
    /// Whether the system granted what was asked; otherwise raise `net.core.rmem_max` and `net.core.wmem_max`.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.receive.min(self.send) >= self.asked
    }
}

pub(crate) fn bind(addr: SocketAddr, buffer: usize) -> Result<(UdpSocket, SocketBuffers), TransportError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AddrInUse => TransportError::AddressInUse { addr },
        _ => TransportError::Bind {
            addr,
            reason: error.to_string(),
        },
    };
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?;
    if addr.is_ipv6() && addr.ip().is_unspecified() {
        socket.set_only_v6(false).map_err(failed)?;
    }
    // A system that grants less is worth a warning, not a failure.
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    // Linux reports twice what it granted (socket(7)).
    let factor = if cfg!(target_os = "linux") { 2 } else { 1 };
    let buffers = SocketBuffers {
        asked: buffer,
        receive: socket.recv_buffer_size().map_err(failed)? / factor,
        send: socket.send_buffer_size().map_err(failed)? / factor,
    };
    socket.bind(&addr.into()).map_err(failed)?;
    Ok((socket.into(), buffers))
}
