"""Hashes, trees, signatures, scalars, sharing, bits, streams (02 section 1)."""

import hashlib
from typing import Any

from tacita_ref import ed25519, merkle
from tacita_ref.scalar import ORDER
from tacita_ref.tagged import sha256

from . import SEED, Case, Json, filled, scalar

_TOP = 2**255


def hashes() -> list[Case]:
    fields = [["", "00", "0000"], [], [filled(1), (7).to_bytes(8, "big").hex()]]
    cases = [
        Case(f"tagged hash of {len(f)} fields", "tagged hash", {"label": "tacita/1 roster", "fields": f})
        for f in fields
    ]
    for length in (32, 64):
        given = {"salt": filled(1), "secret": filled(2, 40), "info": filled(3), "length": length}
        cases.append(Case(f"derived key of {length} bytes", "derive", given))
    for size, index, old in ((1, 0, 0), (2, 1, 1), (7, 4, 3), (8, 7, 4), (13, 12, 12)):
        tree: Json = {"leaves": [bytes([i]).hex() for i in range(size)], "index": index, "old": old}
        cases.append(Case(f"tree of {size}", "tree", tree))
    return cases + _proofs()


def _proofs() -> list[Case]:
    leaves = [merkle.leaf(bytes([i])) for i in range(7)]
    proof = [h.hex() for h in merkle.inclusion_proof(leaves, 4)]
    good: Json = {
        "leaf": leaves[4].hex(),
        "index": 4,
        "size": 7,
        "proof": proof,
        "root": merkle.root(leaves).hex(),
    }
    bad: dict[str, Any] = {
        "one hash short": {"proof": proof[:-1]},
        "one hash long": {"proof": [*proof, filled(0)]},
        "another index": {"index": 5},
        "index beyond the size": {"index": 7},
        "another size": {"size": 9},
        "another root": {"root": filled(9)},
    }
    cases = [Case("inclusion proof", "inclusion", good)]
    cases += [Case(f"inclusion proof, {n}", "inclusion", {**good, **c}, "proof") for n, c in bad.items()]
    root = merkle.root(leaves).hex()
    chain: Json = {"old": 3, "old_root": merkle.root(leaves[:3]).hex(), "new": 7, "new_root": root}
    chain["proof"] = [h.hex() for h in merkle.consistency_proof(leaves, 3)]
    cases.append(Case("consistency proof", "consistency", chain))
    empty = sha256(b"").hex()
    cases.append(
        Case("consistency from nothing", "consistency", {**chain, "old": 0, "old_root": empty, "proof": []})
    )
    worse: dict[str, Any] = {
        "backwards": {"old": 8},
        "of a fork": {"old_root": filled(1)},
        "one hash short": {"proof": chain["proof"][:-1]},
        "from nothing with hashes": {"old": 0, "old_root": empty},
    }
    cases += [
        Case(f"consistency proof, {n}", "consistency", {**chain, **c}, "proof") for n, c in worse.items()
    ]
    return cases


def signatures() -> list[Case]:
    label, digest = "tacita/1 statement signature", filled(0x77)
    key = ed25519.public_key(bytes.fromhex(SEED))
    good = ed25519.sign(bytes.fromhex(SEED), label, bytes.fromhex(digest))
    base: Json = {"label": label, "digest": digest, "key": key.hex(), "signature": good.hex()}
    s = int.from_bytes(good[32:], "little")
    identity = (1).to_bytes(32, "little")
    order_4 = bytes(32)
    order_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    bad: dict[str, Any] = {
        "scalar of l more": {"signature": (good[:32] + (s + ORDER).to_bytes(32, "little")).hex()},
        "another digest": {"digest": filled(0x78)},
        "another label": {"label": "tacita/1 upload"},
        "nonce point changed": {"signature": (bytes([good[0] ^ 1]) + good[1:]).hex()},
        # [0]B = R + [h]A holds for the identity on both sides: only strictness refuses.
        "small-order key and nonce point": {"key": identity.hex(), "signature": (identity + bytes(32)).hex()},
        "key of order 4": {"key": order_4.hex()},
        "key of order 8": {"key": order_8.hex()},
        "key of order 1, encoded as p + 1": {"key": (2**255 - 18).to_bytes(32, "little").hex()},
        "nonce point of order 8": {"signature": (order_8 + good[32:]).hex()},
        "nonce point of order 1, by the key's holder": {
            "signature": _without_nonce(label, bytes.fromhex(digest))
        },
    }
    cases = [
        Case("sign", "sign", {"seed": SEED, "label": label, "digest": digest}),
        Case("signature", "signature", base),
    ]
    return cases + [Case(f"signature, {n}", "signature", {**base, **c}, "signature") for n, c in bad.items()]


def _without_nonce(label: str, digest: bytes) -> str:
    """R the identity and s = h a: the equation holds."""
    seed, nonce = bytes.fromhex(SEED), (1).to_bytes(32, "little")
    a = bytearray(hashlib.sha512(seed).digest()[:32])
    a[0], a[31] = a[0] & 248, a[31] & 127 | 64
    message = label.encode() + b"\0" + digest
    h = hashlib.sha512(nonce + ed25519.public_key(seed) + message).digest()
    s = int.from_bytes(h, "little") * int.from_bytes(a, "little") % ORDER
    return (nonce + s.to_bytes(32, "little")).hex()


def agreement() -> list[Case]:
    private = filled(9)
    # RFC 7748 section 5.2, first vector.
    rfc = {
        "private": "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "public": "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
    }
    order_8 = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
    weak: dict[str, Any] = {
        "zero": scalar(0),
        "one": scalar(1),
        "order 8": order_8,
        "p": (2**255 - 19).to_bytes(32, "little").hex(),
        "p + 1": (2**255 - 18).to_bytes(32, "little").hex(),
        "one with its top bit set": (_TOP + 1).to_bytes(32, "little").hex(),
    }
    cases = [Case("agreement of RFC 7748", "agree", rfc)]
    cases.append(
        Case(
            "top bit of a public key is ignored",
            "agree",
            {"private": private, "public": (_TOP + 9).to_bytes(32, "little").hex()},
        )
    )
    return cases + [
        Case(f"agreement with {n}", "agree", {"private": private, "public": p}, "TAC-026")
        for n, p in weak.items()
    ]


def scalars() -> list[Case]:
    good: dict[str, Any] = {"0": 0, "1": 1, "l - 1": ORDER - 1, "2^252": 2**252}
    bad: dict[str, Any] = {
        "l": ORDER,
        "l + 1": ORDER + 1,
        "2^253": 2**253,
        "top bit": _TOP,
        "1 with the top bit": _TOP + 1,
        "all ones": 2**256 - 1,
    }
    cases = [Case(f"scalar {n}", "scalar", {"bytes": scalar(v)}) for n, v in good.items()]
    cases += [Case(f"scalar {n}", "scalar", {"bytes": scalar(v)}, "scalar") for n, v in bad.items()]
    for name, value in {"0": 0, "l": ORDER, "2^512 - 1": 2**512 - 1}.items():
        given = {"bytes": value.to_bytes(64, "little").hex()}
        cases.append(Case(f"64 bytes of {name}", "uniform scalar", given))
    return cases


def shamir() -> list[Case]:
    secret = scalar(ORDER - 5)
    split: Json = {"secret": secret, "threshold": 3, "abscissae": [1, 2, 4, 1000], "tape": "shamir"}
    cases = [
        Case("split", "split", split),
        Case("split two of two", "split", {**split, "threshold": 2, "abscissae": [7, 3]}),
        Case("split, zero abscissa", "split", {**split, "abscissae": [0, 1, 2]}, "abscissa"),
        Case("split, abscissa twice", "split", {**split, "abscissae": [1, 2, 2]}, "abscissa"),
        Case("split, threshold above holders", "split", {**split, "threshold": 5}, "threshold"),
        Case("split, threshold 1", "split", {**split, "threshold": 1}, "threshold"),
    ]
    # 5 + 3 x + 2 x^2 at 2, 3 and 7.
    values = [scalar(v) for v in (19, 32, 124)]
    line: Json = {"abscissae": [2, 3, 7], "values": values}
    cases += [
        Case("interpolate", "interpolate", line),
        Case(
            "interpolate in another order",
            "interpolate",
            {"abscissae": [7, 2, 3], "values": [values[2], *values[:2]]},
        ),
        Case("interpolate, zero abscissa", "interpolate", {**line, "abscissae": [0, 3, 7]}, "abscissa"),
        Case("interpolate, abscissa twice", "interpolate", {**line, "abscissae": [2, 2, 7]}, "abscissa"),
        Case(
            "interpolate, value of l",
            "interpolate",
            {**line, "values": [*values[:2], scalar(ORDER)]},
            "scalar",
        ),
    ]
    return cases


def packing() -> list[Case]:
    cases = []
    for bits in (8, 13, 20, 31, 32, 33, 40, 62):
        values = [pow(3, i + 1, 1 << bits) for i in range(21)]
        cases.append(Case(f"pack {bits} bits", "pack", {"bits": bits, "values": values}))
    word = {"bits": 13, "count": 3, "bytes": "ffffffff7f"}
    cases += [
        Case("unpack", "unpack", word),
        Case("unpack, spare bit set", "unpack", {**word, "bytes": "ffffffffff"}, "packing"),
        Case("unpack, lowest spare bit set", "unpack", {**word, "bytes": "ffffffff80"}, "packing"),
        Case("unpack, a byte short", "unpack", {**word, "bytes": "ffffffff"}, "packing"),
        Case("unpack, a byte long", "unpack", {**word, "bytes": "ffffffff7f00"}, "packing"),
        Case("bitmap", "bitmap", {"size": 9, "bytes": "fb01"}),
        Case("bitmap of 8", "bitmap", {"size": 8, "bytes": "80"}),
        Case("bitmap, spare bit set", "bitmap", {"size": 9, "bytes": "fb03"}, "bitmap"),
        Case("bitmap, a byte short", "bitmap", {"size": 9, "bytes": "fb"}, "bitmap"),
        Case("bitmap, a byte long", "bitmap", {"size": 8, "bytes": "8000"}, "bitmap"),
    ]
    return cases


def keystream() -> list[Case]:
    cases = []
    for bits, start, count in ((32, 0, 4), (20, 0, 9), (32, 3, 5), (33, 0, 4), (62, 5, 4), (8, 1021, 7)):
        given = {"key": filled(1), "bits": bits, "start": start, "count": count}
        cases.append(Case(f"keystream of {bits} bits from {start}", "keystream", given))
    for bits in (16, 27, 32, 45):
        masks = [{"key": filled(i), "sign": (1, 1, -1)[i % 3]} for i in range(1, 6)]
        values = [(-1) ** i * i for i in range(150)]
        given = {"bits": bits, "values": values, "masks": masks, "chunk": 64}
        cases.append(Case(f"masked vector of {bits} bits in chunks", "mask", given))
    return cases


def rotation() -> list[Case]:
    return [
        Case(f"rotation signs, {count}", "rotation signs", {"seed": filled(5), "count": count})
        for count in (4, 16, 300)
    ]
