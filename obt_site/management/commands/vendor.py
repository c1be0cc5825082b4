"""``manage.py vendor``: fetch the pinned browser libraries of ``static/vendor/vendor.json`` from npm.

Needed only when a version in that file changes: the fetched files are kept in the repository, so that an installation
needs neither npm nor a network.  A package whose sha512 differs from the pinned one is refused before it is opened.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, TypedDict

from django.core.management.base import BaseCommand, CommandError

VENDOR_DIR = Path(__file__).resolve().parents[3] / "static" / "vendor"
NPM_TIMEOUT_S = 120
LARGEST_FILE_BYTES = 2_000_000


class Pin(TypedDict):
    """One library: ``files`` maps the path inside the npm package to the name under ``static/vendor``."""

    package: str
    version: str
    integrity: str
    licence: str
    files: dict[str, str]


def read_pins(folder: Path = VENDOR_DIR) -> dict[str, Pin]:
    """The pinned libraries by name."""
    pins: dict[str, Pin] = json.loads((folder / "vendor.json").read_text(encoding="utf-8"))
    return pins


def integrity_of(content: bytes) -> str:
    """The Subresource Integrity string npm publishes: ``sha512-`` and the digest in base64."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")


def unpack(tarball: bytes, pin: Pin) -> dict[str, bytes]:
    """The wanted files of a package by their name in ``static/vendor``.

    :raises CommandError: the package is not the pinned one, or lacks a file.
    """
    if integrity_of(tarball) != pin["integrity"]:
        raise CommandError(f"{pin['package']}@{pin['version']} is not the package that was pinned: its sha512 differs.")
    with tempfile.TemporaryFile() as file:
        file.write(tarball)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            return {name: _member(archive, path, pin) for path, name in pin["files"].items()}


def _member(archive: tarfile.TarFile, path: str, pin: Pin) -> bytes:
    try:
        member = archive.extractfile(f"package/{path}")
    except KeyError:
        member = None
    if member is None:
        raise CommandError(f"{pin['package']}@{pin['version']} has no file {path}.")
    return member.read(LARGEST_FILE_BYTES)


def fetch(pin: Pin) -> bytes:
    """The package as npm serves it.

    :raises CommandError: npm is not installed, or cannot get it.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{pin['package']}@{pin['version']}"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, cwd=folder)
        except FileNotFoundError as error:
            raise CommandError("npm is needed to fetch browser libraries, and is not installed.") from error
        except subprocess.CalledProcessError as error:
            raise CommandError(
                f"npm could not fetch {pin['package']}@{pin['version']}: {error.stderr.strip()}"
            ) from error
        return next(Path(folder).glob("*.tgz")).read_bytes()


class Command(BaseCommand):
    """Fetches every pinned library, checks it and writes its files and licence."""

    help = "Fetch the pinned browser libraries (static/vendor/vendor.json) from npm."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, pin in read_pins().items():
            for file_name, content in unpack(fetch(pin), pin).items():
                (VENDOR_DIR / file_name).write_bytes(content)
            self.stdout.write(f"{name} {pin['version']}")
