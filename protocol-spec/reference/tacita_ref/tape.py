"""The randomness tape of 10-vectors section 1: for vectors only."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from .tagged import sha256


class Tape:
    """AES-256 in counter mode from block 0, under SHA-256 of a text, read in order."""

    def __init__(self, text: str) -> None:
        self._stream = Cipher(AES(sha256(text.encode("utf-8"))), CTR(bytes(16))).encryptor()

    def read(self, count: int) -> bytes:
        return self._stream.update(bytes(count))
