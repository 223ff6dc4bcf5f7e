//! What a survivors list may not say, on the complete graph of four.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tacita_ledger::statement_digest;
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::client::{RecordChange, SignedStatement};
use tacita_protocol::ledger_entries;
use tacita_protocol::messages::{AgreeRequest, ClientMessage, ServerMessage, SharersMessage};
use tacita_protocol::{Abort, Refusal};
use tacita_sim::{Moment, NOW, Plan, Report, Script, Stage, State, forge};

use crate::{aborted, against, exact, four, nothing_exposed, private, refused, run};

fn shown(victims: &'static [usize], survivors: Vec<u8>) -> Script<'static> {
    against(victims, move |_, _, message| {
        if let ServerMessage::Agree(request) = message {
            request.survivors = survivors.clone().into();
        }
    })
}

#[track_caller]
fn member_0_refuses(report: &Report, reason: &Refusal) {
    refused(report, &[0], reason);
    exact(report, &[0, 1, 2, 3]);
    private(report);
}

/// Failure: a member that never dealt shares can be called a survivor.
#[test]
fn nonsharer_resurrected() {
    let mut plan = Plan::new();
    plan.vanish.insert(3, Moment::AfterAdvertise);
    let mut attack = shown(&[0, 1, 2], vec![0x0f]);
    let report = four().run(&plan, &mut attack).unwrap();
    refused(&report, &[0, 1, 2], &Refusal::Survivors("not within U1"));
    aborted(&report, Abort::NoQuorum(0, 3));
    nothing_exposed(&report);
}

/// Failure: a bitmap of another length, or with spare bits, is signed.
#[test]
fn malformed_bitmap() {
    let reason = Refusal::Survivors("bitmap length or spare bits");
    for bitmap in [vec![], vec![0x1f], vec![0x0f, 0]] {
        member_0_refuses(&run(&mut four(), shown(&[0], bitmap)), &reason);
    }
}

/// Failure: a member signs a set that it is not in.
#[test]
fn not_a_survivor() {
    member_0_refuses(&run(&mut four(), shown(&[0], vec![0x0e])), &Refusal::NotASurvivor);
}

/// Failure: a member signs a set below m.
#[test]
fn too_few_survivors() {
    member_0_refuses(
        &run(&mut four(), shown(&[0], vec![0x03])),
        &Refusal::TooFewSurvivors(2, 3),
    );
}

/// Failure: a member signs two statements in one round when asked twice.
#[test]
fn asked_twice() {
    // All of them are asked for {0, 1, 2, 3}, then for {0, 1, 2}; then again for the first, byte for byte.
    let attack = Script::new().to_clients(|at, _, message| match &message {
        ServerMessage::Agree(first) if at.stage == Stage::Agree => {
            let second = AgreeRequest {
                survivors: vec![0x07].into(),
            };
            vec![
                message.clone(),
                ServerMessage::Agree(first.clone()),
                ServerMessage::Agree(second),
            ]
        }
        _ => vec![message],
    });
    let report = run(&mut four(), attack);
    refused(&report, &[0, 1, 2, 3], &Refusal::Repeated("agree request"));
    let signatures: Vec<_> = report
        .sent
        .iter()
        .filter_map(|sent| match sent.message() {
            Ok(ClientMessage::Agreement(agreement)) => Some((sent.from, agreement.signature)),
            _ => None,
        })
        .collect();
    assert_eq!(
        signatures.len(),
        8,
        "the identical request is answered again, with the same bytes"
    );
    assert!(signatures.chunks(2).all(|pair| pair[0] == pair[1]));
    aborted(
        &report,
        Abort::TooFewShares {
            dealer: 0,
            name: crate::FOUR.member(0).unwrap().name.clone(),
            have: 0,
            need: 3,
            wrong: 0,
            suspect: 0,
        },
    );
    nothing_exposed(&report);
}

/// Failure: a member signs another statement than its record holds for this round, as after a restart or beside a
/// second process of the same participant.
#[test]
fn another_statement_on_record() {
    let mut world = four();
    let round_id = [42; 32];
    world.record(0).unwrap().apply(RecordChange::Signed {
        round_id,
        signed: Box::new(SignedStatement {
            statement: [1; 32],
            ..SignedStatement::default()
        }),
    });
    let plan = Plan {
        round_id: Some(round_id),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    member_0_refuses(&report, &Refusal::SecondStatement);
}

/// A server that lies about U2, but collects the signatures, commits a charge for the lie and asks for the shares.
struct Liar {
    survivors: Bitmap,
    sharers: RefCell<Option<SharersMessage>>,
    signatures: RefCell<BTreeMap<u16, [u8; 64]>>,
    /// Packed bytes, suspects and signature of each upload.
    uploads: RefCell<BTreeMap<u16, Uploaded>>,
}

/// Packed bytes, suspects, signature.
type Uploaded = (Vec<u8>, Vec<u16>, [u8; 64]);

impl Liar {
    fn new(survivors: impl IntoIterator<Item = u16>) -> Self {
        Self {
            survivors: Bitmap::from_indices(4, survivors),
            sharers: RefCell::default(),
            signatures: RefCell::default(),
            uploads: RefCell::default(),
        }
    }

    fn script(&self) -> Script<'_> {
        Script::new()
            .edit(|_, _, message| match message {
                ServerMessage::Sharers(sharers) => *self.sharers.borrow_mut() = Some(sharers.clone()),
                ServerMessage::Agree(request) => request.survivors = self.survivors.bytes().to_vec().into(),
                _ => {}
            })
            .from_clients(|_, from, message| {
                let index = u16::try_from(from).unwrap();
                let mut uploads = self.uploads.borrow_mut();
                match &message {
                    ClientMessage::Agreement(agreement) => {
                        self.signatures.borrow_mut().insert(index, agreement.signature);
                    }
                    ClientMessage::Chunk(chunk) => {
                        let upload = uploads.entry(index).or_insert((Vec::new(), Vec::new(), [0; 64]));
                        upload.0.extend_from_slice(chunk.packed.as_slice());
                    }
                    ClientMessage::UploadEnd(end) => {
                        let upload = uploads.entry(index).or_insert((Vec::new(), Vec::new(), [0; 64]));
                        (upload.1, upload.2) = (end.suspects.as_slice().to_vec(), end.signature);
                    }
                    _ => {}
                }
                vec![message]
            })
            .more_to_clients(|at| {
                if at.stage != Stage::Reveal {
                    return Vec::new();
                }
                let view = &at.views[0];
                let mut ledger = view.ledger().clone();
                let sharers = forge::sharers_digest(4, self.sharers.borrow().as_ref().unwrap());
                let root = *view.roster().unwrap().root();
                let s = statement_digest(at.manifest.digest(), &root, &sharers, 4, self.survivors.bytes());
                // Everybody finds its own upload; a ghost has an invented one, which nobody can tell.
                let uploads = self.uploads.borrow();
                let signed = self.survivors.indices().map(|index| {
                    let invented = (Vec::new(), Vec::new(), [7; 64]);
                    let (packed, suspects, signature) = uploads.get(&index).unwrap_or(&invented);
                    let round = (&root, &sharers);
                    let digest = forge::upload_digest(at.manifest.digest(), round, index, suspects, packed);
                    (index, (digest, *signature))
                });
                let transcript = forge::uploads_tree(&signed.collect());
                let charge = ledger_entries::charge(
                    at.manifest,
                    &root,
                    &sharers,
                    &self.survivors,
                    &s,
                    &transcript.root(),
                    NOW,
                );
                let index = ledger.append(&charge).unwrap();
                let request = forge::reveal_request(
                    at.manifest,
                    &ledger,
                    (view.reserved(), index),
                    4,
                    &self.signatures.borrow(),
                )
                .unwrap();
                let shown = |to: u16| {
                    let mut request = request.clone();
                    let rank = u64::from(self.survivors.rank(to));
                    request.upload_proof = transcript.inclusion_proof(rank).unwrap_or_default().into();
                    (usize::from(to), ServerMessage::Reveal(Box::new(request)))
                };
                (0..4).map(shown).collect()
            })
    }
}

/// Failure: a member that dealt shares but never uploaded, listed as a survivor, gives the server anything.
#[test]
fn ghost_survivor() {
    // Nobody can tell: the statement is signed by three, the charge committed, the self-mask shares of all four revealed.
    // But the pair masks with the ghost stay in the sum of the others, and its mask secret stays unknown.
    let mut plan = Plan::new();
    plan.vanish.insert(3, Moment::AfterShare);
    let liar = Liar::new([0, 1, 2, 3]);
    let report = four().run(&plan, &mut liar.script()).unwrap();
    assert_eq!(liar.signatures.borrow().len(), 3);
    assert!(
        [0, 1, 2]
            .iter()
            .all(|member| report.clients[*member].state == State::Revealed)
    );
    let (self_known, mask_known) = report.knowledge.secrets_known();
    assert_eq!(
        (self_known.len(), mask_known.len()),
        (4, 0),
        "one kind of secret of each, never both"
    );
    nothing_exposed(&report);
}

/// Failure: a member that uploaded, listed as a drop-out by agreement of all others, loses its update: its mask secret
/// becomes known, its self mask must not.
#[test]
fn survivor_called_a_dropout() {
    let liar = Liar::new([0, 1, 2]);
    let report = run(&mut four(), liar.script());
    refused(&report, &[3], &Refusal::NotASurvivor);
    let (self_known, mask_known) = report.knowledge.secrets_known();
    assert_eq!(self_known, [0, 1, 2].into());
    assert_eq!(mask_known, [3].into());
    assert_eq!(
        report.knowledge.exposed(),
        [[0, 1, 2].into()],
        "the agreed sum, and nothing of member 3"
    );
    private(&report);
}
