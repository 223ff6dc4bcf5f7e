//! Ports in use, and nobody at the other end.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::{complaint, files_below, says};
use crate::federation::{Federation, Plan, edit, name, redeem, succeeded, text};
use crate::running::tacita;

#[test]
fn a_port_in_use() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let taken = UdpSocket::bind(("127.0.0.1", federation.port)).unwrap();
    let run = || tacita(["server", "run", "--config", text(&federation.server_config())]);
    let address = taken.local_addr().unwrap().to_string();
    says(1, &run(), &["already in use", &address]);
    let dir = federation.path().join("authority");
    let ran = tacita(["authority", "serve", "--listen", &address, "--dir", text(&dir)]);
    says(1, &ran, &["already in use", &address]);
    assert!(federation.entries().is_empty());
    drop(taken);
    // An address that this machine does not have, and one that is none.
    let config = federation.server_config();
    edit(
        &config,
        &format!("127.0.0.1:{}", federation.port),
        "192.0.2.1:7443",
    );
    says(1, &run(), &["192.0.2.1:7443"]);
    edit(&config, "192.0.2.1:7443", "nowhere");
    says(2, &run(), &["server.listen", "nowhere"]);
    edit(
        &config,
        "\"nowhere\"",
        &format!("\"127.0.0.1:{}\"", federation.port),
    );
    federation.run_to_the_end();
}

#[test]
fn no_server_answers_on_the_udp_port() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    // One that was never started, and one whose port is open but silent.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let joining = [federation.port, silent.local_addr().unwrap().port()]
        .into_iter()
        .zip(0..)
        .map(|(port, index)| {
            federation.write_client(index, port);
            let before = files_below(&federation.client_dir(index).join("state"));
            (port, index, before, federation.start_client(index))
        });
    for (port, index, before, mut client) in joining.collect::<Vec<_>>() {
        assert_eq!(client.wait(), 1);
        let said = client.stderr();
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("error: no answer from "), "{said}");
        assert!(
            last.contains(&format!("127.0.0.1:{port} over UDP; check")),
            "{said}"
        );
        assert_eq!(files_below(&federation.client_dir(index).join("state")), before);
    }
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn no_authority_answers_on_the_udp_port() {
    let mut federation = Federation::new(Plan {
        rounds: 1,
        ..Plan::new(3, 3, 0)
    });
    let config = federation.client_config(0);
    let state = federation.client_dir(0).join("state");
    let before = files_below(&state);
    let line = federation.invite("client", &name(0));
    let address = federation.authority.stdout();
    let address = address
        .strip_prefix("Listening on ")
        .and_then(|rest| rest.split(',').next())
        .unwrap()
        .to_owned();
    federation.authority.kill();
    says(1, &redeem("client", &config, &line), &["no answer", &address]);
    assert_eq!(files_below(&state), before);
    // The invitation is not used up.
    federation.start_authority(&address);
    succeeded(&redeem("client", &config, &line));
    // A federation whose authority is away works on with the deny list that it knows.
    federation.authority.kill();
    federation.run_to_the_end();
}

#[test]
fn a_host_name_that_does_not_exist() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let config = federation.client_config(0);
    edit(
        &config,
        &format!("127.0.0.1:{}", federation.port),
        "no-such-host.invalid:7443",
    );
    let ran = tacita(["client", "join", "--config", text(&config)]);
    says(2, &ran, &["client.server", "no-such-host.invalid"]);
    edit(&config, "no-such-host.invalid:7443", "no port");
    complaint(2, &tacita(["client", "join", "--config", text(&config)]));
}
