"""Two whole sessions on one machine, one after the other, by a real server and agent: do their medians agree?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from agent.bench.house import House
from agent.bench.one_job import real_ollama
from agent.bench.report import Row, Settings
from agent.bench.whole_session import NARROW
from agent.real_ollama.models import EMBEDS
from agent.real_ollama.tools import DEFAULT_VERSION

MODELS = (NARROW, EMBEDS)
CLOSE = 0.02


@dataclass(frozen=True)
class Pair:
    """One cell's headline in both sessions. `change`: second median ÷ first − 1; `overlap`: of the intervals."""

    model: str
    cell: str
    metric: str
    first: float
    second: float
    change: float
    overlap: bool

    @property
    def close(self) -> bool:
        """Within 2 %."""
        return abs(self.change) <= CLOSE

    @property
    def agrees(self) -> bool:
        """Within 2 %, or no further apart than the intervals that were printed with them."""
        return self.close or self.overlap


def rows(settings: Settings) -> Iterable[Row]:
    """One row."""
    budget = "quick" if settings.quick else "standard"
    names = [model.name for model in MODELS]
    with real_ollama(MODELS) as ollama, House(ollama.url) as house:
        first, second = (house.session(names, budget) for _ in range(2))
    pairs = [pair for before, after in zip(first, second, strict=True) for pair in paired(before, after)]
    lost = [name for before, after in zip(first, second, strict=True) for name in unpaired(before, after)]
    yield row(pairs, lost, budget)


def row(pairs: list[Pair], lost: list[str], budget: str) -> Row:
    """How many cells agree, and those that do not."""
    apart = [pair for pair in pairs if not pair.agrees]
    close = sum(pair.close for pair in pairs)
    widest = max((pair for pair in pairs), key=lambda pair: abs(pair.change), default=None)
    measured = f"{len(pairs)} cells: {close} within 2 %, {len(pairs) - close - len(apart)} within the intervals"
    if apart:
        measured += "; apart: " + ", ".join(f"{pair.cell} {100 * pair.change:+.1f} %" for pair in apart)
    if lost:
        measured += f"; in one session only: {', '.join(lost)}"
    if widest is not None:
        measured += f"; widest {widest.cell} {100 * widest.change:+.1f} %"
    return Row(
        what="repeatability of a whole session",
        how=f"real Ollama {DEFAULT_VERSION}, server and agent, standard suite twice, budget {budget}",
        must="each median within 2 %, or the printed intervals overlap",
        measured=measured,
        ok=bool(pairs) and not apart and not lost,
        details={"pairs": [asdict(pair) for pair in pairs]},
    )


def paired(first: dict[str, Any], second: dict[str, Any]) -> list[Pair]:
    """The cells that have a number in both results of one model."""
    before, after = numbers(first), numbers(second)
    return [pair(first["model"], cell, before[cell], after[cell]) for cell in before if cell in after]


def unpaired(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """The cells that have a number in one of them only."""
    return sorted(set(numbers(first)) ^ set(numbers(second)))


def numbers(result: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Headline name and number by cell, of cells that count."""
    return {
        cell["cell"]: (cell["headline"], cell["metrics"][cell["headline"]]) for cell in result["cells"] if cell["valid"]
    }


def pair(model: str, cell: str, before: tuple[str, dict[str, Any]], after: tuple[str, dict[str, Any]]) -> Pair:
    """Both numbers of a cell, compared."""
    (metric, one), (_, other) = before, after
    overlap = one["low"] <= other["high"] and other["low"] <= one["high"]
    change = other["median"] / one["median"] - 1
    return Pair(model, cell, metric, one["median"], other["median"], change, overlap)
