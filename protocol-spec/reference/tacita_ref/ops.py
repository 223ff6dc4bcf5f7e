"""The operations of vector files (10-vectors section 2), over JSON values: bytes are lower-case hex."""

import base64
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from . import (
    advertisement,
    bitmap,
    clip_rule,
    ed25519,
    encoding,
    graph,
    keys,
    ledger,
    ledger_entries,
    manifest,
    merkle,
    messages,
    mlkem,
    noise,
    parts,
    ring,
    scalar,
    shamir,
    sharers,
    sharing,
    signers,
    statement,
    tagged,
    upload,
    x25519,
)
from . import roster as rosters
from .messages import Advertise, RevealedShare, ShareRoot
from .refusal import require
from .tape import Tape
from .tls import decode

Json = dict[str, Any]
b = bytes.fromhex
OPS: dict[str, Callable[[Json], Json]] = {}


def op(name: str) -> Callable[[Callable[[Json], Json]], Callable[[Json], Json]]:
    def keep(function: Callable[[Json], Json]) -> Callable[[Json], Json]:
        OPS[name] = function
        return function

    return keep


def _hexes(values: list[bytes]) -> list[str]:
    return [value.hex() for value in values]


# Hashes, trees, signatures (02 section 1)


@op("tagged hash")
def _tagged_hash(i: Json) -> Json:
    return {"hash": tagged.tagged_hash(i["label"], *map(b, i["fields"])).hex()}


@op("derive")
def _derive(i: Json) -> Json:
    return {"key": tagged.derive(b(i["salt"]), b(i["secret"]), b(i["info"]), i["length"]).hex()}


@op("tree")
def _tree(i: Json) -> Json:
    leaves = [merkle.leaf(b(data)) for data in i["leaves"]]
    return {
        "root": merkle.root(leaves).hex(),
        "inclusion": _hexes(merkle.inclusion_proof(leaves, i["index"])),
        "consistency": _hexes(merkle.consistency_proof(leaves, i["old"])),
    }


@op("inclusion")
def _inclusion(i: Json) -> Json:
    proof = [b(h) for h in i["proof"]]
    require(merkle.verify_inclusion(b(i["leaf"]), i["index"], i["size"], proof, b(i["root"])), "proof")
    return {}


@op("consistency")
def _consistency(i: Json) -> Json:
    proof = [b(h) for h in i["proof"]]
    fits = merkle.verify_consistency(i["old"], b(i["old_root"]), i["new"], b(i["new_root"]), proof)
    require(fits, "proof")
    return {}


@op("sign")
def _sign(i: Json) -> Json:
    seed = b(i["seed"])
    return {
        "key": ed25519.public_key(seed).hex(),
        "signature": ed25519.sign(seed, i["label"], b(i["digest"])).hex(),
    }


@op("signature")
def _signature(i: Json) -> Json:
    good = ed25519.verify(b(i["key"]), i["label"], b(i["digest"]), b(i["signature"]))
    require(good, "signature")
    return {}


@op("agree")
def _agree(i: Json) -> Json:
    return {"shared": x25519.agree(b(i["private"]), b(i["public"])).hex()}


# Scalars and sharing


@op("scalar")
def _scalar(i: Json) -> Json:
    scalar.decode(b(i["bytes"]))
    return {}


@op("uniform scalar")
def _uniform(i: Json) -> Json:
    return {"scalar": scalar.encode(scalar.uniform(b(i["bytes"]))).hex()}


@op("split")
def _split(i: Json) -> Json:
    secret = scalar.decode(b(i["secret"]))
    shares = shamir.split(secret, i["threshold"], i["abscissae"], Tape(i["tape"]))
    return {"shares": [scalar.encode(share).hex() for share in shares]}


@op("interpolate")
def _interpolate(i: Json) -> Json:
    values = [scalar.decode(b(value)) for value in i["values"]]
    return {"secret": scalar.encode(shamir.interpolate(i["abscissae"], values)).hex()}


# Bits


@op("bitmap")
def _bitmap(i: Json) -> Json:
    return {"indices": bitmap.decode(i["size"], b(i["bytes"]), "bitmap")}


@op("pack")
def _pack(i: Json) -> Json:
    return {"bytes": ring.pack(i["values"], i["bits"]).hex()}


@op("unpack")
def _unpack(i: Json) -> Json:
    return {"values": ring.unpack(b(i["bytes"]), i["bits"], i["count"], "packing")}


@op("keystream")
def _keystream(i: Json) -> Json:
    return {"values": ring.prg(b(i["key"]), i["bits"], i["count"], i["start"])}


@op("mask")
def _mask(i: Json) -> Json:
    y = [value % (1 << i["bits"]) for value in i["values"]]
    for mask in i["masks"]:
        ring.add(y, ring.prg(b(mask["key"]), i["bits"], len(y)), i["bits"], mask["sign"])
    size = i["chunk"]
    return {"chunks": [ring.pack(y[at : at + size], i["bits"]).hex() for at in range(0, len(y), size)]}


@op("rotation signs")
def _signs(i: Json) -> Json:
    return {"signs": encoding.signs(b(i["seed"]), i["count"])}


# The graph (03)


@op("parameters")
def _parameters(i: Json) -> Json:
    p = graph.parameters(i["n"], i["c"], i["m"])
    return {"k": p.neighbours, "t": p.threshold, "q": p.quorum}


@op("permutation")
def _permutation(i: Json) -> Json:
    order = graph.permutation(b(i["root"]), i["size"])
    return {"order": order}


@op("neighbours")
def _neighbours(i: Json) -> Json:
    near = graph.Graph(i["complete"], i["k"], b(i["root"]), i["size"])
    return {"neighbours": near.neighbours(i["index"]), "holders": near.holders(i["index"])}


# Digests of the round (02 section 3)


@op("manifest")
def _manifest(i: Json) -> Json:
    checked = manifest.check(decode(manifest.Manifest.read, b(i["bytes"])))
    return {
        "digest": checked.digest.hex(),
        "rotation_seed": checked.rotation_seed.hex(),
        "entry": ledger_entries.encode(ledger_entries.reserve(checked, i["time"])).decode(),
    }


@op("advertisement")
def _advertisement(i: Json) -> Json:
    unsigned = decode(Advertise.read, b(i["advertise"]))
    m, f = b(i["manifest"]), b(i["fingerprint"])
    return {
        "digest": advertisement.digest(m, f, unsigned).hex(),
        "advertise": advertisement.sign(b(i["seed"]), m, f, unsigned).encode().hex(),
    }


@op("roster")
def _roster(i: Json) -> Json:
    leaves = [
        rosters.leaf(n, b(e["identity"]), b(e["fingerprint"]), decode(Advertise.read, b(e["advertise"])))
        for n, e in enumerate(i["entries"])
    ]
    merkle_root = merkle.root(leaves)
    return {
        "leaves": _hexes(leaves),
        "merkle_root": merkle_root.hex(),
        "root": rosters.root([b(e["identity"]) for e in i["entries"]], merkle_root).hex(),
    }


def _place(i: Json) -> sharing.Place:
    return sharing.Place(b(i["manifest"]), b(i["roster"]), i["dealer"], i["holder"])


@op("share leaves")
def _share_leaves(i: Json) -> Json:
    place = _place(i)
    leaves = [
        place.share_leaf(sharing.SELF, b(i["self_share"])),
        place.share_leaf(sharing.MASK, b(i["mask_share"])),
        place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, b(i["mask_ciphertext"])),
        place.ciphertext_leaf(sharing.SHARE_CIPHERTEXT, b(i["share_ciphertext"])),
    ]
    return {"leaves": _hexes(leaves), "pair": merkle.node(leaves[0], leaves[1]).hex()}


@op("share root")
def _share_root(i: Json) -> Json:
    digest = sharing.root_digest(
        b(i["manifest"]), b(i["roster"]), i["dealer"], b(i["root"]), b(i["self_commitment"])
    )
    return {"digest": digest.hex()}


@op("self commitment")
def _self_commitment(i: Json) -> Json:
    secret = scalar.decode(b(i["secret"]))
    return {"hash": keys.self_commitment(b(i["manifest"]), b(i["roster"]), i["dealer"], secret).hex()}


@op("seal")
def _seal(i: Json) -> Json:
    return {"ciphertext": sharing.seal(b(i["key"]), b(i["manifest"]), b(i["plain"])).hex()}


@op("open")
def _open(i: Json) -> Json:
    pair = sharing.open_box(b(i["key"]), b(i["ciphertext"]), _place(i), i["holders"], b(i["root"]))
    return {
        "self": pair.reveal(sharing.SELF).encode().hex(),
        "mask": pair.reveal(sharing.MASK).encode().hex(),
    }


@op("revealed share")
def _revealed(i: Json) -> Json:
    share = decode(RevealedShare.read, b(i["share"]))
    sharing.check_revealed(share, _place(i), i["kind"], i["holders"], b(i["root"]))
    return {}


@op("sharers")
def _sharers(i: Json) -> Json:
    leaves = [sharers.leaf(e["index"], decode(ShareRoot.read, b(e["share_root"]))) for e in i["sharers"]]
    shown = bitmap.encode(i["size"], [e["index"] for e in i["sharers"]])
    merkle_root = merkle.root(leaves)
    return {
        "bitmap": shown.hex(),
        "merkle_root": merkle_root.hex(),
        "digest": sharers.digest(i["size"], shown, merkle_root).hex(),
    }


@op("upload digest")
def _upload_digest(i: Json) -> Json:
    digest = upload.digest(
        b(i["manifest"]),
        b(i["roster"]),
        b(i["sharers"]),
        i["index"],
        i["suspects"],
        b(i["noise_anchor"]),
        [b(chunk) for chunk in i["chunks"]],
    )
    return {"digest": digest.hex()}


def _levels(i: Json) -> noise.Levels:
    found = noise.levels(i["n"], i["c"], i["m"], i["share"], i["dropouts"])
    require(found is not None, "TAC-063")
    assert found is not None
    return found


@op("levels")
def _noise_levels(i: Json) -> Json:
    found = _levels(i)
    layers = [found.layer(number) for number in range(1, len(found.dropouts) + 1)]
    return {"base": found.kept[0], "layers": layers}


@op("surplus")
def _surplus(i: Json) -> Json:
    found, seed = _levels(i), b(i["seed"])
    first = found.first_surplus(i["survivors"])
    assert first is not None
    require(noise.anchor(found, first, seed) == b(i["anchor"]), "TAC-064")
    return {"first": first, "values": noise.surplus(found, first, seed, i["count"])}


@op("next clip")
def _next_clip(i: Json) -> Json:
    rule = clip_rule.parse(i["rule"].encode(), "TAC-003")
    found = rule.next(Fraction(i["clip"]), clip_rule.share(i["within"]))
    nanos = int(found * 10**9)
    text = f"{nanos // 10**9}.{nanos % 10**9:09}"
    return {"clip": text.rstrip("0").rstrip(".")}


@op("statement")
def _statement(i: Json) -> Json:
    digest = statement.digest(b(i["manifest"]), b(i["roster"]), b(i["sharers"]), i["size"], b(i["survivors"]))
    return {"digest": digest.hex()}


@op("fix signers")
def _fix_signers(i: Json) -> Json:
    survivors = bitmap.decode(i["size"], b(i["survivors"]), "bitmap")
    given = b(i["signers"])
    fixed = b(i["fixed"]) if "fixed" in i else None
    listed = signers.check_list(
        i["size"], given, survivors, i["minimum"], i["neighbours"], i["threshold"], fixed
    )
    drawn = signers.draw(listed, Tape(i["tape"]))
    return {"digest": signers.digest(b(i["statement"]), given, b(i["root"])).hex(), "drawn": drawn}


@op("goes on")
def _goes_on(i: Json) -> Json:
    """Whether a hello goes on with the attempt that is running, which its sender is in or not."""
    hello = messages.read(messages.CLIENT, b(i["hello"]))
    assert isinstance(hello, messages.Hello)
    named = hello.attempt != b""
    running = i["running"] is not None and hello.attempt == b(i["running"])
    require(not named or (running and i["is_in"]), "TAC-077")
    return {"goes_on": named}


@op("draws")
def _draws(i: Json) -> Json:
    signers.check_draws(bitmap.decode(i["size"], b(i["signers"]), "bitmap"), i["drawn"])
    return {}


@op("shown")
def _shown(i: Json) -> Json:
    listed = bitmap.decode(i["size"], b(i["signers"]), "bitmap")
    expected = signers.shown(listed, i["drawn"], i["neighbours"], i["threshold"])
    signatures = [b(signature) for signature in i["signatures"]]
    proofs = [[b(node) for node in proof] for proof in i["proofs"]]
    signers.check_shown(listed, b(i["root"]), expected, i["size"], b(i["shown"]), signatures, proofs)
    return {"shown": expected}


@op("head")
def _head(i: Json) -> Json:
    seed = b(i["seed"])
    text = ledger.head_text(i["origin"], i["size"], b(i["root"]))
    key = base64.b64encode(b"\x01" + ed25519.public_key(seed)).decode()
    name = f"{i['origin']}+{ledger.key_id(i['origin'], 1, ed25519.public_key(seed)).hex()}+{key}"
    return {
        "vkey": name,
        "note": ledger.sign_head(seed, i["origin"], i["size"], b(i["root"])).decode(),
        "cosignature": ledger.cosign(b(i["member_seed"]), i["time"], text).hex(),
    }


@op("read head")
def _read_head(i: Json) -> Json:
    head = ledger.read_head(i["note"].encode(), i["origin"], b(i["key"]))
    return {"size": head.size, "root": head.root.hex()}


# Keys


def _end(e: Json) -> keys.End:
    return keys.End(
        e["index"],
        b(e["fingerprint"]),
        b(e["mask_key"]),
        b(e["share_key"]),
        b(e["mask_kem_key"]),
        b(e["share_kem_key"]),
    )


@op("mask key")
def _mask_key(i: Json) -> Json:
    return {"key": keys.mask_key(b(i["manifest"]), scalar.decode(b(i["secret"]))).hex()}


@op("self key")
def _self_key(i: Json) -> Json:
    return {"key": keys.self_key(b(i["manifest"]), b(i["roster"]), scalar.decode(b(i["secret"]))).hex()}


@op("box key")
def _box_key(i: Json) -> Json:
    key = keys.box_key(
        b(i["manifest"]),
        b(i["roster"]),
        b(i["dh"]),
        b(i["secret"]),
        _end(i["sender"]),
        _end(i["receiver"]),
        b(i["ciphertext"]),
    )
    return {"key": key.hex()}


@op("pair key")
def _pair_key(i: Json) -> Json:
    key = keys.pair_key(
        b(i["manifest"]),
        b(i["model"]),
        b(i["roster"]),
        b(i["dh"]),
        b(i["secret"]),
        _end(i["a"]),
        _end(i["b"]),
        b(i["ciphertext"]),
    )
    return {"key": key.hex()}


@op("mask kem key")
def _mask_kem_key(i: Json) -> Json:
    return {"key": keys.mask_kem_pair(b(i["manifest"]), scalar.decode(b(i["secret"])))[0].hex()}


@op("mask encapsulation")
def _mask_encapsulation(i: Json) -> Json:
    secret, ciphertext = keys.mask_encapsulation(
        b(i["manifest"]),
        b(i["roster"]),
        scalar.decode(b(i["secret"])),
        b(i["fingerprint"]),
        b(i["key"]),
    )
    return {"secret": secret.hex(), "ciphertext": ciphertext.hex()}


@op("kem")
def _kem(i: Json) -> Json:
    """A key pair of a seed, an encapsulation to it, and what the private key makes of a ciphertext."""
    seed = b(i["seed"])
    key = mlkem.public_key(seed)
    secret, ciphertext = mlkem.encapsulate(key, b(i["randomness"]))
    given = b(i["ciphertext"]) if "ciphertext" in i else ciphertext
    assert mlkem.agree(seed, given), "the two packages for ML-KEM disagree"
    return {
        "key": key.hex(),
        "secret": secret.hex(),
        "ciphertext": ciphertext.hex(),
        "decapsulated": mlkem.decapsulate(seed, given).hex(),
    }


@op("kem key")
def _kem_key(i: Json) -> Json:
    require(mlkem.is_sound(b(i["key"])), "TAC-027")
    return {}


# Wire (05)


@op("read from member")
def _read_client(i: Json) -> Json:
    return {"name": type(messages.read(messages.CLIENT, b(i["bytes"]))).__name__}


@op("read from server")
def _read_server(i: Json) -> Json:
    return {"name": type(messages.read(messages.SERVER, b(i["bytes"]))).__name__}


def _frame(f: Json) -> bytes:
    """A frame of megabytes in a few: its first bytes, then zeros."""
    return b(f["head"]) + bytes(f["zeros"])


@op("divide")
def _divide(i: Json) -> Json:
    out = parts.frames(_frame(i["message"]), i["kind"])
    return {
        "frames": [{"length": len(f), "head": f[:6].hex(), "sha256": tagged.sha256(f).hex()} for f in out]
    }


@op("assemble")
def _assemble(i: Json) -> Json:
    out = parts.assemble([_frame(f) for f in i["frames"]], i["room"])
    return {"messages": [{"length": len(m), "sha256": tagged.sha256(m).hex()} for m in out]}
