//! The transcript: every member sees its own upload, as it sent it, among those that the charge counts, before it reveals.

use std::cell::RefCell;

use tacita_ledger::Entry;
use tacita_ledger::tree::{self, Tree};
use tacita_protocol::Refusal;
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::messages::{ClientMessage, RevealRequest, ServerMessage};
use tacita_sim::forge::{self, Overheard};
use tacita_sim::{Backstage, Moment, Plan, Report, Script};

use crate::{exact, four, private, refused, ring, run};

/// The charge, the same but for its uploads root, in place of the honest one.
fn charge_for(at: &Backstage<'_>, request: &mut RevealRequest, uploads: &Tree) {
    let Ok(Entry::Charge(mut charge)) = Entry::decode(request.charge.bytes.as_slice()) else {
        panic!()
    };
    charge.uploads_root = uploads.root().iter().map(|byte| format!("{byte:02x}")).collect();
    let view = &at.views[0];
    let mut entries = view.ledger().entries().to_vec();
    entries.truncate(usize::try_from(view.reserved()).unwrap() + 1);
    entries.push(Entry::Charge(charge).encode().unwrap());
    let forged = view.ledger().forge(entries).unwrap();
    request.checkpoint = forged.checkpoint.clone().into();
    request.consistency = forged.consistency(at.manifest.fields().ledger_size);
    request.manifest = forged.proven(view.reserved());
    request.charge = forged.proven(view.reserved() + 1);
}

/// Runs four members of whom `victim` is shown what `edit` makes of its request, with all uploads overheard.
fn shown(victim: usize, edit: impl Fn(&Backstage<'_>, &Overheard, &mut RevealRequest)) -> Report {
    let uploads = RefCell::new(Overheard::default());
    let attack = Script::new()
        .from_clients(|at, from, message| {
            hear(&uploads, at, from, &message);
            vec![message]
        })
        .edit(|at, to, message| {
            if let (ServerMessage::Reveal(request), true) = (message, to == victim) {
                edit(at, &uploads.borrow(), request);
            }
        });
    run(&mut four(), attack)
}

fn hear(uploads: &RefCell<Overheard>, at: &Backstage<'_>, from: usize, message: &ClientMessage) {
    if let Some(roster) = at.views[0].roster() {
        let index = at.views[0].index_of(at.cast, from).unwrap();
        let manifest = at.manifest.digest();
        uploads.borrow_mut().hear(manifest, roster.root(), index, message);
    }
}

#[track_caller]
fn refuses(report: &Report, member: usize) {
    refused(report, &[member], &Refusal::UploadProof);
    exact(report, &[0, 1, 2, 3]);
    assert_eq!(report.result().unwrap().responders, 3);
    private(report);
}

fn list(indices: &[u16]) -> Bitmap {
    Bitmap::from_indices(4, indices.iter().copied())
}

/// Failure: a member reveals although the charge leaves its upload out, whoever stands in its place.
#[test]
fn upload_left_out() {
    // The tree of the other three, with every proof that it has to give.
    for other in [None, Some(0), Some(1), Some(2)] {
        let report = shown(3, |at, uploads, request| {
            let without = list(&[0, 1, 2]);
            charge_for(at, request, &uploads.tree(&without));
            request.upload_proof = match other {
                Some(index) => uploads.proof(&without, index).into(),
                None => Vec::new().into(),
            };
        });
        refuses(&report, 3);
    }
    // A leaf of nothing in its place: the tree has the right size.
    let report = shown(3, |at, uploads, request| {
        let mut leaves: Vec<_> = (0..4)
            .map(|i| uploads.tree(&list(&[0, 1, 2, 3])).leaf(i).unwrap())
            .collect();
        leaves[3] = [0; 32];
        let tree = Tree::from_leaves(leaves);
        request.upload_proof = tree.inclusion_proof(3).unwrap().into();
        charge_for(at, request, &tree);
    });
    refuses(&report, 3);
}

/// Failure: a member reveals although the charge counts other bytes than it sent, or its bytes under another signature or
/// another index.
#[test]
fn upload_replaced() {
    for case in 0..3 {
        let report = shown(0, |at, uploads, request| {
            let all = list(&[0, 1, 2, 3]);
            let honest = uploads.tree(&all);
            let mut leaves: Vec<_> = (0..4).map(|i| honest.leaf(i).unwrap()).collect();
            leaves[0] = match case {
                // What another signed, what nobody signed, and another's leaf in two places.
                0 => forge::upload_leaf(0, &[1; 32], &[2; 64]),
                1 => forge::upload_leaf(1, &[1; 32], &[2; 64]),
                _ => leaves[1],
            };
            let tree = Tree::from_leaves(leaves);
            request.upload_proof = tree.inclusion_proof(0).unwrap().into();
            charge_for(at, request, &tree);
        });
        refuses(&report, 0);
    }
}

/// Failure: a member takes the proof of another leaf, a proof that is cut, padded or changed, or none.
#[test]
fn proof_of_another_leaf() {
    let edits: [fn(&mut Vec<[u8; 32]>); 5] = [
        Vec::clear,
        |proof| proof.truncate(1),
        |proof| proof.push([0; 32]),
        |proof| proof.swap(0, 1),
        |proof| proof.resize(13, [0; 32]),
    ];
    for edit in edits {
        let report = shown(0, |_, _, request| {
            let mut proof = request.upload_proof.as_slice().to_vec();
            edit(&mut proof);
            request.upload_proof = proof.into();
        });
        refuses(&report, 0);
    }
    for other in 1..4 {
        let report = shown(0, |_, uploads, request| {
            request.upload_proof = uploads.proof(&list(&[0, 1, 2, 3]), other).into();
        });
        refuses(&report, 0);
    }
}

/// Failure: a member takes a proof under the uploads of another U2, in which it stands elsewhere.
#[test]
fn uploads_of_another_u2() {
    let report = shown(2, |at, uploads, request| {
        let other = list(&[0, 2, 3]);
        charge_for(at, request, &uploads.tree(&other));
        request.upload_proof = uploads.proof(&other, 2).into();
    });
    refuses(&report, 2);
    // Or the uploads in another order.
    let report = shown(2, |at, uploads, request| {
        let honest = uploads.tree(&list(&[0, 1, 2, 3]));
        let leaf = |i| honest.leaf(i).unwrap();
        let tree = Tree::from_leaves(vec![leaf(0), leaf(2), leaf(1), leaf(3)]);
        charge_for(at, request, &tree);
        request.upload_proof = tree.inclusion_proof(1).unwrap().into();
    });
    refuses(&report, 2);
}

/// Failure: a member takes the charge of an earlier round for proof, or that round's path for this one.
#[test]
fn path_of_an_earlier_round() {
    let mut world = four();
    let earlier = RefCell::new(Vec::new());
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Reveal(request), 0) = (message, to) {
            *earlier.borrow_mut() = request.upload_proof.as_slice().to_vec();
        }
    });
    exact(&run(&mut world, attack), &[0, 1, 2, 3]);
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Reveal(request), 0) = (message, to) {
            request.upload_proof = earlier.borrow().clone().into();
        }
    });
    refuses(&run(&mut world, attack), 0);
}

/// Failure: a member that revealed keeps no proof, or one that does not check against the ledger and what it signed by
/// the formulas of the spec; or a member that signed and did not reveal keeps one.
#[test]
fn receipts_check_against_the_ledger() {
    for (mut world, dropout, silent) in [(four(), 3, None), (ring(), 7, Some(1))] {
        let signs = silent.map(|member| (member, Moment::AfterSign));
        let plan = Plan {
            vanish: signs.into_iter().chain([(dropout, Moment::AfterShare)]).collect(),
            ..Plan::new()
        };
        let uploads = RefCell::new(Overheard::default());
        let mut attack = Script::new().from_clients(|at, from, message| {
            hear(&uploads, at, from, &message);
            vec![message]
        });
        let report = world.run(&plan, &mut attack).unwrap();
        drop(attack);
        let sum = report.result().unwrap();
        let members: Vec<usize> = sum.survivors.clone();
        assert!(!members.contains(&dropout) && silent.is_none_or(|member| members.contains(&member)));
        let id = report.manifest.fields().round_id;
        let all: Vec<Option<u16>> = report.views[0].indices.clone();
        let size = u16::try_from(all.iter().flatten().count()).unwrap();
        let survivors = Bitmap::from_indices(size, members.iter().map(|member| all[*member].unwrap()));
        let entry = world.ledger().entries()[1].clone();
        let Ok(Entry::Charge(charge)) = Entry::decode(&entry) else {
            panic!()
        };
        let root = uploads.borrow().tree(&survivors).root();
        assert_eq!(charge.uploads_root_digest(), Some(root));
        for (member, index) in all.iter().enumerate() {
            let record = world.record(member).unwrap();
            let receipt = record.included().get(&id);
            if !members.contains(&member) || silent == Some(member) {
                assert_eq!(receipt, None, "member {member}");
                continue;
            }
            let receipt = receipt.unwrap();
            assert_eq!((Some(receipt.index), receipt.charge), (*index, 1));
            assert_eq!(receipt.uploads_root, root);
            assert_eq!(receipt.upload.digest, record.spent()[&id].upload_digest);
            let leaf = forge::upload_leaf(receipt.index, &receipt.upload.digest, &receipt.upload.signature);
            let (at, of) = (u64::from(receipt.position), u64::from(receipt.survivors));
            tree::verify_inclusion(&leaf, at, of, &receipt.proof, &root).unwrap();
        }
        private(&report);
    }
}
