"""U1: leaves and digest (02 section 3.5)."""

from . import labels, merkle
from .messages import ShareRoot
from .tagged import tagged_hash, u64


def leaf(index: int, share_root: ShareRoot) -> bytes:
    """leaf(u16 index || root || self commitment || signature)."""
    return merkle.leaf(index.to_bytes(2, "big") + share_root.encode())


def digest(size: int, bitmap: bytes, merkle_root: bytes) -> bytes:
    """D."""
    return tagged_hash(labels.SHARERS, u64(size), bitmap, merkle_root)
