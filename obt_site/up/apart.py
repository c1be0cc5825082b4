"""A server of its own for a while: `up` with an empty folder, a free port and one administrator.

For pictures and proofs; nothing of the person's own data is touched.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from obt_site import embedded, env

NAME, PASSWORD = "jo", "correct horse 9"
READY = "  Stop "
STOP_S = 30.0


class NotStarted(Exception):
    """It did not come up, or a command in it failed; the message is what was said."""


@dataclass(frozen=True)
class Apart:
    """The running server."""

    address: str
    environment: Mapping[str, str]

    def manage(self, *arguments: str) -> None:
        """Run a management command on its data. Raises NotStarted."""
        command = [sys.executable, str(env.ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotStarted(done.stderr.strip() or done.stdout.strip())


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Apart]:
    """`up` on this folder, without an agent. Raises NotStarted."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OBT_") and name != "DATABASE_URL"}
    port = str(embedded.free_port())
    own = {"OBT_DATA_DIR": str(folder), "OBT_PORT": port, "OBT_NO_VENV": "1"}
    environment = {**kept, **own, "OBT_ADMIN_USERNAME": NAME, "OBT_ADMIN_PASSWORD": PASSWORD}
    command = [sys.executable, str(env.ROOT / "manage.py"), "up", "--no-agent"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        try:
            said = ""
            for line in up.stdout or ():
                said += line
                if line.startswith(READY):
                    break
            else:
                raise NotStarted(f"The server did not start:\n{said}")
            yield Apart(f"http://127.0.0.1:{port}", environment)
        finally:
            up.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                up.communicate(timeout=STOP_S)
