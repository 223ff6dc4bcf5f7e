"""The statement S (02 section 3.7, 06 section 4)."""

from . import labels
from .tagged import tagged_hash, u64


def digest(m: bytes, r: bytes, d: bytes, size: int, survivors: bytes) -> bytes:
    return tagged_hash(labels.STATEMENT, m, r, d, u64(size), survivors)
