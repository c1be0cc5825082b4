"""How long a job will take, from what earlier results measured. Pure; times in seconds.

A cell takes per round what it took before under its name; one that is new takes what its tokens take at the nearest
measured speeds. What does not fit the budget is left out as the agent would (`measure_plan.py`). A cell about which
nothing is known makes the whole unknown: no guess is added to measured numbers.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.obt_agent import measure_plan
from agent.obt_agent.contract import CellSpec
from agent.obt_agent.measure_pace import LOAD_PROCEDURE_S
from agent.obt_agent.measure_plan import SHED_REPETITIONS
from benchmarks.suites import parameters_of
from benchmarks.suites.prompts import BYTES_PER_TOKEN

HARD_END = 1.5  # budgets after which the agent stops whatever runs
MS_PER_S = 1000.0
SINGLE = frozenset({"prefill", "decode", "chat"})  # kinds whose speeds say what one request alone would take

Cell = Mapping[str, Any]
Point = tuple[int, float]  # tokens, seconds per token


@dataclass
class Speeds:
    """What the results of one model on one machine tell.

    `by_cell`: seconds and number of rounds by the cell's name. `prefill` and `decode`: by the tokens in the context.
    `load_s`: one load, None unknown. `around_s`: what a job took beside its cells and reloads.
    """

    by_cell: dict[str, tuple[float, int]] = field(default_factory=dict)
    prefill: list[Point] = field(default_factory=list)
    decode: list[Point] = field(default_factory=list)
    embed_s_per_token: float | None = None
    load_s: float | None = None
    around_s: float | None = None

    @property
    def decode_rate(self) -> float | None:
        """Tokens per second after a short prompt, by which slow models get shorter cells."""
        seconds = _nearest(self.decode, 1)
        return 1 / seconds if seconds else None


def speeds(results: Iterable[Mapping[str, Any]]) -> Speeds:
    """What these stored results (as plain documents, newest first) tell; the newest that knows a thing is believed."""
    known = Speeds()
    for result in results:
        cells = [cell for cell in result.get("cells") or [] if not cell.get("skipped")]
        for cell in cells:
            _learn(known, cell)
        if known.around_s is None:
            known.around_s = _around_s(result, cells, known.load_s or 0.0)
    return known


def _learn(known: Speeds, cell: Cell) -> None:
    conditions = cell.get("conditions") or {}
    rounds, each_s = _rounds(cell), _round_s(cell, conditions)
    if each_s is not None:
        known.by_cell.setdefault(_key(cell["cell"], conditions.get("prompt_sha256")), (each_s, rounds))
    if any(name.startswith("option_") for name in conditions):  # a speed under options of its own says little else
        return
    tokens = int(conditions.get("depth") or 0) + int(conditions.get("prompt_tokens") or 0)
    if cell["kind"] in SINGLE:
        known.prefill += _point(cell, "prefill_rate", tokens)
        known.decode += _point(cell, "decode_rate", tokens)
    if cell["kind"] == "load" and known.load_s is None:
        known.load_s = _median(cell, "load_time")
    if cell["kind"] == "embed" and known.embed_s_per_token is None:
        rate = _median(cell, "input_token_rate")
        known.embed_s_per_token = 1 / rate if rate else None


def _rounds(cell: Cell) -> int:
    """Measured ones, with those that did not count."""
    return int(cell["n"]) + int(cell.get("left_out") or 0)


def _round_s(cell: Cell, conditions: Mapping[str, str]) -> float | None:
    """One round, by the agent's own clock where it is recorded, else by the medians."""
    done, took_s = _rounds(cell) + int(cell.get("warmups") or 0), cell.get("took_s")
    if took_s is not None and done:
        return float(took_s) / done
    load_s, throughput = _median(cell, "load_time"), _median(cell, "output_throughput")
    if load_s is not None:
        return load_s + LOAD_PROCEDURE_S
    if throughput and conditions:
        return int(conditions["concurrency"]) * int(conditions["output_tokens"]) / throughput
    latency_ms = _median(cell, "e2e_latency")
    return None if latency_ms is None else latency_ms / MS_PER_S


def _median(cell: Cell, metric: str) -> float | None:
    found = (cell.get("metrics") or {}).get(metric)
    return None if found is None else float(found["median"])


def _point(cell: Cell, metric: str, tokens: int) -> list[Point]:
    rate = _median(cell, metric)
    return [(tokens, 1 / rate)] if rate else []


def _around_s(result: Mapping[str, Any], cells: Sequence[Cell], load_s: float) -> float | None:
    """What the job took beside its cells and the reloads between context lengths; None where that was not recorded."""
    took = [cell.get("took_s") for cell in cells]
    whole = result.get("duration_s")
    if whole is None or not took or None in took:
        return None
    contexts = {(cell.get("conditions") or {}).get("num_ctx") for cell in cells}
    return max(0.0, float(whole) - sum(float(each) for each in took if each) - load_s * (len(contexts) - 1))


def _key(name: str, sha256: str | None) -> str:
    """Cells of fixed prompts are the same only with the same text."""
    return f"{name} {sha256}" if sha256 else name


def _key_of(spec: CellSpec) -> str:
    return _key(spec.name, None if spec.text is None else hashlib.sha256(spec.text.encode()).hexdigest())


def _nearest(points: Sequence[Point], tokens: int) -> float | None:
    """Seconds per token at the measured length that is closest in proportion; the newest of equal ones."""
    if not points:
        return None
    return min(points, key=lambda point: abs(math.log((point[0] + 1) / (tokens + 1))))[1]


# -- cells -------------------------------------------------------------------------------------------------------------


def round_s(spec: CellSpec, known: Speeds) -> float | None:
    """Seconds for one round of the cell; None where no result tells."""
    found = known.by_cell.get(_key_of(spec))
    if found is not None:
        return found[0]
    if spec.kind == "load":
        return None if known.load_s is None else known.load_s + LOAD_PROCEDURE_S
    if spec.kind == "embed":
        each = known.embed_s_per_token
        return None if each is None else each * spec.prompt_tokens * spec.batch
    prompt = spec.depth + spec.prompt_tokens
    if spec.text is not None:
        prompt = len(spec.text.encode()) // BYTES_PER_TOKEN  # rather too many
    prefill, decode = _nearest(known.prefill, prompt), _nearest(known.decode, prompt)
    if prefill is None or (decode is None and spec.output_tokens > 1):
        return None
    requests = spec.concurrency if spec.kind == "concurrency" else 1  # at worst one after the other
    return requests * (prompt * prefill + max(0, spec.output_tokens - 1) * (decode or 0.0))


def _as_run(cells: Iterable[CellSpec], known: Speeds) -> list[CellSpec]:
    """The cells with the short variants that the agent gives a slow model."""
    return [measure_plan.slow_variant(spec, known.decode_rate) or spec for spec in cells]


def _planned(spec: CellSpec, known: Speeds) -> measure_plan.Expected:
    """With as many rounds as it took last time, where it may take more than its least."""
    last = known.by_cell.get(_key_of(spec), (0.0, 0))[1]
    rounds = max(spec.repetitions, min(last, spec.max_repetitions or 0))
    return measure_plan.Expected(spec, rounds, round_s(spec, known))


def job_s(cells: Iterable[CellSpec], budget_s: float, known: Speeds) -> float | None:
    """Seconds for a job of these cells; None when nothing is known of one of them, or there is none."""
    planned = [_planned(spec, known) for spec in _as_run(cells, known)]
    if not planned or any(cell.each_s is None for cell in planned):
        return None
    load_s = known.load_s or 0.0
    around_s = load_s if known.around_s is None else known.around_s
    shedding = measure_plan.shed(planned, budget_s - around_s, load_s)
    kept = [cell.cut() if shedding.cut else cell for cell in planned if cell.spec.name not in shedding.dropped]
    return min(around_s + measure_plan.total_s(kept, load_s), HARD_END * budget_s)


@dataclass(frozen=True)
class Obligatory:
    """The cells that run whatever the budget, and the seconds they take at the fewest repetitions."""

    names: tuple[str, ...]
    seconds: float


def obligatory(cells: Sequence[CellSpec], known: Speeds) -> Obligatory | None:
    """What the obligatory cells need, one load included; None unless it is known for each of them."""
    run = _as_run(cells, known)
    names = measure_plan.obligatory(run)
    needed = [spec for spec in run if spec.name in names]
    each = [round_s(spec, known) if _is_told(spec, known) else None for spec in needed]
    if not needed or None in each:
        return None
    rounds = [spec.warmups + min(spec.repetitions, SHED_REPETITIONS) for spec in needed]
    seconds = sum(count * (one or 0.0) for count, one in zip(rounds, each, strict=True))
    return Obligatory(tuple(spec.name for spec in needed), (known.load_s or 0.0) + seconds)


def _is_told(spec: CellSpec, known: Speeds) -> bool:
    """Whether a result may say that it is too slow: measured by this name, or under no options of its own."""
    return _key_of(spec) in known.by_cell or not set(parameters_of(spec.name)) - {"num_ctx"}
