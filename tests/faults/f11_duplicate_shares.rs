//! F11: an answer with two shares of one dealer. It is refused as a whole (TAC-035) and counts for nobody's threshold.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, four, named};
use crate::federation::relay::Kind;

#[test]
fn two_shares_of_one_dealer() {
    let scene = Scene::new(four(1));
    scene.edit_upwards(2, |message| {
        if let ClientMessage::Reveal(reveal) = message {
            let mut shares = reveal.shares.as_slice().to_vec();
            shares.insert(1, shares[0].clone());
            reveal.shares = shares.into();
        }
    });
    let (server, code, _clients) = scene.play();
    assert_eq!(code, 0);
    named(&server, 2, "TAC-035");
    assert_eq!(scene.sent_by_all(Kind::Reveal), 4);
    assert_eq!(scene.outcomes(), [(4, 3)]);
}

#[test]
fn they_do_not_make_up_for_a_missing_holder() {
    let scene = Scene::new(four(1));
    // Two of four answer with copies: two holders are left, three are needed.
    scene.relay.rewrite_upwards(|from, frame| {
        let mut message = ClientMessage::decode(&frame).unwrap();
        if let (ClientMessage::Reveal(reveal), "client-0002" | "client-0003") = (&mut message, from) {
            let mut shares = reveal.shares.as_slice().to_vec();
            shares.insert(1, shares[0].clone());
            reveal.shares = shares.into();
        }
        crate::dishonest::at_once([message.encode().unwrap()])
    });
    let (server, code, _clients) = scene.play();
    assert_ne!(code, 0);
    named(&server, 2, "TAC-035");
    named(&server, 3, "TAC-035");
    assert!(
        server
            .stderr()
            .contains("2 of 3 shares can be had; 0 holders answered wrongly"),
        "{}",
        server.stderr()
    );
    assert!(scene.outcomes().is_empty());
    assert_eq!(
        scene.federation.entries_of("charge").len(),
        1,
        "the charge stands"
    );
}
