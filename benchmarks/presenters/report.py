"""A session's report: a line per job with its time against the plan, and every cell of every machine side by side.

Few machines and many cells: rows are cells, grouped by what they measure, and columns are machines, a table per model.
On a single machine the columns are its models instead. A cell that nowhere has a number is named below the table, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.obt_agent import metrics
from benchmarks.headline import best_cell
from benchmarks.lifecycle import TERMINAL, State
from benchmarks.presenters import figures
from benchmarks.presenters.cells import BESIDE, ENERGY
from benchmarks.presenters.figures import PREFERRED, Figure
from benchmarks.presenters.stored import Stored
from obt_site.formatting import duration

KIND_WORDS = {
    "load": "Load",
    "prefill": "Prefill",
    "decode": "Decode",
    "chat": "Chat",
    "prompt": "Fixed prompts",
    "concurrency": "Concurrency",
    "embed": "Embedding",
}
IN_A_LINE = ("decode_rate", "prefill_rate", "ttft", "item_rate")
MOST_COLUMNS = 6  # models of one machine in a table
ENDED = frozenset(state.value for state in TERMINAL)
NO_CELL = "no cell measured it"
NOT_REACHED = "not measured on this model"


@dataclass(frozen=True)
class JobLine:
    """One job: where it stands, its time against the plan, and its result's main numbers or why there are none."""

    job_id: str
    model: str
    client_id: str
    client_name: str
    state: str
    error: str | None
    result: str | None
    valid: bool | None
    simulated: bool
    figures: Sequence[Figure]
    left_out: int
    expected_s: float | None
    expected_from: str
    took_s: float | None
    may_retry: bool
    may_cancel: bool

    @property
    def left_out_words(self) -> str:
        return f"{self.left_out} left out"

    @property
    def took(self) -> str:
        """In words: whole seconds while it still counts."""
        is_over = self.state in ENDED
        return duration(self.took_s) if is_over else figures.whole_seconds(self.took_s)

    @property
    def is_under_way(self) -> bool:
        return self.took_s is not None and self.state not in ENDED

    @property
    def off_by(self) -> str:
        """How far the time it took is from the plan; empty where either is unknown."""
        if not self.expected_s or self.took_s is None or self.state != State.SUCCEEDED:
            return ""
        return figures.off_by(self.expected_s, self.took_s)


@dataclass(frozen=True)
class CellRow:
    """One metric of one cell over the columns. `cell` is empty where the row above names it already."""

    cell: str
    figures: Sequence[Figure]

    @property
    def word(self) -> str:
        return self.figures[0].word

    @property
    def formula(self) -> str:
        return self.figures[0].formula


@dataclass(frozen=True)
class Group:
    word: str
    rows: Sequence[CellRow]


@dataclass(frozen=True)
class Column:
    """A machine or a model, with the result its numbers are from."""

    name: str
    result: str | None


@dataclass(frozen=True)
class Table:
    """Cells × columns. `nowhere`: (cells, why) without a number in any column."""

    title: str
    columns: Sequence[Column]
    groups: Sequence[Group]
    nowhere: Sequence[tuple[str, str]]


def unfinished(job: Stored) -> bool:
    """As `sessions.unfinished`, for a plain dict."""
    return job["state"] not in TERMINAL or (job["state"] == State.FAILED and job.get("not_before") is not None)


def lines(jobs: Sequence[Stored], results: Mapping[str, Stored], moment: datetime) -> list[JobLine]:
    """The jobs in the order they were asked for; all have figures for the same metrics, in the order of IN_A_LINE."""
    having = [results[job["result"]]["cells"] for job in jobs if job.get("result") in results]
    shown = [name for name in IN_A_LINE if any(_best(cells, name).value is not None for cells in having)]
    return [_line(job, results.get(job.get("result") or ""), shown, moment) for job in jobs]


def _line(job: Stored, result: Stored | None, shown: Sequence[str], moment: datetime) -> JobLine:
    cells: Sequence[Any] = result["cells"] if result else ()
    error = job.get("error") or {}
    retrying = job["state"] == State.FAILED and job.get("not_before") is not None
    return JobLine(
        job_id=str(job["_id"]),
        model=job["model"],
        client_id=str(job["client"]),
        client_name=job.get("client_name") or "a machine",
        state="queued" if retrying else job["state"],
        error=error.get("message"),
        result=result["_id"] if result else None,
        valid=bool(result["valid"]) if result else None,
        simulated=bool(result and result.get("simulated")),
        figures=[_best(cells, name) for name in shown] if cells else [],
        left_out=figures.left_out(cells),
        expected_s=job.get("expected_s"),
        expected_from=job.get("expected_from") or "",
        took_s=_took_s(job, result, moment),
        may_retry=not unfinished(job) and job["state"] != State.SUCCEEDED,
        may_cancel=unfinished(job) and job["state"] != State.CANCELLING,
    )


def _best(cells: Sequence[Stored], metric: str) -> Figure:
    """Of the cells that this metric is the headline of; a TTFT that fell off elsewhere would not compare."""
    its_own = [cell for cell in cells if metrics.HEADLINE.get(str(cell["kind"])) == metric]
    best = best_cell([cell for cell in its_own if cell["cell"] in PREFERRED], metric)
    best = best or best_cell(its_own, metric) or next(iter(its_own), None)
    return figures.published(best, metric) if best else Figure(metric, "", None, "", reason=NO_CELL)


def _took_s(job: Stored, result: Stored | None, moment: datetime) -> float | None:
    """By the agent's clock once it has delivered, by the server's until then; None of a job that has not begun."""
    known = job.get("took_s") or (result or {}).get("duration_s")
    begun, ended = job.get("started_at"), job.get("finished_at")
    if known is not None or begun is None or job["state"] in (State.QUEUED, State.OFFERED):
        return known
    return float(((ended or moment) - begun).total_seconds())


def tables(jobs: Sequence[Stored], results: Mapping[str, Stored], planned: Sequence[Stored]) -> list[Table]:
    """Every cell of every job that delivered."""
    done = [(job, results[job["result"]]) for job in jobs if job.get("result") in results]
    if len({job["client"] for job, _ in done}) == 1:
        title = str(done[0][0].get("client_name") or "a machine")
        parts = [done[i : i + MOST_COLUMNS] for i in range(0, len(done), MOST_COLUMNS)]
        return [_table(title, [(job["model"], result) for job, result in part], planned) for part in parts]
    by_model: dict[str, list[tuple[str, Stored]]] = {}
    for job, result in done:
        by_model.setdefault(job["model"], []).append((job.get("client_name") or "a machine", result))
    return [_table(model, having, planned) for model, having in by_model.items()]


def _table(title: str, having: Sequence[tuple[str, Stored]], planned: Sequence[Stored]) -> Table:
    known = [{cell["cell"]: cell for cell in result["cells"]} for _, result in having]
    kinds = {cell["name"]: cell["kind"] for cell in planned}
    kinds |= {name: cell["kind"] for cells in known for name, cell in cells.items() if name not in kinds}
    grouped: dict[str, list[CellRow]] = {}
    nowhere: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        found = [cells.get(name, {"cell": name, "kind": kind, "skipped": NOT_REACHED}) for cells in known]
        rows = _rows(name, found)
        if any(figure.value is not None for figure in rows[0].figures):
            grouped.setdefault(kind, []).extend(rows)
        else:
            reasons = dict.fromkeys(figure.reason.removeprefix("skipped: ") for figure in rows[0].figures)
            nowhere.setdefault("; ".join(reasons), []).append(name)
    return Table(
        title,
        [Column(name, result["_id"]) for name, result in having],
        [Group(word, grouped[kind]) for kind, word in KIND_WORDS.items() if kind in grouped],
        [(", ".join(names), reason) for reason, names in nowhere.items()],
    )


def _rows(name: str, found: Sequence[Stored]) -> list[CellRow]:
    """The headline of one cell, then what stands beside it wherever any column has it."""
    headlines = [figures.headline_of(cell) for cell in found]
    beside = [*BESIDE.get(str(found[0]["kind"]), ()), ENERGY[0]]
    rows = [CellRow(name, headlines)]
    for metric in beside:
        row = [figures.published(cell, metric) for cell in found]
        if any(figure.value is not None for figure in row):
            rows.append(CellRow("", row))
    return rows
