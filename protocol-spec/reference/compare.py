"""Computes every message of the rounds that the Rust side ran, and compares byte for byte (10-vectors section 4).

Reads from standard input what `cargo run -p tacita-sim --example transcript` prints: the cast, then one round a line.
"""

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tacita_ref import bitmap, messages
from tacita_ref.cast import Actor, Cast
from tacita_ref.certificates import load
from tacita_ref.messages import Certificates, Invitation, RevealRequest
from tacita_ref.tagged import sha256
from tacita_ref.world import STEPS, Setup, World

Json = dict[str, Any]
b = bytes.fromhex
_CAST: list[Cast] = []


def read_cast(given: Json) -> Cast:
    root = b(given["root"])

    def actor(of: Json) -> Actor:
        return Actor(load(b(of["certificate"]), root, "certificate"), b(of["seed"]))

    return Cast(
        root,
        b"",
        b(given["deny_list"]),
        actor(given["server"]),
        given["origin"],
        b(given["log_seed"]),
        [actor(member) for member in given["members"]],
        given["now"],
    )


class _Choices:
    """What the pages leave to the server: read from what it said."""

    def __init__(self, said: Sequence[Json]) -> None:
        self._said = said

    def _to(self, step: str, member: int, kind: type) -> Iterator[Any]:
        for line in self._said:
            if line["step"] == step and line.get("to") == member:
                message = messages.read(messages.SERVER, b(line["bytes"]))
                if isinstance(message, kind):
                    yield message

    def shown(self, size: Callable[[], int]) -> Callable[[int], list[int] | None]:
        def of(member: int) -> list[int] | None:
            for message in self._to("reveal", member, RevealRequest):
                return bitmap.decode(size(), message.signers, "TAC-054")
            return None

        return of

    def certificates(self, index: Callable[[bytes], int]) -> Callable[[str, int], list[int] | None]:
        def of(step: str, member: int) -> list[int] | None:
            for message in self._to(step, member, Certificates):
                return [index(sha256(der)) for der in message.list]
            return None

        return of


# Of so many rounds each kind must be there at least once.
ENOUGH = 200


def kinds(given: Json) -> list[str]:
    """What sort of a round it is."""
    first = messages.read(messages.SERVER, b(given["messages"][0]["bytes"]))
    assert isinstance(first, Invitation)
    m = first.manifest
    found = [
        ("no noise", "Skellam noise", "discrete Gaussian noise")[m.mechanism],
        ("X25519 alone", "ML-KEM")[m.key_agreement],
        ("client unit", "record unit")[m.unit],
        "complete graph" if m.neighbours == m.cohort - 1 else "ring",
        *(f"silent from {step}" for step in sorted(set(given["silent"].values()))),
    ]
    for name, there in (
        ("noise levels", m.noise_levels),
        ("weights", m.weighting),
        ("metrics", m.metrics),
        ("adaptive clip", m.adaptive_clip),
        ("clip norm of a second round", first.previous),
        ("nobody silent", not given["silent"]),
    ):
        if there:
            found.append(name)
    return found


KINDS = (
    *("no noise", "Skellam noise", "discrete Gaussian noise", "noise levels"),
    *("X25519 alone", "ML-KEM", "client unit", "record unit", "complete graph", "ring"),
    *("weights", "metrics", "adaptive clip", "clip norm of a second round", "nobody silent"),
    *(f"silent from {step}" for step in STEPS),
)


def compare(line: str) -> str | None:
    """What differs in one round, or nothing."""
    given, cast = json.loads(line), _CAST[0]
    said = given["messages"]
    first = messages.read(messages.SERVER, b(said[0]["bytes"]))
    assert isinstance(first, Invitation)
    choices = _Choices(said)
    world: World

    def index(fingerprint: bytes) -> int:
        prints = [m.certificate.fingerprint for m in world.server.members]
        return prints.index(fingerprint)

    setup = Setup(
        cast=cast,
        members=given["members"],
        manifest=first.manifest,
        model=b(given["model"]),
        tapes=given["tapes"],
        encoded={member: values for member, values in enumerate(given["encoded"]) if values is not None},
        silent={int(member): step for member, step in given["silent"].items()},
        prior=[b(entry) for entry in given["prior"]],
        remembered=given["remembered"],
        shown=choices.shown(lambda: world.server.size),
        certificates=choices.certificates(index),
    )
    world = World(setup)
    world.run()
    for number, (ours, theirs) in enumerate(zip(world.sent, said, strict=False)):
        direction = "to" if ours.to_member else "from"
        where = f"round {given['round']}, message {number}: {ours.step} {direction} {ours.member}"
        if (ours.step, ours.member) != (theirs["step"], theirs.get(direction)):
            return f"{where}, but {theirs['step']} {theirs.get('to', theirs.get('from'))} there"
        if ours.data.hex() != theirs["bytes"]:
            return f"{where}: {len(ours.data)} bytes differ"
    if len(world.sent) != len(said):
        return f"round {given['round']}: {len(world.sent)} messages, {len(said)} there"
    if world.sum() != given["sum"] or world.survivors() != given["survivors"]:
        return f"round {given['round']}: sum or survivors differ"
    return None


def main() -> int:
    start = time.monotonic()
    _CAST.append(read_cast(json.loads(sys.stdin.readline())))
    rounds = differing = size = 0
    seen: Counter[str] = Counter()
    workers = min(4, os.cpu_count() or 1)
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        lines = (line for line in sys.stdin if line.strip())

        def counted() -> Iterator[str]:
            nonlocal size
            for line in lines:
                given = json.loads(line)
                size += sum(len(said["bytes"]) // 2 for said in given["messages"])
                seen.update(kinds(given))
                yield line

        for difference in pool.imap(compare, counted()):
            rounds += 1
            if difference is not None:
                differing += 1
                print(difference, file=sys.stderr)
    seconds = time.monotonic() - start
    print(f"{rounds} rounds, {size} bytes of messages, {differing} rounds differ ({seconds:.0f} s)")
    print(", ".join(f"{seen[kind]} {kind}" for kind in KINDS))
    missing = [kind for kind in KINDS if not seen[kind]] if rounds >= ENOUGH else []
    if missing:
        print(f"no round with {', '.join(missing)}", file=sys.stderr)
    return 1 if differing or missing or not rounds else 0


if __name__ == "__main__":
    sys.exit(main())
