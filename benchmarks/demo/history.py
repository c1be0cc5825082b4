"""Half a year of sessions: who measured what on which machines, and how each job ended."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.demo.machines import Machine
from benchmarks.demo.models import Model

DAYS = 183.0
WATCHED_MACHINES = ("forge", "atlas", "ember", "studio")
WATCHED_MODELS = 6
WATCHED_EVERY_DAYS = 7.0
WATCH_CELLS = ("load", "pp512", "tg128", "chat512/128", "embed256x1")
QUICK_CELLS = ("load", "pp512", "tg128", "chat512/128", "embed256x1", "embed256x32")
STANDARD_CELLS = (
    "load", "pp128", "pp512", "pp2048", "tg128", "chat512/128", "tg128@2048", "c1", "c4", "embed256x1", "embed256x32",
)  # fmt: skip
BUDGETS: tuple[tuple[str, Sequence[str] | None, float], ...] = (
    ("quick", QUICK_CELLS, 0.66),
    ("standard", STANDARD_CELLS, 0.26),
    ("full", None, 0.08),
)
MOST_MODELS, MOST_MACHINES = 9, 3
PEOPLE = ("jo", "sam", "alex", "kim")
ENDS = (
    ("succeeded", 0.963), ("failed", 0.013), ("broken", 0.006), ("timed_out", 0.003), ("cancelled", 0.005),
    ("never", 0.01),
)  # fmt: skip
NOTES = (None, None, None, "before the driver update", "after the move to the new switch", "quiet night run")
WITHOUT_RESULT = ("never", "waits")
PAUSED_MACHINES, PAUSED_DONE, PAUSED_WAIT = 2, 2, 3  # jobs on each of its machines that ended, and that wait
LEAST_FOR_PAUSED = 30  # results; a smaller demo has no room for it
Has = Mapping[str, Sequence[tuple[Model, bool]]]


@dataclass(frozen=True)
class PlannedJob:
    """`ends`: succeeded, failed, broken, timed_out, cancelled with a result; never: cancelled unbegun; or waits."""

    machine: Machine
    model: Model
    newest: bool
    ends: str


@dataclass(frozen=True)
class PlannedSession:
    """`share`: when it was asked for, of the demo's time. `cells` None: the whole suite. `paused_by`: who paused it."""

    share: float
    name: str | None
    note: str | None
    budget: str
    cells: Sequence[str] | None
    by: str
    jobs: Sequence[PlannedJob]
    watch: bool = False
    paused_by: str | None = None

    @property
    def results(self) -> int:
        """How many results it ends with."""
        return sum(job.ends not in WITHOUT_RESULT for job in self.jobs)


def sessions(fleet: Sequence[Machine], has: Has, wanted: int, chance: random.Random) -> Iterator[PlannedSession]:
    """Sessions in order of time that end with `wanted` results in all, the last one cut to fit."""
    weeks = int(DAYS / WATCHED_EVERY_DAYS)
    watched = [_watch(fleet, has, (week + 0.5) / weeks) for week in range(weeks)]
    watched = [one for one in watched if one.jobs][: max(1, wanted // 100)]
    left = wanted - sum(one.results for one in watched)
    if left < 0:
        watched, left = [], wanted
    others: list[PlannedSession] = []
    while left > 0:
        made = _other(fleet, has, chance, left)
        others.append(made)
        left -= made.results
    shares = sorted(chance.random() ** 0.8 for _ in others)
    placed = [_at(one, share) for one, share in zip(others, shares, strict=True)]
    yield from sorted([*watched, *placed], key=lambda one: one.share)


def paused(fleet: Sequence[Machine], has: Has, wanted: int) -> list[PlannedSession]:
    """One that somebody holds back half way: what runs would need somebody to run it."""
    jobs_of = PAUSED_DONE + PAUSED_WAIT
    able = [one for one in fleet if one.state == "online" and not one.paused and len(has.get(one.name, ())) >= jobs_of]
    if wanted < LEAST_FOR_PAUSED or not able:
        return []
    jobs = [
        PlannedJob(machine, model, newest, "succeeded" if place < PAUSED_DONE else "waits")
        for machine in able[:PAUSED_MACHINES]
        for place, (model, newest) in enumerate(has[machine.name][:jobs_of])
    ]
    name, note = "Before the driver update", "Goes on after the update"
    return [PlannedSession(1.0, name, note, "standard", STANDARD_CELLS, PEOPLE[2], jobs, paused_by=PEOPLE[2])]


def _at(one: PlannedSession, share: float) -> PlannedSession:
    return PlannedSession(share, one.name, one.note, one.budget, one.cells, one.by, one.jobs)


def _watch(fleet: Sequence[Machine], has: Has, share: float) -> PlannedSession:
    """The same few models on the same machines every week: what histories are drawn from."""
    jobs = [
        PlannedJob(machine, model, newest, "succeeded")
        for machine in fleet
        if machine.name in WATCHED_MACHINES
        for model, newest in has[machine.name][:WATCHED_MODELS]
    ]
    return PlannedSession(share, "Weekly watch", None, "quick", WATCH_CELLS, PEOPLE[0], jobs, watch=True)


def _other(fleet: Sequence[Machine], has: Has, chance: random.Random, most: int) -> PlannedSession:
    """A few models on a few machines, as somebody wanted to know that day."""
    able = [machine for machine in fleet if has[machine.name]]
    chosen = {_weighted(able, chance).name for _ in range(chance.randint(1, MOST_MACHINES))}
    names = _names(has, chosen, chance)
    jobs = [
        PlannedJob(machine, model, newest, _ends(chance))
        for machine in able
        if machine.name in chosen
        for model, newest in has[machine.name]
        if model.name in names
    ]
    budget, cells, _ = chance.choices(BUDGETS, [weight for _, _, weight in BUDGETS])[0]
    return PlannedSession(0.0, None, chance.choice(NOTES), budget, cells, chance.choice(PEOPLE), jobs[:most])


def _names(has: Has, chosen: set[str], chance: random.Random) -> set[str]:
    """Some of the models there; what was published first is asked for more often."""
    here = list(dict.fromkeys(model.name for name in sorted(chosen) for model, _ in has[name]))
    count = min(len(here), chance.randint(1, MOST_MODELS))
    return {here[int(len(here) * chance.random() ** 1.6)] for _ in range(count)}


def _weighted(fleet: Sequence[Machine], chance: random.Random) -> Machine:
    return chance.choices(fleet, [machine.busy for machine in fleet])[0]


def _ends(chance: random.Random) -> str:
    return chance.choices([word for word, _ in ENDS], [weight for _, weight in ENDS])[0]
