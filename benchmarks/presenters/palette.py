"""What the palette finds: pages, actions, machines, models and sessions whose name holds every word that was typed.

A few small questions to the database, however many there are: machines in one, models only of machines whose list
changed since this process last looked, and sessions from a window of the newest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from bson import ObjectId
from django.urls import reverse

from agents.documents import Client, ModelInstallation
from benchmarks import numbers
from benchmarks.documents import Session
from obt_site import places
from obt_site.access import Role

MOST_OF_A_KIND = 7
NEWEST_SESSIONS = 300  # that are searched by name; any older one is found by its number
NUMBER_DIGITS = 12
T = TypeVar("T")
Found = dict[str, Any]
Version = tuple[str | None, int | None]
_models: dict[ObjectId, tuple[Version, tuple[str, ...]]] = {}


@dataclass(frozen=True)
class Entry:
    """One line: where it leads, and in dimmer ink what it is."""

    word: str
    url: str
    icon: str
    note: str = ""
    key: str = ""


@dataclass(frozen=True)
class Group:
    word: str
    entries: Sequence[Entry]
    more: int = 0


def find(text: str, role: Role) -> list[Group]:
    """Groups with at least one entry, the likeliest entries first."""
    words = text.casefold().split()
    machines = list(Client.objects.only("name", "hostname", "labels", "state", "models_hash", "models_count"))
    groups = [
        _group("Pages", _places((*places.BAR, *places.MORE), role, words)),
        _group("Actions", _places(places.ACTIONS, role, words)),
        _group("Sessions", [_session(one) for one in _sessions(words)]),
    ]
    if words:
        named = _matching(machines, lambda one: f"{one.name} {one.hostname or ''} {' '.join(one.labels)}", words)
        models = _matching(_model_names(machines), str, words)
        groups[2:2] = [_group("Machines", [_machine(one) for one in named]), _group("Models", map(_model, models))]
    return [group for group in groups if group.entries]


def _group(word: str, entries: Iterable[Entry]) -> Group:
    listed = list(entries)
    room = len(listed) if word == "Pages" else MOST_OF_A_KIND
    return Group(word, listed[:room], max(len(listed) - room, 0))


def _matching(things: Iterable[T], text: Callable[[T], str], words: Sequence[str]) -> list[T]:
    """Those whose text holds every word; first those that begin with the first one."""
    held = [(text(thing).casefold(), thing) for thing in things]
    kept = [(whole, thing) for whole, thing in held if all(word in whole for word in words)]
    kept.sort(key=lambda pair: (bool(words) and not pair[0].startswith(words[0]), pair[0]))
    return [thing for _, thing in kept]


def _places(which: tuple[places.Place, ...], role: Role, words: Sequence[str]) -> list[Entry]:
    """In their own order."""
    kept = [
        place
        for place in places.open_to(which, role)
        if all(word in f"{place.word} {place.also}".casefold() for word in words)
    ]
    return [Entry(place.word, place.url, place.icon, key=place.key) for place in kept]


def _machine(client: Client) -> Entry:
    return Entry(client.name, reverse("machine", args=[client.id]), "fleet", ", ".join(client.labels))


def _model(name: str) -> Entry:
    return Entry(name, f"{reverse('models')}?{urlencode({'q': name})}", "models")


def _session(found: Found) -> Entry:
    state = "paused" if found.get("paused") else str(found.get("state", "")).replace("_", " ")
    return Entry(f"#{found['number']} {found['name']}", reverse("session", args=[found["_id"]]), "sessions", state)


def _model_names(clients: Sequence[Client]) -> list[str]:
    """Every model that a machine has, once."""
    known: dict[ObjectId, Version] = {client.id: (client.models_hash, client.models_count) for client in clients}
    stale = [one for one, version in known.items() if one not in _models or _models[one][0] != version]
    if stale:
        found: dict[ObjectId, list[str]] = {one: [] for one in stale}
        for model in ModelInstallation._get_collection().find({"client": {"$in": stale}}, {"client": 1, "name": 1}):
            found[model["client"]].append(model["name"])
        _models.update({one: (known[one], tuple(names)) for one, names in found.items()})
    for gone in set(_models) - set(known):
        _models.pop(gone, None)
    return sorted({name for one in known for name in _models[one][1]})


def _sessions(words: Sequence[str]) -> list[Found]:
    """The newest whose name or number match; a number that was typed alone finds its session however old it is."""
    asked = words[0].removeprefix("#") if len(words) == 1 else ""
    top = numbers.latest("sessions")
    wanted: Found = {"number": {"$gt": top - NEWEST_SESSIONS}}
    if asked.isascii() and asked.isdecimal() and len(asked) <= NUMBER_DIGITS and int(asked) <= top - NEWEST_SESSIONS:
        wanted = {"number": int(asked)}
    fields = {"number": 1, "name": 1, "state": 1, "paused": 1}
    newest = sorted(Session._get_collection().find(wanted, fields), key=lambda one: -one["number"])
    return [one for one in newest if all(word in f"#{one['number']} {one['name']}".casefold() for word in words)]
