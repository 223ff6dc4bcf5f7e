//! What the ledger may not say, and what must be in it before anybody reveals.

use std::cell::RefCell;

use tacita_ledger::{Charge, Entry, statement_digest};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::messages::{OutcomeMessage, Proof, RevealRequest, ServerMessage};
use tacita_protocol::{Abort, Refusal, RoundError, ledger_entries};
use tacita_sim::{Backstage, Ledger, NOW, Plan, Report, Script, State, View, World};

use crate::{aborted, against, exact, four, nothing_exposed, private, refused, run};

fn edited(edit: impl Fn(&Backstage<'_>, &mut RevealRequest)) -> Report {
    run(
        &mut four(),
        against(&[0], move |at, _, message| {
            if let ServerMessage::Reveal(request) = message {
                edit(at, request);
            }
        }),
    )
}

#[track_caller]
fn member_0_refuses(report: &Report, reason: &Refusal) {
    refused(report, &[0], reason);
    exact(report, &[0, 1, 2, 3]);
    private(report);
}

/// A ledger like the honest one up to the manifest entry, and then with this entry instead of the charge.
pub(crate) fn instead_of_the_charge(at: &Backstage<'_>, request: &mut RevealRequest, entry: &[u8]) {
    let view = &at.views[0];
    let mut entries = view.ledger().entries().to_vec();
    entries.truncate(usize::try_from(view.reserved()).unwrap() + 1);
    entries.push(entry.to_vec());
    let forged = view.ledger().forge(entries).unwrap();
    request.checkpoint = forged.checkpoint.clone().into();
    request.consistency = forged.consistency(at.manifest.fields().ledger_size);
    request.manifest = forged.proven(view.reserved());
    request.charge = forged.proven(view.reserved() + 1);
}

/// The charge of a request.
pub(crate) fn charged(request: &RevealRequest) -> Charge {
    match Entry::decode(request.charge.bytes.as_slice()) {
        Ok(Entry::Charge(charge)) => charge,
        other => panic!("{other:?}"),
    }
}

/// The same charge for another list of survivors, all digests right.
pub(crate) fn of_another_list(at: &Backstage<'_>, honest: &Charge, survivors: &[u16]) -> Vec<u8> {
    of_survivors(&at.views[0], honest, survivors)
}

pub(crate) fn of_survivors(view: &View, honest: &Charge, survivors: &[u16]) -> Vec<u8> {
    let (manifest, roster) = (view.manifest(), view.roster().unwrap());
    let list = Bitmap::from_indices(roster.size(), survivors.iter().copied());
    let sharers: [u8; 32] = unhex(&honest.sharers_digest);
    let uploads: [u8; 32] = unhex(&honest.uploads_root);
    let size = u64::from(roster.size());
    let s = statement_digest(manifest.digest(), roster.root(), &sharers, size, list.bytes());
    let entry = ledger_entries::charge(manifest, roster.root(), &sharers, &list, &s, &uploads, NOW);
    entry.encode().unwrap()
}

/// Failure: a member reveals on a charge that is not in the ledger.
#[test]
fn charge_not_in_the_ledger() {
    let report = edited(|_, request| {
        let mut proof = request.charge.proof.as_slice().to_vec();
        match proof.first_mut() {
            Some(hash) => hash[0] ^= 1,
            None => proof.push([0; 32]),
        }
        request.charge.proof = proof.into();
    });
    member_0_refuses(&report, &Refusal::LedgerInclusion);
    let report = edited(|_, request| request.charge.index += 1);
    member_0_refuses(&report, &Refusal::LedgerInclusion);
    let report = edited(|_, request| request.charge.proof = vec![[0; 32]; 65].into());
    member_0_refuses(&report, &Refusal::LedgerInclusion);
    let report = edited(|_, request| {
        let mut proof = request.manifest.proof.as_slice().to_vec();
        proof.push([0; 32]);
        request.manifest.proof = proof.into();
    });
    member_0_refuses(&report, &Refusal::LedgerInclusion);
}

/// Failure: a member reveals on a well-formed charge for another statement than the one it signed.
#[test]
fn charge_for_another_statement() {
    let report = edited(|at, request| {
        let honest = charged(request);
        // {0, 1, 2} instead of everybody.
        instead_of_the_charge(at, request, &of_another_list(at, &honest, &[0, 1, 2]));
    });
    member_0_refuses(&report, &Refusal::Charge);
}

/// Failure: a member reveals although its own upload is not among those that the charge names: left out, exchanged for another
/// one, or shown by the path of somebody else.
#[test]
fn own_upload_not_in_the_transcript() {
    let root_changed = edited(|at, request| {
        let Ok(Entry::Charge(mut charge)) = Entry::decode(request.charge.bytes.as_slice()) else {
            panic!()
        };
        charge.uploads_root = "ab".repeat(32);
        let bytes = Entry::Charge(charge).encode().unwrap();
        instead_of_the_charge(at, request, &bytes);
    });
    member_0_refuses(&root_changed, &Refusal::NotInTranscript);
    let no_path = edited(|_, request| request.upload_proof = Vec::new().into());
    member_0_refuses(&no_path, &Refusal::NotInTranscript);
    let longer = edited(|_, request| {
        let mut path = request.upload_proof.as_slice().to_vec();
        path.push([0; 32]);
        request.upload_proof = path.into();
    });
    member_0_refuses(&longer, &Refusal::NotInTranscript);
    // The path of another member's upload.
    let others: RefCell<Option<Proof>> = RefCell::default();
    let report = run(
        &mut four(),
        Script::new().edit(|_, to, message| {
            if let ServerMessage::Reveal(request) = message {
                if to == 0 {
                    let path = request.upload_proof.clone();
                    let mut kept = path.as_slice().to_vec();
                    kept.swap(0, 1);
                    *others.borrow_mut() = Some(path);
                    request.upload_proof = kept.into();
                } else if to == 1 {
                    request.upload_proof = others.borrow().clone().unwrap();
                }
            }
        }),
    );
    refused(&report, &[0, 1], &Refusal::NotInTranscript);
    private(&report);
}

/// Failure: a member reveals on an entry that is no charge, is no entry, or hides it in another round's name.
#[test]
fn something_else_in_place_of_the_charge() {
    let report = edited(|at, request| instead_of_the_charge(at, request, b"{}"));
    member_0_refuses(&report, &Refusal::Charge);
    let report = edited(|at, request| {
        let manifest = request.manifest.bytes.as_slice().to_vec();
        instead_of_the_charge(at, request, &manifest);
    });
    member_0_refuses(&report, &Refusal::Charge);
    let edits: [fn(&mut Charge); 3] = [
        |charge| charge.task = "another".to_owned(),
        |charge| charge.round += 1,
        |charge| charge.round_id = "00".repeat(32),
    ];
    for edit in edits {
        let report = edited(|at, request| {
            let Ok(Entry::Charge(mut charge)) = Entry::decode(request.charge.bytes.as_slice()) else {
                panic!()
            };
            edit(&mut charge);
            let bytes = Entry::Charge(charge).encode().unwrap();
            instead_of_the_charge(at, request, &bytes);
        });
        member_0_refuses(&report, &Refusal::Charge);
    }
}

/// Failure: a member reveals although the reserve in the ledger promises other parameters than the manifest it signed.
#[test]
fn reserve_of_other_parameters() {
    let edits: [fn(&mut tacita_ledger::Manifest); 3] = [
        |manifest| manifest.grid *= 2,
        |manifest| manifest.colluders = 0,
        |manifest| manifest.dimension += 1,
    ];
    for edit in edits {
        let report = edited(|at, request| {
            let Ok(Entry::Manifest(mut manifest)) = Entry::decode(request.manifest.bytes.as_slice()) else {
                panic!()
            };
            edit(&mut manifest);
            manifest.padded = manifest.padded.max(manifest.dimension);
            let view = &at.views[0];
            let mut entries = view.ledger().entries().to_vec();
            let at_reserve = usize::try_from(view.reserved()).unwrap();
            entries[at_reserve] = Entry::Manifest(manifest).encode().unwrap();
            let forged = view.ledger().forge(entries).unwrap();
            request.checkpoint = forged.checkpoint.clone().into();
            request.consistency = forged.consistency(at.manifest.fields().ledger_size);
            request.manifest = forged.proven(view.reserved());
            request.charge = forged.proven(view.charged().unwrap());
        });
        member_0_refuses(&report, &Refusal::Charge);
    }
}

/// Failure: a charge counts that stands before the reserve it is of, or takes its place.
#[test]
fn charge_before_the_reserve() {
    let report = edited(|at, request| {
        let view = &at.views[0];
        let mut entries = view.ledger().entries().to_vec();
        let reserved = usize::try_from(view.reserved()).unwrap();
        entries.swap(reserved, reserved + 1);
        let forged = view.ledger().forge(entries).unwrap();
        request.checkpoint = forged.checkpoint.clone().into();
        request.consistency = forged.consistency(at.manifest.fields().ledger_size);
        request.manifest = forged.proven(view.reserved() + 1);
        request.charge = forged.proven(view.reserved());
    });
    member_0_refuses(&report, &Refusal::Charge);
    let report = edited(|_, request| std::mem::swap(&mut request.manifest, &mut request.charge));
    member_0_refuses(&report, &Refusal::Charge);
}

/// Failure: a checkpoint counts that the pinned log key did not sign.
#[test]
fn checkpoint_of_another_key() {
    let forged = |at: &Backstage<'_>| {
        let head = tacita_ledger::Checkpoint {
            origin: at.cast.log_verifier().name().to_owned(),
            size: at.views[0].ledger().size(),
            root: at.views[0].ledger().root(),
        };
        // The server's own key is not the log's.
        head.sign(&at.cast.server().key).unwrap().to_bytes()
    };
    let report = edited(|at, request| request.checkpoint = forged(at).into());
    member_0_refuses(&report, &Refusal::CheckpointSignature);
    let report = edited(|_, request| request.checkpoint = vec![b'\n'; 5000].into());
    member_0_refuses(&report, &Refusal::CheckpointSignature);
    let report = edited(|_, request| request.consistency = vec![[0; 32]; 65].into());
    member_0_refuses(&report, &Refusal::CheckpointSignature);
    // In the invitation: another key, or an honest head other than the one in the manifest.
    let attack = against(&[0], |at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            invitation.checkpoint = forged(at).into();
        }
    });
    let report = run(&mut four(), attack);
    refused(&report, &[0], &Refusal::CheckpointSignature);
    exact(&report, &[1, 2, 3]);
    private(&report);
    let attack = against(&[0], |at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            invitation.manifest.ledger_root[0] ^= 1;
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
    });
    let report = run(&mut four(), attack);
    refused(&report, &[0], &Refusal::CheckpointSignature);
    private(&report);
}

/// Failure: a member goes on, or keeps no evidence, when the head of the reveal does not extend that of the invitation.
#[test]
fn fork_inside_a_round() {
    let mut world = four();
    exact(&world.run_honest(&Plan::new()).unwrap(), &[0, 1, 2, 3]);
    let attack = against(&[0], |at, _, message| {
        if let ServerMessage::Reveal(request) = message {
            // History is rewritten: the first entry is another one.
            let mut entries = at.views[0].ledger().entries().to_vec();
            entries[0] = b"another past".to_vec();
            let forged = at.views[0].ledger().forge(entries).unwrap();
            request.checkpoint = forged.checkpoint.clone().into();
            request.consistency = forged.consistency(at.manifest.fields().ledger_size);
            request.manifest = forged.proven(at.views[0].reserved());
            request.charge = forged.proven(at.views[0].charged().unwrap());
        }
    });
    let report = run(&mut world, attack);
    member_0_refuses(&report, &Refusal::LedgerFork);
    evidence(&mut world, 0);
}

/// The member kept two heads, each signed by the log.
#[track_caller]
fn evidence(world: &mut World, member: usize) {
    let cast = world.cast().clone();
    let forks = world.record(member).unwrap().forks();
    assert_eq!(forks.len(), 1, "member {member}");
    let key = cast.log_verifier();
    for head in [&forks[0].ours, &forks[0].shown] {
        let signed = tacita_ledger::SignedCheckpoint::verify(&head.note, key).unwrap();
        assert_eq!(
            (signed.checkpoint().size, signed.checkpoint().root),
            (head.size, head.root)
        );
    }
    assert_ne!(forks[0].ours, forks[0].shown);
}

/// Failure: between rounds the server goes back to an older ledger, or to another one of the same length, and members
/// follow or keep no evidence.
#[test]
fn fork_between_rounds() {
    let start = |world: &mut World| -> Ledger {
        exact(&world.run_honest(&Plan::new()).unwrap(), &[0, 1, 2, 3]);
        let older = world.ledger().clone();
        exact(&world.run_honest(&Plan::new()).unwrap(), &[0, 1, 2, 3]);
        older
    };
    // Rolled back by one round.
    let mut world = four();
    let older = start(&mut world);
    world.replace_ledger(older.clone());
    let report = world.run_honest(&Plan::new()).unwrap();
    refused(&report, &[0, 1, 2, 3], &Refusal::LedgerFork);
    aborted(&report, Abort::TooFewMembers(0, 3));
    nothing_exposed(&report);
    (0..4).for_each(|member| evidence(&mut world, member));
    // Another history of the same length.
    let mut world = four();
    let mut other = start(&mut world);
    while other.size() < world.ledger().size() {
        let mut id = [0; 32];
        id[0] = u8::try_from(other.size()).unwrap();
        let manifest = world.manifest(id).unwrap().check().unwrap();
        other.append(&ledger_entries::reserve(&manifest, NOW)).unwrap();
    }
    world.replace_ledger(other);
    let report = world.run_honest(&Plan::new()).unwrap();
    refused(&report, &[0, 1, 2, 3], &Refusal::LedgerFork);
    nothing_exposed(&report);
    (0..4).for_each(|member| evidence(&mut world, member));
}

/// Failure: an outcome counts that is not in the ledger, or is of another round.
#[test]
fn outcome_of_another_kind() {
    let outcome = |edit: fn(&mut OutcomeMessage)| {
        run(
            &mut four(),
            against(&[0], move |_, _, message| {
                if let ServerMessage::Outcome(outcome) = message {
                    edit(outcome);
                }
            }),
        )
    };
    let report = outcome(|message| message.outcome.index = 0);
    member_0_refuses(&report, &Refusal::LedgerInclusion);
    // A second round shows the outcome of the first, which is in the ledger.
    let mut world = four();
    exact(&world.run_honest(&Plan::new()).unwrap(), &[0, 1, 2, 3]);
    let attack = against(&[0], |at, _, message| {
        if let ServerMessage::Outcome(outcome) = message {
            // Entries: manifest, charge, outcome of the first round.
            outcome.outcome = at.views[0].ledger().proven(2).unwrap();
        }
    });
    let report = run(&mut world, attack);
    member_0_refuses(&report, &Refusal::LedgerInclusion);
    // And one shows the charge in place of the outcome.
    let attack = against(&[0], |at, _, message| {
        if let ServerMessage::Outcome(outcome) = message {
            outcome.outcome = at.views[0]
                .ledger()
                .proven(at.views[0].charged().unwrap())
                .unwrap();
        }
    });
    let report = run(&mut four(), attack);
    member_0_refuses(&report, &Refusal::LedgerInclusion);
}

/// Failure: the honest ledger of many rounds, some of which ended early, does not pass the auditor's check.
#[test]
fn ledger_of_many_rounds_verifies() {
    let mut world = four();
    for round in 0..6usize {
        let mut plan = Plan::new();
        if round % 2 == 1 {
            plan.vanish = (0..round)
                .map(|member| (member % 4, tacita_sim::Moment::ALL[round % 4]))
                .collect();
        }
        let report = world.run_honest(&plan).unwrap();
        let ended = matches!(report.result(), Ok(_) | Err(RoundError::Abort(_)));
        assert!(ended, "round {round}");
        assert!(report.clients.iter().all(|client| client.state != State::Refused));
        private(&report);
    }
    world.ledger().verify().unwrap();
}

fn unhex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}
