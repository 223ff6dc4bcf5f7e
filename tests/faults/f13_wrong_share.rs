//! F13: a wrong but well-formed share. Its commitment shows whose it is: the holder is named (TAC-073), whatever the round comes to. The
//! others' shares rebuild the secret, and without enough of them the round ends without a sum.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, at_once, client_at, four, index_of, named};
use crate::federation::name;

fn wrong(shares: &mut [u8; 32]) {
    // Still below the order of the field, unless it was at its very end.
    shares[0] ^= 1;
}

#[test]
fn the_holder_is_named_and_the_sum_is_right() {
    let scene = Scene::new(four(1));
    scene.edit_upwards(2, |message| {
        if let ClientMessage::Reveal(reveal) = message {
            wrong(&mut reveal.shares[0].value);
        }
    });
    let (server, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    named(&server, 2, "TAC-073");
    let blame = format!("revealed by holder {}", index_of(&name(2)));
    let said = server.stderr();
    assert!(said.contains(&blame), "{said}");
    assert_eq!(said.matches("TAC-073").count(), 1, "once: {said}");
    assert_eq!(scene.outcomes(), [(4, 4)]);
    for client in &mut clients {
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    let score = scene.federation.plan.task.score(&scene.federation.last_model());
    assert!(score > 0.8, "{score}");
}

#[test]
fn without_enough_right_ones_there_is_no_sum() {
    let scene = Scene::new(four(1));
    scene.relay.rewrite_upwards(|from, frame| {
        let mut message = ClientMessage::decode(&frame).unwrap();
        if let (ClientMessage::Reveal(reveal), "client-0002" | "client-0003") = (&mut message, from) {
            wrong(&mut reveal.shares[0].value);
        }
        at_once([message.encode().unwrap()])
    });
    let (server, code, _clients) = scene.play();
    assert_ne!(code, 0);
    // The liars are named, and not the dealer whose secret is missing for it.
    named(&server, 2, "TAC-073");
    named(&server, 3, "TAC-073");
    let said = server.stderr();
    assert_eq!(said.matches("TAC-073").count(), 2, "{said}");
    let abort = format!(
        "the secret of member 0 ('{}') cannot be rebuilt: 2 of 3 shares can be had; 2 holders answered wrongly, 0 boxes did \
         not open",
        name(client_at(0))
    );
    assert!(said.contains(&abort), "{said}");
    assert!(scene.outcomes().is_empty());
}
