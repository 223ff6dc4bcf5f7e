//! What goes wrong in the world, one module for each row of the fault matrix, with real processes, kills and disks.
// A failed assumption is a failed test, and a test that was skipped or drew its own seed says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../federation/mod.rs"]
mod federation;
#[path = "../running/mod.rs"]
mod running;

mod dishonest;
mod f01_survivor_lists;
mod f02_both_secrets;
mod f03_late_update;
mod f04_cohort_shrunk;
mod f05_sybils;
mod f06_substituted_keys;
mod f07_another_model;
mod f08_replay_in_a_round;
mod f09_replay_across_rounds;
mod f10_rollback;
mod f11_duplicate_shares;
mod f12_values_out_of_range;
mod f13_spoiled_boxes;
mod f13_wrong_share;
mod f14_wrong_shape;
mod f19_garbage_on_the_port;
mod f24_two_sessions_of_one_name;
mod f28_dropout_in_each_phase;
mod f29_one_dropout_too_many;
mod f30_bad_network;
mod f30_lost_connection;
mod f31_server_killed;
mod f32_client_killed;
mod f34_disk_full;
mod f36_bit_flip;
mod f38_two_servers;
mod f39_fork_shown_to_some;
mod f40_stolen_ledger_key;
mod f41_wrong_accounts;
mod f42_too_little_noise;
mod f50_another_version;
mod f51_sharers_lists;
