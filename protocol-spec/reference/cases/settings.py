"""Manifests and casts that the cases share."""

from fractions import Fraction
from functools import lru_cache
from typing import Any

from tacita_ref import cast, graph, noise, privacy
from tacita_ref.beside import AdaptiveClip, Metrics
from tacita_ref.manifest import Manifest, NoiseLevel
from tacita_ref.tagged import sha256

MODEL = b"the global model"
SIZE = 66


@lru_cache
def everybody() -> cast.Cast:
    return cast.make(SIZE, "tacita vectors")


def a_manifest(n: int, c: int, m: int, kem: int = 1, dimension: int = 16, **other: Any) -> Manifest:
    """A manifest that breaks no rule, unless `other` makes it."""
    p = graph.parameters(n, c, m)
    padded = 1 << (dimension - 1).bit_length()
    values: dict[str, Any] = {
        "version": 1,
        "task": b"sim",
        "round": 1,
        "round_id": sha256(f"round id {n} {c} {m} {kem} {dimension}".encode()),
        "cohort": n,
        "colluders": c,
        "minimum_survivors": m,
        "neighbours": p.neighbours,
        "threshold": p.threshold,
        "quorum": p.quorum,
        "key_agreement": kem,
        "block": padded,
        "noise_levels": [],
        "bits": privacy.needed_bits(n, 1024, padded, 0),
        "dimension": dimension,
        "padded": padded,
        "chunk": 64,
        "clip": b"1",
        "grid": 1024,
        "mechanism": 0,
        "total_variance_q16": 0,
        "share_variance_q16": 0,
        "rounds": 1000,
        "epsilon": b"",
        "delta": b"",
        "unit": 0,
        "sampling": b"",
        "largest_records": 0,
        "expected_records": 0,
        "weighting": 0,
        "weight_cap": 0,
        "weight_scale": b"",
        "update_clip": b"",
        "metrics": [],
        "adaptive_clip": [],
        "model_digest": sha256(MODEL),
        "training": b"{}",
        "advertise_ms": 1000,
        "share_ms": 1000,
        "upload_ms": 1000,
        "agree_ms": 1000,
        "reveal_ms": 1000,
        "ledger_size": 0,
        "ledger_root": sha256(b""),
        "issued_at": cast.NOW,
    }
    return Manifest(**{**values, **other})


def skellam(n: int, c: int, m: int, share: int, **other: Any) -> Manifest:
    """One with noise."""
    padded = 16
    values = {
        "mechanism": 1,
        "share_variance_q16": share,
        "total_variance_q16": share * (m - c),
        "bits": privacy.needed_bits(n, 1024, padded, share),
        "epsilon": b"8",
        "delta": b"0.00001",
    }
    return a_manifest(n, c, m, **{**values, **other})


def records(n: int, c: int, m: int, share: int, largest: int, **other: Any) -> Manifest:
    """One of the record unit."""
    values = {
        "unit": 1,
        "sampling": b"0.05",
        "largest_records": largest,
        "expected_records": 40,
        "bits": privacy.needed_bits(n, 1024, 16, share, largest),
    }
    return skellam(n, c, m, share, **{**values, **other})


def leveled(n: int, c: int, m: int, share: int, dropouts: list[int], **other: Any) -> Manifest:
    """One with noise in layers."""
    found = noise.levels(n, c, m, share, dropouts)
    assert found is not None
    stated = [NoiseLevel(dropouts=r, variance_q16=found.layer(i + 1)) for i, r in enumerate(dropouts)]
    return skellam(n, c, m, share, noise_levels=stated, **other)


def beside(n: int, c: int, m: int, rule: str = "0.5,0.2,0.64,0.01,10", **other: Any) -> Manifest:
    """One with metrics and an adaptive clip: 0.64, 0.48 and 0.6 side by side make a clip norm of 1."""
    values = {
        "update_clip": b"0.64",
        "metrics": [Metrics(scale=b"0.75", loss_cap=b"4")],
        "adaptive_clip": [AdaptiveClip(rule=rule.encode(), count_scale=b"0.9375")],
    }
    return a_manifest(n, c, m, **{**values, **other})


def unit_update(member: int, dimension: int) -> list[Fraction]:
    """All of the clip norm in one coordinate: its rotation is integral for a padded dimension of 4^k."""
    return [Fraction(int(i == member % dimension)) for i in range(dimension)]
