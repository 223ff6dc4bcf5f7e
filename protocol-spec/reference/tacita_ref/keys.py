"""The keys of one member in one round (02 sections 3.2, 3.4, 3.6). Empty byte strings stand for the ML-KEM parts where
`key_agreement` is 0."""

from dataclasses import dataclass

from . import labels, mlkem, scalar, x25519
from .tagged import derive, tagged_hash, u64


def mask_private_key(m: bytes, a: int) -> bytes:
    """The X25519 private key that follows from the mask secret."""
    return derive(m, scalar.encode(a), tagged_hash(labels.MASK_KEY, m))


def mask_key(m: bytes, a: int) -> bytes:
    return x25519.public_key(mask_private_key(m, a))


def mask_kem_pair(m: bytes, a: int) -> tuple[bytes, bytes]:
    """The ML-KEM key pair that follows from the mask secret: encapsulation key, and the seed d || z."""
    seed = derive(m, scalar.encode(a), tagged_hash(labels.MASK_KEM_KEY, m), 64)
    return mlkem.public_key(seed), seed


def mask_encapsulation(
    m: bytes, r: bytes, a: int, peer_fingerprint: bytes, peer_key: bytes
) -> tuple[bytes, bytes]:
    """K and c for the neighbour with the greater fingerprint: everything follows from the mask secret."""
    info = tagged_hash(labels.MASK_ENCAPSULATION, m, r, peer_fingerprint, peer_key)
    return mlkem.encapsulate(peer_key, derive(r, scalar.encode(a), info))


def self_key(m: bytes, r: bytes, s: int) -> bytes:
    return derive(r, scalar.encode(s), tagged_hash(labels.SELF_MASK, m, r))


def self_commitment(m: bytes, r: bytes, dealer: int, s: int) -> bytes:
    return tagged_hash(labels.SELF_COMMITMENT, m, r, u64(dealer), scalar.encode(s))


@dataclass(frozen=True)
class End:
    """What everybody knows of one member of a pair."""

    index: int
    fingerprint: bytes
    mask_key: bytes
    share_key: bytes
    mask_kem_key: bytes
    share_kem_key: bytes


def box_key(
    m: bytes, r: bytes, dh: bytes, secret: bytes, sender: End, receiver: End, ciphertext: bytes
) -> bytes:
    """Key of the box from sender to receiver; `secret` and `ciphertext` are K' and e."""
    info = tagged_hash(
        labels.BOX_KEY,
        m,
        r,
        sender.fingerprint,
        receiver.fingerprint,
        sender.share_key,
        receiver.share_key,
        receiver.share_kem_key,
        ciphertext,
    )
    return derive(r, dh + secret, info)


def pair_key(
    m: bytes, g: bytes, r: bytes, dh: bytes, secret: bytes, a: End, b: End, ciphertext: bytes
) -> bytes:
    """Key of a pair's stream, the same at both ends; `secret` and `ciphertext` are K and c."""
    low, high = (a, b) if a.index < b.index else (b, a)
    info = tagged_hash(
        labels.PAIR_MASK,
        m,
        g,
        r,
        low.mask_key,
        high.mask_key,
        low.mask_kem_key,
        high.mask_kem_key,
        ciphertext,
        low.fingerprint,
        high.fingerprint,
    )
    return derive(r, dh + secret, info)
