"""The operations of vector files that need whole rounds (10-vectors section 3)."""

from functools import lru_cache
from typing import Any

from . import cast as casts
from . import encoding, messages
from .cast import Cast
from .client import Policy
from .manifest import Manifest
from .messages import Model
from .refusal import Refused
from .tagged import sha256
from .tls import Struct, decode
from .world import Sent, Setup, Unusual, World

Json = dict[str, Any]
b = bytes.fromhex


@lru_cache
def the_cast(size: int, text: str) -> Cast:
    return casts.make(size, text)


def cast_json(cast: Cast) -> Json:
    """The cast in the form of `cast.json`."""
    return {
        "now": cast.now,
        "root": cast.root.hex(),
        "root_seed": cast.root_seed.hex(),
        "deny_list": cast.deny_list.hex(),
        "origin": cast.origin,
        "log_seed": cast.log_seed.hex(),
        "server": {"certificate": cast.server.certificate.der.hex(), "seed": cast.server.seed.hex()},
        "members": [{"certificate": m.certificate.der.hex(), "seed": m.seed.hex()} for m in cast.members],
    }


def setup_of(given: Json, cast: Cast) -> Setup:
    """A round from the `in` of a case."""
    return Setup(
        cast=cast,
        members=given["members"],
        manifest=decode(Manifest.read, b(given["manifest"])),
        model=b(given["model"]),
        tapes=given["tapes"],
        encoded=dict(enumerate(given["encoded"])),
        silent={int(member): step for member, step in given["silent"].items()},
        prior=[b(entry) for entry in given["prior"]],
        remembered=given["remembered"],
    )


def sent_json(sent: Sent, whole: bool) -> Json:
    direction = "to" if sent.to_member else "from"
    data = {"bytes": sent.data.hex()} if whole else {"sha256": sha256(sent.data).hex()}
    return {"step": sent.step, direction: sent.member, **data}


def run_round(given: Json, cast: Cast) -> Json:
    """A round to its end."""
    world = World(setup_of(given, cast))
    world.run()
    survivors = world.survivors()
    mean = encoding.decode(world.server.total, world.checked, len(survivors))
    return {
        "messages": [sent_json(sent, given["whole"]) for sent in world.sent],
        "survivors": survivors,
        "sum": world.sum(),
        "mean": [round(value, 9) + 0.0 for value in mean],
    }


def at_step(given: Json, cast: Cast, step: str) -> World:
    """A round in which everything before `step` has happened."""
    world = World(setup_of(given, cast))
    world.run(until=step)
    world.open(step)
    return world


def to_member(given: Json, base: Json, cast: Cast) -> Json:
    """One message to one member in place of the server's own of that kind."""
    world = at_step(base, cast, given["step"])
    member, step = given["member"], given["step"]
    client = world.clients[member]
    if given.get("require_post_quantum"):
        client.me.policy = Policy()
    if "spent" in given:
        client.me.spent.add(b(given["spent"]))
    client.me.budget = not given.get("no_budget")
    message = messages.read(messages.SERVER, b(given["message"]))
    if not given.get("withheld"):
        for ahead in world.said_to(member, step):
            if type(ahead) is type(message):
                if given.get("answered"):
                    world.hear(member, ahead)
                break
            if isinstance(ahead, Model):
                break
            world.hear(member, ahead)
    prepared = decode(Manifest.read, b(given["prepared_for"])).digest() if "prepared_for" in given else None
    unusual = Unusual(
        model=b(given["model"]) if "model" in given else None,
        made_for=prepared,
        signed=b(given["signed"]) if "signed" in given else None,
    )
    answers = world.hear(member, message, unusual)
    return {"answers": [messages.encode(answer).hex() for answer in answers]}


def to_server(given: Json, base: Json, cast: Cast) -> Json:
    """Messages to the server: those `before` must be taken, the last one is judged."""
    step = given["step"]
    world = at_step(base, cast, step)
    for earlier in given["before"]:
        try:
            world.receive(earlier["from"], messages.read(messages.CLIENT, b(earlier["bytes"])), step)
        except Refused as refused:
            raise ValueError(f"refused before: {refused}") from refused
    world.receive(given["member"], messages.read(messages.CLIENT, b(given["message"])), step)
    blamed = world.server.blamed if step == "reveal" else []
    return {"blamed": sorted(set(blamed))}
