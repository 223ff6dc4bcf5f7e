"""The inputs of the vector files, one module for each group. Outputs are computed by `tacita_ref`; the refusal of a bad
case is written down here, so that a reference that refuses for another reason is noticed when the files are written."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    name: str
    op: str
    given: Json
    refusal: str | None = None


def filled(value: int, size: int = 32) -> str:
    return (bytes([value]) * size).hex()


M, R, G, D, F1, F2 = (filled(v) for v in (0x11, 0x22, 0x33, 0xCC, 0x44, 0x55))
SEED = filled(7)


def scalar(value: int) -> str:
    return value.to_bytes(32, "little").hex()
