"""What the address of the fleet page asks for: which machines, in which order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from benchmarks.presenters.machines import MachineRow
from obt_site.asked import Asked

# name in the address → word, and which looks of a machine it shows (none: all)
SHOWS: Mapping[str, tuple[str, frozenset[str]]] = {
    "all": ("All", frozenset()),
    "online": ("Online", frozenset({"idle", "benchmarking", "paused", "degraded", "late"})),
    "working": ("Benchmarking", frozenset({"benchmarking"})),
    "idle": ("Idle", frozenset({"idle"})),
    "paused": ("Paused", frozenset({"paused"})),
    "look": ("Needs a look", frozenset({"degraded", "late"})),
    "offline": ("Offline", frozenset({"offline"})),
}
ALWAYS_OFFERED = ("all", "online", "offline")  # the others only where a machine is like that
STATES = ("benchmarking", "idle", "paused", "degraded", "late", "offline")
LAST = float("inf")


def _rate(each: MachineRow) -> float:
    rate = each.reference.value if each.reference else None
    return LAST if rate is None else -rate


def _free_disk(each: MachineRow) -> float:
    free = each.reading.disk_free_bytes
    return LAST if free is None or not each.is_there else free


def _seen(each: MachineRow) -> float:
    return LAST if each.last_seen_at is None else -each.last_seen_at.timestamp()


# name in the address → word, and what it sorts by; equal ones stay by name
SORTS: Mapping[str, tuple[str, Callable[[MachineRow], str | float]]] = {
    "name": ("Name", lambda each: each.name.casefold()),
    "state": ("State", lambda each: STATES.index(each.state)),
    "rate": ("Fastest first", _rate),
    "hardware": ("Hardware", lambda each: (each.hardware or "~").casefold()),
    "disk": ("Least free disk first", _free_disk),
    "seen": ("Recently seen first", _seen),
}


@dataclass(frozen=True)
class FleetQuery:
    """`label`, `system` and `gpu` are names as the page offers them; None lets everything through."""

    asked: Asked
    show: str = "all"
    label: str | None = None
    system: str | None = None
    gpu: str | None = None
    search: str | None = None
    sort: str = "name"

    @property
    def ignored(self) -> list[str]:
        return self.asked.ignored

    @property
    def is_narrowed(self) -> bool:
        """By more than the state."""
        return bool(self.label or self.system or self.gpu or self.search)

    @property
    def text(self) -> str:
        """What was understood of the address, for the live one."""
        return self.asked.url()

    def lets_through(self, each: MachineRow) -> bool:
        states = SHOWS[self.show][1]
        parts = (each.name, each.os, each.hardware, each.ollama_version, *each.labels)
        words = " ".join(part for part in parts if part).casefold()
        return (
            (not states or each.state in states)
            and (self.label is None or self.label in each.labels)
            and (self.system is None or self.system == each.system)
            and (self.gpu is None or self.gpu == each.gpu)
            and (self.search is None or all(word in words for word in self.search.casefold().split()))
        )

    def known(self, labels: Sequence[str], systems: Sequence[str], gpus: Sequence[str]) -> "FleetQuery":
        """Without the values that no machine has; they are among what is ignored then."""
        found = self
        if self.label is not None and self.label not in labels:
            self.asked.drop("label", "is on no machine")
            found = replace(found, label=None)
        if self.system is not None and self.system not in systems:
            self.asked.drop("os", "runs on no machine")
            found = replace(found, system=None)
        if self.gpu is not None and self.gpu not in gpus:
            self.asked.drop("gpu", "is in no machine")
            found = replace(found, gpu=None)
        return found

    def arranged(self, rows: Sequence[MachineRow], in_sight: Sequence[str]) -> list[MachineRow]:
        """The rows to show: those `in_sight` (ids) where they are, others that match in the order asked for."""
        by_id = {each.id: each for each in rows}
        kept = [by_id.pop(each) for each in in_sight if each in by_id]
        key = SORTS[self.sort][1]
        return kept + sorted((each for each in by_id.values() if self.lets_through(each)), key=key)  # type: ignore[arg-type,return-value]


def read_query(query: QueryDict) -> FleetQuery:
    """The address of the fleet page, read."""
    asked = Asked(query)
    return FleetQuery(
        asked=asked,
        show=asked.choice("show", {name: name for name in SHOWS}, "all"),
        label=asked.text("label"),
        system=asked.text("os"),
        gpu=asked.text("gpu"),
        search=asked.text("q"),
        sort=asked.choice("sort", {name: name for name in SORTS}, "name"),
    )
