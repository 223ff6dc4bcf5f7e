"""The log, its heads and cosignatures (06 section 1): C2SP notes over an RFC 6962 tree."""

import base64
from dataclasses import dataclass

from . import ed25519, merkle
from .messages import ProvenEntry
from .refusal import Refused, require
from .tagged import sha256

MAX_CHECKPOINT = 4096
MAX_PROOF = 64
_LOG, _COSIGNATURE = 1, 4


def key_id(name: str, kind: int, key: bytes) -> bytes:
    """First 4 bytes of SHA-256(name || 0x0A || type || key)."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + key)[:4]


def head_text(origin: str, size: int, root: bytes) -> bytes:
    """The three lines of a head."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def sign_head(seed: bytes, origin: str, size: int, root: bytes) -> bytes:
    """The signed note."""
    text = head_text(origin, size, root)
    payload = key_id(origin, _LOG, ed25519.public_key(seed)) + ed25519.sign_bytes(seed, text)
    return text + f"\n\u2014 {origin} {base64.b64encode(payload).decode()}\n".encode()


@dataclass(frozen=True)
class Head:
    size: int
    root: bytes
    text: bytes


def read_head(note: bytes, origin: str, key: bytes) -> Head:
    """TAC-011: at most 4,096 bytes, and signed by the pinned key."""
    rule = "TAC-011"
    require(len(note) <= MAX_CHECKPOINT, rule, "too long")
    try:
        text, signatures = note.decode().split("\n\n")
        name, size, root, end = (text + "\n").split("\n")
    except ValueError as error:
        raise Refused(rule, "not a note") from error
    require(name == origin and end == "" and size == str(int(size)), rule, "head")
    lines = [line.split(" ") for line in signatures.splitlines()]
    ours = [base64.b64decode(line[2]) for line in lines if len(line) == 3 and line[1] == origin]
    wanted = key_id(origin, _LOG, key)
    ours = [payload for payload in ours if payload[:4] == wanted]
    whole = (text + "\n").encode()
    require(len(ours) == 1 and ed25519.verify_bytes(key, whole, ours[0][4:]), rule, "signature")
    return Head(int(size), base64.b64decode(root), whole)


def extend(ours: Head | None, note: bytes, proof: list[bytes], origin: str, key: bytes) -> Head:
    """A head that extends the one remembered (TAC-010)."""
    require(len(proof) <= MAX_PROOF, "TAC-011", "proof")
    shown = read_head(note, origin, key)
    if ours is not None:
        extends = merkle.verify_consistency(ours.size, ours.root, shown.size, shown.root, proof)
        require(extends, "TAC-010")
    return shown


def check_included(entry: ProvenEntry, head: Head) -> None:
    """TAC-061."""
    leaf = merkle.leaf(entry.bytes)
    fits = len(entry.proof) <= MAX_PROOF
    fits = fits and merkle.verify_inclusion(leaf, entry.index, head.size, entry.proof, head.root)
    require(fits, "TAC-061")


def cosignature_text(time: int, text: bytes) -> bytes:
    return f"cosignature/v1\ntime {time}\n".encode() + text


def cosign(seed: bytes, time: int, text: bytes) -> bytes:
    return ed25519.sign_bytes(seed, cosignature_text(time, text))


class Log:
    """The server's log."""

    def __init__(self, origin: str, seed: bytes) -> None:
        self.origin, self._seed = origin, seed
        self._entries: list[bytes] = []
        self._leaves: list[bytes] = []

    @property
    def size(self) -> int:
        return len(self._entries)

    def root(self) -> bytes:
        return merkle.root(self._leaves)

    def append(self, entry: bytes) -> int:
        self._entries.append(entry)
        self._leaves.append(merkle.leaf(entry))
        return len(self._entries) - 1

    def checkpoint(self) -> bytes:
        return sign_head(self._seed, self.origin, self.size, self.root())

    def consistency(self, old: int) -> list[bytes]:
        return merkle.consistency_proof(self._leaves, old)

    def proven(self, index: int) -> ProvenEntry:
        proof = merkle.inclusion_proof(self._leaves, index)
        return ProvenEntry(index=index, bytes=self._entries[index], proof=proof)
