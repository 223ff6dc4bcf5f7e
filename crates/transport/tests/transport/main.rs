//! The transport over real UDP on 127.0.0.1, with certificates of a real authority.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod frames;
mod garbage;
mod members;
mod raw;
mod strangers;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tacita_identity::Role;
use tacita_transport::{
    Admission, ClientEndpoint, Connection, FailedHandshake, Limits, LocalIdentity, ServerEndpoint,
    TransportError,
};
use world::{Parts, World, name};

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn identity(parts: Parts) -> LocalIdentity {
    LocalIdentity::new(parts.0, parts.1, parts.2).unwrap()
}

/// A world with a server called `hub` that listens, and an endpoint for clients.
struct House {
    world: World,
    server: Arc<ServerEndpoint>,
    addr: SocketAddr,
    clients: ClientEndpoint,
}

impl House {
    fn new() -> Self {
        Self::with(Limits::loopback(), Admission::members())
    }

    fn with(limits: Limits, admission: Admission) -> Self {
        let mut world = World::new(7);
        let hub = world.member(Role::Server, "hub");
        Self::of(world, hub, limits, admission)
    }

    fn of(world: World, server: Parts, limits: Limits, admission: Admission) -> Self {
        let clients = ClientEndpoint::bind(any(), &limits).unwrap();
        let server = ServerEndpoint::bind(any(), identity(server), admission, limits).unwrap();
        let addr = server.local_addr().unwrap();
        Self {
            world,
            server: Arc::new(server),
            addr,
            clients,
        }
    }

    fn client(&mut self, text: &str) -> LocalIdentity {
        identity(self.world.member(Role::Client, text))
    }

    async fn connect(&self, who: &LocalIdentity) -> Result<Connection, TransportError> {
        self.clients.connect(self.addr, who, Some(&name("hub"))).await
    }

    async fn accept(&self) -> Result<Connection, FailedHandshake> {
        soon(self.server.accept()).await.unwrap()
    }

    /// The next connection that comes about, past those that noise began.
    async fn accept_good(&self) -> Connection {
        loop {
            if let Ok(connection) = self.accept().await {
                return connection;
            }
        }
    }

    /// Both ends of a new connection.
    async fn pair(&mut self, text: &str) -> (Connection, Connection) {
        let who = self.client(text);
        let (client, server) = tokio::join!(self.connect(&who), self.accept_good());
        (client.unwrap(), server)
    }
}

/// No test waits for ever.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("took too long")
}
