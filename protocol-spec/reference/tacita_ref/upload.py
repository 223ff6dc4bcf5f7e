"""The upload digest (02 section 3.6)."""

from collections.abc import Iterable, Sequence

from . import labels
from .tagged import sha256, tagged_hash, u64


def digest(
    m: bytes, r: bytes, d: bytes, index: int, suspects: Sequence[int], chunks: Iterable[bytes]
) -> bytes:
    listed = b"".join(suspect.to_bytes(2, "big") for suspect in suspects)
    return tagged_hash(labels.UPLOAD, m, r, d, u64(index), listed, sha256(b"".join(chunks)))
