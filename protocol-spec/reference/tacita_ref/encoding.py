"""From an update to integers and from the sum to a mean (04 sections 3 and 7).

Vectors compare from the integers on. `encode` takes only updates that need no rounding, so that it is exact; `decode` is
in binary64 and agrees with any other to within the tolerance of 10-vectors section 3.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt, sqrt

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from . import decimal, labels
from .manifest import Checked
from .ring import centred
from .tagged import tagged_hash


def signs(seed: bytes, count: int) -> list[int]:
    """The diagonal E: entry i is -1 if bit i mod 8 of byte floor(i / 8) of the key stream is 1."""
    cipher = Cipher(AES(tagged_hash(labels.ROTATION, seed)), CTR(bytes(16))).encryptor()
    stream = cipher.update(bytes((count + 7) // 8))
    return [-1 if stream[i // 8] >> (i % 8) & 1 else 1 for i in range(count)]


def _hadamard(values: list) -> list:  # type: ignore[type-arg]
    """H v in natural order, without the factor 1 / sqrt(d)."""
    out, half = list(values), 1
    while half < len(out):
        for start in range(0, len(out), 2 * half):
            for i in range(start, start + half):
                a, b = out[i], out[i + half]
                out[i], out[i + half] = a + b, a - b
        half *= 2
    return out


def encode(update: Sequence[Fraction], checked: Checked) -> list[int]:
    """Steps 3 to 6 for an update of norm at most C whose rotation is integral."""
    f, block = checked.fields, checked.fields.block
    clip = decimal.parse(f.clip, "TAC-003")
    if len(update) != f.dimension or sum(x * x for x in update) > clip * clip or isqrt(block) ** 2 != block:
        raise ValueError("not an update that is exact")
    padded = [x * f.grid / clip for x in update] + [Fraction(0)] * (f.padded - f.dimension)
    turned = [sign * x for sign, x in zip(signs(checked.rotation_seed, f.padded), padded, strict=True)]
    out: list[int] = []
    for start in range(0, f.padded, block):
        for value in _hadamard(turned[start : start + block]):
            value /= isqrt(block)
            if value.denominator != 1:
                raise ValueError("not integral")
            out.append(int(value))
    return out


def values(total: Sequence[int], checked: Checked) -> tuple[list[float], float]:
    """Steps 1, 2 and 4: the sum in model units, padding dropped, and the grid steps of a unit."""
    f, block = checked.fields, checked.fields.block
    factor = float(decimal.parse(f.clip, "TAC-003")) / f.grid
    scaled = [value * factor for value in centred(total, f.bits)]
    sign, out = signs(checked.rotation_seed, f.padded), []
    for start in range(0, f.padded, block):
        for i, value in enumerate(_hadamard(scaled[start : start + block])):
            out.append(sign[start + i] * value / sqrt(block))
    return out[: f.dimension], 1 / factor


def decode(total: Sequence[int], checked: Checked, survivors: int) -> list[float]:
    """Step 5 for uniform weights: the mean, without what travels beside the update."""
    found, _ = values(total, checked)
    extra = checked.beside.extra if checked.beside else 0
    return [value / survivors for value in found[: len(found) - extra]]
