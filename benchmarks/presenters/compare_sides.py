"""The sides of a comparison: how they stand in the address, what each is in words, and the form that chooses them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from benchmarks.documents import Result
from benchmarks.explore import Filters
from benchmarks.listing import ResultFilters
from benchmarks.presenters.machines import plural
from benchmarks.shelf import Short
from obt_site.asked import Asked

LETTERS = "ABCDEFGHIJ"
LONGEST_FILTER = 2000  # characters, as the API allows
LONGEST_MODEL = 300
MOST_SESSIONS = 60  # that can be chosen from
CHOICES = ("client", "model", "session", "ollama_version")  # of the form, as the API calls them

Facet = tuple[str, Callable[[Result], str | None], str]
FACETS: tuple[Facet, ...] = (
    ("machine", lambda one: one.client_name or "unnamed", "machines"),
    ("model", lambda one: one.model, "models"),
    ("quantization", lambda one: one.quantization, "quantisations"),
    ("ollama", lambda one: f"Ollama {one.ollama_version}" if one.ollama_version else None, "versions of Ollama"),
    ("session", lambda one: f"session #{one.session_number}" if one.session_number else None, "sessions"),
)
ONLY_IF_NEEDED = "session"  # it tells two sides apart where nothing else does


@dataclass(frozen=True)
class SideView:
    """One side. `words`: what tells it from the others; `facts`: what it holds; `text`: its filter."""

    letter: str
    words: str
    facts: str
    text: str
    results: Sequence[Result]
    has_more: bool

    @property
    def from_to(self) -> tuple[datetime, datetime] | None:
        times = [one.created_at for one in self.results]
        return (min(times), max(times)) if times else None

    @property
    def simulated(self) -> bool:
        return any(one.simulated for one in self.results)

    @property
    def url(self) -> str:
        """Its one result, or the list of them."""
        if len(self.results) == 1:
            return f"/results/{self.results[0].id}"
        known = [(name, value) for name, value in parse_qsl(self.text) if name != "result"]
        return f"/results?{urlencode(known)}" if known else ""


@dataclass(frozen=True)
class SideChoice:
    """One side of the form, filled with what its filter says. `rest`: what the form has no field for."""

    letter: str
    chosen: Mapping[str, str]
    rest: str

    @property
    def rest_words(self) -> str:
        """`the results that were picked`, or the names of the other filters."""
        names = [name for name, _ in parse_qsl(self.rest)]
        return "the results that were picked" if names == ["result"] else f"with the same {', '.join(names)}"


@dataclass(frozen=True)
class Builder:
    """What sides can be chosen from."""

    sides: Sequence[SideChoice]
    machines: Sequence[tuple[str, str]]
    models: Sequence[str]
    sessions: Sequence[tuple[str, str]]
    versions: Sequence[str]


def texts(asked: Asked) -> tuple[str | None, list[str]]:
    """The base's filter and those compared with it, from `result=` and `baseline=` or from `base=` and `with=`."""
    picked, baseline = asked.texts("result"), asked.text("baseline")
    base, others = asked.text("base", LONGEST_FILTER), asked.texts("with", LONGEST_FILTER)
    if base is not None or others or not (picked or baseline):
        return base, others
    first = baseline or picked[0]
    return of_result(first), [of_result(each) for each in picked if each != first]


def of_result(*ids: str) -> str:
    """The filter that names these results."""
    return urlencode({"result": ",".join(ids)})


def chosen_in_form(asked: Asked) -> dict[str, str] | None:
    """The two filters that the form was sent with, as `base` and `with`; None when it was not."""
    sent = {
        letter: {name: asked.text(f"{letter}_{name}", LONGEST_MODEL) for name in CHOICES}
        | dict(parse_qsl(asked.text(f"{letter}_rest", LONGEST_FILTER) or ""))
        for letter in ("a", "b")
    }
    filters = {letter: urlencode({k: v for k, v in fields.items() if v}) for letter, fields in sent.items()}
    if not any(filters.values()):
        return None
    return {name: filters[letter] for letter, name in (("a", "base"), ("b", "with")) if filters[letter]}


def described(sides: Sequence[tuple[str, Sequence[Result], bool]]) -> tuple[str, list[SideView]]:
    """What all sides share, in words, and each side with what it does not."""
    held = [{name: _held(results, read, many) for name, read, many in FACETS} for _, results, _ in sides]
    same = [name for name, _, _ in FACETS if len({facts[name] for facts in held}) == 1]
    apart = [name for name, _, _ in FACETS if name not in same and name != ONLY_IF_NEEDED] or [ONLY_IF_NEEDED]
    shared = [held[0][name] for name in same if name != ONLY_IF_NEEDED] if held else []
    views = []
    for place, ((text, results, has_more), facts) in enumerate(zip(sides, held, strict=True)):
        words = ", ".join(filter(None, (facts[name] for name in apart)))
        counted = plural(len(results), "result")
        more = [
            facts[name] for name, _, _ in FACETS if name not in apart and (name not in same or name == ONLY_IF_NEEDED)
        ]
        views.append(
            SideView(
                letter=LETTERS[place % len(LETTERS)],
                words=words or (counted if results else "nothing"),
                facts=" · ".join(filter(None, (*more, counted if len(results) != 1 else ""))),
                text=text,
                results=results,
                has_more=has_more,
            )
        )
    return " · ".join(filter(None, shared)), views


def _held(results: Sequence[Result], read: Callable[[Result], str | None], many: str) -> str:
    values = list(dict.fromkeys(value for one in results if (value := read(one))))
    return values[0] if len(values) == 1 else f"{len(values)} {many}" if values else ""


def builder(
    base: ResultFilters | None, other: ResultFilters | None, shown: Sequence[Short], raw: Sequence[str]
) -> Builder:
    """The form, filled with these filters (`raw`: as they were written) and everything that was ever measured."""
    machines: dict[str, str] = {}
    for one in shown:
        machines.setdefault(one.client, one.client_name)
    sides = [
        SideChoice(letter, _chosen(filters), _rest(text))
        for letter, filters, text in zip("ab", (base, other), (*raw, "", "")[:2], strict=True)
    ]
    return Builder(
        sides=sides,
        machines=_with_chosen(sorted(machines.items(), key=lambda item: item[1].casefold()), sides, "client"),
        models=sorted({one.model for one in shown}, key=str.casefold),
        sessions=_with_chosen(_sessions(shown), sides, "session"),
        versions=sorted({one.ollama_version for one in shown if one.ollama_version}, reverse=True),
    )


def _chosen(filters: ResultFilters | None) -> dict[str, str]:
    return {} if filters is None else {name: value for name in CHOICES if (value := getattr(filters, name))}


def _rest(text: str) -> str:
    return urlencode([(name, value) for name, value in parse_qsl(text) if name not in CHOICES])


def _sessions(shown: Iterable[Short]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for one in shown:
        if one.session not in found:
            found[one.session] = f"#{one.session_number or '?'}, {one.created_at:%-d %b %Y}"
        if len(found) > MOST_SESSIONS:
            break
    return list(found.items())[:MOST_SESSIONS]


def _with_chosen(options: Sequence[tuple[str, str]], sides: Sequence[SideChoice], name: str) -> list[tuple[str, str]]:
    """The options and what is chosen now, even where it is not among them any more."""
    known = {value for value, _ in options}
    gone = {side.chosen[name] for side in sides if name in side.chosen} - known
    return [*options, *((value, f"{value[:8]}… (older or removed)") for value in sorted(gone))]


# -- everything that a view of the results shows ---------------------------------------------------------------------

AS_THE_API_SAYS = {"ollama": "ollama_version"}  # filters that the two call differently


def of_view(filters: Filters, hides_simulated: bool, rows: Sequence[Short], each: int) -> tuple[dict[str, Any], int]:
    """The address that compares all of a view, and how many of its results are in it.

    Up to `each` results stand for themselves, the first as the baseline. More are one side, by the filters that show
    them; filters that a side cannot say (a search, several values of one kind) by the newest that an address holds.
    """
    if len(rows) <= each:
        return {"result": [one.id for one in rows]}, len(rows)
    text = _as_filter(filters, hides_simulated)
    if text is not None:
        return {"base": text}, len(rows)
    newest = [one.id for one in sorted(rows, key=lambda one: -one.number)]
    while len(of_result(*newest)) > LONGEST_FILTER:
        newest.pop()
    return {"base": of_result(*newest)}, len(newest)


def _as_filter(filters: Filters, hides_simulated: bool) -> str | None:
    """The filters of a view as those of a side; None where a side cannot say them."""
    if filters.search or filters.results or any(len(values) > 1 for values in filters.chosen.values()):
        return None
    said = {AS_THE_API_SAYS.get(name, name): next(iter(values)) for name, values in filters.chosen.items()}
    times = {"since": filters.since, "until": filters.until}
    said |= {name: at.isoformat() for name, at in times.items() if at is not None}
    said |= {name: value for name, value in (("cell", filters.cell), ("simulated", filters.simulated)) if value}
    if filters.any_outcome:
        said["outcome"] = "any"
    return urlencode(said or {"simulated": "false" if hides_simulated else "any"})
