//! F34: the disk fills up under the server, or under a client. One clear line, an end that is not success, state that
//! verifies, and all goes on once there is space. Needs the right to mount a small file system.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::federation::process::{Process, until};
use crate::federation::{Federation, Plan, text};
use crate::running::tacita;

/// A small file system in memory, unmounted with the test.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// `None` where the test may not mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs", text(at)])
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { at: at.to_owned() }),
            _ => {
                println!("skipped: this user may not mount a file system");
                None
            }
        }
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let grown = Command::new("mount")
            .args(["-o", &options, text(&self.at)])
            .status();
        assert!(grown.unwrap().success());
    }

    /// Leaves `free` bytes.
    fn fill(&self, free: u64) {
        let ballast = self.at.join("ballast");
        let mut file = File::create(&ballast).unwrap();
        let page = [1u8; 4096];
        let mut written = 0;
        while file.write_all(&page).is_ok() {
            written += 4096;
        }
        file.set_len(written - free).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.at.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(&self.at)]).status();
    }
}

/// Moves a directory onto a small disk and leaves the disk in its place.
fn onto_small_disk(dir: &Path) -> Option<SmallDisk> {
    let aside = dir.with_extension("aside");
    fs::rename(dir, &aside).unwrap();
    let disk = SmallDisk::mount(dir, "4m")?;
    let moved = Command::new("cp")
        .args(["-a", "--", &format!("{}/.", text(&aside)), text(dir)])
        .status();
    assert!(moved.unwrap().success());
    Some(disk)
}

#[test]
fn a_server_without_space_stops_and_goes_on_later() {
    let federation = Federation::new(Plan {
        rounds: 4,
        ..Plan::new(3, 3, 0)
    });
    let Some(disk) = onto_small_disk(&federation.path().join("server")) else {
        return;
    };
    let mut clients: Vec<Process> = Vec::new();
    for free in [0u64, 24, 56, 72, 88] {
        disk.fill(free * 1024);
        if free == 0 {
            // Nothing can be opened, and a check of what is there still works.
            let ran = tacita(["server", "run", "--config", text(&federation.server_config())]);
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            assert!(ran.error().contains("full"), "{}", ran.stderr);
        } else if let Some(mut server) = federation.try_start_server() {
            if clients.is_empty() {
                clients = federation.start_clients();
            }
            if server.wait() == 0 {
                // This much was enough.
                disk.empty();
                break;
            }
            let said = server.stderr();
            let last = said.lines().last().unwrap();
            println!("with {free} KiB: {last}");
            assert!(last.starts_with("error: "), "{said}");
            assert!(last.contains("full") || last.contains("space"), "{last}");
        }
        disk.empty();
    }
    let mut server = federation.start_server();
    if clients.is_empty() {
        clients = federation.start_clients();
    }
    federation.finish(&mut server, &mut clients);
    assert_eq!(federation.entries_of("outcome").len(), 4);
    federation.report();
}

#[test]
fn a_client_without_space_says_so_and_the_others_go_on() {
    let federation = Federation::new(Plan {
        rounds: 40,
        wait: 2,
        deadline: 3,
        ..Plan::new(3, 2, 0)
    });
    let Some(disk) = onto_small_disk(&federation.client_dir(1).join("state")) else {
        return;
    };
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("two rounds", || federation.entries_of("outcome").len() >= 2);
    disk.fill(0);
    assert_eq!(clients[1].wait(), 1);
    let said = clients[1].stderr();
    assert!(said.lines().last().unwrap().starts_with("error: "), "{said}");
    assert!(said.contains("full"), "{said}");
    let before = federation.entries_of("outcome").len();
    until("the others go on", || {
        federation.entries_of("outcome").len() > before + 1
    });
    disk.empty();
    let uploads = federation.status(1)["uploads"].as_u64().unwrap();
    assert!(uploads >= 2);
    clients[1] = federation.start_client(1);
    let before = federation.entries_of("outcome").len();
    until("it is back", || {
        federation.entries_of("outcome").len() > before + 3
    });
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    clients[1].signal("TERM");
    assert_eq!(clients[1].wait(), 0, "{}", clients[1].stderr());
    assert!(federation.status(1)["uploads"].as_u64().unwrap() > uploads);
    federation.report();
}

#[test]
fn an_upload_without_space_is_refused_by_name_and_the_task_goes_on_later() {
    let federation = Federation::new(Plan {
        rounds: 2,
        attempts: 100,
        // Two chunks, some 60 KB in all.
        model: Some("mlp 2 4096 2"),
        ..Plan::new(3, 3, 0)
    });
    // Room for what is dealt and for the first chunk of one, and for nobody's second.
    let spool = federation.server_state().join("spool");
    let Some(disk) = SmallDisk::mount(&spool, "60k") else {
        return;
    };
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    server.wait_for("TAC-043: what was sent cannot be stored");
    let said = server.stderr();
    let line = said.lines().find(|line| line.contains("TAC-043")).unwrap();
    assert!(
        line.contains("client=client-000") && line.contains("No space left"),
        "{line}"
    );
    until("the attempt is released", || {
        !federation.entries_of("release").is_empty()
    });
    assert_eq!(federation.entries_of("charge").len(), 0);
    disk.grow("4m");
    federation.finish(&mut server, &mut clients);
    assert_eq!(federation.entries_of("outcome").len(), 2);
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "nothing stays there");
    federation.report();
}
