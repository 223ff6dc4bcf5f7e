"""The server in one round (02 section 3). A refused message changes nothing.

What the pages leave to the server is an argument: when a phase closes, and which signers a member is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import (
    advertisement,
    beside,
    bitmap,
    ed25519,
    encoding,
    labels,
    ledger_entries,
    merkle,
    mlkem,
    noise,
    recovery,
    sharers,
    sharing,
    statement,
    upload,
    x25519,
)
from . import roster as rosters
from .certificates import Certificate
from .graph import Graph
from .keys import End
from .ledger import Log, cosignature_text, head_text
from .manifest import Checked
from .messages import (
    Advertise,
    Agreement,
    AgreeRequest,
    Certificates,
    Chunk,
    Invitation,
    Outcome,
    Reveal,
    RevealRequest,
    Roster,
    RosterEntry,
    SealedBox,
    SharerEntry,
    Sharers,
    Shares,
    UploadEnd,
    ProvenEntry,
)
from .refusal import Aborted, Refused, require
from .ring import add, pack, packed_length, unpack
from .tagged import sha256

MIN_BOX, MAX_BOX = 80, 464


@dataclass
class _Member:
    certificate: Certificate
    advertise: Advertise


class Server:
    def __init__(self, checked: Checked, log: Log, seed: bytes, now: int) -> None:
        self.manifest, self.log, self._seed, self.now = checked, log, seed, now
        self._joined: dict[bytes, _Member] = {}
        self.refused: list[str] = []

    # 3.1

    def invitation(self, heard: int, model_length: int) -> Invitation:
        """For a member that remembers a ledger of `heard` entries; to be called before `reserve`."""
        return Invitation(
            manifest=self.manifest.fields,
            signature=ed25519.sign(self._seed, labels.MANIFEST_SIGNATURE, self.manifest.digest),
            checkpoint=self.log.checkpoint(),
            consistency=self.log.consistency(heard),
            model_length=model_length,
            previous=self._previous(),
        )

    def _previous(self) -> list[ProvenEntry]:
        """Manifest and outcome of the last round of the task, where its clip norm follows from them (04 section 13)."""
        task, rule = self.manifest.fields.task.decode(), self.manifest.beside and self.manifest.beside.rule
        manifests: dict[str, int] = {}
        last: list[int] = []
        for index, entry in enumerate(self.log.decoded()):
            if entry["kind"] == "manifest" and entry["task"] == task:
                manifests[entry["round_id"]] = index
            elif entry["kind"] == "outcome" and entry["round_id"] in manifests:
                last = [manifests[entry["round_id"]], index]
        return [self.log.proven(index) for index in last] if rule else []

    def reserve(self) -> None:
        """Appends the manifest entry."""
        entry = ledger_entries.reserve(self.manifest, self.now)
        self.reserved = self.log.append(ledger_entries.encode(entry))

    # 3.2 and 3.3

    def handle_advertise(self, certificate: Certificate, message: Advertise) -> None:
        known = self._joined.get(certificate.identity)
        if known is not None:
            require(known.advertise == message and known.certificate == certificate, "TAC-072")
            return
        require(len(self._joined) < self.manifest.fields.cohort, "TAC-075")
        signed = advertisement.verify(certificate.key, self.manifest.digest, certificate.fingerprint, message)
        require(signed, "TAC-023")
        for key in (message.mask_key, message.share_key):
            require(not x25519.is_small_order(key), "TAC-026")
        for key in (message.mask_kem_key, message.share_kem_key):
            require(mlkem.is_sound(key) if self.manifest.post_quantum else key == b"", "TAC-027")
        self._joined[certificate.identity] = _Member(certificate, message)

    def close_gathering(self) -> None:
        if len(self._joined) < self.manifest.smallest_roster:
            raise Aborted("too few members")
        self.members = [self._joined[identity] for identity in sorted(self._joined)]
        self.size = len(self.members)
        self._roster_leaves = [
            rosters.leaf(i, m.certificate.identity, m.certificate.fingerprint, m.advertise)
            for i, m in enumerate(self.members)
        ]
        self._roster_merkle = merkle.root(self._roster_leaves)
        self.identities = [m.certificate.identity for m in self.members]
        self.root = rosters.root(self.identities, self._roster_merkle)
        k = self.manifest.graph.neighbours
        self.graph = Graph(self.manifest.graph.complete, k, self.root, self.size)
        self._shares: dict[int, Shares] = {}

    def certificates(self, indices: Sequence[int]) -> Certificates:
        return Certificates(list=[self.members[i].certificate.der for i in indices])

    def roster(self, index: int) -> Roster:
        entries = []
        for i in sorted([*self.graph.neighbours(index), index]):
            member = self.members[i]
            entries.append(
                RosterEntry(
                    index=i,
                    identity=member.certificate.identity,
                    fingerprint=member.certificate.fingerprint,
                    advertise=member.advertise,
                    proof=merkle.inclusion_proof(self._roster_leaves, i),
                )
            )
        return Roster(identities=self.identities, merkle_root=self._roster_merkle, entries=entries)

    # 3.4 and 3.5

    def handle_shares(self, index: int, message: Shares) -> None:
        if index in self._shares:
            require(self._shares[index] == message, "TAC-072")
            return
        require(index < self.size, "TAC-071")
        neighbours = self.graph.neighbours(index)
        require([box.peer for box in message.boxes] == neighbours, "TAC-035", "boxes")
        for box in message.boxes:
            require(MIN_BOX <= len(box.ciphertext) <= MAX_BOX, "TAC-035", "size")
        m, member = self.manifest.digest, self.members[index]
        self._check_ciphertexts(index, message)
        good = sharing.verify_root(member.certificate.key, m, self.root, index, message.share_root)
        require(good, "TAC-031")
        self._shares[index] = message

    def _check_ciphertexts(self, index: int, message: Shares) -> None:
        """TAC-036: lengths, and the root rebuilt from what the message shows."""
        rule, kem = "TAC-036", self.manifest.post_quantum
        own = self.members[index].certificate.fingerprint
        boxes = {box.peer: box for box in message.boxes}
        require(len(message.own_pair) == (1 if self.graph.complete else 0), rule, "own pair")
        pairs, ciphertexts = [], []
        for holder in self.graph.holders(index):
            place = sharing.Place(self.manifest.digest, self.root, index, holder)
            c = e = b""
            pair = message.own_pair[0] if holder == index else boxes[holder].pair
            if holder != index:
                c, e = boxes[holder].mask_ciphertext, boxes[holder].share_ciphertext
                smaller = own < self.members[holder].certificate.fingerprint
                require(len(c) == (mlkem.CIPHERTEXT_BYTES if kem and smaller else 0), rule, "mask ciphertext")
                require(len(e) == (mlkem.CIPHERTEXT_BYTES if kem else 0), rule, "share ciphertext")
            pairs.append(pair)
            ciphertexts.append(
                (
                    place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, c),
                    place.ciphertext_leaf(sharing.SHARE_CIPHERTEXT, e),
                )
            )
        require(sharing.root_from_pairs(pairs, ciphertexts) == message.share_root.root, rule, "root")

    def close_sharing(self) -> None:
        if len(self._shares) < self.manifest.fields.minimum_survivors:
            raise Aborted("too few sharers")
        self.sharers = sorted(self._shares)
        self._sharers_bitmap = bitmap.encode(self.size, self.sharers)
        self._sharer_leaves = [sharers.leaf(i, self._shares[i].share_root) for i in self.sharers]
        merkle_root = merkle.root(self._sharer_leaves)
        self.digest = sharers.digest(self.size, self._sharers_bitmap, merkle_root)
        self._in_flight: dict[int, list[bytes]] = {}
        self.uploads: dict[int, tuple[bytes, bytes]] = {}
        self._anchors: dict[int, bytes] = {}
        self.suspects: set[tuple[int, int]] = set()
        self._total = [0] * self.manifest.fields.padded

    def mask_ciphertext(self, dealer: int, peer: int) -> bytes:
        """What `dealer` made for `peer`."""
        boxes = self._shares[dealer].boxes
        return next((box.mask_ciphertext for box in boxes if box.peer == peer), b"")

    def sharers_message(self, index: int) -> Sharers:
        entries, boxes = [], []
        for i in sorted([*self.graph.neighbours(index), index]):
            if i not in self._shares:
                continue
            ciphertext = self.mask_ciphertext(i, index)
            entries.append(
                SharerEntry(
                    index=i,
                    share_root=self._shares[i].share_root,
                    mask_ciphertext=ciphertext,
                    ciphertext_proof=self._ciphertext_proof(i, index) if ciphertext else [],
                    proof=merkle.inclusion_proof(self._sharer_leaves, self.sharers.index(i)),
                )
            )
            for box in self._shares[i].boxes:
                if box.peer == index:
                    boxes.append(
                        SealedBox(peer=i, share_ciphertext=box.share_ciphertext, ciphertext=box.ciphertext)
                    )
        return Sharers(
            sharers=self._sharers_bitmap,
            merkle_root=merkle.root(self._sharer_leaves),
            entries=entries,
            boxes=boxes,
        )

    def _ciphertext_proof(self, dealer: int, holder: int) -> list[bytes]:
        """Inclusion proof of leaf 4p + 2 in the dealer's tree, of which the server knows the pair nodes only."""
        holders = self.graph.holders(dealer)
        boxes = {box.peer: box for box in self._shares[dealer].boxes}
        quads, halves = [], []
        for h in holders:
            place = sharing.Place(self.manifest.digest, self.root, dealer, h)
            c = boxes[h].mask_ciphertext if h in boxes else b""
            e = boxes[h].share_ciphertext if h in boxes else b""
            pair = boxes[h].pair if h in boxes else self._shares[dealer].own_pair[0]
            other = place.ciphertext_leaf(sharing.SHARE_CIPHERTEXT, e)
            half = merkle.node(place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, c), other)
            quads.append((other, pair))
            halves.append(merkle.node(pair, half))
        p = holders.index(holder)
        return [*quads[p], *merkle.inclusion_proof(halves, p)]

    # 3.6

    def handle_chunk(self, index: int, message: Chunk) -> None:
        require(index in self._shares, "TAC-071")
        require(index not in self.uploads, "TAC-072")
        chunks = self.manifest.chunks()
        flight = self._in_flight.setdefault(index, [])
        require(message.index == len(flight) < len(chunks), "TAC-040", "order")
        count, bits = chunks[message.index][1], self.manifest.fields.bits
        require(len(message.packed) == packed_length(count, bits), "TAC-040", "size")
        unpack(message.packed, bits, count, "TAC-040")
        flight.append(message.packed)

    def handle_end(self, index: int, message: UploadEnd) -> None:
        require(index in self._shares, "TAC-071")
        require(index not in self.uploads, "TAC-072")
        # An upload whose end is refused is forgotten.
        flight = self._in_flight.pop(index, [])
        chunks, bits = self.manifest.chunks(), self.manifest.fields.bits
        require(len(flight) == len(chunks), "TAC-040", "chunks missing")
        suspects = message.suspects
        rising = all(a < b for a, b in zip(suspects, suspects[1:], strict=False))
        require(rising and set(suspects) <= set(self.graph.neighbours(index)), "TAC-041", "suspects")
        anchor = message.noise_anchor
        require(len(anchor) == (32 if self.manifest.levels else 0), "TAC-039")
        digest = upload.digest(self.manifest.digest, self.root, self.digest, index, suspects, anchor, flight)
        key = self.members[index].certificate.key
        require(ed25519.verify(key, labels.UPLOAD, digest, message.signature), "TAC-041")
        for (at, count), packed in zip(chunks, flight, strict=True):
            values = unpack(packed, bits, count, "TAC-040")
            part = self._total[at : at + count]
            add(part, values, bits)
            self._total[at : at + count] = part
        self.uploads[index] = (digest, message.signature)
        self._anchors[index] = anchor
        self.suspects |= {(dealer, index) for dealer in suspects}

    # 3.7

    def close_collecting(self) -> None:
        if len(self.uploads) < self.manifest.fields.minimum_survivors:
            raise Aborted("too few survivors")
        self.survivors = sorted(self.uploads)
        self._survivors_bitmap = bitmap.encode(self.size, self.survivors)
        self.statement = statement.digest(
            self.manifest.digest, self.root, self.digest, self.size, self._survivors_bitmap
        )
        self._upload_leaves = [
            merkle.leaf(i.to_bytes(2, "big") + b"".join(self.uploads[i])) for i in self.survivors
        ]
        self.signatures: dict[int, bytes] = {}

    def agree_request(self) -> AgreeRequest:
        return AgreeRequest(survivors=self._survivors_bitmap)

    def handle_agreement(self, index: int, message: Agreement) -> None:
        require(index in self.uploads, "TAC-071")
        if index in self.signatures:
            require(self.signatures[index] == message.signature, "TAC-072")
            return
        key = self.members[index].certificate.key
        good = ed25519.verify(key, labels.STATEMENT_SIGNATURE, self.statement, message.signature)
        require(good, "TAC-054")
        self.signatures[index] = message.signature

    # 3.8

    def close_agreeing(self) -> None:
        """Commits the charge, once a quorum signed that can rebuild every secret."""
        if len(self.signatures) < self.manifest.fields.quorum:
            raise Aborted("no quorum")
        for dealer in self.sharers:
            able = [h for h in self.graph.holders(dealer) if self._can_answer(dealer, h)]
            if len(able) < self.manifest.fields.threshold:
                raise Aborted("too few shares")
        entry = ledger_entries.charge(
            self.manifest,
            self.root,
            self.digest,
            self.size,
            self._survivors_bitmap,
            self.statement,
            merkle.root(self._upload_leaves),
            self.now,
        )
        self.charged = self.log.append(ledger_entries.encode(entry))
        self._head = head_text(self.log.origin, self.log.size, self.log.root())
        self._shown = self.log.size
        self.shares: dict[int, dict[int, int]] = {dealer: {} for dealer in self.sharers}
        self.answers: dict[int, Reveal] = {}
        self.blamed: list[int] = []
        # By survivor: the seed of its first surplus layer.
        self._seeds: dict[int, bytes] = {}

    def _can_answer(self, dealer: int, holder: int) -> bool:
        near = sum(i in self.signatures for i in self.graph.neighbours(holder))
        sees = self.graph.complete or near >= self.manifest.fields.threshold
        return holder in self.signatures and sees and (dealer, holder) not in self.suspects

    def reveal_request(self, index: int, signers: Sequence[int]) -> RevealRequest:
        upload_proof = merkle.inclusion_proof(self._upload_leaves, self.survivors.index(index))
        return RevealRequest(
            signers=bitmap.encode(self.size, signers),
            signatures=[self.signatures[i] for i in sorted(signers)],
            checkpoint=self.log.checkpoint(),
            consistency=self.log.consistency(self.manifest.fields.ledger_size),
            manifest=self.log.proven(self.reserved),
            charge=self.log.proven(self.charged),
            upload_proof=upload_proof,
        )

    def handle_reveal(self, index: int, message: Reveal) -> None:
        require(index in self.signatures, "TAC-071")
        require(index not in self.answers, "TAC-072")
        dealers = [share.dealer for share in message.shares]
        rising = all(a < b for a, b in zip(dealers, dealers[1:], strict=False))
        require(rising and len(dealers) <= self.size, "TAC-035", "dealers")
        text = cosignature_text(message.cosigned_at, self._head)
        key = self.members[index].certificate.key
        require(ed25519.verify_bytes(key, text, message.cosignature), "TAC-074")
        self.answers[index] = message
        self._take_seed(index, message.noise_seed)
        for share in message.shares:
            try:
                require(share.dealer in self.shares, "TAC-073")
                place = sharing.Place(self.manifest.digest, self.root, share.dealer, index)
                kind = sharing.SELF if share.dealer in self.uploads else sharing.MASK
                holders = self.graph.holders(share.dealer)
                root = self._shares[share.dealer].share_root.root
                self.shares[share.dealer][index] = sharing.check_revealed(share, place, kind, holders, root)
            except Refused as refused:
                # A share that fails is left out and blames the holder; the others count.
                require(refused.rule == "TAC-073", refused.rule)
                self.blamed.append(index)

    def _take_seed(self, index: int, seed: bytes) -> None:
        """TAC-064: a seed that does not lead to the anchor blames its sender; its surplus stays."""
        levels = self.manifest.levels
        surplus = levels.first_surplus(len(self.survivors)) if levels else None
        if levels is None or surplus is None:
            good = seed == b""
        else:
            good = len(seed) == 32 and noise.anchor(levels, surplus, seed) == self._anchors[index]
            if good:
                self._seeds[index] = seed
        if not good:
            self.blamed.append(index)

    # 3.9

    def end(self, index: int) -> End:
        member = self.members[index]
        a = member.advertise
        return End(
            index, member.certificate.fingerprint, a.mask_key, a.share_key, a.mask_kem_key, a.share_kem_key
        )

    def close_revealing(self) -> list[int]:
        """The exact sum of the survivors' vectors modulo 2^b."""
        m, r, bits = self.manifest.digest, self.root, self.manifest.fields.bits
        total = list(self._total)
        for dealer in self.sharers:
            secret = recovery.secret(self.shares[dealer], self.manifest.fields.threshold)
            if dealer in self.uploads:
                root = self._shares[dealer].share_root
                key = recovery.survivor_key(m, r, dealer, secret, root)
                recovery.remove_self_mask(total, key, bits)
                continue
            own = self.end(dealer)
            peers = [self.end(i) for i in self.graph.neighbours(dealer) if i in self.uploads]
            ciphertexts = {
                peer.index: self.mask_ciphertext(dealer, peer.index)
                if own.fingerprint < peer.fingerprint
                else self.mask_ciphertext(peer.index, dealer)
                for peer in peers
            }
            found = recovery.dropout_keys(self.manifest, r, secret, own, peers, ciphertexts)
            for index, key in found.items():
                recovery.remove_pair_mask(total, key, bits, index, dealer)
        levels = self.manifest.levels
        surplus = levels.first_surplus(len(self.survivors)) if levels else None
        if levels is not None and surplus is not None:
            for seed in self._seeds.values():
                add(total, noise.surplus(levels, surplus, seed, len(total)), bits, -1)
        self.total = total
        return total

    def noise_variance(self) -> int:
        """What is left in each coordinate, in units of 2^-16."""
        share, levels = self.manifest.fields.share_variance_q16, self.manifest.levels
        kept = levels.kept[levels.layers_kept(len(self.survivors))] if levels else share
        return int(share * (len(self.survivors) - len(self._seeds)) + kept * len(self._seeds))

    def _figures(self) -> dict[str, Any]:
        values, steps = encoding.values(self.total, self.manifest)
        survivors = len(self.survivors)
        return beside.figures(self.manifest.beside, values, steps, survivors, self.noise_variance())

    def outcome(self, model_digest: bytes) -> Outcome:
        """Appends the outcome entry and tells it."""
        packed = pack(self.total, self.manifest.fields.bits)
        entry = ledger_entries.outcome(
            self.manifest,
            len(self.survivors),
            len(self.answers),
            self.noise_variance(),
            sha256(packed),
            model_digest,
            self._figures(),
            self.now,
        )
        index = self.log.append(ledger_entries.encode(entry))
        return Outcome(
            checkpoint=self.log.checkpoint(),
            consistency=self.log.consistency(self._shown),
            outcome=self.log.proven(index),
        )
