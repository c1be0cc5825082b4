"""obt_site/up/process.py, leftovers.py, launcher.py: one child process, tied, watched, recorded and stopped."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from obt_site import env
from obt_site.up import leftovers
from obt_site.up.errors import CannotStart, ChildEnded
from obt_site.up.process import MAX_LOG_BYTES, Child, Ending

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
COUNTS_TO_TWO = """
import signal, sys, time
asked = []
def note(*_):
    asked.append(1)
    if len(asked) == 2: sys.exit(9)
signal.signal(signal.SIGTERM, note)
print("on", flush=True)
while True: time.sleep(0.05)
"""


@pytest.fixture
def child(tmp_path):
    started = []

    def start(code: str, name: str = "agent", **extra: str) -> Child:
        started.append(Child(name, [sys.executable, "-c", code], tmp_path, extra))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.kill()


def until(what, within_s: float = 10):
    deadline = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def logged(child: Child, text: str) -> bool:
    return text in child.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("pass", "exit code 0"),
    ],
)
def test_how_it_ended_is_said_in_words(child, code, words):
    assert str(child(code).wait(10)) == words


def test_an_unknown_signal_number_is_still_said():
    assert str(Ending(-99)) == "killed by signal 99"


def test_one_that_ends_by_itself_is_reported_with_its_last_log_line(child):
    ended = child("print('first'); print('the reason'); print(); raise SystemExit(4)")
    ended.wait(10)
    with pytest.raises(ChildEnded, match=r"The agent ended by itself \(exit code 4\).*the reason"):
        ended.check()


def test_one_that_runs_passes_the_check_and_is_in_its_own_session_and_group(child):
    running = child("import time; time.sleep(60)")
    running.check()
    assert os.getsid(running.pid) == os.getpgid(running.pid) == running.pid


def test_a_program_that_does_not_exist_ends_at_once_with_the_reason(tmp_path):
    missing = Child("agent", ["/no/such/program"], tmp_path)
    missing.start()
    missing.wait(10)
    with pytest.raises(ChildEnded, match="No such file"):
        missing.check()


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "logs").write_text("in the way", encoding="utf-8")
    with pytest.raises(CannotStart, match="The agent could not be started"):
        Child("agent", [sys.executable, "-c", ""], tmp_path).start()


def test_it_gets_the_extra_environment(child):
    assert child("import os; raise SystemExit(int(os.environ['GIVEN']))", GIVEN="6").wait(10) == Ending(6)


def test_a_stop_that_is_heeded_is_not_followed_by_a_kill(child):
    running = child(
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(5)); print('on', flush=True); time.sleep(60)"
    )
    until(lambda: logged(running, "on"))
    assert running.stop(5) == Ending(5)


def test_a_stop_that_is_ignored_ends_in_a_kill_after_its_time(child):
    running = child(STUBBORN)
    until(lambda: logged(running, "on"))
    started = time.monotonic()
    assert running.stop(0.5) == Ending(-signal.SIGKILL)
    assert 0.4 < time.monotonic() - started < 3


def test_it_is_asked_a_second_time_when_that_is_wanted(child):
    running = child(COUNTS_TO_TWO)
    until(lambda: logged(running, "on"))
    assert running.stop(5, ask_again_after_s=0.3) == Ending(9)


def test_a_hurry_does_not_wait(child):
    running = child(STUBBORN)
    until(lambda: logged(running, "on"))
    started = time.monotonic()
    running.stop(30, is_hurried=lambda: True)
    assert time.monotonic() - started < 3


def test_what_it_started_dies_with_it_however_it_dies(child):
    code = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    code += "print('helper', p.pid, 'on', flush=True); time.sleep(60)"
    running = child(code)
    until(lambda: logged(running, " on"))
    helper = psutil.Process(int(running.last_log_line().split()[1]))
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(10) == Ending(-signal.SIGKILL)
    until(lambda: not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE)


def test_a_big_log_is_put_aside_at_the_start_and_a_small_one_goes_on(child, tmp_path):
    child("print('one')").wait(10)
    child("print('two')").wait(10)
    log = tmp_path / "logs" / "agent.log"
    assert log.read_text(encoding="utf-8") == "one\ntwo\n"
    with log.open("ab") as file:
        file.truncate(MAX_LOG_BYTES + 1)
    child("print('three')").wait(10)
    assert log.read_text(encoding="utf-8") == "three\n"
    assert log.with_suffix(".log.1").stat().st_size == MAX_LOG_BYTES + 1


# --- notes of what runs ----------------------------------------------------------------------------------------------


def test_a_running_one_is_noted_and_an_ended_one_is_not(child, tmp_path):
    running = child("import time; time.sleep(60)")
    assert [each.pid for each in leftovers.running(tmp_path)] == [running.pid]
    running.kill()
    assert leftovers.running(tmp_path) == []
    assert not list((tmp_path / "run").iterdir())


def test_what_is_noted_is_ended_in_the_order_of_stopping(tmp_path):
    processes = {}
    for name in ("database", "agent", "server"):
        processes[name] = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        leftovers.record(tmp_path, name, processes[name].pid)
    expected = [processes[name].pid for name in ("agent", "server", "database")]
    assert [each.pid for each in leftovers.running(tmp_path)] == expected
    assert leftovers.end_all(tmp_path) == 3
    assert not any(psutil.pid_exists(each.pid) for each in processes.values())
    assert leftovers.end_all(tmp_path) == 0


def test_another_process_with_the_noted_id_is_left_alone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as innocent:
        created = psutil.Process(innocent.pid).create_time()
        content = {"name": "agent", "processes": [{"pid": innocent.pid, "created": created - 60}]}
        leftovers.write_json(tmp_path / "run" / "agent.json", content)
        assert leftovers.end_all(tmp_path) == 0
        assert innocent.poll() is None
        innocent.kill()


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", '{"processes": 3}', '{"processes": [{"pid": "1"}]}'])
def test_a_damaged_note_is_no_note(tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "agent.json").write_text(text, encoding="utf-8")
    assert leftovers.end_all(tmp_path) == 0
    assert not (tmp_path / "run" / "agent.json").exists()


# --- tied to its parent ----------------------------------------------------------------------------------------------

PARENT = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from obt_site.up.process import Child
child = Child("agent", {command!r}, Path({data!r}))
child.start()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("tied_by", "command"),
    [
        ("0", [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]),
        ("1", [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]),
        ("1", ["/bin/sleep", "60"]),
    ],
)
def test_a_child_goes_when_its_parent_is_killed(tmp_path, tied_by, command):
    code = PARENT.format(root=str(env.ROOT), command=command, data=str(tmp_path))
    given = {**os.environ, "OBT_PARENT_PIPE": tied_by}
    pipe = subprocess.PIPE
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, env=given)
    child = psutil.Process(int(parent.stdout.readline()))
    until(lambda: "launcher.py exec" not in " ".join(child.cmdline()))
    parent.kill()
    parent.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert not [each for each in psutil.process_iter() if each.pid == child.pid and each.name() == "sleep"]


def test_a_child_whose_parent_died_before_it_was_tied_does_not_start(tmp_path):
    launcher = str(env.ROOT / "obt_site/up/launcher.py")
    command = [
        sys.executable,
        launcher,
        "exec",
        "1",
        "15",
        sys.executable,
        "-c",
        f"open({str(tmp_path / 'ran')!r}, 'w')",
    ]
    assert subprocess.call(command) == 1
    assert not (tmp_path / "ran").exists()


def test_the_end_of_the_pipe_is_also_how_a_piped_child_is_stopped(child, monkeypatch):
    monkeypatch.setenv("OBT_PARENT_PIPE", "1")
    running = child("import time; print('on', flush=True); time.sleep(60)")
    until(lambda: logged(running, "on"))
    assert running.stop(5) == Ending(-signal.SIGTERM)
