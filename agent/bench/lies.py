"""The lies other tools tell, each told by a naive method on the same server or data where OBT tells the truth.

The tests do the work, one per lie; here they are run, and what each of them said becomes a row.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree  # nosec B405

from agent.bench.report import CannotRun, Row, Settings

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("agent/tests/test_lies_rates.py", "agent/tests/test_lies_machine.py", "benchmarks/tests/test_lies.py")
LIES = 15
TIMEOUT_S = 300
MUST = "naive fails, OBT does not"


def rows(settings: Settings) -> Iterable[Row]:
    """One row per lie. Raises CannotRun when the tests cannot even be collected."""
    with tempfile.TemporaryDirectory(prefix="obt-lies-") as folder:
        report = Path(folder) / "lies.xml"
        output = run_tests(report)
        if not report.is_file():
            raise CannotRun(f"The tests of the lies did not run: {output.strip().splitlines()[-1:]}")
        found = list(rows_of(report))
    yield from found
    if len(found) != LIES:
        yield Row("lies other tools tell", f"{LIES} tests", "a test for each", f"{len(found)} tests ran", ok=False)


def run_tests(report: Path) -> str:
    """pytest as a process of its own; its output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
    try:
        done = subprocess.run(
            [*command, f"--junitxml={report}", *TESTS],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotRun(f"The tests of the lies did not end within {TIMEOUT_S} s.") from None
    return done.stdout + done.stderr


def rows_of(report: Path) -> Iterator[Row]:
    """A row per test of a JUnit report, by the properties that `told` left in it."""
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 (written by our own pytest just now)  # nosec B314
        said = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        name = case.get("name", "")
        problem = next(
            (case.find(kind) for kind in ("failure", "error", "skipped") if case.find(kind) is not None), None
        )
        yield Row(
            what=f"lie: {said.get('lie', name)}",
            how=f"naive says {said['naive']}; the truth is {said['truth']}" if "naive" in said else name,
            must=MUST,
            measured=f"OBT: {said['ours']}" if "ours" in said else "",
            ok=problem is None and "lie" in said,
            details={"test": f"{case.get('classname', '').replace('.', '/')}.py::{name}", **said},
            reason=None if problem is None else f"{problem.tag}: {(problem.get('message') or '')[:200]}",
        )
