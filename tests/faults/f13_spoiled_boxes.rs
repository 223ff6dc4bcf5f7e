//! F13, before anything is revealed: a dealer spoils boxes and leaves its signed root as it is: no share convicts it, so the pairs are listed, by name, and blame nobody.
//! One box costs one share; without enough of the others nothing is charged.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, client_at, four, index_of};
use crate::federation::name;
use crate::federation::process::Process;

/// Member 2 spoils its boxes for the first `count` of its neighbours; those.
fn spoiled(scene: &Scene, count: usize) -> Vec<u16> {
    scene.edit_upwards(2, move |message| {
        if let ClientMessage::Shares(shares) = message {
            let mut boxes = shares.boxes.as_slice().to_vec();
            for dealt in boxes.iter_mut().take(count) {
                let mut ciphertext = dealt.ciphertext.as_slice().to_vec();
                ciphertext[0] ^= 1;
                dealt.ciphertext = ciphertext.into();
            }
            shares.boxes = boxes.into();
        }
    });
    let dealer = index_of(&name(2));
    let holders = (0..4).filter(|index| *index != dealer).take(count);
    holders.map(client_at).collect()
}

/// The log lists these pairs with member 2, each once, and no other.
#[track_caller]
fn listed(server: &Process, holders: &[u16]) {
    let said = server.stderr();
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("suspect pair"))
        .collect();
    assert_eq!(lines.len(), holders.len(), "{said}");
    for holder in holders {
        let pair = format!("dealer={} holder={}", name(2), name(*holder));
        let found = lines.iter().filter(|line| line.contains(&pair)).count();
        assert_eq!(found, 1, "{pair}: {said}");
    }
}

#[test]
fn one_box_costs_one_share() {
    let scene = Scene::new(four(1));
    let holders = spoiled(&scene, 1);
    let (server, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    listed(&server, &holders);
    assert!(!server.stderr().contains("refused"), "{}", server.stderr());
    assert_eq!(scene.outcomes(), [(4, 4)]);
    for client in &mut clients {
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    let score = scene.federation.plan.task.score(&scene.federation.last_model());
    assert!(score > 0.8, "{score}");
}

#[test]
fn too_many_end_the_round_before_the_charge() {
    let scene = Scene::new(four(1));
    let holders = spoiled(&scene, 2);
    let (server, code, _clients) = scene.play();
    assert_ne!(code, 0);
    listed(&server, &holders);
    scene.ended_without_a_sum("2 of 3 shares can be had; 0 holders answered wrongly, 2 boxes did not open");
}
