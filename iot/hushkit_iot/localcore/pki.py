"""The local core's certificates: one authority, servers and clients below it, all P-256.

Idempotent: what is valid for a while longer is reused, what is missing, foreign, or near its end is made anew.
"""

import ipaddress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hushkit_iot.errors import LocalCoreError
from hushkit_iot.localcore.layout import Layout, write_private

CA_NAME = "Hushkit local IoT Core"
CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_DAYS = 30
"""Renewed when less than this is left: a core that starts once a month never serves an expired certificate."""

_CLOCK_SLACK = timedelta(minutes=5)


def ensure_authority(layout: Layout, now: datetime) -> bool:
    """Make the authority unless a good one is there. True when it was made: everything it signed before is void.

    Raises:
        LocalCoreError: A file cannot be read or written.
    """
    if _load_pair(layout.ca_cert, layout.ca_key, now) is not None:
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(CA_NAME)
    certificate = (
        _builder(name, name, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_pair(layout.ca_cert, layout.ca_key, certificate, key)
    return True


def ensure_server(layout: Layout, name: str, now: datetime) -> bool:
    """Make a certificate for ``localhost``, ``127.0.0.1`` and ``::1`` unless a good one is there; True when made."""
    hosts = x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
    )
    return _ensure_leaf(
        layout, layout.identity(name), "localhost", now, purpose=ExtendedKeyUsageOID.SERVER_AUTH, hosts=hosts
    )


def ensure_client(layout: Layout, files: tuple[Path, Path], common_name: str, now: datetime) -> bool:
    """Make a client certificate whose common name becomes user name and client id at the broker; True when made."""
    return _ensure_leaf(layout, files, common_name, now, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)


def _ensure_leaf(
    layout: Layout,
    files: tuple[Path, Path],
    common_name: str,
    now: datetime,
    *,
    purpose: x509.ObjectIdentifier,
    hosts: x509.SubjectAlternativeName | None = None,
) -> bool:
    authority = _load_pair(layout.ca_cert, layout.ca_key, now)
    assert authority is not None
    ca_certificate, ca_key = authority
    present = _load_pair(*files, now)
    if present and present[0].subject == _name(common_name) and _signed_by(present[0], ca_certificate):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    ca_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = (
        _builder(_name(common_name), ca_certificate.subject, key, now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(ca_identifier, critical=False)
    )
    if hosts is not None:
        builder = builder.add_extension(hosts, critical=False)
    _write_pair(*files, builder.sign(ca_key, hashes.SHA256()), key)
    return True


def _load_pair(
    cert_file: Path, key_file: Path, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Read a certificate and its key; None when absent, damaged, mismatched or near the end."""
    try:
        certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    except OSError as err:
        raise LocalCoreError(f"{err.filename}: {err.strerror}; choose another --directory or fix its mode") from err
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    if certificate.not_valid_after_utc - now < timedelta(days=RENEW_DAYS) or certificate.not_valid_before_utc > now:
        return None
    return certificate, key


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_pair(
    cert_file: Path, key_file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        write_private(key_file, pem)
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    except OSError as err:
        raise LocalCoreError(f"{err.filename}: {err.strerror}; choose another --directory or fix its mode") from err
