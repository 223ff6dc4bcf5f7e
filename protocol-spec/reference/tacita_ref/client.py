"""One member in one round (02 section 3): what it draws, checks and says.

Each `handle_*` is one step: it refuses with the first rule broken, or gives the messages to send, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from . import (
    advertisement,
    bitmap,
    clip_rule,
    ed25519,
    keys,
    labels,
    layout,
    ledger,
    ledger_entries,
    merkle,
    mlkem,
    noise,
    scalar,
    shamir,
    sharers,
    sharing,
    statement,
    upload,
    x25519,
)
from . import roster as rosters
from .certificates import Certificate, Shelf
from .graph import Graph
from .keys import End
from .manifest import Checked
from .manifest import check as check_manifest
from .messages import (
    Advertise,
    Agreement,
    AgreeRequest,
    Chunk,
    DealtBox,
    Invitation,
    Outcome,
    Reveal,
    RevealRequest,
    Roster,
    ShareRoot,
    Sharers,
    Shares,
    UploadEnd,
    pieces,
)
from .refusal import Refused, require
from .ring import add, pack, prg
from .tape import Tape
from .tls import Struct


@dataclass(frozen=True)
class Policy:
    """The consent policy (TAC-007), as far as vectors use it."""

    tasks: tuple[str, ...] = ("sim",)
    require_post_quantum: bool = True
    allow_unprotected: bool = True


@dataclass
class Participant:
    """Who the member is and whom it trusts."""

    certificate: Certificate
    seed: bytes
    root: bytes
    server: Certificate
    origin: str
    log_key: bytes
    shelf: Shelf
    now: int
    policy: Policy = Policy()
    # Whether there is a budget at all; if so, it admits every charge.
    budget: bool = True
    spent: set[bytes] = field(default_factory=set)
    head: ledger.Head | None = None


@dataclass
class _Near:
    """A neighbour, with what the client shares with it."""

    end: End
    key: bytes
    mask_dh: bytes
    share_dh: bytes
    seal_ciphertext: bytes = b""
    seal_key: bytes = b""
    mask_secret: bytes = b""
    mask_ciphertext: bytes = b""


class Client:
    def __init__(self, participant: Participant, tape: Tape, noise_tape: Tape) -> None:
        self.me, self.tape = participant, tape
        # The key of the base, which made the encoded integers, then z_1.
        self._first_seed = noise_tape.read(64)[32:]

    # 3.1 and 3.2

    def handle_invitation(self, message: Invitation) -> list[Struct]:
        """Checks the manifest, answers with the advertisement."""
        me = self.me
        digest = message.manifest.digest()
        signed = ed25519.verify(me.server.key, labels.MANIFEST_SIGNATURE, digest, message.signature)
        require(signed, "TAC-002")
        self.manifest = check_manifest(message.manifest)
        self._check_policy(self.manifest)
        fields = self.manifest.fields
        require(fields.round_id not in me.spent, "TAC-008")
        shown = ledger.extend(me.head, message.checkpoint, message.consistency, me.origin, me.log_key)
        require((shown.size, shown.root) == (fields.ledger_size, fields.ledger_root), "TAC-011")
        self.head = shown
        self._check_clip(message)
        require(fields.mechanism == 0 or me.budget, "TAC-009")
        return [self._advertise()]

    def _check_clip(self, message: Invitation) -> None:
        """TAC-013: the update clip follows from the round before."""
        rule, beside, fields = "TAC-013", self.manifest.beside, self.manifest.fields
        if beside is None or beside.rule is None:
            require(not message.previous, rule)
            return
        if fields.round == 1:
            require(not message.previous and beside.update_clip == beside.rule.initial, rule)
            return
        require(len(message.previous) == 2, rule)
        for entry in message.previous:
            ledger.check_included(entry, self.head)
        before, outcome = (ledger_entries.decode(entry.bytes, rule) for entry in message.previous)
        require((before["kind"], outcome["kind"]) == ("manifest", "outcome"), rule, "kind")
        text = fields.adaptive_clip[0].rule.decode()
        stated = (before["task"], before["clip_rule"], before["round_id"], before["round"] + 1)
        require(stated == (fields.task.decode(), text, outcome["round_id"], fields.round), rule)
        within = clip_rule.share(outcome["within_clip"])
        follows = beside.rule.next(Fraction(before["update_clip"]), within)
        require(follows == beside.update_clip, rule, "clip")

    def _check_policy(self, checked: Checked) -> None:
        policy, rule = self.me.policy, "TAC-007"
        require(checked.fields.task.decode() in policy.tasks, rule, "task")
        require(checked.post_quantum or not policy.require_post_quantum, rule, "post-quantum")
        require(checked.fields.mechanism != 0 or policy.allow_unprotected, rule, "no noise")

    def _advertise(self) -> Advertise:
        m, kem = self.manifest.digest, self.manifest.post_quantum
        self.a = scalar.uniform(self.tape.read(64))
        self.mask_private = keys.mask_private_key(m, self.a)
        self.share_private = self.tape.read(32)
        mask_kem_key = share_kem_key = b""
        if kem:
            mask_kem_key, self.mask_kem_private = keys.mask_kem_pair(m, self.a)
            self.share_kem_private = self.tape.read(64)
            share_kem_key = mlkem.public_key(self.share_kem_private)
        unsigned = Advertise(
            mask_key=x25519.public_key(self.mask_private),
            share_key=x25519.public_key(self.share_private),
            mask_kem_key=mask_kem_key,
            share_kem_key=share_kem_key,
            nonce=self.tape.read(32),
            signature=bytes(64),
        )
        self.advertised = advertisement.sign(self.me.seed, m, self.me.certificate.fingerprint, unsigned)
        return self.advertised

    # 3.3 and 3.4

    def handle_roster(self, message: Roster) -> list[Struct]:
        """Checks the roster, answers with the shares."""
        m, fields = self.manifest.digest, self.manifest.fields
        width = 8 if fields.cohort > 1000 else 32
        identities = pieces(b"".join(message.identities), width)
        size = len(identities)
        require(all(len(piece) == width for piece in identities), "TAC-020", "cut short")
        require(self.manifest.smallest_roster <= size <= fields.cohort, "TAC-020", "size")
        rising = all(a < b for a, b in zip(identities, identities[1:], strict=False))
        require(rising, "TAC-020", "order")
        self.size, self.identities = size, identities
        self.root = rosters.root(identities, message.merkle_root)
        own = self.me.certificate.identity[:width]
        require(own in identities, "TAC-022")
        self.own = identities.index(own)
        self.graph = Graph(self.manifest.graph.complete, fields.neighbours, self.root, size)
        expected = sorted([*self.graph.neighbours(self.own), self.own])
        require([entry.index for entry in message.entries] == expected, "TAC-025")
        self.near: dict[int, _Near] = {}
        for entry in message.entries:
            require(entry.identity[:width] == identities[entry.index], "TAC-020", "identity")
            leaf = rosters.leaf(entry.index, entry.identity, entry.fingerprint, entry.advertise)
            under = len(entry.proof) <= sharing.MAX_ROUND_PROOF and merkle.verify_inclusion(
                leaf, entry.index, size, entry.proof, message.merkle_root
            )
            require(under, "TAC-021")
            advertise: Advertise = entry.advertise
            end = End(
                entry.index,
                entry.fingerprint,
                advertise.mask_key,
                advertise.share_key,
                advertise.mask_kem_key,
                advertise.share_kem_key,
            )
            if entry.index == self.own:
                own = advertise == self.advertised
                require(own and entry.fingerprint == self.me.certificate.fingerprint, "TAC-022")
                self.end = end
                continue
            certificate = self.me.shelf.neighbour(entry.fingerprint, entry.identity, self.me.now)
            signed = advertisement.verify(certificate.key, m, entry.fingerprint, advertise)
            require(signed, "TAC-023")
            self._check_kem_keys(advertise)
            self.near[entry.index] = _Near(
                end,
                certificate.key,
                x25519.agree(self.mask_private, advertise.mask_key),
                x25519.agree(self.share_private, advertise.share_key),
            )
        return [self._deal()]

    def _check_kem_keys(self, advertise: Advertise) -> None:
        """TAC-027."""
        for key in (advertise.mask_kem_key, advertise.share_kem_key):
            require(mlkem.is_sound(key) if self.manifest.post_quantum else key == b"", "TAC-027")

    def _deal(self) -> Shares:
        m, r, kem = self.manifest.digest, self.root, self.manifest.post_quantum
        holders = self.graph.holders(self.own)
        abscissae = [holder + 1 for holder in holders]
        self.s = scalar.uniform(self.tape.read(64))
        t = self.manifest.fields.threshold
        self_shares = [scalar.encode(v) for v in shamir.split(self.s, t, abscissae, self.tape)]
        mask_shares = [scalar.encode(v) for v in shamir.split(self.a, t, abscissae, self.tape)]
        for near in self.near.values():
            secret = b""
            if kem:
                secret, near.seal_ciphertext = mlkem.encapsulate(near.end.share_kem_key, self.tape.read(32))
                if self.end.fingerprint < near.end.fingerprint:
                    near.mask_secret, near.mask_ciphertext = keys.mask_encapsulation(
                        m, r, self.a, near.end.fingerprint, near.end.mask_kem_key
                    )
            near.seal_key = keys.box_key(
                m, r, near.share_dh, secret, self.end, near.end, near.seal_ciphertext
            )
        quads = []
        for holder, self_share, mask_share in zip(holders, self_shares, mask_shares, strict=True):
            place = sharing.Place(m, r, self.own, holder)
            c, e = b"", b""
            if holder != self.own:
                c, e = self.near[holder].mask_ciphertext, self.near[holder].seal_ciphertext
            quads.append(
                (
                    place.share_leaf(sharing.SELF, self_share),
                    place.share_leaf(sharing.MASK, mask_share),
                    place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, c),
                    place.ciphertext_leaf(sharing.SHARE_CIPHERTEXT, e),
                )
            )
        leaves = sharing.tree(quads)
        root = merkle.root(leaves)
        commitment = keys.self_commitment(m, r, self.own, self.s)
        digest = sharing.root_digest(m, r, self.own, root, commitment)
        self.own_root = ShareRoot(
            root=root,
            self_commitment=commitment,
            signature=ed25519.sign(self.me.seed, labels.SHARE_ROOT, digest),
        )
        self.own_pair: sharing.Pair | None = None
        own_node: list[bytes] = []
        boxes = []
        for p, holder in enumerate(holders):
            path = sharing.pair_path(leaves, p)
            pair = merkle.node(quads[p][0], quads[p][1])
            if holder == self.own:
                place = sharing.Place(m, r, self.own, holder)
                self.own_pair = sharing.Pair(place, self_shares[p], mask_shares[p], tuple(path))
                own_node = [pair]
                continue
            near = self.near[holder]
            plain = self_shares[p] + mask_shares[p] + b"".join(path)
            boxes.append(
                DealtBox(
                    peer=holder,
                    pair=pair,
                    mask_ciphertext=near.mask_ciphertext,
                    share_ciphertext=near.seal_ciphertext,
                    ciphertext=sharing.seal(near.seal_key, m, plain),
                )
            )
        return Shares(share_root=self.own_root, own_pair=own_node, boxes=boxes)

    # 3.5 and 3.6

    def handle_sharers(
        self, message: Sharers, encoded: Sequence[int], model_digest: bytes, made_for: bytes | None = None
    ) -> list[Struct]:
        """Checks U1, opens the boxes, answers with the masked upload of `encoded` (integers modulo 2^b), which was made for
        the manifest of digest `made_for`, or for this one."""
        m, r, fields = self.manifest.digest, self.root, self.manifest.fields
        require(model_digest == fields.model_digest, "TAC-012")
        self.sharers = bitmap.decode(self.size, message.sharers, "TAC-030")
        require(self.own in self.sharers, "TAC-032")
        expected = [i for i in sorted([*self.near, self.own]) if i in self.sharers]
        require([entry.index for entry in message.entries] == expected, "TAC-030", "entries")
        roots: dict[int, ShareRoot] = {}
        for entry in message.entries:
            leaf = sharers.leaf(entry.index, entry.share_root)
            rank = self.sharers.index(entry.index)
            under = len(entry.proof) <= sharing.MAX_ROUND_PROOF and merkle.verify_inclusion(
                leaf, rank, len(self.sharers), entry.proof, message.merkle_root
            )
            require(under, "TAC-031")
            if entry.index == self.own:
                require(entry.share_root == self.own_root, "TAC-032")
                continue
            key = self.near[entry.index].key
            require(sharing.verify_root(key, m, r, entry.index, entry.share_root), "TAC-031")
            roots[entry.index] = entry.share_root
        held = [h for h in self.graph.holders(self.own) if h in self.sharers]
        require(len(held) >= fields.threshold, "TAC-033")
        for entry in message.entries:
            self._take_mask_ciphertext(entry)
        self.digest = sharers.digest(self.size, message.sharers, message.merkle_root)
        suspects = self._open_boxes(message, roots)
        require(made_for in (None, m), "TAC-034")
        return self._upload(encoded, suspects, model_digest)

    def _take_mask_ciphertext(self, entry: Struct) -> None:
        """TAC-037: the ciphertext that a neighbour with a smaller fingerprint made for this client."""
        near = self.near.get(entry.index)
        made = near is not None and self.manifest.post_quantum and near.end.fingerprint < self.end.fingerprint
        if near is None or not made:
            require(entry.mask_ciphertext == b"" and entry.ciphertext_proof == [], "TAC-037")
            return
        place = sharing.Place(self.manifest.digest, self.root, entry.index, self.own)
        holders = self.graph.holders(entry.index)
        leaf = place.ciphertext_leaf(sharing.MASK_CIPHERTEXT, entry.mask_ciphertext)
        index = sharing.LEAVES * holders.index(self.own) + sharing.MASK_CIPHERTEXT
        under = len(entry.mask_ciphertext) == mlkem.CIPHERTEXT_BYTES
        under = under and len(entry.ciphertext_proof) <= sharing.MAX_PROOF
        under = under and merkle.verify_inclusion(
            leaf, index, sharing.LEAVES * len(holders), entry.ciphertext_proof, entry.share_root.root
        )
        require(under, "TAC-037")
        near.mask_ciphertext = entry.mask_ciphertext
        near.mask_secret = mlkem.decapsulate(self.mask_kem_private, entry.mask_ciphertext)

    def _open_boxes(self, message: Sharers, roots: dict[int, ShareRoot]) -> list[int]:
        """Keeps the pairs that open, gives the suspects."""
        m, r = self.manifest.digest, self.root
        self.held: dict[int, sharing.Pair] = {}
        suspects = []
        sealed = {box.peer: box for box in reversed(message.boxes)}
        for dealer, share_root in roots.items():
            try:
                require(dealer in sealed, "box", "none")
                box, near, secret = sealed[dealer], self.near[dealer], b""
                if self.manifest.post_quantum:
                    fits = len(box.share_ciphertext) == mlkem.CIPHERTEXT_BYTES
                    require(fits, "box", "share ciphertext")
                    secret = mlkem.decapsulate(self.share_kem_private, box.share_ciphertext)
                key = keys.box_key(m, r, near.share_dh, secret, near.end, self.end, box.share_ciphertext)
                place = sharing.Place(m, r, dealer, self.own)
                holders = self.graph.holders(dealer)
                self.held[dealer] = sharing.open_box(key, box.ciphertext, place, holders, share_root.root)
            except Refused as refused:
                if refused.rule != "box":
                    raise
                suspects.append(dealer)
        if self.own_pair is not None:
            self.held[self.own] = self.own_pair
        return suspects

    def _upload(self, encoded: Sequence[int], suspects: list[int], model_digest: bytes) -> list[Struct]:
        m, r, fields = self.manifest.digest, self.root, self.manifest.fields
        require(len(encoded) == fields.padded, "TAC-034")
        bits = fields.bits
        y = [value % (1 << bits) for value in encoded]
        add(y, prg(keys.self_key(m, r, self.s), bits, fields.padded), bits)
        for index, near in self.near.items():
            if index not in self.sharers:
                continue
            key = keys.pair_key(
                m, model_digest, r, near.mask_dh, near.mask_secret, self.end, near.end, near.mask_ciphertext
            )
            add(y, prg(key, bits, fields.padded), bits, 1 if self.own < index else -1)
        packed = [pack(y[at : at + count], bits) for at, count in self.manifest.chunks()]
        levels = self.manifest.levels
        anchor = noise.anchor(levels, 1, self._first_seed) if levels else b""
        digest = upload.digest(m, r, self.digest, self.own, suspects, anchor, packed)
        self.upload_digest = digest
        self.upload_signature = ed25519.sign(self.me.seed, labels.UPLOAD, digest)
        chunks: list[Struct] = [Chunk(index=q, packed=part) for q, part in enumerate(packed)]
        end = UploadEnd(suspects=suspects, noise_anchor=anchor, signature=self.upload_signature)
        return [*chunks, end]

    # 3.7

    def handle_agree(self, message: AgreeRequest, signed_before: bytes | None = None) -> list[Struct]:
        """Checks U2, answers with the signature on S. `signed_before` is what the record holds for this round."""
        fields = self.manifest.fields
        self.survivors = bitmap.decode(self.size, message.survivors, "TAC-050")
        require(set(self.survivors) <= set(self.sharers), "TAC-050", "not within U1")
        require(self.own in self.survivors, "TAC-051")
        require(len(self.survivors) >= fields.minimum_survivors, "TAC-052")
        s = statement.digest(self.manifest.digest, self.root, self.digest, self.size, message.survivors)
        require(signed_before in (None, s), "TAC-053")
        self.statement, self.survivors_bitmap = s, message.survivors
        self.own_signature = ed25519.sign(self.me.seed, labels.STATEMENT_SIGNATURE, s)
        return [Agreement(signature=self.own_signature)]

    # 3.8

    def handle_reveal_request(self, message: RevealRequest) -> list[Struct]:
        """Checks quorum and charge, answers with one share per neighbour."""
        self._check_quorum(message)
        me = self.me
        head = ledger.extend(self.head, message.checkpoint, message.consistency, me.origin, me.log_key)
        self._check_entries(message, head)
        self.head = head
        shares = [
            pair.reveal(sharing.SELF if dealer in self.survivors else sharing.MASK)
            for dealer, pair in sorted(self.held.items())
        ]
        cosignature = ledger.cosign(me.seed, me.now, head.text)
        levels = self.manifest.levels
        surplus = levels.first_surplus(len(self.survivors)) if levels else None
        seed = noise.seed_of(self._first_seed, surplus) if surplus else b""
        return [Reveal(shares=shares, noise_seed=seed, cosigned_at=me.now, cosignature=cosignature)]

    def _check_quorum(self, message: RevealRequest) -> None:
        fields = self.manifest.fields
        signers = bitmap.decode(self.size, message.signers, "TAC-054")
        require(len(signers) == len(message.signatures), "TAC-054", "count")
        require(len(signers) >= fields.quorum, "TAC-055")
        if not self.manifest.graph.complete:
            require(sum(i in self.near for i in signers) >= fields.threshold, "TAC-056")
        claims = []
        for index, signature in zip(signers, message.signatures, strict=True):
            if index == self.own:
                require(signature == self.own_signature, "TAC-054", "own signature")
            elif index in self.near:
                claims.append((self.near[index].key, signature))
            else:
                shown = self.me.shelf.signer(self.identities[index], self.me.now)
                claims.append((shown.key, signature))
        for key, signature in claims:
            good = ed25519.verify(key, labels.STATEMENT_SIGNATURE, self.statement, signature)
            require(good, "TAC-054")

    def _check_entries(self, message: RevealRequest, head: ledger.Head) -> None:
        rule = "TAC-060"
        ledger.check_included(message.manifest, head)
        ledger.check_included(message.charge, head)
        reserved = ledger_entries.decode(message.manifest.bytes, rule)
        charged = ledger_entries.decode(message.charge.bytes, rule)
        require("time" in reserved and "time" in charged, rule)
        require(reserved == ledger_entries.reserve(self.manifest, reserved["time"]), rule)
        expected = ledger_entries.charge(
            self.manifest,
            self.root,
            self.digest,
            self.size,
            self.survivors_bitmap,
            self.statement,
            bytes.fromhex(charged.get("uploads_root", "")),
            charged["time"],
        )
        require(charged == expected and message.manifest.index < message.charge.index, rule)
        if layout.UPLOADS_ROOT:
            own = self.own.to_bytes(2, "big") + self.upload_digest + self.upload_signature
            under = merkle.verify_inclusion(
                merkle.leaf(own),
                self.survivors.index(self.own),
                len(self.survivors),
                message.upload_proof,
                bytes.fromhex(charged["uploads_root"]),
            )
            require(under, "TAC-062")

    # 3.9

    def handle_outcome(self, message: Outcome) -> list[Struct]:
        """Checks the outcome entry."""
        me = self.me
        head = ledger.extend(self.head, message.checkpoint, message.consistency, me.origin, me.log_key)
        ledger.check_included(message.outcome, head)
        entry = ledger_entries.decode(message.outcome.bytes, "TAC-061")
        fields = self.manifest.fields
        stated = [entry.get(name) for name in ("kind", "round_id", "round", "survivor_count")]
        require(stated == ["outcome", fields.round_id.hex(), fields.round, len(self.survivors)], "TAC-061")
        announced = {"federated_accuracy": fields.metrics, "within_clip": fields.adaptive_clip}
        for name, there in announced.items():
            require((entry[name] is not None) == bool(there), "TAC-061", name)
        me.head = head
        return []
