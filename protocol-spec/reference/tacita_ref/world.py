"""A whole round from its tapes, encoded integers and silences: every message of every party, in order.

A step goes: the server speaks to each member that still listens, by rising number; then their answers reach the server,
by rising number; then the server closes the phase. Numbers are places in the cast, which is ordered by identity.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from . import messages
from .cast import Cast
from .certificates import Shelf
from .client import Client, Participant, Policy
from .conversation import Conversation
from .ledger import Head, Log, head_text
from .manifest import Manifest, check
from .messages import Agreement, Certificates, Chunk, Model, Reveal, RevealRequest, Shares
from .refusal import require
from .ring import centred
from .server import Server
from .tagged import sha256
from .tape import Tape
from .tls import Struct

STEPS = ("invite", "roster", "sharers", "agree", "reveal", "outcome")
# What the server expects of members in each step.
_EXPECTED: dict[str, tuple[type[Struct], ...]] = {
    "invite": (messages.Advertise,),
    "roster": (Shares,),
    "sharers": (Chunk, messages.UploadEnd),
    "agree": (Agreement,),
    "reveal": (Reveal,),
}


@dataclass(frozen=True)
class Sent:
    """One message: to a member, or from one."""

    step: str
    member: int
    to_member: bool
    data: bytes


@dataclass(frozen=True)
class Setup:
    """Everything that a round follows from."""

    cast: Cast
    # How many of the cast are invited: the first ones.
    members: int
    manifest: Manifest
    model: bytes
    tapes: Sequence[str]
    encoded: Mapping[int, Sequence[int]]
    # The first step in which a member is silent.
    silent: Mapping[int, str] = field(default_factory=dict)
    # Entries of the ledger before the round, and the size that every member remembers.
    prior: Sequence[bytes] = ()
    remembered: Sequence[int] = ()
    # The signers that a member is shown, if not the lowest ones; by cast number, as roster indices.
    shown: Callable[[int], Sequence[int] | None] = lambda member: None
    # The certificates that a member is sent ahead of a step, as roster indices; all that it needs if not given.
    certificates: Callable[[str, int], Sequence[int] | None] = lambda step, member: None


@dataclass(frozen=True)
class Unusual:
    """Where a member is not as in an honest round."""

    # The bytes of the model that its update was trained from.
    model: bytes | None = None
    # The digest of the manifest that its update was made for.
    made_for: bytes | None = None
    # A statement that its record holds for this round.
    signed: bytes | None = None


class World:
    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        cast = setup.cast
        self.checked = check(setup.manifest)
        log = Log(cast.origin, cast.log_seed)
        for entry in setup.prior:
            log.append(entry)
        self.server = Server(self.checked, log, cast.server.seed, cast.now)
        self.sent: list[Sent] = []
        self.clients = [self._client(number, log) for number in range(setup.members)]
        self._conversations = [Conversation() for _ in self.clients]

    def _client(self, number: int, log: Log) -> Client:
        cast, setup = self.setup.cast, self.setup
        actor = cast.members[number]
        # Consents to everything that is well formed.
        policy = Policy(tasks=(self.checked.fields.task.decode(),), require_post_quantum=False)
        heard = setup.remembered[number] if setup.remembered else 0
        head = None
        if heard:
            before = Log(cast.origin, cast.log_seed)
            for entry in setup.prior[:heard]:
                before.append(entry)
            head = Head(heard, before.root(), head_text(cast.origin, heard, before.root()))
        me = Participant(
            actor.certificate,
            actor.seed,
            cast.root,
            cast.server.certificate,
            cast.origin,
            cast.log_key,
            Shelf(cast.root),
            cast.now,
            policy,
            head=head,
        )
        return Client(me, Tape(setup.tapes[number]), Tape(setup.tapes[number] + "/noise"))

    # What is said in each step.

    def listens(self, member: int, step: str) -> bool:
        last = self.setup.silent.get(member)
        return last is None or STEPS.index(step) < STEPS.index(last)

    def index(self, member: int) -> int | None:
        """The roster index of a member, once there is a roster."""
        identity = self.setup.cast.members[member].certificate.identity
        known = self.server.identities
        return known.index(identity) if identity in known else None

    def open(self, step: str) -> None:
        """What the server does before it speaks."""
        if step == "outcome":
            self._outcome = self.server.outcome(self.checked.fields.model_digest)

    def said_to(self, member: int, step: str) -> list[Struct]:
        """What the server says to one member."""
        server, setup = self.server, self.setup
        if step == "invite":
            heard = setup.remembered[member] if setup.remembered else 0
            return [server.invitation(heard, len(setup.model)), Model(part=setup.model)]
        index = self.index(member)
        if index is None:
            return []
        if step == "roster":
            needed = server.graph.neighbours(index)
            return [*self._certificates(step, member, needed), server.roster(index)]
        if step == "sharers":
            return [server.sharers_message(index)] if index in server.sharers else []
        if step == "agree":
            return [server.agree_request()] if index in server.survivors else []
        if step == "reveal":
            if index not in server.signatures:
                return []
            shown = setup.shown(member)
            signers = self._signers(index) if shown is None else shown
            return [*self._certificates(step, member, signers), server.reveal_request(index, signers)]
        return [self._outcome] if index in server.answers else []

    def _certificates(self, step: str, member: int, needed: Sequence[int]) -> list[Struct]:
        given = self.setup.certificates(step, member)
        return [self.server.certificates(sorted(needed if given is None else given))]

    def _signers(self, index: int) -> list[int]:
        """Itself, t neighbours on the ring, then the lowest others, Q in all: one of the choices that 02 section 3.8
        leaves to a server."""
        server, fields = self.server, self.checked.fields
        signed = sorted(server.signatures)
        shown = [index]
        if not self.checked.graph.complete:
            near = [i for i in server.graph.neighbours(index) if i in server.signatures]
            shown += near[: fields.threshold]
        for other in signed:
            if len(shown) >= fields.quorum:
                break
            if other not in shown:
                shown.append(other)
        return sorted(shown)

    def hear(self, member: int, message: Struct, unusual: Unusual | None = None) -> list[Struct]:
        """One message from the server to one member; its answers."""
        if isinstance(message, Certificates):
            for der in message.list:
                self.clients[member].me.shelf.admit(der)
            return []
        if isinstance(message, Model):
            return []
        act = partial(self._act, member, message, unusual or Unusual())
        return self._conversations[member].hear(message, act)

    def _act(self, member: int, message: Struct, unusual: Unusual) -> list[Struct]:
        client, setup = self.clients[member], self.setup
        if isinstance(message, messages.Invitation):
            return client.handle_invitation(message)
        if isinstance(message, messages.Roster):
            return client.handle_roster(message)
        if isinstance(message, messages.Sharers):
            model = setup.model if unusual.model is None else unusual.model
            return client.handle_sharers(message, setup.encoded[member], sha256(model), unusual.made_for)
        if isinstance(message, messages.AgreeRequest):
            return client.handle_agree(message, unusual.signed)
        if isinstance(message, RevealRequest):
            return client.handle_reveal_request(message)
        if isinstance(message, messages.Outcome):
            return client.handle_outcome(message)
        return []

    def receive(self, member: int, message: Struct, step: str) -> None:
        """One message from one member to the server, in the phase of `step`."""
        server = self.server
        require(isinstance(message, _EXPECTED.get(step, ())), "TAC-070")
        if isinstance(message, messages.Advertise):
            server.handle_advertise(self.setup.cast.members[member].certificate, message)
            return
        index = self.index(member)
        require(index is not None, "TAC-071")
        assert index is not None
        if isinstance(message, Shares):
            server.handle_shares(index, message)
        elif isinstance(message, Chunk):
            server.handle_chunk(index, message)
        elif isinstance(message, messages.UploadEnd):
            server.handle_end(index, message)
        elif isinstance(message, Agreement):
            server.handle_agreement(index, message)
        elif isinstance(message, Reveal):
            server.handle_reveal(index, message)

    def close(self, step: str) -> None:
        """What the server does when everybody answered or is gone."""
        server = self.server
        if step == "invite":
            server.reserve()
            server.close_gathering()
        elif step == "roster":
            server.close_sharing()
        elif step == "sharers":
            server.close_collecting()
        elif step == "agree":
            server.close_agreeing()
        elif step == "reveal":
            server.close_revealing()

    def step(self, step: str) -> None:
        self.open(step)
        answers: list[tuple[int, Struct]] = []
        for member in range(len(self.clients)):
            if not self.listens(member, step):
                continue
            for message in self.said_to(member, step):
                self.sent.append(Sent(step, member, True, messages.encode(message)))
                answers += [(member, answer) for answer in self.hear(member, message)]
        for member, answer in answers:
            self.sent.append(Sent(step, member, False, messages.encode(answer)))
            self.receive(member, answer, step)
        self.close(step)

    def run(self, until: str | None = None) -> None:
        """All steps, or those before `until`."""
        for step in STEPS:
            if step == until:
                return
            self.step(step)

    def sum(self) -> list[int]:
        """The unmasked sum, centred."""
        return centred(self.server.total, self.checked.fields.bits)

    def survivors(self) -> list[int]:
        """By cast number."""
        return [m for m in range(len(self.clients)) if self.index(m) in self.server.survivors]
