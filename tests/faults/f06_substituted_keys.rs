//! F06: the server puts keys of its own into a client's roster. They are not signed by the members' certificates: the client
//! leaves (TAC-023, TAC-021), and seals nothing for the server.

use tacita_protocol::messages::ServerMessage;
use tacita_sim::forge::ForgedRoster;

use crate::dishonest::{Scene, client_at, four, index_of};
use crate::federation::relay::Kind;

fn substituted(reforged: bool) {
    let scene = Scene::new(four(1));
    scene.edit_downwards(move |to, message| {
        if let (ServerMessage::Roster(roster), 0) = (message, index_of(to)) {
            let mut forged = ForgedRoster::of(roster);
            forged.entries[1].advertise.share_key = [9; 32];
            if reforged {
                *roster = forged.message();
            } else {
                roster.entries[1].advertise.share_key = [9; 32];
            }
        }
    });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for(if reforged { "TAC-023" } else { "TAC-021" });
    assert_eq!(scene.sent(victim, Kind::Shares), 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
}

#[test]
fn keys_under_a_new_root_are_refused() {
    substituted(true);
}

#[test]
fn keys_under_the_old_root_are_refused() {
    substituted(false);
}
