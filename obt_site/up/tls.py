"""https by `OBT_TLS_CERT` and `OBT_TLS_KEY`: what is looked at before the server starts, and how daphne is told.

The local agent and the check of readiness come by the local address, which no certificate names. They trust this very
certificate instead, by its fingerprint.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from obt_site.env import Environment
from obt_site.up.errors import CannotStart

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

CHAIN_FILE = "run/tls-chain.pem"
NOT_FOR_OTHERS = stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH  # a group that reads is how keys are shared, as Debian does
PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.+?\n-----END CERTIFICATE-----\n?", re.DOTALL)


def check(environment: Environment) -> None:
    """Refuses a certificate and key that cannot serve https now. Raises CannotStart."""
    if environment.tls_cert is None or environment.tls_key is None:
        return
    _check_permissions(environment.tls_key)
    certificate, key = _certificate(environment.tls_cert), _key(environment.tls_key)
    moment = datetime.now(UTC)
    if certificate.not_valid_after_utc < moment:
        raise CannotStart(
            f"The certificate in OBT_TLS_CERT ({environment.tls_cert}) expired on "
            f"{_day(certificate.not_valid_after_utc)}: renew it, then start again."
        )
    if certificate.not_valid_before_utc > moment:
        raise CannotStart(
            f"The certificate in OBT_TLS_CERT ({environment.tls_cert}) is valid only from "
            f"{_day(certificate.not_valid_before_utc)} on; is this machine's clock right?"
        )
    if certificate.public_key() != key.public_key():
        raise CannotStart(
            f"OBT_TLS_KEY ({environment.tls_key}) is not the key of the certificate in OBT_TLS_CERT "
            f"({environment.tls_cert}): name the two files that belong together."
        )


def fingerprint(path: Path) -> str:
    """SHA-256 of the server's own certificate, the first in the file, as hex. Raises CannotStart."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return hashlib.sha256(_certificate(path).public_bytes(Encoding.DER)).hexdigest()


def endpoint(environment: Environment, data_dir: Path) -> str:
    """Where daphne listens, as Twisted writes it. Twisted's lowest version is TLS 1.2."""
    assert environment.tls_cert
    assert environment.tls_key
    parts = [f"ssl:{environment.port}", f"interface={_escaped(environment.host)}"]
    parts += [f"privateKey={_escaped(str(environment.tls_key))}", f"certKey={_escaped(str(environment.tls_cert))}"]
    if chain := _chain(environment.tls_cert):
        path = data_dir / CHAIN_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(chain, encoding="ascii")
        parts.append(f"extraCertChain={_escaped(str(path))}")
    return ":".join(parts)


def connection(host: str, port: int | None, pinned: str, timeout_s: float) -> http.client.HTTPSConnection:
    """A connection to the server whose certificate has this fingerprint; one of another is not spoken to.

    Raises OSError when it connects to something else.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the fingerprint says more than a name
    context.verify_mode = ssl.CERT_NONE
    opened = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    opened.connect()
    shown = opened.sock.getpeercert(binary_form=True) or b""
    if hashlib.sha256(shown).hexdigest() != pinned:
        opened.close()
        raise ssl.SSLError("another certificate than the one of OBT_TLS_CERT")
    return opened


def _check_permissions(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise CannotStart(f"OBT_TLS_KEY names {path}, which cannot be read ({error.strerror}).") from None
    if os.name != "nt" and mode & NOT_FOR_OTHERS:
        raise CannotStart(
            f"The private key {path} of OBT_TLS_KEY can be read or changed by other users of this machine: "
            f"chmod 600 {path}"
        )


def _certificate(path: Path) -> Certificate:
    from cryptography import x509  # noqa: PLC0415  (only https pays for it)

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise CannotStart(f"OBT_TLS_CERT names {path}, which cannot be read ({error.strerror}).") from None
    except ValueError:
        raise CannotStart(f"OBT_TLS_CERT names {path}, which holds no certificate in PEM form.") from None


def _key(path: Path) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        return load_pem_private_key(path.read_bytes(), None)
    except TypeError:
        raise CannotStart(
            f"The key {path} of OBT_TLS_KEY is locked by a password, which nobody is there to type."
        ) from None
    except OSError as error:
        raise CannotStart(f"OBT_TLS_KEY names {path}, which cannot be read ({error.strerror}).") from None
    except Exception:  # one of several of the library's own
        raise CannotStart(f"OBT_TLS_KEY names {path}, which holds no private key in PEM form.") from None


def _chain(path: Path) -> str:
    """The certificates behind the server's own, which clients need to find their authority."""
    return "".join(PEM_CERTIFICATE.findall(path.read_text(encoding="ascii", errors="replace").replace("\r", ""))[1:])


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _escaped(text: str) -> str:
    """As Twisted's endpoint strings want it, where a colon ends a part."""
    return text.replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")
