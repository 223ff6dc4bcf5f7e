"""The ledger's entries as canonical JSON (06 section 4)."""

import json
import re
from typing import Any

from . import bitmap, layout
from .manifest import Checked
from .refusal import Refused, require

Entry = dict[str, Any]


def encode(entry: Entry) -> bytes:
    """One text for one entry: keys in ascending byte order, no white space."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def decode(data: bytes, rule: str) -> Entry:
    """Refuses any other spelling with `rule`."""
    try:
        entry = json.loads(data)
        require(isinstance(entry, dict) and encode(entry) == data, rule, "not canonical")
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(rule, "not JSON") from error
    for value in entry.values():
        fine = (
            value is None
            or (type(value) is int and 0 <= value <= 2**53 - 1)
            or (isinstance(value, str) and re.fullmatch(r"[ !#-\[\]-~]*", value) is not None)
        )
        require(fine, rule, "not canonical")
    result: Entry = entry
    return result


def reserve(checked: Checked, time: int) -> Entry:
    """The manifest entry."""
    f = checked.fields
    entry = {
        "kind": "manifest",
        "version": 1,
        "task": f.task.decode(),
        "round": f.round,
        "round_id": f.round_id.hex(),
        "manifest_digest": checked.digest.hex(),
        "time": time,
        "cohort": f.cohort,
        "minimum_survivors": f.minimum_survivors,
        "colluders": f.colluders,
        "neighbours": f.neighbours,
        "threshold": f.threshold,
        "quorum": f.quorum,
        "bits": f.bits,
        "dimension": f.dimension,
        "padded": f.padded,
        "clip": f.clip.decode(),
        "grid": f.grid,
        "mechanism": ("none", "skellam", "discrete-gaussian")[f.mechanism],
        "share_variance_q16": str(f.share_variance_q16),
        "noise_levels": ",".join(str(level.dropouts) for level in f.noise_levels) or None,
        "update_clip": f.update_clip.decode() or None,
        "metrics": next((f"{m.scale.decode()},{m.loss_cap.decode()}" for m in f.metrics), None),
        "clip_rule": next((clip.rule.decode() for clip in f.adaptive_clip), None),
        "count_scale": next((clip.count_scale.decode() for clip in f.adaptive_clip), None),
        "unit": ("client", "record")[f.unit],
        "adjacency": ("zero-out", "add-remove")[f.unit],
        "budget_epsilon": f.epsilon.decode() or None,
        "budget_delta": f.delta.decode() or None,
        "planned_rounds": f.rounds,
        "model_digest": f.model_digest.hex(),
    }
    if f.unit == 1:
        entry["sampling"] = f.sampling.decode()
        entry["largest_records"] = f.largest_records
    return entry


def charge(
    checked: Checked,
    roster_root: bytes,
    sharers_digest: bytes,
    size: int,
    survivors: bytes,
    statement: bytes,
    uploads_root: bytes,
    time: int,
) -> Entry:
    """The charge entry."""
    f = checked.fields
    entry = {
        "kind": "charge",
        "version": 1,
        "task": f.task.decode(),
        "round": f.round,
        "round_id": f.round_id.hex(),
        "manifest_digest": checked.digest.hex(),
        "time": time,
        "roster_root": roster_root.hex(),
        "sharers_digest": sharers_digest.hex(),
        "roster_size": size,
        "survivors": survivors.hex(),
        "survivor_count": len(bitmap.decode(size, survivors, "TAC-060")),
        "statement": statement.hex(),
    }
    if layout.UPLOADS_ROOT:
        entry["uploads_root"] = uploads_root.hex()
    return entry


def outcome(
    checked: Checked,
    survivors: int,
    responders: int,
    noise_variance: int,
    sum_digest: bytes,
    model_digest: bytes,
    figures: dict[str, Any],
    time: int,
) -> Entry:
    """The outcome entry of a server that measured nothing itself; `figures` are what the sum says (04 section 7)."""
    f = checked.fields
    return {
        "kind": "outcome",
        "version": 1,
        "round_id": f.round_id.hex(),
        "round": f.round,
        "survivor_count": survivors,
        "time": time,
        "responders": responders,
        "noise_variance_q16": str(noise_variance),
        "sum_digest": sum_digest.hex(),
        "model_digest": model_digest.hex(),
        "accuracy": None,
        "loss": None,
        **figures,
        "epsilon_server": None,
        "epsilon_public": None,
    }
