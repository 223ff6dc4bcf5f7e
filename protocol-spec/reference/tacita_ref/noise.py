"""Noise in layers (04 sections 5 and 5.1): levels, the chain of seeds, and the draws of a layer, made again from its seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from . import labels
from .tagged import tagged_hash, u64

MAX_LEVELS = 8
WIDEST_TABLE = 6_553_600_000_000
BLOCK = 512
_LN2_E7 = 6_931_472


@dataclass(frozen=True)
class Levels:
    """Drop-outs of each level, and K_0 .. K_L in units of 2^-16."""

    cohort: int
    dropouts: tuple[int, ...]
    kept: tuple[int, ...]

    def layer(self, number: int) -> int:
        """Variance of layer `number`, from 1."""
        return self.kept[number] - self.kept[number - 1]

    def layers_kept(self, survivors: int) -> int:
        """l for the smallest r_l >= n - |U2|; 0 without drop-outs."""
        return next(i for i, r in enumerate((0, *self.dropouts)) if r >= self.cohort - survivors)

    def first_surplus(self, survivors: int) -> int | None:
        kept = self.layers_kept(survivors)
        return kept + 1 if kept < len(self.dropouts) else None


def levels(n: int, c: int, m: int, share: int, dropouts: Sequence[int]) -> Levels | None:
    """None if these are no levels of such a round."""
    rising = all(a < b for a, b in zip(dropouts, dropouts[1:], strict=False))
    if not 1 <= len(dropouts) <= MAX_LEVELS or not rising or dropouts[0] < 1 or dropouts[-1] != n - m:
        return None
    total = share * (m - c)
    kept = tuple(-(-total // (n - c - r)) for r in (0, *dropouts))
    if share == 0 or any(a >= b for a, b in zip(kept, kept[1:], strict=False)):
        return None
    return Levels(n, tuple(dropouts), kept)


def following(number: int, seed: bytes) -> bytes:
    """z_{l+1} from z_l."""
    return tagged_hash(labels.NOISE_CHAIN, u64(number), seed)


def seed_of(first: bytes, number: int) -> bytes:
    """z_l from z_1."""
    for earlier in range(1, number):
        first = following(earlier, first)
    return first


def anchor(of: Levels, number: int, seed: bytes) -> bytes:
    """z_{L+1} from z_l."""
    for later in range(number, len(of.dropouts) + 1):
        seed = following(later, seed)
    return seed


def draw(key: bytes, variance: int, count: int) -> list[int]:
    """`count` coordinates of Skellam noise of variance / 2^16 under a key."""
    parts = -(-variance // WIDEST_TABLE)
    stream = Cipher(AES(key), CTR(bytes(16))).encryptor()
    table = _table(variance, parts << 16)
    out = [0] * count
    for start in range(0, count, BLOCK):
        length = min(BLOCK, count - start)
        for _ in range(parts):
            random = stream.update(bytes(16 * length))
            for i in range(length):
                out[start + i] += table.draw(int.from_bytes(random[16 * i : 16 * i + 16], "little"))
    return out


def surplus(of: Levels, number: int, seed: bytes, count: int) -> list[int]:
    """Layers `number` .. L, given z_`number`, added up."""
    total = [0] * count
    for later in range(number, len(of.dropouts) + 1):
        key = tagged_hash(labels.NOISE_LAYER, u64(later), seed)
        total = [a + b for a, b in zip(total, draw(key, of.layer(later), count), strict=True)]
        seed = following(later, seed)
    return total


def whole(of: Levels | None, share: int, keys: bytes, count: int) -> list[int]:
    """All of a member's noise from 64 bytes: the key of the base, then z_1."""
    if of is None:
        return draw(keys[:32], share, count)
    base = draw(keys[:32], of.kept[0], count)
    return [a + b for a, b in zip(base, surplus(of, 1, keys[32:64], count), strict=True)]


def _radius(numerator: int, denominator: int, bits: int) -> int:
    """The least k with k^2 / (2 (mu + k / 3)) >= (bits + 1) ln 2."""

    def enough(k: int) -> bool:
        demand = 2 * _LN2_E7 * (bits + 1)
        return k * k * denominator * 30_000_000 >= (3 * numerator + k * denominator) * demand

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _weights(numerator: int, denominator: int) -> list[int]:
    """P_0 .. P_K of mu = numerator / denominator, summing to 2^127."""
    last, start = _radius(numerator, denominator, 120), _radius(numerator, denominator, 180)
    values = []
    above, current = 0, 1 << 192
    for k in range(start, 0, -1):
        if k <= last:
            values.append(current)
        above, current = current, above + 2 * k * denominator * current // numerator
    values.append(current)
    values.reverse()
    z = values[0] + 2 * sum(values[1:])
    weights = [(value << 128) // z for value in values]
    weights[0] = (1 << 127) - sum(weights[1:])
    return weights


class _Table:
    """Columns of the alias method: threshold and alias."""

    def __init__(self, numerator: int, denominator: int) -> None:
        weights = _weights(numerator, denominator)
        self._bits = (max(2, len(weights)) - 1).bit_length()
        columns, capacity = 1 << self._bits, 1 << (127 - self._bits)
        weights += [0] * (columns - len(weights))
        self._threshold, self._alias = [0] * columns, list(range(columns))
        under = [i for i in range(columns) if weights[i] < capacity]
        over = [i for i in range(columns) if weights[i] >= capacity]
        while under:
            short, long = under.pop(), over.pop()
            self._threshold[short], self._alias[short] = weights[short], long
            weights[long] -= capacity - weights[short]
            (under if weights[long] < capacity else over).append(long)

    def draw(self, word: int) -> int:
        column = word >> (128 - self._bits)
        fraction = (word >> 1) & ((1 << (127 - self._bits)) - 1)
        magnitude = column if fraction < self._threshold[column] else self._alias[column]
        return -magnitude if word & 1 else magnitude


@lru_cache(maxsize=64)
def _table(numerator: int, denominator: int) -> _Table:
    return _Table(numerator, denominator)
