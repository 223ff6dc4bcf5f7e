"""Roster leaves and root (02 section 3.3)."""

from collections.abc import Sequence

from . import labels, merkle
from .messages import Advertise
from .tagged import tagged_hash, u64


def leaf(index: int, identity: bytes, fingerprint: bytes, advertise: Advertise) -> bytes:
    """leaf(TLS bytes of index, identity, fingerprint, Advertise)."""
    return merkle.leaf(index.to_bytes(2, "big") + identity + fingerprint + advertise.encode())


def root(identities: Sequence[bytes], merkle_root: bytes) -> bytes:
    """R."""
    listed = tagged_hash(labels.IDENTITY_LIST, *identities)
    return tagged_hash(labels.ROSTER, u64(len(identities)), listed, merkle_root)
