"""From shares to the sum (02 section 3.9)."""

from collections.abc import Mapping, Sequence

from . import keys, mlkem, shamir, x25519
from .keys import End
from .manifest import Checked
from .messages import ShareRoot
from .refusal import Aborted
from .ring import add, prg


def secret(shares: Mapping[int, int], threshold: int) -> int:
    """The secret from the shares of the t lowest holders; `shares` by holder."""
    if len(shares) < threshold:
        raise Aborted(f"{len(shares)} shares, {threshold} are needed")
    holders = sorted(shares)[:threshold]
    return shamir.interpolate([h + 1 for h in holders], [shares[h] for h in holders])


def survivor_key(m: bytes, r: bytes, dealer: int, s: int, share_root: ShareRoot) -> bytes:
    """Self key of a survivor whose secret matches its commitment."""
    if keys.self_commitment(m, r, dealer, s) != share_root.self_commitment:
        raise Aborted(f"dealer {dealer} is dishonest: self-mask secret")
    return keys.self_key(m, r, s)


def dropout_keys(
    checked: Checked,
    r: bytes,
    a: int,
    dropout: End,
    peers: Sequence[End],
    ciphertexts: Mapping[int, bytes],
) -> dict[int, bytes]:
    """Pair keys of a drop-out with the survivors next to it. `ciphertexts` holds, by peer, the one ciphertext of the
    pair: made by the drop-out if its fingerprint is the smaller, else by the peer."""
    m, g = checked.digest, checked.fields.model_digest
    private = keys.mask_private_key(m, a)
    if x25519.public_key(private) != dropout.mask_key:
        raise Aborted(f"dealer {dropout.index} is dishonest: mask key")
    kem_private = b""
    if checked.post_quantum:
        kem_key, kem_private = keys.mask_kem_pair(m, a)
        if kem_key != dropout.mask_kem_key:
            raise Aborted(f"dealer {dropout.index} is dishonest: mask KEM key")
    out = {}
    for peer in peers:
        shared, ciphertext = b"", b""
        if checked.post_quantum:
            ciphertext = ciphertexts[peer.index]
            if dropout.fingerprint < peer.fingerprint:
                shared, again = keys.mask_encapsulation(m, r, a, peer.fingerprint, peer.mask_kem_key)
                if again != ciphertext:
                    raise Aborted(f"dealer {dropout.index} is dishonest: mask ciphertext")
            else:
                shared = mlkem.decapsulate(kem_private, ciphertext)
        dh = x25519.agree(private, peer.mask_key)
        out[peer.index] = keys.pair_key(m, g, r, dh, shared, dropout, peer, ciphertext)
    return out


def remove_self_mask(total: list[int], key: bytes, bits: int) -> None:
    add(total, prg(key, bits, len(total)), bits, -1)


def remove_pair_mask(total: list[int], key: bytes, bits: int, survivor: int, dropout: int) -> None:
    """Subtract where the survivor had added: where its index is the lower."""
    add(total, prg(key, bits, len(total)), bits, -1 if survivor < dropout else 1)
