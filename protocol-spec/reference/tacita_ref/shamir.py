"""Shamir sharing over the scalar field (02 section 3.4) and interpolation at zero (3.9)."""

from collections.abc import Sequence

from .refusal import require
from .scalar import ORDER, uniform
from .tape import Tape


def _check(abscissae: Sequence[int]) -> None:
    require(all(0 < x < 2**16 for x in abscissae), "abscissa", "zero")
    require(len(set(abscissae)) == len(abscissae), "abscissa", "twice")


def split(secret: int, threshold: int, abscissae: Sequence[int], tape: Tape) -> list[int]:
    """One value for each abscissa. The tape gives 64 bytes for each coefficient, highest degree first."""
    _check(abscissae)
    require(2 <= threshold <= len(abscissae), "threshold")
    coefficients = [uniform(tape.read(64)) for _ in range(threshold - 1)] + [secret]
    values = []
    for x in abscissae:
        value = 0
        for coefficient in coefficients:
            value = (value * x + coefficient) % ORDER
        values.append(value)
    return values


def interpolate(abscissae: Sequence[int], values: Sequence[int]) -> int:
    """The value at zero: sum_i v_i x prod_{j != i} x_j / (x_j - x_i)."""
    _check(abscissae)
    require(len(abscissae) == len(values) and len(values) > 0, "threshold")
    total = 0
    for x, value in zip(abscissae, values, strict=True):
        above = below = 1
        for other in abscissae:
            if other != x:
                above = above * other % ORDER
                below = below * (other - x) % ORDER
        total += value * above * pow(below, -1, ORDER)
    return total % ORDER
