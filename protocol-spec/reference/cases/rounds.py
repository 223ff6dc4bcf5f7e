"""Whole rounds: members 0, 1, ... of the cast each contribute one unit vector, so that the sum can be read by eye."""

from tacita_ref import encoding, ledger_entries, merkle, noise, statement
from tacita_ref.manifest import Checked, Manifest, check
from tacita_ref.tagged import sha256
from tacita_ref.tape import Tape

from . import Case, Json
from .settings import MODEL, a_manifest, beside, leveled, skellam, unit_update


# Half of the updates, step 0.2, from 0.6, at most 0.64: where a round with too few within 0.6 leads.
CLIP_RULE = "0.5,0.3,0.6,0.01,0.64"


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
    tapes = [f"tacita vectors/{name}/member {member}" for member in range(n)]
    given: Json = {
        "members": n,
        "manifest": m.encode().hex(),
        "model": MODEL.hex(),
        "tapes": tapes,
        "hot": [member % m.dimension for member in range(n)],
        "encoded": [
            _noised(checked, encoding.encode(update, checked), tape)
            for update, tape in zip(updates, tapes, strict=True)
        ],
        "silent": {str(member): step for member, step in (silent or {}).items()},
        "prior": [entry.hex() for entry in prior],
        "remembered": remembered or [],
        "whole": whole,
    }
    return Case(name, "round", given)


def _noised(checked: Checked, encoded: list[int], tape: str) -> list[int]:
    """With the noise that a member draws from the tape beside its own."""
    share = checked.fields.share_variance_q16
    if share == 0:
        return encoded
    drawn = noise.whole(checked.levels, share, Tape(tape + "/noise").read(64), len(encoded))
    return [a + b for a, b in zip(encoded, drawn, strict=True)]


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


def clip_history(
    task: bytes = b"sim", round_: int = 1, within: str = "0.25", rule: str = CLIP_RULE
) -> list[bytes]:
    """A round of a task with a clip rule, of whose updates that share was within 0.6."""
    m = beside(4, 1, 3, rule=rule, task=task, round=round_, update_clip=b"0.6", clip=b"0.9375")
    checked = check(m.replace(round_id=bytes([3]) * 32))
    time = 1_799_999_000
    reserved = ledger_entries.reserve(checked, time)
    stated = statement.digest(checked.digest, bytes(32), bytes(32), 4, b"\x0f")
    charged = ledger_entries.charge(checked, bytes(32), bytes(32), 4, b"\x0f", stated, bytes(32), time)
    figures = {
        "federated_accuracy": "0.500000",
        "federated_loss": "2.000000",
        "federated_error": "0.001000",
        "within_clip": within,
    }
    done = ledger_entries.outcome(checked, 4, 4, 0, bytes(32), bytes(32), figures, time)
    return [ledger_entries.encode(entry) for entry in (reserved, charged, done)]


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
    # Adaptive clipping with metrics: a first round, and a second one whose clip norm follows from the first.
    cases += [
        _round("beside-4", beside(4, 1, 3, kem=0), whole=True),
        # Members whose update lies in what is beside it.
        _round("beside-16", beside(16, 1, 14, kem=0)),
        _round(
            "beside-4-second-round",
            beside(4, 1, 3, kem=0, round=2, rule=CLIP_RULE),
            prior=clip_history(),
        ),
    ]
    # Noise of about the clip norm, and levels at 1 and 3 drop-outs of 7.
    share = 500_000 << 16
    seven = leveled(7, 0, 4, share, [1, 3], kem=0)
    cases += [
        _round("noise-5", skellam(5, 1, 4, share, kem=0)),
        _round("levels-7", seven, whole=True),
        _round("levels-7-first-level", seven, silent={2: "sharers"}),
        _round("levels-7-last-level", seven, silent={2: "sharers", 4: "roster"}),
        _round("levels-7-one-keeps-its-surplus", seven, silent={3: "reveal"}),
        _round("levels-5", leveled(5, 1, 4, share, [1], kem=0), whole=True),
    ]
    return cases
