"""The compare page: any set of results against any other, or one against many as a heat map.

What is compared and how: `benchmarks/compare.py`, the same as the API's. The address is the API's too (`base`, `with`,
`about`, `metric`; `with` may be there several times), and shorter for picked results: `result=…&result=…&baseline=…`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks import compare, conditions, shelf
from benchmarks.api.compare import read_filter
from benchmarks.compare import Comparison
from benchmarks.listing import ResultFilters
from benchmarks.pairing import HIGHER_IS_BETTER
from benchmarks.presenters import compare_rows, compare_sides, figures
from benchmarks.presenters.compare_rows import Group, RowView
from benchmarks.presenters.compare_sides import Builder, SideView
from obt_site import charts
from obt_site.asked import Asked
from obt_site.errors import Invalid

MOST_OTHERS = 8  # columns of a heat map
GROUP_WORDS = {
    "machine": "machine",
    "model": "model",
    "ollama": "Ollama",
    "settings": "server settings",
    "options": "options",
    "context": "context length",
    "placement": "placement",
}


@dataclass(frozen=True)
class DiffView:
    """A condition in which the sides differ. `allow_url` makes it a part of the comparison that it now prevents."""

    condition: str
    a: str
    b: str
    is_digest: bool
    cells: int
    stops: bool
    allow_url: str | None


@dataclass(frozen=True)
class Choice:
    """Something that can be chosen in the form."""

    word: str
    value: str
    on: bool


@dataclass(frozen=True)
class HeatRow:
    """One cell of the base against each of the others; None where one has no such cell."""

    model: str | None
    cell: str
    metric: str
    cells: Sequence[tuple[RowView | None, str]]


@dataclass(frozen=True)
class CompareView:
    """Everything the compare page shows. `trouble`: a title and a sentence where nothing could be compared."""

    query: Asked
    builder: Builder
    sides: Sequence[SideView] = ()
    shared: str = ""
    trouble: tuple[str, str] | None = None
    nothing_at_all: bool = False
    lead: tuple[str, str] = ("", "")
    differences: Sequence[DiffView] = ()
    groups: Sequence[Group] = ()
    heat: Sequence[HeatRow] = ()
    baselines: Sequence[tuple[SideView, str]] = ()
    scale: float = 0.0
    about: Sequence[Choice] = ()
    metrics: Sequence[Choice] = ()
    swap_url: str | None = None
    api_url: str | None = None
    tests: int = 0
    by_sessions: bool = False
    by_samples: bool = False
    has_latency: bool = False

    @property
    def zone(self) -> float:
        return compare_rows.ZONE

    @property
    def title(self) -> str:
        if len(self.sides) < 2:
            return "Compare"
        others = "each of the others" if len(self.sides) > 2 else self.sides[1].words
        return f"{self.sides[0].words} against {others}"


def compare_view(query: Asked) -> CompareView:
    """What the address asks for; what it does not make sense of is in `query.ignored`."""
    base, others = compare_sides.texts(query)
    about, metric = _about(query), query.choice("metric", {name: name for name in HIGHER_IS_BETTER}, None)
    first = _filters(query, "base", base)
    following = [(text, one) for text in others if (one := _filters(query, "with", text)) is not None]
    shown = shelf.results()
    form = compare_sides.builder(first, following[0][1] if following else None, shown, [base or "", *others])
    empty = CompareView(query, form, nothing_at_all=not shown)
    if first is None and not following:
        return empty
    if first is None or not following:
        return _trouble(empty, "One side is missing", "Choose what stands on the other side, below.")
    if len(following) > MOST_OTHERS:
        query.leave_out(f"Only {MOST_OTHERS} of {len(following)} sets are compared with the first at a time.")
        following = following[:MOST_OTHERS]
    try:
        found = compare.against(first, [one for _, one in following], about, metric)
    except Invalid as error:
        return _trouble(empty, "Too much to compare at once", str(error))
    return _compared(empty, found, [base or "", *(text for text, _ in following)], about is not None)


def _about(query: Asked) -> list[str] | None:
    asked = [name for text in query.texts("about") for name in text.split(",")]
    if not asked:
        return None
    names = [name for name in asked if name in conditions.GROUPS]
    if len(names) < len(asked):
        query.drop("about", f"is not made of {', '.join(conditions.GROUPS)}")
        return None
    return names


def _filters(query: Asked, name: str, text: str | None) -> ResultFilters | None:
    """A side's filter; None when there is none, or none that makes sense."""
    if text is None:
        return None
    filters, wrong = read_filter(name, text)
    for problem in wrong[:3]:
        query.leave_out(f"“{'.'.join(map(str, problem['loc']))}” {_words(problem)}.")
    return None if wrong else filters


def _words(problem: dict[str, object]) -> str:
    return str(problem.get("msg", "makes no sense")).removeprefix("Value error, ").rstrip(".")


def _trouble(view: CompareView, title: str, sentence: str) -> CompareView:
    return CompareView(view.query, view.builder, trouble=(title, sentence), nothing_at_all=view.nothing_at_all)


def _compared(empty: CompareView, found: Sequence[Comparison], texts: Sequence[str], asked_about: bool) -> CompareView:
    query = empty.query
    both = [(found[0].base, found[0].base_has_more), *((one.other, one.other_has_more) for one in found)]
    shared, sides = compare_sides.described(
        [(text, results, more) for text, (results, more) in zip(texts, both, strict=True)]
    )
    for side in sides:
        _say_what_is_gone(query, side)
    if trouble := _why_nothing(sides):
        return _trouble(empty, *trouble)
    groups = compare_rows.groups(found[0])
    rows = [row for one in found for group in compare_rows.groups(one) for row in group.rows]
    spreads = [(row.change, row.low, row.high) for row in rows if row.is_comparable]
    points = [share for row in rows if row.is_comparable for share in (*row.about_a, *row.about_b)]
    made_of = {row.compared for one in found for row in one.rows if row.p_corrected is not None}
    groups_on = list(dict.fromkeys(name for one in found for name in one.about))
    is_pair = len(found) == 1
    return CompareView(
        query=query,
        builder=empty.builder,
        sides=sides,
        shared=shared,
        lead=compare_rows.lead(rows, "A", "B") if is_pair else ("", ""),
        differences=_differences(query, found[0], groups_on) if is_pair else (),
        groups=groups if is_pair else (),
        heat=() if is_pair else _heat(query, found, sides),
        baselines=() if is_pair else _baselines(query, sides),
        scale=charts.change_scale(spreads, points),
        about=[_about_choice(name, groups_on) for name in conditions.GROUPS],
        metrics=_metrics(query, found),
        swap_url=_pair_url(query, texts[1], texts[0]) if is_pair else None,
        api_url=f"/api/v1/compare?{urlencode(_call(query, texts[0], texts[1]))}" if is_pair else None,
        tests=sum(row.test is not None for one in found for row in one.rows),
        by_sessions=compare.BY_SESSIONS in made_of,
        by_samples=compare.BY_SAMPLES in made_of,
        has_latency=any(not row.higher_is_better for row in rows),
    )


def _why_nothing(sides: Sequence[SideView]) -> tuple[str, str] | None:
    for side in sides:
        if not side.results:
            return (
                f"Nothing on side {side.letter}",
                "No result fits what it names. It may have been removed, or it is the simulator's while there are real"
                " ones.",
            )
    ids = [{one.id for one in side.results} for side in sides]
    if len(ids) == 2 and ids[0] == ids[1]:
        return ("Both sides are the same results", "Choose another machine, model, session or version for one of them.")
    return None


def _say_what_is_gone(query: Asked, side: SideView) -> None:
    """Results that are named by their ids and are no more."""
    filters, _ = read_filter("with", side.text)
    gone = set(filters.ids or ()) - {one.id for one in side.results}
    if gone and side.results:
        query.leave_out(f"{len(gone)} of the results on side {side.letter} are not there. They may have been removed.")


# -- what differs ----------------------------------------------------------------------------------------------------


def _differences(query: Asked, found: Comparison, about: Sequence[str]) -> list[DiffView]:
    """Every condition that differs somewhere, once, what prevents a comparison first."""
    seen: dict[tuple[str, str, str, bool], int] = {}
    for row in found.rows:
        for stops, several in ((True, row.stopping), (False, row.varied)):
            for one in several:
                key = (one.name, one.base, one.other, stops)
                seen[key] = seen.get(key, 0) + 1
    ordered = sorted(seen.items(), key=lambda item: not item[0][3])
    return [_difference(query, *key, cells, about) for key, cells in ordered]


def _difference(
    query: Asked, name: str, base: str, other: str, stops: bool, cells: int, about: Sequence[str]
) -> DiffView:
    group, words = conditions.words(name)
    allow = query.url(about=",".join([*about, group])) if stops and group in conditions.GROUPS else None
    return DiffView(words, base, other, name == "digest", cells, stops, allow)


# -- one against many ------------------------------------------------------------------------------------------------


def _heat(query: Asked, found: Sequence[Comparison], sides: Sequence[SideView]) -> list[HeatRow]:
    several = len({one.model for one in sides[0].results}) > 1
    columns = [_column(one, several) for one in found]
    urls = [_pair_url(query, sides[0].text, side.text) for side in sides[1:]]
    keys = dict.fromkeys(key for column in columns for key in column)
    return [HeatRow(*key, [(column.get(key), url) for column, url in zip(columns, urls, strict=True)]) for key in keys]


def _column(found: Comparison, several: bool) -> dict[tuple[str | None, str, str], RowView]:
    """The rows by their place in the map: the model only where the base has several."""
    rows: dict[tuple[str | None, str, str], RowView] = {}
    for group in compare_rows.groups(found):
        for row in group.rows:
            rows.setdefault((group.model if several else None, row.cell, row.metric), row)
    return rows


def _baselines(query: Asked, sides: Sequence[SideView]) -> list[tuple[SideView, str]]:
    """Each side with the address that makes it the one all others are compared with."""
    texts = [side.text for side in sides]
    return [
        (
            side,
            query.url(
                base=side.text, **{"with": [one for one in texts if one != side.text]}, result=None, baseline=None
            ),
        )
        for side in sides
    ]


# -- links -----------------------------------------------------------------------------------------------------------


def _pair_url(query: Asked, base: str, other: str) -> str:
    return query.url(base=base, **{"with": other}, result=None, baseline=None)


def _call(query: Asked, base: str, other: str) -> dict[str, str]:
    """The same question to the API."""
    extra = {"about": ",".join(query.texts("about")), "metric": query.text("metric")}
    return {"base": base, "with": other, **{name: value for name, value in extra.items() if value}}


def _about_choice(name: str, on: Sequence[str]) -> Choice:
    return Choice(GROUP_WORDS[name], name, name in on)


def _metrics(query: Asked, found: Sequence[Comparison]) -> list[Choice]:
    """Each cell's headline, or one metric that both sides have somewhere."""
    having = [
        {name for one in results for cell in one.cells for name in cell.get("metrics") or {}}
        for results in (found[0].base, [one for each in found for one in each.other])
    ]
    chosen = query.text("metric")
    names = [name for name in HIGHER_IS_BETTER if name in having[0] & having[1]]
    every = [Choice("each cell's headline", "", chosen is None)]
    return every + [Choice(figures.metric_word(name), name, chosen == name) for name in names]
