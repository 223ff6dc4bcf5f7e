"""What noise levels cost and gain: `tacita demo` on the digits, with and without them, at the same epsilon and the same
fewest survivors, with 5, 10 and 20 % of the clients vanishing at random phases of every round.

    cargo build --release && python3 benches/noise_levels.py [--seeds 8] [--epsilon 2]

Prints one row for each share of drop-outs and setting: accuracy of the last model, mean over the seeds with its
standard error; noise left in the sums over the planned variance V, mean over rounds; seconds of the upload (training, noise
and masks of all clients are in it) and unmask phases, median over rounds; epsilon as the ledger gives it.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

BINARY = Path(__file__).resolve().parent.parent / "target" / "release" / "tacita"
# Eight levels from m to n keep 5 % at most above V: (48 / 34) ** (1 / 8) is 1.044.
CLIENTS, SURVIVORS, COLLUDERS = 50, 36, 2


def run(drop: str, levels: str, seed: int, epsilon: str, rounds: int) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "demo"
        command = [BINARY, "demo", "--clients", CLIENTS, "--minimum-survivors", SURVIVORS, "--colluders", COLLUDERS]
        command += ["--rounds", rounds, "--epsilon", epsilon, "--drop", drop, "--noise-levels", levels]
        command += ["--seed", seed, "--out", out]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
        return json.loads((out / "report.json").read_text())


def planned(report: dict, out_of: dict) -> float:
    """Variance left in a round over V = (m - c) shares; a share is what a sum without levels has for each survivor."""
    return int(out_of["noise_variance_q16"]) / (report["share_variance_q16"] * (SURVIVORS - COLLUDERS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--epsilon", default="2")
    args = parser.parse_args()
    print(f"n = {CLIENTS}, m = {SURVIVORS}, c = {COLLUDERS}, epsilon {args.epsilon}, {args.rounds} rounds")
    print(f"{'drop':>5} {'levels':>7} {'accuracy':>9} {'+-':>7} {'noise/V':>8} {'upload s':>9} {'unmask s':>9} {'epsilon':>8}")
    for drop in ("0.05", "0.1", "0.2"):
        for levels in ("off", "auto"):
            reports = [run(drop, levels, seed, args.epsilon, args.rounds) for seed in range(1, args.seeds + 1)]
            accuracies = [report["final"]["accuracy"] for report in reports]
            mean = statistics.mean(accuracies)
            spread = statistics.stdev(accuracies) / len(accuracies) ** 0.5 if len(accuracies) > 1 else 0.0
            rounds = [(report["privacy"], one) for report in reports for one in report["rounds"]]
            noise = statistics.mean(planned(privacy, one) for privacy, one in rounds)
            phase = {
                name: statistics.median(one["phase_seconds"][name] for _, one in rounds) for name in ("upload", "unmask")
            }
            epsilon = max(report["ledger"]["epsilon_server"] for report in reports)
            print(
                f"{drop:>5} {levels:>7} {mean:9.4f} {spread:7.4f} {noise:8.3f} {phase['upload']:9.3f}"
                f" {phase['unmask']:9.3f} {epsilon:8.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
