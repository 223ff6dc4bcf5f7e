//! An attack put together from closures, for the many that are one edit long.

use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::stage::{Attack, Backstage, Stage};

type Shows<'a> = Box<dyn FnMut(Stage, usize) -> usize + 'a>;
type Hears<'a> = Box<dyn FnMut(usize, Stage, usize) -> bool + 'a>;
type Out<'a> = Box<dyn FnMut(&Backstage<'_>, usize, ServerMessage) -> Vec<ServerMessage> + 'a>;
type In<'a> = Box<dyn FnMut(&Backstage<'_>, usize, ClientMessage) -> Vec<ClientMessage> + 'a>;
type MoreOut<'a> = Box<dyn FnMut(&Backstage<'_>) -> Vec<(usize, ServerMessage)> + 'a>;
type MoreIn<'a> = Box<dyn FnMut(&Backstage<'_>) -> Vec<(usize, ClientMessage)> + 'a>;

/// An attack of closures; what is not set stays honest.
#[derive(Default)]
pub struct Script<'a> {
    colluders: Vec<usize>,
    views: Option<(usize, Shows<'a>, Hears<'a>)>,
    out: Option<Out<'a>>,
    into: Option<In<'a>>,
    more_out: Option<MoreOut<'a>>,
    more_in: Option<MoreIn<'a>>,
}

impl<'a> Script<'a> {
    /// No attack yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Members that work for the server.
    #[must_use]
    pub fn colluders(mut self, members: impl IntoIterator<Item = usize>) -> Self {
        self.colluders = members.into_iter().collect();
        self
    }

    /// Several honest machines side by side: which one talks to a member, and which ones hear it.
    #[must_use]
    pub fn views(
        mut self,
        count: usize,
        shows: impl FnMut(Stage, usize) -> usize + 'a,
        hears: impl FnMut(usize, Stage, usize) -> bool + 'a,
    ) -> Self {
        self.views = Some((count, Box::new(shows), Box::new(hears)));
        self
    }

    /// Replaces messages to members.
    #[must_use]
    pub fn to_clients(
        mut self,
        f: impl FnMut(&Backstage<'_>, usize, ServerMessage) -> Vec<ServerMessage> + 'a,
    ) -> Self {
        self.out = Some(Box::new(f));
        self
    }

    /// Edits messages to members in place.
    #[must_use]
    pub fn edit(self, mut f: impl FnMut(&Backstage<'_>, usize, &mut ServerMessage) + 'a) -> Self {
        self.to_clients(move |at, to, mut message| {
            f(at, to, &mut message);
            vec![message]
        })
    }

    /// Replaces messages from members.
    #[must_use]
    pub fn from_clients(
        mut self,
        f: impl FnMut(&Backstage<'_>, usize, ClientMessage) -> Vec<ClientMessage> + 'a,
    ) -> Self {
        self.into = Some(Box::new(f));
        self
    }

    /// Edits messages from members in place.
    #[must_use]
    pub fn edit_back(self, mut f: impl FnMut(&Backstage<'_>, usize, &mut ClientMessage) + 'a) -> Self {
        self.from_clients(move |at, from, mut message| {
            f(at, from, &mut message);
            vec![message]
        })
    }

    /// Sends members more before a stage closes.
    #[must_use]
    pub fn more_to_clients(
        mut self,
        f: impl FnMut(&Backstage<'_>) -> Vec<(usize, ServerMessage)> + 'a,
    ) -> Self {
        self.more_out = Some(Box::new(f));
        self
    }

    /// Feeds the views more before a stage closes.
    #[must_use]
    pub fn more_to_server(
        mut self,
        f: impl FnMut(&Backstage<'_>) -> Vec<(usize, ClientMessage)> + 'a,
    ) -> Self {
        self.more_in = Some(Box::new(f));
        self
    }
}

impl Attack for Script<'_> {
    fn colluders(&self) -> Vec<usize> {
        self.colluders.clone()
    }

    fn views(&self) -> usize {
        self.views.as_ref().map_or(1, |(count, _, _)| *count)
    }

    fn shows(&mut self, stage: Stage, to: usize) -> usize {
        self.views.as_mut().map_or(0, |(_, shows, _)| shows(stage, to))
    }

    fn hears(&mut self, view: usize, stage: Stage, from: usize) -> bool {
        self.views
            .as_mut()
            .is_none_or(|(_, _, hears)| hears(view, stage, from))
    }

    fn to_client(&mut self, at: &Backstage<'_>, to: usize, message: ServerMessage) -> Vec<ServerMessage> {
        match &mut self.out {
            Some(f) => f(at, to, message),
            None => vec![message],
        }
    }

    fn to_server(&mut self, at: &Backstage<'_>, from: usize, message: ClientMessage) -> Vec<ClientMessage> {
        match &mut self.into {
            Some(f) => f(at, from, message),
            None => vec![message],
        }
    }

    fn more_to_clients(&mut self, at: &Backstage<'_>) -> Vec<(usize, ServerMessage)> {
        self.more_out.as_mut().map(|f| f(at)).unwrap_or_default()
    }

    fn more_to_server(&mut self, at: &Backstage<'_>) -> Vec<(usize, ClientMessage)> {
        self.more_in.as_mut().map(|f| f(at)).unwrap_or_default()
    }
}
