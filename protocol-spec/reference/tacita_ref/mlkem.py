"""ML-KEM-768 (FIPS 203) with all randomness given: the `_internal` algorithms, by a package in plain Python."""

from functools import lru_cache

from kyber_py.ml_kem import ML_KEM_768

from .refusal import Refused

KEY_BYTES = 1184
CIPHERTEXT_BYTES = 1088
_Q = 3329


def key_pair(seed: bytes) -> tuple[bytes, bytes]:
    """KeyGen_internal(d, z) with d || z = `seed`: encapsulation key and decapsulation key."""
    return ML_KEM_768._keygen_internal(seed[:32], seed[32:])


def is_sound(key: bytes) -> bool:
    """The checks of FIPS 203 section 7.2: length, and every 12-bit coefficient below q."""
    if len(key) != KEY_BYTES:
        return False
    for at in range(0, KEY_BYTES - 32, 3):
        word = int.from_bytes(key[at : at + 3], "little")
        if word & 0xFFF >= _Q or word >> 12 >= _Q:
            return False
    return True


@lru_cache(maxsize=4096)
def encapsulate(key: bytes, randomness: bytes) -> tuple[bytes, bytes]:
    """Encaps_internal(key, m): shared secret and ciphertext."""
    if not is_sound(key):
        raise Refused("TAC-027", "length or modulus")
    return ML_KEM_768._encaps_internal(key, randomness)


def decapsulate(private: bytes, ciphertext: bytes) -> bytes:
    """Decaps_internal; a foreign ciphertext gives an unrelated secret, never an error."""
    return ML_KEM_768._decaps_internal(private, ciphertext)
