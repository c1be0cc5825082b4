"""What a proof says, and how it is shown: rows of a table while they are measured, and one JSON file at the end."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MET, NOT_MET, COULD_NOT_RUN = 0, 1, 2  # exit codes
FORMAT = 1
COLUMNS = (("what", 26), ("how", 38), ("must be", 30), ("measured", 44), ("ok", 4))
WORDS = {True: "yes", False: "NO", None: "—"}


class CannotRun(Exception):
    """This machine lacks something that the proof needs; the message is a sentence that says what."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """`quick`: fewer repetitions, for trying things out; the thresholds stay the same."""

    quick: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. `ok`: None when it could not be measured, and `reason` is a sentence that says why.

    `details` holds the raw values behind `measured`; anything that JSON can hold.
    """

    what: str
    how: str
    must: str
    measured: str = ""
    ok: bool | None = None
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    reason: str | None = None


def exit_code(rows: Sequence[Row]) -> int:
    """1 when a row is not met; else 2 when one could not be measured or there is none; else 0."""
    if any(row.ok is False for row in rows):
        return NOT_MET
    return MET if rows and all(row.ok for row in rows) else COULD_NOT_RUN


def heading() -> str:
    """The table's first lines."""
    return f"{_line([name for name, _ in COLUMNS])}\n{_line(['-' * width for _, width in COLUMNS])}"


def shown(row: Row) -> str:
    """One row, its cells wrapped to the columns' widths."""
    measured = "; ".join(part for part in (row.measured, row.reason) if part)
    cells = [row.what, row.how, row.must, measured or "—", WORDS[row.ok]]
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, (_, width) in zip(cells, COLUMNS, strict=True)]
    height = max(len(lines) for lines in wrapped)
    return "\n".join(_line([lines[at] if at < len(lines) else "" for lines in wrapped]) for at in range(height))


def _line(cells: Sequence[str]) -> str:
    padded = (cell.ljust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True))
    return " | ".join(padded).rstrip()


def document(header: dict[str, Any], entries: Sequence[dict[str, Any]], code: int) -> dict[str, Any]:
    """The JSON of one run. `entries`: rows as `entry` makes them."""
    return {"format": FORMAT, **header, "rows": list(entries), "exit_code": code}


def entry(proof: str, row: Row, took_s: float, **around: float | None) -> dict[str, Any]:
    """A row as the JSON has it. `around`: what the machine was like meanwhile; None for what it does not tell."""
    return {"proof": proof, **dataclasses.asdict(row), "took_s": round(took_s, 1), **around}


def write(content: dict[str, Any], path: Path) -> None:
    """Raises OSError; ValueError for a number that JSON does not have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
