"""ML-KEM-768 (FIPS 203) with all randomness given: the `_internal` algorithms.

Encapsulation is by a package in plain Python, the only one that takes its randomness; key pairs and decapsulation are
by `cryptography`, which is fifty times as fast. `agree` has both do the same work, for the vectors.
"""

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from kyber_py.ml_kem import ML_KEM_768

from .refusal import Refused

KEY_BYTES = 1184
CIPHERTEXT_BYTES = 1088
_Q = 3329


def public_key(seed: bytes) -> bytes:
    """The encapsulation key of KeyGen_internal(d, z) with d || z = `seed`. The seed stands for the private key."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


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
    secret, ciphertext = ML_KEM_768._encaps_internal(key, randomness)
    return secret, ciphertext


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """Decaps_internal; a foreign ciphertext gives an unrelated secret, never an error."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def agree(seed: bytes, ciphertext: bytes) -> bool:
    """Whether both packages make the same key pair of a seed, and the same secret of a ciphertext."""
    key, private = ML_KEM_768._keygen_internal(seed[:32], seed[32:])
    same_key = key == public_key(seed)
    return bool(
        same_key and ML_KEM_768._decaps_internal(private, ciphertext) == decapsulate(seed, ciphertext)
    )
