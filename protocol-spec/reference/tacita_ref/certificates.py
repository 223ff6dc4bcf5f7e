"""Members' certificates (07 sections 1 and 2), as far as the round reads them: name, role, key, life, signature."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from . import ed25519, labels
from .refusal import Refused, require
from .tagged import sha256, tagged_hash

MAX_CERTIFICATE = 2048
_USAGE = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


def identity(uri: str) -> bytes:
    """H("tacita/1 identity", SAN URI)."""
    return tagged_hash(labels.IDENTITY, uri.encode("ascii"))


@dataclass(frozen=True)
class Certificate:
    der: bytes
    uri: str
    key: bytes
    not_before: int
    not_after: int

    @property
    def fingerprint(self) -> bytes:
        return sha256(self.der)

    @property
    def role(self) -> str:
        return self.uri.split(":")[1]

    @property
    def name(self) -> str:
        return self.uri.split(":")[2]

    @property
    def identity(self) -> bytes:
        return identity(self.uri)

    def is_valid(self, now: int) -> bool:
        return self.not_before <= now <= self.not_after


def load(der: bytes, root: bytes, rule: str) -> Certificate:
    """Reads a member's certificate and checks that the root issued it."""
    require(len(der) <= MAX_CERTIFICATE, rule, "too long")
    try:
        certificate = x509.load_der_x509_certificate(der)
        authority = x509.load_der_x509_certificate(root)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        key, issuer = certificate.public_key(), authority.public_key()
    except (ValueError, x509.ExtensionNotFound):
        require(False, rule, "cannot be read")
    require(len(names) == len(uris) == 1, rule, "name")
    require(uris[0].startswith(("tacita:client:", "tacita:server:")), rule, "name")
    require(usages == [_USAGE[uris[0].split(":")[1]]], rule, "usage")
    if not isinstance(key, Ed25519PublicKey) or not isinstance(issuer, Ed25519PublicKey):
        raise Refused(rule, "key")
    require(certificate.issuer == authority.subject, rule, "issuer")
    try:
        issuer.verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature:
        require(False, rule, "not issued by the root")
    raw = key.public_bytes_raw()
    require(not ed25519.is_small_order(raw), rule, "small order")
    begin = int(certificate.not_valid_before_utc.timestamp())
    end = int(certificate.not_valid_after_utc.timestamp())
    return Certificate(der, uris[0], raw, begin, end)


class Shelf:
    """Certificates that were shown, by fingerprint and by identity (05 section 4)."""

    def __init__(self, root: bytes, denied: frozenset[bytes] = frozenset()) -> None:
        self._root, self._denied = root, denied
        self._by_fingerprint: dict[bytes, Certificate] = {}
        self._by_identity: dict[bytes, Certificate] = {}

    def admit(self, der: bytes) -> None:
        """Keeps one certificate; refuses it with `certificate` if it does not verify."""
        if sha256(der) in self._by_fingerprint:
            return
        certificate = load(der, self._root, "certificate")
        require(certificate.role == "client", "certificate", "role")
        self._by_fingerprint[certificate.fingerprint] = certificate
        self._by_identity[certificate.identity] = certificate

    def _usable(self, certificate: Certificate | None, now: int, rule: str) -> Certificate:
        require(certificate is not None, rule, "not shown")
        assert certificate is not None
        require(certificate.is_valid(now), rule, "not valid now")
        require(certificate.fingerprint not in self._denied, rule, "denied")
        return certificate

    def neighbour(self, fingerprint: bytes, identity_: bytes, now: int) -> Certificate:
        """TAC-024."""
        certificate = self._usable(self._by_fingerprint.get(fingerprint), now, "TAC-024")
        require(certificate.identity == identity_, "TAC-024", "another name")
        return certificate

    def signer(self, identity_: bytes, now: int) -> Certificate:
        """TAC-057."""
        return self._usable(self._by_identity.get(identity_), now, "TAC-057")
