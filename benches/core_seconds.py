"""Where the processor time of a whole round goes, sockets and disk included: `tacita demo` under Linux `perf`, by the functions
that ran, in the kernel as well.

    cargo build --release && python3 benches/core_seconds.py [--clients 500] [--rounds 4]

Two runs, one with twice the rounds of the other: the difference leaves enrolment and start out. Prints core-seconds of one
round, all parties, by step. A function is counted where its name says; the allocator's and copies are nobody's. Needs `perf`.
"""

import argparse
import collections
import re
import subprocess
import tempfile
from pathlib import Path

BINARY = Path(__file__).resolve().parent.parent / "target" / "release" / "tacita"
HERTZ = 997
STEPS = [
    ("kernel: UDP sockets", r"^\[k\].*(udp|skb|sock|sendmsg|recvmsg|ip_|copy_(to|from)_iter|nf_|net_|csum|inet|dst_|softirq|napi)"),
    ("kernel: memory, files, switches", r"^\[k\]"),
    ("key agreement: X25519", r"(?i)x25519"),
    ("key agreement: ML-KEM", r"libcrux|ml_kem|keccak|_mm256_"),
    ("signatures: Ed25519, SHA-512", r"curve25519_dalek|ed25519|sha512"),
    ("SQLite", r"sqlite|rusqlite|tacita_store"),
    ("QUIC: quinn, TLS, packets", r"quinn|rustls|aes_gcm|aws_lc|tacita_transport|gcm_"),
    ("hashes: share leaves, paths, digests", r"sha2::|digest::|tacita_algebra::hash|merkle|tacita_ledger"),
    ("Shamir", r"shamir|tacita_algebra::(scalar|wide)"),
    ("AES masks; clip, rotate, round, noise", r"tacita_privacy|mask::|aes::"),
    ("training", r"burn|tacita_learn|gemm|macerator"),
    ("allocator, copies, clearing", r"rjem|malloc|memmove|memset|memcpy|memcmp|zeroize|__rust_|alloc::"),
    ("tokio, rayon", r"tokio|rayon|crossbeam|mio::|std::sync|futex"),
    ("states, messages, certificates", r"tacita_|tls_codec|serde|webpki|x509|hashbrown"),
    ("the rest", r""),
]


def profile(clients: int, rounds: int) -> collections.Counter:
    with tempfile.TemporaryDirectory() as scratch:
        data, out = Path(scratch) / "perf.data", Path(scratch) / "demo"
        demo = [BINARY, "demo", "--clients", clients, "--rounds", rounds, "--epsilon", 2, "--delta", "1e-4", "--out", out]
        record = ["perf", "record", "--freq", HERTZ, "--output", data, "--", *demo]
        subprocess.run([str(word) for word in record], check=True, capture_output=True)
        report = ["perf", "report", "--input", data, "--stdio", "--sort", "symbol", "--fields", "sample,symbol"]
        text = subprocess.run([str(word) for word in report], check=True, capture_output=True, text=True).stdout
    counts = collections.Counter()
    for line in text.splitlines():
        found = re.match(r"\s*(\d+)\s+(\[.\].*?)\s*(?:-\s+-\s*)?$", line)
        if found:
            step = next(step for step, names in STEPS if re.search(names, found[2]))
            counts[step] += int(found[1])
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    few, many = profile(args.clients, args.rounds), profile(args.clients, 2 * args.rounds)
    seconds = {step: (many[step] - few[step]) / HERTZ / args.rounds for step, _ in STEPS}
    total = sum(seconds.values())
    print(f"{args.clients} clients, one round of {args.rounds}, core-seconds of all parties: {total:.2f}")
    for step, value in sorted(seconds.items(), key=lambda pair: -pair[1]):
        print(f"  {step:40} {value:7.3f} {100 * value / total:5.1f} %")


if __name__ == "__main__":
    main()
