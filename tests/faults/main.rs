//! What goes wrong in the world, one module for each row of the fault matrix, with real processes, kills and disks.
// A failed assumption is a failed test, and a test that was skipped or drew its own seed says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../federation/mod.rs"]
mod federation;
#[path = "../running/mod.rs"]
mod running;

mod f10_rollback;
mod f19_garbage_on_the_port;
mod f24_two_sessions_of_one_name;
mod f28_dropout_in_each_phase;
mod f30_lost_connection;
mod f31_server_killed;
mod f32_client_killed;
mod f34_disk_full;
mod f36_bit_flip;
mod f38_two_servers;
