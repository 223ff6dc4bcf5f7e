//! A server that shows different members different rounds: two honest machines, between which it divides the members.
//! Every signature of a colluder that could help is added on both sides.

use std::collections::{BTreeMap, BTreeSet};

use tacita_ledger::statement_digest;
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::ledger_entries;
use tacita_protocol::messages::{AgreeRequest, Agreement, ClientMessage, ServerMessage};
use tacita_protocol::{Abort, Refusal, RoundError, labels};
use tacita_sim::{Attack, Backstage, NOW, Report, Stage, State, World, forge};

use crate::{five, nothing_exposed, ring, run};

/// Divides the members between two views from one stage on.
struct Divided {
    from: Stage,
    colluders: BTreeSet<usize>,
    /// Members that view 1 talks to.
    second: BTreeSet<usize>,
    /// Per view, members whose answers to the stage before the division it does not hear.
    deaf: [BTreeSet<usize>; 2],
    /// Survivors that everybody is asked to agree upon, whatever the views came to.
    press: Option<BTreeSet<usize>>,
}

impl Attack for Divided {
    fn colluders(&self) -> Vec<usize> {
        self.colluders.iter().copied().collect()
    }

    fn views(&self) -> usize {
        2
    }

    fn shows(&mut self, stage: Stage, to: usize) -> usize {
        usize::from(stage >= self.from && self.second.contains(&to))
    }

    fn hears(&mut self, view: usize, stage: Stage, from: usize) -> bool {
        stage >= self.from || !self.deaf[view].contains(&from) || before(self.from) != stage
    }

    fn more_to_clients(&mut self, at: &Backstage<'_>) -> Vec<(usize, ServerMessage)> {
        let Some(press) = self.press.as_ref().filter(|_| at.stage == Stage::Agree) else {
            return Vec::new();
        };
        let index = |member: &usize| at.views[0].index_of(at.cast, *member).unwrap();
        let size = at.views[0].roster().unwrap().size();
        let survivors = Bitmap::from_indices(size, press.iter().map(index))
            .bytes()
            .to_vec();
        let request = |member: &usize| {
            let survivors = survivors.clone().into();
            (*member, ServerMessage::Agree(AgreeRequest { survivors }))
        };
        press.difference(&self.colluders).map(request).collect()
    }

    fn more_to_server(&mut self, at: &Backstage<'_>) -> Vec<(usize, ClientMessage)> {
        // Colluders sign for both views; each takes the signature on its own statement.
        let mut more = Vec::new();
        if at.stage == Stage::Agree {
            for colluder in &self.colluders {
                for statement in at.views.iter().filter_map(tacita_sim::View::statement) {
                    let key = &at.cast.member(*colluder).unwrap().key;
                    let signature = forge::sign(key, labels::STATEMENT_SIGNATURE, &statement);
                    more.push((*colluder, ClientMessage::Agreement(Agreement { signature })));
                }
            }
        }
        more
    }
}

fn before(stage: Stage) -> Stage {
    Stage::ALL[Stage::ALL.iter().position(|s| *s == stage).unwrap() - 1]
}

/// Both views end without a quorum, and the signatures fall short by at least one.
#[track_caller]
fn no_quorum_anywhere(report: &Report, quorum: u16) {
    for (number, view) in report.views.iter().enumerate() {
        match &view.result {
            Err(RoundError::Abort(Abort::NoQuorum(have, need))) => {
                assert!(have < need && *need == quorum, "view {number}: {have} of {need}");
            }
            other => panic!("view {number} ended with {:?}", other.as_ref().err()),
        }
    }
    assert!(
        report.clients.iter().all(|c| c.state <= State::Agreed),
        "somebody revealed"
    );
}

/// Uploads name the U1 that they were masked for, so neither of two honest machines has enough of them; a server that asks
/// for signatures all the same gets them on two statements, and on neither enough, colluders included.
#[track_caller]
fn divided_by_sharers(report: &Report, sides: &[BTreeSet<usize>; 2], colluders: usize, quorum: usize) {
    for (number, view) in report.views.iter().enumerate() {
        match &view.result {
            Err(RoundError::Abort(Abort::TooFewSurvivors(..))) => {}
            other => panic!("view {number} ended with {:?}", other.as_ref().err()),
        }
    }
    let signed = |side: &BTreeSet<usize>| {
        let agreed = |member: &&usize| report.clients[**member].state == State::Agreed;
        side.iter().filter(agreed).count()
    };
    for side in sides {
        assert!(signed(side) > 0, "nobody was asked");
        assert!(signed(side) + colluders < quorum);
    }
    assert!(
        report.clients.iter().all(|c| c.state <= State::Agreed),
        "somebody revealed"
    );
    nothing_exposed(report);
}

/// Failure: with different sharers lists on a complete graph, either half reaches a quorum.
#[test]
fn different_sharers_on_the_complete_graph() {
    // View 1 did not hear the colluder share.
    let attack = Divided {
        from: Stage::Sharers,
        colluders: [4].into(),
        second: [2, 3].into(),
        deaf: [[].into(), [4].into()],
        press: Some([0, 1, 2, 3].into()),
    };
    let report = run(&mut five(), attack);
    divided_by_sharers(&report, &[[0, 1].into(), [2, 3].into()], 1, 4);
}

/// Failure: with different survivors lists on a complete graph, either half reaches a quorum.
#[test]
fn different_survivors_on_the_complete_graph() {
    let attack = Divided {
        from: Stage::Agree,
        colluders: [4].into(),
        second: [2, 3].into(),
        deaf: [[3].into(), [0].into()],
        press: None,
    };
    let report = run(&mut five(), attack);
    no_quorum_anywhere(&report, 4);
    nothing_exposed(&report);
}

/// The two arcs of the ring as the graph has it: half of the members, neighbours next to each other.
pub(crate) fn arcs(world: &mut World) -> (BTreeSet<usize>, BTreeSet<usize>) {
    // The permutation depends on the roster root, so on the attempt: which members are near each other is only known
    // once the roster stands. An honest attempt in an equal world tells.
    let mut order = Vec::new();
    let mut look = tacita_sim::Script::new().more_to_clients(|at| {
        if at.stage == Stage::Sharers {
            let roster = at.views[0].roster().unwrap();
            let size = roster.size();
            // A walk from neighbour to neighbour: sort by distance from member 0, one side first.
            let graph = tacita_protocol::graph::Neighbourhood::ring(
                size,
                at.manifest.fields().neighbours,
                roster.root(),
            )
            .unwrap();
            order = (0..size)
                .map(|i| (graph.position(i).unwrap(), usize::from(i)))
                .collect::<Vec<_>>();
        }
        Vec::new()
    });
    world.run(&tacita_sim::Plan::new(), &mut look).unwrap();
    drop(look);
    order.sort_unstable();
    let arc: Vec<usize> = order.into_iter().map(|(_, member)| member).collect();
    (
        arc[..33].iter().copied().collect(),
        arc[33..].iter().copied().collect(),
    )
}

/// Failure: with different sharers lists on two arcs of a ring, either arc reaches a quorum. A quorum counted among
/// neighbours alone would be reached inside both.
#[test]
fn different_sharers_on_two_arcs() {
    let (first, second) = arcs(&mut ring());
    let colluders: BTreeSet<usize> = [*first.first().unwrap(), *second.first().unwrap()].into();
    let hidden = *first.last().unwrap();
    let attack = Divided {
        from: Stage::Sharers,
        colluders: colluders.clone(),
        second: second.clone(),
        deaf: [[*second.last().unwrap()].into(), [hidden].into()],
        press: Some(
            (0..66)
                .filter(|member| *member != hidden && member != second.last().unwrap())
                .collect(),
        ),
    };
    let honest = |arc: &BTreeSet<usize>| arc.difference(&colluders).copied().collect();
    let sides = [honest(&first), honest(&second)];
    let report = run(&mut ring(), attack);
    divided_by_sharers(&report, &sides, 2, 35);
}

/// Failure: with different survivors lists on two arcs of a ring, either arc reaches a quorum.
#[test]
fn different_survivors_on_two_arcs() {
    let (first, second) = arcs(&mut ring());
    let colluders: BTreeSet<usize> = [*first.first().unwrap(), *second.first().unwrap()].into();
    let attack = Divided {
        from: Stage::Agree,
        colluders,
        deaf: [[*second.last().unwrap()].into(), [*first.last().unwrap()].into()],
        second,
        press: None,
    };
    let report = run(&mut ring(), attack);
    no_quorum_anywhere(&report, 35);
    nothing_exposed(&report);
}

/// As [`Divided`] at Agree, but the server goes on without a quorum: it charges each statement in a ledger of its own and
/// asks each arc with the signatures of that arc.
struct Persistent {
    divided: Divided,
    lists: [Bitmap; 2],
    signatures: [BTreeMap<u16, [u8; 64]>; 2],
    sharers: Option<[u8; 32]>,
}

impl Attack for Persistent {
    fn colluders(&self) -> Vec<usize> {
        self.divided.colluders()
    }

    fn to_client(&mut self, at: &Backstage<'_>, to: usize, mut message: ServerMessage) -> Vec<ServerMessage> {
        match &mut message {
            ServerMessage::Sharers(sharers) => {
                self.sharers = Some(forge::sharers_digest(at.manifest.fields().cohort, sharers));
            }
            ServerMessage::Agree(request) => {
                let list = &self.lists[usize::from(self.divided.second.contains(&to))];
                request.survivors = list.bytes().to_vec().into();
            }
            _ => {}
        }
        vec![message]
    }

    fn to_server(&mut self, at: &Backstage<'_>, from: usize, message: ClientMessage) -> Vec<ClientMessage> {
        if let ClientMessage::Agreement(agreement) = &message {
            let index = at.views[0].index_of(at.cast, from).unwrap();
            let side = usize::from(self.divided.second.contains(&from));
            self.signatures[side].insert(index, agreement.signature);
        }
        vec![message]
    }

    fn more_to_clients(&mut self, at: &Backstage<'_>) -> Vec<(usize, ServerMessage)> {
        let mut more = Vec::new();
        if at.stage != Stage::Reveal {
            return more;
        }
        let view = &at.views[0];
        let roster = view.roster().unwrap();
        let sharers = self.sharers.unwrap();
        for side in 0..2 {
            let list = &self.lists[side];
            let (digest, size) = (at.manifest.digest(), roster.size());
            let s = statement_digest(digest, roster.root(), &sharers, u64::from(size), list.bytes());
            let mut signatures = self.signatures[side].clone();
            for colluder in &self.divided.colluders {
                let key = &at.cast.member(*colluder).unwrap().key;
                let index = view.index_of(at.cast, *colluder).unwrap();
                signatures.insert(index, forge::sign(key, labels::STATEMENT_SIGNATURE, &s));
            }
            let mut ledger = view.ledger().clone();
            let charge =
                ledger_entries::charge(at.manifest, roster.root(), &sharers, list, &s, &[0; 32], NOW);
            let index = ledger.append(&charge).unwrap();
            let request =
                forge::reveal_request(at.manifest, &ledger, (view.reserved(), index), size, &signatures)
                    .unwrap();
            for member in 0..usize::from(size) {
                if self.divided.second.contains(&member) == (side == 1) {
                    more.push((member, ServerMessage::Reveal(Box::new(request.clone()))));
                }
            }
        }
        more
    }
}

/// Failure: an arc reveals to a server that shows it its own half of the signatures and a charge for its own statement.
#[test]
fn two_arcs_asked_without_a_quorum() {
    let (first, second) = arcs(&mut ring());
    let colluders: BTreeSet<usize> = [*first.first().unwrap(), *second.first().unwrap()].into();
    let without = |member: usize| Bitmap::from_indices(66, (0..66u16).filter(|i| usize::from(*i) != member));
    let attack = Persistent {
        lists: [without(*second.last().unwrap()), without(*first.last().unwrap())],
        divided: Divided {
            from: Stage::Agree,
            colluders,
            second,
            deaf: [[].into(), [].into()],
            press: None,
        },
        signatures: [BTreeMap::new(), BTreeMap::new()],
        sharers: None,
    };
    let report = run(&mut ring(), attack);
    for (member, client) in report.clients.iter().enumerate() {
        assert_eq!(client.state, State::Refused);
        // 33 or 32 of an arc, and the colluder of the other.
        let reason = report.refusal(member).unwrap();
        assert!(
            matches!(reason, Refusal::NoQuorum(32..=34, 35)),
            "{member}: {reason}"
        );
    }
    nothing_exposed(&report);
}
