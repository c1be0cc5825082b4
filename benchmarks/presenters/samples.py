"""The samples of one cell as the result page draws and lists them.

The chart has one point per round, since a round is one value of the cell's number; the table under it has a line per
request, so that every raw sample of a round with several can be seen. Cells take turns, so each has its place in time.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.obt_agent import contract, metrics, rounds, validity, wire
from agent.obt_agent.metrics import NS_PER_S
from agent.obt_agent.rounds import Round
from benchmarks import derive
from benchmarks.documents import SampleBlock
from benchmarks.presenters import events
from obt_site import publishing
from obt_site.charts import Phase, SamplePoint
from obt_site.charts.samples import named

INCOMPLETE = "Not every request of the round came."


@dataclass(frozen=True)
class SampleLine:
    """A request in the table under the chart. `start_s`: seconds since the run began."""

    label: str
    start_s: float
    kind: str
    value: float | None
    unit: str
    prompt_tokens: int | None
    output_tokens: int | None
    ttft_ms: float | None
    e2e_ms: float | None
    words: str


@dataclass(frozen=True)
class Judged:
    """The samples of one cell, judged anew: all of them, and as rounds with their metrics."""

    spec: contract.CellSpec
    samples: Sequence[contract.Sample]
    rounds: Sequence[Round]
    metrics: Sequence[Mapping[str, metrics.Metric]]

    def counted(self, metric: str) -> list[float]:
        """One metric's value of each round that counts."""
        found = [_value(known, metric) for one, known in zip(self.rounds, self.metrics, strict=True) if one.valid]
        return [value for value in found if value is not None]


def judge(block: SampleBlock, environment: contract.RunEnvironment | None) -> Judged:
    """A stored cell's samples with their flags and metrics worked out anew."""
    spec = wire.decode(contract.CellSpec, dict(block.spec))
    samples = validity.judge([wire.decode(contract.Sample, dict(sample)) for sample in block.samples], spec)
    found = rounds.rounds_of(samples, spec)
    return Judged(spec, samples, found, [derive.round_metrics(one, spec, environment) for one in found])


def points(mine: Judged, metric: str, everything: Sequence[Judged] = ()) -> list[SamplePoint]:
    """One point per round, in the order they ran, with what ran in between of the cells in `everything`."""
    others = sorted(sample.timing.start_s for each in everything if each is not mine for sample in each.samples)
    found: list[SamplePoint] = []
    before = None
    for label, one, known in _labelled(mine):
        start_s = min(sample.timing.start_s for sample in one.samples)
        between = 0 if before is None else max(0, bisect_left(others, start_s) - bisect_left(others, before))
        why = _short(" ".join(dict.fromkeys(map(why_left_out, one.samples))))
        found.append(SamplePoint(label, _value(known, metric), _kind(one), why, start_s, between))
        before = start_s
    return found


def phases(everything: Sequence[Judged], chosen: str | None) -> list[Phase]:
    """Every request of the run as a stretch of time."""
    return [
        Phase(each.spec.name, start_s, start_s + (sample.timing.e2e_ns or 0) / NS_PER_S, each.spec.name == chosen, kind)
        for each in everything
        for one in each.rounds
        for sample, kind in ((sample, _kind(one)) for sample in one.samples)
        for start_s in (sample.timing.start_s,)
    ]


def left_out(mine: Judged) -> list[tuple[str, str]]:
    """(which samples, why), those with the same reason in one entry: `samples 3 and 5`."""
    by_reason: dict[str, list[str]] = {}
    for label, one, _ in _labelled(mine):
        if _kind(one) == "left_out":
            reason = " ".join(dict.fromkeys(filter(None, map(why_left_out, one.samples)))) or INCOMPLETE
            by_reason.setdefault(reason, []).append(label)
    return [(named(labels), reason) for reason, labels in by_reason.items()]


def lines(mine: Judged, metric: str) -> list[SampleLine]:
    """One line per request; those of a round share its number and its value."""
    return [
        SampleLine(
            label=label if one.width == 1 else f"{label}.{(sample.slot or 0) + 1}",
            start_s=sample.timing.start_s,
            kind=_kind(one),
            value=_value(known, metric),
            unit=known[metric].unit if metric in known else "",
            prompt_tokens=sample.raw.prompt_eval_count,
            output_tokens=sample.raw.eval_count,
            ttft_ms=metrics.ttft(sample.timing.ttft_ns).value,
            e2e_ms=metrics.e2e_latency(sample.timing.e2e_ns).value,
            words=why_left_out(sample),
        )
        for label, one, known in _labelled(mine)
        for sample in one.samples
    ]


def _labelled(mine: Judged) -> Iterator[tuple[str, Round, Mapping[str, metrics.Metric]]]:
    """`w1`, `w2` for warm-ups and `1`, `2` … for measured rounds, in the order they ran."""
    warm = measured = 0
    for one, known in zip(mine.rounds, mine.metrics, strict=True):
        warm, measured = (warm + 1, measured) if one.warmup else (warm, measured + 1)
        yield (f"w{warm}" if one.warmup else str(measured)), one, known


def _kind(one: Round) -> Any:
    if one.warmup:
        return "warm_up"
    return "counted" if one.valid else "left_out"


def why_left_out(sample: contract.Sample) -> str:
    """Why a sample was left out, in words."""
    if sample.warmup:
        return ""
    words = events.in_words(sample.flags)
    return f"{words} {publishing.reason(sample.error.message)}".strip() if sample.error else words


def _short(sentence: str) -> str:
    """A sentence as part of a legend: without its capital and full stop."""
    sentence = sentence.strip()
    is_name = sentence.startswith("Ollama")
    return sentence.rstrip(".") if is_name else sentence[:1].lower() + sentence[1:].rstrip(".")


def _value(known: Mapping[str, metrics.Metric], name: str) -> float | None:
    metric = known.get(name)
    return metric.value if metric is not None else None
