"""What travels beside the update in the one vector (04 sections 3 and 13): the manifest's fields, and the figures of a sum."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from . import clip_rule, decimal, privacy
from .refusal import require
from .tls import Struct, opaque

if TYPE_CHECKING:
    from .manifest import Manifest

_FIELD = "TAC-003"


class Metrics(Struct):
    FIELDS = {"scale": opaque(1), "loss_cap": opaque(1)}


class AdaptiveClip(Struct):
    FIELDS = {"rule": opaque(1), "count_scale": opaque(1)}


@dataclass(frozen=True)
class Beside:
    """The terms of a vector with extra coordinates."""

    update_clip: Fraction
    weighted: bool
    # b and k in model units, and the loss cap.
    metrics: Fraction
    loss_cap: Fraction
    count: Fraction
    rule: clip_rule.ClipRule | None

    @property
    def extra(self) -> int:
        return int(self.weighted) + 2 * (self.metrics > 0) + (self.count > 0)


def _positive(text: bytes) -> Fraction:
    value = decimal.parse(text, _FIELD)
    require(value > 0, _FIELD, "zero")
    return value


def check(m: "Manifest", clip: Fraction) -> Beside | None:
    """TAC-003."""
    zero = Fraction(0)
    weight = zero
    if m.weighting == 0:
        require(m.weight_cap == 0 and m.weight_scale == b"", _FIELD, "weighting")
    else:
        require(m.weighting == 1 and m.weight_cap >= 1, _FIELD, "weighting")
        weight = _positive(m.weight_scale)
    require(len(m.metrics) <= 1 and len(m.adaptive_clip) <= 1, _FIELD, "more than one")
    scale = loss_cap = count_scale = zero
    rule = None
    for metrics in m.metrics:
        scale, loss_cap = _positive(metrics.scale), _positive(metrics.loss_cap)
        require(loss_cap < 10**9, _FIELD, "loss cap")
    for adaptive in m.adaptive_clip:
        rule, count_scale = clip_rule.parse(adaptive.rule, _FIELD), _positive(adaptive.count_scale)
    if m.weighting == 0 and not m.metrics and not m.adaptive_clip:
        require(m.update_clip == b"", _FIELD, "update clip")
        return None
    update_clip = _positive(m.update_clip)
    b, k = (privacy.rounded_up(s * update_clip) for s in (scale, count_scale))
    require(clip == privacy.joint_clip(update_clip, weight, b, k), _FIELD, "joint clip")
    found = Beside(update_clip, m.weighting == 1, b, loss_cap, k, rule)
    require(m.dimension > found.extra, _FIELD, "dimension")
    require(rule is None or rule.allows(update_clip), _FIELD, "update clip")
    return found


def figures(
    found: Beside | None, values: list[float], steps: float, survivors: int, variance: int
) -> dict[str, Any]:
    """The noisy figures of an outcome, from the sum's values in model units, padding dropped, and the grid steps of a unit."""
    names = ("federated_accuracy", "federated_loss", "federated_error", "within_clip")
    out: dict[str, Any] = dict.fromkeys(names)
    if found is None:
        return out
    extra = values[len(values) - found.extra + int(found.weighted) :]

    def figure(value: float, size: float) -> float:
        return (value / (size * survivors) + 1) / 2

    if found.metrics:
        size = float(found.metrics) * sqrt(0.5)
        loss, score = extra[:2]
        error = sqrt(variance / 65536 + survivors / 4) / (2 * size * steps * survivors)
        out["federated_loss"] = _signed(float(found.loss_cap) * figure(loss, size))
        out["federated_accuracy"] = _signed(figure(score, size))
        out["federated_error"] = _signed(ceil(error * 10**6) / 10**6)
    if found.count:
        within = min(max(figure(extra[-1], float(found.count)), 0.0), 1.0)
        micros = round(within * 10**6)
        text = f"{micros // 10**6}.{micros % 10**6:06}"
        out["within_clip"] = text.rstrip("0").rstrip(".")
    return out


def _signed(value: float) -> str:
    micros = round(value * 10**6)
    return f"{'-' if micros < 0 else ''}{abs(micros) // 10**6}.{abs(micros) % 10**6:06}"
