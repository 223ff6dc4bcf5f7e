"""Reading messages (05 section 3)."""

from tacita_ref import messages
from tacita_ref.messages import (
    Agreement,
    AgreeRequest,
    Certificates,
    Chunk,
    Draws,
    Hello,
    Leave,
    ProvenEntry,
    RevealRequest,
    Roster,
    SampledRequest,
    SealedBox,
    ShareRoot,
    Sharers,
    Signers,
    Shares,
    UploadEnd,
)

from . import Case, Json

_ROOT = ShareRoot(root=bytes(32), self_commitment=bytes(32), signature=bytes(64))


def wire() -> list[Case]:
    hello = messages.encode(Hello(version=1, ledger_size=258, attempt=b"", model_received=0)).hex()
    good = {
        "hello of 05 section 5": hello,
        "agreement": messages.encode(Agreement(signature=bytes(64))).hex(),
        "chunk": messages.encode(Chunk(index=3, packed=bytes(5))).hex(),
        "draws": messages.encode(Draws(drawn=list(range(66)))).hex(),
        "leave": messages.encode(Leave(reason=b"TAC-020")).hex(),
        "upload end with 1,000 suspects": _end(1000),
        "shares without boxes": messages.encode(Shares(share_root=_ROOT, own_pair=[], boxes=[])).hex(),
    }
    bad = {
        "empty": "",
        "byte behind the message": hello + "00",
        "a byte short": hello[:-2],
        "unknown kind": "00" + hello[2:],
        "kind of the server": "46" + "0000",
        "length beyond the frame": "08ffff",
        "element cut by its vector's end": "05" + "0003" + "000100" + "00" * 64,
        "upload end with 1,001 suspects": _end(1001),
        "proof of 31 bytes": "07" + "00000043" + "0000" + "00" * 32 + "001f" + "00" * 31 + "00" * 72,
    }
    cases = [Case(n, "read from member", {"bytes": d}) for n, d in good.items()]
    cases += [Case(n, "read from member", {"bytes": d}, "malformed") for n, d in bad.items()]
    return cases + _from_server()


def hellos() -> list[Case]:
    """Which attempt a member goes on with."""
    ours, other = "11" * 32, "22" * 32

    def given(attempt: str, running: str | None, is_in: bool) -> Json:
        named = bytes.fromhex(attempt)
        hello = messages.encode(Hello(version=1, ledger_size=3, attempt=named, model_received=0)).hex()
        return {"hello": hello, "running": running, "is_in": is_in}

    good = {
        "with the attempt that is running": given(ours, ours, True),
        "anew, though an attempt is running": given("", ours, True),
        "anew, and none is running": given("", None, False),
    }
    bad = {
        "with another attempt": given(other, ours, True),
        "with an attempt that is over": given(ours, None, True),
        "with an attempt that it is not in": given(ours, ours, False),
        "with a part of the round id": given(ours[:-2], ours, True),
    }
    cases = [Case(f"hello, {n}", "goes on", g) for n, g in good.items()]
    return cases + [Case(f"hello, {n}", "goes on", g, "TAC-077") for n, g in bad.items()]


def _end(suspects: int) -> str:
    return messages.encode(UploadEnd(suspects=list(range(suspects)), noise_anchor=b"", signature=bytes(64))).hex()


def _from_server() -> list[Case]:
    def roster(size: int, width: int = 32) -> str:
        listed = [bytes(width)] * size
        return messages.encode(Roster(identities=listed, merkle_root=bytes(32), entries=[])).hex()

    request = messages.encode(AgreeRequest(survivors=b"\x0f")).hex()
    sharers = messages.encode(Sharers(sharers=b"\x0f", merkle_root=bytes(32), entries=[], boxes=[])).hex()
    certificates = messages.encode(Certificates(list=[b""] * 1001)).hex()
    empty = SealedBox(peer=0, share_ciphertext=b"", ciphertext=b"")
    crowded = Sharers(sharers=b"\x0f", merkle_root=bytes(32), entries=[], boxes=[empty] * 1001)
    entry = ProvenEntry(index=1, bytes=b"{}", proof=[])
    whole = RevealRequest(
        signers=b"\x01",
        signatures=[bytes(64)],
        checkpoint=b"",
        consistency=[],
        manifest=entry,
        charge=entry,
        upload_proof=[],
    )
    good = {
        "agree request": request,
        "roster of nobody": roster(0),
        "roster of 10,000 prefixes": roster(10_000, 8),
        "sharers without entries": sharers,
        "signers": messages.encode(Signers(signers=b"\x0f", root=bytes(32))).hex(),
        "sampled request": messages.encode(SampledRequest(request=whole, proofs=[[bytes(32)]])).hex(),
    }
    bad = {
        "1,001 boxes": messages.encode(crowded).hex(),
        "1,001 proofs": messages.encode(SampledRequest(request=whole, proofs=[[]] * 1001)).hex(),
        "1,001 certificates": certificates,
        "agree request, byte behind": request + "00",
        "message of a member to a member": messages.encode(Agreement(signature=bytes(64))).hex(),
    }
    cases = [Case(n, "read from server", {"bytes": d}) for n, d in good.items()]
    return cases + [Case(n, "read from server", {"bytes": d}, "malformed") for n, d in bad.items()]


def _part(last: int, length: int, first: str = "", kind: int = 9) -> Json:
    """A part whose bytes begin with `first`; the rest is zeros."""
    head = bytes([kind, last]) + length.to_bytes(4, "big")
    return {"head": head.hex() + first, "zeros": length - len(first) // 2}


def in_parts() -> list[Case]:
    """Messages larger than a frame; `03` is the kind of `shares`."""
    frame, full, most = messages.MAX_FRAME, messages.MAX_FRAME - 6, messages.MAX_MESSAGE
    cases = []
    for name, size in (
        ("of a frame", frame),
        ("over a frame", frame + 1),
        ("of two parts", 2 * full),
        ("largest", most),
    ):
        given = {"kind": 9, "message": {"head": "03", "zeros": size - 1}}
        cases.append(Case(f"message {name}", "divide", given))
    first = _part(0, full, "03")
    whole = [first, _part(1, 100)]
    plain: Json = {"head": "0801", "zeros": 0}
    cases.append(Case("two parts", "assemble", {"frames": whole, "room": most}))
    cases.append(
        Case(
            "roster in parts",
            "assemble",
            {"frames": [_part(0, full, "44", 75), _part(1, 100, "", 75)], "room": most},
        )
    )
    bad: dict[str, tuple[list[Json], int]] = {
        "where none are taken": (whole, 0),
        "more than is taken": (whole, full + 99),
        "over the largest message": ([first, *[_part(0, full)] * 8], 2 * most),
        "of a chunk": ([_part(0, full, "04"), _part(1, 100)], most),
        "a message in between": ([first, plain, _part(1, 100)], most),
        "a part that is not full": ([_part(0, full - 1, "03"), _part(1, 100)], most),
        "a last part that is empty": ([first, _part(1, 0)], most),
        "of a message that fits a frame": ([_part(1, full, "03")], most),
        "last is 2": ([first, _part(2, 100)], most),
        "byte behind a part": ([first, {"head": _part(1, 100)["head"], "zeros": 101}], most),
        "a byte short": ([first, {"head": _part(1, 100)["head"], "zeros": 99}], most),
    }
    return cases + [
        Case(f"parts, {n}", "assemble", {"frames": f, "room": r}, "malformed") for n, (f, r) in bad.items()
    ]
