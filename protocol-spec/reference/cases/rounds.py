"""Whole rounds: members 0, 1, ... of the cast each contribute one unit vector, so that the sum can be read by eye."""

from tacita_ref import encoding, ledger_entries, merkle
from tacita_ref.manifest import Manifest, check
from tacita_ref.tagged import sha256

from . import Case, Json
from .settings import MODEL, a_manifest, unit_update


def _round(
    name: str,
    m: Manifest,
    silent: dict[int, str] | None = None,
    whole: bool = False,
    prior: list[bytes] | None = None,
    remembered: list[int] | None = None,
) -> Case:
    prior = prior or []
    m = m.replace(
        ledger_size=len(prior),
        ledger_root=merkle.root([merkle.leaf(e) for e in prior]),
        round_id=sha256(name.encode()),
    )
    checked = check(m)
    n = m.cohort
    updates = [unit_update(member, m.dimension) for member in range(n)]
    given: Json = {
        "members": n,
        "manifest": m.encode().hex(),
        "model": MODEL.hex(),
        "tapes": [f"tacita vectors/{name}/member {member}" for member in range(n)],
        "hot": [member % m.dimension for member in range(n)],
        "encoded": [encoding.encode(update, checked) for update in updates],
        "silent": {str(member): step for member, step in (silent or {}).items()},
        "prior": [entry.hex() for entry in prior],
        "remembered": remembered or [],
        "whole": whole,
    }
    return Case(name, "round", given)


def _history() -> list[bytes]:
    """Two attempts that were given up."""
    entries = []
    for attempt in (1, 2):
        checked = check(a_manifest(4, 1, 3, round_id=bytes([attempt]) * 32))
        entries.append(ledger_entries.encode(ledger_entries.reserve(checked, 1_799_999_000 + attempt)))
        release = {
            "kind": "release",
            "version": 1,
            "round": 1,
            "round_id": checked.fields.round_id.hex(),
            "time": 1_799_999_000 + attempt,
            "reason": "too few clients joined: 2 of 3",
        }
        entries.append(ledger_entries.encode(release))
    return entries


def rounds() -> list[Case]:
    four = a_manifest(4, 1, 3)
    plain = a_manifest(4, 1, 3, kem=0)
    cases = [
        _round("complete-4", four, whole=True),
        _round("complete-4-x25519", plain, whole=True),
        _round("smallest", a_manifest(3, 0, 2, kem=0, dimension=3), whole=True),
        _round("complete-4-history", plain, prior=_history(), remembered=[4, 0, 1, 3]),
        _round("complete-4-wide", plain.replace(bits=47)),
        _round("complete-5-blocks", a_manifest(5, 1, 4, kem=0, dimension=40, block=16, padded=48)),
        _round("complete-5-chunks", a_manifest(5, 1, 4, kem=0, dimension=200)),
    ]
    for step in ("invite", "roster", "sharers", "agree", "reveal", "outcome"):
        cases.append(_round(f"complete-4-silent-from-{step}", four, silent={1: step}))
    cases += [
        _round("complete-7-two-silent", a_manifest(7, 1, 5), silent={2: "sharers", 5: "sharers"}),
        _round(
            "complete-7-all-sorts", a_manifest(7, 0, 4, kem=0), silent={0: "roster", 3: "sharers", 6: "agree"}
        ),
        _round("ring-66", a_manifest(66, 1, 64, kem=0, dimension=64), silent={3: "sharers", 40: "reveal"}),
        _round("ring-66-ml-kem", a_manifest(66, 1, 64, dimension=64), silent={9: "sharers", 10: "roster"}),
    ]
    return cases
