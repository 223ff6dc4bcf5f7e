"""Checks a ledger directory from protocol-spec/06-ledger.md alone: Python's standard library, and openssl for Ed25519.

    python3 ledger_check.py DIR --key VKEY-FILE [--witness VKEY-FILE]

Recomputes every tile and the root from the entry bundles, the inclusion of every entry, the rotations of the log's key from
the pinned one on, and the signatures of the head. Exit status 1, and one line saying what is wrong, if anything is. It does not
judge what entries say: `tacita ledger verify` does that too.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

WIDTH = 256


class Wrong(Exception):
    """What is wrong with the ledger."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count):
    """The largest power of two below count (RFC 6962 section 2.1)."""
    return 1 << (count - 1).bit_length() - 1


def root_of(hashes):
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    at = split(len(hashes))
    return node_hash(root_of(hashes[:at]), root_of(hashes[at:]))


def inclusion_proof(index, hashes):
    if len(hashes) == 1:
        return []
    at = split(len(hashes))
    if index < at:
        return inclusion_proof(index, hashes[:at]) + [root_of(hashes[at:])]
    return inclusion_proof(index - at, hashes[at:]) + [root_of(hashes[:at])]


def is_included(leaf, index, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    node, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{suffix}"


def chunks(items):
    return [items[at : at + WIDTH] for at in range(0, len(items), WIDTH)]


class Key:
    """A verifier key: name+id+base64(type || public key)."""

    def __init__(self, text):
        self.text = text
        name, identifier, encoded = text.split("+", 2)
        typed = base64.b64decode(encoded, validate=True)
        need(len(typed) == 33, f"{name}: not an Ed25519 key")
        self.name, self.kind, self.public = name, typed[0], typed[1:]
        self.id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        need(self.id.hex() == identifier, f"{name}: the id is not that of the key")

    def check(self, message, signature, what):
        # SubjectPublicKeyInfo of Ed25519 is this prefix and the key (RFC 8410).
        der = bytes.fromhex("302a300506032b6570032100") + self.public
        pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
        with tempfile.TemporaryDirectory() as below:
            folder = pathlib.Path(below)
            for name, content in [("key", pem), ("message", message), ("signature", signature)]:
                (folder / name).write_bytes(content)
            command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin"]
            command += ["-in", "message", "-sigfile", "signature"]
            ran = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        need(ran.returncode == 0, f"{what}: openssl does not verify the signature by {self.name}+{self.id.hex()}")


def read_keys(path):
    lines = [line.strip() for line in pathlib.Path(path).read_text().splitlines()]
    return [Key(line) for line in lines if line and not line.startswith("#")]


def read_note(content):
    text, block = content.rsplit(b"\n\n", 1)
    need(block.endswith(b"\n"), "checkpoint: the last line is cut short")
    lines = []
    for line in block[:-1].decode().split("\n"):
        dash, name, encoded = line.split(" ")
        payload = base64.b64decode(encoded, validate=True)
        need(dash == "\u2014" and base64.b64encode(payload).decode() == encoded, "checkpoint: a malformed signature line")
        lines.append((name, payload[:4], payload[4:]))
    return text + b"\n", lines


def read_bundles(files, size):
    entries = []
    for index, start in enumerate(range(0, size, WIDTH)):
        width = min(WIDTH, size - start)
        path = tile_path("entries", index, width)
        rest = files.pop(path, None)
        need(rest is not None, f"{path}: missing")
        for _ in range(width):
            length = int.from_bytes(rest[:2], "big")
            need(len(rest) >= 2 + length, f"{path}: cut short")
            entries.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
        need(not rest, f"{path}: bytes left over")
    return entries


def check_tiles(files, leaves):
    """Every hash tile, from the leaves up: 256 hashes of a level make one of the next."""
    level, hashes, count = 0, leaves, 0
    while hashes:
        parts = chunks(hashes)
        for index, part in enumerate(parts):
            path = tile_path(level, index, len(part))
            need(files.pop(path, None) == b"".join(part), f"{path}: not what the entries hash to")
            count += 1
        hashes = [root_of(part) for part in parts if len(part) == WIDTH]
        level += 1
    return count


def check_rotations(entries, leaves, origin, pinned):
    """The keys in force, oldest first, each handed over by the one before it."""
    keys = []
    for index, entry in enumerate(entries):
        fields = json.loads(entry)
        if fields["kind"] != "rotation":
            continue
        key, following = Key(fields["key"]), Key(fields["next_key"])
        where = f"entry {index}"
        need(key.name == following.name == origin, f"{where}: a key of another log")
        need(not keys or keys[-1].text == key.text, f"{where}: not by the key in force")
        root = base64.b64encode(root_of(leaves[:index])).decode()
        text = f"tacita/1 ledger key rotation\n{origin}\n{index}\n{root}\n{following.text}\n"
        key.check(text.encode(), bytes.fromhex(fields["signature"]), where)
        keys = [*(keys or [key]), following]
    keys = keys or [pinned]
    need(pinned.text in [key.text for key in keys], "the log was never signed by the pinned key")
    return keys


def check(directory, pinned, witnesses):
    root = pathlib.Path(directory)
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    note, lines = read_note(files.pop("checkpoint"))
    origin, size, encoded, end = note.decode().split("\n")
    need(end == "" and origin == pinned.name and size == str(int(size)), "checkpoint: not three lines of this log")
    entries = read_bundles(files, int(size))
    leaves = [leaf_hash(entry) for entry in entries]
    tiles = check_tiles(files, leaves)
    need(not files, f"{next(iter(files), '')}: not a file of this ledger")
    head = root_of(leaves)
    need(base64.b64encode(head).decode() == encoded, "checkpoint: another root than that of the entries")
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(index, leaves)
        need(is_included(leaf, index, len(leaves), proof, head), f"entry {index}: not included")
    keys = check_rotations(entries, leaves, origin, pinned)
    key, signed = keys[-1], False
    said = []
    for name, identifier, payload in lines:
        if (name, identifier) == (key.name, key.id):
            key.check(note, payload, "checkpoint")
            signed = True
            continue
        for witness in witnesses:
            if (name, identifier) == (witness.name, witness.id):
                time = int.from_bytes(payload[:8], "big")
                message = f"cosignature/v1\ntime {time}\n".encode() + note
                witness.check(message, payload[8:], "checkpoint")
                said.append(f"cosigned by {name}, checked with openssl")
                break
        else:
            raise Wrong(f"checkpoint: a signature line of {name}+{identifier.hex()}, a key that was not listed")
    need(signed, f"checkpoint: not signed by {key.name}+{key.id.hex()}")
    print(f"root {head.hex()}")
    print(f"entries {len(entries)}, each included under the root")
    print(f"tiles {tiles}, each recomputed")
    print(f"key rotations {len(keys) - 1}")
    print("head signed, checked with openssl")
    for line in said:
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("directory")
    parser.add_argument("--key", required=True)
    parser.add_argument("--witness")
    arguments = parser.parse_args()
    [pinned] = read_keys(arguments.key)
    try:
        check(arguments.directory, pinned, read_keys(arguments.witness) if arguments.witness else [])
    except (Wrong, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
