"""The commands behind each part, and how each says that it is ready."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from obt_site.env import Environment
from obt_site.up import tls
from obt_site.up.errors import CannotStart
from obt_site.up.process import POLL_S, Child

OLLAMA_PROBE_S = 1.0
SERVER_READY_WITHIN_S = 60.0
SIMULATOR_READY_WITHIN_S = 20.0
HEALTH_TIMEOUT_S = 5.0
APPLICATION_CLOSE_TIMEOUT_S = 2
PORT_FILE = "run/simulator-port"
GATE_FILE = "run/server-may-listen"
TOKEN_VARIABLE = "OBT_ENROL_TOKEN"  # noqa: S105  (a name; in the environment, because a command line is public)


@dataclass(frozen=True)
class OllamaProbe:
    """What answered at OBT_OLLAMA_URL: its version, or in words why it cannot be used."""

    version: str | None
    problem: str | None


def probe_ollama(url: str) -> OllamaProbe:
    """Asks an Ollama for its version, within a second."""
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/api/version", timeout=OLLAMA_PROBE_S) as answer:
            content = json.loads(answer.read(10_000))
    except HTTPError as error:
        return OllamaProbe(None, f"what answers at {url} is not Ollama (HTTP {error.code})")
    except (OSError, URLError, http.client.HTTPException):
        return OllamaProbe(None, f"none answers at {url}")
    except ValueError:
        return OllamaProbe(None, f"what answers at {url} is not Ollama")
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, str):
        return OllamaProbe(None, f"what answers at {url} is not Ollama")
    return OllamaProbe(version, None)


def simulator(data_dir: Path) -> Child:
    """The simulated Ollama, not started."""
    port_file = data_dir / PORT_FILE
    port_file.parent.mkdir(parents=True, exist_ok=True)
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "agent.simulator", "--port", "0", "--port-file", str(port_file)]
    return Child("simulator", command, data_dir)


def simulator_url(child: Child, check_stop: Callable[[], None]) -> str:
    """Waits until the simulator listens and returns its address."""
    port_file = child.data_dir / PORT_FILE
    deadline = time.monotonic() + SIMULATOR_READY_WITHIN_S
    while True:
        check_stop()
        child.check()
        if (port := _read(port_file)).isdigit():
            return f"http://127.0.0.1:{port}"
        if time.monotonic() > deadline:
            raise CannotStart(f"The simulator did not start within {SIMULATOR_READY_WITHIN_S:.0f} s; see {child.log}.")
        time.sleep(POLL_S)


def server(environment: Environment, data_dir: Path, mongodb_uri: str) -> Child:
    """The web server, not started; it loads and then waits for `open_gate`.

    Its HTTP timeout stays off, because agents hold long polls.
    """
    gate = data_dir / GATE_FILE
    gate.parent.mkdir(parents=True, exist_ok=True)
    gate.unlink(missing_ok=True)
    command = [sys.executable, "-m", "obt_site.up.serve", str(gate), "daphne"]
    command += ["-e", tls.endpoint(environment, data_dir)] if environment.tls_cert else _plain(environment)
    command += ["-v", "0", "--no-server-name"]
    command += ["--application-close-timeout", str(APPLICATION_CLOSE_TIMEOUT_S), "obt_site.asgi:application"]
    given = {} if environment.mongodb_uri else {"OBT_MONGODB_URI": mongodb_uri}  # else it reads what we read
    return Child("server", command, data_dir, {**given, **_allowed_hosts(environment)}, keeps_secrets=True)


def _plain(environment: Environment) -> list[str]:
    return ["-b", environment.host, "-p", str(environment.port)]


def open_gate(data_dir: Path) -> None:
    """Lets the server listen: the stored data is ready for it."""
    (data_dir / GATE_FILE).touch()


def _allowed_hosts(environment: Environment) -> dict[str, str]:
    """The local agent and the health check come by the local address, which also has to be answered to."""
    local = urlsplit(environment.local_url).netloc.rpartition(":")[0]
    names = environment.allowed_hosts or ("127.0.0.1", "localhost", "[::1]")
    return {"OBT_ALLOWED_HOSTS": ",".join(dict.fromkeys((*names, local)))}


def wait_for_server(child: Child, environment: Environment, check_stop: Callable[[], None]) -> None:
    """Waits until GET /health/ready answers 200."""
    deadline = time.monotonic() + SERVER_READY_WITHIN_S
    pinned = tls.fingerprint(environment.tls_cert) if environment.tls_cert else None
    while not is_ready(environment.local_url, pinned):
        check_stop()
        child.check()
        if time.monotonic() > deadline:
            raise CannotStart(
                f"The server was not ready within {SERVER_READY_WITHIN_S:.0f} s; "
                f"the last line of {child.log} is: {child.last_log_line()}"
            )
        time.sleep(POLL_S)


def is_ready(url: str, pinned: str | None = None) -> bool:
    """Whether the server says that it can work; `pinned` is the fingerprint of its certificate, for https."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection | None = None
    try:
        if pinned:
            connection = tls.connection(parts.hostname or "", parts.port, pinned, HEALTH_TIMEOUT_S)
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=HEALTH_TIMEOUT_S)
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        if connection:
            connection.close()


def agent(environment: Environment, data_dir: Path, ollama_url: str, token: str | None) -> Child:
    """This machine's agent, not started."""
    command = [sys.executable, "-m", "agent.obt_agent", "run", "--server", environment.local_url]
    command += ["--state-dir", str(data_dir / "agent"), "--ollama-url", ollama_url]
    if environment.tls_cert:
        command += ["--cert-sha256", tls.fingerprint(environment.tls_cert)]
    given = {TOKEN_VARIABLE: token, f"{TOKEN_VARIABLE}_FILE": ""} if token else {}
    return Child("agent", command, data_dir, given)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
