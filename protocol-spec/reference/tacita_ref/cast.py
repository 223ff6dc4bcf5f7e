"""A made-up authority, server, log and members for the vectors, with certificates after 07 section 2 and a deny list
after section 6. Everything is drawn from tapes, so that it comes out the same again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import ed25519
from .certificates import Certificate, load
from .tagged import sha256
from .tape import Tape

NOW = 1_800_000_000
ORIGIN = "tacita.example/vectors"
_DAY = 24 * 3600


@dataclass(frozen=True)
class Actor:
    certificate: Certificate
    seed: bytes


@dataclass(frozen=True)
class Cast:
    root: bytes
    root_seed: bytes
    deny_list: bytes
    server: Actor
    origin: str
    log_seed: bytes
    members: list[Actor]
    now: int = NOW

    @property
    def log_key(self) -> bytes:
        return ed25519.public_key(self.log_seed)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _serial(tape: Tape) -> int:
    """16 bytes, top bits 01."""
    raw = bytearray(tape.read(16))
    raw[0] = raw[0] & 0x3F | 0x40
    return int.from_bytes(raw, "big")


def _builder(
    subject: str, issuer: str, key: Ed25519PublicKey, serial: int, life: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(_name(issuer), _name(subject), key, serial)
    begin = datetime.fromtimestamp(NOW - 60, UTC)
    return builder.not_valid_before(begin).not_valid_after(datetime.fromtimestamp(NOW + life, UTC))


def _usage(sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def make(size: int, text: str) -> Cast:
    """A cast of `size` members, ordered by identity."""
    tape = Tape(f"{text}/authority")
    root_seed = tape.read(32)
    root_key = Ed25519PrivateKey.from_private_bytes(root_seed)
    root_name = "tacita:root:vectors"
    root = (
        _builder(root_name, root_name, root_key.public_key(), _serial(tape), 365 * _DAY)
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(_usage(sign=True), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False)
        .sign(root_key, None)
        .public_bytes(Encoding.DER)
    )

    def issue(role: str, name: str) -> Actor:
        own = Tape(f"{text}/{role}/{name}")
        seed = own.read(32)
        uri = f"tacita:{role}:{name}"
        key = Ed25519PublicKey.from_public_bytes(ed25519.public_key(seed))
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if role == "client" else ExtendedKeyUsageOID.SERVER_AUTH
        der = (
            _builder(uri, root_name, key, _serial(own), _DAY)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(_usage(sign=False), True)
            .add_extension(x509.ExtendedKeyUsage([usage]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False)
            .sign(root_key, None)
            .public_bytes(Encoding.DER)
        )
        return Actor(load(der, root, "certificate"), seed)

    # 07 section 6: no name and no fingerprint.
    body = b"tacita/1 deny list" + sha256(root) + bytes(8) + NOW.to_bytes(8, "big") + bytes(2) + bytes(2)
    members = [issue("client", f"member-{i:04}") for i in range(size)]
    return Cast(
        root,
        root_seed,
        body + root_key.sign(body),
        issue("server", "hub"),
        ORIGIN,
        Tape(f"{text}/log").read(32),
        sorted(members, key=lambda member: member.certificate.identity),
    )
