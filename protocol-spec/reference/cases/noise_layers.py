"""Noise levels and layers (04 section 5.1)."""

from tacita_ref import noise
from tacita_ref.manifest import Manifest

from . import Case
from .settings import leveled

SHARE = 153_391_689


def bad_levels(base: Manifest) -> dict[str, tuple[Manifest, str]]:
    """Manifests whose levels do not follow; `base` is one without noise."""
    good = leveled(10, 1, 6, SHARE, [1, 2, 4])
    first, *rest = good.noise_levels
    other = leveled(9, 1, 6, SHARE, [1, 2, 3])

    def by(difference: int) -> Manifest:
        return good.replace(noise_levels=[first.replace(variance_q16=first.variance_q16 + difference), *rest])

    bad = {
        "levels without noise": base.replace(noise_levels=good.noise_levels),
        "a layer wider by one": by(1),
        "a layer thinner by one": by(-1),
        "levels that fall": good.replace(noise_levels=good.noise_levels[::-1]),
        "last level missing": good.replace(noise_levels=good.noise_levels[:2]),
        "a level at no drop-outs": good.replace(noise_levels=[first.replace(dropouts=0), *rest]),
        "nine levels": good.replace(noise_levels=[first.replace(dropouts=r) for r in range(1, 10)]),
        "levels of another cohort": good.replace(noise_levels=other.noise_levels),
    }
    return {name: (m, "TAC-063") for name, m in bad.items()}


def noise_layers() -> list[Case]:
    cases = []
    for name, n, c, m, share, dropouts in (
        ("three levels", 10, 1, 6, SHARE, [1, 2, 4]),
        ("one level", 5, 1, 4, 7 << 16, [1]),
        ("eight levels", 60, 3, 40, 1 << 30, [1, 2, 3, 5, 8, 12, 16, 20]),
        ("layers of a fraction", 7, 0, 4, 1 << 14, [1, 3]),
        ("a layer of two draws", 4, 0, 2, 20_000_000_000_000, [1, 2]),
    ):
        counts = {"n": n, "c": c, "m": m, "share": share, "dropouts": dropouts}
        cases.append(Case(f"levels, {name}", "levels", counts))
        found = noise.levels(n, c, m, share, dropouts)
        assert found is not None
        z = [bytes([9]) * 32]
        for number in range(1, len(dropouts) + 1):
            z.append(noise.following(number, z[-1]))
        for survivors in sorted({n, m + 1}):
            first = found.first_surplus(survivors)
            if first is None:
                continue
            given = {**counts, "survivors": survivors, "anchor": z[-1].hex(), "count": 530 if n == 10 else 20}
            wrong = z[first] if first < len(z) - 1 else bytes(32)
            case = f"surplus of {survivors}, {name}"
            cases.append(Case(case, "surplus", {**given, "seed": z[first - 1].hex()}))
            cases.append(Case(f"{case}, another seed", "surplus", {**given, "seed": wrong.hex()}, "TAC-064"))
    bad = {
        "none": [],
        "nine": list(range(1, 10)),
        "falling": [2, 1, 4],
        "twice the same": [2, 2, 4],
        "at no drop-outs": [0, 4],
        "short of n - m": [1, 3],
        "beyond n - m": [1, 5],
    }
    for name, dropouts in bad.items():
        given = {"n": 10, "c": 1, "m": 6, "share": SHARE, "dropouts": dropouts}
        cases.append(Case(f"levels, {name}", "levels", given, "TAC-063"))
    thin = {"n": 10, "c": 1, "m": 6, "share": 1, "dropouts": [1, 2, 4]}
    return [*cases, Case("levels, too little noise", "levels", thin, "TAC-063")]
