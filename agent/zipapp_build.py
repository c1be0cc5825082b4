"""Makes `obt-agent.pyz`: the agent as one file. `python agent/zipapp_build.py [--output FILE]`.

It holds the package obt_agent, and under `vendor/` the pure-Python parts of its dependencies as installed here
(requests and what that needs, nvidia-ml-py) with their licences. It cannot hold psutil, which is compiled: a machine
needs Python 3.9 or newer and `pip install psutil`. Packages installed on the machine are preferred to the vendored
ones, which may need a newer Python than 3.9; the file then says what to install.

The same input gives the same bytes, so that its checksum means something.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "obt_agent"
VENDORED = ("requests", "urllib3", "idna", "certifi", "charset-normalizer", "nvidia-ml-py")
KEPT_SUFFIXES = (".py", ".pem", ".typed")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file knows
SHEBANG = b"#!/usr/bin/env python3\n"

# Runs on any Python 3, however old, so that it can say what is missing.
MAIN = """\
import os
import sys


def missing():
    names = []
    for module, package in (("requests", "requests"), ("psutil", "psutil"), ("pynvml", "nvidia-ml-py")):
        try:
            __import__(module)
        except Exception:
            names.append(package)
    return names


if sys.version_info < (3, 9):
    sys.exit("The OBT agent needs Python 3.9 or newer; this is %d.%d." % sys.version_info[:2])
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "vendor"))
lacking = missing()
if lacking:
    sys.exit("The OBT agent needs %s: run  %s -m pip install %s" % (
        " and ".join(lacking), sys.executable or "python3", " ".join(lacking)))

from obt_agent.cli import main

sys.exit(main())
"""


def build(output: Path) -> str:
    """Write the zipapp; returns the SHA-256 of it, in hex."""
    entries = dict(sorted({**package_files(), **vendored_files(), "__main__.py": MAIN.encode()}.items()))
    output.parent.mkdir(parents=True, exist_ok=True)
    with open(output, "wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries.items():
                info = zipfile.ZipInfo(name, EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, content)
    output.chmod(0o755)
    return hashlib.sha256(output.read_bytes()).hexdigest()


def package_files() -> dict[str, bytes]:
    return {
        f"obt_agent/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in PACKAGE.rglob("*.py")
        if "__pycache__" not in path.parts
    }


def vendored_files() -> dict[str, bytes]:
    return {name: content for package in VENDORED for name, content in _files_of(package)}


def _files_of(package: str) -> Iterator[tuple[str, bytes]]:
    """A package's pure-Python files and licences. Its compiled parts only make it faster, and are left out."""
    distribution = importlib.metadata.distribution(package)
    for file in distribution.files or []:
        path = Path(str(distribution.locate_file(file)))
        info = next((part for part in file.parts if part.endswith(".dist-info")), None)
        licence = info is not None and ("licen" in file.as_posix().lower() or file.name == "METADATA")
        code = info is None and file.suffix in KEPT_SUFFIXES and ".." not in file.parts
        if (licence or code) and path.is_file():
            yield f"vendor/{file.as_posix()}", path.read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description="Build obt-agent.pyz, the agent as one file.")
    parser.add_argument("--output", type=Path, default=Path("obt-agent.pyz"))
    options = parser.parse_args()
    digest = build(options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB, sha256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
