"""Which cell of a result stands for a metric, and whether a cell's numbers may be published."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.obt_agent import metrics

REFERENCE_CELL = "tg128"


def too_few(cell: Mapping[str, Any]) -> bool:
    """Whether a cell that ran has numbers, and fewer counted samples than a headline number needs."""
    return bool(cell.get("metrics")) and cell.get("valid") is False and not cell.get("skipped")


def best_cell(cells: Iterable[Mapping[str, Any]], metric: str) -> Mapping[str, Any] | None:
    """The cell a metric is read from where one has to do: `tg128` for decode, else the first whose headline it is."""
    having = [cell for cell in cells if metric in (cell.get("metrics") or {})]

    def rank(cell: Mapping[str, Any]) -> tuple[bool, bool, bool]:
        its_own = metrics.HEADLINE.get(str(cell["kind"])) == metric
        return (too_few(cell), cell.get("cell") != REFERENCE_CELL, not its_own)

    return min(having, key=rank, default=None)
