"""Ring vectors modulo 2^b: packing and the mask stream (02 section 1)."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from .refusal import require


def packed_length(count: int, bits: int) -> int:
    return (count * bits + 7) // 8


def pack(values: Sequence[int], bits: int) -> bytes:
    """Element i takes bits i b .. i b + b - 1, least significant first."""
    out = bytearray()
    # Eight elements fill whole bytes.
    for at in range(0, len(values), 8):
        word = 0
        part = values[at : at + 8]
        for place, value in enumerate(part):
            word |= (value % (1 << bits)) << (place * bits)
        out += word.to_bytes(packed_length(len(part), bits), "little")
    return bytes(out)


def unpack(data: bytes, bits: int, count: int, rule: str) -> list[int]:
    """The inverse; a wrong length or a spare bit is refused with `rule`."""
    require(len(data) == packed_length(count, bits), rule, "length")
    out: list[int] = []
    for at in range(0, count, 8):
        part = min(8, count - at)
        start = at * bits // 8
        word = int.from_bytes(data[start : start + packed_length(part, bits)], "little")
        require(word >> (part * bits) == 0, rule, "spare bits")
        out.extend(word >> (place * bits) & ((1 << bits) - 1) for place in range(part))
    return out


def prg(key: bytes, bits: int, count: int, start: int = 0) -> list[int]:
    """Coordinates start .. start + count - 1 of Prg(key) in a ring of b bits."""
    width = 4 if bits <= 32 else 8
    first = start * width
    cipher = Cipher(AES(key), CTR((first // 16).to_bytes(16, "big"))).encryptor()
    skip = first % 16
    stream = cipher.update(bytes(skip + count * width))[skip:]
    mask = (1 << bits) - 1
    return [int.from_bytes(stream[at : at + width], "little") & mask for at in range(0, count * width, width)]


def add(total: list[int], values: Sequence[int], bits: int, sign: int = 1) -> None:
    """total += sign x values, modulo 2^b."""
    mask = (1 << bits) - 1
    for at, value in enumerate(values):
        total[at] = (total[at] + sign * value) & mask


def centred(values: Sequence[int], bits: int) -> list[int]:
    """Each coordinate in [-2^(b-1), 2^(b-1)) (04 section 7)."""
    half = 1 << (bits - 1)
    return [value - (1 << bits) if value >= half else value for value in values]
