"""Whether adaptive clipping finds the clip norm: `tacita demo` on the digits from clip norms that are far too small to far too large, which stay
or follow the members (spec 04 section 13), at the same epsilon.

    cargo build --release && python3 benches/adaptive_clip.py [--seeds 2] [--svg benches/adaptive_clip.svg]

Prints one row for each clip norm: accuracy on held-out data after the last round with that norm fixed and with adaptive clipping from there,
mean over the seeds and largest distance from it, and where the norm went; and draws the same.
"""

import argparse
import json
import math
import statistics
import subprocess
import tempfile
from pathlib import Path

BINARY = Path(__file__).resolve().parent.parent / "target" / "release" / "tacita"
CLIPS = ("0.05", "0.2", "0.7", "2", "6", "20")


def run(args: argparse.Namespace, clip: str, adaptive: bool, seed: int) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "demo"
        command = [BINARY, "demo", "--clients", args.clients, "--rounds", args.rounds, "--epsilon", args.epsilon]
        command += ["--clip", clip, "--seed", seed, "--out", out] + ["--adaptive-clip"] * adaptive
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
        return json.loads((out / "report.json").read_text())


def svg(rows: list[tuple[str, float, float]], title: str) -> str:
    """Accuracy over the first clip norm, which is drawn in powers of ten."""
    left, right, top, bottom = 56, 600, 40, 300

    def x(clip: str) -> float:
        low, high = math.log10(float(CLIPS[0])), math.log10(float(CLIPS[-1]))
        return left + (math.log10(float(clip)) - low) / (high - low) * (right - left)

    def y(accuracy: float) -> float:
        return bottom - accuracy * (bottom - top)

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 350" font-family="sans-serif" font-size="13">',
        f'<title>{title}</title><rect width="640" height="350" fill="white"/>',
        f'<text x="{left}" y="18">{title}</text>',
    ]
    for level in (0, 0.2, 0.4, 0.6, 0.8, 1):
        parts.append(f'<path d="M{left} {y(level):.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(level) + 4:.1f}" text-anchor="end">{level:g}</text>')
    for clip, *_ in rows:
        parts.append(f'<text x="{x(clip):.1f}" y="{bottom + 18}" text-anchor="middle">{clip}</text>')
    parts.append(f'<text x="{(left + right) / 2}" y="{bottom + 38}" text-anchor="middle">clip norm, fixed or at first</text>')
    for column, colour, name, dash in ((1, "#b3541e", "fixed", "6 4"), (2, "#1e5fb3", "adaptive", "none")):
        points = " ".join(f"{x(row[0]):.1f},{y(row[column]):.1f}" for row in rows)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        at = left + 300 + 110 * (column - 1)
        parts.append(f'<path d="M{at} 30h24" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        parts.append(f'<text x="{at + 30}" y="34">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--epsilon", default="8")
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args()
    title = f"digits, n = {args.clients}, epsilon {args.epsilon} over {args.rounds} rounds: accuracy"
    print(title)
    print(f"{'clip':>6} {'fixed':>7} {'+-':>6} {'adaptive':>9} {'+-':>6} {'last clip':>10} {'epsilon':>8}")
    rows = []
    for clip in CLIPS:
        found = {}
        for adaptive in (False, True):
            reports = [run(args, clip, adaptive, seed) for seed in range(1, args.seeds + 1)]
            accuracies = [report["final"]["accuracy"] for report in reports]
            mean = statistics.mean(accuracies)
            last = statistics.mean(report["rounds"][-1]["clip"] for report in reports)
            epsilon = max(report["ledger"]["epsilon_server"] or 0 for report in reports)
            found[adaptive] = (mean, max(abs(a - mean) for a in accuracies), last, epsilon)
        rows.append((clip, found[False][0], found[True][0]))
        fixed, moved = found[False], found[True]
        print(
            f"{clip:>6} {fixed[0]:7.3f} {fixed[1]:6.3f} {moved[0]:9.3f} {moved[1]:6.3f} {moved[2]:10.3f} {moved[3]:8.4f}",
            flush=True,
        )
    if args.svg:
        args.svg.write_text(svg(rows, title))


if __name__ == "__main__":
    main()
