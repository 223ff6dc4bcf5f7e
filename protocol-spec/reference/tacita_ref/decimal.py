"""Decimals of 04 section 1: one spelling for one number."""

import re
from fractions import Fraction

from .refusal import require

_FORM = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


def parse(text: bytes, rule: str) -> Fraction:
    """Below 10^18 without its point, and at most 18 places; the number exactly."""
    written = text.decode("ascii", errors="replace")
    require(_FORM.fullmatch(written) is not None, rule, "decimal")
    require(int(written.replace(".", "")) < 10**18, rule, "decimal")
    require(len(written.partition(".")[2]) <= 18, rule, "decimal")
    return Fraction(written)
