"""The table of proofs: what it prints, what it writes, and the exit code by which a program knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agent.bench import PROOFS, Proof, report
from agent.bench.__main__ import main, run
from agent.bench.machine import Stolen, busy_processes, header, shown
from agent.bench.report import CannotRun, Row, Settings

MET = Row("decode rate", "real Ollama", "0.99–1.01", "ratio 1.002", True, {"ratio": 1.002})
NOT_MET = Row("agent's CPU", "60 s", "< 1 %", "1.7 %", False)
UNKNOWN = Row("eras", "Ollama v0.12.11", "all", reason="Go is not installed.")


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the proof named "x" does: rows to yield, exceptions to raise."""
    script: list[object] = []

    def rows(settings: Settings) -> Iterator[Row]:
        for one in script:
            if isinstance(one, Exception):
                raise one
            assert isinstance(one, Row)
            yield one

    module = ModuleType("bench_proof_of_the_tests")
    module.rows = rows  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return script


X = Proof("x", "bench_proof_of_the_tests", "the proof of the tests")


@pytest.mark.parametrize(
    ("rows", "code"),
    [([MET, MET], 0), ([MET, NOT_MET, UNKNOWN], 1), ([MET, UNKNOWN], 2), ([], 2)],
)
def test_the_exit_code_tells_not_met_before_could_not_run(rows: list[Row], code: int) -> None:
    assert report.exit_code(rows) == code


def test_a_row_is_wrapped_into_aligned_columns() -> None:
    row = Row("a name that is longer than its column is wide", "how", "must", "measured", True)
    lines = report.shown(row).splitlines()
    assert len(lines) == 2
    bars = [[at for at, sign in enumerate(line) if sign == "|"] for line in (report.heading().splitlines()[0], *lines)]
    assert bars[0] == bars[1]
    assert lines[0].endswith("| yes")


def test_a_row_that_could_not_be_measured_shows_why_and_neither_yes_nor_no() -> None:
    text = report.shown(UNKNOWN)
    assert "Go is not installed." in text
    assert text.splitlines()[0].endswith("| —")


def test_the_table_and_the_json_have_every_row(
    proof: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof += [MET, NOT_MET]
    file = tmp_path / "deep" / "result.json"
    assert main(["--json", str(file), "--quick"], [X]) == 1
    printed = capsys.readouterr().out
    assert "ratio 1.002" in printed
    assert "load average" in printed
    written = json.loads(file.read_text())
    assert written["exit_code"] == 1
    assert written["quick"] is True
    assert [(row["proof"], row["ok"], row["measured"]) for row in written["rows"]] == [
        ("x", True, "ratio 1.002"),
        ("x", False, "1.7 %"),
    ]
    assert written["rows"][0]["details"] == {"ratio": 1.002}
    assert {"date", "machine", "versions", "load_average", "busy"} <= set(written)


def test_it_writes_the_latest_and_one_with_the_date(
    proof: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    proof.append(MET)
    assert main([], [X]) == 0
    names = sorted(file.name for file in (tmp_path / "var/bench").iterdir())
    assert len(names) == 2
    assert "latest.json" in names
    assert ":" not in "".join(names)  # Windows takes none in a name


def test_only_the_named_proof_runs(proof: list[object], tmp_path: Path) -> None:
    proof.append(MET)
    other = Proof("other", "there.is.no.such.module", "another")
    file = tmp_path / "result.json"
    assert main(["--only", "x", "--json", str(file)], [other, X]) == 0
    assert len(json.loads(file.read_text())["rows"]) == 1


def test_a_proof_that_cannot_run_says_so_after_the_rows_it_had(proof: list[object]) -> None:
    proof += [MET, CannotRun("Go is not installed.")]
    first, second = (row for row, _ in run(X, Settings()))
    assert first is MET
    assert (second.what, second.ok, second.reason) == ("the proof of the tests", None, "Go is not installed.")


def test_a_proof_that_breaks_ends_no_other(proof: list[object], tmp_path: Path) -> None:
    proof.append(MET)
    broken = Proof("broken", "there.is.no.such.module", "another")
    file = tmp_path / "result.json"
    assert main(["--json", str(file)], [broken, X]) == 2
    rows = json.loads(file.read_text())["rows"]
    assert "ModuleNotFoundError" in rows[0]["reason"]
    assert rows[1]["ok"] is True


def test_an_unknown_proof_is_refused_with_the_names_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "nothing"])
    assert "truth" in capsys.readouterr().err


def test_the_proofs_have_names_of_their_own() -> None:
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


@pytest.mark.skipif(not hasattr(os, "nice"), reason="Windows has no nice")
def test_the_header_says_when_the_bench_itself_has_another_priority() -> None:
    code = "import os; os.nice(5); from agent.bench.machine import scheduling; print(scheduling())"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == f"nice {os.nice(0) + 5}\n"


def test_what_else_is_busy_is_named() -> None:
    head = header()
    assert head["machine"]["logical_cores"] >= 1
    busy = [{"pid": 1, "name": "compiler", "cpu_percent": 93.0}]
    assert "other busy processes: compiler 93 %" in shown({**head, "busy": busy})
    assert "other busy processes: none" in shown({**head, "busy": []})
    assert all(one["cpu_percent"] >= 5 for one in busy_processes(0.05))


def test_time_that_the_host_took_is_shown_and_unknown_where_nobody_counts_it() -> None:
    head = header()
    assert "stolen by the machine's host: 7.5 %" in shown({**head, "stolen_percent": 7.5})
    assert "stolen by the machine's host: unknown" in shown({**head, "stolen_percent": None})
    stolen = Stolen()
    assert stolen.percent() is None or 0 <= stolen.percent() <= 100  # type: ignore[operator]
