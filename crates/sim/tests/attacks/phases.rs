//! Messages in the wrong phase: a member that hears one sits the round out; a server ignores it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tacita_protocol::Refusal;
use tacita_protocol::messages::{
    AbortMessage, ClientMessage, Draws, Hello, Resume, SampledRequest, ServerMessage, SignersMessage,
};
use tacita_sim::{Plan, Script, Stage};

use crate::{exact, five, four, private, refused, run};

/// One server message of each kind, as a member of another world's round saw it.
pub(crate) fn server_messages() -> BTreeMap<&'static str, ServerMessage> {
    let seen = RefCell::new(BTreeMap::new());
    let attack = Script::new().edit(|_, to, message| {
        if to == 0 {
            seen.borrow_mut().insert(message.name(), message.clone());
        }
    });
    run(&mut five(), attack);
    let mut seen = seen.into_inner();
    let abort = ServerMessage::abort("stopped");
    seen.insert(abort.name(), abort);
    let finished = ServerMessage::Finished(b"done".as_slice().into());
    seen.insert(finished.name(), finished);
    let resume = ServerMessage::Resume(Resume { next: 1 });
    seen.insert(resume.name(), resume);
    let signers = ServerMessage::Signers(SignersMessage {
        signers: vec![0xff; 4].into(),
        root: [3; 32],
    });
    seen.insert(signers.name(), signers);
    let sampled = match &seen["reveal request"] {
        ServerMessage::Reveal(request) => SampledRequest {
            proofs: vec![vec![[1; 32]; 2].into(); request.signatures.len()].into(),
            request: (**request).clone(),
        },
        other => panic!("{other:?}"),
    };
    let sampled = ServerMessage::Sampled(Box::new(sampled));
    seen.insert(sampled.name(), sampled);
    assert_eq!(seen.len(), 13, "every kind: {:?}", seen.keys());
    seen
}

/// One client message of each kind, likewise.
pub(crate) fn client_messages() -> BTreeMap<&'static str, ClientMessage> {
    let report = five().run_honest(&Plan::new()).unwrap();
    let mut seen: BTreeMap<&'static str, ClientMessage> = BTreeMap::new();
    for sent in report.sent.iter().filter(|sent| sent.from == 0) {
        let message = sent.message().unwrap();
        seen.insert(message.name(), message);
    }
    let hello = ClientMessage::Hello(Hello::fresh(0));
    seen.insert(hello.name(), hello);
    let leave = ClientMessage::Leave(AbortMessage {
        reason: b"bye".as_slice().into(),
    });
    seen.insert(leave.name(), leave);
    let draws = ClientMessage::Draws(Draws {
        drawn: vec![1, 2, 3].into(),
    });
    seen.insert(draws.name(), draws);
    assert_eq!(seen.len(), 9, "every kind: {:?}", seen.keys());
    seen
}

/// What a member expects in a stage.
fn expected(stage: Stage) -> &'static str {
    match stage {
        Stage::Invite => "invitation",
        Stage::Roster => "roster",
        Stage::Sharers => "sharers",
        Stage::Agree => "agree request",
        Stage::Reveal => "reveal request",
        Stage::Outcome => "outcome",
    }
}

/// Failure: a member acts on a message that its state does not expect, or goes on after it.
#[test]
fn server_messages_in_the_wrong_phase() {
    let messages = server_messages();
    let mut cases = 0;
    for stage in Stage::ALL {
        for (name, wrong) in &messages {
            // Certificates and model parts come whenever they are needed.
            if *name == expected(stage) || ["certificates", "model"].contains(name) {
                continue;
            }
            let sent = std::cell::Cell::new(false);
            let attack = Script::new().to_clients(|at, to, message| {
                if at.stage == stage && to == 0 && !sent.replace(true) {
                    vec![wrong.clone(), message]
                } else {
                    vec![message]
                }
            });
            let report = run(&mut four(), attack);
            let before = Stage::ALL.into_iter().rfind(|earlier| *earlier < stage);
            let reason = match *name {
                "resume" if stage == Stage::Agree => {
                    // The upload that it could go on with is out: that is no wrong message.
                    exact(&report, &[0, 1, 2, 3]);
                    cases += 1;
                    continue;
                }
                "resume" => Refusal::Resume(1),
                // Of another round, in the place of the message acted on last.
                _ if before.is_some_and(|stage| expected(stage) == *name) => Refusal::Repeated(name),
                _ => Refusal::Unexpected(name),
            };
            refused(&report, &[0], &reason);
            let survivors: &[usize] = if stage <= Stage::Sharers {
                &[1, 2, 3]
            } else {
                &[0, 1, 2, 3]
            };
            exact(&report, survivors);
            private(&report);
            cases += 1;
        }
    }
    assert_eq!(cases, 6 * 10);
}

/// Failure: a server acts on a message that its phase does not expect.
#[test]
fn client_messages_in_the_wrong_phase() {
    let messages = client_messages();
    let kinds = |stage: Stage| -> &[&str] {
        match stage {
            Stage::Invite => &["advertise"],
            Stage::Roster => &["shares"],
            Stage::Sharers => &["chunk", "upload end"],
            Stage::Agree => &["agreement"],
            Stage::Reveal => &["reveal"],
            Stage::Outcome => &[],
        }
    };
    for (name, wrong) in &messages {
        let attack = Script::new().more_to_server(|at| {
            if kinds(at.stage).contains(name) {
                Vec::new()
            } else {
                vec![(0, wrong.clone())]
            }
        });
        let report = run(&mut four(), attack);
        let reasons = report.turned(0);
        let stages = Stage::ALL
            .into_iter()
            .filter(|stage| !kinds(*stage).contains(name))
            .count();
        assert_eq!(reasons.len(), stages, "{name}");
        assert!(
            reasons.iter().all(|r| **r == Refusal::Unexpected(name).into()),
            "{name}: {reasons:?}"
        );
        exact(&report, &[0, 1, 2, 3]);
        private(&report);
    }
}

/// Failure: a server that hears nonsense of the right kind at the right time is disturbed by it. Only inside an upload
/// the first bytes count: wrong ones cost their sender the upload, and nobody else anything.
#[test]
fn client_messages_of_another_round() {
    let messages = client_messages();
    for kept in [false, true] {
        let attack = Script::new().from_clients(|_, from, message| {
            // First the same member's message of another world, then its own.
            match messages.get(message.name()) {
                Some(ClientMessage::Chunk(_) | ClientMessage::UploadEnd(_)) if kept => vec![message],
                Some(other) if from == 0 => vec![other.clone(), message],
                _ => vec![message],
            }
        });
        let report = run(&mut four(), attack);
        let survivors: &[usize] = if kept { &[0, 1, 2, 3] } else { &[1, 2, 3] };
        exact(&report, survivors);
        private(&report);
    }
}
