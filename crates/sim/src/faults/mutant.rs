//! Faults put into a shell on purpose, each of which a checker has to see: a check that never failed is not known to check.

/// One fault of a shell. Only tests and the command's `--mutant` set one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mutant {
    /// The shell as it is.
    #[default]
    None,
    /// A member uploads before its charge is durable.
    UploadsFirst,
    /// A member keeps no record of its charges.
    KeepsNoCharge,
    /// A member does not know which round ids it has spent, under a server that uses them again.
    ForgetsRounds,
    /// A member gives its reservation back after the upload.
    GivesChargesBack,
    /// A member sends its signature before it is durable.
    SignsFirst,
    /// A member draws from a list of signers before it is durable. Only a cohort above 1,000 has such a list.
    DrawsFirst,
    /// A member cosigns a head before it is durable.
    CosignsFirst,
    /// A member's generator starts anew in every round.
    RepeatsRandomness,
    /// A member tells the server more than a rule's number.
    TellsMore,
    /// A member tells the server a secret.
    TellsSecrets,
    /// A member stores its mask secret with its upload.
    StoresSecrets,
    /// Disks acknowledge what they have not synced.
    DisksLie,
    /// The server asks for shares before the charge is durable.
    RevealsFirst,
    /// The server invites before the reserve is durable.
    InvitesFirst,
    /// The server publishes an outcome before its model is durable.
    PublishesFirst,
    /// The server's own account misses charges.
    CountsNoCharge,
    /// The server adds one to its sums.
    AddsOne,
    /// The server uses one round id for ever.
    RepeatsRoundIds,
    /// The server says everything a hundred times.
    Floods,
    /// The server blames an honest member.
    BlamesAnyone,
    /// The server never starts another attempt after a failed one.
    GivesUp,
    /// A member reveals the seed of all its layers, whatever S it signed.
    RevealsAnotherLevel,
    /// A member that hears a sharers list again draws its noise again.
    NoisesAgain,
    /// The server's outcome states the noise of a round without drop-outs.
    StatesLess,
    /// Twice as many members help a server that splits views as the setting withstands.
    TooManyColluders,
}

impl Mutant {
    /// All of them, with the checkers of which one at least has to see it.
    pub const ALL: [(Self, &'static str, &'static [&'static str]); 25] = [
        (Self::UploadsFirst, "uploads-first", &["durable"]),
        (Self::KeepsNoCharge, "keeps-no-charge", &["durable"]),
        (Self::ForgetsRounds, "forgets-rounds", &["once"]),
        (Self::GivesChargesBack, "gives-charges-back", &["budget"]),
        (Self::SignsFirst, "signs-first", &["durable"]),
        (Self::DrawsFirst, "draws-first", &["durable"]),
        (Self::CosignsFirst, "cosigns-first", &["durable"]),
        (Self::RepeatsRandomness, "repeats-randomness", &["once"]),
        (Self::TellsMore, "tells-more", &["refusal"]),
        (Self::TellsSecrets, "tells-secrets", &["canary"]),
        (Self::StoresSecrets, "stores-secrets", &["canary"]),
        (Self::DisksLie, "disks-lie", &["durable"]),
        (Self::RevealsFirst, "reveals-first", &["durable"]),
        (Self::InvitesFirst, "invites-first", &["durable"]),
        (Self::PublishesFirst, "publishes-first", &["durable"]),
        (Self::CountsNoCharge, "counts-no-charge", &["budget"]),
        (Self::AddsOne, "adds-one", &["sum"]),
        (Self::RepeatsRoundIds, "repeats-round-ids", &["liveness"]),
        (Self::Floods, "floods", &["queue"]),
        (Self::BlamesAnyone, "blames-anyone", &["blame"]),
        (Self::GivesUp, "gives-up", &["liveness"]),
        (Self::RevealsAnotherLevel, "reveals-another-level", &["seed"]),
        (Self::NoisesAgain, "noises-again", &["once"]),
        (Self::StatesLess, "states-less", &["noise"]),
        (Self::TooManyColluders, "too-many-colluders", &["knowledge"]),
    ];

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(mutant, ..)| *mutant)
    }
}
