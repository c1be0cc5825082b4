"""Numbers as pages show them: a cell's metric with its spread, in one shape for every page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.obt_agent import metrics
from benchmarks.headline import REFERENCE_CELL, best_cell, too_few
from obt_site import formatting

PREFERRED = frozenset({"pp512", REFERENCE_CELL, "c4", "embed256x32"})  # else a kind's first cell stands for it
TIMES_FROM = 3.0
NOTHING_COUNTED = "no sample counted"

# What a metric is called beside a number, and where it fits in a heading.
METRIC_WORDS: dict[str, str] = {
    "decode_rate": "Decode",
    "prefill_rate": "Prefill",
    "ttft": "TTFT",
    "ttfo": "TTFO",
    "itl": "ITL",
    "icl": "ICL",
    "e2e_latency": "E2E latency",
    "load_time": "Load time",
    "output_throughput": "Output throughput",
    "observed_parallelism": "Observed parallelism",
    "ttft_spread": "TTFT spread",
    "queueing": "Queueing",
    "item_rate": "Embedding",
    "input_token_rate": "Embedded tokens",
    "goodput": "Goodput",
    "energy_per_output_token": "Energy per output token",
    "energy_per_output_token_net": "Energy per output token, net of idle",
    "energy_per_prompt_token": "Energy per prompt token",
    "energy_per_prompt_token_net": "Energy per prompt token, net of idle",
    "gpu_share": "GPU share",
}


@dataclass(frozen=True)
class Figure:
    """One metric of one cell. `value` is None when it does not exist, and `reason` then says why."""

    metric: str
    cell: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    n: int | None = None
    cv: float | None = None
    reason: str = ""
    note: str = ""
    iqr: float | None = None
    coverage: float | None = None  # the interval's exact probability, 0 to 1; None for a range
    minimum: float | None = None
    maximum: float | None = None

    @property
    def word(self) -> str:
        return metric_word(self.metric)

    @property
    def formula(self) -> str:
        """How it is computed."""
        return metrics.FORMULAS.get(self.metric, "")

    @property
    def remarks(self) -> list[str]:
        """What limits it, as words to stand beside it: `approximate`, `too short`."""
        return [word for word in ("approximate", "too short") if word in self.note]

    @property
    def coverage_percent(self) -> float | None:
        return None if self.coverage is None else 100 * self.coverage

    @property
    def cv_percent(self) -> float | None:
        return None if self.cv is None else 100 * self.cv


def metric_word(name: str) -> str:
    """`Decode` for `decode_rate`; an unknown name without its underscores."""
    return METRIC_WORDS.get(name, name.replace("_", " ").capitalize())


def figure(cell: Mapping[str, Any], metric: str) -> Figure:
    """A metric of a stored cell summary."""
    found = (cell.get("metrics") or {}).get(metric)
    name = str(cell.get("cell", ""))
    if not found:
        return Figure(metric, name, None, "", reason=why_missing(cell, metric))
    return Figure(
        metric,
        name,
        found["median"],
        found["unit"],
        found["low"],
        found["high"],
        found["n"],
        found.get("cv"),
        note=str(found.get("note") or ""),
        iqr=found.get("iqr"),
        coverage=found.get("coverage"),
        minimum=found.get("minimum"),
        maximum=found.get("maximum"),
    )


def published(cell: Mapping[str, Any], metric: str) -> Figure:
    """The same, but no number of a cell of which too few samples count."""
    if too_few(cell):
        return Figure(metric, str(cell.get("cell", "")), None, "", reason=why_too_few(cell))
    return figure(cell, metric)


def why_too_few(cell: Mapping[str, Any]) -> str:
    known = (cell.get("missing") or {}).get(str(cell.get("headline")))
    return str(known or f"too few valid samples: {cell.get('n', 0)} of {cell.get('planned', 0)} planned")


def why_missing(cell: Mapping[str, Any], metric: str) -> str:
    """The reason a metric has no number, as words."""
    if cell.get("skipped"):
        return str(cell["skipped"])
    known = (cell.get("missing") or {}).get(metric)
    if known in (None, NOTHING_COUNTED):
        return f"{NOTHING_COUNTED}: {cell['stopped']}" if cell.get("stopped") else NOTHING_COUNTED
    return str(known)


def headline_of(cell: Mapping[str, Any]) -> Figure:
    """The number that stands for a cell; none where too few of its samples count."""
    return published(cell, str(cell.get("headline") or metrics.HEADLINE.get(str(cell.get("kind")), "e2e_latency")))


def decode_of(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    """The rate that stands for a result: of decoding, of an embedding model of texts; None when no cell has either."""
    for metric in ("decode_rate", "item_rate"):
        cell = best_cell(cells, metric)
        if cell is not None:
            return published(cell, metric)
    return None


def whole_seconds(seconds: float | None) -> str:
    """A duration that is still counting: `7 s`, `3 min 20 s`, without the decimals of a measurement."""
    if seconds is None:
        return formatting.MISSING
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else formatting.duration(whole)


def against_plan(expected_s: float | None, took_s: float | None) -> str:
    """`predicted 12.0 s, took 14.0 s (+17 %)`; nothing where neither is known."""
    if expected_s is None:
        return "" if took_s is None else f"took {formatting.duration(took_s)}, not predicted"
    if took_s is None:
        return f"predicted {formatting.duration(expected_s)}"
    off = f" ({off_by(expected_s, took_s)})" if expected_s > 0 else ""
    return f"predicted {formatting.duration(expected_s)}, took {formatting.duration(took_s)}{off}"


def off_by(expected_s: float, took_s: float) -> str:
    """How far reality is from the plan: `+17 %`, `−8 %`, `as predicted`; from three times on, as times."""
    ratio = took_s / expected_s
    if ratio >= TIMES_FROM:
        return f"{formatting.number(ratio, 1)} times that"
    percent = round(100 * (ratio - 1))
    return "as predicted" if percent == 0 else f"{'+' if percent > 0 else ''}{formatting.number(percent)} %"


def left_out(cells: Iterable[Mapping[str, Any]]) -> int:
    """How many measured samples of a result did not count."""
    return sum(int(cell.get("left_out") or 0) for cell in cells)
