"""Messages that a member must refuse, each made from the one that an honest server says in its place."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tacita_ref import (
    advertisement,
    bitmap,
    ed25519,
    labels,
    ledger,
    ledger_entries,
    merkle,
    messages,
    sharers,
    statement,
)
from tacita_ref import roster as rosters
from tacita_ref.messages import AgreeRequest, Invitation, Outcome, RevealRequest, Roster, Sharers
from tacita_ref.round_ops import at_step
from tacita_ref.tls import Struct
from tacita_ref.world import World

from . import Case, Json
from .rounds import clip_history, rounds
from .settings import everybody

X25519, KEM, RING, LEVELS = "complete-4-x25519", "complete-4", "ring-66", "levels-7"
_WEAK = bytes(32)


@lru_cache
def base(name: str) -> Json:
    return next(case.given for case in rounds() if case.name == name)


def world_at(round_: str, step: str) -> World:
    return at_step(base(round_), everybody(), step)


class Maker:
    """Collects cases: the honest message is changed by a function, or given whole."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(
        self,
        name: str,
        round_: str,
        step: str,
        member: int,
        kind: type[Struct],
        change: Callable[[World, Any], Struct],
        rule: str | None,
        **flags: Any,
    ) -> None:
        world = world_at(round_, step)
        honest = next(m for m in world.said_to(member, step) if isinstance(m, kind))
        given = {
            "round": round_,
            "step": step,
            "member": member,
            "message": messages.encode(change(world, honest)).hex(),
            **flags,
        }
        self.cases.append(Case(name, "to member", given, rule))


def flip(data: bytes, at: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def to_member() -> list[Case]:
    make = Maker()
    _invitations(make)
    _clips(make)
    _rosters(make)
    _roster_members(make)
    _sharers(make)
    _roster_kem_keys(make)
    _sharer_ciphertexts(make)
    _agree(make)
    _quorum(make)
    _charge(make)
    _outcome(make)
    return make.cases


# 3.1


def _invitations(make: Maker) -> None:
    def signed(world: World, message: Invitation, **fields: Any) -> Invitation:
        changed = message.manifest.replace(**fields)
        seed = world.setup.cast.server.seed
        signature = ed25519.sign(seed, labels.MANIFEST_SIGNATURE, changed.digest())
        return message.replace(manifest=changed, signature=signature)

    def add(
        name: str, change: Callable[[World, Any], Struct], rule: str, round_: str = X25519, **flags: Any
    ) -> None:
        make.add(f"invitation, {name}", round_, "invite", 0, Invitation, change, rule, **flags)

    add("signature of another key", lambda w, m: m.replace(signature=flip(m.signature)), "TAC-002")
    add("another version", lambda w, m: signed(w, m, version=2), "TAC-001")
    add("k lowered", lambda w, m: signed(w, m, neighbours=2), "TAC-004")
    add("t lowered", lambda w, m: signed(w, m, threshold=2), "TAC-004")
    add("Q lowered", lambda w, m: signed(w, m, quorum=2), "TAC-004")
    add("padded not that of the dimension", lambda w, m: signed(w, m, padded=32), "TAC-003")
    add("no headroom", lambda w, m: signed(w, m, bits=8), "TAC-006")
    add("X25519 alone against the policy", lambda w, m: m, "TAC-007", require_post_quantum=True)
    spent = world_at(X25519, "invite").checked.fields.round_id.hex()
    add("round id spent before", lambda w, m: m, "TAC-008", spent=spent)

    def other_log(world: World, message: Invitation) -> Invitation:
        fields = world.checked.fields
        note = ledger.sign_head(bytes(32), world.setup.cast.origin, fields.ledger_size, fields.ledger_root)
        return message.replace(checkpoint=note)

    def other_head(world: World, message: Invitation) -> Invitation:
        note = ledger.sign_head(world.setup.cast.log_seed, world.setup.cast.origin, 1, bytes(32))
        return message.replace(checkpoint=note)

    add("head of another log key", other_log, "TAC-011")
    add("head that the manifest does not state", other_head, "TAC-011")
    history = "complete-4-history"

    def of_a_fork(world: World, message: Invitation) -> Invitation:
        return message.replace(consistency=[bytes(32), *message.consistency[1:]])

    make.add("invitation, head of a fork", history, "invite", 2, Invitation, of_a_fork, "TAC-010")
    make.add(
        "invitation, proof missing",
        history,
        "invite",
        2,
        Invitation,
        lambda w, m: m.replace(consistency=[]),
        "TAC-010",
    )


def _clips(make: Maker) -> None:
    """A server that leaves the sequence of clip norms, or does not show where it stands."""
    second = "beside-4-second-round"

    def add(name: str, rule: str, round_: str, change: Callable[[World, Invitation], Invitation]) -> None:
        make.add(f"invitation, {name}", round_, "invite", 0, Invitation, change, rule)

    def after(prior: list[bytes]) -> Callable[[World, Invitation], Invitation]:
        """Another history, over which everything else is as it should be."""

        def change(world: World, message: Invitation) -> Invitation:
            cast = world.setup.cast
            log = ledger.Log(cast.origin, cast.log_seed)
            for entry in prior:
                log.append(entry)
            changed = message.manifest.replace(ledger_size=log.size, ledger_root=log.root())
            signature = ed25519.sign(cast.server.seed, labels.MANIFEST_SIGNATURE, changed.digest())
            shown = [log.proven(0), log.proven(2)]
            return message.replace(
                manifest=changed, signature=signature, checkpoint=log.checkpoint(), consistency=[], previous=shown
            )

        return change

    rule = "TAC-013"
    add("nothing shown of the round before", rule, second, lambda w, m: m.replace(previous=[]))
    add("only a manifest shown", rule, second, lambda w, m: m.replace(previous=m.previous[:1]))
    add("shown in another order", rule, second, lambda w, m: m.replace(previous=m.previous[::-1]))
    add("a charge in place of the outcome", rule, second, lambda w, m: m.replace(
        previous=[m.previous[0], w.server.log.proven(1)]
    ))
    moved = lambda w, m: m.replace(previous=[m.previous[0], m.previous[1].replace(index=1)])  # noqa: E731
    add("an outcome that is not under the head", "TAC-061", second, moved)
    add("a clip norm off the published count", rule, second, after(clip_history(within="0.75")))
    add("the round before of another task", rule, second, after(clip_history(task=b"other")))
    add("a round before the round before", rule, second, after(clip_history(round_=2)))
    other = after(clip_history(rule="0.5,0.3,0.6,0.01,0.65"))
    add("another clip rule in the round before", rule, second, other)
    shown = [w for w in [world_at(second, "invite").server.log.proven(at) for at in (0, 2)]]
    add("a round before the first", rule, "beside-4", lambda w, m: m.replace(previous=shown))
    add("a round before where no clip follows", rule, X25519, lambda w, m: m.replace(previous=shown))


# 3.3


def _rosters(make: Maker) -> None:
    def add(name: str, change: Callable[[World, Any], Struct], rule: str, **flags: Any) -> None:
        make.add(f"roster, {name}", X25519, "roster", 0, Roster, change, rule, **flags)

    def swapped(world: World, message: Roster) -> Roster:
        a, b, *rest = message.identities
        return message.replace(identities=[b, a, *rest])

    def twice(world: World, message: Roster) -> Roster:
        return message.replace(identities=[*message.identities[:3], message.identities[2]])

    def entry(at: int, **fields: Any) -> Callable[[World, Roster], Roster]:
        def change(world: World, message: Roster) -> Roster:
            entries = list(message.entries)
            entries[at] = entries[at].replace(**fields)
            return message.replace(entries=entries)

        return change

    def proof(of: Callable[[list[bytes]], list[bytes]]) -> Callable[[World, Roster], Roster]:
        return lambda world, message: entry(1, proof=of(message.entries[1].proof))(world, message)

    add("out of order", swapped, "TAC-020")
    add("one identity twice", twice, "TAC-020")
    add("too small", lambda w, m: m.replace(identities=m.identities[:2]), "TAC-020")
    add("larger than the cohort", lambda w, m: m.replace(identities=[*m.identities, b"\xff" * 32]), "TAC-020")
    add("without the member itself", _without_itself, "TAC-022")
    add("entry of another identity", entry(1, identity=bytes(32)), "TAC-020")
    add("proof a hash short", proof(lambda p: p[:-1]), "TAC-021")
    add("proof a hash long", proof(lambda p: [*p, bytes(32)]), "TAC-021")
    add("proof changed", proof(lambda p: [flip(p[0]), *p[1:]]), "TAC-021")
    add("fingerprint changed", entry(1, fingerprint=bytes(32)), "TAC-021")
    add("an entry missing", lambda w, m: m.replace(entries=m.entries[:3]), "TAC-025")
    add(
        "entries out of order",
        lambda w, m: m.replace(entries=[m.entries[i] for i in (0, 2, 1, 3)]),
        "TAC-025",
    )
    add("certificates withheld", lambda w, m: m, "TAC-024", withheld=True)


def _without_itself(world: World, message: Roster) -> Roster:
    """Another name, above all, in the member's place: it has index 0 here."""
    return message.replace(identities=[*message.identities[1:], b"\xff" * 32])


def _rebuilt(world: World, index: int, resign: bool, **fields: Any) -> Roster:
    """The roster that a server shows to member 0 if a member advertised something else."""
    members = world.server.members
    changed = members[index].advertise.replace(**fields)
    certificate = members[index].certificate
    if resign:
        seed = world.setup.cast.members[index].seed
        changed = advertisement.sign(seed, world.checked.digest, certificate.fingerprint, changed)
    members[index].advertise = changed
    server = world.server
    server._roster_leaves = [
        rosters.leaf(i, m.certificate.identity, m.certificate.fingerprint, m.advertise)
        for i, m in enumerate(members)
    ]
    server._roster_merkle = merkle.root(server._roster_leaves)
    return server.roster(0)


class _Members:
    """Rosters in which one member advertised something else."""

    def __init__(self, make: Maker) -> None:
        self._make = make

    def add(
        self,
        name: str,
        round_: str,
        index: int,
        fields: Callable[[World], Json],
        rule: str,
        resign: bool = True,
    ) -> None:
        def change(world: World, message: Roster) -> Roster:
            return _rebuilt(world, index, resign, **fields(world))

        self._make.add(f"roster, {name}", round_, "roster", 0, Roster, change, rule)


def _roster_members(make: Maker) -> None:
    add, other = _Members(make).add, bytes([1]) * 32
    add("own advertisement changed", X25519, 0, lambda w: {"nonce": other}, "TAC-022")
    add("keys substituted", X25519, 2, lambda w: {"mask_key": other}, "TAC-023", resign=False)
    add("mask key of small order", X25519, 2, lambda w: {"mask_key": _WEAK}, "TAC-026")
    add("share key of small order", X25519, 2, lambda w: {"share_key": _WEAK}, "TAC-026")


def _roster_kem_keys(make: Maker) -> None:
    def kem_of(world: World, index: int) -> bytes:
        key: bytes = world.server.members[index].advertise.mask_kem_key
        return key

    add, rule = _Members(make).add, "TAC-027"
    add("KEM key with X25519 alone", X25519, 2, lambda w: {"mask_kem_key": bytes(1184)}, rule)
    add("mask KEM key a byte short", KEM, 2, lambda w: {"mask_kem_key": kem_of(w, 2)[:-1]}, rule)
    add("share KEM key missing", KEM, 2, lambda w: {"share_kem_key": b""}, rule)
    above = "share KEM key above the modulus"
    add(above, KEM, 2, lambda w: {"share_kem_key": b"\xff\xff" + kem_of(w, 2)[2:]}, rule)


# 3.5


def _resharers(world: World, present: list[int], roots: dict[int, Any]) -> Sharers:
    """The message to member 0 over other sharers or other share roots."""
    server = world.server
    leaves = [sharers.leaf(i, roots[i]) for i in present]
    honest = server.sharers_message(0)
    entries = []
    for e in honest.entries:
        if e.index in present:
            proof = merkle.inclusion_proof(leaves, present.index(e.index))
            entries.append(e.replace(share_root=roots[e.index], proof=proof))
    return honest.replace(
        sharers=bitmap.encode(server.size, present), merkle_root=merkle.root(leaves), entries=entries
    )


def _roots(world: World) -> dict[int, Any]:
    return {i: shares.share_root for i, shares in world.server._shares.items()}


def _sharers(make: Maker) -> None:
    def add(name: str, change: Callable[[World, Any], Struct], rule: str | None, **flags: Any) -> None:
        make.add(f"sharers, {name}", X25519, "sharers", 0, Sharers, change, rule, **flags)

    def own_changed(world: World, message: Sharers) -> Sharers:
        roots = _roots(world)
        roots[0] = roots[0].replace(self_commitment=bytes(32))
        return _resharers(world, [0, 1, 2, 3], roots)

    def unsigned(world: World, message: Sharers) -> Sharers:
        roots = _roots(world)
        roots[2] = roots[2].replace(self_commitment=bytes(32))
        return _resharers(world, [0, 1, 2, 3], roots)

    def proof(world: World, message: Sharers) -> Sharers:
        first, *rest = message.entries
        return message.replace(entries=[first.replace(proof=first.proof[:-1]), *rest])

    def box(at: int, of: Callable[[Struct], Struct]) -> Callable[[World, Sharers], Sharers]:
        def change(world: World, message: Sharers) -> Sharers:
            boxes = list(message.boxes)
            boxes[at] = of(boxes[at])
            return message.replace(boxes=boxes)

        return change

    def exchanged(world: World, message: Sharers) -> Sharers:
        a, b, c = message.boxes
        return message.replace(
            boxes=[a.replace(ciphertext=b.ciphertext), b.replace(ciphertext=a.ciphertext), c]
        )

    def second(world: World, message: Sharers) -> Sharers:
        first, *rest = message.boxes
        return message.replace(boxes=[first, first.replace(ciphertext=bytes(80)), *rest])

    add("another model", lambda w, m: m, "TAC-012", model=b"another model".hex())
    add("bitmap with a spare bit", lambda w, m: m.replace(sharers=b"\x1f"), "TAC-030")
    add("bitmap a byte long", lambda w, m: m.replace(sharers=b"\x0f\x00"), "TAC-030")
    add("without the member itself", lambda w, m: m.replace(sharers=b"\x0e"), "TAC-032")
    add("an entry missing", lambda w, m: m.replace(entries=m.entries[:3]), "TAC-030")
    add("own share root changed", own_changed, "TAC-032")
    add("share root not signed", unsigned, "TAC-031")
    add("proof a hash short", proof, "TAC-031")
    add("too few holders", lambda w, m: _resharers(w, [0, 1], _roots(w)), "TAC-033")
    add("a box damaged", box(1, lambda b: b.replace(ciphertext=flip(b.ciphertext, 70))), None)
    add("a box missing", lambda w, m: m.replace(boxes=m.boxes[1:]), None)
    add("boxes exchanged", exchanged, None)
    add("a second box behind the first", second, None)


def _sharer_ciphertexts(make: Maker) -> None:
    world = world_at(KEM, "sharers")
    prints = [m.certificate.fingerprint for m in world.server.members]
    # A member for which some neighbour made a ciphertext, and that made one itself.
    member = next(i for i in range(4) if min(prints) < prints[i] < max(prints))
    maker = next(i for i in range(4) if prints[i] < prints[member])
    other = next(i for i in range(4) if prints[i] > prints[member])

    def entry(index: int, **fields: Any) -> Callable[[World, Sharers], Sharers]:
        def change(world: World, message: Sharers) -> Sharers:
            return message.replace(
                entries=[e.replace(**fields) if e.index == index else e for e in message.entries]
            )

        return change

    def of(change: Callable[[Struct], Json]) -> Callable[[World, Sharers], Sharers]:
        def changed(world: World, message: Sharers) -> Sharers:
            honest = next(e for e in message.entries if e.index == maker)
            return entry(maker, **change(honest))(world, message)

        return changed

    def add(name: str, change: Callable[[World, Any], Struct], rule: str | None) -> None:
        make.add(f"sharers, {name}", KEM, "sharers", member, Sharers, change, rule)

    add("mask ciphertext changed", of(lambda e: {"mask_ciphertext": flip(e.mask_ciphertext, 9)}), "TAC-037")
    add("mask ciphertext missing", entry(maker, mask_ciphertext=b"", ciphertext_proof=[]), "TAC-037")
    add("mask ciphertext a byte short", of(lambda e: {"mask_ciphertext": e.mask_ciphertext[:-1]}), "TAC-037")
    add(
        "ciphertext proof a hash short",
        of(lambda e: {"ciphertext_proof": e.ciphertext_proof[:-1]}),
        "TAC-037",
    )
    add("mask ciphertext where none belongs", entry(other, mask_ciphertext=bytes(1088)), "TAC-037")
    add("ciphertext proof where none belongs", entry(other, ciphertext_proof=[bytes(32)]), "TAC-037")

    def share_ciphertext(world: World, message: Sharers) -> Sharers:
        first, *rest = message.boxes
        return message.replace(
            boxes=[first.replace(share_ciphertext=flip(first.share_ciphertext, 5)), *rest]
        )

    add("share ciphertext changed", share_ciphertext, None)


# 3.7


def _agree(make: Maker) -> None:
    def add(name: str, survivors: bytes, rule: str, round_: str = X25519, **flags: Any) -> None:
        change = lambda w, m: AgreeRequest(survivors=survivors)  # noqa: E731
        make.add(f"survivors, {name}", round_, "agree", 0, AgreeRequest, change, rule, **flags)

    add("spare bit set", b"\x8f", "TAC-050")
    add("bitmap empty", b"", "TAC-050")
    # Member 1 is silent from the roster on: it is no sharer.
    add("not within the sharers", b"\x0f", "TAC-050", "complete-4-silent-from-roster")
    add("without the member itself", b"\x0e", "TAC-051")
    add("fewer than m", b"\x03", "TAC-052")
    add("another statement signed before", b"\x0f", "TAC-053", signed=bytes(32).hex())


# 3.8


def _signed_by(world: World, indices: list[int], s: bytes) -> list[bytes]:
    members = world.setup.cast.members
    return [ed25519.sign(members[i].seed, labels.STATEMENT_SIGNATURE, s) for i in indices]


def _quorum(make: Maker) -> None:
    def add(
        name: str,
        change: Callable[[World, Any], Struct],
        rule: str,
        round_: str = X25519,
        member: int = 0,
        **flags: Any,
    ) -> None:
        make.add(f"quorum, {name}", round_, "reveal", member, RevealRequest, change, rule, **flags)

    def shown(indices: list[int]) -> Callable[[World, RevealRequest], RevealRequest]:
        def change(world: World, message: RevealRequest) -> RevealRequest:
            size, s = world.server.size, world.server.statement
            return message.replace(
                signers=bitmap.encode(size, indices), signatures=_signed_by(world, indices, s)
            )

        return change

    def damaged(at: int) -> Callable[[World, RevealRequest], RevealRequest]:
        def change(world: World, message: RevealRequest) -> RevealRequest:
            signatures = list(message.signatures)
            signatures[at] = flip(signatures[at], 40)
            return message.replace(signatures=signatures)

        return change

    def of_other_sharers(world: World, message: RevealRequest) -> RevealRequest:
        server = world.server
        d = sharers.digest(server.size, b"\x07", bytes(32))
        s = statement.digest(world.checked.digest, server.root, d, server.size, b"\x07")
        return message.replace(signers=b"\x0e", signatures=_signed_by(world, [1, 2, 3], s))

    add("one short", shown([0, 1]), "TAC-055")
    add("a signature missing", lambda w, m: m.replace(signatures=m.signatures[:-1]), "TAC-054")
    add("a signature too many", lambda w, m: m.replace(signatures=[*m.signatures, bytes(64)]), "TAC-054")
    add("spare bit set", lambda w, m: m.replace(signers=b"\x17"), "TAC-054")
    add("a signature changed", damaged(1), "TAC-054")
    add("own signature changed", damaged(0), "TAC-054")
    add("statement of other sharers", of_other_sharers, "TAC-054")
    world = world_at(RING, "reveal")
    near = world.server.graph.neighbours(0)
    quorum = world.checked.fields.quorum
    far = [i for i in sorted(world.server.signatures) if i not in near and i != 0][: quorum - 1]
    add("too few neighbours on the ring", shown(sorted([0, *far])), "TAC-056", RING)
    add("certificates of signers withheld", lambda w, m: m, "TAC-057", RING, withheld=True)


def relogged(world: World, entries: list[bytes], reserved: int, charged: int) -> Json:
    """Head and proofs over other entries behind those before the round."""
    log = ledger.Log(world.setup.cast.origin, world.setup.cast.log_seed)
    for entry in entries:
        log.append(entry)
    return {
        "checkpoint": log.checkpoint(),
        "consistency": log.consistency(world.checked.fields.ledger_size),
        "manifest": log.proven(reserved),
        "charge": log.proven(charged),
    }


def _charge(make: Maker) -> None:
    def add(name: str, change: Callable[[World, Any], Struct], rule: str) -> None:
        make.add(f"charge, {name}", X25519, "reveal", 0, RevealRequest, change, rule)

    def entries(world: World) -> tuple[Json, Json]:
        log = world.server.log
        reserve = ledger_entries.decode(log.proven(0).bytes, "TAC-060")
        charge = ledger_entries.decode(log.proven(1).bytes, "TAC-060")
        return reserve, charge

    def rewritten(**fields: Any) -> Callable[[World, RevealRequest], RevealRequest]:
        def change(world: World, message: RevealRequest) -> RevealRequest:
            reserve, charge = entries(world)
            for name, value in fields.items():
                (charge if name in charge else reserve)[name] = value
            texts = [ledger_entries.encode(reserve), ledger_entries.encode(charge)]
            return message.replace(**relogged(world, texts, 0, 1))

        return change

    def before(world: World, message: RevealRequest) -> RevealRequest:
        reserve, charge = (ledger_entries.encode(e) for e in entries(world))
        return message.replace(**relogged(world, [charge, reserve], 1, 0))

    def not_under(world: World, message: RevealRequest) -> RevealRequest:
        return message.replace(charge=message.charge.replace(proof=[bytes(32)]))

    def other_key(world: World, message: RevealRequest) -> RevealRequest:
        log = world.server.log
        return message.replace(checkpoint=ledger.sign_head(bytes(32), log.origin, log.size, log.root()))

    def fork(world: World, message: RevealRequest) -> RevealRequest:
        return message.replace(consistency=[bytes(32)])

    add("of another statement", rewritten(statement="00" * 32), "TAC-060")
    add("of other survivors", rewritten(survivors="07", survivor_count=3), "TAC-060")
    add("behind the reserve of other noise", rewritten(grid=512), "TAC-060")
    add("before its reserve", before, "TAC-060")
    add("not under the head", not_under, "TAC-061")
    add("head of another log key", other_key, "TAC-011")
    add("head that does not extend the invitation's", fork, "TAC-010")


# 3.9


def _outcome(make: Maker) -> None:
    def with_count(count: int) -> Callable[[World, Outcome], Outcome]:
        def change(world: World, message: Outcome) -> Outcome:
            entry = ledger_entries.decode(message.outcome.bytes, "TAC-061")
            entry["survivor_count"] = count
            log = ledger.Log(world.setup.cast.origin, world.setup.cast.log_seed)
            for at in range(2):
                log.append(world.server.log.proven(at).bytes)
            log.append(ledger_entries.encode(entry))
            return Outcome(checkpoint=log.checkpoint(), consistency=log.consistency(2), outcome=log.proven(2))

        return change

    def not_under(world: World, message: Outcome) -> Outcome:
        return message.replace(outcome=message.outcome.replace(index=0))

    def a_charge(world: World, message: Outcome) -> Outcome:
        return message.replace(outcome=world.server.log.proven(1))

    for name, change in (
        ("of other survivors", with_count(3)),
        ("not under the head", not_under),
        ("another kind of entry", a_charge),
    ):
        make.add(f"outcome, {name}", X25519, "outcome", 0, Outcome, change, "TAC-061")
