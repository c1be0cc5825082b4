"""Every result of the last MOST in short form, kept in the process: what lists sort, group, count and draw from.

Results do not change once stored, and their numbers only grow: what is here stays right, and a look at the counter says
whether there is more to read. Two processes may give out numbers and store in another order, so a number that is
missing is asked for again for a while. A correction of stored results begins a new epoch (`numbers.renew`), and then
all of it is read again. A result's whole document is read by its id only where it is shown.
"""

import time
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Any

from benchmarks import numbers
from benchmarks.documents import Result
from benchmarks.headline import best_cell, too_few

MOST = 20_000  # results; about 3 kB each
READ_AT_ONCE = 500
PATIENCE_S = 30.0  # how long a number that was given out may take to be stored
MISSING = float("nan")
WIDTH = 4  # median, low, high, n
FIELDS = {
    "number": 1, "session": 1, "session_number": 1, "job": 1, "client": 1, "client_name": 1, "model": 1, "digest": 1,
    "family": 1, "quantization": 1, "parameter_size": 1, "suite": 1, "suite_version": 1, "outcome": 1, "simulated": 1,
    "valid": 1, "ollama_version": 1, "hardware_config": 1, "placement.gpu_share": 1, "created_at": 1,
    "cells.cell": 1, "cells.kind": 1, "cells.valid": 1, "cells.skipped": 1, "cells.metrics": 1, "cells.left_out": 1,
    "conditions.option_num_gpu": 1, "conditions.option_num_thread": 1, "conditions.option_num_batch": 1,
    "excluded": 1,
}  # fmt: skip

OPTIONS = ("num_gpu", "num_thread", "num_batch")  # with others, the speed is another

Names = tuple[tuple[str, str, tuple[str, ...]], ...]  # (cell, kind, metrics) of every cell with numbers


@dataclass(frozen=True, slots=True)
class Spread:
    """A metric of one cell: its median and its interval (None where there is none), of `n` values."""

    cell: str
    median: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Layout:
    """Where the numbers of one kind of result lie: the same object for all results that have the same cells."""

    places: Mapping[tuple[str, str], int]  # (cell, metric) → place of the median
    best: Mapping[str, tuple[str, int]]  # metric → the cell that stands for it, and its place


@dataclass(frozen=True, slots=True)
class Short:
    """One result: what filters, groups and sorts ask for. Ids are texts."""

    id: str
    number: int
    session: str
    session_number: int | None
    client: str
    client_name: str
    model: str
    digest: str | None
    family: str | None
    quantization: str | None
    parameter_size: str | None
    suite: str | None
    suite_version: str | None
    ollama_version: str | None
    hardware_config: str | None
    outcome: str
    simulated: bool
    valid: bool
    created_at: datetime
    gpu_share: float | None
    cells: frozenset[str]  # all that were asked for, also those without a number
    left_out: int  # samples that did not count
    options: tuple[str | None, ...]  # of the whole result, in the order of OPTIONS; None: Ollama decided
    layout: Layout
    values: "array[float]"
    excluded: bool = False  # by a person: left out of whatever does not ask for it

    def spread(self, metric: str, cell: str | None = None) -> Spread | None:
        """The metric of this cell, or of the cell that stands for it; None where too little counts."""
        if cell is None:
            found = self.layout.best.get(metric)
            return None if found is None else self._at(*found)
        place = self.layout.places.get((cell, metric))
        return None if place is None else self._at(cell, place)

    def median(self, metric: str, cell: str | None = None) -> float | None:
        """The same, only its middle: what sorting looks at."""
        if cell is None:
            found = self.layout.best.get(metric)
            return None if found is None else self.values[found[1]]
        place = self.layout.places.get((cell, metric))
        return None if place is None else self.values[place]

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(self.layout.best)

    def _at(self, cell: str, place: int) -> Spread:
        median, low, high, n = self.values[place : place + WIDTH]
        return Spread(cell, median, None if low != low else low, None if high != high else high, int(n))


@lru_cache(maxsize=1024)
def layout_of(names: Names) -> Layout:
    """The layout of results with these cells and metrics."""
    places: dict[tuple[str, str], int] = {}
    for cell, _, having in names:
        for metric in having:
            places[cell, metric] = len(places) * WIDTH
    cells = [{"cell": cell, "kind": kind, "metrics": dict.fromkeys(having)} for cell, kind, having in names]
    best = {}
    for metric in {metric for _, _, having in names for metric in having}:
        chosen = best_cell(cells, metric)
        if chosen is not None:
            best[metric] = (str(chosen["cell"]), places[str(chosen["cell"]), metric])
    return Layout(places, best)


def short(found: Mapping[str, Any]) -> Short:
    """A stored result in short form; numbers of cells of which too few samples count are left out."""
    shown = [cell for cell in found.get("cells", ()) if cell.get("metrics") and not too_few(cell)]
    names = tuple((cell["cell"], cell["kind"], tuple(cell["metrics"])) for cell in shown)
    values = array("d", (number for cell in shown for each in cell["metrics"].values() for number in _numbers(each)))
    return Short(
        id=found["_id"],
        number=found["number"],
        session=str(found["session"]),
        session_number=found.get("session_number"),
        client=str(found["client"]),
        client_name=found.get("client_name") or "a machine",
        model=found["model"],
        digest=found.get("digest"),
        family=found.get("family"),
        quantization=found.get("quantization"),
        parameter_size=found.get("parameter_size"),
        suite=found.get("suite"),
        suite_version=found.get("suite_version"),
        ollama_version=found.get("ollama_version"),
        hardware_config=found.get("hardware_config"),
        outcome=found["outcome"],
        simulated=bool(found.get("simulated")),
        valid=bool(found.get("valid")),
        created_at=found["created_at"],
        gpu_share=(found.get("placement") or {}).get("gpu_share"),
        cells=frozenset(cell["cell"] for cell in found.get("cells", ())),
        left_out=sum(int(cell.get("left_out") or 0) for cell in found.get("cells", ())),
        options=tuple((found.get("conditions") or {}).get(f"option_{name}") for name in OPTIONS),
        layout=layout_of(names),
        values=values,
        excluded=bool(found.get("excluded")),
    )


def _numbers(spread: Mapping[str, Any]) -> tuple[float, float, float, float]:
    low, high = spread.get("low"), spread.get("high")
    return (
        float(spread["median"]),
        MISSING if low is None else float(low),
        MISSING if high is None else float(high),
        float(spread.get("n") or 0),
    )


class Shelf:
    """The newest results in short form. Safe to ask from several threads."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._lock = Lock()
        self._epoch: str | None = None
        self._top = 0
        self._shorts: tuple[Short, ...] = ()
        self._counted: tuple[Short, ...] = ()
        self._late: dict[int, float] = {}  # numbers given out and not found, with when that was noticed

    @property
    def epoch(self) -> str | None:
        """Changes when what was read before is no longer right: what is derived from results is kept by it."""
        return self._epoch

    def results(self) -> tuple[Short, ...]:
        """All of them, newest first; one small read when nothing is new."""
        with self._lock:
            self._look()
            return self._shorts

    def counted(self) -> tuple[Short, ...]:
        """The same without those that a person has excluded."""
        with self._lock:
            self._look()
            return self._counted

    def _look(self) -> None:
        """Take in what is new: everything, where what was read before is no longer right."""
        epoch, top = numbers.stand("results")
        if epoch != self._epoch or top < self._top:
            self._epoch, self._top, self._late = epoch, 0, {}
            self._shorts = self._counted = ()
        self._forget_late()
        if top > self._top or self._late:
            self._read(top)

    def _read(self, top: int) -> None:
        low = max(min(self._late, default=self._top + 1), top - self.most + 1)
        known = {one.number for one in self._shorts if one.number >= low}
        new = [short(found) for found in _stored(low, top) if found["number"] not in known]
        if new:
            kept = (*new, *self._shorts)
            self._shorts = tuple(sorted(kept, key=lambda one: -one.number)[: self.most])
            self._counted = tuple(one for one in self._shorts if not one.excluded)
        found = {one.number for one in new} | known
        at = time.monotonic()
        recent = range(max(low, self._top + 1 if self._top else top - READ_AT_ONCE), top + 1)
        for number in recent:
            if number not in found:
                self._late.setdefault(number, at)
        self._late = {number: since for number, since in self._late.items() if number not in found}
        self._top = top

    def _forget_late(self) -> None:
        oldest = time.monotonic() - PATIENCE_S
        self._late = {number: since for number, since in self._late.items() if since > oldest}


def _stored(low: int, top: int) -> Iterator[Mapping[str, Any]]:
    """Stored results with numbers from `low` to `top`, in windows that a database reads by its index."""
    collection = Result._get_collection()
    for start in range(low, top + 1, READ_AT_ONCE):
        yield from collection.find({"number": {"$gte": start, "$lt": min(start + READ_AT_ONCE, top + 1)}}, FIELDS)


shelf = Shelf()


def every() -> tuple[Short, ...]:
    """The newest results of this process's shelf, newest first, those that are excluded too."""
    return shelf.results()


def results() -> tuple[Short, ...]:
    """The same without those that a person has excluded: what everything reads that does not ask for them."""
    return shelf.counted()
