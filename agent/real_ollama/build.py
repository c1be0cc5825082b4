"""Build Ollama and its benchmark tool `bench` from the Go module proxy, for real measurements on machines without one.

Standard library only. Needs Go, a C++ compiler and three header-only libraries that Go module archives leave out
(they are in `vendor/` folders): two come from the system's packages, miniaudio from PyPI's source archive.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from agent.real_ollama.tools import (
    BUILDABLE_VERSIONS,
    DEFAULT_VERSION,
    OLDER_VERSION,
    ollama_binary,
    ollama_dir,
    only_one_process,
    tools_dir,
)

MODULE = "github.com/ollama/ollama"
PROGRAMS = {"ollama": MODULE, "bench": f"{MODULE}/cmd/bench"}
WITHOUT_BENCH = frozenset({OLDER_VERSION})  # Ollama's sources did not have it yet
# From 1.21 on Go fetches by itself the newer toolchain that a module asks for.
OLDEST_GO = (1, 21)
# Debian's package -> the header it brings, as the sources include it.
SYSTEM_HEADERS = {"nlohmann-json3-dev": "nlohmann/json.hpp", "libstb-dev": "stb/stb_image.h"}
HEADER_FOLDERS = ("/usr/include", "/usr/local/include", "/opt/homebrew/include")
MINIAUDIO = "miniaudio==1.71"
MINIAUDIO_ARCHIVE = "miniaudio-1.71.tar.gz"
MINIAUDIO_SHA256 = "ff51e2887bb673e2e757752b586b3dc924d59aa5fbcae9bbc45f4a111bd3262b"
MINIAUDIO_HEADER = "miniaudio-1.71/miniaudio/miniaudio.h"
VERSION_ANSWER_TIMEOUT_S = 20
VECTOR_LEVEL = "x86-64-v3"
VECTOR_FLAGS = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})


class BuildError(Exception):
    """Ollama cannot be built here. The message is for a person and says what to do."""


def say(line: str) -> None:
    """One line of progress, at once."""
    print(f"ollama: {line}", flush=True)


def programs(version: str) -> dict[str, str]:
    """What one release has to build: program → Go package."""
    return {name: package for name, package in PROGRAMS.items() if name != "bench" or version not in WITHOUT_BENCH}


def is_built(version: str) -> bool:
    """Whether its programs are there and the server says that it is this version."""
    binary = ollama_binary(version)
    if not all((binary.parent / program).is_file() for program in programs(version)):
        return False
    try:
        answer = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=VERSION_ANSWER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and version in answer.stdout + answer.stderr


def find_go() -> str:
    """The `go` command, new enough. Raises BuildError when there is none."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    wanted = ".".join(map(str, OLDEST_GO))
    if go is None:
        raise BuildError(f"Go is not installed. Install Go {wanted} or newer (https://go.dev/dl) and run this again.")
    answer = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", answer)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        raise BuildError(f"{go} says {answer.strip()!r}; it must be Go {wanted} or newer (https://go.dev/dl).")
    return go


def check_compiler() -> None:
    """Raise BuildError unless the compiler that Go will call is there."""
    compiler = (os.environ.get("CXX") or "c++").split()[0]
    if shutil.which(compiler) is None and shutil.which("g++") is None:
        raise BuildError("there is no C++ compiler. On Debian and Ubuntu: sudo apt-get install g++")


def missing_packages() -> list[str]:
    """The Debian packages whose headers are in none of the usual folders."""
    return [
        package
        for package, header in SYSTEM_HEADERS.items()
        if not any((Path(folder) / header).is_file() for folder in HEADER_FOLDERS)
    ]


def provide_headers(install: bool) -> None:
    """Make sure that the system's headers are there, installing them only when asked to."""
    packages = missing_packages()
    if packages and install:
        install_packages(packages)
        packages = missing_packages()
    if packages:
        raise BuildError(
            f"headers are missing. On Debian and Ubuntu: sudo apt-get install {' '.join(packages)}\n"
            f"Elsewhere put {' and '.join(SYSTEM_HEADERS[name] for name in packages)} into /usr/local/include."
        )


def install_packages(packages: list[str]) -> None:
    """apt-get install, with sudo unless this is root already."""
    say(f"installing {' '.join(packages)}")
    as_root = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["sudo"]
    run([*as_root, "apt-get", "install", "-y", "--no-install-recommends", *packages], "installing the headers")


def run(command: list[str], what: str, env: dict[str, str] | None = None) -> None:
    """Run a command and let it print. Raises BuildError with `what` when it is missing or fails."""
    try:
        done = subprocess.run(command, env=env, check=False)
    except OSError as error:
        raise BuildError(f"{what} failed: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"{what} failed with exit code {done.returncode}: {' '.join(command)}")


def pip_command(workspace: Path) -> list[str]:
    """A pip to call: this interpreter's, else one in a throw-away environment (Debian's python3 has none)."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    environment = workspace / "pip"
    venv.create(environment, with_pip=True)
    return [str(environment / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "pip"]


def fetch_miniaudio(workspace: Path) -> Path:
    """The folder to include that holds `miniaudio/miniaudio.h`, kept beside the builds."""
    include = tools_dir() / "ollama" / "include"
    header = include / "miniaudio" / "miniaudio.h"
    if header.is_file():
        return include
    say(f"downloading {MINIAUDIO} from PyPI for one header")
    options = ["--quiet", "--no-deps", "--no-binary", "miniaudio", "--dest", str(workspace)]
    run([*pip_command(workspace), "download", *options, MINIAUDIO], "downloading miniaudio")
    content = header_in(workspace / MINIAUDIO_ARCHIVE)
    header.parent.mkdir(parents=True, exist_ok=True)
    unfinished = header.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(header)
    return include


def header_in(archive: Path) -> bytes:
    """miniaudio.h out of the source archive. Raises BuildError when the archive is not the known one."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != MINIAUDIO_SHA256:
        raise BuildError(f"{archive.name} has sha256 {digest}, expected {MINIAUDIO_SHA256}. Nothing was used of it.")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(MINIAUDIO_HEADER)
        if member is None:
            raise BuildError(f"{archive.name} has no {MINIAUDIO_HEADER}")
        return member.read()


def go_environment(include: Path, target: Path) -> dict[str, str]:
    """What `go install` needs: where the headers are, for which processor, and where the programs go."""
    flags = " ".join(f"-I{folder}" for folder in (include, *HEADER_FOLDERS) if Path(folder).is_dir())
    compiler = {} if (level := processor_flags()) is None else {"CGO_CFLAGS": level, "CGO_CXXFLAGS": level}
    return {**os.environ, "CGO_ENABLED": "1", "CGO_CPPFLAGS": flags, **compiler, "GOBIN": str(target)}


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Compiler flags for vector instructions, where Linux says that all of a level are there; None elsewhere.

    Without them half-precision numbers are converted one by one, and a long prompt takes four times as long.
    """
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return None
    known = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    return f"-O2 -march={VECTOR_LEVEL}" if known >= VECTOR_FLAGS else None


def compile_into(target: Path, version: str, go: str, include: Path) -> None:
    """Download the sources and compile the programs into `target`."""
    say(f"compiling Ollama {version}: about 3 min of downloads and 4 min on two cores the first time")
    link = f"-X={MODULE}/version.Version={version}"
    for program, package in programs(version).items():
        command = [go, "install", "-ldflags", link, f"{package}@v{version}"]
        run(command, f"compiling {program}", env=go_environment(include, target))


def build(version: str = DEFAULT_VERSION, install_headers: bool = False) -> Path:
    """Build one release unless it is there, and return its folder. Raises BuildError with what to do.

    Atomic: the folder appears when everything in it is complete, and two builds at once become one.
    """
    folder = ollama_dir(version)
    if not is_built(version):
        with only_one_process(folder.parent / f".{version}.lock"):
            if not is_built(version):  # the process that was waited for may have built it
                build_now(folder, version, install_headers)
    return folder


def build_now(folder: Path, version: str, install_headers: bool) -> None:
    """Build into a folder beside the final one, then move it there."""
    go = find_go()
    check_compiler()
    provide_headers(install_headers)
    with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=folder.parent) as workspace:
        fresh = Path(workspace) / "programs"
        fresh.mkdir()
        compile_into(fresh, version, go, fetch_miniaudio(Path(workspace)))
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    if not is_built(version):
        raise BuildError(f"{folder}/ollama was built but does not answer `ollama --version` with {version}.")


def main(arguments: list[str]) -> int:
    """The command line: builds, prints where, and returns 0, or 1 after one sentence on what is lacking."""
    parser = argparse.ArgumentParser(prog="python -m agent.real_ollama build", description=__doc__)
    parser.add_argument("--version", choices=BUILDABLE_VERSIONS, default=DEFAULT_VERSION)
    parser.add_argument("--install-headers", action="store_true", help="apt-get install what is missing")
    chosen = parser.parse_args(arguments)
    there = is_built(chosen.version)
    try:
        folder = build(chosen.version, chosen.install_headers)
    except BuildError as error:
        print(f"ollama: {error}", file=sys.stderr)
        return 1
    say(f"{chosen.version} {'is there already' if there else 'is built'}: {folder}/ollama")
    return 0
