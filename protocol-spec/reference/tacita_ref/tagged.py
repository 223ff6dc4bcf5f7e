"""Tagged hash and key derivation (02 section 1)."""

import hashlib
import hmac


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def u64(value: int) -> bytes:
    """An integer field: 8 big-endian bytes."""
    return value.to_bytes(8, "big")


def tagged_hash(label: str, *fields: bytes) -> bytes:
    """H(L; f1, ..., fj): label and fields, each behind its length as 8 big-endian bytes."""
    hasher = hashlib.sha256()
    for part in (label.encode("ascii"), *fields):
        hasher.update(u64(len(part)))
        hasher.update(part)
    return hasher.digest()


def derive(salt: bytes, secret: bytes, info: bytes, length: int = 32) -> bytes:
    """Derive and, with a length of 64, Derive64: HKDF-SHA256 (RFC 5869)."""
    key = hmac.digest(salt, secret, "sha256")
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:length]
