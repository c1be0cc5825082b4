"""Certificates for tests, made when they are needed: an authority, and what it signs."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key as files of PEM; `cert` has the chain behind it where there is one."""

    cert: Path
    key: Path

    @property
    def sha256(self) -> str:
        first = x509.load_pem_x509_certificates(self.cert.read_bytes())[0]
        return hashlib.sha256(first.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def both(self) -> Path:
        """Key and certificate in one file, as ssl.SSLContext takes them."""
        path = self.key.with_name(f"{self.key.stem}-both.pem")
        path.write_text(self.key.read_text() + self.cert.read_text())
        return path


class Authority:
    """A private authority; `cert` is the file that clients are given."""

    def __init__(self, folder: Path, name: str = "Tests' own authority") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = _builder(self._name, self._name, self._key.public_key(), -DAY, 10 * DAY)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.cert = folder / "ca.pem"
        self.cert.write_bytes(_pem(built.sign(self._key, hashes.SHA256())))

    def pair(
        self, name: str, *names: str, begins: timedelta = -DAY, ends: timedelta = DAY, chain: bool = False
    ) -> Pair:
        """A server's certificate for these names and addresses; times from now. `chain`: the authority behind it."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _builder(_named(name), self._name, key.public_key(), begins, ends)
        built = built.add_extension(_alternatives(name, *names), critical=False)
        signed = _pem(built.sign(self._key, hashes.SHA256()))
        return _written(self.folder, name, key, signed + (self.cert.read_bytes() if chain else b""))


def self_signed(folder: Path, name: str, *names: str) -> Pair:
    """A certificate that nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    built = _builder(_named(name), _named(name), key.public_key(), -DAY, DAY)
    built = built.add_extension(_alternatives(name, *names), critical=False)
    return _written(folder, f"self-{name}", key, _pem(built.sign(key, hashes.SHA256())))


def _builder(subject: x509.Name, issuer: x509.Name, key: Any, begins: timedelta, ends: timedelta) -> Any:
    moment = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    built = built.serial_number(x509.random_serial_number())
    return built.not_valid_before(moment + begins).not_valid_after(moment + ends)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternatives(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general(name) for name in names])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _written(folder: Path, name: str, key: Any, certificates: bytes) -> Pair:
    stem = name.replace(":", "_")
    pair = Pair(folder / f"{stem}.pem", folder / f"{stem}.key")
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    pair.key.chmod(0o600)
    pair.cert.write_bytes(certificates)
    return pair
