"""Summaries of repeated measurements: the median, and how far it can be trusted. Pure; the standard library only.

The interval is distribution-free: two order statistics between which the true median lies with at least 95 %
probability whatever the distribution, by the binomial(n, ½) count of values below it (Conover, Practical Nonparametric
Statistics, 3.2). Six values are the fewest that reach 95 % (minimum to maximum covers 96.9 %); with fewer there is
none, and the range is given instead and called so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

CONFIDENCE = 0.95
SMALLEST_N_FOR_INTERVAL = 6


@dataclass(frozen=True)
class Summary:
    """n values in their own unit. `low` to `high` is a 95 % interval of the median, or (`interval` False) the range.

    `coverage`: the interval's exact probability, None for a range. `iqr`: third − first quartile. `cv`: standard
    deviation (n − 1) / mean, None below two values or at a mean of 0.
    """

    n: int
    median: float
    low: float
    high: float
    interval: bool
    coverage: Optional[float]
    iqr: float
    cv: Optional[float]
    minimum: float
    maximum: float


def summarise(values: Sequence[float]) -> Optional[Summary]:
    """The summary of finite values, None of no values. Raises ValueError for a value that is not finite."""
    if not values:
        return None
    if not all(math.isfinite(value) for value in values):
        raise ValueError("only finite values can be summarised")
    ordered = sorted(float(value) for value in values)
    rank = interval_rank(len(ordered))
    low, high = (ordered[rank - 1], ordered[-rank]) if rank else (ordered[0], ordered[-1])
    return Summary(
        n=len(ordered),
        median=median(ordered),
        low=low,
        high=high,
        interval=rank is not None,
        coverage=coverage(len(ordered), rank) if rank else None,
        iqr=quantile(ordered, 0.75) - quantile(ordered, 0.25),
        cv=coefficient_of_variation(ordered),
        minimum=ordered[0],
        maximum=ordered[-1],
    )


def half_width(summary: Summary) -> Optional[float]:
    """Half the interval's width as a share of the median; None without an interval or at a median of 0."""
    if not summary.interval or summary.median == 0:
        return None
    return (summary.high - summary.low) / 2 / abs(summary.median)


def median(values: Sequence[float]) -> float:
    """The middle value; the mean of the two middle ones when n is even. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values have no median")
    return quantile(sorted(values), 0.5)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Linear between neighbours (Hyndman and Fan's type 7, numpy's default). `ordered` ascending and not empty."""
    position = (len(ordered) - 1) * share
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def coverage(n: int, rank: int) -> float:
    """Probability that the rank-th smallest to rank-th largest of n values encloses the median: exact."""
    tail = sum(math.comb(n, below) for below in range(rank))
    return float(1 - 2 * tail / 2**n)


def interval_rank(n: int, confidence: float = CONFIDENCE) -> Optional[int]:
    """The largest rank whose interval still covers the median with `confidence`; None when even the range does not."""
    found = None
    for rank in range(1, n // 2 + 1):
        if coverage(n, rank) < confidence:
            break
        found = rank
    return found


def coefficient_of_variation(values: Sequence[float]) -> Optional[float]:
    """Sample standard deviation (n − 1) divided by |mean|."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    if mean == 0:
        return None
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance) / abs(mean)
