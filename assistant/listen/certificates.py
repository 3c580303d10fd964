"""The keys of the LAN door: an authority of this machine's own, and a certificate signed by it.

A phone that has been given the authority once trusts the certificate, so that its browser counts our
page as a secure context. The authority may only sign for private addresses and local names: whoever
steals its key cannot pretend to be anybody else's site.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from assistant.config import write_private

_PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "192.0.2.0/24",
    "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
_NAMES = ("local", "home.arpa", "localhost")
_AUTHORITY_DAYS = 3650
_LEAF_DAYS = 397
"""Browsers refuse longer ones."""
_RENEW_DAYS = 30
_SLACK = datetime.timedelta(days=1)
"""For a phone whose clock is behind."""


class Credentials(msgspec.Struct, frozen=True):
    """What the LAN door shows."""

    context: ssl.SSLContext
    fingerprint: str
    """SHA-256 of the certificate, in hexadecimal, as browsers show it."""
    authority: str
    """The certificate of the authority, PEM."""


def credentials(folder: Path, addresses: Sequence[str]) -> Credentials:
    """TLS 1.3 for these addresses; keys are made, 0600, where there are none.

    The certificate is made again when addresses were added or its time is nearly up; keys stay.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key = _key(folder / "authority.key")
    root = _authority(folder / "authority.pem", root_key)
    key = _key(folder / "server.key")
    leaf = _leaf(folder / "server.pem", key, addresses, root, root_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    fingerprint = hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).hexdigest()
    return Credentials(context, fingerprint, _pem(root).decode())


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        found = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(path, pem)
    return made


def _authority(path: Path, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    found = _stored(path, key)
    if found is not None:
        return found
    constraints: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    constraints += [x509.IPAddress(ipaddress.ip_network(net)) for net in _PRIVATE]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nestor on your own machine")])
    made = (
        _builder(name, name, key.public_key(), _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.NameConstraints(constraints, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(path, _pem(made))
    return made


def _leaf(
    path: Path,
    key: ec.EllipticCurvePrivateKey,
    addresses: Sequence[str],
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    wanted = {ipaddress.ip_address(one) for one in addresses}
    found = _stored(path, key)
    if found is not None and found.issuer == root.subject:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if wanted <= set(names.get_values_for_type(x509.IPAddress)):
            return found
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nestor")])
    names = x509.SubjectAlternativeName([x509.IPAddress(one) for one in sorted(wanted, key=str)])
    made = (
        _builder(name, root.subject, key.public_key(), _LEAF_DAYS)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )
    write_private(path, _pem(made) + _pem(root))
    return made


def _stored(path: Path, key: ec.EllipticCurvePrivateKey) -> x509.Certificate | None:
    """The certificate in a file, unless it is another key's or nearly expired."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError, IndexError):
        return None
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=_RENEW_DAYS)
    same = found.public_key() == key.public_key()
    return found if same and found.not_valid_after_utc > soon else None


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    moment = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _SLACK)
        .not_valid_after(moment - _SLACK + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
