"""One model on one machine over time: each result a point, and what changed between two of them as a mark.

All of it is read from the shelf; only the hardware that changed is read from the database, in one query.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from benchmarks import shelf
from benchmarks.documents import Result
from benchmarks.measures import HIGHER_IS_BETTER
from benchmarks.presenters import figures, stored
from benchmarks.presenters.compare_sides import LONGEST_MODEL
from benchmarks.presenters.history_marks import Mark, marks
from benchmarks.shelf import Short, Spread
from obt_site.asked import Asked
from obt_site.charts.history import HistoryMark, HistoryPoint
from obt_site.formatting import aware, interval, measured, moment

MOST_SHOWN = 500  # results, the newest
MOST_PAIRS = 40  # that are offered where none is chosen
USUAL = ("decode_rate", "item_rate", "prefill_rate")


@dataclass(frozen=True)
class Row:
    """One result of the table. `why`: why it has no number, or why it does not count."""

    short: Short
    spread: Spread | None
    why: str
    mark: Mark | None
    driver: str | None

    @property
    def counts(self) -> bool:
        return self.spread is not None and self.short.valid


@dataclass(frozen=True)
class Pair:
    """A model on a machine that has results."""

    client: str
    client_name: str
    model: str
    count: int
    newest: datetime
    url: str


@dataclass(frozen=True)
class Choice:
    word: str
    value: str
    on: bool


@dataclass(frozen=True)
class HistoryView:
    """Everything the history page shows; without `rows` it offers `pairs`."""

    query: Asked
    machines: Sequence[tuple[str, str]]
    models: Sequence[str]
    client: str | None
    client_name: str
    model: str | None
    pairs: Sequence[Pair] = ()
    rows: Sequence[Row] = ()
    marks: Sequence[Mark] = ()
    points: Sequence[HistoryPoint] = ()
    metric: str = ""
    unit: str = ""
    cell: str = ""
    metrics: Sequence[Choice] = ()
    cells: Sequence[Choice] = ()
    left_out: int = 0
    simulated: int = 0
    simulated_url: str | None = None
    nothing_at_all: bool = False

    @property
    def word(self) -> str:
        return figures.metric_word(self.metric)

    @property
    def better(self) -> str:
        return "higher is better" if self.metric in HIGHER_IS_BETTER else "lower is better"

    @property
    def chart_marks(self) -> list[HistoryMark]:
        return [HistoryMark(one.at_s, one.number, one.name, one.sentence) for one in self.marks]

    @property
    def results_url(self) -> str:
        return f"{reverse('results')}?{urlencode({'client': self.client, 'model': self.model})}"


def url(model: str, client: object) -> str:
    """The history of this model on this machine."""
    return f"{reverse('history')}?{urlencode({'model': model, 'client': str(client)})}"


def history_view(query: Asked) -> HistoryView:
    """What the address asks for; what it does not make sense of is in `query.ignored`."""
    every = shelf.results()
    client, model = query.object_id("client"), query.text("model", LONGEST_MODEL)
    mine = [one for one in every if (client is None or one.client == client) and (model is None or one.model == model)]
    names: dict[str, str] = {}
    for one in every:
        names.setdefault(one.client, one.client_name)
    view = HistoryView(
        query=query,
        machines=sorted(names.items(), key=lambda item: item[1].casefold()),
        models=sorted({one.model for one in every}, key=str.casefold),
        client=client,
        client_name=names.get(client or "", "this machine"),
        model=model,
        nothing_at_all=not every,
    )
    if client is None or model is None or not mine:
        return _with(view, pairs=_pairs(mine or every))
    return _drawn(view, mine)


def _with(view: HistoryView, **fields: Any) -> HistoryView:
    return HistoryView(**{**view.__dict__, **fields})


def _pairs(shown: Iterable[Short]) -> list[Pair]:
    """Where there is most to see, first."""
    newest: dict[tuple[str, str], Short] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for one in shown:
        newest.setdefault((one.client, one.model), one)
        counts[one.client, one.model] += 1
    return [
        Pair(
            client,
            newest[client, model].client_name,
            model,
            count,
            newest[client, model].created_at,
            url(model, client),
        )
        for (client, model), count in counts.most_common(MOST_PAIRS)
    ]


def _drawn(view: HistoryView, mine: Sequence[Short]) -> HistoryView:
    query = view.query
    with_simulated = query.flag("simulated")
    simulated = sum(one.simulated for one in mine)
    hides = 0 < simulated < len(mine) and not with_simulated
    kept = [one for one in mine if not (hides and one.simulated)]
    shown = sorted(kept[:MOST_SHOWN], key=lambda one: (one.created_at, one.number))
    metric, metrics = _metric(query, shown)
    cell, cells = _cell(query, shown, metric)
    gear = stored.hardware_of(one.hardware_config for one in shown)
    found = marks(shown, gear)
    rows = [_row(one, metric, cell, found.get(one.id), gear) for one in shown]
    unit = _unit(shown, metric, cell)
    return _with(
        view,
        rows=rows[::-1],
        marks=list(found.values()),
        points=[_point(row, unit) for row in rows],
        metric=metric,
        unit=unit,
        cell=cell,
        metrics=metrics,
        cells=cells,
        left_out=len(kept) - len(shown),
        simulated=simulated,
        simulated_url=query.url(simulated="1") if hides else None,
    )


def _metric(query: Asked, shown: Sequence[Short]) -> tuple[str, list[Choice]]:
    having = {name for one in shown for name in one.metrics}
    names = [name for name in figures.METRIC_WORDS if name in having]
    usual = next((name for name in USUAL if name in having), names[0] if names else USUAL[0])
    chosen = query.choice("metric", {name: name for name in names}, usual) if names else usual
    return chosen, [Choice(figures.metric_word(name), name, name == chosen) for name in names]


def _cell(query: Asked, shown: Sequence[Short], metric: str) -> tuple[str, list[Choice]]:
    """One cell for all points: those of different cells say nothing about time."""
    counts = Counter(cell for one in shown for cell, name in one.layout.places if name == metric)
    stand = Counter(found[0] for one in shown if (found := one.layout.best.get(metric)))
    usual = stand.most_common(1)[0][0] if stand else ""
    cells = sorted(counts, key=lambda cell: (-counts[cell], cell))
    # The form sends the cell of the number before, too: one that exists without this number is no mistake.
    known = {cell for one in shown for cell in one.cells} | {*cells}
    asked = query.choice("cell", {cell: cell for cell in sorted(known)}, usual)
    chosen = asked if asked in cells else usual
    return chosen, [Choice(cell, cell, cell == chosen) for cell in cells]


def _unit(shown: Sequence[Short], metric: str, cell: str) -> str:
    """The unit as the newest result with this number has it."""
    newest = next((one.id for one in reversed(shown) if one.median(metric, cell) is not None), None)
    found = Result._get_collection().find_one({"_id": newest}, {"cells": 1}) if newest else None
    return next((figures.figure(one, metric).unit for one in (found or {}).get("cells", ()) if one["cell"] == cell), "")


def _row(one: Short, metric: str, cell: str, mark: Mark | None, gear: Mapping[str, Mapping[str, Any]]) -> Row:
    spread = one.spread(metric, cell)
    content = gear.get(one.hardware_config or "") or {}
    drivers = dict.fromkeys(gpu["driver_version"] for gpu in content.get("gpus") or [] if gpu.get("driver_version"))
    return Row(one, spread, _why(one, spread, cell), mark, ", ".join(drivers) or None)


def _why(one: Short, spread: Spread | None, cell: str) -> str:
    if spread is None and one.outcome != "succeeded":
        return f"the job ended early: {one.outcome.replace('_', ' ')}"
    if spread is None:
        return f"too few samples of {cell} count" if cell in one.cells else f"{cell} was not part of it"
    return "" if one.valid else "a cell of this result has too few valid samples"


def _point(row: Row, unit: str) -> HistoryPoint:
    one, spread = row.short, row.spread
    number = f"{measured(spread.median, unit)} {unit}" if spread else "no number"
    around = interval(spread.low, spread.high, spread.n, unit) if spread and spread.n > 1 else ""
    label = ", ".join(filter(None, (moment(one.created_at), number, around, f"Ollama {one.ollama_version}", row.why)))
    return HistoryPoint(
        at_s=aware(one.created_at).timestamp(),
        value=spread.median if spread else None,
        low=spread.low if spread else None,
        high=spread.high if spread else None,
        n=spread.n if spread else None,
        is_valid=one.valid,
        label=label,
        url=reverse("result", args=[one.id]),
    )
