"""Is Ollama on this machine? With real processes in real namespaces, as container engines make them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.obt_agent.contract import Placement, RawCounters, Sample, Timing
from agent.obt_agent.energy import ELSEWHERE, OUTPUT, Meter, per_token
from agent.obt_agent.locality import Listener, in_other_container, is_local, judge
from agent.obt_agent.processes import find_server
from agent.obt_agent.telemetry import Recorder
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS

TIMEOUT_S = 20
LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""
# A user that is not root makes namespaces within one of users.
NEW_USER = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["--user", "--map-root-user"]
OTHER_PROCESSES = ["unshare", *NEW_USER, "--pid", "--fork", "--kill-child"]
OTHER_NETWORK = ["unshare", *NEW_USER, "--net"]


def works(command: list[str]) -> bool:
    """Whether this machine lets the tests' user make such a namespace."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "true"], capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(
    not (works(OTHER_PROCESSES) and works(OTHER_NETWORK)), reason="namespaces may not be made here"
)


@contextmanager
def listening(*before: str, program: str = sys.executable) -> Iterator[int]:
    """The port of a process that listens, started through `before`. `program`: a Python, by whichever name."""
    command = [*before, program, "-c", LISTEN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


def test_a_process_beside_the_agent_is_on_this_machine() -> None:
    with listening() as port:
        assert is_local(f"http://127.0.0.1:{port}") is True


@needs_namespaces
def test_a_process_with_a_process_list_of_its_own_is_in_a_container_although_it_shares_the_network() -> None:
    with listening(*OTHER_PROCESSES) as port:
        assert is_local(f"http://127.0.0.1:{port}") is False


@needs_namespaces
def test_its_telemetry_is_labelled_and_makes_no_energy() -> None:
    with listening(*OTHER_PROCESSES) as port:
        url = f"http://127.0.0.1:{port}"
        assert find_server(url) is None  # whose CPU time would be that of another machine's Ollama
        recorder = Recorder([], of_this_machine=is_local(url))
    telemetry = recorder.stop()
    assert telemetry.of_this_machine is False
    sample = Sample(
        "tg", 0, False,
        raw=RawCounters(eval_count=10, done=True),
        timing=Timing(0.0, ttft_ns=1, last_token_ns=10**9),
        placement=Placement(1000, 1000),
    )  # fmt: skip
    assert per_token(sample, Meter(telemetry), OUTPUT)[0].reason == ELSEWHERE


@needs_namespaces
def test_behind_another_network_where_nobody_listens_in_sight_it_cannot_tell() -> None:
    with listening(*OTHER_NETWORK) as port:
        assert is_local(f"http://127.0.0.1:{port}") is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links to a program")
@pytest.mark.parametrize(
    ("name", "local"), [("docker-proxy", False), ("ssh", False), ("socat", False), ("nginx", None), ("ollama", True)]
)
def test_what_listens_is_known_by_its_name(tmp_path: Path, name: str, local: bool | None) -> None:
    program = tmp_path / name
    program.symlink_to(os.path.realpath(sys.executable))
    with listening(program=str(program)) as port:
        assert is_local(f"http://127.0.0.1:{port}") is local


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        ("0::/system.slice/ollama.service\n", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-terminal.slice\n", False),
        ("0::/system.slice/docker-0123456789abcdef.scope\n", True),
        ("12:memory:/docker/0123456789abcdef\n0::/system.slice/containerd.service\n", True),
        ("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-01.scope/container\n", True),
        ("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-01.scope\n", True),
        ("0::/kubepods/besteffort/pod1/crio-01\n", True),
        ("0::/lxc.payload.web/system.slice/ollama.service\n", True),
        ("0::/machine.slice/systemd-nspawn@web.service/payload\n", True),
    ],
)
def test_where_namespaces_may_not_be_read_the_control_group_tells(tmp_path: Path, cgroup: str, expected: bool) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42/cgroup").write_text(cgroup)
    assert in_other_container(42, tmp_path) is expected


def test_a_process_that_may_not_be_looked_at_is_unknown(tmp_path: Path) -> None:
    assert in_other_container(42, tmp_path) is None
    assert judge([Listener(42, "ollama")], list, lambda pid: in_other_container(pid, tmp_path)) is None


def test_an_address_of_this_machine_on_a_network_card_is_its_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; the system chooses the card
        address = probe.getsockname()[0]
    with socket.create_server((address, 0)) as listener:
        assert is_local(f"http://{address}:{listener.getsockname()[1]}") is True


class TestReal:
    pytestmark = REAL_OLLAMA_MARKS

    def test_the_real_ollama_of_the_tests_is_on_this_machine(self, real_ollama: str) -> None:
        assert is_local(real_ollama) is True
