"""X25519 (RFC 7748): an all-zero result is TAC-026, never a secret (02 section 1)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from .refusal import Refused


def public_key(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private: bytes, public: bytes) -> bytes:
    """DH(private, public)."""
    try:
        shared = X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError as error:
        raise Refused("TAC-026", "small order") from error
    if shared == bytes(32):
        raise Refused("TAC-026", "small order")
    return shared


def is_small_order(public: bytes) -> bool:
    """Small order gives the all-zero secret with every private key, so one tells."""
    try:
        agree(bytes([9]) * 32, public)
    except Refused:
        return True
    return False
