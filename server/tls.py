"""HTTPS for phones: the program's own certificate authority and a certificate for this machine's addresses.

Owner: `server/lan.py`, when the network is opened. Keys are kept in `DATA/tls`, readable by the owner alone.
Units: days of validity. Phones that should not warn install `authority.crt` once.
"""

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from audio.files import write_whole

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 397
"""Browsers refuse certificates that are valid for longer."""

RENEW_BEFORE: Final = datetime.timedelta(days=30)


def lan_addresses() -> list[str]:
    """Return this machine's IPv4 addresses that others on the network can reach, the one of the default route first."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # documentation address: nothing is sent, the route alone is asked for
        found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return [a for a in dict.fromkeys(found) if not ipaddress.ip_address(a).is_loopback]


def server_context(folder: Path, addresses: Sequence[str]) -> ssl.SSLContext:
    """Return a TLS context for `addresses`, making or renewing what is missing in `folder`.

    Raises OSError when the folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority_key, authority = _authority(folder)
    chain, key = folder / "server.crt", folder / "server.key"
    if not _serves(chain, authority, addresses):
        new_key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        names += [x509.DNSName("localhost"), x509.DNSName(f"{socket.gethostname().split('.')[0] or 'alchemy'}.local")]
        certificate = (
            _builder("Sound Forge Alchemy", authority.subject, CERTIFICATE_DAYS)
            .public_key(new_key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        write_whole(key, _pem(new_key), private=True)
        write_whole(chain, certificate.public_bytes(serialization.Encoding.PEM), private=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context


def _authority(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_file, certificate_file = folder / "authority.key", folder / "authority.crt"
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if isinstance(key, ec.EllipticCurvePrivateKey) and certificate.not_valid_after_utc > _now() + RENEW_BEFORE:
            return key, certificate
    except (OSError, ValueError):
        pass
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Sound Forge Alchemy on {socket.gethostname()}"[:64])])
    certificate = (
        _builder(name, name, AUTHORITY_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    write_whole(key_file, _pem(key), private=True)
    write_whole(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), private=True)
    return key, certificate


def _builder(subject: str | x509.Name, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    if isinstance(subject, str):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    start = _now() - datetime.timedelta(hours=1)  # clocks of phones differ
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
    )


def _serves(path: Path, authority: x509.Certificate, addresses: Sequence[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # whatever is wrong with it, a new one is made
        return False
    known = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return certificate.not_valid_after_utc > _now() + RENEW_BEFORE and set(addresses) <= known


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
