"""Advertisements (02 section 3.2)."""

from . import ed25519, labels
from .messages import Advertise
from .tagged import tagged_hash


def digest(m: bytes, fingerprint: bytes, advertise: Advertise) -> bytes:
    """A."""
    return tagged_hash(
        labels.ADVERTISEMENT,
        m,
        fingerprint,
        advertise.mask_key,
        advertise.share_key,
        advertise.mask_kem_key,
        advertise.share_kem_key,
        advertise.nonce,
    )


def sign(seed: bytes, m: bytes, fingerprint: bytes, unsigned: Advertise) -> Advertise:
    return unsigned.replace(
        signature=ed25519.sign(seed, labels.ADVERTISEMENT, digest(m, fingerprint, unsigned))
    )


def verify(key: bytes, m: bytes, fingerprint: bytes, advertise: Advertise) -> bool:
    return ed25519.verify(key, labels.ADVERTISEMENT, digest(m, fingerprint, advertise), advertise.signature)
