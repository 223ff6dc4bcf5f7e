//! F51: the server calls somebody a survivor that never shared, or shows different sharers lists. Clients sign what they masked
//! with: no list has a quorum, nobody reveals.

use std::sync::Arc;

use tacita_protocol::messages::ServerMessage;
use tacita_protocol::{Abort, RoundError};
use tacita_sim::forge::ForgedSharers;
use tacita_sim::{Cast, Plan, Script, Setting, Stage, State, World};

use crate::dishonest::{Scene, four, index_of};

#[test]
fn two_lists_of_sharers() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Sharers(sharers), 0 | 1) = (message, index_of(to)) {
            // Two are told that member 3 did not share.
            let mut forged = ForgedSharers::of(4, sharers);
            forged.roots.remove(&3);
            *sharers = forged.message(|_| true, sharers.boxes.as_slice().to_vec());
        }
    });
    let (_, code, clients) = scene.play();
    assert_ne!(code, 0);
    scene.ended_without_a_sum("2 signed the statement, 3 are needed");
    let refused = clients
        .iter()
        .filter(|client| client.stderr().contains("TAC-050"))
        .count();
    assert_eq!(refused, 2, "a survivor that is no sharer");
}

#[test]
fn a_survivor_that_never_shared() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|_, message| match message {
        ServerMessage::Sharers(sharers) => {
            let mut forged = ForgedSharers::of(4, sharers);
            forged.roots.remove(&3);
            *sharers = forged.message(|_| true, sharers.boxes.as_slice().to_vec());
        }
        ServerMessage::Agree(request) => request.survivors = vec![0b1111].into(),
        _ => {}
    });
    let (_, code, _clients) = scene.play();
    assert_ne!(code, 0);
    // Member 3 itself leaves before its upload (TAC-032).
    scene.ended_without_a_sum("0 signed the statement, 3 are needed");
}

/// Two arcs of a ring, each with a list of its own: neither half has the quorum of 35.
#[test]
fn two_lists_on_two_halves_of_a_ring() {
    let cast = Arc::new(Cast::new(66, 151).unwrap());
    let setting = Setting {
        dimension: 64,
        ..Setting::new(66, 2, 60)
    };
    for divided in [Stage::Sharers, Stage::Agree] {
        let mut world = World::new(cast.clone(), setting.clone(), 1).unwrap();
        let (early, lost) = match divided {
            Stage::Sharers => (Stage::Roster, 0),
            _ => (Stage::Sharers, 65),
        };
        let mut attack = Script::new().views(
            2,
            |stage, to| usize::from(stage >= divided && to >= 33),
            // The second view did not hear one member say what came before.
            |view, stage, from| view == 0 || stage != early || from != lost,
        );
        let report = world.run(&Plan::new(), &mut attack).unwrap();
        drop(attack);
        for view in &report.views {
            match &view.result {
                Err(RoundError::Abort(Abort::NoQuorum(have, 35))) => assert!(*have < 35),
                other => panic!("{:?}", other.as_ref().err()),
            }
        }
        assert!(
            report
                .clients
                .iter()
                .all(|client| client.state != State::Revealed)
        );
        assert!(report.knowledge.exposed().is_empty());
    }
}
