"""What the tests of the lies said becomes rows; one that failed, or said nothing, is never a yes."""

from __future__ import annotations

from pathlib import Path

from agent.bench import lies

REPORT = """<testsuites><testsuite>
<testcase classname="agent.tests.test_lies_rates" name="test_words"><properties>
  <property name="lie" value="words"/><property name="naive" value="147"/>
  <property name="truth" value="200"/><property name="ours" value="201"/></properties></testcase>
<testcase classname="agent.tests.test_lies_rates" name="test_chunks"><properties>
  <property name="lie" value="chunks"/><property name="naive" value="172"/>
  <property name="truth" value="200"/><property name="ours" value="172"/></properties>
  <failure message="assert 172 == 200"/></testcase>
<testcase classname="agent.tests.test_lies_rates" name="test_silent"/>
</testsuite></testsuites>"""


def test_each_test_is_a_row_with_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "lies.xml").write_text(REPORT)

    words, chunks, silent = lies.rows_of(tmp_path / "lies.xml")

    assert (words.what, words.measured, words.ok) == ("lie: words", "OBT: 201", True)
    assert words.how == "naive says 147; the truth is 200"
    assert words.details["test"] == "agent/tests/test_lies_rates.py::test_words"
    assert (chunks.ok, chunks.reason) == (False, "failure: assert 172 == 200")
    assert (silent.ok, silent.how) == (False, "test_silent")


def test_the_tests_it_runs_are_there() -> None:
    found = [line for path in lies.TESTS for line in (lies.ROOT / path).read_text().splitlines()]
    assert sum(line.startswith("def test_") for line in found) == lies.LIES
