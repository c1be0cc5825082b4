"""The controls around the results: every choice is a link to the same view with that one thing changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.explore import COLUMN_SORTS, Order
from benchmarks.measures import MEASURES
from benchmarks.presenters.figures import metric_word
from benchmarks.presenters.results import MAIN_METRICS, ResultList
from benchmarks.presenters.results_query import COLUMNS, SIZES, Query
from benchmarks.saved_views import SavedView
from obt_site.formatting import number

GROUP_WORDS = {
    "model": "Model",
    "client": "Machine",
    "family": "Family",
    "quantization": "Quantisation",
    "ollama": "Ollama",
    "none": "Nothing",
}
RUNS_WORDS = {"latest": "Latest of each", "all": "Every run"}
CHART_WORDS = {"bars": "Bars", "scatter": "Scatter", "off": "None"}
SCALE_WORDS = {"shared": "One for all", "group": "One per group"}
DENSITY_WORDS = {"comfortable": "Comfortable", "compact": "Compact"}
SHORT_WORDS = {"energy_per_output_token": "J/token", "load_time": "Load"}
SORT_WORDS = {
    "model": ("Model, A to Z", "Model, Z to A"),
    "machine": ("Machine, A to Z", "Machine, Z to A"),
    "when": ("Newest first", "Oldest first"),
    "ollama": ("Newest Ollama first", "Oldest Ollama first"),
}


@dataclass(frozen=True)
class Choice:
    """One of several: its word, the address that chooses it, whether it is chosen."""

    word: str
    url: str
    is_on: bool


@dataclass(frozen=True)
class Column:
    """A head of the table that sorts: `arrow` says how it is sorted now."""

    name: str
    word: str
    url: str
    arrow: str
    title: str


@dataclass(frozen=True)
class Named:
    """A saved view, and whether this is it."""

    name: str
    url: str
    is_on: bool


def page_context(shown: ResultList, views: Sequence[SavedView]) -> dict[str, Any]:
    """Everything the template needs beside the list itself."""
    query = shown.query
    return {
        "place": "results",
        "list": shown,
        "query": query,
        "metrics": [_metric(query, name) for name in MAIN_METRICS],
        "more_metrics": [_metric(query, name) for name in shown.available if name not in MAIN_METRICS],
        "groups_by": _choices(query, "group", GROUP_WORDS, query.group or "none"),
        "runs": _choices(query, "runs", RUNS_WORDS, "latest" if query.only_latest else "all"),
        "charts": _choices(query, "chart", CHART_WORDS, query.chart),
        "scales": _choices(query, "scale", SCALE_WORDS, "group" if shown.own_scales else "shared"),
        "densities": _choices(query, "density", DENSITY_WORDS, "compact" if query.is_compact else "comfortable"),
        "sizes": _choices(query, "show", {str(size): number(size) for size in SIZES}, str(query.size)),
        "orders": _orders(query),
        "order_word": _order_word(query),
        "heads": {name: _head(query, name) for name in COLUMN_SORTS},
        "metric_head": _head(query, query.metric.name),
        "metric_heads": [_head(query, measure.name) for measure in query.more_metrics],
        "columns": [(name, word, name in query.columns) for name, word in COLUMNS.items()],
        "metric_columns": _metric_columns(query, shown.available),
        "axis_metrics": _axis_metrics(query, shown.available),
        "views": _views(query, views),
        "lead_width": 1 + (query.group != "model") + (query.group != "client"),
        "grid_columns": _grid_columns(query),
        "number_width": _number_width(query),
    }  # fmt: skip


def _metric(query: Query, name: str) -> Choice:
    return Choice(SHORT_WORDS.get(name, metric_word(name)), query.url(metric=name), name == query.metric.name)


def _choices(query: Query, name: str, words: Mapping[str, str], now: str) -> list[Choice]:
    return [Choice(word, query.url(**{name: value}), value == now) for value, word in words.items()]


def _orders(query: Query) -> list[Choice]:
    """The usual order, the metric both ways, and the columns that people sort by."""
    usual = "Newest first" if query.group is None else "Newest group first, best in it first"
    metric = query.metric.name
    keys = [
        (f"{sign}{key}", _words(query, Order(key, bool(sign)))) for key in (metric, *SORT_WORDS) for sign in ("", "-")
    ]
    now = None if query.order is None else f"{'-' if query.order.reverse else ''}{query.order.key}"
    return [Choice(usual, query.url(sort=None), now is None)] + [
        Choice(word, query.url(sort=key), key == now) for key, word in keys
    ]


def _order_word(query: Query) -> str:
    return "Newest first" if query.order is None else _words(query, query.order)


def _words(query: Query, order: Order) -> str:
    if order.key in MEASURES:
        better = "Worst" if order.reverse else "Best"
        return f"{better} {metric_word(order.key)} first"
    words = SORT_WORDS.get(order.key)
    name = GROUP_WORDS.get(order.key) or COLUMNS.get(order.key, order.key)
    return words[order.reverse] if words else f"{name}{', reversed' if order.reverse else ''}"


def _head(query: Query, key: str) -> Column:
    """Sorts by this column; by it already, the other way round."""
    is_now = query.order is not None and query.order.key == key
    reverse = is_now and query.order is not None and not query.order.reverse
    arrow = "" if not is_now else "↑" if query.order is not None and query.order.reverse else "↓"
    measure = MEASURES.get(key)
    word = (
        f"{metric_word(key)}, {measure.unit}" if measure else COLUMNS.get(key) or GROUP_WORDS.get(key, key.capitalize())
    )
    title = _words(query, Order(key, reverse))
    return Column(key, word, query.url(sort=f"-{key}" if reverse else key), arrow, title)


def _metric_columns(query: Query, available: Iterable[str]) -> list[tuple[str, str, bool]]:
    shown = [measure.name for measure in query.more_metrics]
    names = [name for name in MEASURES if name in shown or name in set(available)]
    return [(name, metric_word(name), name in shown) for name in names if name != query.metric.name]


def _axis_metrics(query: Query, available: Iterable[str]) -> list[tuple[str, str, str]]:
    wanted = {*available, query.x.name, query.y.name}
    return [(name, metric_word(name), measure.unit) for name, measure in MEASURES.items() if name in wanted]


def _views(query: Query, views: Sequence[SavedView]) -> list[Named]:
    now = query.url().removeprefix("?")
    return [Named("Usual view", "?", not now)] + [
        Named(view.name, f"?{view.query}", bool(now) and view.query == now) for view in views
    ]


# The columns between names and bars as the group row needs them: each with the class that may hide it.
_BEFORE = ("hardware", "family", "quantization", "parameter_size", "ollama")
_NUMBERS = ("interval", "n")
_AFTER = ("session", "when")


def _grid_columns(query: Query) -> list[str]:
    """The class of every column after the names, so that what gives way gives way in group rows, too."""
    hidden = ["hide-m" for name in _BEFORE if name in query.columns]
    numbers = ["" for name in _NUMBERS if name in query.columns]
    flags = [""] if "flags" in query.columns else []
    return [*hidden, "", *numbers, *("" for _ in query.more_metrics), *flags,
            *("hide-m" for name in _AFTER if name in query.columns)]  # fmt: skip


def _number_width(query: Query) -> int:
    """How many columns a sentence takes that stands in place of a number."""
    return 1 + sum(name in query.columns for name in _NUMBERS)
