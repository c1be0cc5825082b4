"""Numbers as pages show them: a cell's metric with its spread, in one shape for every page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.obt_agent import metrics
from obt_site import formatting

REFERENCE_CELL = "tg128"

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
HIGHER_IS_BETTER = frozenset(
    {"decode_rate", "prefill_rate", "output_throughput", "goodput", "gpu_share", "item_rate", "input_token_rate"}
)


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

    @property
    def word(self) -> str:
        return metric_word(self.metric)

    @property
    def formula(self) -> str:
        """How it is computed, and what limits it."""
        return "; ".join(part for part in (metrics.FORMULAS.get(self.metric, ""), self.note) if part)

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
    )


def why_missing(cell: Mapping[str, Any], metric: str) -> str:
    """The reason a metric has no number, as words."""
    if cell.get("skipped"):
        return str(cell["skipped"])
    known = (cell.get("missing") or {}).get(metric)
    return str(known or cell.get("stopped") or "no sample counted")


def headline_of(cell: Mapping[str, Any]) -> Figure:
    """The number that stands for a cell."""
    return figure(cell, str(cell.get("headline") or metrics.HEADLINE.get(str(cell.get("kind")), "e2e_latency")))


def best_cell(cells: Iterable[Mapping[str, Any]], metric: str) -> Mapping[str, Any] | None:
    """The cell a metric is read from where one has to do: `tg128` for decode, else the first whose headline it is."""
    having = [cell for cell in cells if metric in (cell.get("metrics") or {})]
    having.sort(
        key=lambda cell: (cell.get("cell") != REFERENCE_CELL, metrics.HEADLINE.get(str(cell["kind"])) != metric)
    )
    return having[0] if having else None


def decode_of(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    """The rate that stands for a result: of decoding, of an embedding model of texts; None when no cell has either."""
    for metric in ("decode_rate", "item_rate"):
        cell = best_cell(cells, metric)
        if cell is not None:
            return figure(cell, metric)
    return None


def whole_seconds(seconds: float | None) -> str:
    """A duration that is still counting: `7 s`, `3 min 20 s`, without the decimals of a measurement."""
    if seconds is None:
        return formatting.MISSING
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else formatting.duration(whole)


def left_out(cells: Iterable[Mapping[str, Any]]) -> int:
    """How many measured samples of a result did not count."""
    return sum(int(cell.get("left_out") or 0) for cell in cells)
