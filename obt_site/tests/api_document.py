"""docs/api.md taken apart: its sections, and the shell that runs what stands in them."""

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

from obt_site import env
from obt_site.tests.server import RunningServer

DOCUMENT = env.ROOT / "docs" / "api.md"
CALL = re.compile(r"^### (GET|POST|PUT|PATCH|DELETE) `([^`]+)`$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT = "## From nothing to results"
ADDRESS = "export OBT_URL=http://127.0.0.1:8881"
WITHIN_S = 170


class Example(NamedTuple):
    """One call and the lines that make it."""

    method: str
    path: str
    text: str


def script() -> str:
    """All blocks of the way from nothing to results, one after the other."""
    section = DOCUMENT.read_text().split(SCRIPT)[1].split("\n## ")[0]
    return "\n".join(BLOCK.findall(section))


def general() -> str:
    """The blocks that are about every call."""
    section = DOCUMENT.read_text().split("## What holds for every call")[1].split("\n## ")[0]
    return "\n".join(BLOCK.findall(section))


def examples() -> list[Example]:
    """Every call's example, in the document's order; a call without one has an empty text."""
    text = DOCUMENT.read_text()
    heads = list(CALL.finditer(text))
    found = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        section = text[head.end() : following.start() if following else len(text)].split("\n## ")[0]
        blocks = BLOCK.findall(section)
        found.append(Example(head[1], head[2], "\n".join(blocks)))
    return found


def run(lines: str, server: RunningServer, folder: Path, **more: str) -> str:
    """Run shell lines as a stranger would, on this server and in an empty folder; what they print. The agent that they
    leave behind is ended."""
    command = "\n".join(["set -euo pipefail", f"ln -s {env.ROOT}/manage.py manage.py 2>/dev/null || true", lines])
    command = command.replace(ADDRESS, f"export OBT_URL={server.url}")
    bin_dir = env.ROOT / ".venv" / "bin"
    environment = {
        **server.environment,
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(folder / "state"),
        **more,
    }
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=(folder / "out").open("w"),
        stderr=(folder / "err").open("w"),
        start_new_session=True,
    )
    try:
        status = process.wait(WITHIN_S)
    except subprocess.TimeoutExpired:
        status = -1
    finally:
        # The shell's own group: whatever it started in the background.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    said = (folder / "out").read_text(errors="replace")
    assert status == 0, f"{status}\n{said[-2000:]}\n{(folder / 'err').read_text(errors='replace')[-4000:]}"
    return said
