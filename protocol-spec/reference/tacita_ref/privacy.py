"""The integer bounds of 04 sections 4 and 6: norm bound B2 and headroom."""

from fractions import Fraction
from math import isqrt

_LN2 = Fraction(6931472, 10_000_000)


def norm_bound(grid: int, d: int) -> int:
    """B2 = min(S^2 + d + isqrt(4 S^2 d), S^2 + S + floor((d + isqrt(4 d)) / 4))."""
    square = grid * grid
    return min(square + d + isqrt(4 * square * d), square + grid + (d + isqrt(4 * d)) // 4)


def _reach(variance: Fraction, d: int) -> int:
    """The least r with r^2 / (2 (V + r / 3)) >= (41 + ceil(log2 d)) ln 2; 0 without noise."""
    if variance == 0:
        return 0
    # ceil(log2 d).
    bound = (41 + (d - 1).bit_length()) * _LN2

    def enough(r: int) -> bool:
        return Fraction(r * r) >= 2 * (variance + Fraction(r, 3)) * bound

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def has_headroom(n: int, grid: int, d: int, bits: int, share_q16: int, vectors: int = 1) -> bool:
    """n R floor(sqrt(B2)) + r < 2^(b - 1), R = 1 in the client unit."""
    reach = _reach(Fraction(n * share_q16, 2**16), d)
    return n * vectors * isqrt(norm_bound(grid, d)) + reach < 1 << (bits - 1)


def needed_bits(n: int, grid: int, d: int, share_q16: int, vectors: int = 1) -> int:
    """The smallest ring with headroom (04 section 9)."""
    return next(bits for bits in range(8, 63) if has_headroom(n, grid, d, bits, share_q16, vectors))


def rounded_up(value: Fraction) -> Fraction:
    """To nine places."""
    return Fraction(-(-value.numerator * 10**9 // value.denominator), 10**9)


def joint_clip(*parts: Fraction) -> Fraction:
    """The norm of parts side by side, rounded up to nine places (04 section 3)."""
    square = sum(part**2 for part in parts) * 10**18
    whole = -(-square.numerator // square.denominator)
    root = isqrt(whole - 1) + 1 if whole else 0
    return Fraction(root, 10**9)
