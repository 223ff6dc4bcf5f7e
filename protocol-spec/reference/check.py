"""Checks the vector files of `protocol-spec/vectors/`, or writes them anew with `--write`.

Every case is made again from its inputs and compared with its file byte for byte; a bad case must be refused by exactly
the rule that `cases/` names.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from cases import Case, known_answers
from cases.bad_to_member import base
from cases.groups import GROUPS
from cases.settings import everybody
from tacita_ref import round_ops
from tacita_ref.ops import OPS
from tacita_ref.refusal import Refused

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
Json = dict[str, Any]
# 10-vectors section 2: at least so many cases, and of so many at least one bad.
LEAST_CASES, LEAST_BAD = 48, 3


def _run(case: Case) -> Json:
    if case.op == "round":
        return round_ops.run_round(case.given, everybody())
    if case.op == "to member":
        return round_ops.to_member(case.given, base(case.given["round"]), everybody())
    if case.op == "to server":
        return round_ops.to_server(case.given, base(case.given["round"]), everybody())
    return OPS[case.op](case.given)


def _solve(case: Case) -> Json:
    """The case with its result."""
    try:
        out = _run(case)
        refusal = None
    except Refused as refused:
        refusal = refused.rule
    if refusal != case.refusal:
        raise AssertionError(f"{case.name}: refused by {refusal}, expected {case.refusal}")
    result = {"out": out} if refusal is None else {"refusal": refusal}
    return {"name": case.name, "op": case.op, "in": case.given, **result}


def _text(cases: list[Json]) -> str:
    """One case a line."""
    lines = [json.dumps(case, separators=(",", ":")) for case in cases]
    return '{"version":1,"cases":[\n' + ",\n".join(lines) + "\n]}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files instead of comparing")
    write = parser.parse_args().write
    different = known_answers.differing()
    print(f"known answers of 02 section 8: {len(known_answers.page())}, differing: {different or 'none'}")
    texts = {"cast": json.dumps(round_ops.cast_json(everybody()), indent=1) + "\n"}
    cases = bad = 0
    for group, make in GROUPS.items():
        start = time.monotonic()
        solved = [_solve(case) for case in make()]
        names = [case["name"] for case in solved]
        assert len(set(names)) == len(names), f"{group}: a name twice"
        refused = sum("refusal" in case for case in solved)
        cases, bad = cases + len(solved), bad + refused
        texts[group] = _text(solved)
        print(f"{group}: {len(solved)} cases, {refused} bad ({time.monotonic() - start:.1f} s)")
    print(f"{cases} cases, {bad} of them bad")
    few = _too_few(cases, bad)
    return (_write(texts) if write else _compare(texts)) or int(bool(different) or few)


def _too_few(cases: int, bad: int) -> bool:
    """Whether the vectors are fewer than 10-vectors section 2 demands, or too few of them bad."""
    few = cases < LEAST_CASES or LEAST_BAD * bad < cases
    if few:
        print(f"at least {LEAST_CASES} cases, and one in {LEAST_BAD} bad, are needed", file=sys.stderr)
    return few


def _write(texts: dict[str, str]) -> int:
    VECTORS.mkdir(exist_ok=True)
    for old in VECTORS.glob("*.json"):
        old.unlink()
    for group, text in texts.items():
        (VECTORS / f"{group}.json").write_text(text)
    print(f"written: {len(texts)} files")
    return 0


def _compare(texts: dict[str, str]) -> int:
    found = {path.stem for path in VECTORS.glob("*.json")}
    wrong = sorted(found ^ set(texts))
    wrong += [g for g in sorted(found & set(texts)) if (VECTORS / f"{g}.json").read_text() != texts[g]]
    for group in wrong:
        print(f"differs: {group}.json", file=sys.stderr)
    print("vectors differ" if wrong else "all vectors agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
