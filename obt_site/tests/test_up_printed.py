"""What `up` prints: steps, on a terminal and elsewhere, and the block at the end."""

import io
import os
import pty
import re
import subprocess
import sys

from obt_site import env
from obt_site.up.prepare import LocalClient
from obt_site.up.summary import Summary
from obt_site.up.terminal import Terminal


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
    return Summary(env.read({}, tmp_path), "embedded database: mongod", link, with_agent, problem, client).text()


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
