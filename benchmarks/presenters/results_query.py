"""The address of the results page, read once: which results, in which order and groups, what is shown of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl

from django.http import QueryDict

from benchmarks.documents import Session
from benchmarks.explore import COLUMN_SORTS, GROUPS, Filters, Order
from benchmarks.measures import MEASURES, Measure
from obt_site.asked import Asked

MOST_NUMBER = 2**53
MOST_PAGE = 100_000
SIZES = (50, 200, 1000, 2000)
SEVERAL = ("model", "family", "quantization", "ollama", "suite", "outcome")
OUTCOMES = ("succeeded", "failed", "timed_out", "cancelled")
LONGEST_MODEL = 4096
COLUMNS: dict[str, str] = {
    "hardware": "Hardware",
    "family": "Family",
    "quantization": "Quantisation",
    "parameter_size": "Parameters",
    "ollama": "Ollama",
    "interval": "95 % interval",
    "n": "n",
    "flags": "Flags",
    "session": "Session",
    "when": "Measured",
}
USUAL_COLUMNS = ("hardware", "interval", "n", "flags", "when")
NO_COLUMN = "none"

Chart = Literal["bars", "scatter", "off"]
CHARTS: dict[str, Chart] = {"bars": "bars", "scatter": "scatter", "off": "off"}


@dataclass(frozen=True)
class Query:
    """What the address asks for."""

    asked: Asked
    filters: Filters
    metric: Measure
    x: Measure
    y: Measure
    order: Order | None
    group: str | None
    only_latest: bool
    columns: Sequence[str]  # in the order of COLUMNS
    more_metrics: Sequence[Measure]
    chart: Chart
    scale: str | None  # "shared", "group"; None: as the values need it
    is_compact: bool
    size: int
    page: int

    @property
    def ignored(self) -> list[str]:
        return self.asked.ignored

    def url(self, **changes: str | Sequence[str] | None) -> str:
        """This view with other values, from its first page."""
        return self.asked.url(**{"page": None, "upto": None, **changes})

    def page_url(self, page: int, upto: int) -> str:
        """A later page of the same list, whatever has come in since."""
        return self.asked.url(page=str(page), upto=str(upto))

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """What a form has to send along, so that the rest of the view stays."""
        return parse_qsl(self.url(**dict.fromkeys(without)).removeprefix("?"))

    @property
    def saved(self) -> str:
        """What a saved view keeps."""
        return self.url().removeprefix("?")

    @property
    def until_day(self) -> datetime | None:
        """The last day of the view."""
        return None if self.filters.until is None else self.filters.until - timedelta(days=1)

    @property
    def hidden_but_search(self) -> list[tuple[str, str]]:
        return self.hidden("q")

    @property
    def hidden_but_dates(self) -> list[tuple[str, str]]:
        return self.hidden("since", "until")

    @property
    def hidden_but_columns(self) -> list[tuple[str, str]]:
        return self.hidden("cols")

    @property
    def hidden_but_axes(self) -> list[tuple[str, str]]:
        return self.hidden("x", "y")

    @property
    def with_simulated(self) -> str:
        return self.url(simulated="any")

    @property
    def with_excluded(self) -> str:
        return self.url(excluded="with")

    @property
    def only_excluded(self) -> str:
        return self.url(excluded="only")

    @property
    def without_excluded(self) -> str:
        return self.url(excluded=None)

    @property
    def only_simulated(self) -> str:
        return self.url(simulated="true")

    @property
    def without_simulated(self) -> str:
        return self.url(simulated="false")

    @property
    def swapped(self) -> str:
        """The scatter with its axes the other way round."""
        return self.url(x=self.y.name, y=self.x.name)


def read_query(params: QueryDict, size: int = SIZES[0]) -> Query:
    """Read a query string; `size` is how many rows a page has where it does not say."""
    asked = Asked(params)
    filters = _filters(asked)
    names = {name: name for name in MEASURES}
    metric = asked.choice("metric", names, "decode_rate")
    columns = asked.choices("cols", (*COLUMNS, *MEASURES, NO_COLUMN))
    shown = columns or list(USUAL_COLUMNS)
    sizes = {str(each): each for each in SIZES}
    chart = asked.choice("chart", CHARTS, "bars")
    x, y = asked.choice("x", names, "decode_rate"), asked.choice("y", names, "energy_per_output_token")
    if chart == "scatter":
        shown = [*shown, x, y]
    return Query(
        asked=asked,
        filters=filters,
        metric=MEASURES[metric],
        x=MEASURES[x],
        y=MEASURES[y],
        order=_order(asked),
        group=asked.choice("group", {**{each: each for each in GROUPS}, "none": None}, "model"),
        only_latest=asked.choice("runs", {"latest": True, "all": False}, not filters.is_pointed),
        columns=[name for name in COLUMNS if name in shown],
        more_metrics=[MEASURES[name] for name in MEASURES if name in shown and name != metric],
        chart=chart,
        scale=asked.choice("scale", {"shared": "shared", "group": "group"}, None),
        is_compact=asked.choice("density", {"compact": True, "comfortable": False}, False),
        size=asked.choice("show", sizes, size),
        page=asked.number("page", 1, MOST_PAGE) or 1,
    )


def _filters(asked: Asked) -> Filters:
    chosen = {name: frozenset(asked.texts(name, LONGEST_MODEL if name == "model" else 200)) for name in SEVERAL}
    outcomes = asked.choices("outcome", (*OUTCOMES, "any"))
    chosen["outcome"] = frozenset(outcomes) - {"any"} if "any" not in outcomes else frozenset()
    chosen["client"] = frozenset(asked.object_ids("client"))
    session = asked.object_id("session")
    chosen["session"] = frozenset([session] if session else [])
    valid = asked.choice("valid", {"true": "true", "false": "false"}, None)
    chosen["valid"] = frozenset([valid] if valid else [])
    until = asked.day("until")
    return Filters(
        chosen={name: values for name, values in chosen.items() if values},
        cell=asked.text("cell"),
        simulated=asked.choice("simulated", {"any": "any", "true": "true", "false": "false"}, None),
        excluded=asked.choice("excluded", {"with": "with", "only": "only"}, None),
        any_outcome="any" in outcomes,
        search=asked.text("q"),
        since=asked.day("since"),
        until=None if until is None else until + timedelta(days=1),
        results=frozenset(asked.texts("result")),
        upto=asked.number("upto", 0, MOST_NUMBER),
    )


def _order(asked: Asked) -> Order | None:
    keys = (*MEASURES, *COLUMN_SORTS)
    known = {**{key: Order(key) for key in keys}, **{f"-{key}": Order(key, True) for key in keys}}
    if asked.text("sort") in known or asked.text("sort") is None:
        return known.get(asked.text("sort") or "")
    asked.drop("sort", "is no column to sort by")
    return None


def session_name(session_id: str, number: int | None) -> str:
    """`#12`; asks the database only for a session whose results are not at hand."""
    if number is None:
        session = Session.objects(id=session_id).only("number").first()
        number = session.number if session else None
    return "removed session" if number is None else f"#{number}"


def of_match(params: QueryDict) -> QueryDict | None:
    """The view that a form names as `match`, when everything in it was chosen; None when single rows were."""
    named = params.get("match")
    return QueryDict(named.removeprefix("?")) if named is not None else None
