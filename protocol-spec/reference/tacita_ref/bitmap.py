"""Sets of roster indices (02 section 1): index i at bit i mod 8, least significant first, of byte floor(i / 8)."""

from collections.abc import Iterable

from .refusal import require


def encode(size: int, indices: Iterable[int]) -> bytes:
    out = bytearray((size + 7) // 8)
    for index in indices:
        out[index // 8] |= 1 << (index % 8)
    return bytes(out)


def decode(size: int, data: bytes, rule: str) -> list[int]:
    """The indices, rising; a wrong length or a spare bit is refused with `rule`."""
    require(len(data) == (size + 7) // 8, rule, "bitmap length")
    value = int.from_bytes(data, "little")
    require(value >> size == 0, rule, "spare bits")
    return [index for index in range(size) if value >> index & 1]
