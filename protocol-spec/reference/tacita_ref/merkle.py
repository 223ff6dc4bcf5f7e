"""Trees, roots and proofs of RFC 6962 section 2.1, checked as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say."""

from collections.abc import Sequence

from .tagged import sha256

EMPTY_ROOT = sha256(b"")


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    at = _split(len(leaves))
    return node(root(leaves[:at]), root(leaves[at:]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves), deepest hash first."""
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return inclusion_proof(leaves[:at], index) + [root(leaves[at:])]
    return inclusion_proof(leaves[at:], index - at) + [root(leaves[:at])]


def verify_inclusion(hash_: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        return False
    at, last, value = index, size - 1, hash_
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = node(sibling, value)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            value = node(value, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and value == expected


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """PROOF(old, leaves); empty from size 0 and between equal sizes (06 section 1)."""
    if old in (0, len(leaves)):
        return []
    return _subproof(leaves, old, True)


def _subproof(leaves: Sequence[bytes], old: int, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    at = _split(len(leaves))
    if old <= at:
        return _subproof(leaves[:at], old, whole) + [root(leaves[at:])]
    return _subproof(leaves[at:], old - at, False) + [root(leaves[:at])]


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2, with the two choices of 06 section 1."""
    if old > new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node(sibling, first), node(sibling, second)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            second = node(second, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root
