"""The known answers of 02 section 8, by the names of its table."""

from pathlib import Path

from tacita_ref import (
    advertisement,
    ed25519,
    keys,
    labels,
    ring,
    roster,
    scalar,
    sharers,
    sharing,
    statement,
    upload,
    x25519,
)
from tacita_ref.messages import Advertise
from tacita_ref.tagged import sha256, tagged_hash

_PAGE = Path(__file__).resolve().parents[2] / "02-round.md"


def _b(value: int) -> bytes:
    return bytes([value]) * 32


M, R, G, F1, F2 = _b(0x11), _b(0x22), _b(0x33), _b(0x44), _b(0x55)
_SEED = _b(7)


def page() -> dict[str, str]:
    """The table as the page prints it."""
    rows = {}
    for line in _PAGE.read_text().split("\n## 8. ")[1].splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[3].startswith("`"):
            rows[cells[1]] = cells[3].strip("`")
    return rows


def answers() -> dict[str, str]:
    """The same values, computed."""
    five, six = keys.mask_key(M, 5), keys.mask_key(M, 6)
    kem_five, kem_six = keys.mask_kem_pair(M, 5)[0], keys.mask_kem_pair(M, 6)[0]
    advertise = Advertise(
        mask_key=five,
        share_key=six,
        mask_kem_key=kem_five,
        share_kem_key=kem_six,
        nonce=_b(0x66),
        signature=bytes(64),
    )
    place = sharing.Place(M, R, 2, 7)
    dh = x25519.agree(keys.mask_private_key(M, 5), six)
    secret, ciphertext = keys.mask_encapsulation(M, R, 5, F2, kem_six)
    low = keys.End(2, F1, five, five, kem_five, kem_five)
    high = keys.End(7, F2, six, six, kem_six, kem_six)
    box_key = keys.box_key(M, R, dh, secret, low, high, ciphertext)
    plain = scalar.encode(9) + scalar.encode(10) + _b(0xAA)
    pair_key = keys.pair_key(M, G, R, dh, secret, low, high, ciphertext)
    stream = b"".join(word.to_bytes(4, "little") for word in ring.prg(pair_key, 32, 4))
    survivors = bytes.fromhex("fb01")
    s = statement.digest(M, R, _b(0xCC), 9, survivors)
    found = {
        "rotation seed": tagged_hash(labels.ROTATION_SEED, M),
        "mask key of scalar 5": five,
        "mask key of scalar 6": six,
        "SHA-256 of the mask KEM key of scalar 5": sha256(kem_five),
        "SHA-256 of the mask KEM key of scalar 6": sha256(kem_six),
        "advertisement digest": advertisement.digest(M, F1, advertise),
        "advertisement signature": advertisement.sign(_SEED, M, F1, advertise).signature,
        "roster root": roster.root([_b(1), _b(2), _b(3)], _b(0x77)),
        "self-mask key": keys.self_key(M, R, 5),
        "self commitment": keys.self_commitment(M, R, 2, 5),
        "self-share leaf": place.share_leaf(sharing.SELF, scalar.encode(9)),
        "mask-share leaf": place.share_leaf(sharing.MASK, scalar.encode(9)),
        "SHA-256 of the mask ciphertext": sha256(ciphertext),
        "derivation input of the pair": dh + secret,
        "mask-ciphertext leaf": place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, ciphertext),
        "share-ciphertext leaf": place.ciphertext_leaf(sharing.SHARE_CIPHERTEXT, b""),
        "share-root digest": sharing.root_digest(M, R, 2, _b(0x88), _b(0x99)),
        "box key": box_key,
        "box": sharing.seal(box_key, M, plain),
        "pair key": pair_key,
        "pair keystream": stream,
        "sharers digest": sharers.digest(9, survivors, _b(0xBB)),
        "upload digest": upload.digest(M, R, _b(0xCC), 2, [3, 7], [b"packed"]),
        "statement": s,
        "statement signature": ed25519.sign(_SEED, labels.STATEMENT_SIGNATURE, s),
    }
    return {name: value.hex() for name, value in found.items()}


def differing() -> list[str]:
    """Rows that the page and the reference do not share, or not with the same value."""
    printed, found = page(), answers()
    return [name for name in {**printed, **found} if printed.get(name) != found.get(name)]
