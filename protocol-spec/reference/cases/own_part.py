"""What a member refuses that the rest of a round does not show it: charges over other uploads than its own, rounds beyond its
budget, updates of other manifests, and what comes again."""

from collections.abc import Callable
from typing import Any

from tacita_ref import ledger_entries, merkle, messages
from tacita_ref.messages import AgreeRequest, Invitation, Outcome, Resume, RevealRequest, Roster, Sharers
from tacita_ref.tls import Struct
from tacita_ref.world import World

from . import Case
from .bad_to_member import LEVELS, X25519, Maker, flip, relogged, world_at


def to_member() -> list[Case]:
    make = Maker()
    _own_upload(make)
    _budget(make)
    _other_manifests(make)
    _again(make)
    return [*make.cases, *_resumed()]


def _own_upload(make: Maker) -> None:
    """TAC-062: a charge that names other uploads than the member's own."""

    def add(name: str, change: Callable[[World, Any], Struct], member: int = 0) -> None:
        make.add(f"charge, {name}", X25519, "reveal", member, RevealRequest, change, "TAC-062")

    def over(leaves: list[bytes], at: int) -> Callable[[World, RevealRequest], RevealRequest]:
        """A charge over other uploads, with a good path to one of them."""

        def change(world: World, message: RevealRequest) -> RevealRequest:
            log = world.server.log
            reserve = log.proven(0).bytes
            charge = ledger_entries.decode(log.proven(1).bytes, "TAC-060")
            charge["uploads_root"] = merkle.root(leaves).hex()
            moved = relogged(world, [reserve, ledger_entries.encode(charge)], 0, 1)
            return message.replace(**moved, upload_proof=merkle.inclusion_proof(leaves, at))

        return change

    server = world_at(X25519, "reveal").server
    honest = list(server._upload_leaves)
    digest, signature = server.uploads[0]

    def named(index: int, digest: bytes, signature: bytes) -> bytes:
        return merkle.leaf(index.to_bytes(2, "big") + digest + signature)

    add("own upload left out", over([honest[3], *honest[1:]], 0))
    add("own upload of another digest", over([named(0, flip(digest), signature), *honest[1:]], 0))
    add("own upload of another signature", over([named(0, digest, flip(signature)), *honest[1:]], 0))
    add("own upload under another index", over([named(1, digest, signature), *honest[1:]], 0))
    # Under the root, but not in its place.
    add("uploads in another order", over([honest[1], honest[0], *honest[2:]], 1))
    add("uploads of fewer than the survivors", over(honest[:3], 2), 2)
    add("path to the own upload missing", lambda w, m: m.replace(upload_proof=[]))
    add(
        "path to the own upload changed",
        lambda w, m: m.replace(upload_proof=[flip(m.upload_proof[0]), *m.upload_proof[1:]]),
    )
    add(
        "path to the own upload a hash long",
        lambda w, m: m.replace(upload_proof=[*m.upload_proof, bytes(32)]),
    )
    add("path of another member", lambda w, m: w.server.reveal_request(1, [0, 1, 2]))


def _budget(make: Maker) -> None:
    """TAC-009: without a budget there is nothing that a round with noise could be charged to."""
    same = lambda w, m: m  # noqa: E731
    for name, round_, rule in (
        ("with noise", "noise-5", "TAC-009"),
        ("with levels of noise", LEVELS, "TAC-009"),
        ("without noise", X25519, None),
    ):
        make.add(f"invitation, no budget, {name}", round_, "invite", 0, Invitation, same, rule, no_budget=True)


def _other_manifests(make: Maker) -> None:
    """TAC-034: an update that was made for another manifest, be it of the same vector."""
    fields = world_at(X25519, "sharers").checked.fields
    for name, manifest, rule in (
        ("this manifest", fields, None),
        ("another attempt", fields.replace(round_id=bytes([9]) * 32), "TAC-034"),
        ("another grid", fields.replace(grid=512), "TAC-034"),
        ("another round", fields.replace(round=2), "TAC-034"),
    ):
        make.add(
            f"sharers, update made for {name}",
            X25519,
            "sharers",
            0,
            Sharers,
            lambda w, m: m,
            rule,
            prepared_for=manifest.encode().hex(),
        )


def _again(make: Maker) -> None:
    """TAC-076: what was acted on last comes once more."""
    same = lambda w, m: m  # noqa: E731

    def add(name: str, step: str, kind: type[Struct], change: Callable[[World, Any], Struct]) -> None:
        make.add(f"again, {name} as it was", X25519, step, 0, kind, same, None, answered=True)
        make.add(f"again, {name} of other bytes", X25519, step, 0, kind, change, "TAC-076", answered=True)

    add("invitation", "invite", Invitation, lambda w, m: m.replace(signature=flip(m.signature)))
    add("roster", "roster", Roster, lambda w, m: m.replace(merkle_root=flip(m.merkle_root)))
    add("sharers", "sharers", Sharers, lambda w, m: m.replace(boxes=m.boxes[1:]))
    add("survivors", "agree", AgreeRequest, lambda w, m: AgreeRequest(survivors=b"\x07"))
    # Fewer signers are a quorum as well.
    add("quorum", "reveal", RevealRequest, lambda w, m: w.server.reveal_request(0, [0, 1, 3]))
    add("outcome", "outcome", Outcome, lambda w, m: m.replace(consistency=[]))


def _resumed() -> list[Case]:
    """TAC-042: from which chunk an upload goes on."""
    long = "complete-5-chunks"
    chunks = len(world_at(long, "sharers").checked.chunks())

    def case(name: str, step: str, first: int, rule: str | None) -> Case:
        given = {
            "round": long,
            "step": step,
            "member": 0,
            "message": messages.encode(Resume(next=first)).hex(),
            # Before anything else of this step.
            "withheld": True,
        }
        return Case(f"resume, {name}", "to member", given, rule)

    return [
        case("from the second chunk", "agree", 1, None),
        case("from the end", "agree", chunks, None),
        case("from the first chunk", "agree", 0, "TAC-042"),
        case("from behind the end", "agree", chunks + 1, "TAC-042"),
        case("before an upload", "sharers", 1, "TAC-042"),
        case("after the agreement", "reveal", 1, "TAC-042"),
    ]
