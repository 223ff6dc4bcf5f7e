"""The list of signers above n = 1,000 and its sample (02 section 3.8)."""

from tacita_ref import bitmap, merkle, signers
from tacita_ref.tape import Tape

from . import Case, Json

_SIZE = 1001
_LISTED = [i for i in range(_SIZE) if i != 7]
_NEAR = [3, 7, 500, 900]


def _signature(index: int) -> bytes:
    return index.to_bytes(2, "big") * 32


def _digest(given: Json) -> bytes:
    statement, listed, root = (bytes.fromhex(given[name]) for name in ("statement", "signers", "root"))
    return signers.digest(statement, listed, root)


def cases() -> list[Case]:
    given: Json = {
        "size": _SIZE,
        "survivors": bitmap.encode(_SIZE, _LISTED).hex(),
        "minimum": 1000,
        "neighbours": _NEAR,
        "threshold": 3,
        "statement": "ee" * 32,
        "signers": bitmap.encode(_SIZE, _LISTED).hex(),
        "root": signers.root({i: _signature(i) for i in _LISTED}).hex(),
        "tape": "signers of 1,000",
    }
    fewer = bitmap.encode(_SIZE, [i for i in _LISTED if i != 20]).hex()
    bad: dict[str, tuple[Json, str]] = {
        "list a byte short": ({"signers": given["signers"][:-2]}, "TAC-080"),
        "list with a spare bit": ({"signers": given["signers"][:-2] + "ff"}, "TAC-080"),
        "list with a drop-out": ({"signers": bitmap.encode(_SIZE, range(_SIZE)).hex()}, "TAC-080"),
        "list one short of m": ({"signers": fewer}, "TAC-055"),
        # Not even the same list may come again.
        "list fixed before": ({"fixed": _digest(given).hex()}, "TAC-081"),
        "another list fixed before": ({"fixed": "00" * 32}, "TAC-081"),
        "list without t neighbours": ({"neighbours": [3, 7, 500]}, "TAC-056"),
    }
    out = [Case("list fixed and drawn from", "fix signers", given)]
    out += [Case(n, "fix signers", {**given, **change}, rule) for n, (change, rule) in bad.items()]
    return out + _draws() + _shown()


def _draws() -> list[Case]:
    drawn = signers.draw(_LISTED, Tape("draws"))
    given: Json = {"size": _SIZE, "signers": bitmap.encode(_SIZE, _LISTED).hex(), "drawn": drawn}
    bad = {
        "65 draws": drawn[:-1],
        "draws out of order": [drawn[1], drawn[0], *drawn[2:]],
        "a draw twice": [drawn[0], drawn[0], *drawn[2:]],
        "a draw of a drop-out": sorted([7, *[i for i in drawn if i != 7][1:]]),
        "a draw beyond the roster": [*drawn[:-1], 1001],
    }
    return [
        Case("66 draws", "draws", given),
        *[Case(n, "draws", {**given, "drawn": d}, "TAC-083") for n, d in bad.items()],
    ]


def _shown() -> list[Case]:
    drawn = signers.draw(_LISTED, Tape("shown"))
    expected = signers.shown(_LISTED, drawn, _NEAR, 3)
    leaves = [signers.leaf(i, _signature(i)) for i in _LISTED]
    proofs = [merkle.inclusion_proof(leaves, _LISTED.index(i)) for i in expected]
    hexed = [[node.hex() for node in proof] for proof in proofs]
    signatures = [_signature(i).hex() for i in expected]
    given: Json = {
        "size": _SIZE,
        "signers": bitmap.encode(_SIZE, _LISTED).hex(),
        "root": merkle.root(leaves).hex(),
        "drawn": drawn,
        "neighbours": _NEAR,
        "threshold": 3,
        "shown": bitmap.encode(_SIZE, expected).hex(),
        "signatures": signatures,
        "proofs": hexed,
    }
    other = bitmap.encode(_SIZE, _LISTED[: len(expected)]).hex()
    bad: dict[str, Json] = {
        "others than drawn shown": {"shown": other},
        "a signature missing": {"signatures": signatures[:-1]},
        "a path missing": {"proofs": hexed[:-1]},
        "a signature exchanged": {"signatures": [signatures[1], *signatures[1:]]},
        "a path a hash long": {"proofs": [[*hexed[0], "00" * 32], *hexed[1:]]},
        "another root": {"root": "00" * 32},
    }
    return [
        Case("shown as drawn", "shown", given),
        *[Case(n, "shown", {**given, **change}, "TAC-082") for n, change in bad.items()],
    ]
