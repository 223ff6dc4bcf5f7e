"""Digests, keys, shares and entries of a round (02 section 3, 06)."""

import base64
from typing import Any

from tacita_ref import ed25519, keys, ledger, merkle, mlkem, privacy, scalar, sharing, x25519
from tacita_ref.messages import Advertise, RevealedShare, ShareRoot

from . import F1, F2, SEED, Case, D, G, Json, M, R, filled
from . import scalar as encoded
from .noise_layers import bad_levels
from .settings import a_manifest, beside, leveled, records, skellam

_M, _R = bytes.fromhex(M), bytes.fromhex(R)
NOW = 1_800_000_000


def manifests() -> list[Case]:
    good: dict[str, Any] = {
        "complete graph": a_manifest(4, 1, 3),
        "X25519 alone": a_manifest(4, 1, 3, kem=0),
        "ring": a_manifest(66, 1, 64, dimension=64),
        "signers sampled": a_manifest(1001, 0, 1000, dimension=64),
        "least m where signers are sampled": a_manifest(1001, 0, 761, dimension=64),
        "blocks": a_manifest(5, 1, 4, dimension=40, block=16, padded=48),
        "blocks of one": a_manifest(5, 1, 4, dimension=40, block=1, padded=40),
        "Skellam": skellam(10, 1, 8, 153_391_689),
        "Skellam in layers": leveled(10, 1, 6, 153_391_689, [1, 2, 4]),
        "discrete Gaussian": skellam(10, 1, 8, 153_391_689, mechanism=2),
        "narrowest discrete Gaussian": skellam(10, 1, 8, 294_912, mechanism=2),
        "weighted": a_manifest(
            5, 1, 4, weighting=1, weight_cap=100, weight_scale=b"0.5", update_clip=b"1.2", clip=b"1.3"
        ),
        "weighted, clip rounded up": a_manifest(
            5, 1, 4, weighting=1, weight_cap=1, weight_scale=b"1", update_clip=b"1", clip=b"1.414213563"
        ),
        "metrics": beside(5, 1, 4, adaptive_clip=[], clip=b"0.8"),
        "adaptive clip": beside(5, 1, 4, metrics=[], clip=b"0.877268488"),
        "everything beside the update": beside(
            5, 1, 4, weighting=1, weight_cap=9, weight_scale=b"0.75", clip=b"1.25"
        ),
        "records": records(10, 1, 8, 153_391_689, 90),
        "records, discrete Gaussian": records(10, 1, 8, 153_391_689, 90, mechanism=2),
        "records, all of them": records(4, 1, 3, 153_391_689, 1, sampling=b"1"),
    }
    base = a_manifest(4, 1, 3)
    of_records = good["records"]
    noisy = skellam(10, 1, 8, 153_391_689)
    weighted = good["weighted"]
    bad: dict[str, Any] = {
        "another version": (base.replace(version=2), "TAC-001"),
        "task in capitals": (base.replace(task=b"SIM"), "TAC-003"),
        "task of 65 characters": (base.replace(task=b"a" * 65), "TAC-003"),
        "round 0": (base.replace(round=0), "TAC-003"),
        "cohort of 2": (base.replace(cohort=2), "TAC-003"),
        "k lowered": (base.replace(neighbours=2), "TAC-004"),
        "t lowered": (base.replace(threshold=2), "TAC-004"),
        "Q lowered": (base.replace(quorum=2), "TAC-004"),
        "too few survivors to sample": (a_manifest(1001, 0, 760, dimension=64), "TAC-004"),
        "no such round": (base.replace(minimum_survivors=2), "TAC-004"),
        "key agreement 2": (base.replace(key_agreement=2), "TAC-003"),
        "dimension 0": (base.replace(dimension=0), "TAC-003"),
        "padded not that of the dimension": (base.replace(padded=32), "TAC-003"),
        "block 0": (base.replace(block=0), "TAC-003"),
        "block 3": (base.replace(block=3, padded=18), "TAC-003"),
        "block above the dimension's power of two": (base.replace(block=32, padded=32), "TAC-003"),
        "padded not a multiple of the block": (base.replace(block=8, padded=20), "TAC-003"),
        "padded a block too long": (base.replace(block=8, padded=24), "TAC-003"),
        "7 bits": (base.replace(bits=7), "TAC-003"),
        "63 bits": (base.replace(bits=63), "TAC-003"),
        "chunk of 63": (base.replace(chunk=63), "TAC-003"),
        "chunk of 0": (base.replace(chunk=0), "TAC-003"),
        "chunk of more bytes than a message may have": (base.replace(chunk=2**17, bits=20), "TAC-003"),
        "clip with a trailing zero": (base.replace(clip=b"1.0"), "TAC-003"),
        "clip 0": (base.replace(clip=b"0"), "TAC-003"),
        "grid 0": (base.replace(grid=0), "TAC-003"),
        "total not the share times m - c": (noisy.replace(total_variance_q16=1), "TAC-005"),
        "mechanism 3": (noisy.replace(mechanism=3), "TAC-003"),
        "discrete Gaussian without a share": (base.replace(mechanism=2), "TAC-005"),
        "discrete Gaussian too narrow": (skellam(10, 1, 8, 294_911, mechanism=2), "TAC-005"),
        "discrete Gaussian too wide": (skellam(10, 1, 8, 6_553_600_000_001, mechanism=2), "TAC-005"),
        "discrete Gaussian in layers": (good["Skellam in layers"].replace(mechanism=2), "TAC-063"),
        "noise without a mechanism": (noisy.replace(mechanism=0), "TAC-003"),
        **bad_levels(base),
        "one bit too few": (base.replace(bits=base.bits - 1), "TAC-006"),
        "one bit too few for the noise": (noisy.replace(bits=noisy.bits - 1), "TAC-006"),
        "one bit too few for the records": (of_records.replace(bits=of_records.bits - 1), "TAC-006"),
        "a sum of records beyond 32 bits": (records(4, 1, 3, 153_391_689, 65_536, grid=2**16, bits=62), "TAC-006"),
        "unit 2": (of_records.replace(unit=2), "TAC-014"),
        "sampling of clients": (of_records.replace(unit=0), "TAC-014"),
        "largest records of clients": (base.replace(largest_records=1), "TAC-014"),
        "expected records of clients": (base.replace(expected_records=1), "TAC-014"),
        "records without sampling": (of_records.replace(sampling=b""), "TAC-014"),
        "records sampled never": (of_records.replace(sampling=b"0"), "TAC-014"),
        "records sampled more than always": (of_records.replace(sampling=b"1.5"), "TAC-014"),
        "sampling in another spelling": (of_records.replace(sampling=b"0.050"), "TAC-014"),
        "no room for records": (of_records.replace(largest_records=0), "TAC-014"),
        "room for too many records": (of_records.replace(largest_records=65_537, bits=62), "TAC-014"),
        "no expected records": (of_records.replace(expected_records=0), "TAC-014"),
        "weighted records": (
            weighted.replace(unit=1, sampling=b"0.5", largest_records=1, expected_records=1),
            "TAC-014",
        ),
        "metrics beside records": (
            of_records.replace(metrics=good["metrics"].metrics, update_clip=b"0.64", clip=b"0.8"),
            "TAC-014",
        ),
        "adaptive clip of records": (
            of_records.replace(adaptive_clip=good["adaptive clip"].adaptive_clip, update_clip=b"0.64"),
            "TAC-014",
        ),
        "epsilon without noise": (base.replace(epsilon=b"8"), "TAC-003"),
        "no epsilon with noise": (noisy.replace(epsilon=b""), "TAC-003"),
        "rounds 0": (base.replace(rounds=0), "TAC-003"),
        "weight scale 0": (weighted.replace(weight_scale=b"0", clip=b"1.2"), "TAC-003"),
        "weights without a weighting": (base.replace(weight_cap=1), "TAC-003"),
        "clip not that of the weighting": (weighted.replace(clip=b"1.300000001"), "TAC-003"),
        **_bad_beside(),
        "training not UTF-8": (base.replace(training=b"\xff"), "TAC-003"),
        "no time to share": (base.replace(share_ms=0), "TAC-003"),
        "trailing byte": (base, "malformed"),
    }
    cases = [
        Case(f"manifest, {n}", "manifest", {"bytes": m.encode().hex(), "time": NOW}) for n, m in good.items()
    ]
    cases += _headroom()
    for text in ("0.5", "123456789012345678", "0.000000000000000001", "17.25"):
        given = {"bytes": base.replace(clip=text.encode()).encode().hex(), "time": NOW}
        cases.append(Case(f"manifest, clip {text}", "manifest", given))
    for text in (
        "",
        "00.5",
        "01",
        ".5",
        "5.",
        "1e3",
        "+1",
        "-1",
        "1234567890123456789",
        "0.0000000000000000001",
        "1,5",
    ):
        given = {"bytes": base.replace(clip=text.encode()).encode().hex(), "time": NOW}
        cases.append(Case(f"manifest, clip '{text}'", "manifest", given, "TAC-003"))
    for name, (m, rule) in bad.items():
        tail = "00" if rule == "malformed" else ""
        given = {"bytes": m.encode().hex() + tail, "time": NOW}
        cases.append(Case(f"manifest, {name}", "manifest", given, rule))
    return cases


def _bad_beside() -> dict[str, Any]:
    whole = beside(4, 1, 3)
    metrics, adaptive = whole.metrics[0], whole.adaptive_clip[0]
    bad = {
        "metrics twice": whole.replace(metrics=[metrics, metrics]),
        "metrics of scale 0": whole.replace(metrics=[metrics.replace(scale=b"0")]),
        "metrics without a loss cap": whole.replace(metrics=[metrics.replace(loss_cap=b"")]),
        "loss cap 10^9": whole.replace(metrics=[metrics.replace(loss_cap=b"1000000000")]),
        "loss cap 0": whole.replace(metrics=[metrics.replace(loss_cap=b"0")]),
        "metrics not in the clip": whole.replace(metrics=[metrics.replace(scale=b"0.750000002")]),
        "adaptive clip twice": whole.replace(adaptive_clip=[adaptive, adaptive]),
        "a clip rule that is none": whole.replace(adaptive_clip=[adaptive.replace(rule=b"0.5")]),
        "count scale 0": whole.replace(adaptive_clip=[adaptive.replace(count_scale=b"0")]),
        "count not in the clip": whole.replace(adaptive_clip=[adaptive.replace(count_scale=b"1")]),
        "update clip above the rule's": beside(4, 1, 3, rule="0.5,0.2,0.1,0.01,0.63"),
        "update clip of ten places": beside(
            4, 1, 3, update_clip=b"0.6400000001", clip=b"1.000000001", metrics=[metrics]
        ),
        "update clip 0": a_manifest(
            5, 1, 4, weighting=1, weight_cap=9, weight_scale=b"1", update_clip=b"0", clip=b"1"
        ),
        "update clip with nothing beside it": a_manifest(4, 1, 3, update_clip=b"1"),
        "nothing but what is beside": beside(4, 1, 3, dimension=3),
    }
    return {name: (m, "TAC-003") for name, m in bad.items()}


def _headroom() -> list[Case]:
    """The smallest ring, and one bit less, over a spread of cohorts, grids, dimensions and noise."""
    cases = []
    for number in range(14):
        n, grid, log_d = 3 + 9 * number % 62, 1 << (5 + number), number % 9
        share = 0 if number % 5 == 4 else 5 ** (number + 8)
        dimension = 1 << log_d
        bits = privacy.needed_bits(n, grid, dimension, share)
        noise: dict[str, Any] = {
            "grid": grid,
            "mechanism": int(share > 0),
            "share_variance_q16": share,
            "total_variance_q16": share * n,
            "epsilon": b"1" if share else b"",
            "delta": b"0.01" if share else b"",
        }
        for less, rule in ((0, None), (1, "TAC-006")):
            m = a_manifest(n, 0, n, dimension=dimension, bits=bits - less, **noise)
            given = {"bytes": m.encode().hex(), "time": NOW}
            cases.append(Case(f"headroom {number}, {bits - less} bits", "manifest", given, rule))
    return cases


def _advertise(kem: bool) -> Advertise:
    a = 5
    return Advertise(
        mask_key=keys.mask_key(_M, a),
        share_key=keys.mask_key(_M, 6),
        mask_kem_key=keys.mask_kem_pair(_M, a)[0] if kem else b"",
        share_kem_key=mlkem.public_key(bytes([8]) * 64) if kem else b"",
        nonce=bytes([0x66]) * 32,
        signature=bytes(64),
    )


def rosters() -> list[Case]:
    cases = []
    for kem in (False, True):
        name = "with ML-KEM" if kem else "X25519 alone"
        unsigned = _advertise(kem).encode().hex()
        given: Json = {"manifest": M, "fingerprint": F1, "seed": SEED, "advertise": unsigned}
        cases.append(Case(f"advertisement, {name}", "advertisement", given))
        entries = [
            {"identity": filled(i), "fingerprint": filled(0x40 + i), "advertise": unsigned} for i in (1, 2, 3)
        ]
        cases.append(Case(f"roster, {name}", "roster", {"entries": entries}))
    return cases


def key_agreement() -> list[Case]:
    five, six = encoded(5), encoded(6)
    cases = [
        Case("mask key of 5", "mask key", {"manifest": M, "secret": five}),
        Case("mask key of 6", "mask key", {"manifest": M, "secret": six}),
        Case("self key", "self key", {"manifest": M, "roster": R, "secret": five}),
        Case(
            "self key of l",
            "self key",
            {"manifest": M, "roster": R, "secret": encoded(scalar.ORDER)},
            "scalar",
        ),
        Case("self commitment", "self commitment", {"manifest": M, "roster": R, "dealer": 2, "secret": five}),
    ]
    dh = x25519.agree(keys.mask_private_key(_M, 5), keys.mask_key(_M, 6)).hex()
    for kem in (False, True):
        name = "with ML-KEM" if kem else "X25519 alone"
        low, high = _end(2, F1, 5, kem), _end(7, F2, 6, kem)
        secret, ciphertext = b"", b""
        if kem:
            secret, ciphertext = mlkem.encapsulate(bytes.fromhex(high["mask_kem_key"]), bytes(32))
        common: Json = {
            "manifest": M,
            "roster": R,
            "dh": dh,
            "secret": secret.hex(),
            "ciphertext": ciphertext.hex(),
        }
        cases += [
            Case(f"box key, {name}", "box key", {**common, "sender": low, "receiver": high}),
            Case(f"box key back, {name}", "box key", {**common, "sender": high, "receiver": low}),
            Case(f"pair key, {name}", "pair key", {**common, "model": G, "a": low, "b": high}),
            Case(
                f"pair key from the other end, {name}",
                "pair key",
                {**common, "model": G, "a": high, "b": low},
            ),
        ]
    return cases


def _end(index: int, fingerprint: str, secret: int, kem: bool) -> Json:
    return {
        "index": index,
        "fingerprint": fingerprint,
        "mask_key": keys.mask_key(_M, secret).hex(),
        "share_key": keys.mask_key(_M, secret + 10).hex(),
        "mask_kem_key": keys.mask_kem_pair(_M, secret)[0].hex() if kem else "",
        "share_kem_key": mlkem.public_key(bytes([secret]) * 64).hex() if kem else "",
    }


def kem() -> list[Case]:
    key = keys.mask_kem_pair(_M, 6)[0]
    seed, randomness = bytes(range(64)).hex(), filled(3)
    foreign = mlkem.encapsulate(key, bytes(32))[1]
    made = {"manifest": M, "roster": R, "secret": encoded(5), "fingerprint": F2, "key": key.hex()}
    above = bytearray(key)
    # The first coefficient becomes q.
    above[0], above[1] = 3329 & 0xFF, above[1] & 0xF0 | 3329 >> 8
    last = bytearray(key)
    last[1150], last[1151] = last[1150] | 0xF0, 0xFF
    bad: dict[str, Any] = {
        "a byte short": key[:-1],
        "a byte long": key + b"\0",
        "empty": b"",
        "first coefficient q": bytes(above),
        "last coefficient 4095": bytes(last),
    }
    cases = [
        Case("mask KEM key of 5", "mask kem key", {"manifest": M, "secret": encoded(5)}),
        Case("mask encapsulation", "mask encapsulation", made),
        Case("KEM pair of a seed", "kem", {"seed": seed, "randomness": randomness}),
        Case(
            "KEM, foreign ciphertext",
            "kem",
            {"seed": seed, "randomness": randomness, "ciphertext": foreign.hex()},
        ),
        Case("KEM key", "kem key", {"key": key.hex()}),
    ]
    cases += [Case(f"KEM key, {n}", "kem key", {"key": k.hex()}, "TAC-027") for n, k in bad.items()]
    return [
        *cases,
        Case(
            "mask encapsulation to a bad key",
            "mask encapsulation",
            {**made, "key": bytes(above).hex()},
            "TAC-027",
        ),
    ]


def _tree() -> tuple[list[tuple[bytes, bytes, bytes, bytes]], list[bytes]]:
    """Three holders 1, 4 and 7 of dealer 2; the second holds scalars 9 and 10."""
    quads = []
    for holder in (1, 4, 7):
        place = sharing.Place(_M, _R, 2, holder)
        first, second = (9, 10) if holder == 4 else (holder, holder + 1)
        quads.append(
            (
                place.share_leaf(sharing.SELF, scalar.encode(first)),
                place.share_leaf(sharing.MASK, scalar.encode(second)),
                place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, b""),
                place.ciphertext_leaf(sharing.SHARE_CIPHERTEXT, b""),
            )
        )
    return quads, sharing.tree(quads)


def shares() -> list[Case]:
    place: Json = {"manifest": M, "roster": R, "dealer": 2, "holder": 4}
    leaves: Json = {
        **place,
        "self_share": encoded(9),
        "mask_share": encoded(10),
        "mask_ciphertext": "",
        "share_ciphertext": "",
    }
    root: Json = {
        "manifest": M,
        "roster": R,
        "dealer": 2,
        "root": filled(0x88),
        "self_commitment": filled(0x99),
    }
    cases = [
        Case("leaves of a holder", "share leaves", leaves),
        Case(
            "leaves of a holder, with ciphertexts",
            "share leaves",
            {**leaves, "mask_ciphertext": filled(1, 1088), "share_ciphertext": filled(2, 1088)},
        ),
        Case("share root", "share root", root),
    ]
    return cases + _boxes(place) + _revealed(place)


def _boxes(place: Json) -> list[Case]:
    quads, tree = _tree()
    top = merkle.root(tree).hex()
    plain = scalar.encode(9) + scalar.encode(10) + b"".join(sharing.pair_path(tree, 1))
    key = filled(0x42)

    def sealed(what: bytes) -> str:
        return sharing.seal(bytes.fromhex(key), _M, what).hex()

    good: Json = {**place, "key": key, "ciphertext": sealed(plain), "holders": [1, 4, 7], "root": top}
    high = scalar.ORDER.to_bytes(32, "little")
    flipped = bytearray(bytes.fromhex(good["ciphertext"]))
    flipped[40] ^= 1
    bad: dict[str, Any] = {
        "tag": {"ciphertext": flipped.hex()},
        "of another round": {"manifest": filled(0x12)},
        "of another position": {"holder": 7},
        "of no holder": {"holder": 5},
        "another root": {"root": filled(1)},
        "share of l": {"ciphertext": sealed(high + plain[32:])},
        "a byte too many": {"ciphertext": sealed(plain + b"\0")},
        "a hash too many": {"ciphertext": sealed(plain + bytes(32))},
        "a hash too few": {"ciphertext": sealed(plain[:-32])},
        "one share": {"ciphertext": sealed(plain[:32])},
        "shares exchanged": {"ciphertext": sealed(plain[32:64] + plain[:32] + plain[64:])},
    }
    cases = [
        Case("box", "seal", {"key": key, "manifest": M, "plain": plain.hex()}),
        Case("box opened", "open", good),
    ]
    return cases + [Case(f"box, {n}", "open", {**good, **c}, "box") for n, c in bad.items()]


def _revealed(place: Json) -> list[Case]:
    quads, tree = _tree()
    pair = sharing.Pair(
        sharing.Place(_M, _R, 2, 4), scalar.encode(9), scalar.encode(10), tuple(sharing.pair_path(tree, 1))
    )
    own, mask = pair.reveal(sharing.SELF), pair.reveal(sharing.MASK)
    good: Json = {**place, "kind": 0, "holders": [1, 4, 7], "root": merkle.root(tree).hex()}

    def share(revealed: RevealedShare) -> Json:
        return {"share": revealed.encode().hex()}

    # A dealer that committed to l: its leaf is under the root, the value is no scalar.
    high = scalar.ORDER.to_bytes(32, "little")
    leaf = sharing.Place(_M, _R, 2, 4).share_leaf(sharing.SELF, high)
    odd = [quads[0], (leaf, *quads[1][1:]), quads[2]]
    odd_tree = sharing.tree(odd)
    over = RevealedShare(dealer=2, value=high, path=merkle.inclusion_proof(odd_tree, 4))
    bad: dict[str, Json] = {
        "of the other kind": share(mask),
        "another value": share(own.replace(value=scalar.encode(11))),
        "path a hash short": share(own.replace(path=own.path[:-1])),
        "path a hash long": share(own.replace(path=[*own.path, bytes(32)])),
        "of another holder": {**share(own), "holder": 7},
        "of no holder": {**share(own), "holder": 5},
        "of another dealer": {**share(own), "dealer": 3},
        "of l": {**share(over), "root": merkle.root(odd_tree).hex()},
    }
    cases = [
        Case("revealed share of s", "revealed share", {**good, **share(own)}),
        Case("revealed share of a", "revealed share", {**good, **share(mask), "kind": 1}),
    ]
    return cases + [
        Case(f"revealed share, {n}", "revealed share", {**good, **c}, "TAC-073") for n, c in bad.items()
    ]


def sharers() -> list[Case]:
    share_root = ShareRoot(
        root=bytes([0x88]) * 32, self_commitment=bytes([0x99]) * 32, signature=bytes([1]) * 64
    )
    cases = []
    for size, present in ((4, [0, 1, 3]), (9, [0, 1, 3, 4, 5, 6, 7, 8]), (16, [15])):
        listed = [{"index": i, "share_root": share_root.encode().hex()} for i in present]
        cases.append(Case(f"sharers, {len(present)} of {size}", "sharers", {"size": size, "sharers": listed}))
    return cases


def uploads() -> list[Case]:
    base: Json = {"manifest": M, "roster": R, "sharers": D, "index": 2, "noise_anchor": ""}
    return [
        Case("upload digest", "upload digest", {**base, "suspects": [3, 7], "chunks": [b"packed".hex()]}),
        Case(
            "upload digest of chunks",
            "upload digest",
            {**base, "suspects": [], "chunks": ["7061", "636b6564"]},
        ),
        Case(
            "upload digest of other sharers",
            "upload digest",
            {**base, "sharers": R, "suspects": [], "chunks": ["00"]},
        ),
        Case(
            "upload digest with a noise anchor",
            "upload digest",
            {**base, "noise_anchor": G, "suspects": [], "chunks": ["00"]},
        ),
    ]


def statements() -> list[Case]:
    base: Json = {"manifest": M, "roster": R, "sharers": D, "size": 9, "survivors": "fb01"}
    example = {
        "manifest": filled(0x81),
        "roster": filled(0x22),
        "sharers": filled(0x33),
        "size": 9,
        "survivors": "fb01",
    }
    head = {
        "origin": "tacita.example/log",
        "seed": SEED,
        "size": 258,
        "root": filled(0x21),
        "member_seed": filled(8),
        "time": NOW,
    }
    return [
        Case("statement", "statement", base),
        Case("statement of other survivors", "statement", {**base, "survivors": "7b01"}),
        Case("statement of other sharers", "statement", {**base, "sharers": R}),
        Case("statement of 06 section 4", "statement", example),
        Case("head and cosignature", "head", head),
        *_heads(),
    ]


def _heads() -> list[Case]:
    origin, seed = "tacita.example/log", bytes.fromhex(SEED)
    key = ed25519.public_key(seed)
    text = ledger.head_text(origin, 258, bytes([0x21]) * 32).decode()

    def signed(body: str, name: str = origin, by: bytes = seed) -> str:
        payload = ledger.key_id(name, 1, ed25519.public_key(by)) + ed25519.sign_bytes(by, body.encode())
        return f"{body}\n\u2014 {name} {base64.b64encode(payload).decode()}\n"

    note = signed(text)
    line = note.split("\n\n")[1]
    other = signed(text, "witness.example", bytes(32)).split("\n\n")[1]
    wrong = (
        "\u2014 " + origin + " " + base64.b64encode(ledger.key_id(origin, 1, key) + bytes(64)).decode() + "\n"
    )
    empty = ledger.head_text(origin, 0, merkle.EMPTY_ROOT).decode()
    good: dict[str, Any] = {
        "head": note,
        "head of an empty log": signed(empty),
        "head with a line of another key": note + other,
        "head with a line of another key before": f"{text}\n{other}{line}",
    }
    bad: dict[str, Any] = {
        "unsigned": text + "\n",
        "another key": signed(text, by=bytes(32)),
        "another origin": signed(text.replace("log", "gol"), "tacita.example/gol"),
        "a fourth line": signed(text + "more\n"),
        "size with a leading zero": signed(text.replace("258", "0258")),
        "size with a sign": signed(text.replace("258", "+258")),
        "size of 2^63": signed(text.replace("258", str(2**63))),
        "root of 31 bytes": signed(f"{origin}\n258\n{base64.b64encode(bytes(31)).decode()}\n"),
        "root with spare bits": signed(text.replace("E=", "F=")),
        "root of an empty log that is not empty": signed(ledger.head_text(origin, 0, bytes(32)).decode()),
        "no newline at the end": note[:-1],
        "a second signature of the key that is wrong": note + wrong,
        "a line that is no signature": note + "more\n",
        "over 4,096 bytes": note + other * 40,
    }
    given: Json = {"origin": origin, "key": key.hex()}
    cases = [Case(n, "read head", {**given, "note": t}) for n, t in good.items()]
    return cases + [Case(f"head, {n}", "read head", {**given, "note": t}, "TAC-011") for n, t in bad.items()]
