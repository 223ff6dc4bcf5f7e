//! Checkers at the end of a run: what the server could compute, what the ledger says, what every budget says.

use std::collections::{BTreeMap, BTreeSet};

use tacita_ledger::entry::Entry;
use tacita_privacy::{BudgetFilter, ORDERS, RdpCurve};
use tacita_protocol::LedgerHead;

use super::Watch;
use crate::faults::desk::{self, LEDGER};
use crate::faults::disk::Disk;
use crate::faults::machines::hex;
use crate::faults::record;

/// What the end is judged by.
pub struct End<'a> {
    /// The server's disk.
    pub hub: &'a Disk,
    /// The server's live account, if it runs and has one.
    pub account: Option<&'a BudgetFilter>,
    /// The members' disks.
    pub members: Vec<&'a Disk>,
    /// Whether the server's disk was put back to an earlier state.
    pub rolled_back: bool,
}

impl Watch {
    /// Judges the end.
    pub fn end(&mut self, end: &End<'_>) {
        self.disks_end(end);
        self.knowledge_ends();
        self.members_end(end);
        match tacita_ledger::verify(&end.hub.folder(LEDGER), Some(self.cast.log_verifier())) {
            Err(error) => self.violation("ledger", error.to_string()),
            Ok(verified) => {
                for entry in &verified.entries {
                    if let Ok(bytes) = entry.encode() {
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        self.output(&text);
                    }
                }
                if self.server_is_honest() {
                    self.heads_end(end, &verified);
                    self.budgets_end(end, &verified.entries);
                }
            }
        }
    }

    /// No disk holds a secret.
    fn disks_end(&mut self, end: &End<'_>) {
        for disk in end.members.iter().copied().chain([end.hub]) {
            let shown = disk.contents();
            for what in shown
                .iter()
                .filter_map(|bytes| self.canaries.in_bytes(bytes))
                .collect::<Vec<_>>()
            {
                self.violation("canary", format!("{what} is on a disk"));
            }
        }
    }

    /// What the server and those that help it could unmask (G1), and that nothing was revealed twice (G5).
    fn knowledge_ends(&mut self) {
        let (mut found, mut by_round) = (Vec::new(), BTreeMap::new());
        for seen in self.rounds.values() {
            let fields = seen.manifest.fields();
            let double = seen.knowledge.double_reveals();
            if !double.is_empty() {
                found.push(format!(
                    "both shares were revealed of (dealer, holder) {double:?}"
                ));
            }
            if self.honesty.server && self.honesty.villains.is_empty() && seen.knowledge.unclassified() > 0 {
                found.push(format!(
                    "{} shares belong to no dealing",
                    seen.knowledge.unclassified()
                ));
            }
            let exposed = seen.knowledge.exposed();
            let least = usize::from(fields.minimum_survivors.saturating_sub(fields.colluders));
            for set in &exposed {
                if set.len() < least {
                    found.push(format!(
                        "the sum of {set:?} alone can be computed, fewer than m - c = {least}"
                    ));
                }
                if self.honesty.server && seen.charged.as_ref() != Some(set) {
                    found.push(format!(
                        "the sum of {set:?} can be computed, charged is {:?}",
                        seen.charged
                    ));
                }
            }
            // Of one attempt nobody but one set can be had. Of one round id, which a server that was put back to an
            // earlier state may use again, two may, but no member is in both.
            if exposed.len() > 1 {
                found.push(format!("{} sums of one attempt can be computed", exposed.len()));
            }
            for member in exposed.iter().flatten() {
                *by_round.entry((fields.round_id, *member)).or_insert(0u32) += 1;
            }
        }
        for ((_, member), sums) in by_round {
            if sums > 1 {
                found.push(format!("member {member} is in {sums} sums of one round"));
            }
        }
        for text in found {
            self.violation("knowledge", text);
        }
    }

    /// Every member's own record counts every attempt that it masked for, and its budget every one that had noise (G3).
    fn members_end(&mut self, end: &End<'_>) {
        for (member, disk) in end.members.iter().enumerate() {
            if !self.is_honest(member) {
                continue;
            }
            let mut charged = 0u64;
            for (id, value) in disk.durable_space(record::SPENT) {
                match serde_json::from_slice::<record::SpentRound>(&value) {
                    Ok(round) => charged += u64::from(round.release.is_some()),
                    Err(_) => {
                        self.violation(
                            "record",
                            format!("member {member}: that of {} is damaged", hex(&id)),
                        );
                    }
                }
            }
            let counted: u64 = disk
                .durable_space(record::BUDGET)
                .iter()
                .filter_map(|(_, value)| record::decode_budget(value))
                .flat_map(|state| state.committed)
                .map(|(_, count)| count)
                .sum();
            if counted < charged {
                self.violation(
                    "budget",
                    format!("member {member} masked {charged} noised vectors and counts {counted}"),
                );
            }
        }
        let mut uncounted = Vec::new();
        for seen in self.rounds.values() {
            let id = seen.manifest.fields().round_id;
            let charged = seen.charged.iter().flatten();
            for member in seen.uploaded.iter().chain(charged) {
                let spent = end
                    .members
                    .get(*member)
                    .map(|disk| disk.durable(record::SPENT, &id));
                if self.is_honest(*member) && spent.flatten().is_none() {
                    uncounted.push(*member);
                }
            }
        }
        for member in uncounted {
            self.violation(
                "budget",
                format!("member {member} does not count a round that counts it"),
            );
        }
    }

    /// With an honest server nobody ever sees two histories, and the ledger holds every head that was remembered (G4).
    fn heads_end(&mut self, end: &End<'_>, verified: &tacita_ledger::Verified) {
        for (member, disk) in end.members.iter().enumerate() {
            if let Some(head) = disk
                .durable(record::HEAD, b"")
                .and_then(|bytes| record::decode_head(&bytes))
                && !contains(verified, &head)
            {
                self.violation(
                    "ledger",
                    format!("the head that member {member} remembers is not in it"),
                );
            }
            for (_, value) in disk.durable_space(record::FORK) {
                if !self.honesty.words_change && !self.honesty.words_return {
                    self.violation("ledger", format!("member {member} holds evidence of a fork"));
                }
                let both = record::decode_fork(&value);
                if both.is_some_and(|both| !both.iter().all(|head| contains(verified, head))) {
                    self.violation(
                        "ledger",
                        format!("member {member} was shown a head that is not in it"),
                    );
                }
            }
        }
    }

    /// Live budget = budget recomputed from the ledger >= what was really released (G3).
    fn budgets_end(&mut self, end: &End<'_>, entries: &[Entry]) {
        let charged = desk::charges(entries);
        let sum = |releases: &[tacita_privacy::Release]| {
            releases
                .iter()
                .fold(RdpCurve::zero(), |sum, release| sum.plus(&release.curve()))
        };
        let ledger = sum(&charged);
        if let Some(account) = end.account {
            let mut live = account.state();
            // What is set aside for an attempt under way is not charged yet.
            live.reserved.clear();
            let counts = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
            let live: Vec<_> = live
                .committed
                .into_iter()
                .flat_map(|(release, count)| std::iter::repeat_n(release, counts(count)))
                .collect();
            let (mut live, mut recomputed) = (live, charged);
            live.sort_unstable();
            recomputed.sort_unstable();
            if live != recomputed {
                self.violation(
                    "budget",
                    format!(
                        "{} charges are counted, {} are in the ledger",
                        live.len(),
                        recomputed.len()
                    ),
                );
            }
        }
        let released: Vec<(String, BTreeSet<usize>)> = self
            .rounds
            .values()
            .flat_map(|seen| {
                let id = hex(&seen.manifest.fields().round_id);
                seen.knowledge
                    .exposed()
                    .into_iter()
                    .map(move |set| (id.clone(), set))
            })
            .collect();
        let mut truth = Vec::new();
        for (id, honest) in released {
            let manifest = entries.iter().find_map(|entry| match entry {
                Entry::Manifest(manifest) if manifest.round_id == id => Some(manifest),
                _ => None,
            });
            let Some(manifest) = manifest else {
                self.violation("budget", format!("round {id} was released and never reserved"));
                continue;
            };
            let with_colluders = honest.len() as u64 + manifest.colluders;
            truth.extend(desk::release_of(manifest, with_colluders));
        }
        let truth = sum(&truth);
        let short = |order: &&u32| truth.at(**order) > ledger.at(**order);
        if let Some(order) = ORDERS.iter().find(short) {
            self.violation(
                "budget",
                format!("the ledger counts less than was released, at order {order}"),
            );
        }
    }
}

fn contains(verified: &tacita_ledger::Verified, head: &LedgerHead) -> bool {
    let earlier = tacita_ledger::Checkpoint {
        origin: verified.checkpoint().origin.clone(),
        size: head.size,
        root: head.root,
    };
    verified.contains_head(&earlier).is_ok()
}
