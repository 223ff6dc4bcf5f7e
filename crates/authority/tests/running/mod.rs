//! A real authority on loopback, for the tests beside.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tacita_authority::{AuthorityDir, AuthorityServer, Settings};
use tacita_identity::{Invitation, Name, PrivateKey, Role};
use tacita_transport::{ClientEndpoint, Enrolled, Limits, LocalIdentity};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn key(seed: u64) -> PrivateKey {
    PrivateKey::generate(&mut StdRng::seed_from_u64(seed))
}

pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub fn endpoint() -> ClientEndpoint {
    ClientEndpoint::bind("127.0.0.1:0".parse().unwrap(), &Limits::loopback()).unwrap()
}

pub fn identity(enrolled: &Enrolled, key: &PrivateKey) -> LocalIdentity {
    let chain = vec![enrolled.certificate.clone()];
    LocalIdentity::new(chain, key.to_pkcs8_der().unwrap(), enrolled.anchor.clone()).unwrap()
}

/// An initialised directory, opened as a command would, beside any server.
pub struct Office {
    pub root: TempDir,
    pub desk: AuthorityDir,
}

impl Office {
    pub fn new(settings: Settings) -> Self {
        let root = tempfile::tempdir().unwrap();
        let desk = AuthorityDir::init(&root.path().join("authority"), &name("test"), settings).unwrap();
        Self { root, desk }
    }

    pub fn path(&self) -> PathBuf {
        self.root.path().join("authority")
    }

    pub fn serve(&self) -> Served {
        let server = AuthorityServer::start(
            AuthorityDir::open(&self.path()).unwrap(),
            "127.0.0.1:0".parse().unwrap(),
            Limits::loopback(),
        )
        .unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            server
                .run(async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        Served {
            address,
            stop: Some(stop),
            task,
        }
    }

    pub fn invite(&self, who: &str, role: Role) -> Invitation {
        Invitation::parse(&self.desk.invite(&name(who), role).unwrap()).unwrap()
    }
}

/// A server that stops when told.
pub struct Served {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Served {
    pub async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        tokio::time::timeout(Duration::from_secs(10), self.task)
            .await
            .unwrap()
            .unwrap();
    }
}
