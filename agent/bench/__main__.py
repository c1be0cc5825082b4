"""`python -m agent.bench`: run the proofs, print the table, write the JSON."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.bench import PROOFS, Proof, machine, report
from agent.bench.report import CannotRun, Row, Settings

RESULTS = Path("var/bench")


def main(arguments: Sequence[str] | None = None, proofs: Sequence[Proof] = PROOFS) -> int:
    """Run them; the exit code: 0 all met, 1 one is not, 2 one could not be measured."""
    options = _parser(proofs).parse_args(arguments)
    header = machine.header()
    print(f"{machine.shown(header)}\n\n{report.heading()}", flush=True)
    entries, rows = [], []
    chosen = [proof for proof in proofs if not options.only or proof.name in options.only]
    for proof in chosen:
        for row, entry in run(proof, Settings(quick=options.quick)):
            print(report.shown(row), flush=True)
            rows.append(row)
            entries.append(entry)
    code = report.exit_code(rows)
    content = report.document({**header, "quick": options.quick}, entries, code)
    files = _files(options.json, header["date"])
    for file in files:
        report.write(content, file)
    print(f"\nWritten to {files[0]}", flush=True)
    return code


def run(proof: Proof, settings: Settings) -> Iterator[tuple[Row, dict[str, Any]]]:
    """The rows of one proof with their JSON. One that fails says so as a row of its own and ends nothing else."""
    begun, stolen = time.perf_counter(), machine.Stolen()
    for row in _guarded(proof, settings):
        around = {"load_average": machine.load_average(), "stolen_percent": stolen.percent()}
        yield row, report.entry(proof.name, row, time.perf_counter() - begun, **around)
        begun, stolen = time.perf_counter(), machine.Stolen()


def _guarded(proof: Proof, settings: Settings) -> Iterator[Row]:
    try:
        rows: Iterable[Row] = importlib.import_module(proof.module).rows(settings)
        yield from rows
    except CannotRun as cannot:
        yield Row(proof.what, how="—", must="—", reason=str(cannot))
    except Exception as error:  # whatever goes wrong in one proof, the others are still worth having
        yield Row(proof.what, how="—", must="—", reason=f"The proof broke: {type(error).__name__}: {error}")


def _files(asked: Path | None, date: str) -> list[Path]:
    if asked is not None:
        return [asked]
    return [RESULTS / "latest.json", RESULTS / f"{date.replace(':', '')}.json"]


def _parser(proofs: Sequence[Proof]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent.bench", description="The proofs behind OBT's numbers.")
    names = [proof.name for proof in proofs]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--json", type=Path, metavar="PATH", help=f"where to write the result (default {RESULTS}/)")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions; the thresholds stay the same")
    return parser


if __name__ == "__main__":
    sys.exit(main())
