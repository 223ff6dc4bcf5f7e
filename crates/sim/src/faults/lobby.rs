//! The server's lobby: who is connected, and what comes in over the connections.

use std::collections::BTreeSet;

use tacita_protocol::limits::VERSION;
use tacita_protocol::messages::ClientMessage;

use super::hub::{Doing, Halt, Hub};
use super::network::LinkId;
use super::stagehand::Stagehand;

/// A live connection.
pub(super) struct Session {
    pub(super) link: LinkId,
    pub(super) ledger_size: u64,
    pub(super) ready: bool,
    pub(super) hello: u64,
    pub(super) shown: BTreeSet<usize>,
}

impl Hub {
    pub(super) fn connects(
        &mut self,
        member: usize,
        link: LinkId,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let Some(process) = &mut self.process else {
            // Nobody listens.
            stage.network.hang_up(member, link, false);
            return Ok(());
        };
        if stage.network.is_broken(link) {
            return Ok(());
        }
        // One live session per name: the first stays, unless it is the ghost of one that hung up.
        let ghost = |session: &Session| stage.network.is_broken(session.link);
        let taken = process.lobby.get(&member).is_none_or(ghost);
        if taken {
            let session = Session {
                link,
                ledger_size: 0,
                ready: false,
                hello: 0,
                shown: BTreeSet::new(),
            };
            if process.lobby.insert(member, session).is_some() {
                process.gone.insert(member);
                if let Doing::Playing(attempt) = &mut process.doing {
                    attempt.expected.remove(&member);
                }
            }
        }
        stage.network.answer(member, link, taken);
        self.proceed(stage)
    }

    pub(super) fn lost(
        &mut self,
        member: usize,
        link: LinkId,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if process
            .lobby
            .get(&member)
            .is_some_and(|session| session.link == link)
        {
            process.lobby.remove(&member);
            self.leaves(member);
        }
        self.proceed(stage)
    }

    /// A member has no further part in the attempt under way.
    fn leaves(&mut self, member: usize) {
        let Some(process) = &mut self.process else { return };
        process.gone.insert(member);
        if let Doing::Playing(attempt) = &mut process.doing {
            attempt.expected.remove(&member);
        }
    }

    pub(super) fn hear(
        &mut self,
        member: usize,
        link: LinkId,
        frame: &[u8],
        hello: Option<u64>,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Some(session) = process
            .lobby
            .get_mut(&member)
            .filter(|session| session.link == link)
        else {
            return Ok(());
        };
        // A malformed message is a strike; the session lives on.
        let Ok(message) = ClientMessage::decode(frame) else {
            return Ok(());
        };
        match message {
            ClientMessage::Hello(said) => {
                if let Some(number) = hello.filter(|number| *number > session.hello)
                    && said.version == VERSION
                {
                    (session.hello, session.ready) = (number, true);
                    session.ledger_size = said.ledger_size;
                    self.leaves(member);
                }
            }
            ClientMessage::Leave(reason) => {
                let text = reason.text();
                stage.note(|| format!("server hears that member {member} leaves: {text}"));
                self.leaves(member);
            }
            message => self.take(member, message, stage)?,
        }
        self.proceed(stage)
    }
}
