#!/usr/bin/env python3
"""How a round grows with clients, dimension and drop-outs, over real QUIC on one machine.

    cargo build --release
    python3 benches/growth.py --out growth              # about 20 minutes on two cores
    python3 benches/growth.py --out growth --quick      # small sizes, two minutes
    python3 benches/growth.py --out growth --plot       # draws growth/growth.svg again from growth/growth.json

Every point is one run of `tacita demo --server-process`: the server in one process, all clients in another, real
certificates, sockets, databases and training of a perceptron with as many parameters as asked for. What is printed and
drawn is the last round of each run. Standard library only.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PHASES = ["invite", "advertise", "share", "upload", "agree", "charge", "reveal", "unmask", "outcome"]
COLOURS = {0.0: "#1b6ca8", 0.1: "#d1802b", 0.3: "#8b2f5f"}

# (clients, parameters, fraction that vanishes)
FULL = (
    [(n, 10_000, f) for n in (50, 100, 200, 500, 1000) for f in (0.0, 0.1, 0.3)]
    + [(100, d, f) for d in (1_000, 10_000, 100_000, 1_000_000) for f in (0.0, 0.1, 0.3)]
    + [(1000, 1_000_000, f) for f in (0.0, 0.1, 0.3)]
)
# From here on a round takes minutes, and one is enough.
LONG = 500_000_000
QUICK = [(n, d, f) for n, d in ((20, 1_000), (50, 1_000), (50, 10_000)) for f in (0.0, 0.1)]


def run(clients: int, parameters: int, drop: float, folder: Path, rounds: int) -> dict:
    """One demonstration; the figures of its last round."""
    # 64 inputs and 10 classes: 75 h + 10 parameters.
    hidden = max(1, round((parameters - 10) / 75))
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        str(ROOT / "target/release/tacita"), "demo", "--server-process", "--json",
        "--clients", str(clients), "--rounds", str(rounds), "--epsilon", "none",
        "--model", f"mlp-{hidden}", "--drop", str(drop), "--out", str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        return {"clients": clients, "parameters": parameters, "drop": drop, "failed": last[0]}
    report = json.loads((folder / "report.json").read_text())
    shutil.rmtree(folder, ignore_errors=True)
    last = report["rounds"][-1]
    return {
        "clients": clients,
        "parameters": report["parameters"],
        "drop": drop,
        "padded": report["vector"]["padded"],
        "bits": report["vector"]["bits"],
        "neighbours": report["graph"]["neighbours"],
        "threshold": report["graph"]["threshold"],
        "cohort": last["cohort"],
        "survivors": last["survivors"],
        "exact": last["exact_sum"],
        "seconds": last["seconds"],
        "phases": last["phase_seconds"],
        "upload_bytes": last["upload_bytes_per_client"],
        "server_peak_bytes": report["server_peak_rss_bytes"],
        "clients_peak_bytes": report["peak_rss_bytes"],
    }


def bound(row: dict) -> int:
    """What the server may hold at most: 64 MiB + 3 x 8 x d + n (160 KiB + 200 B x k)."""
    return (64 << 20) + 24 * row["padded"] + row["clients"] * (160 * 1024 + 200 * row["neighbours"])


def table(rows: list[dict]) -> None:
    print("| n | parameters | vanish | k/t | in the sum | seconds | share | upload | agree, reveal | unmask | server MB (bound) | upload KB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        if "failed" in row:
            print(f"| {row['clients']} | {row['parameters']:,} | {row['drop']:.0%} | | {row['failed']} | | | | | | | |")
            continue
        phases = row["phases"]
        print(
            f"| {row['clients']} | {row['parameters']:,} | {row['drop']:.0%} | {row['neighbours']}/{row['threshold']} "
            f"| {row['survivors']} of {row['cohort']}{'' if row['exact'] else ' NOT EXACT'} | {row['seconds']:.2f} "
            f"| {phases['share']:.2f} | {phases['upload']:.2f} | {phases['agree'] + phases['reveal']:.2f} "
            f"| {phases['unmask']:.2f} | {row['server_peak_bytes'] / 1e6:.0f} ({bound(row) / 1e6:.0f}) "
            f"| {row['upload_bytes'] / 1e3:.0f} |"
        )


class Panel:
    """One chart with logarithmic axes."""

    WIDTH, HEIGHT = 400, 300
    LEFT, BOTTOM, TOP, RIGHT = 62, 44, 34, 40

    def __init__(self, title: str, x_name: str, y_name: str, lines: dict[str, tuple[str, list[tuple[float, float]]]]):
        self.title, self.x_name, self.y_name, self.lines = title, x_name, y_name, lines

    def draw(self, at_x: int, at_y: int) -> str:
        from math import ceil, floor, log10

        points = [point for _, line in self.lines.values() for point in line]
        if not points:
            return ""
        low_x, high_x = min(p[0] for p in points), max(p[0] for p in points)
        low_y = 10 ** floor(log10(min(p[1] for p in points)))
        high_y = 10 ** ceil(log10(max(p[1] for p in points)))
        across = self.WIDTH - self.LEFT - self.RIGHT
        up = self.HEIGHT - self.TOP - self.BOTTOM

        def x(value: float) -> float:
            span = log10(high_x / low_x) or 1
            return at_x + self.LEFT + across * log10(value / low_x) / span

        def y(value: float) -> float:
            span = log10(high_y / low_y) or 1
            return at_y + self.HEIGHT - self.BOTTOM - up * log10(value / low_y) / span

        out = [f'<text x="{at_x + self.LEFT}" y="{at_y + 20}" class="title">{self.title}</text>']
        decade = low_y
        while decade <= high_y * 1.001:
            out.append(f'<line x1="{at_x + self.LEFT}" x2="{at_x + self.WIDTH - self.RIGHT}" y1="{y(decade):.1f}" y2="{y(decade):.1f}" class="grid"/>')
            out.append(f'<text x="{at_x + self.LEFT - 6}" y="{y(decade) + 4:.1f}" class="tick end">{decade:g}</text>')
            decade *= 10
        for value in sorted({p[0] for p in points}):
            out.append(f'<text x="{x(value):.1f}" y="{at_y + self.HEIGHT - self.BOTTOM + 16}" class="tick mid">{value:,.0f}</text>')
        out.append(f'<text x="{at_x + self.LEFT + across / 2}" y="{at_y + self.HEIGHT - 8}" class="tick mid">{self.x_name}</text>')
        out.append(f'<text x="{at_x + 12}" y="{at_y + self.TOP + up / 2}" class="tick mid" transform="rotate(-90 {at_x + 12} {at_y + self.TOP + up / 2})">{self.y_name}</text>')
        for row, (name, (colour, line)) in enumerate(self.lines.items()):
            line = sorted(line)
            path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
            out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            out += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in line]
            legend = at_y + self.TOP + 14 + 16 * row
            out.append(f'<line x1="{at_x + self.LEFT + 10}" x2="{at_x + self.LEFT + 30}" y1="{legend - 4}" y2="{legend - 4}" stroke="{colour}" stroke-width="2"/>')
            out.append(f'<text x="{at_x + self.LEFT + 36}" y="{legend}" class="tick">{name}</text>')
        return "\n".join(out)


def series(rows, keep, x, y):
    lines = {}
    for drop, colour in COLOURS.items():
        line = [(x(r), y(r)) for r in rows if keep(r) and r["drop"] == drop]
        if line:
            lines[f"{drop:.0%} vanish"] = (colour, line)
    return lines


def plot(rows: list[dict], path: Path) -> None:
    rows = [row for row in rows if "failed" not in row]
    near = lambda a, b: abs(a - b) <= 0.2 * b  # noqa: E731
    few = min((r["parameters"] for r in rows), key=lambda p: abs(p - 10_000))
    hundred = min((r["clients"] for r in rows), key=lambda n: abs(n - 100))
    by_n = lambda r: near(r["parameters"], few)  # noqa: E731
    by_d = lambda r: r["clients"] == hundred  # noqa: E731
    clients, parameters = (lambda r: r["clients"]), (lambda r: r["parameters"])
    panels = [
        Panel(f"A round, {few:,} parameters", "clients", "seconds", series(rows, by_n, clients, lambda r: r["seconds"])),
        Panel(f"A round, {hundred} clients", "parameters", "seconds", series(rows, by_d, parameters, lambda r: r["seconds"])),
        Panel(f"Server's memory, {few:,} parameters", "clients", "MB", series(rows, by_n, clients, lambda r: r["server_peak_bytes"] / 1e6)),
        Panel(f"Server's memory, {hundred} clients", "parameters", "MB", series(rows, by_d, parameters, lambda r: r["server_peak_bytes"] / 1e6)),
    ]
    drawn = [panel.draw(Panel.WIDTH * (i % 2), Panel.HEIGHT * (i // 2)) for i, panel in enumerate(panels)]
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * Panel.WIDTH} {2 * Panel.HEIGHT}" font-family="sans-serif">\n'
        "<style>.title{font-size:14px;font-weight:bold}.tick{font-size:11px;fill:#333}.end{text-anchor:end}"
        ".mid{text-anchor:middle}.grid{stroke:#ddd}</style>\n"
        f'<rect width="{2 * Panel.WIDTH}" height="{2 * Panel.HEIGHT}" fill="white"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for growth.json and growth.svg")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--plot", action="store_true", help="draw again, measure nothing")
    parser.add_argument("--rounds", type=int, default=2, help="the last one is measured; the first fills caches")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "growth.json"
    if args.plot:
        rows = json.loads(kept.read_text())
    else:
        rows = []
        wanted = list(dict.fromkeys(QUICK if args.quick else FULL))
        for number, (clients, parameters, drop) in enumerate(wanted, 1):
            print(f"{number}/{len(wanted)}: {clients} clients, {parameters:,} parameters, {drop:.0%} vanish", file=sys.stderr)
            rounds = 1 if clients * parameters >= LONG else args.rounds
            rows.append(run(clients, parameters, drop, args.out / "run", rounds))
            kept.write_text(json.dumps(rows, indent=1))
    table(rows)
    plot(rows, args.out / "growth.svg")
    return 1 if any("failed" in row or not row["exact"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
