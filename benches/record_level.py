"""Accuracy against epsilon for four hospitals: `tacita demo --dataset heart` in the record unit, where epsilon is about one patient, and in
the client unit, where it is about a hospital and four of them cannot hide one.

    cargo build --release && python3 benches/record_level.py [--seeds 5] [--rounds 40] [--sampling 0.3]

Prints a table (mean accuracy of the last model over the seeds, with the least and the largest) and draws
`benches/figures/heart-records.svg`. Needs nothing but Python and the binary.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BINARY = Path(os.environ.get("TACITA", ROOT.parent / "target" / "release" / "tacita"))
FIGURE = ROOT / "figures" / "heart-records.svg"
EPSILONS = ("1", "2", "4", "8", "none")
UNITS = {"record": "one patient (record unit)", "client": "one hospital (client unit)"}
COLOURS = {"record": "#1f6f8b", "client": "#c05a2b"}


def run(unit: str, epsilon: str, seed: int, args: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "demo"
        command = [BINARY, "demo", "--dataset", "heart", "--unit", unit, "--epsilon", epsilon, "--delta", args.delta]
        command += ["--rounds", args.rounds, "--seed", seed, "--out", out]
        if unit == "record":
            command += ["--sampling", args.sampling]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
        return json.loads((out / "report.json").read_text())


def label(epsilon: str) -> str:
    return "no noise" if epsilon == "none" else epsilon


def draw(curves: dict[str, list[list[float]]], pooled: float, caption: str) -> str:
    """An SVG with a line a unit through the means, and a bar from the least to the largest."""
    left, right, top, bottom, low, high = 70, 600, 40, 320, 0.2, 0.9

    def x(index: int) -> float:
        return left + (right - left) * (index + 0.5) / len(EPSILONS)

    def y(accuracy: float) -> float:
        return bottom - (bottom - top) * (accuracy - low) / (high - low)

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 400" font-family="sans-serif" font-size="13">',
        f"<title>Accuracy against epsilon, four hospitals</title><desc>{caption}</desc>",
        '<rect width="760" height="400" fill="white"/>',
        f'<text x="{left}" y="22" font-size="15">Heart disease, four hospitals: accuracy on held-out patients</text>',
    ]
    for tenth in range(2, 10):
        at = y(tenth / 10)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 10}" y="{at + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>')
    at = y(pooled)
    parts.append(
        f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#666" stroke-dasharray="5 4"/>'
        f'<text x="{right + 8}" y="{at - 6:.1f}" fill="#555">pooled data</text>'
    )
    for index, epsilon in enumerate(EPSILONS):
        parts.append(f'<text x="{x(index):.1f}" y="{bottom + 22}" text-anchor="middle">{label(epsilon)}</text>')
    parts.append(
        f'<text x="{(left + right) / 2}" y="{bottom + 46}" text-anchor="middle">'
        "epsilon of the whole task, against the server and one colluding hospital</text>"
    )
    for unit, values in curves.items():
        colour = COLOURS[unit]
        means = [statistics.mean(accuracies) for accuracies in values]
        points = " ".join(f"{x(i):.1f},{y(mean):.1f}" for i, mean in enumerate(means))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for i, accuracies in enumerate(values):
            parts.append(
                f'<line x1="{x(i):.1f}" x2="{x(i):.1f}" y1="{y(min(accuracies)):.1f}" y2="{y(max(accuracies)):.1f}"'
                f' stroke="{colour}" stroke-opacity="0.5" stroke-width="6"/>'
                f'<circle cx="{x(i):.1f}" cy="{y(means[i]):.1f}" r="4" fill="{colour}"/>'
            )
        row = bottom - 12 - 20 * list(curves).index(unit)
        parts.append(
            f'<line x1="{right - 235}" x2="{right - 215}" y1="{row - 4}" y2="{row - 4}" stroke="{colour}" stroke-width="3"/>'
            f'<text x="{right - 208}" y="{row}">epsilon about {UNITS[unit]}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--sampling", default="0.3")
    parser.add_argument("--delta", default="0.0001")
    parser.add_argument("--jobs", type=int, default=1, help="demonstrations at once")
    args = parser.parse_args()
    curves: dict[str, list[list[float]]] = {}
    pooled = 0.0
    print("| unit | epsilon | spent | noise / clip | accuracy | least | largest |\n|---|---|---|---|---|---|---|")
    for unit in UNITS:
        curves[unit] = []
        for epsilon in EPSILONS:
            seeds = range(1, args.seeds + 1)
            with ThreadPoolExecutor(args.jobs) as pool:
                reports = list(pool.map(run, repeat(unit), repeat(epsilon), seeds, repeat(args)))
            accuracies = [report["final"]["accuracy"] for report in reports]
            assert all(report["ledger"]["verified"] for report in reports)
            pooled = reports[0]["baselines"]["pooled"]
            noise = reports[0]["privacy"]["noise_multiplier"]
            spent = reports[0]["ledger"]["epsilon_server"]
            curves[unit].append(accuracies)
            print(
                f"| {unit} | {label(epsilon)} | {'-' if spent is None else f'{spent:.2f}'} | {noise:.2f} | {statistics.mean(accuracies):.3f}"
                f" | {min(accuracies):.3f} | {max(accuracies):.3f} |",
                flush=True,
            )
    caption = (
        f"Mean, least and largest accuracy over {args.seeds} seeds after {args.rounds} rounds at delta {args.delta}; "
        f"records sampled with probability {args.sampling}."
    )
    print(f"\npooled data: {pooled:.3f}. {caption}")
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_text(draw(curves, pooled, caption))


if __name__ == "__main__":
    main()
