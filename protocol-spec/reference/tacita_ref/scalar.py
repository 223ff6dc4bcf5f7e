"""Scalars: integers modulo l, encoded as 32 little-endian bytes below l (02 section 1)."""

from .refusal import require

ORDER = 2**252 + 27742317777372353535851937790883648493


def encode(value: int) -> bytes:
    return (value % ORDER).to_bytes(32, "little")


def decode(data: bytes) -> int:
    """Refuses an encoding of l or more."""
    value = int.from_bytes(data, "little")
    require(len(data) == 32 and value < ORDER, "scalar", "not canonical")
    return value


def uniform(wide: bytes) -> int:
    """64 random bytes reduced modulo l."""
    return int.from_bytes(wide, "little") % ORDER
