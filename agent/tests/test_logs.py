from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from agent.obt_agent import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    package = logging.getLogger("agent.obt_agent")
    before = (package.handlers[:], package.level, package.propagate)
    yield
    package.handlers[:], package.level, package.propagate = before


@pytest.mark.parametrize("style", logs.FORMATS)
def test_an_event_is_one_line_whatever_is_in_it(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", style)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("agent.obt_agent.loop").exception("It failed:\r\n%s", "twice")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "first | second" in lines[0]


def test_json_lines_can_be_read_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "json")
    logging.getLogger("agent.obt_agent.sync").warning("It says “%s”.", "x")
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["message"]) == ("warning", "It says “x”.")
    assert line["time"].endswith("Z")


def test_what_is_below_the_level_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("warning")
    logging.getLogger("agent.obt_agent.sync").info("no")
    logs.set_up("info")
    logging.getLogger("agent.obt_agent.sync").info("yes")
    assert capsys.readouterr().err.endswith("info    yes\n")
