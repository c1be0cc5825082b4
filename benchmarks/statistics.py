"""Comparing two sets of measurements, and finding drift inside one. Pure; the server only, as it needs scipy.

The test is the exact two-sided Mann–Whitney U: it asks only for the order of the values. Without ties scipy counts the
arrangements; with ties the values share their ranks' mean, and all arrangements of those ranks are counted here, so
that it stays exact. Above EXACT_VALUES_MAXIMUM values together, scipy's normal approximation with tie and continuity
correction is used, and `method` says so. The two-sided p is twice the smaller tail, at most 1.

The size of a change is Hodges and Lehmann's: the median of all ratios of a value of one side to one of the other. Its
interval holds the ratios that the same test would not reject, so interval and p agree. Many comparisons at once are
corrected by Benjamini and Hochberg's step-up, which bounds the share of false verdicts among the verdicts; cells of
one machine move together, under which it holds, while Holm would leave few samples without any chance.

Sources: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 4.1–4.3 and 9.1–9.3; Benjamini, Hochberg 1995.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.obt_agent.statistics import CONFIDENCE, median

SIGNIFICANCE = 0.05
MINIMUM_EFFECT = 0.03  # a smaller change is never called one, however certain it is
LEAST_PER_SIDE = 3
EXACT_VALUES_MAXIMUM = 120
DRIFT = 0.03  # first third against last third
LEAST_FOR_DRIFT = 6  # two values in a third
ROUNDING = 1e-12  # what sums of probabilities may be off by


class Verdict(StrEnum):
    """What a comparison came to. Nothing else is ever said."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no detectable difference"
    TOO_FEW = "too few samples"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class RankTest:
    """`p`: how often chance alone puts the two sides at least this far apart. `method` names how it was computed."""

    p: float
    method: str


@dataclass(frozen=True)
class Change:
    """Shares of the base: 0.05 is 5 % more. `low` to `high` is the interval with at least 95 %, None of too few values.

    `coverage` is the interval's exact probability (of values without ties; with ties it covers no less).
    """

    change: float
    low: float | None
    high: float | None
    coverage: float | None


@dataclass(frozen=True)
class Drift:
    """How values moved in the order they were measured, as shares: 0.05 is 5 % more at the end.

    `n` values. `change`: median of the last third against that of the first. `per_sample`: Theil–Sen slope, the median
    of the slopes between all pairs of values, over the median value.
    """

    n: int
    change: float
    per_sample: float

    @property
    def drifted(self) -> bool:
        """Whether the thirds differ by more than 3 %."""
        return abs(self.change) > DRIFT

    @property
    def steady(self) -> bool:
        """Whether the slope, too, comes to more than 3 % over the run, the same way: a trend, not two outliers."""
        whole = self.per_sample * (self.n - 1)
        return abs(whole) > DRIFT and (whole > 0) == (self.change > 0)


def mann_whitney(base: Sequence[float], other: Sequence[float]) -> RankTest:
    """The two-sided test that both sides come from one distribution. Raises ValueError for a side without values."""
    if not base or not other:
        raise ValueError("both sides need values")
    values = [*base, *other]
    if len(set(values)) == 1:
        return RankTest(1.0, "exact, with ties")
    if len(values) > EXACT_VALUES_MAXIMUM:
        return RankTest(_scipy().mannwhitneyu(base, other, method="asymptotic").pvalue.item(), "normal approximation")
    if len(set(values)) == len(values):
        return RankTest(_scipy().mannwhitneyu(base, other, method="exact").pvalue.item(), "exact")
    return RankTest(_tied(base, other), "exact, with ties")


def smallest_p(n: int, m: int) -> float:
    """The p of two sides of n and m values that do not overlap at all: no test of so few can go below it."""
    return min(1.0, 2 / math.comb(n + m, n))


def enough(n: int, m: int) -> bool:
    """Whether n against m values could show a difference: 4 against 4 can, 3 against 3 never (p = 0.10)."""
    return min(n, m) >= LEAST_PER_SIDE and smallest_p(n, m) < SIGNIFICANCE


def corrected(ps: Sequence[float]) -> list[float]:
    """The p values of comparisons made together, after Benjamini and Hochberg; in the same order."""
    return [float(p) for p in _scipy().false_discovery_control(ps, method="bh")] if ps else []


def change(base: Sequence[float], other: Sequence[float]) -> Change | None:
    """How much `other` is above `base`. None where a value is 0 or less: it has no ratio. ValueError for no values."""
    if not base or not other:
        raise ValueError("both sides need values")
    if min(*base, *other, math.inf) <= 0:
        return None
    ratios = np.sort(np.subtract.outer(np.log(other), np.log(base)), axis=None)
    rank, coverage = _interval_rank(len(base), len(other))
    if rank == 0:
        return Change(_less_one(np.median(ratios)), None, None, None)
    return Change(_less_one(np.median(ratios)), _less_one(ratios[rank - 1]), _less_one(ratios[-rank]), coverage)


def verdict(
    base: Sequence[float], other: Sequence[float], p_corrected: float | None, *, higher_is_better: bool
) -> Verdict:
    """What to call two comparable sides. `p_corrected` None: it was not tested."""
    if p_corrected is None or not enough(len(base), len(other)):
        return Verdict.TOO_FEW
    found = change(base, other)
    moved = found.change if found is not None else median(other) - median(base)
    large = abs(moved) >= MINIMUM_EFFECT if found is not None else moved != 0
    if p_corrected >= SIGNIFICANCE or not large:
        return Verdict.SAME
    return Verdict.FASTER if (moved > 0) == higher_is_better else Verdict.SLOWER


def drift(values: Sequence[float]) -> Drift | None:
    """How values moved in their order; None of fewer than six, or where the first third has no size to compare with."""
    third = len(values) // 3
    if len(values) < LEAST_FOR_DRIFT or median(values[:third]) <= 0 or median(values) <= 0:
        return None
    slopes = [(values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2)]
    return Drift(
        n=len(values),
        change=median(values[-third:]) / median(values[:third]) - 1,
        per_sample=median(slopes) / median(values),
    )


def _scipy() -> Any:
    """`scipy.stats`, loaded when first needed: a second and 70 MB that most processes never use."""
    from scipy import stats  # type: ignore[import-untyped]  # noqa: PLC0415

    return stats


def _tied(base: Sequence[float], other: Sequence[float]) -> float:
    """The exact two-sided p of values with ties: all ways to choose one side's ranks, counted by their sum."""
    doubled = np.rint(2 * _scipy().rankdata([*base, *other])).astype(int)
    fewer = doubled[: len(base)] if len(base) <= len(other) else doubled[len(base) :]
    probability = _rank_sums(doubled.tolist(), len(fewer))
    observed = int(fewer.sum())
    return min(1.0, 2 * float(min(probability[: observed + 1].sum(), probability[observed:].sum())))


def _rank_sums(ranks: Sequence[int], chosen: int) -> NDArray[np.float64]:
    """The probability of each sum (the index) of `chosen` of these ranks, all choices being equally likely."""
    ways = np.zeros((chosen + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    whole: NDArray[np.float64] = ways[chosen] / math.comb(len(ranks), chosen)
    return whole


def _interval_rank(n: int, m: int) -> tuple[int, float | None]:
    """Which ratio from below and from above bounds the interval, and its coverage; (0, None) when none has 95 %."""
    tail = (1 - CONFIDENCE) / 2
    if n + m > EXACT_VALUES_MAXIMUM:
        spread = math.sqrt(n * m * (n + m + 1) / 12)
        return max(1, math.floor(n * m / 2 - NormalDist().inv_cdf(1 - tail) * spread)), CONFIDENCE
    fewer = min(n, m)
    below = np.cumsum(_rank_sums(range(1, n + m + 1), fewer)[fewer * (fewer + 1) // 2 :])
    rank = int((below <= tail + ROUNDING).sum())
    return rank, float(1 - 2 * below[rank - 1]) if rank else None


def _less_one(log_ratio: Any) -> float:
    return math.expm1(float(log_ratio))
