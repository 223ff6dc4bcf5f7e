"""Adaptive clipping (04 section 13): the clip norm of the next round, in exact integers."""

from dataclasses import dataclass
from fractions import Fraction

from . import decimal
from .refusal import require


@dataclass(frozen=True)
class ClipRule:
    quantile: Fraction
    rate: Fraction
    initial: Fraction
    least: Fraction
    largest: Fraction

    def allows(self, clip: Fraction) -> bool:
        """Whether the rule can give this clip norm."""
        return self.least <= clip <= self.largest and _whole(clip, 9)

    def next(self, clip: Fraction, within: Fraction) -> Fraction:
        """The clip norm after a round of whose updates that share was within it."""
        x = self.rate * (within - self.quantile) * 10**12
        assert x.denominator == 1
        exponent, factor, term, i = abs(int(x)), 0, 10**18, 0
        while term > 0:
            factor += term
            i += 1
            term = term * exponent // (i * 10**12)
        nanos = int(clip * 10**9)
        moved = nanos * factor // 10**18 if x < 0 else nanos * 10**18 // factor
        return min(max(Fraction(moved, 10**9), self.least), self.largest)


def _whole(value: Fraction, places: int) -> bool:
    return (value * 10**places).denominator == 1


def parse(text: bytes, rule: str) -> ClipRule:
    """Five decimals joined by commas."""
    parts = text.split(b",")
    require(len(parts) == 5, rule, "clip rule")
    found = ClipRule(*(decimal.parse(part, rule) for part in parts))
    require(0 < found.quantile < 1 and _whole(found.quantile, 6), rule, "quantile")
    require(0 < found.rate <= 2 and _whole(found.rate, 6), rule, "rate")
    require(0 < found.least <= found.initial <= found.largest < 10**9, rule, "bounds")
    require(all(_whole(v, 9) for v in (found.initial, found.least, found.largest)), rule, "bounds")
    return found


def share(text: str) -> Fraction:
    """A published share, which may have trailing zeros."""
    value = Fraction(text)
    assert 0 <= value <= 1 and _whole(value, 6)
    return value
