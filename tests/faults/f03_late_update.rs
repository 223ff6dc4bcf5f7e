//! F03: the server claims that a live client dropped out and then has its update after all. The late update is not taken: the
//! sum is that of the others, and of this client shares of one secret were revealed.

use std::time::Duration;

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, at_once, client_at, four, index_of};
use crate::federation::name;
use crate::federation::relay::Kind;

#[test]
fn a_late_upload_is_no_upload() {
    let scene = Scene::new(four(1));
    let late = client_at(0);
    scene.relay.rewrite_upwards(move |from, frame| {
        if from == name(late) && frame.first() == Some(&(Kind::UploadEnd as u8)) {
            // The phase is over after two seconds.
            return vec![(Duration::from_millis(2500), frame)];
        }
        at_once([frame])
    });
    let (_, code, _clients) = scene.play();
    assert_eq!(code, 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
    assert_eq!(
        scene.sent(late, Kind::Reveal),
        0,
        "it is no survivor, so it is not asked"
    );
    // The others gave one share of it each.
    for received in scene.relay.received() {
        if let Ok(ClientMessage::Reveal(reveal)) = ClientMessage::decode(&received.frame) {
            let of_late = reveal
                .shares
                .as_slice()
                .iter()
                .filter(|s| s.dealer == index_of(&name(late)));
            assert_eq!(of_late.count(), 1, "{}", received.from);
        }
    }
}

/// The kind of those shares, and what the server can make of them, in the simulator: the mask secret alone.
#[test]
fn its_self_mask_stays_unknown() {
    use tacita_sim::{Cast, Plan, Script, Setting, World};
    let cast = std::sync::Arc::new(Cast::new(4, 103).unwrap());
    let mut world = World::new(cast, Setting::new(4, 1, 3), 1).unwrap();
    let mut held_back = Vec::new();
    let mut attack = Script::new().from_clients(|_, from, message| match message {
        ClientMessage::UploadEnd(_) if from == 0 => {
            held_back.push(message);
            Vec::new()
        }
        ClientMessage::Reveal(_) => vec![message].into_iter().chain(held_back.pop()).collect(),
        _ => vec![message],
    });
    let report = world.run(&Plan::new(), &mut attack).unwrap();
    drop(attack);
    assert!(held_back.is_empty(), "it was delivered");
    assert_eq!(report.result().unwrap().survivors, [1, 2, 3]);
    let (self_known, mask_known) = report.knowledge.secrets_known();
    assert!(!self_known.contains(&0) && mask_known.contains(&0));
    assert_eq!(report.knowledge.exposed(), [[1, 2, 3].into()]);
}
