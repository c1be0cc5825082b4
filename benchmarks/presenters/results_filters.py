"""The filters of the results page: what is chosen, what can be chosen with how many results, what to drop."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import explore
from benchmarks.explore import Found
from benchmarks.presenters.results_query import Query, session_name
from benchmarks.shelf import Short

MOST_OPTIONS = 30
MOST_SESSIONS = 12
WORDS = {
    "result": "Chosen",
    "q": "Name has",
    "model": "Model",
    "client": "Machine",
    "family": "Family",
    "quantization": "Quantisation",
    "cell": "Cell",
    "ollama": "Ollama",
    "suite": "Suite",
    "session": "Session",
    "outcome": "Outcome",
    "valid": "Valid",
    "simulated": "Simulated",
    "excluded": "Excluded",
    "since": "Since",
    "until": "Until",
}
MENUS = ("model", "client", "family", "quantization", "cell", "ollama", "suite", "session", "outcome", "valid")
SEVERAL = frozenset({"model", "client", "family", "quantization", "ollama", "suite", "outcome", "result"})
VALUE_WORDS = {
    "valid": {"true": "valid only", "false": "not valid only"},
    "simulated": {"any": "included", "true": "only", "false": "left out"},
    "excluded": {"with": "included", "only": "only"},
    "outcome": {"timed_out": "timed out", "any": "any, also without a number"},
}


@dataclass(frozen=True)
class Chip:
    """An active filter: what, which value, and the address without it."""

    word: str
    value: str
    without: str


@dataclass(frozen=True)
class Option:
    """A value in a menu: how many rows it gives under the other filters, and the address that chooses or drops it."""

    label: str
    count: int
    url: str
    is_on: bool


@dataclass(frozen=True)
class Menu:
    """What can be chosen for one filter, most results first. `left` values are not listed."""

    name: str
    word: str
    options: Sequence[Option]
    left: int


@dataclass(frozen=True)
class Dropped:
    """What the view would show without one of its filters."""

    words: str
    count: int
    url: str


@dataclass(frozen=True)
class Names:
    """What ids are called: machines by id, session numbers by id."""

    machines: Mapping[str, str]
    sessions: Mapping[str, int | None]

    def of(self, name: str, value: str) -> str:
        if name == "client":
            return self.machines.get(value, "removed machine")
        if name == "session":
            return session_name(value, self.sessions.get(value))
        return VALUE_WORDS.get(name, {}).get(value, value)


def names_of(shorts: Iterable[Short], machines: Mapping[str, str]) -> Names:
    """Of every machine that has results or is there now, and of every session that has results."""
    called: dict[str, str] = {}
    sessions: dict[str, int | None] = {}
    for one in shorts:  # newest first: the first name is the last it had
        if one.client not in called:
            called[one.client] = one.client_name
        sessions.setdefault(one.session, one.session_number)
    removed = {client: f"{name} (removed machine)" for client, name in called.items() if client not in machines}
    return Names({**removed, **machines}, sessions)


def chips(query: Query, names: Names) -> list[Chip]:
    """One per chosen value, in the order of WORDS."""
    found: list[Chip] = []
    for name, word in WORDS.items():
        values = _values(query, name)
        if name == "result" and len(values) > 1:
            found.append(Chip(word, f"{len(values)} results", query.url(result=None)))
        else:
            found += [Chip(word, names.of(name, value), _without(query, name, value)) for value in values]
    return found


def _values(query: Query, name: str) -> list[str]:
    """The values of a filter as they stand in the address."""
    return [value for key, value in query.hidden() if key == name]


def _without(query: Query, name: str, value: str) -> str:
    left = [each for each in _values(query, name) if each != value]
    return query.url(**{name: left or None})


def _with(query: Query, name: str, value: str) -> str:
    return query.url(**{name: [*_values(query, name), value] if name in SEVERAL else value})


def menus(query: Query, found: Found, names: Names) -> list[Menu]:
    """Of every filter with something to choose between."""
    at = explore.places(found.fitting, query.only_latest)
    shown = [_menu(query, names, name, _counts(query, found, name, at)) for name in MENUS]
    return [menu for menu in shown if len(menu.options) > 1 or any(option.is_on for option in menu.options)]


def _menu(query: Query, names: Names, name: str, counted: Counter[str]) -> Menu:
    chosen = _values(query, name)
    if name == "session":
        values = sorted(counted, key=lambda value: -(names.sessions.get(value) or 0))
    elif name == "ollama":
        values = sorted(counted, key=lambda value: explore.version_key(value) or ())
    else:
        values = sorted(counted, key=lambda value: (-counted[value], names.of(name, value).casefold()))
    most = MOST_SESSIONS if name == "session" else MOST_OPTIONS
    listed = [*chosen, *(value for value in values if value not in chosen)][: max(most, len(chosen))]
    options = [_option(query, names, name, value, counted[value], value in chosen) for value in listed]
    return Menu(name, WORDS[name], options, len(values) - sum(value in counted for value in listed))


def _option(query: Query, names: Names, name: str, value: str, count: int, is_on: bool) -> Option:
    url = _without(query, name, value) if is_on else _with(query, name, value)
    return Option(names.of(name, value), count, url, is_on)


def _counts(query: Query, found: Found, name: str, at: Sequence[int]) -> Counter[str]:
    under = found.under_others(name)
    if name == "outcome":  # those that measured nothing are kept out by habit only, so they count here
        under = [*under, *found.kept_out.get("measured", ())]
    if under is not found.fitting:
        at = explore.places(under, query.only_latest)
    return explore.cell_counts(under, at) if name == "cell" else explore.counts(under, name, at)


def what_to_drop(query: Query, found: Found, names: Names) -> list[Dropped]:
    """Where nothing fits: each filter whose absence would show something, the one that shows most first."""
    dropped = [
        Dropped(_words(query, names, name), explore.rows(kept, query.only_latest), _lifted(query, name))
        for name, kept in found.kept_out.items()
        if kept
    ]
    return sorted(dropped, key=lambda each: -each.count)


def _words(query: Query, names: Names, name: str) -> str:
    if name == "measured":
        return "with those that measured nothing"
    if name == "simulated" and not query.filters.simulated:
        return "with the simulator's"
    if name == "excluded" and not query.filters.excluded:
        return "with those that are excluded"
    if name == "upto":
        return "with newer ones"
    values = _values(query, name)
    value = names.of(name, values[0]) if len(values) == 1 else f"{len(values)} values"
    return f"without {WORDS[name].lower()} {value}"


def _lifted(query: Query, name: str) -> str:
    if name == "measured":
        return query.url(outcome="any")
    if name == "excluded":
        return query.url(excluded=None if query.filters.excluded else "with")
    return query.url(simulated="any") if name == "simulated" else query.url(**{name: None})
