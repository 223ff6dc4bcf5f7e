"""Messages larger than a frame (05 section 3): `shares`, `roster`, `sharers` and `sampled request` travel in parts."""

from .messages import MAX_FRAME, MAX_MESSAGE
from .refusal import require
from .tls import MALFORMED, Reader

FROM_MEMBER, FROM_SERVER = 9, 75
_DIVISIBLE = (3, 68, 69, 78)
# Bytes of the message in a part that fills its frame: kind, last and length take six.
_FULL = MAX_FRAME - 6


def frames(message: bytes, kind: int) -> list[bytes]:
    """The frames of a message: itself, or parts."""
    if len(message) <= MAX_FRAME:
        return [message]
    cut = [message[at : at + _FULL] for at in range(0, len(message), _FULL)]
    return [
        bytes([kind, int(number == len(cut) - 1)]) + len(part).to_bytes(4, "big") + part
        for number, part in enumerate(cut)
    ]


def assemble(frames_: list[bytes], room: int) -> list[bytes]:
    """The messages of a series of frames, where no more than `room` bytes are taken in parts."""
    out: list[bytes] = []
    held = b""
    for frame in frames_:
        require(frame != b"", MALFORMED, "empty")
        if frame[0] not in (FROM_MEMBER, FROM_SERVER):
            require(held == b"", MALFORMED, "something between two parts")
            out.append(frame)
            continue
        reader = Reader(frame[1:])
        last = reader.take(1)[0]
        held += (part := reader.take(int.from_bytes(reader.take(4), "big")))
        require(reader.is_empty(), MALFORMED, "bytes behind a part")
        require(len(held) <= min(room, MAX_MESSAGE), MALFORMED, "too long")
        require(held[:1] in [bytes([kind]) for kind in _DIVISIBLE], MALFORMED, "never divided")
        if last == 0:
            require(len(part) == _FULL, MALFORMED, "not full")
            continue
        require(last == 1 and 0 < len(part) <= _FULL and len(held) > MAX_FRAME, MALFORMED, "last part")
        out.append(held)
        held = b""
    require(held == b"", MALFORMED, "parts missing")
    return out
