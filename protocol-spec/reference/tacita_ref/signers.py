"""The list of signers above n = 1,000, and the sample drawn from it (02 section 3.8)."""

from collections.abc import Sequence

from . import bitmap, labels, merkle
from .refusal import require
from .sharing import MAX_ROUND_PROOF
from .tagged import tagged_hash
from .tape import Tape

SAMPLE = 66
UNSAMPLED_COHORT = 1000


def leaf(index: int, signature: bytes) -> bytes:
    return merkle.leaf(index.to_bytes(2, "big") + signature)


def root(signatures: dict[int, bytes]) -> bytes:
    """Over all that signed, by rising index."""
    return merkle.root([leaf(index, signatures[index]) for index in sorted(signatures)])


def digest(s: bytes, signers: bytes, root_: bytes) -> bytes:
    """What a client's record keeps of the list."""
    return tagged_hash(labels.SIGNERS, s, signers, root_)


def check_list(
    size: int,
    signers: bytes,
    survivors: Sequence[int],
    m: int,
    near: Sequence[int],
    t: int,
    fixed: bytes | None = None,
) -> list[int]:
    """The signers of a list that a client may fix, whose record holds `fixed` for this round."""
    listed = bitmap.decode(size, signers, "TAC-080")
    require(set(listed) <= set(survivors), "TAC-080", "not within U2")
    require(len(listed) >= m, "TAC-055")
    require(len(set(near) & set(listed)) >= t, "TAC-056")
    require(fixed is None, "TAC-081")
    return listed


def draw(listed: Sequence[int], tape: Tape) -> list[int]:
    """66 signers, rising."""
    count = len(listed)
    bound = 2**32 // count * count
    drawn: set[int] = set()
    while len(drawn) < SAMPLE:
        word = int.from_bytes(tape.read(4), "little")
        if word < bound:
            drawn.add(listed[word % count])
    return sorted(drawn)


def shown(listed: Sequence[int], drawn: Sequence[int], near: Sequence[int], t: int) -> list[int]:
    """Whose signatures a client is shown: those drawn, and its t lowest neighbours in the list."""
    return sorted({*drawn, *[i for i in sorted(near) if i in set(listed)][:t]})


def check_draws(listed: Sequence[int], drawn: Sequence[int]) -> None:
    """At the server."""
    rising = all(a < b for a, b in zip(drawn, drawn[1:], strict=False))
    require(len(drawn) == SAMPLE and rising and set(drawn) <= set(listed), "TAC-083")


def check_shown(
    listed: Sequence[int],
    root_: bytes,
    expected: Sequence[int],
    size: int,
    signers: bytes,
    signatures: Sequence[bytes],
    proofs: Sequence[Sequence[bytes]],
) -> None:
    """Exactly those expected, each under the root at its rank."""
    require(signers == bitmap.encode(size, expected), "TAC-082", "not those drawn")
    require(len(signatures) == len(proofs) == len(expected), "TAC-082", "count")
    for index, signature, proof in zip(expected, signatures, proofs, strict=True):
        rank = listed.index(index)
        under = len(proof) <= MAX_ROUND_PROOF and merkle.verify_inclusion(
            leaf(index, signature), rank, len(listed), proof, root_
        )
        require(under, "TAC-082")
