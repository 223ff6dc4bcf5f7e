"""The log, its heads and cosignatures (06 section 1): C2SP notes over an RFC 6962 tree."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

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
        text, lines = note.decode().split("\n\n")
        name, size, encoded = text.split("\n")
    except ValueError as error:
        raise Refused(rule, "not a note") from error
    require(name == origin and re.fullmatch("0|[1-9][0-9]*", size) is not None, rule, "head")
    require(int(size) < 2**63, rule, "size")
    root, whole = _base64(encoded, rule), (text + "\n").encode()
    require(len(root) == 32 and (int(size) > 0 or root == merkle.EMPTY_ROOT), rule, "root")
    require(lines.endswith("\n"), rule, "signature lines")
    found = False
    for line in lines[:-1].split("\n"):
        form = re.fullmatch("\u2014 ([^ +]{1,255}) ([^ ]+)", line)
        require(form is not None, rule, "signature line")
        assert form is not None
        payload = _base64(form[2], rule)
        require(len(payload) > 4, rule, "signature line")
        # Lines of other keys are ignored; all of the pinned one must verify.
        if form[1] == origin and payload[:4] == key_id(origin, _LOG, key):
            require(ed25519.verify_bytes(key, whole, payload[4:]), rule, "signature")
            found = True
    require(found, rule, "not signed by the pinned key")
    return Head(int(size), root, whole)


def _base64(text: str, rule: str) -> bytes:
    """RFC 4648 section 4, with padding and zero spare bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(rule, "base64") from error
    require(base64.b64encode(data).decode() == text, rule, "base64")
    return data


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

    def decoded(self) -> list[dict[str, Any]]:
        """All entries."""
        return [json.loads(entry) for entry in self._entries]

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
