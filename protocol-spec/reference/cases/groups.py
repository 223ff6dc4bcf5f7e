"""Which cases lie in which file of `protocol-spec/vectors/`."""

from collections.abc import Callable

from . import (
    Case,
    bad_to_member,
    bad_to_server,
    clips,
    graphs,
    noise_layers,
    own_part,
    primitives,
    protocol,
    rounds,
    signers,
    wire,
)

GROUPS: dict[str, Callable[[], list[Case]]] = {
    "hashes": primitives.hashes,
    "signatures": primitives.signatures,
    "agreement": primitives.agreement,
    "scalars": primitives.scalars,
    "shamir": primitives.shamir,
    "packing": primitives.packing,
    "keystream": primitives.keystream,
    "rotation": primitives.rotation,
    "graph": graphs.graphs,
    "manifest": protocol.manifests,
    "clip": clips.clips,
    "roster": protocol.rosters,
    "keys": protocol.key_agreement,
    "kem": protocol.kem,
    "shares": protocol.shares,
    "sharers": protocol.sharers,
    "upload": protocol.uploads,
    "statement": protocol.statements,
    "noise": noise_layers.noise_layers,
    "signers": signers.cases,
    "wire": wire.wire,
    "parts": wire.in_parts,
    "hello": wire.hellos,
    "rounds": rounds.rounds,
    "to-member": lambda: [*bad_to_member.to_member(), *own_part.to_member()],
    "to-server": bad_to_server.to_server,
}
