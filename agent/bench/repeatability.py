"""Two whole sessions on one machine, one after the other, by a real server and agent: do their medians agree?

What no benchmark can do is to agree with itself on a machine whose own speed changes. So a metronome beats beside both
sessions, and of each cell it is said how far the machine itself was apart; on a steady machine that is next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent.bench.house import House
from agent.bench.metronome import Metronome, share_of
from agent.bench.one_job import real_ollama
from agent.bench.report import Row, Settings
from agent.bench.whole_session import NARROW
from agent.real_ollama.models import EMBEDS
from agent.real_ollama.tools import DEFAULT_VERSION

MODELS = (NARROW, EMBEDS)
CLOSE = 0.02
LOW, HIGH = 0.1, 0.9  # the shares of the metronome's beats between which the machine's speed lay
Windows = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Pair:
    """One cell's headline in both sessions. `change`: second median ÷ first − 1; `overlap`: of the intervals.

    `machine`: the machine's own speed while the cell ran, its fastest ÷ its slowest over both sessions, without a tenth
    at each end; None when the metronome saw too little.
    """

    model: str
    cell: str
    metric: str
    first: float
    second: float
    change: float
    overlap: bool
    machine: float | None = None

    @property
    def close(self) -> bool:
        """Within 2 %."""
        return abs(self.change) <= CLOSE

    @property
    def agrees(self) -> bool:
        """Within 2 %, or no further apart than the intervals that were printed with them."""
        return self.close or self.overlap

    @property
    def is_the_machine(self) -> bool:
        """Apart, but no further than the machine itself was meanwhile."""
        ratio = max(self.first, self.second) / min(self.first, self.second)
        return not self.agrees and self.machine is not None and ratio <= self.machine


def rows(settings: Settings) -> Iterable[Row]:
    """One row."""
    budget = "quick" if settings.quick else "standard"
    names = [model.name for model in MODELS]
    with Metronome() as metronome, real_ollama(MODELS) as ollama, House(ollama.url) as house:
        first, second = (house.session(names, budget) for _ in range(2))
        when = [(house.windows(before), house.windows(after)) for before, after in zip(first, second, strict=True)]
    pairs, lost = [], []
    for before, after, (one, other) in zip(first, second, when, strict=True):
        for each in paired(before, after):
            windows = [*one.get(each.cell, ()), *other.get(each.cell, ())]
            pairs.append(replace(each, machine=machine_range(metronome, windows)))
        lost += unpaired(before, after)
    yield row(pairs, lost, budget)


def machine_range(metronome: Metronome, windows: Windows) -> float | None:
    """The machine's fastest ÷ its slowest during these windows, without a tenth of the beats at each end."""
    costs = metronome.cost_ms(windows)
    return share_of(costs, HIGH) / share_of(costs, LOW) if costs else None


def row(pairs: list[Pair], lost: list[str], budget: str) -> Row:
    """How many cells agree, and those that do not."""
    machine = [pair for pair in pairs if pair.is_the_machine]
    apart = [pair for pair in pairs if not pair.agrees and not pair.is_the_machine]
    close = sum(pair.close for pair in pairs)
    widest = max((pair for pair in pairs), key=lambda pair: abs(pair.change), default=None)
    within = len(pairs) - close - len(apart) - len(machine)
    measured = f"{len(pairs)} cells: {close} within 2 %, {within} within the intervals"
    if machine:
        measured += f", {len(machine)} no further apart than the machine itself"
    if apart:
        measured += "; apart: " + ", ".join(f"{pair.cell} {100 * pair.change:+.1f} %" for pair in apart)
    if lost:
        measured += f"; in one session only: {', '.join(lost)}"
    if widest is not None:
        measured += f"; widest {widest.cell} {100 * widest.change:+.1f} %"
    steady = max((pair.machine for pair in pairs if pair.machine is not None), default=None)
    if steady is not None:
        measured += f"; the machine's own speed meanwhile: up to × {steady:.2f} within a cell's samples"
    return Row(
        what="repeatability of a whole session",
        how=f"real Ollama {DEFAULT_VERSION}, server and agent, standard suite twice, budget {budget}; metronome",
        must="each median within 2 %, or the printed intervals overlap, or no further apart than the machine itself",
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
