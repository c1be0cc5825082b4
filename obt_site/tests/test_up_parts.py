"""The smaller parts of `up`: data folder, checks, probes, signals, terminal and the block."""

import contextlib
import http.server
import io
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from obt_site import embedded, env
from obt_site.up import checks, given_mongodb, services
from obt_site.up.errors import AlreadyRunning, CannotStart, StopRequested
from obt_site.up.filelock import FileLock
from obt_site.up.folder import STATE_FILE, STOPPING, DataFolder
from obt_site.up.leftovers import read_json
from obt_site.up.prepare import LocalClient
from obt_site.up.stopping import StopSignal
from obt_site.up.summary import Summary
from obt_site.up.terminal import Terminal


def environment(tmp_path, **given: str) -> env.Environment:
    return env.read(given, tmp_path)


# --- lock and folder -------------------------------------------------------------------------------------------------


def test_a_lock_lets_one_in_and_the_next_after_it(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    assert not second.acquire_within(0.1)
    first.release()
    assert second.acquire_within(0.1)
    second.release()


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(env.ROOT)!r}); from pathlib import Path;"
    code += f"from obt_site.up.filelock import FileLock; lock = FileLock(Path({str(tmp_path / 'lock')!r}));"
    code += "print(lock.acquire(), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        assert not FileLock(tmp_path / "lock").acquire()
        holder.kill()
        holder.wait()
    assert FileLock(tmp_path / "lock").acquire_within(1)


def test_a_folder_is_made_held_and_given_back(tmp_path):
    folder = DataFolder(tmp_path / "a" / "b")
    folder.claim()
    assert read_json(folder.path / STATE_FILE)["pid"] == os.getpid()
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        DataFolder(folder.path).claim()
    folder.release()
    again = DataFolder(folder.path)
    again.claim()
    again.release()


def test_a_folder_that_is_abandoned_goes_only_if_it_was_made(tmp_path):
    fresh = DataFolder(tmp_path / "a" / "b")
    fresh.claim()
    fresh.abandon()
    assert not (tmp_path / "a").exists()
    (tmp_path / "old").mkdir()
    old = DataFolder(tmp_path / "old")
    old.claim()
    old.abandon()
    assert (tmp_path / "old").exists()


def test_a_folder_whose_holder_is_stopping_is_waited_for(tmp_path):
    first = DataFolder(tmp_path)
    first.claim()
    first.note(STOPPING)
    threading.Timer(0.3, first.release).start()
    second = DataFolder(tmp_path)
    second.claim()
    second.release()


# --- checks ----------------------------------------------------------------------------------------------------------


def test_loopback_needs_nothing_and_other_addresses_need_everything(tmp_path):
    checks.exposure(environment(tmp_path, OBT_DEBUG="1"))
    with pytest.raises(CannotStart, match=r"OBT_DEBUG.*OBT_SECRET_KEY.*OBT_ALLOWED_HOSTS"):
        checks.exposure(environment(tmp_path, OBT_HOST="0.0.0.0", OBT_DEBUG="1"))
    checks.exposure(environment(tmp_path, OBT_HOST="0.0.0.0", OBT_SECRET_KEY="k" * 32, OBT_ALLOWED_HOSTS="h"))


def test_a_free_port_passes_even_just_after_it_was_used(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # leaves the port in TIME_WAIT
    checks.port(environment(tmp_path, OBT_PORT=str(port)), tmp_path)


def test_an_address_of_another_machine_is_refused_in_words(tmp_path):
    with pytest.raises(CannotStart, match="this machine does not have that address"):
        checks.port(environment(tmp_path, OBT_HOST="192.0.2.1"), tmp_path)


def test_a_name_that_does_not_resolve_is_refused(tmp_path):
    with pytest.raises(CannotStart, match=r"cannot listen on no-such-host\.invalid"):
        checks.port(environment(tmp_path, OBT_HOST="no-such-host.invalid"), tmp_path)


# --- what answers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def answering():
    """A real HTTP server that gives one fixed answer; returns its address."""
    servers = []

    def start(status: int, body: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_ollama_that_answers_gives_its_version(answering):
    assert services.probe_ollama(answering(200, b'{"version": "0.24.0"}')) == services.OllamaProbe("0.24.0", None)


@pytest.mark.parametrize(("status", "body"), [(404, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b'{"version": 3}')])
def test_something_else_on_its_port_is_said_to_be_something_else(answering, status, body):
    probe = services.probe_ollama(answering(status, body))
    assert probe.version is None
    assert "is not Ollama" in probe.problem


def test_a_proxy_in_the_environment_is_not_asked(answering, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert services.probe_ollama(answering(200, b'{"version": "0.24.0"}')).version == "0.24.0"


def test_an_ollama_that_is_silent_costs_about_a_second():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        probe = services.probe_ollama(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "none answers" in probe.problem
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("uri", "hosts"),
    [
        ("mongodb://ada:p%40ss@db.example:27017/obt?tls=true", "db.example:27017"),
        ("mongodb://a:1,b:2/?replicaSet=r", "a:1,b:2"),
        ("mongodb+srv://u:p@cluster.example", "cluster.example"),
    ],
)
def test_a_mongodb_is_named_by_its_hosts_only(uri, hosts):
    assert given_mongodb.hosts(uri) == hosts


def test_a_mongodb_uri_that_cannot_be_understood_is_refused_without_repeating_it():
    with pytest.raises(CannotStart, match="cannot be understood") as caught:
        given_mongodb.check("mongodb://ada:p@ss/word@host:99999999/obt")
    assert "p@ss" not in str(caught.value)


def test_the_server_also_answers_to_the_address_that_the_local_agent_uses(tmp_path):
    given = environment(tmp_path, OBT_HOST="10.0.0.5", OBT_ALLOWED_HOSTS="bench.example")
    assert services._allowed_hosts(given) == {"OBT_ALLOWED_HOSTS": "bench.example,10.0.0.5"}
    assert services._allowed_hosts(environment(tmp_path)) == {"OBT_ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]"}


# --- signals ---------------------------------------------------------------------------------------------------------

LISTENER = """
import sys; sys.path.insert(0, {root!r})
from obt_site.up.stopping import StopSignal
stop = StopSignal(); stop.listen()
print("on", flush=True)
while not stop.is_asked(): stop.wait(0.5)
stop.is_stopping = True
print(stop.asked_by, flush=True)
while not stop.is_hurried: __import__("time").sleep(0.02)
print("hurried", flush=True)
"""


@contextlib.contextmanager
def ending(process):
    """Whatever the test finds, the process is gone after it."""
    try:
        yield
    finally:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_one_a_while_later_hurries(number):
    command = [sys.executable, "-c", LISTENER.format(root=str(env.ROOT))]
    heard = lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)  # noqa: E731  (these tests may run under nohup)
    with subprocess.Popen(command, stdout=-1, text=True, preexec_fn=heard) as process, ending(process):
        assert process.stdout.readline() == "on\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"{number.name}\n"
        process.send_signal(number)  # at once: the same request, passed on twice
        time.sleep(1.2)
        process.send_signal(number)
        assert process.stdout.readline() == "hurried\n"


def test_a_request_is_thrown_only_where_it_is_looked_for():
    stop = StopSignal()
    stop.check()
    stop._note(signal.SIGINT, None)
    assert stop.wait(0)
    with pytest.raises(StopRequested):
        stop.check()


# --- what is printed -------------------------------------------------------------------------------------------------


def test_without_a_terminal_each_step_is_a_plain_line():
    out = io.StringIO()
    terminal = Terminal(out, out)
    terminal.step("Starting")
    terminal.detail("3 of 7")
    terminal.say("done")
    assert out.getvalue() == "Starting …\ndone\n"


def test_on_a_terminal_one_line_is_rewritten_and_gone_at_the_end():
    code = f"import sys; sys.path.insert(0, {str(env.ROOT)!r}); from obt_site.up.terminal import Terminal;"
    code += "t = Terminal(); t.step('Starting'); t.step('x' * 500); t.say('done')"
    outer, inner = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=inner, stderr=inner, check=True)
    shown = os.read(outer, 100_000).decode()
    os.close(outer)
    os.close(inner)
    assert shown.count("\n") == 1
    assert shown.endswith("\r\x1b[2Kdone\r\n")
    assert all(len(line) < 90 for line in re.split("\r\x1b\\[2K", shown))


def test_a_closed_terminal_does_not_stop_the_work():
    code = f"import sys; sys.path.insert(0, {str(env.ROOT)!r}); from obt_site.up.terminal import Terminal;"
    code += "t = Terminal(); t.step('Starting'); t.problem('no'); t.say('done'); sys.exit(3)"
    reading, writing = os.pipe()
    os.close(reading)
    assert subprocess.call([sys.executable, "-c", code], stdout=writing, stderr=writing) == 3
    os.close(writing)


def test_a_terminal_without_utf_8_gets_question_marks_not_an_error():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Terminal(out, out).step("Starting")
    assert out.buffer.getvalue() == b"Starting ?\n"


def block(tmp_path, client, problem=None, with_agent=True, link=None) -> str:
    return Summary(environment(tmp_path), "embedded database: mongod", link, with_agent, problem, client).text()


def test_the_block_names_what_was_found(tmp_path):
    text = block(tmp_path, LocalClient("desk", "0.24.0", 1, ["NVIDIA H100, 80 GB"]), link="http://x/setup?token=t")
    for part in ("http://127.0.0.1:8881", "http://x/setup?token=t", "works once", str(tmp_path / "var"), "mongod"):
        assert part in text
    assert "0.24.0 at http://127.0.0.1:11434, 1 model\n" in text
    assert "NVIDIA H100, 80 GB" in text


def test_the_block_says_what_is_missing_and_how_to_get_it(tmp_path):
    assert "ollama pull" in block(tmp_path, LocalClient("desk", "0.24.0", 0, []))
    assert "none found" in block(tmp_path, LocalClient("desk", "0.24.0", 0, []))
    assert block(tmp_path, None).count("not reported yet") == 3
    assert "--no-agent" in block(tmp_path, None, with_agent=False)
    simulated = block(tmp_path, LocalClient("desk", "s", 6, []), problem="none answers at http://127.0.0.1:11434")
    assert "a simulator stands in (6 models)" in simulated
    assert "OBT_OLLAMA_URL" in simulated
    assert "Set up" not in simulated


def test_no_port_is_offered_that_is_also_handed_out_for_outgoing_connections():
    assert all(embedded.free_port() in embedded.PORTS for _ in range(20))
