"""Messages that a server must refuse, or that make it blame their sender."""

from collections.abc import Sequence
from typing import Any

from tacita_ref import advertisement, ed25519, labels, ledger, messages, sharing, tagged
from tacita_ref.messages import Agreement, Chunk, RevealedShare, Shares, UploadEnd
from tacita_ref.tls import Struct
from tacita_ref.world import World

from . import Case
from .bad_to_member import KEM, X25519, world_at

# Odd number of bits in the last chunk: it has spare bits.
_ODD = "smallest"


def _answers(world: World, member: int, step: str) -> list[Any]:
    """What an honest member says in this step."""
    out: list[Any] = []
    for message in world.said_to(member, step):
        out += world.hear(member, message)
    return out


def _hex(message: Struct) -> str:
    return messages.encode(message).hex()


def _case(
    name: str,
    round_: str,
    step: str,
    member: int,
    message: Struct,
    rule: str | None,
    before: Sequence[tuple[int, Struct]] | None = None,
) -> Case:
    given = {
        "round": round_,
        "step": step,
        "member": member,
        "before": [{"from": sender, "bytes": _hex(m)} for sender, m in before or []],
        "message": _hex(message),
    }
    return Case(name, "to server", given, rule)


def to_server() -> list[Case]:
    return [
        *_advertisements(),
        *_kem_keys(),
        *_shares(),
        *_ciphertexts(),
        *_uploads(),
        *_bound(),
        *_agreements(),
        *_reveals(),
    ]


def _flip(data: bytes, at: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _advertise(round_: str, member: int, **fields: Any) -> Any:
    """An advertisement with other fields, signed well."""
    world = world_at(round_, "invite")
    (honest,) = _answers(world, member, "invite") if member < 4 else _answers(world, 0, "invite")
    actor = world.setup.cast.members[member]
    changed = honest.replace(**fields)
    return advertisement.sign(actor.seed, world.checked.digest, actor.certificate.fingerprint, changed)


def _advertisements() -> list[Case]:
    first, weak = _advertise(X25519, 1), bytes(32)
    everybody = [(member, _advertise(X25519, member)) for member in range(4)]

    def case(name: str, message: Struct, rule: str, **more: Any) -> Case:
        return _case(f"advertisement, {name}", X25519, "invite", 1, message, rule, **more)

    return [
        case("signature changed", first.replace(signature=_flip(first.signature)), "TAC-023"),
        case("nonce changed", first.replace(nonce=weak), "TAC-023"),
        case("mask key of small order", _advertise(X25519, 1, mask_key=weak), "TAC-026"),
        case("share key of small order", _advertise(X25519, 1, share_key=weak), "TAC-026"),
        case("again with another nonce", _advertise(X25519, 1, nonce=weak), "TAC-072", before=[(1, first)]),
        _case("advertisement, cohort full", X25519, "invite", 4, _advertise(X25519, 4), "TAC-075", everybody),
        case("shares instead", _answers(world_at(X25519, "roster"), 1, "roster")[0], "TAC-070"),
    ]


def _kem_keys() -> list[Case]:
    kem = _advertise(KEM, 1)

    def case(name: str, round_: str, **keys: bytes) -> Case:
        message = _advertise(round_, 1, **keys)
        return _case(f"advertisement, {name}", round_, "invite", 1, message, "TAC-027")

    return [
        case("KEM key with X25519 alone", X25519, share_kem_key=bytes(1184)),
        case("KEM keys missing", KEM, mask_kem_key=b"", share_kem_key=b""),
        case("mask KEM key a byte long", KEM, mask_kem_key=kem.mask_kem_key + b"\0"),
        case("share KEM key above the modulus", KEM, share_kem_key=b"\xff\xff" + kem.share_kem_key[2:]),
    ]


def _box(of: Shares, at: int, **fields: Any) -> Shares:
    boxes = list(of.boxes)
    boxes[at] = boxes[at].replace(**fields)
    return of.replace(boxes=boxes)


def _shares() -> list[Case]:
    (plain,) = _answers(world_at(X25519, "roster"), 1, "roster")

    def case(name: str, message: Struct, rule: str, **more: Any) -> Case:
        return _case(f"shares, {name}", X25519, "roster", 1, message, rule, **more)

    unsigned = plain.share_root.replace(signature=_flip(plain.share_root.signature))
    changed = _box(plain, 0, ciphertext=_flip(plain.boxes[0].ciphertext, 3))
    twice = [plain.boxes[0], plain.boxes[0], plain.boxes[2]]
    return [
        case("a box missing", plain.replace(boxes=plain.boxes[1:]), "TAC-035"),
        case("boxes out of order", plain.replace(boxes=plain.boxes[::-1]), "TAC-035"),
        case("a box twice", plain.replace(boxes=twice), "TAC-035"),
        case("a box of 79 bytes", _box(plain, 0, ciphertext=bytes(79)), "TAC-035"),
        case("a box of 465 bytes", _box(plain, 0, ciphertext=bytes(465)), "TAC-035"),
        case("share root not signed", plain.replace(share_root=unsigned), "TAC-031"),
        case("again with another box", changed, "TAC-072", before=[(1, plain)]),
    ]


def _ciphertexts() -> list[Case]:
    """TAC-036: what the server checks against the dealer's root."""
    world = world_at(KEM, "roster")
    # The member with the smallest fingerprint makes a mask ciphertext for every neighbour.
    member = min(range(4), key=lambda i: world.server.members[i].certificate.fingerprint)
    (kem,) = _answers(world, member, "roster")
    (plain,) = _answers(world_at(X25519, "roster"), 1, "roster")

    def case(name: str, message: Struct) -> Case:
        return _case(f"shares, {name}", X25519, "roster", 1, message, "TAC-036")

    def with_kem(name: str, message: Struct) -> Case:
        return _case(f"shares, {name}", KEM, "roster", member, message, "TAC-036")

    c, e = kem.boxes[0].mask_ciphertext, kem.boxes[0].share_ciphertext
    return [
        case("pair node changed", _box(plain, 1, pair=bytes(32))),
        case("own pair missing", plain.replace(own_pair=[])),
        case("own pair twice", plain.replace(own_pair=plain.own_pair * 2)),
        case("ciphertext with X25519 alone", _box(plain, 0, share_ciphertext=bytes(1088))),
        with_kem("mask ciphertext changed", _box(kem, 0, mask_ciphertext=_flip(c, 100))),
        with_kem("mask ciphertext missing", _box(kem, 0, mask_ciphertext=b"")),
        with_kem("share ciphertext changed", _box(kem, 0, share_ciphertext=_flip(e, 100))),
        with_kem("share ciphertext a byte long", _box(kem, 0, share_ciphertext=e + b"\0")),
    ]


def _uploads() -> list[Case]:
    chunk, end = _answers(world_at(X25519, "sharers"), 1, "sharers")
    long = "complete-5-chunks"
    *chunks, last = _answers(world_at(long, "sharers"), 1, "sharers")
    odd, _ = _answers(world_at(_ODD, "sharers"), 1, "sharers")
    spare = odd.packed[:-1] + bytes([odd.packed[-1] | 0x80])

    def case(name: str, message: Struct, rule: str, before: list[Struct], round_: str = X25519) -> Case:
        earlier = [(1, m) for m in before]
        return _case(f"upload, {name}", round_, "sharers", 1, message, rule, earlier)

    suspects = UploadEnd(suspects=[0, 0], signature=end.signature)
    silent = "complete-4-silent-from-roster"
    return [
        case("chunk a byte short", Chunk(index=0, packed=chunk.packed[:-1]), "TAC-040", []),
        case("chunk a byte long", Chunk(index=0, packed=chunk.packed + b"\0"), "TAC-040", []),
        case("chunk with a spare bit", Chunk(index=0, packed=spare), "TAC-040", [], _ODD),
        case("chunk out of order", chunks[1], "TAC-040", [], long),
        case("chunk twice", chunks[0], "TAC-040", chunks[:1], long),
        case("chunk behind the last", Chunk(index=1, packed=b""), "TAC-040", [chunk]),
        case("end before the last chunk", last, "TAC-040", chunks[:-1], long),
        case("end without a chunk", end, "TAC-040", []),
        case("packed bytes changed", end, "TAC-041", [Chunk(index=0, packed=_flip(chunk.packed, 7))]),
        case("other suspects than signed", end.replace(suspects=[0]), "TAC-041", [chunk]),
        case("a suspect twice", suspects, "TAC-041", [chunk]),
        case("suspect of itself", end.replace(suspects=[1]), "TAC-041", [chunk]),
        case("chunk after the end", chunk, "TAC-072", [chunk, end]),
        case("end after the end", end, "TAC-072", [chunk, end]),
        _case("upload, of no sharer", silent, "sharers", 1, chunk, "TAC-071"),
    ]


def _bound() -> list[Case]:
    """An upload that was signed without U1."""
    world = world_at(X25519, "sharers")
    chunk, _ = _answers(world, 1, "sharers")
    m, r = world.checked.digest, world.server.root
    without = tagged.tagged_hash(labels.UPLOAD, m, r, tagged.u64(1), b"", tagged.sha256(chunk.packed))
    old = ed25519.sign(world.setup.cast.members[1].seed, labels.UPLOAD, without)
    end = UploadEnd(suspects=[], signature=old)
    name = "upload, digest without the sharers"
    return [_case(name, X25519, "sharers", 1, end, "TAC-041", [(1, chunk)])]


def _agreements() -> list[Case]:
    world = world_at(X25519, "agree")
    (honest,) = _answers(world, 1, "agree")
    seed = world.setup.cast.members[1].seed
    other = Agreement(signature=ed25519.sign(seed, labels.STATEMENT_SIGNATURE, bytes(32)))
    silent = "complete-4-silent-from-sharers"

    def case(name: str, message: Struct, rule: str, **more: Any) -> Case:
        return _case(f"agreement, {name}", X25519, "agree", 1, message, rule, **more)

    return [
        case("of another statement", other, "TAC-054"),
        case("signature changed", Agreement(signature=_flip(honest.signature, 33)), "TAC-054"),
        case("again with another signature", other, "TAC-072", before=[(1, honest)]),
        _case("agreement, of no survivor", silent, "agree", 1, honest, "TAC-071"),
    ]


def _reveals() -> list[Case]:
    world = world_at(X25519, "reveal")
    (honest,) = _answers(world, 1, "reveal")
    held = world.clients[1].held

    def share(at: int, of: RevealedShare) -> Any:
        shares = list(honest.shares)
        shares[at] = of
        return honest.replace(shares=shares)

    def case(name: str, message: Struct, rule: str | None, **more: Any) -> Case:
        return _case(f"reveal, {name}", X25519, "reveal", 1, message, rule, **more)

    other = ledger.cosign(world.setup.cast.members[1].seed, world.setup.cast.now, b"another head\n")
    first = honest.shares[0]
    silent = "complete-4-silent-from-agree"
    return [
        case("cosignature of another head", honest.replace(cosignature=other), "TAC-074"),
        case("cosigned at another time", honest.replace(cosigned_at=1), "TAC-074"),
        case("dealers out of order", honest.replace(shares=honest.shares[::-1]), "TAC-035"),
        case("a dealer twice", honest.replace(shares=[first, first]), "TAC-035"),
        case("again", honest.replace(shares=[]), "TAC-072", before=[(1, honest)]),
        _case("reveal, of no signer", silent, "reveal", 1, honest, "TAC-071"),
        case("share of the other kind", share(0, held[0].reveal(sharing.MASK)), None),
        case("share changed", share(2, honest.shares[2].replace(value=bytes(32))), None),
        case("share of l", share(0, first.replace(value=b"\xff" * 32)), None),
        case("path a hash short", share(3, honest.shares[3].replace(path=honest.shares[3].path[:-1])), None),
        case("dealer beyond the roster", share(3, honest.shares[3].replace(dealer=9)), None),
        case("honest", honest, None),
    ]
