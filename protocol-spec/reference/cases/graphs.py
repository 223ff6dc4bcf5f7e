"""Parameters and permutation (03)."""

from . import Case, filled


def graphs() -> list[Case]:
    # n, c, m; the values that 03 section 3.1 prints, and the edges of the rule.
    good = [
        (3, 0, 2), (4, 1, 3), (20, 1, 19), (60, 3, 57), (64, 0, 33), (65, 0, 64), (66, 1, 64), (100, 5, 95),
        (500, 25, 475), (500, 25, 425), (500, 25, 375), (1000, 50, 950), (1001, 20, 960), (10000, 500, 9500),
        (1001, 100, 801), (5000, 100, 4000),
    ]  # fmt: skip
    bad = {
        "cohort of 2": (2, 0, 2),
        "more survivors than members": (5, 0, 6),
        "nobody honest": (5, 4, 4),
        "below the quorum": (10, 0, 5),
        "below the quorum with colluders": (10, 4, 7),
        "no ring": (66, 1, 34),
        "over a million": (1_000_001, 0, 1_000_000),
    }
    cases = [Case(f"parameters of {n}, {c}, {m}", "parameters", {"n": n, "c": c, "m": m}) for n, c, m in good]
    cases += [
        Case(f"parameters, {name}", "parameters", dict(zip("ncm", counts, strict=True)), "TAC-004")
        for name, counts in bad.items()
    ]
    root = bytes(range(32)).hex()
    for size in (12, 66, 1000):
        cases.append(Case(f"permutation of {size}", "permutation", {"root": root, "size": size}))
    for size, k, index in ((12, 4, 0), (66, 10, 65)):
        given = {"complete": False, "k": k, "root": filled(8), "size": size, "index": index}
        cases.append(Case(f"neighbours on a ring of {size}", "neighbours", given))
    complete = {"complete": True, "k": 8, "root": filled(8), "size": 5, "index": 2}
    cases.append(Case("neighbours on a complete graph", "neighbours", complete))
    ring = {"complete": False, "k": 10, "root": filled(8), "size": 10, "index": 0}
    cases.append(Case("ring smaller than its neighbourhood", "neighbours", ring, "TAC-020"))
    return cases
