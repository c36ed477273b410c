"""Make the certificates of docker-compose.secured.yml, and an authority; run again, renew what ends within 30 days.

Runs as root in a container of its own, which alone has the authority's key. Each key is readable by its user alone.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

PLACE: Final = Path(os.environ.get("CERTIFICATES", "/certificates"))
OPERATOR: Final = Path(os.environ.get("OPERATOR", "/operator"))
AUTHORITY: Final = Path(os.environ.get("AUTHORITY", "/authority"))
# Users of the images: apache/kafka's, postgres's, ours.
KAFKA, POSTGRES, OURS = 1000, 999, 10001
VALID: Final = timedelta(days=365)
RENEWED_BEFORE: Final = timedelta(days=30)
_PROPERTIES: Final = """security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location={folder}/both.pem
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""


class Pair(NamedTuple):
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def issue(name: str, by: Pair | None, valid: timedelta) -> Pair:
    """Return a certificate for a host name, and for this machine; without an authority it is one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is not None:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(made.sign(key if by is None else by.key, SHA256()), key)


def write(file: Path, content: bytes, owner: int, mode: int) -> None:
    """Put a file in its place whole, its owner's from the first moment that it is there."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(content)
    part.chmod(mode)
    if os.geteuid() == 0:
        os.chown(part, owner, owner)
    part.replace(file)


def key_of(pair: Pair) -> bytes:
    """Return a key as PEM."""
    return pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def authority() -> Pair:
    """Return who vouches for the others; made once, good for ten years."""
    place, key = AUTHORITY / "authority.pem", AUTHORITY / "authority.key"
    if not key.exists():
        made = issue("referral-streams", None, VALID * 10)
        write(place, made.certificate.public_bytes(Encoding.PEM), 0, 0o644)
        write(key, key_of(made), 0, 0o400)
    read = load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(read, ec.EllipticCurvePrivateKey):
        raise SystemExit(f"{key}: no key of ours; remove the volume `authority`, and all certificates are made anew")
    return Pair(x509.load_pem_x509_certificate(place.read_bytes()), read)


def is_good(file: Path, by: Pair) -> bool:
    """Tell whether a certificate is this authority's, and good for a while."""
    if not file.exists():
        return False
    found = x509.load_pem_x509_certificate(file.read_bytes())
    try:
        found.verify_directly_issued_by(by.certificate)
    except Exception:  # noqa: BLE001  another authority's, in whatever way
        return False
    return found.not_valid_after_utc > datetime.now(UTC) + RENEWED_BEFORE


def main() -> None:
    """Make what is missing, and say it."""
    by = authority()
    write(PLACE / "authority.pem", by.certificate.public_bytes(Encoding.PEM), 0, 0o644)
    brokers = [(PLACE / name, KAFKA) for name in ("kafka", "kafka-2", "kafka-3")]
    for folder, owner in (*brokers, (PLACE / "postgres", POSTGRES), (OPERATOR / "operator", OURS)):
        folder.mkdir(mode=0o755, exist_ok=True)
        if is_good(folder / "certificate.pem", by):
            print(f"{folder.name}: stands")
            continue
        made = issue(folder.name, by, VALID)
        certificate, key = made.certificate.public_bytes(Encoding.PEM), key_of(made)
        write(folder / "key.pem", key, owner, 0o400)
        write(folder / "both.pem", key + certificate, owner, 0o400)
        properties = _PROPERTIES.format(folder=folder, authority=PLACE / "authority.pem")
        write(folder / "client.properties", properties.encode(), owner, 0o644)
        write(folder / "certificate.pem", certificate, owner, 0o644)
        print(f"{folder.name}: made, good until {made.certificate.not_valid_after_utc:%Y-%m-%d}")


if __name__ == "__main__":
    main()
