"""Where tools live that are built once and used by every checkout: `$OBT_TOOLS_DIR`, else `~/.cache/obt`.

Standard library only, like `build`, so that both work before there is a virtual environment.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: one user, one build; the atomic rename still keeps what is there whole
    fcntl = None  # type: ignore[assignment]

# The last release whose inference engine the Go toolchain builds alone. Newer ones need a separate llama-server.
DEFAULT_VERSION = "0.24.0"
# A real older release, for tests of what an upgrade of Ollama does to results.
OLDER_VERSION = "0.12.11"
BUILDABLE_VERSIONS = (DEFAULT_VERSION, OLDER_VERSION)


def tools_dir() -> Path:
    """The folder that keeps what is built, which may not exist yet."""
    return Path(os.environ.get("OBT_TOOLS_DIR") or "~/.cache/obt").expanduser()


def ollama_dir(version: str = DEFAULT_VERSION) -> Path:
    """The folder of one built release: `ollama` and Ollama's own benchmark tool `bench`."""
    return tools_dir() / "ollama" / version


def ollama_binary(version: str = DEFAULT_VERSION) -> Path:
    """The built server and command line tool, which may not exist yet."""
    return ollama_dir(version) / "ollama"


@contextlib.contextmanager
def only_one_process(lock_file: Path) -> Iterator[None]:
    """Hold `lock_file` for the block. Waits for another process that holds it; a killed one lets go by itself."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as handle:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
