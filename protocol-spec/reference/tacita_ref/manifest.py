"""The manifest: encoding (05 section 3), digest, and the checks of 02 section 3.1 that need nothing else."""

import re
from dataclasses import dataclass
from math import isqrt

from . import beside, decimal, graph, labels, noise, privacy
from .refusal import Refused, require
from .ring import packed_length
from .tagged import tagged_hash
from .tls import HASH, U8, U16, U32, U64, Struct, fixed, opaque, vector

VERSION = 1
MAX_DIMENSION = 2**28
MAX_NEIGHBOURS = 500
MAX_CHUNK_BYTES = 131_072
MAX_SHARE_VARIANCE = 3_355_443_200_000_000
MIN_GAUSSIAN = 294_912
MAX_DEADLINE_MS = 86_400_000
MAX_LARGEST_RECORDS = 65_536


class NoiseLevel(Struct):
    FIELDS = {"dropouts": U16, "variance_q16": U64}


class Manifest(Struct):
    FIELDS = {
        "version": U16,
        "task": opaque(1),
        "round": U32,
        "round_id": fixed(32),
        "cohort": U16,
        "colluders": U16,
        "minimum_survivors": U16,
        "neighbours": U16,
        "threshold": U16,
        "quorum": U16,
        "key_agreement": U8,
        "bits": U8,
        "dimension": U32,
        "padded": U32,
        "block": U32,
        "chunk": U32,
        "clip": opaque(1),
        "grid": U32,
        "mechanism": U8,
        "total_variance_q16": U64,
        "share_variance_q16": U64,
        "noise_levels": vector(1, NoiseLevel.type()),
        "rounds": U32,
        "epsilon": opaque(1),
        "delta": opaque(1),
        "unit": U8,
        "sampling": opaque(1),
        "largest_records": U32,
        "expected_records": U32,
        "weighting": U8,
        "weight_cap": U32,
        "weight_scale": opaque(1),
        "update_clip": opaque(1),
        "metrics": vector(1, beside.Metrics.type()),
        "adaptive_clip": vector(1, beside.AdaptiveClip.type()),
        "model_digest": HASH,
        "training": opaque(2),
        "advertise_ms": U32,
        "share_ms": U32,
        "upload_ms": U32,
        "agree_ms": U32,
        "reveal_ms": U32,
        "ledger_size": U64,
        "ledger_root": HASH,
        "issued_at": U64,
    }

    def digest(self) -> bytes:
        """M."""
        return tagged_hash(labels.MANIFEST, self.encode())


@dataclass(frozen=True)
class Checked:
    """A manifest that broke no rule, with what follows from it."""

    fields: Manifest
    digest: bytes
    graph: graph.Parameters
    beside: beside.Beside | None

    @property
    def post_quantum(self) -> bool:
        return bool(self.fields.key_agreement == 1)

    @property
    def smallest_roster(self) -> int:
        """max(m, k + 1 on the ring)."""
        m: int = self.fields.minimum_survivors
        return m if self.graph.complete else max(m, self.graph.neighbours + 1)

    @property
    def rotation_seed(self) -> bytes:
        return tagged_hash(labels.ROTATION_SEED, self.digest)

    @property
    def levels(self) -> noise.Levels | None:
        return _levels(self.fields)

    def chunks(self) -> list[tuple[int, int]]:
        """First coordinate and length of every chunk."""
        d, size = self.fields.padded, self.fields.chunk
        return [(at, min(size, d - at)) for at in range(0, d, size)]


def _padded(m: Manifest) -> int:
    least = 1 << (m.dimension - 1).bit_length()
    require(m.block > 0 and m.block & (m.block - 1) == 0 and m.block <= least, "TAC-003", "block")
    return int(-(-m.dimension // m.block) * m.block)


def check(m: Manifest) -> Checked:
    """TAC-001 and TAC-003 to TAC-006, in the order of the page."""
    field = "TAC-003"
    require(m.version == VERSION, "TAC-001")
    require(re.fullmatch(rb"[a-z0-9-]{1,64}", m.task) is not None, field, "task")
    require(m.round >= 1, field, "round")
    require(3 <= m.cohort <= 10_000, field, "cohort")
    derived = graph.parameters(m.cohort, m.colluders, m.minimum_survivors)
    stated = (m.neighbours, m.threshold, m.quorum)
    require(stated == (derived.neighbours, derived.threshold, derived.quorum), "TAC-004")
    sampled = m.cohort > 1000
    require(not sampled or 100 * m.minimum_survivors >= 76 * (m.cohort + m.colluders), "TAC-004")
    require(m.key_agreement in (0, 1), field, "key_agreement")
    require(m.neighbours <= MAX_NEIGHBOURS, field, "neighbours")
    require(1 <= m.dimension <= MAX_DIMENSION, field, "dimension")
    require(8 <= m.bits <= 62, field, "bits")
    require(m.chunk > 0 and m.chunk % 64 == 0 and m.chunk <= 2**20, field, "chunk")
    require(packed_length(m.chunk, m.bits) <= MAX_CHUNK_BYTES, field, "chunk")
    clip = decimal.parse(m.clip, field)
    require(clip > 0, field, "clip")
    require(1 <= m.grid <= 2**24, field, "grid")
    require(m.padded == _padded(m), field, "padded")
    honest = m.minimum_survivors - m.colluders
    require(m.share_variance_q16 * honest == m.total_variance_q16, "TAC-005")
    if m.mechanism == 1:
        require(0 < m.share_variance_q16 <= MAX_SHARE_VARIANCE, "TAC-005")
    elif m.mechanism == 2:
        require(MIN_GAUSSIAN <= m.share_variance_q16 <= noise.WIDEST_TABLE, "TAC-005")
    else:
        require(m.mechanism == 0 and m.share_variance_q16 == 0, field, "mechanism")
    _levels(m)
    _check_unit(m)
    share, vectors = m.share_variance_q16, max(1, m.largest_records)
    require(privacy.has_headroom(m.cohort, m.grid, m.padded, m.bits, share, vectors), "TAC-006")
    require(m.rounds >= 1, field, "rounds")
    for text in (m.epsilon, m.delta):
        if m.mechanism == 0:
            require(text == b"", field, "epsilon, delta")
        else:
            decimal.parse(text, field)
    joint = beside.check(m, clip)
    _check_training(m)
    for ms in (m.advertise_ms, m.share_ms, m.upload_ms, m.agree_ms, m.reveal_ms):
        require(1 <= ms <= MAX_DEADLINE_MS, field, "deadline")
    return Checked(m, m.digest(), derived, joint)


def _levels(m: Manifest) -> noise.Levels | None:
    """TAC-063."""
    if not m.noise_levels:
        return None
    require(m.mechanism != 2, "TAC-063", "a discrete Gaussian does not divide")
    dropouts = [level.dropouts for level in m.noise_levels]
    found = noise.levels(m.cohort, m.colluders, m.minimum_survivors, m.share_variance_q16, dropouts)
    require(found is not None, "TAC-063")
    assert found is not None
    stated = [level.variance_q16 for level in m.noise_levels]
    require(stated == [found.layer(number) for number in range(1, len(dropouts) + 1)], "TAC-063")
    return found


def _check_unit(m: Manifest) -> None:
    """TAC-014."""
    rule = "TAC-014"
    if m.unit == 0:
        require(m.sampling == b"" and m.largest_records == m.expected_records == 0, rule, "sampling of clients")
        return
    require(m.unit == 1 and m.weighting == 0, rule, "unit")
    require(not m.metrics and not m.adaptive_clip, rule, "beside records")
    require(0 < decimal.parse(m.sampling, rule) <= 1, rule, "sampling")
    require(1 <= m.largest_records <= MAX_LARGEST_RECORDS and m.expected_records >= 1, rule, "records")
    largest = m.largest_records * isqrt(privacy.norm_bound(m.grid, m.padded))
    require(largest < 2**31, "TAC-006", "clamp")


def _check_training(m: Manifest) -> None:
    require(len(m.training) <= 4096, "TAC-003", "training")
    try:
        m.training.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("TAC-003", "training") from error
