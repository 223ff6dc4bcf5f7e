//! Messages that come again, as after a lost connection: the same bytes for the same bytes, and nothing for anything else.

use std::cell::RefCell;

use tacita_protocol::Refusal;
use tacita_protocol::messages::{ClientMessage, Resume, ServerMessage};
use tacita_sim::{Plan, Report, Script, Setting, Stage, World};

use crate::{FOUR, exact, four, private, refused, run};

/// Three chunks and the end.
fn chunked() -> World {
    let setting = Setting {
        dimension: 192,
        block: Some(64),
        ..Setting::new(4, 1, 3)
    };
    World::new(FOUR.clone(), setting, 1).unwrap()
}

fn said(report: &Report, from: usize, stage: Stage) -> Vec<Vec<u8>> {
    let of = report
        .sent
        .iter()
        .filter(|sent| sent.from == from && sent.stage == stage);
    of.map(|sent| sent.frame.clone()).collect()
}

/// Failure: a message that comes again is answered with other bytes, or twice in the sum.
#[test]
fn every_message_again() {
    for stage in Stage::ALL {
        let attack = Script::new().to_clients(|at, to, message| {
            if at.stage == stage && to == 0 && !matches!(message, ServerMessage::Model(_)) {
                vec![message.clone(), message]
            } else {
                vec![message]
            }
        });
        let mut world = chunked();
        let once = chunked().run_honest(&Plan::new()).unwrap();
        let report = run(&mut world, attack);
        let answers = said(&report, 0, stage);
        let (first, second) = answers.split_at(answers.len() / 2);
        assert_eq!(first, second, "{stage:?}");
        assert_eq!(first, said(&once, 0, stage), "{stage:?}");
        exact(&report, &[0, 1, 2, 3]);
        private(&report);
    }
}

/// Failure: an upload that was cut goes on with other bytes, or from another place than the one that the server names.
#[test]
fn an_upload_from_any_chunk() {
    for next in 1..=3u32 {
        // Of member 0's upload the first chunks arrive; what comes behind them is lost, and asked for again.
        let asked = RefCell::new(false);
        let attack = Script::new()
            .from_clients(|_, from, message| {
                let lost = match &message {
                    ClientMessage::Chunk(chunk) => chunk.index >= next,
                    ClientMessage::UploadEnd(_) => true,
                    _ => false,
                };
                if from == 0 && lost && !*asked.borrow() {
                    Vec::new()
                } else {
                    vec![message]
                }
            })
            .more_to_clients(|at| {
                if at.stage == Stage::Sharers {
                    asked.replace(true);
                    vec![(0, ServerMessage::Resume(Resume { next }))]
                } else {
                    Vec::new()
                }
            });
        let report = run(&mut chunked(), attack);
        let sent = said(&report, 0, Stage::Sharers);
        let (whole, again) = sent.split_at(4);
        assert_eq!(&whole[next as usize..], again, "from {next}");
        exact(&report, &[0, 1, 2, 3]);
        private(&report);
    }
}

/// Failure: a client goes on with an upload that it did not begin, or from a place that there is not.
#[test]
fn resumed_from_nowhere() {
    for (stage, next) in [
        (Stage::Roster, 1),
        (Stage::Sharers, 0),
        (Stage::Sharers, 4),
        (Stage::Reveal, 1),
    ] {
        let attack = Script::new().more_to_clients(|at| {
            if at.stage == stage {
                vec![(0, ServerMessage::Resume(Resume { next }))]
            } else {
                Vec::new()
            }
        });
        let report = run(&mut chunked(), attack);
        refused(&report, &[0], &Refusal::Resume(next));
        let survivors: &[usize] = if stage == Stage::Roster {
            &[1, 2, 3]
        } else {
            &[0, 1, 2, 3]
        };
        exact(&report, survivors);
        private(&report);
    }
}

/// Failure: a message is taken in the place of the one that was acted on last.
#[test]
fn another_message_in_place_of_the_last() {
    let attack = Script::new().to_clients(|_, to, message| match &message {
        ServerMessage::Agree(request) if to == 0 => {
            // Another set of survivors, once the first was signed.
            let mut other = request.clone();
            other.survivors = vec![0b0111].into();
            vec![message, ServerMessage::Agree(other)]
        }
        _ => vec![message],
    });
    let report = run(&mut four(), attack);
    refused(&report, &[0], &Refusal::Repeated("agree request"));
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
}
