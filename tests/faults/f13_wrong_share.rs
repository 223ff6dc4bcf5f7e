//! F13: a wrong but well-formed share. Its commitment names the holder (TAC-073), the others' shares rebuild the secret, and
//! without enough of them the round ends without a sum.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, at_once, four, index_of};
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
    let blame = format!("revealed by holder {}", index_of(&name(2)));
    let said = server.stderr();
    assert!(said.contains("TAC-073") && said.contains(&blame), "{said}");
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
    assert!(
        server.stderr().contains("2 shares of member 0"),
        "{}",
        server.stderr()
    );
    assert!(scene.outcomes().is_empty());
}
