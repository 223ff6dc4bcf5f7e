//! F51: the server calls somebody a survivor that never shared, or shows different sharers lists. Clients sign what they masked
//! with, first under their upload and then under the statement: no list has enough of either, nobody reveals.

use std::sync::Arc;

use serde_json::{Value, json};
use tacita_protocol::messages::ServerMessage;
use tacita_protocol::{Abort, RoundError};
use tacita_sim::forge::ForgedSharers;
use tacita_sim::{Cast, Plan, Script, Setting, Stage, State, World};

use crate::dishonest::{Scene, at_once, client_at, four, index_of};
use crate::federation::name;
use crate::federation::relay::Kind;

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
    let (server, code, mut clients) = scene.play();
    assert_ne!(code, 0);
    assert_eq!(scene.sent_by_all(Kind::UploadEnd), 4, "each masked with its list");
    // Two uploads are signed for another list: they belong to no sum of this one.
    let refused = server.stderr().matches("TAC-041").count();
    assert_eq!(refused, 2, "{}", server.stderr());
    scene.ended_without_a_sum("2 uploaded, 3 are needed");

    // Nobody came to sign a statement: what each signed under its upload tells the lists apart, after a crash and another attempt too.
    for attempts in 1..=2 {
        if attempts == 2 {
            scene.goes_on_honestly(std::mem::take(&mut clients));
        }
        let told = scene.compared(0, 2);
        assert_eq!(told.code, 1, "{told:?}");
        let of = told.json()["attempts"].clone();
        assert_eq!(of.as_array().unwrap().len(), attempts);
        let lied = format!(
            "the server showed two lists of sharers in attempt {}",
            text_of(&of[0]["attempt"])
        );
        assert_eq!(told.error(), lied);
        assert_eq!(of[0]["shown"], "two-lists-of-sharers");
        assert_eq!(of[0]["only_first"], json!([]));
        assert_eq!(of[0]["only_second"], json!([3]));
        let alike = scene.compared(0, 1);
        assert_eq!((alike.code, alike.stderr.as_str()), (0, ""));
        assert_eq!(alike.json()["attempts"][0]["shown"], "same-sharers");
        if attempts == 2 {
            assert_eq!(of[1]["shown"], "same-lists");
        }
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
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
    let (_, code, mut clients) = scene.play();
    assert_ne!(code, 0);
    // Member 3 itself leaves before its upload, and the others masked without it.
    clients[usize::from(client_at(3))].wait_for("TAC-032");
    assert_eq!(scene.sent_by_all(Kind::UploadEnd), 3);
    scene.ended_without_a_sum("0 uploaded, 3 are needed");
}

/// The lists of sharers agree, the list of survivors has one that never shared: nobody signs it.
#[test]
fn a_drop_out_that_is_called_a_survivor() {
    let scene = Scene::new(four(1));
    let silent = client_at(3);
    // Member 3 dies before it shares: its shares never arrive.
    scene.relay.rewrite_upwards(move |from, frame| {
        let lost = from == name(silent) && frame.first() == Some(&(Kind::Shares as u8));
        at_once((!lost).then_some(frame))
    });
    scene.edit_downwards(|_, message| {
        if let ServerMessage::Agree(request) = message {
            request.survivors = vec![0b1111].into();
        }
    });
    let (_, code, mut clients) = scene.play();
    assert_ne!(code, 0);
    for index in 0..3 {
        clients[usize::from(client_at(index))].wait_for("TAC-050");
    }
    assert_eq!(scene.sent_by_all(Kind::UploadEnd), 3);
    assert_eq!(scene.sent_by_all(Kind::Agreement), 0);
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
            match (divided, &view.result) {
                // Each half uploaded for a list of its own, and an honest sum of one half is too small.
                (Stage::Sharers, Err(RoundError::Abort(Abort::TooFewSurvivors(have, 60)))) => {
                    assert!(*have <= 33);
                }
                (Stage::Agree, Err(RoundError::Abort(Abort::NoQuorum(have, 35)))) => assert!(*have < 35),
                (_, other) => panic!("{divided:?}: {:?}", other.as_ref().err()),
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
