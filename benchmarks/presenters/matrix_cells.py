"""One model on one machine: what the matrix says of the pair, and what can be said of the machine's room for it."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from agents import presence
from agents.documents import Client
from benchmarks.presenters import stored
from benchmarks.presenters.machines import look
from benchmarks.presenters.matrix_metrics import Metric
from benchmarks.presenters.stored import Stored
from benchmarks.shelf import Short, Spread
from obt_site.formatting import is_only_a_range
from obt_site.states import StateLook, look_of

WHOLLY_ON_GPU_PERCENT = 99.5
Pair = tuple[str, str]  # a model's name and a machine's id


@dataclass(frozen=True)
class Column:
    """A machine in the head of the matrix."""

    id: str
    name: str
    state: str
    hardware: str | None
    has_gpu: bool
    capacity_bytes: int | None  # main and GPU memory together: what does not fit here cannot run
    labels: tuple[str, ...] = ()

    @property
    def look(self) -> StateLook:
        return look_of(self.state)


@dataclass(frozen=True)
class Cell:
    """One model on one machine.

    `kind`: value, missing (measured without this metric), not_run, active, failed, absent (not installed), unsuitable
    (cannot be measured).
    """

    kind: str
    machine: str
    pick: str = ""  # "<client>:<model>" where it can be chosen
    too_big: bool = False
    spread: Spread | None = None
    unit: str = ""
    own_unit: str = ""  # the unit where it is not the one that the matrix as a whole names
    about: str = ""  # what the number was read from
    share: float | None = None  # of the best in the row
    flag: str = ""
    flag_tone: str = "dim"
    words: str = ""
    result: str | None = None
    state: str = ""
    picked: bool = False


@dataclass
class Known:
    """What results say of a pair: the newest of all, the newest valid one, and the one whose number is shown."""

    last: Short
    valid: Short | None = None
    shown: Short | None = None
    spread: Spread | None = None
    unit: str = ""


def column(client: Client, content: Stored | None, working: bool) -> Column:
    return Column(
        id=str(client.id),
        name=client.name,
        state=look(presence.of(client).state, client.paused, working),
        hardware=stored.hardware_line(content),
        has_gpu=bool((content or {}).get("gpus")),
        capacity_bytes=capacity(content),
        labels=tuple(client.labels),
    )


def capacity(content: Stored | None) -> int | None:
    """Bytes a model can spread over: main memory and all GPUs' own; a shared memory counts once. None: unknown."""
    if not content or not content.get("memory_total_bytes"):
        return None
    own = [gpu for gpu in content.get("gpus") or [] if gpu.get("vendor") != "apple"]
    return int(content["memory_total_bytes"]) + sum(int(gpu.get("memory_total_bytes") or 0) for gpu in own)


def too_big(size_bytes: int | None, capacity_bytes: int | None) -> bool:
    """Whether the weights alone are more than the machine's memory."""
    return size_bytes is not None and capacity_bytes is not None and size_bytes > capacity_bytes


def known(results: Iterable[Short], pairs: Set[Pair], metric: Metric) -> dict[Pair, Known]:
    """What results, newest first, say of these pairs: the newest valid number, a real one before a simulated one."""
    found: dict[Pair, Known] = {}
    for one in results:
        pair = (one.model, one.client)
        if pair not in pairs:
            continue
        mine = found.get(pair)
        if mine is None:
            mine = found[pair] = Known(one)
        if not one.valid:
            continue
        mine.valid = mine.valid or one
        if mine.shown is None or (mine.shown.simulated and not one.simulated):
            spread, unit = spread_of(one, metric)
            if spread is not None:
                mine.shown, mine.spread, mine.unit = one, spread, unit
    return found


def spread_of(result: Short, metric: Metric) -> tuple[Spread | None, str]:
    """The metric of a result with its unit: of the metric's own cell where it was measured."""
    for name, unit in zip(metric.names, metric.units, strict=True):
        spread = result.spread(name, metric.cell) or result.spread(name)
        if spread is not None:
            return spread, unit
    return None, metric.units[0]


def share(value: float, best: float | None, higher_is_better: bool) -> float | None:
    """How close to the row's best, 0 to 1; of times and energy the least is best."""
    if not best or not value:
        return None
    return value / best if higher_is_better else best / value


def cell_of(
    name: str,
    where: Column,
    model: Stored | None,
    size: int | None,
    told: Known | None,
    metric: Metric,
    best: float | None,
    job: str | None,
    picked: Set[str],
) -> Cell:
    """What the matrix says of a model on a machine. `best`: of the row; `job`: the state of one that has not ended."""
    if model is None:
        return Cell("absent", where.name, too_big=too_big(size, where.capacity_bytes))
    reason = stored.unsuitable(model)
    if reason:
        return Cell("unsuitable", where.name, words=reason)
    pick = f"{where.id}:{name}"
    big = too_big(model.get("size_bytes"), where.capacity_bytes)
    cell = Cell("not_run", where.name, pick, big, picked=pick in picked)
    if job is not None:
        return replace(cell, kind="active", state=job)
    if told is None:
        return cell
    if told.shown is None or told.spread is None:
        if told.valid is not None:
            return replace(cell, kind="missing", result=told.valid.id, words=f"measured without {metric.what}")
        return replace(cell, kind="failed", result=told.last.id, state=_ended(told.last))
    flag, tone = _flag(told.shown, told.spread, model, where, metric)
    return replace(
        cell,
        kind="value",
        spread=told.spread,
        unit=told.unit,
        own_unit="" if told.unit == metric.units[0] else told.unit,
        about=_about(told.shown, told.spread, told.unit),
        share=share(told.spread.median, best, metric.higher_is_better),
        flag=flag,
        flag_tone=tone,
        result=told.shown.id,
    )


def with_reason(cell: Cell, errors: Mapping[str, str]) -> Cell:
    """A failed cell with why it failed."""
    if cell.kind != "failed" or cell.result is None:
        return cell
    return replace(cell, words=errors.get(cell.result) or "Its samples did not pass the checks.")


def _ended(result: Short) -> str:
    return "invalid" if result.outcome == "succeeded" else result.outcome


def _about(result: Short, spread: Spread, unit: str) -> str:
    """`tg128, tok/s, n = 6, result 12 of 22 Nov 2026`"""
    few = ", a range, not an interval" if is_only_a_range(spread.n) else ""
    when = result.created_at.date().isoformat()
    return f"{spread.cell}, {unit}, n = {spread.n}{few}; result {result.number} of {when}"


def _flag(result: Short, spread: Spread, model: Stored, where: Column, metric: Metric) -> tuple[str, str]:
    """The one remark a cell has room for, most important first."""
    if result.simulated:
        return "simulated", "dim"
    if result.digest and result.digest != model["digest"]:
        return "other digest", "warn"
    if where.has_gpu and result.gpu_share is not None and result.gpu_share < WHOLLY_ON_GPU_PERCENT:
        return f"{result.gpu_share:.0f} % GPU", "warn"
    if result.left_out:
        return f"{result.left_out} left out", "warn"
    if spread.cell != metric.cell:
        return spread.cell, "dim"
    return "", "dim"
