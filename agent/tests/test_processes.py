"""The tree of Ollama's processes, with real processes in its place."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from agent.obt_agent.probes.ollama import NOT_FOUND, OllamaProbe
from agent.obt_agent.probes.proc import TICKS_PER_S, process_use
from agent.obt_agent.processes import LinuxMember, Member, OtherMember, Tree, find_server, tree_of

# A server that starts a runner for each line it is told, and ends it at an empty line; the runner burns CPU for ever.
SERVER = """
import subprocess, sys
runner = None
for line in sys.stdin:
    if runner:
        runner.kill(); runner.wait(); runner = None
    if line.strip():
        runner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    print("done", flush=True)
"""


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    if process.poll() is None:
        tell(process, "")
    process.kill()
    process.wait()


def tell(server: subprocess.Popen[str], word: str) -> None:
    assert server.stdin
    assert server.stdout
    server.stdin.write(word + "\n")
    server.stdin.flush()
    assert server.stdout.readline()


def until_used(tree: Tree, more_s: float) -> float:
    """Look as the telemetry does until the tree used so much more; its CPU seconds then."""
    first = tree.look(time.monotonic()).cpu_s
    deadline = time.monotonic() + 20
    while True:
        time.sleep(0.05)
        use = tree.look(time.monotonic(), walk_every_s=0.1)
        if use.cpu_s >= first + more_s:
            return use.cpu_s
        assert time.monotonic() < deadline, "the runner's CPU time was not seen"


def test_the_runners_cpu_time_counts_and_goes_on_over_a_reload(server: subprocess.Popen[str]) -> None:
    tree = Tree(psutil.Process(server.pid))
    tree.look(time.monotonic())
    tell(server, "load")
    first = until_used(tree, 0.2)
    tell(server, "load")  # another process now
    second = until_used(tree, 0.2)
    assert second >= first + 0.2
    tell(server, "")
    assert tree.look(time.monotonic()).cpu_s >= second


def test_its_share_is_of_one_core_and_its_memory_is_of_all_its_processes(server: subprocess.Popen[str]) -> None:
    tree = Tree(psutil.Process(server.pid))
    alone = tree.look(0.0)
    assert alone.cpu_percent is None
    tell(server, "load")
    until_used(tree, 0.1)
    use = tree.look(time.monotonic(), walk_every_s=0)
    assert use.processes == 2
    assert use.rss_bytes > alone.rss_bytes


def test_what_it_used_before_the_first_look_does_not_count() -> None:
    own = Tree(psutil.Process())
    assert own.look(1.0).cpu_s == 0.0
    assert own.look(2.0).cpu_s < psutil.Process().cpu_times().user


def test_the_probe_finds_another_server_after_the_first_ended(server: subprocess.Popen[str]) -> None:
    found = [psutil.Process(server.pid)]
    probe = OllamaProbe(lambda: found[0])
    assert probe.read().values["ollama_rss_bytes"] > 0
    server.kill()
    server.wait()
    reading = probe.read()
    assert reading.values == {}
    assert reading.missing["ollama_cpu_percent"] == NOT_FOUND
    found[0] = psutil.Process()
    assert probe.read().values["ollama_rss_bytes"] > 0


def test_an_ollama_elsewhere_is_missing_with_the_reason_and_not_looked_for_at_each_reading() -> None:
    asked = []
    probe = OllamaProbe(lambda: asked.append(1))
    assert probe.read().missing["ollama_rss_bytes"] == NOT_FOUND
    probe.read()
    assert len(asked) == 1


def test_there_is_no_server_process_of_another_host() -> None:
    assert find_server("http://192.0.2.1:11434") is None


@pytest.mark.parametrize("member", [LinuxMember, OtherMember])
def test_a_member_tells_what_its_process_used_and_when_it_is_gone(
    member: type[Member], server: subprocess.Popen[str]
) -> None:
    if member is LinuxMember and not sys.platform.startswith("linux"):
        pytest.skip("only Linux has /proc")
    one, process = member(server.pid), psutil.Process(server.pid)  # type: ignore[call-arg]
    tell(server, "")
    used = one.read()
    assert used.rss_bytes == pytest.approx(process.memory_info().rss, rel=0.05)
    times = process.cpu_times()
    assert used.cpu_s == pytest.approx(times.user + times.system, abs=0.05)
    server.kill()
    server.wait()
    with pytest.raises(psutil.NoSuchProcess):
        one.read()
    with pytest.raises(psutil.NoSuchProcess):
        member(server.pid)  # type: ignore[call-arg]


@pytest.mark.parametrize("member", [LinuxMember, OtherMember])
def test_a_tree_is_the_same_by_either_way_of_reading(member: type[Member], server: subprocess.Popen[str]) -> None:
    if member is LinuxMember and not sys.platform.startswith("linux"):
        pytest.skip("only Linux has /proc")
    tree = Tree(psutil.Process(server.pid), member)  # type: ignore[arg-type]
    tree.look(time.monotonic())
    tell(server, "load")
    assert until_used(tree, 0.2) >= 0.2
    assert tree.look(time.monotonic()).processes == 2


def test_the_tree_has_children_of_children_and_of_every_thread() -> None:
    code = "import subprocess, sys, threading; " + (
        "t = threading.Thread(target=lambda: subprocess.run([sys.executable, '-c', 'import sys; sys.stdin.read()'])); "
        "t.start(); print('ready', flush=True); t.join()"
    )
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 10
        while len(tree_of(psutil.Process(process.pid))) < 3:
            assert time.monotonic() < deadline, "the grandchild's child was not found"
            time.sleep(0.01)
        root = psutil.Process(process.pid)
        assert sorted(tree_of(root)) == sorted([root.pid, *(one.pid for one in root.children(recursive=True))])


def test_a_programs_name_with_brackets_and_spaces_does_not_move_the_fields() -> None:
    fields = " ".join(str(number) for number in range(1, 50))
    stat = f"42 (a) R (b c) S {fields}".encode()
    plain = f"42 (ollama) S {fields}".encode()
    assert process_use(stat) == process_use(plain)
    assert process_use(plain).cpu_s == (11 + 12) / TICKS_PER_S
