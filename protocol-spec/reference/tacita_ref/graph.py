"""Who neighbours whom (03): parameters of a round in exact integers, and the ring's permutation."""

from dataclasses import dataclass
from math import comb, perm

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from . import labels
from .refusal import Refused, require
from .tagged import tagged_hash

COMPLETE_MAX = 64
PERMUTATION_FREE_MAX = 1000
SECURITY, CORRECTNESS, CHOSEN = 104, 20, 95


@dataclass(frozen=True)
class Parameters:
    complete: bool
    neighbours: int
    threshold: int
    quorum: int


def parameters(n: int, c: int, m: int) -> Parameters:
    """k, t and Q of n, c and m (03 section 3.1); TAC-004 where there is no round."""
    require(3 <= n <= 1_000_000 and m <= n and c < m, "TAC-004")
    quorum = (n + c) // 2 + 1
    require(m >= quorum, "TAC-004")
    if n <= COMPLETE_MAX:
        complete, k, t = True, n - 1, (n + c) // 2 + 1
    else:
        complete = False
        k, t = _permutation_free(n, c, n - m) if n <= PERMUTATION_FREE_MAX else _published(n, c, n - m)
    require(m >= t, "TAC-004")
    return Parameters(complete, k, t, quorum)


def _survivors(n: int, d: int, k: int) -> int:
    """t2: the greatest v with P[Hyp(n, n - d, k) < v] <= 2^-eta / n."""
    whole, below, v = comb(n, k), 0, 0
    while v <= k:
        below += comb(n - d, v) * comb(d, k - v)
        if below * n << CORRECTNESS > whole:
            return v
        v += 1
    return v


def _permutation_free(n: int, c: int, d: int) -> tuple[int, int]:
    for k in range(2, n, 2):
        t = (k + c) // 2 + 1
        if k >= c + d + 1 and t <= _survivors(n, d, k):
            return k, t
    raise Refused("TAC-004", "no ring")


def _colluders(size: int, c: int, k: int, bits: int, union: int) -> int:
    """The least v with P[Hyp(size, c, k) > v] <= 2^-bits / union."""
    whole, above, v = comb(size, k), 0, min(k, c)
    while v >= 0:
        above += comb(c, v) * comb(size - c, k - v)
        if above * union << bits > whole:
            break
        v -= 1
    return max(v, 0)


def _published(n: int, c: int, d: int) -> tuple[int, int]:
    """The published sparse rule for a malicious server (03 section 3.2), and drop-outs that it chooses (3.4)."""
    lost, m = c + d, n - d
    if lost >= n:
        raise Refused("TAC-004", "no sparse graph")
    for k in range(2, n - 1, 2):
        pairs = n * (n - k - 1) // 2
        if pairs * perm(lost, k) << (SECURITY + 1) >= perm(n, k):
            continue
        blind = _colluders(n, c, k, SECURITY + 1, n)
        chosen = _colluders(m, c, k, CHOSEN, m * m) if k < m else c
        t1 = (max(blind, chosen) + k) // 2
        if t1 < _survivors(n, d, k):
            return k, t1 + 1
    raise Refused("TAC-004", "no sparse graph")


def permutation(root: bytes, size: int) -> list[int]:
    """order[p] is the roster index at ring position p (03 section 3.3)."""
    stream = Cipher(AES(tagged_hash(labels.RING_PERMUTATION, root)), CTR(bytes(16))).encryptor()

    def draw(bound: int) -> int:
        limit = 2**32 // bound * bound
        while True:
            word = int.from_bytes(stream.update(bytes(4)), "little")
            if word < limit:
                return word % bound

    order = list(range(size))
    for p in range(size - 1, 0, -1):
        j = draw(p + 1)
        order[p], order[j] = order[j], order[p]
    return order


class Graph:
    """The neighbours of every index of one roster."""

    def __init__(self, complete: bool, k: int, root: bytes, size: int) -> None:
        self.complete = complete
        if complete:
            self._near = [[j for j in range(size) if j != i] for i in range(size)]
            return
        require(size >= k + 1, "TAC-020", "size does not carry the graph")
        order = permutation(root, size)
        self._near = [[] for _ in range(size)]
        steps = [s for s in range(-(k // 2), k // 2 + 1) if s != 0]
        for p, index in enumerate(order):
            self._near[index] = sorted(order[(p + s) % size] for s in steps)

    def neighbours(self, index: int) -> list[int]:
        """Rising."""
        return list(self._near[index])

    def holders(self, dealer: int) -> list[int]:
        """Neighbours, on the complete graph also the dealer, rising (02 section 3.4)."""
        return sorted([*self._near[dealer], dealer]) if self.complete else self.neighbours(dealer)
