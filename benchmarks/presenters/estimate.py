"""How long a selection of models on machines will take: what the bar under the matrix says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bson import ObjectId

from benchmarks import installed, suites
from benchmarks.presenters import plan_times, stored
from benchmarks.presenters.plan_times import Times
from benchmarks.presenters.stored import Stored
from obt_site.clock import now

MACHINES_SHOWN = 4


@dataclass(frozen=True)
class Lane:
    """One machine's part."""

    name: str
    times: Times


@dataclass(frozen=True)
class Estimate:
    """`strays`: how many of what was ticked is no longer installed."""

    lanes: Sequence[Lane]
    models: int
    strays: int = 0

    @property
    def shown(self) -> Sequence[Lane]:
        """The machines that take longest."""
        return self.lanes[:MACHINES_SHOWN]

    @property
    def others(self) -> int:
        return len(self.lanes) - len(self.shown)

    @property
    def jobs(self) -> int:
        return sum(lane.times.jobs for lane in self.lanes)

    @property
    def longest_s(self) -> float:
        return max((lane.times.likely_s for lane in self.lanes), default=0.0)

    @property
    def at_most_s(self) -> float:
        return max((lane.times.at_most_s for lane in self.lanes), default=0.0)

    @property
    def words(self) -> str:
        return plan_times.together(lane.times for lane in self.lanes)

    @property
    def ends_at(self) -> datetime | None:
        """When all would be done if it started now; None where a job's time is not known."""
        is_known = all(lane.times.known == lane.times.jobs for lane in self.lanes)
        return now() + timedelta(seconds=self.longest_s) if self.lanes and is_known else None


def estimate(picks: Sequence[str], budget: str) -> Estimate:
    """The whole standard suite on these picks, machine by machine, the longest first."""
    clients = stored.machines()
    wanted = set(picks)
    chosen: Mapping[ObjectId, list[Stored]] = {
        client: [model for model in models if f"{client}:{model['name']}" in wanted]
        for client, models in installed.of(clients).items()
    }
    budget = budget if budget in suites.BUDGETS_S else "quick"
    plan = suites.plan("standard", budget)
    times = plan_times.by_machine(clients, chosen, plan, budget)
    lanes = [Lane(client.name, times[str(client.id)]) for client in clients if str(client.id) in times]
    found = sum(len(models) for models in chosen.values())
    return Estimate(
        lanes=sorted(lanes, key=lambda lane: -lane.times.likely_s),
        models=len({model["name"] for models in chosen.values() for model in models}),
        strays=len(wanted) - found,
    )
