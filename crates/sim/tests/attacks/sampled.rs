//! Above 1,000 members: what a server does with the list of signers that members draw from.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use tacita_ledger::tree::{Tree, leaf_hash};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::certificates::CertificateCache;
use tacita_protocol::client::RecordChange;
use tacita_protocol::limits::{IDENTITY_PREFIX, SAMPLE};
use tacita_protocol::messages::{ClientMessage, Draws, Proof, SampledRequest, ServerMessage, SignersMessage};
use tacita_protocol::server::Gathering;
use tacita_protocol::{Refusal, RoundError};
use tacita_sim::{Backstage, Cast, Moment, Plan, Report, Script, Setting, Stage, State, World, forge, plain};

use crate::charge::{charged, instead_of_the_charge, of_another_list};
use crate::private;

static LARGE: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(1001, 14).unwrap()));

/// n = 1001, c = 0, m = 1000: k = 4, t = 3, Q = 501.
fn large() -> World {
    World::new(LARGE.clone(), Setting::new(1001, 0, 1000), 4).unwrap()
}

/// Signatures as they reach the server, by roster index: with a full roster, by member.
type Signed = RefCell<BTreeMap<u16, [u8; 64]>>;

fn listen(signed: &Signed, from: usize, message: &ClientMessage) {
    if let ClientMessage::Agreement(agreement) = message {
        let index = u16::try_from(from).unwrap();
        signed.borrow_mut().insert(index, agreement.signature);
    }
}

/// A list of a server's own making: all that signed, some signatures changed.
struct Forged {
    bitmap: Bitmap,
    signatures: BTreeMap<u16, [u8; 64]>,
    tree: Tree,
}

impl Forged {
    fn of(signatures: BTreeMap<u16, [u8; 64]>) -> Self {
        let leaves = signatures
            .iter()
            .map(|(i, s)| leaf_hash(&[&i.to_be_bytes()[..], s].concat()))
            .collect();
        Self {
            bitmap: Bitmap::from_indices(1001, signatures.keys().copied()),
            tree: Tree::from_leaves(leaves),
            signatures,
        }
    }

    fn commit(&self, message: &mut SignersMessage) {
        message.signers = self.bitmap.bytes().to_vec().into();
        message.root = self.tree.root();
    }

    /// The signatures asked for, with good proofs under the forged root.
    fn open(&self, message: &mut SampledRequest) {
        let shown = Bitmap::decode(1001, message.request.signers.as_slice()).unwrap();
        let rank = |i: u16| u64::from(self.bitmap.rank(i));
        let proof = |i| Proof::from(self.tree.inclusion_proof(rank(i)).unwrap());
        message.request.signatures = shown
            .indices()
            .map(|i| self.signatures[&i])
            .collect::<Vec<_>>()
            .into();
        message.proofs = shown.indices().map(proof).collect::<Vec<_>>().into();
    }
}

/// What is neither the victim's nor its neighbours'.
fn strangers(at: &Backstage<'_>, victim: usize, signed: &Signed) -> Vec<u16> {
    let own = u16::try_from(victim).unwrap();
    let near = at.views[0].roster().unwrap().neighbours(own);
    let all = signed.borrow();
    all.keys()
        .copied()
        .filter(|i| *i != own && !near.contains(i))
        .collect()
}

#[track_caller]
fn refuses(report: &Report, member: usize, reason: &Refusal) {
    assert_eq!(report.refusal(member), Some(reason), "member {member}");
    let revealed = |sent: &tacita_sim::Sent| matches!(sent.message(), Ok(ClientMessage::Reveal(_)));
    assert!(
        !report
            .sent
            .iter()
            .any(|sent| sent.from == member && revealed(sent))
    );
}

/// A round of 1,001 comes to its sum; a member that vanishes is in no list, and each of the others draws for itself.
#[test]
fn honest() {
    let mut world = large();
    let plan = Plan {
        vanish: [(7, Moment::AfterShare)].into(),
        round_id: Some([9; 32]),
        ..Plan::new()
    };
    let prefixes = Cell::new(0);
    let mut attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Roster(roster), 0) = (message, to) {
            prefixes.set(roster.identities.len());
        }
    });
    let report = world.run(&plan, &mut attack).unwrap();
    private(&report);
    let sum = report.result().unwrap();
    assert!(plain::is_exact(&report, sum));
    assert_eq!((sum.survivors.len(), sum.responders), (1000, 1000));
    assert_eq!(prefixes.get(), 1001 * IDENTITY_PREFIX);
    assert!((0..1001).all(|member| (report.clients[member].state == State::Done) == (member != 7)));
    let draws: Vec<Vec<u16>> = report
        .sent
        .iter()
        .filter_map(|sent| match sent.message() {
            Ok(ClientMessage::Draws(draws)) => Some(draws.drawn.into()),
            _ => None,
        })
        .collect();
    assert_eq!(draws.len(), 1000);
    assert!(
        draws
            .iter()
            .all(|drawn| drawn.len() == SAMPLE && !drawn.contains(&7))
    );
    assert_ne!(draws[0], draws[1]);
    // Everybody is drawn by somebody: 66 draws a member, 66 for each on the average.
    let mut often = [0; 1001];
    draws
        .iter()
        .flatten()
        .for_each(|index| often[usize::from(*index)] += 1);
    assert!(
        (0..1001).all(|i| i == 7 || (20..130).contains(&often[i])),
        "{often:?}"
    );
    assert!(world.record(0).unwrap().fixed().contains_key(&[9; 32]));
}

/// Failure: a list that is false, short, exchanged or not shown moves a member to reveal.
#[test]
fn lists_that_are_not_what_they_say() {
    let signed = Signed::default();
    let forged: RefCell<BTreeMap<usize, Forged>> = RefCell::default();
    let plan = Plan {
        round_id: Some([9; 32]),
        adjust: Some(Box::new(|member, participant| {
            if member == 600 {
                participant.cache = Arc::new(CertificateCache::default());
            }
        })),
        ..Plan::new()
    };
    let mut attack = Script::new()
        .from_clients(|_, from, message| {
            listen(&signed, from, &message);
            vec![message]
        })
        .to_clients(|at, to, mut message| {
            if let ServerMessage::Signers(list) = &mut message {
                let mut all = signed.borrow().clone();
                let strangers = strangers(at, to, &signed);
                match to {
                    // Half of the list is made up.
                    0 => strangers
                        .iter()
                        .step_by(2)
                        .for_each(|i| all.get_mut(i).unwrap()[40] ^= 1),
                    // One colluder signs for everybody that is not looked at anyway.
                    100 => {
                        let one = all[&strangers[0]];
                        strangers.iter().for_each(|i| *all.get_mut(i).unwrap() = one);
                    }
                    // Two signers fewer than there must be.
                    200 => all.retain(|i, _| !strangers[..2].contains(i)),
                    300 => list.signers = vec![0xff; 126].into(),
                    _ => {}
                }
                if [0, 100, 200].contains(&to) {
                    let list_of = Forged::of(all);
                    list_of.commit(list);
                    forged.borrow_mut().insert(to, list_of);
                }
                if to == 400 {
                    // Another list once the first is fixed.
                    let mut other = list.clone();
                    other.root[0] ^= 1;
                    return vec![message, ServerMessage::Signers(other)];
                }
            }
            if let ServerMessage::Sampled(request) = &mut message {
                match to {
                    0 | 100 => forged.borrow()[&to].open(request),
                    // Signatures that nobody asked for: those of the first members instead of the ones drawn.
                    500 => {
                        let drawn = Bitmap::decode(1001, request.request.signers.as_slice()).unwrap();
                        let first = Bitmap::from_indices(1001, 0..drawn.count());
                        request.request.signers = first.bytes().to_vec().into();
                        Forged::of(signed.borrow().clone()).open(request);
                    }
                    700 => request.proofs[65] = request.proofs[64].clone(),
                    // A good signature of another member, at a place that was drawn.
                    800 => request.request.signatures[3] = request.request.signatures[4],
                    // One drawn is left out.
                    900 => {
                        let mut proofs = request.proofs.as_slice().to_vec();
                        proofs.pop();
                        request.proofs = proofs.into();
                    }
                    // What was drawn is withheld, and a whole quorum shown instead.
                    950 => return vec![ServerMessage::Reveal(Box::new(request.request.clone()))],
                    // Or nothing at all.
                    1000 => return Vec::new(),
                    _ => {}
                }
            }
            match (&message, to, at.stage) {
                (ServerMessage::Certificates(_), 600, Stage::Reveal) => Vec::new(),
                _ => vec![message],
            }
        });
    // A world in whose ring no member has two neighbours among those who refuse: with k = 4 and t = 3 the sum is unmasked without them.
    let mut world = World::new(LARGE.clone(), Setting::new(1001, 0, 1000), 8).unwrap();
    // Member 50 fixed a list of this round in another life.
    world.record(50).unwrap().apply(RecordChange::FixedSigners {
        round_id: [9; 32],
        signers: [1; 32],
    });
    let report = world.run(&plan, &mut attack).unwrap();
    private(&report);
    refuses(&report, 0, &Refusal::StatementSignature);
    refuses(&report, 100, &Refusal::StatementSignature);
    refuses(&report, 200, &Refusal::NoQuorum(999, 1000));
    refuses(&report, 300, &Refusal::Signers("bitmap length or spare bits"));
    refuses(&report, 400, &Refusal::Repeated("signers"));
    refuses(&report, 50, &Refusal::SecondSigners);
    for member in [500, 700, 800, 900] {
        refuses(&report, member, &Refusal::NotDrawn);
    }
    refuses(&report, 950, &Refusal::Unexpected("reveal request"));
    assert!(matches!(report.refusal(600), Some(Refusal::UnknownSigner(_))));
    refuses(&report, 1000, &Refusal::Unexpected("outcome"));
    let went_on = |member: usize| matches!(report.clients[member].state, State::Revealed | State::Done);
    assert_eq!((0..1001).filter(|member| went_on(*member)).count(), 1001 - 13);
}

/// Failure: a member that is no survivor is among the signers.
#[test]
fn signers_that_did_not_survive() {
    let plan = Plan {
        vanish: [(7, Moment::AfterShare)].into(),
        ..Plan::new()
    };
    let mut attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Signers(list), 0) = (message, to) {
            list.signers[0] |= 1 << 7;
        }
    });
    let report = large().run(&plan, &mut attack).unwrap();
    private(&report);
    refuses(&report, 0, &Refusal::Signers("not within U2"));
    assert_eq!(report.result().unwrap().responders, 999);
}

/// Failure: a server shows signatures to whoever asks for other than [`SAMPLE`] signers, or takes shares from who saw none.
#[test]
fn draws_that_the_server_turns_down() {
    let mut attack = Script::new().from_clients(|_, from, message| {
        let ClientMessage::Draws(draws) = &message else {
            return match (&message, from) {
                // Other draws once the first were answered.
                (ClientMessage::Reveal(_), 4) => {
                    let other = Draws {
                        drawn: (0..66).collect::<Vec<u16>>().into(),
                    };
                    vec![ClientMessage::Draws(other), message]
                }
                _ => vec![message],
            };
        };
        let mut drawn = draws.drawn.as_slice().to_vec();
        match from {
            0 => drop(drawn.pop()),
            1 => drawn.swap(3, 4),
            2 => drawn[65] = 1001,
            3 => drawn[1] = drawn[0],
            5 => {
                let reveal = tacita_protocol::messages::Reveal {
                    shares: Vec::new().into(),
                    noise_seed: Vec::new().into(),
                    cosigned_at: 0,
                    cosignature: [0; 64],
                };
                return vec![ClientMessage::Reveal(reveal), message];
            }
            _ => return vec![message],
        }
        let bad = ClientMessage::Draws(Draws { drawn: drawn.into() });
        vec![bad, message]
    });
    let report = large().run(&Plan::new(), &mut attack).unwrap();
    private(&report);
    let reasons = [
        Refusal::Draws,
        Refusal::Draws,
        Refusal::Draws,
        Refusal::Draws,
        Refusal::Changed,
        Refusal::Unexpected("reveal"),
    ];
    let expected: Vec<RoundError> = reasons.into_iter().map(RoundError::from).collect();
    assert_eq!(report.turned(0), expected.iter().collect::<Vec<_>>());
    assert_eq!(report.result().unwrap().responders, 1001);
}

/// Failure: a member that drew does not keep both lists when the ledger charges another one than it signed, or reveals.
#[test]
fn the_charge_is_of_another_list() {
    let mut world = large();
    let mut attack = Script::new().edit(|at, to, message| {
        if let (ServerMessage::Sampled(sampled), 0) = (message, to) {
            let others: Vec<u16> = (0..1000).collect();
            let entry = of_another_list(at, &charged(&sampled.request), &others);
            instead_of_the_charge(at, &mut sampled.request, &entry);
        }
    });
    let report = world.run(&Plan::new(), &mut attack).unwrap();
    private(&report);
    refuses(&report, 0, &Refusal::Charge);
    let kept = world.record(0).unwrap().two_statements();
    assert_eq!(kept.len(), 1);
    let counts = [&kept[0].ours, &kept[0].shown].map(|side| {
        let survivors = Bitmap::decode(1001, &side.survivors).unwrap().count();
        (survivors, side.signatures.len())
    });
    // Nobody signed the other list: the log's own signature is what shows it.
    assert_eq!(counts, [(1001, 1), (1000, 0)]);
    assert!(world.record(1).unwrap().two_statements().is_empty());
}

/// Failure: after a lost connection a member draws anew, or answers what it was shown with other bytes; or a server that did not
/// hear the draws, or whose answer was lost, does not take up where they are.
#[test]
fn the_exchange_again() {
    let lost = RefCell::new(BTreeSet::new());
    let first = |member: usize| lost.borrow_mut().insert(member);
    let mut attack = Script::new()
        .to_clients(|_, to, message| match (&message, to) {
            // Both come twice to one; what is shown to another is lost, and a list to a third.
            (ServerMessage::Signers(_) | ServerMessage::Sampled(_), 0) => vec![message.clone(), message],
            (ServerMessage::Sampled(_), 300) | (ServerMessage::Signers(_), 600) if first(to) => Vec::new(),
            _ => vec![message],
        })
        .from_clients(|_, from, message| match &message {
            // Draws that the server does not hear the first time.
            ClientMessage::Draws(_) if from == 900 && first(from) => Vec::new(),
            _ => vec![message],
        })
        .more_to_clients(|at| {
            // On other connections: what the server has to say now.
            let again = |member| at.views[0].messages(at.stage, at.cast, member).unwrap();
            let of = |member| again(member).into_iter().map(move |message| (member, message));
            match at.stage {
                Stage::Reveal => [300, 600, 900].into_iter().flat_map(of).collect(),
                _ => Vec::new(),
            }
        });
    let report = large().run(&Plan::new(), &mut attack).unwrap();
    private(&report);
    assert!(plain::is_exact(&report, report.result().unwrap()));
    assert_eq!(report.result().unwrap().responders, 1001);
    let said = |from: usize| -> Vec<Vec<u8>> {
        let of = report.sent.iter();
        of.filter(|sent| sent.from == from && sent.stage == Stage::Reveal)
            .map(|sent| sent.frame.clone())
            .collect()
    };
    let all = |from: usize, kinds: &[&str]| {
        let names: Vec<String> = said(from)
            .iter()
            .map(|frame| ClientMessage::decode(frame).unwrap().name().to_owned())
            .collect();
        assert_eq!(names, kinds, "member {from}");
    };
    all(0, &["draws", "draws", "reveal", "reveal"]);
    all(300, &["draws", "reveal"]);
    all(600, &["draws", "reveal"]);
    all(900, &["draws", "draws", "reveal"]);
    for member in [0, 900] {
        assert_eq!(said(member)[0], said(member)[1], "member {member}");
    }
    assert_eq!(said(0)[2], said(0)[3]);
    // TAC-072: draws that come again change nothing, an answer that was taken is not looked at again.
    assert_eq!(report.turned(0), [&RoundError::from(Refusal::Changed)]);
}

/// Failure: two members whose identities begin alike are both in a roster whose list has only the beginnings.
#[test]
fn two_identities_that_begin_alike() {
    for (cohort, width) in [(1001, IDENTITY_PREFIX), (1000, 32)] {
        let setting = Setting::new(cohort, 0, cohort - 1);
        let manifest = setting.manifest(
            1,
            [7; 32],
            (0, tacita_ledger::tree::empty_root()),
            tacita_sim::NOW,
        );
        let manifest = Arc::new(manifest.unwrap().check().unwrap());
        let mut gathering = Gathering::open(manifest.clone());
        let mut join = |number: usize, same: Option<usize>| {
            let member = LARGE.member(number).unwrap();
            let mut joining = member.member();
            let mut certificate = (*joining.certificate).clone();
            if let Some(same) = same {
                // Of the first so many bytes; a real one of 8 takes 2^64 names.
                certificate.identity.0[..same]
                    .copy_from_slice(&LARGE.member(0).unwrap().certificate.identity.0[..same]);
            }
            joining.certificate = Arc::new(certificate);
            let advertise = forge::advertise(
                &member.key,
                manifest.digest(),
                &member.certificate.fingerprint,
                ([9; 32], [9; 32]),
                forge::ANY_KEM,
                [1; 32],
            );
            gathering.handle_advertise(joining, advertise)
        };
        assert_eq!(join(0, None), Ok(()));
        assert_eq!(join(1, Some(7)), Ok(()));
        let eight = join(2, Some(8));
        if width == 32 {
            assert_eq!(eight, Ok(()));
        } else {
            assert_eq!(eight, Err(Refusal::Roster("an identity that begins so is in it")));
            // Nor one that is greater or less than it behind the eighth byte.
            assert!(join(900, Some(20)).is_err());
        }
        assert_eq!(join(3, None), Ok(()));
    }
}

/// Failure: a member takes a list of beginnings in which one comes twice, or the last is cut short, or counts so many that
/// their number wraps.
#[test]
fn lists_of_beginnings() {
    let mut attack = Script::new().edit(|_, to, message| {
        if let ServerMessage::Roster(roster) = message {
            let mut list = roster.identities.as_slice().to_vec();
            match to {
                0 => list.copy_within(8 * 400..8 * 401, 8 * 401),
                1 => list.truncate(8 * 1000 + 4),
                // Whole identities, as in a smaller cohort, do not carry the graph.
                2 => list = list.iter().flat_map(|byte| [*byte; 4]).collect(),
                // 65,536 more, above all: 1,001 once more in sixteen bits.
                3 => list.extend((u64::MAX - 65_535..=u64::MAX).flat_map(u64::to_be_bytes)),
                _ => return,
            }
            roster.identities = list.into();
        }
    });
    let world = World::new(LARGE.clone(), Setting::new(1001, 0, 997), 4);
    let report = world.unwrap().run(&Plan::new(), &mut attack).unwrap();
    private(&report);
    refuses(&report, 0, &Refusal::Roster("identities are not strictly rising"));
    refuses(&report, 1, &Refusal::Roster("the list ends inside an identity"));
    for member in [2, 3] {
        let reason = Refusal::Roster("size outside max(m, k + 1) to n");
        refuses(&report, member, &reason);
    }
    assert_eq!(report.result().unwrap().responders, 997);
}
