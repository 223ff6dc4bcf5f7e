"""Accuracy against epsilon on the digits (500 clients) and Fashion-MNIST (1,000 clients): noise made by the clients, as the service adds
it, beside one central Gaussian of the same epsilon.

    cargo build --release -p tacita-benches --example accuracy && python3 benches/accuracy.py [--seeds 5] [--folder FOLDER]

Fashion-MNIST (MIT, Zalando) comes from the Debian package `dataset-fashion-mnist`, by `apt-get download`, checked by its SHA-256; or from
FOLDER, which holds its four IDX files. Where neither is to be had it is left out, and the reason is printed. Prints a table and draws
`benches/figures/accuracy.svg`. The runs are those of `benches/examples/accuracy.rs`.
"""

import argparse
import gzip
import hashlib
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BINARY = ROOT.parent / "target" / "release" / "examples" / "accuracy"
FIGURE = ROOT / "figures" / "accuracy.svg"
PACKAGE = "dataset-fashion-mnist"
PACKAGE_SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
EPSILONS = ("1", "2", "4", "8", "none")
KINDS = {"distributed": "noise of the clients", "central": "noise of a trusted server"}
COLOURS = {"distributed": "#1f6f8b", "central": "#c05a2b"}
# Found with seed 0 and no noise.
SETTINGS = {"digits": ["clients=500"], "fashion": ["clients=1000", "lr=0.3", "clip=1"]}
TITLES = {"digits": "Digits, 500 clients", "fashion": "Fashion-MNIST, 1,000 clients"}


class Absent(Exception):
    """Why there is no Fashion-MNIST here."""


def fetched(folder: Path) -> Path:
    """The four IDX files out of the Debian package."""
    if not shutil.which("apt-get"):
        raise Absent("no apt-get here; give --folder")
    got = subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
    packages = list(folder.glob(f"{PACKAGE}_*.deb"))
    if not packages:
        raise Absent(f"apt-get download {PACKAGE}: {got.stderr.strip().splitlines()[-1:]}")
    digest = hashlib.sha256(packages[0].read_bytes()).hexdigest()
    if digest != PACKAGE_SHA256:
        raise Absent(f"{packages[0].name} has SHA-256 {digest}, not {PACKAGE_SHA256}")
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", packages[0]], check=True, capture_output=True).stdout
    out = folder / "fashion"
    out.mkdir()
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as files:
        for entry in files.getmembers():
            if entry.name.endswith("-ubyte.gz") and (held := files.extractfile(entry)):
                (out / Path(entry.name).name.removesuffix(".gz")).write_bytes(gzip.decompress(held.read()))
    return out


def runs(data: str | Path, name: str, seeds: int) -> list[dict]:
    command = [str(BINARY), str(data), *SETTINGS[name], f"seeds={seeds}", f"epsilons={','.join(EPSILONS)}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)  # It has said why.
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(name: str, rows: list[dict]) -> dict[str, list[list[float]]]:
    """Prints a table, and gives the accuracies of every epsilon and seed by kind."""
    found: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    print(f"\n{TITLES[name]}, {rows[0]['rounds']} rounds, delta {rows[0]['delta']}\n")
    print("| epsilon | noise / clip, clients | central | accuracy, clients (largest distance) | central | difference, points |")
    print("|---|---|---|---|---|---|")
    for epsilon in EPSILONS:
        cells, means = [], []
        for kind in KINDS:
            chosen = [row for row in rows if row["epsilon"] == epsilon and row["kind"] == kind]
            values = [row["accuracy"] for row in chosen]
            found[kind].append(values)
            mean = statistics.mean(values)
            means.append(mean)
            cells.append((chosen[0]["noise_over_clip"], f"{mean:.3f} ({max(abs(v - mean) for v in values):.3f})"))
        (noise, mine), (central, theirs) = cells
        difference = 100 * (means[0] - means[1])
        print(f"| {epsilon} | {noise:.2f} | {central:.2f} | {mine} | {theirs} | {difference:+.1f} |")
    return found


def panel(left: int, name: str, curves: dict[str, list[list[float]]]) -> list[str]:
    """Lines through the means, bars from least to largest."""
    width, top, bottom = 330, 60, 320
    every = [value for values in curves.values() for accuracies in values for value in accuracies]
    low = int(min(every) * 20) / 20
    high = min(1.0, int(max(every) * 20 + 1) / 20)

    def x(index: float) -> float:
        return left + width * (index + 0.5) / len(EPSILONS)

    def y(accuracy: float) -> float:
        return bottom - (bottom - top) * (accuracy - low) / (high - low)

    parts = [f'<text x="{left}" y="{top - 14}" font-size="15">{TITLES[name]}</text>']
    for step in range(round(low * 100), round(high * 100) + 1):
        at = y(step / 100)
        wide = step % 5 == 0
        parts.append(f'<path d="M{left} {at:.1f}h{width}" stroke="{"#ccc" if wide else "#eee"}"/>')
        if wide:
            parts.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{step / 100:.2f}</text>')
    for index, epsilon in enumerate(EPSILONS):
        label = "no noise" if epsilon == "none" else epsilon
        parts.append(f'<text x="{x(index):.1f}" y="{bottom + 22}" text-anchor="middle">{label}</text>')
    for shift, (kind, values) in zip((-0.04, 0.04), curves.items(), strict=True):
        colour = COLOURS[kind]
        means = [statistics.mean(accuracies) for accuracies in values]
        points = " ".join(f"{x(i + shift):.1f},{y(mean):.1f}" for i, mean in enumerate(means))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for i, (accuracies, mean) in enumerate(zip(values, means, strict=True)):
            at = x(i + shift)
            parts.append(f'<path d="M{at:.1f} {y(min(accuracies)):.1f}V{y(max(accuracies)):.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{at:.1f}" cy="{y(mean):.1f}" r="3.5" fill="{colour}"/>')
    return parts


def draw(panels: dict[str, dict[str, list[list[float]]]]) -> str:
    width = 60 + 400 * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 400" font-family="sans-serif" font-size="13">',
        f"<title>Accuracy against epsilon</title><rect width=\"{width}\" height=\"400\" fill=\"white\"/>",
    ]
    for number, (name, curves) in enumerate(panels.items()):
        parts += panel(60 + 400 * number, name, curves)
    parts.append('<text x="60" y="366">epsilon of the whole task about one client, against the server and its colluders (5 %)</text>')
    for number, (kind, words) in enumerate(KINDS.items()):
        at = 60 + 200 * number
        parts.append(f'<path d="M{at} 386h24" stroke="{COLOURS[kind]}" stroke-width="2"/><text x="{at + 30}" y="390">{words}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="Fashion-MNIST's IDX files, unpacked")
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error("--seeds: at least 1")
    if not BINARY.exists():
        parser.error(f"{BINARY.relative_to(ROOT.parent)} is not there: cargo build --release -p tacita-benches --example accuracy")
    panels = {"digits": table("digits", runs("digits", "digits", args.seeds))}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = args.folder or fetched(Path(scratch))
            panels["fashion"] = table("fashion", runs(folder, "fashion", args.seeds))
        except Absent as reason:
            print(f"\nFashion-MNIST is left out: {reason}")
    FIGURE.write_text(draw(panels))
    print(f"\n{FIGURE.relative_to(ROOT.parent)} is drawn")


if __name__ == "__main__":
    main()
