//! A participant's CSV file, or the server's held-out one, with something wrong in it.

use std::fs;

use super::{files_below, says};
use crate::federation::{Federation, Plan, edit, text};
use crate::running::tacita;

#[test]
fn a_bad_line_is_named_by_file_line_and_column() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let dir = federation.client_dir(0);
    let config = federation.client_config(0);
    let data = dir.join("data.csv");
    let join = || tacita(["client", "join", "--config", text(&config)]);
    let before = files_below(&dir.join("state"));
    for (csv, words) in [
        (
            "x0,x1,label\n1,2,yes\n1,abc,no\n",
            &["data.csv", "line 3", "\"x1\"", "not a number"][..],
        ),
        (
            "x0,x1,label\nNaN,2,yes\n",
            &["data.csv", "line 2", "\"x0\"", "not finite"],
        ),
        (
            "x0,x1,label\n1,inf,yes\n",
            &["data.csv", "line 2", "\"x1\"", "not finite"],
        ),
        (
            "x0,x1,label\n1,1e39,yes\n",
            &["data.csv", "line 2", "\"x1\"", "not finite"],
        ),
        (
            "x0,x1,label\n1,2,yes\n1,,no\n",
            &["data.csv", "line 3", "\"x1\"", "empty"],
        ),
        (
            "x0,x1,label\n1,2,perhaps\n",
            &["data.csv", "line 2", "\"label\"", "classes"],
        ),
        ("x0,x1,label\n1,2\n", &["data.csv", "line 2", "2 cells", "3"]),
        ("x0,x1,target\n1,2,yes\n", &["data.csv", "line 1", "\"label\""]),
        ("x0,x0,label\n1,2,yes\n", &["data.csv", "line 1", "column 2"]),
        ("x0,x1,label\n", &["data.csv", "no rows"]),
        ("", &["data.csv", "line 1", "no header"]),
    ] {
        fs::write(&data, csv).unwrap();
        let ran = join();
        says(1, &ran, words);
        // A cell may be private: it is not repeated.
        assert!(
            !ran.stderr.contains("abc") && !ran.stderr.contains("perhaps"),
            "{}",
            ran.stderr
        );
    }
    fs::write(&data, b"x0,x1,label\n1,\xff\xfe,yes\n").unwrap();
    says(1, &join(), &["data.csv", "line 2", "UTF-8"]);
    fs::remove_file(&data).unwrap();
    says(1, &join(), &["data.csv", "No such file"]);
    assert_eq!(files_below(&dir.join("state")), before);
}

#[test]
fn a_server_with_bad_held_out_data_does_not_start() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let config = federation.server_config();
    let run = || tacita(["server", "run", "--config", text(&config)]);
    let held_out = federation.path().join("server/held-out.csv");
    fs::write(&held_out, "x0,x1,label\n1,NaN,yes\n").unwrap();
    says(1, &run(), &["held-out.csv", "line 2", "\"x1\"", "not finite"]);
    fs::remove_file(&held_out).unwrap();
    says(1, &run(), &["held-out.csv"]);
    edit(&config, "csv = { label", "# csv = { label");
    fs::write(&held_out, "x0,x1,label\n1,2,yes\n").unwrap();
    says(1, &run(), &["[evaluation.csv]"]);
    assert!(federation.entries().is_empty(), "no round was promised");
}

/// The file is fine, and of another task: the client says so when it sees the model, and nothing leaves the machine.
#[test]
fn data_of_another_shape_than_the_model() {
    let federation = Federation::new(Plan {
        wait: 5,
        attempts: 1,
        ..Plan::new(3, 3, 0)
    });
    fs::write(
        federation.client_dir(1).join("data.csv"),
        "x0,x1,x2,label\n1,2,3,yes\n3,2,1,no\n",
    )
    .unwrap();
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    assert_eq!(clients[1].wait(), 1);
    let said = clients[1].stderr();
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("error: training: "), "{said}");
    assert_eq!(federation.status(1)["uploads"], 0);
    assert_eq!(server.wait(), 1);
    assert_eq!(federation.entries_of("charge").len(), 0);
    federation.report();
}
