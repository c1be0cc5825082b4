"""Rounds: what one repetition of a cell is. One request, or in a concurrency cell several that started together.

A round counts as one value, however many requests it has: its requests share the machine and are not independent. It
is valid when all its requests came and passed their gates. Pure; agent and server both use this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from .contract import CellSpec, Sample, Slo
from .engines import Engine
from .metrics import (
    APPLICABLE,
    MILLISECONDS,
    NS_PER_MS,
    NS_PER_S,
    REQUESTS,
    REQUESTS_PER_S,
    Metric,
    derive,
    goodput,
    output_throughput,
)
from .statistics import median
from .validity import is_valid

# Fewer valid rounds are no number, even where the budget was short.
FEWEST_ROUNDS = 3
# What is left out at both ends of a request's tokens before two are said to run at the same time.
EDGE_SHARE = 0.1
ROUND_METRICS = ("output_throughput", "observed_parallelism", "ttft_spread", "goodput")


@dataclass(frozen=True)
class Round:
    """The requests of one repetition, in order of their slots. `width`: how many there should be."""

    index: int
    warmup: bool
    samples: Sequence[Sample]
    width: int = 1

    @property
    def valid(self) -> bool:
        """Whether it counts."""
        return len(self.samples) == self.width and all(is_valid(sample) for sample in self.samples)

    @property
    def flags(self) -> list[str]:
        """The gates its requests failed, each once."""
        return list(dict.fromkeys(flag for sample in self.samples for flag in sample.flags))


def width_of(spec: CellSpec) -> int:
    """Requests in a round of this cell."""
    return spec.concurrency if spec.kind == "concurrency" else 1


def rounds_of(samples: Sequence[Sample], spec: CellSpec) -> list[Round]:
    """The cell's judged samples as rounds, in order of time."""
    width = width_of(spec)
    if spec.kind != "concurrency":
        return [Round(sample.index, sample.warmup, [sample]) for sample in samples]
    grouped: dict[tuple[bool, int], list[Sample]] = {}
    for sample in samples:
        grouped.setdefault((sample.warmup, sample.index), []).append(sample)
    return [
        Round(index, warmup, sorted(found, key=lambda sample: sample.slot or 0), width)
        for (warmup, index), found in grouped.items()
    ]


def names_of(spec: CellSpec) -> tuple[str, ...]:
    """The metrics that a round of this cell publishes."""
    return (ROUND_METRICS if spec.kind == "concurrency" else ()) + APPLICABLE[spec.kind]


def round_metrics(
    one: Round, spec: CellSpec, engine: Engine = Engine.GO_RUNNER, count_is_uncached: bool = False
) -> dict[str, Metric]:
    """Every metric of a round: its only request's, or the median over its requests and what only all of them have."""
    each = [derive(sample, spec, engine, count_is_uncached) for sample in one.samples]
    if spec.kind != "concurrency":
        return each[0]
    shared = {
        "output_throughput": output_throughput([sample.raw.eval_count for sample in one.samples], makespan_ns(one)),
        "observed_parallelism": observed_parallelism(one.samples),
        "ttft_spread": ttft_spread(one.samples),
        "goodput": goodput_of(each, spec.slo, makespan_ns(one)),
    }
    return {**shared, **{name: _middle([metrics[name] for metrics in each]) for name in each[0]}}


def makespan_ns(one: Round) -> Optional[int]:
    """First request's start to last final message; None when one of them did not end."""
    ends = [_at_ns(sample, sample.timing.e2e_ns) for sample in one.samples]
    if len(ends) < one.width or None in ends:
        return None
    starts = [sample.timing.start_s * NS_PER_S for sample in one.samples]
    return round(max(end for end in ends if end is not None) - min(starts))


def observed_parallelism(samples: Sequence[Sample]) -> Metric:
    """The most requests between their first and last token at one moment, by the agent's clock.

    A server that answers one after the other gives 1, however many were sent: waiting is not running. The first and
    last tenth of each is left out, as the last token of one may be noted after the first of the next on a busy machine.
    """
    events: list[tuple[float, int]] = []
    for sample in samples:
        first, last = _at_ns(sample, sample.timing.ttft_ns), _at_ns(sample, sample.timing.last_token_ns)
        if first is None or last is None:
            return Metric(None, REQUESTS, "a request of the round received no token")
        edge = EDGE_SHARE * (last - first)
        events += [(first + edge, 1), (last - edge, -1)]
    running = most = 0
    for _, step in sorted(events, key=lambda event: (event[0], -event[1])):
        running += step
        most = max(most, running)
    return Metric(float(most), REQUESTS)


def ttft_spread(samples: Sequence[Sample]) -> Metric:
    """Longest less shortest TTFT of the round in ms: how unequally its requests waited."""
    known = [sample.timing.ttft_ns for sample in samples if sample.timing.ttft_ns is not None]
    if len(known) < len(samples):
        return Metric(None, MILLISECONDS, "a request of the round received no token")
    if len(known) < 2:
        return Metric(None, MILLISECONDS, "one request has no spread")
    return Metric((max(known) - min(known)) / NS_PER_MS, MILLISECONDS)


def goodput_of(each: Sequence[Mapping[str, Metric]], slo: Optional[Slo], makespan: Optional[int]) -> Metric:
    """Requests per second that met every stated limit, of a round's requests by their metrics. `makespan` in ns.

    A request is in time at the very limit. Without a limit, and where what a limit is about was not measured, there is
    no number: a request that nobody could judge is neither good nor bad.
    """
    limits = limits_of(slo)
    if not limits:
        return Metric(None, REQUESTS_PER_S, "no limits were stated")
    unknown = (metrics[name] for metrics in each for name in limits if metrics[name].value is None)
    first = next(unknown, None)
    if first is not None:
        return Metric(None, REQUESTS_PER_S, f"a request could not be held to its limits: {first.reason}")
    met = [all((metrics[name].value or 0.0) <= most for name, most in limits.items()) for metrics in each]
    return goodput(met, makespan)


def limits_of(slo: Optional[Slo]) -> dict[str, float]:
    """The stated limits in ms, by the metric that is held to them."""
    if slo is None:
        return {}
    stated = {"ttft": slo.ttft_ms, "itl": slo.itl_ms, "e2e_latency": slo.e2e_ms}
    return {name: most for name, most in stated.items() if most is not None}


def _at_ns(sample: Sample, after_ns: Optional[int]) -> Optional[float]:
    return None if after_ns is None else sample.timing.start_s * NS_PER_S + after_ns


def _middle(metrics: Sequence[Metric]) -> Metric:
    """The median over a round's requests; missing with the first reason when one of them has none."""
    values = [metric.value for metric in metrics if metric.value is not None]
    if len(values) < len(metrics):
        return next(metric for metric in metrics if metric.value is None)
    return Metric(median(values), metrics[0].unit)
