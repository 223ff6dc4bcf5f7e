"""Signatures of 02 section 1: Ed25519 (RFC 8032) over `label || 0x00 || digest`, checked strictly."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .scalar import ORDER

_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
# The y coordinates of the eight points of small order.
_SMALL = {0, 1, _P - 1, _ORDER_8, _P - _ORDER_8}


def is_small_order(point: bytes) -> bool:
    """Whether an encoded point has order 1, 2, 4 or 8, however it is encoded."""
    y = int.from_bytes(point, "little") & (2**255 - 1)
    return y % _P in _SMALL


def public_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign_bytes(seed: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify_bytes(key: bytes, message: bytes, signature: bytes) -> bool:
    """Strict: canonical scalar, neither the key nor the nonce point of small order, the equation without cofactor."""
    if len(key) != 32 or len(signature) != 64:
        return False
    if int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    if is_small_order(key) or is_small_order(signature[:32]):
        return False
    try:
        # Compares the encoding of [s]B - [h]A with the nonce point's bytes: no cofactor.
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign(seed: bytes, label: str, digest: bytes) -> bytes:
    """Sign(label, digest)."""
    return sign_bytes(seed, label.encode("ascii") + b"\x00" + digest)


def verify(key: bytes, label: str, digest: bytes, signature: bytes) -> bool:
    return verify_bytes(key, label.encode("ascii") + b"\x00" + digest, signature)
