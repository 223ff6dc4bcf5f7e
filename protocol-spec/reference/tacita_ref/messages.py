"""The messages of 05 section 3."""

from . import layout
from .manifest import Manifest
from .refusal import require
from .tls import (
    HASH,
    MALFORMED,
    MAX_ELEMENTS,
    PROOF,
    SIGNATURE,
    U8,
    U16,
    U32,
    U64,
    Reader,
    Struct,
    Type,
    decode,
    fixed,
    members,
    opaque,
    switched,
    unknown,
    vector,
)

MAX_FRAME = 262_144
MAX_MESSAGE = 2_097_152


def pieces(joined: bytes, width: int) -> list[bytes]:
    return [joined[at : at + width] for at in range(0, len(joined), width)]


class Hello(Struct):
    FIELDS = {"version": U16, "ledger_size": U64, "attempt": opaque(1), "model_received": U64}


class Advertise(Struct):
    FIELDS = {
        "mask_key": fixed(32),
        "share_key": fixed(32),
        "mask_kem_key": opaque(2),
        "share_kem_key": opaque(2),
        "nonce": fixed(32),
        "signature": SIGNATURE,
    }


class RosterEntry(Struct):
    FIELDS = {
        "index": U16,
        "identity": HASH,
        "fingerprint": HASH,
        "advertise": Advertise.type(),
        "proof": PROOF,
    }


class ShareRoot(Struct):
    FIELDS = {"root": HASH, "self_commitment": HASH, "signature": SIGNATURE}


class DealtBox(Struct):
    FIELDS = {
        "peer": U16,
        "pair": HASH,
        "mask_ciphertext": opaque(2),
        "share_ciphertext": opaque(2),
        "ciphertext": opaque(2),
    }


class SealedBox(Struct):
    FIELDS = {
        "peer": U16,
        "share_ciphertext": opaque(2),
        "ciphertext": opaque(2),
    }


class SharerEntry(Struct):
    FIELDS = {
        "index": U16,
        "share_root": ShareRoot.type(),
        "mask_ciphertext": opaque(2),
        "ciphertext_proof": PROOF,
        "proof": PROOF,
    }


class ProvenEntry(Struct):
    FIELDS = {"index": U64, "bytes": opaque(2), "proof": PROOF}


class RevealedShare(Struct):
    FIELDS = {"dealer": U16, "value": fixed(32), "path": PROOF}


class Shares(Struct):
    FIELDS = {
        "share_root": ShareRoot.type(),
        "own_pair": vector(1, HASH),
        "boxes": members(DealtBox.type()),
    }


class Chunk(Struct):
    FIELDS = {"index": U32, "packed": opaque(4)}


class UploadEnd(Struct):
    FIELDS = {
        "suspects": vector(2, U16, MAX_ELEMENTS),
        "noise_anchor": opaque(1),
        "signature": SIGNATURE,
    }


class Agreement(Struct):
    FIELDS = {"signature": SIGNATURE}


class Reveal(Struct):
    FIELDS = {
        "shares": members(RevealedShare.type()),
        "noise_seed": opaque(1),
        "cosigned_at": U64,
        "cosignature": SIGNATURE,
    }


class Draws(Struct):
    FIELDS = {"drawn": vector(2, U16, MAX_ELEMENTS)}


class Leave(Struct):
    FIELDS = {"reason": opaque(2)}


class Resume(Struct):
    FIELDS = {"next": U32}


class Part(Struct):
    FIELDS = {"last": U8, "bytes": opaque(4)}


class Invitation(Struct):
    FIELDS = {
        "manifest": Manifest.type(),
        "signature": SIGNATURE,
        "checkpoint": opaque(2),
        "consistency": PROOF,
        "model_length": U64,
        "previous": vector(4, ProvenEntry.type()),
    }


class Model(Struct):
    FIELDS = {"part": opaque(4)}


class Certificates(Struct):
    FIELDS = {"list": members(opaque(2))}


# Identities joined, read as pieces of 32 bytes; whoever knows n divides them anew.
_JOINED = opaque(4)
IDENTITIES = Type(
    lambda pieces: _JOINED.write(b"".join(pieces)),
    lambda reader: pieces(_JOINED.read(reader), 32),
)


class Roster(Struct):
    FIELDS = {"identities": IDENTITIES, "merkle_root": HASH, "entries": members(RosterEntry.type())}


class Sharers(Struct):
    FIELDS = {
        "sharers": opaque(2),
        "merkle_root": HASH,
        "entries": members(SharerEntry.type()),
        "boxes": members(SealedBox.type()),
    }


class AgreeRequest(Struct):
    FIELDS = {"survivors": opaque(2)}


class RevealRequest(Struct):
    FIELDS = {
        "signers": opaque(2),
        "signatures": members(SIGNATURE),
        "checkpoint": opaque(2),
        "consistency": PROOF,
        "manifest": ProvenEntry.type(),
        "charge": ProvenEntry.type(),
        **switched(layout.UPLOADS_ROOT, {"upload_proof": PROOF}),
    }
    OFF = {} if layout.UPLOADS_ROOT else {"upload_proof": []}


class Signers(Struct):
    FIELDS = {"signers": opaque(2), "root": HASH}


class SampledRequest(Struct):
    FIELDS = {"request": RevealRequest.type(), "proofs": members(PROOF)}


class Outcome(Struct):
    FIELDS = {"checkpoint": opaque(2), "consistency": PROOF, "outcome": ProvenEntry.type()}


class Abort(Struct):
    FIELDS = {"reason": opaque(2)}


class Finished(Struct):
    FIELDS = {"word": opaque(1)}


CLIENT: dict[int, type[Struct]] = {
    1: Hello,
    2: Advertise,
    3: Shares,
    4: Chunk,
    5: UploadEnd,
    6: Agreement,
    7: Reveal,
    8: Leave,
    9: Part,
    10: Draws,
}
SERVER: dict[int, type[Struct]] = {
    65: Invitation,
    66: Model,
    67: Certificates,
    68: Roster,
    69: Sharers,
    70: AgreeRequest,
    71: RevealRequest,
    72: Outcome,
    73: Abort,
    74: Finished,
    75: Part,
    76: Resume,
    77: Signers,
    78: SampledRequest,
}
_KINDS = {kind: number for table in (SERVER, CLIENT) for number, kind in table.items()}
# The only messages that may travel in parts.
_PARTED = (Shares, Roster, Sharers, SampledRequest)


def encode(message: Struct) -> bytes:
    """A whole message: its kind, then its fields."""
    return bytes([_KINDS[type(message)]]) + message.encode()


def read(table: dict[int, type[Struct]], data: bytes) -> Struct:
    """A whole message from its bytes; anything left over or unknown is refused."""
    require(len(data) <= MAX_MESSAGE, MALFORMED, "too long")

    def body(reader: Reader) -> Struct:
        kind = table.get(reader.take(1)[0])
        if kind is None:
            raise unknown("message kind")
        return kind.read(reader)

    message: Struct = decode(body, data)
    require(len(data) <= MAX_FRAME or isinstance(message, _PARTED), MALFORMED, "too long for a frame")
    return message
