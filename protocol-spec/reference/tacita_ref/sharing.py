"""Dealing, opening and revealing shares (02 sections 3.4, 3.5, 3.8)."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import ed25519, labels, merkle, scalar
from .messages import RevealedShare, ShareRoot
from .refusal import Refused, require
from .tagged import tagged_hash, u64

SELF, MASK, MASK_CIPHERTEXT, SHARE_CIPHERTEXT = 0, 1, 2, 3
MAX_PROOF = 12
# Of the round's other trees.
MAX_ROUND_PROOF = 14
# Leaves of a dealer's tree for each holder.
LEAVES = 4


@dataclass(frozen=True)
class Place:
    """Whose share it is, and who holds it."""

    manifest: bytes
    roster: bytes
    dealer: int
    holder: int

    def share_leaf(self, kind: int, share: bytes) -> bytes:
        """Kinds 0 and 1; the abscissa is the holder's index + 1."""
        places = (u64(self.dealer), u64(self.holder), u64(kind), u64(self.holder + 1))
        return merkle.leaf(tagged_hash(labels.SHARE_LEAF, self.manifest, self.roster, *places, share))

    def ciphertext_leaf(self, kind: int, ciphertext: bytes) -> bytes:
        """Kinds 2 and 3."""
        places = (u64(self.dealer), u64(self.holder), u64(kind))
        return merkle.leaf(
            tagged_hash(labels.CIPHERTEXT_LEAF, self.manifest, self.roster, *places, ciphertext)
        )


def root_digest(m: bytes, r: bytes, dealer: int, root: bytes, commitment: bytes) -> bytes:
    return tagged_hash(labels.SHARE_ROOT, m, r, u64(dealer), root, commitment)


def verify_root(key: bytes, m: bytes, r: bytes, dealer: int, share_root: ShareRoot) -> bool:
    digest = root_digest(m, r, dealer, share_root.root, share_root.self_commitment)
    return ed25519.verify(key, labels.SHARE_ROOT, digest, share_root.signature)


def tree(quads: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Leaves 4p .. 4p + 3 of every holder, in order."""
    return [leaf for quad in quads for leaf in quad]


def pair_path(leaves: Sequence[bytes], position: int) -> list[bytes]:
    """Inclusion path of the node over leaves 4p and 4p + 1: the proof of leaf 4p without its first hash."""
    return merkle.inclusion_proof(leaves, LEAVES * position)[1:]


def root_from_pairs(pairs: Sequence[bytes], ciphertexts: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The root over, for each holder, the node of its share leaves and its two ciphertext leaves."""
    return merkle.root(
        [merkle.node(pair, merkle.node(*leaves)) for pair, leaves in zip(pairs, ciphertexts, strict=True)]
    )


def seal(key: bytes, m: bytes, plain: bytes) -> bytes:
    """AES-256-GCM, nonce 12 zero bytes, associated data M. A key seals one box."""
    return AESGCM(key).encrypt(bytes(12), plain, m)


@dataclass(frozen=True)
class Pair:
    """Two shares held for one dealer, of which one may be revealed."""

    place: Place
    self_share: bytes
    mask_share: bytes
    path: tuple[bytes, ...]

    def reveal(self, kind: int) -> RevealedShare:
        """The other leaf of the pair, then the path from the box."""
        shares = (self.self_share, self.mask_share)
        sibling = self.place.share_leaf(1 - kind, shares[1 - kind])
        return RevealedShare(dealer=self.place.dealer, value=shares[kind], path=[sibling, *self.path])


def open_plain(plain: bytes, place: Place, position: int, holders: int, root: bytes) -> Pair:
    """Checks an opened box (02 section 3.5): scalars, whole hashes, and the way to the dealer's root."""
    require(len(plain) >= 64 and len(plain) % 32 == 0, "box", "length")
    self_share, mask_share = plain[:32], plain[32:64]
    path = [plain[at : at + 32] for at in range(64, len(plain), 32)]
    require(len(path) < MAX_PROOF, "box", "path")
    try:
        scalar.decode(self_share)
        scalar.decode(mask_share)
    except Refused as error:
        raise Refused("box", "scalar") from error
    leaf = place.share_leaf(SELF, self_share)
    proof = [place.share_leaf(MASK, mask_share), *path]
    require(merkle.verify_inclusion(leaf, LEAVES * position, LEAVES * holders, proof, root), "box", "path")
    return Pair(place, self_share, mask_share, tuple(path))


def open_box(key: bytes, ciphertext: bytes, place: Place, holders: Sequence[int], root: bytes) -> Pair:
    """Opens one box, or refuses with the word `box`: the dealer is then a suspect, and nothing else follows."""
    require(place.holder in holders, "box", "not a holder")
    try:
        plain = AESGCM(key).decrypt(bytes(12), ciphertext, place.manifest)
    except (InvalidTag, ValueError) as error:
        raise Refused("box", "tag") from error
    return open_plain(plain, place, holders.index(place.holder), len(holders), root)


def check_revealed(share: RevealedShare, place: Place, kind: int, holders: Sequence[int], root: bytes) -> int:
    """TAC-073: a canonical scalar and, as leaf 4p or 4p + 1, under the dealer's root."""
    require(place.holder in holders and len(share.path) <= MAX_PROOF, "TAC-073")
    index = LEAVES * holders.index(place.holder) + kind
    leaf = place.share_leaf(kind, share.value)
    require(merkle.verify_inclusion(leaf, index, LEAVES * len(holders), share.path, root), "TAC-073")
    try:
        return scalar.decode(share.value)
    except Refused as error:
        raise Refused("TAC-073", "scalar") from error
