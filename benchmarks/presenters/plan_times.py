"""How long the planned jobs will take, by machine, as far as earlier results tell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId

from agents.documents import Client, ModelInstallation
from benchmarks import forecast, suites, targets
from benchmarks.presenters import stored
from benchmarks.presenters.machines import plural
from benchmarks.presenters.stored import Stored
from obt_site.formatting import duration

MOST_FORESEEN = 400  # jobs; of more it is only said that their time is not known

Chosen = Mapping[ObjectId, Sequence[Stored]]  # the chosen models of each machine


@dataclass(frozen=True)
class Times:
    """The jobs of one machine. `known_s`: of those that earlier results tell about; `at_most_s`: of all, by budget."""

    jobs: int
    at_most_s: float
    known: int = 0
    known_s: float = 0.0
    likely_s: float = 0.0  # known ones as expected, the others by their budget: for a picture
    grounds: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what would be refused: a model that cannot be measured so, too small a budget

    @property
    def words(self) -> str:
        """`about 8 min`, `not known yet: at most 3 min`, `about 8 min, and for 1 job not known yet: at most 11 min`"""
        if not self.known:
            return f"not known yet: at most {duration(self.at_most_s)}"
        about = about_words(self.known_s)
        if self.known == self.jobs:
            return about
        unknown = plural(self.jobs - self.known, "job")
        return f"{about}, and for {unknown} not known yet: at most {duration(self.likely_s)} in all"

    @property
    def short(self) -> str:
        """The same where there is no room: `8 min`, `≤ 3 min`."""
        return ("" if self.known == self.jobs else "≤ ") + duration(_rounded(self.likely_s))

    @property
    def ground(self) -> str:
        """Where that is from: one result by its words, several by their number."""
        return self.grounds[0] if len(self.grounds) == 1 else f"from {len(self.grounds)} results" * bool(self.grounds)


def by_machine(clients: Iterable[Client], chosen: Chosen, plan: suites.Plan | None, budget: str) -> dict[str, Times]:
    """The times of every machine that has something to do, by its id. Without a plan nothing is known."""
    busy = [client for client in clients if chosen.get(client.id)]
    pairs = [(client, model) for client in busy for model in chosen[client.id]]
    subjects = [forecast.subject(client, model["digest"]) for client, model in pairs]
    known = forecast.known(subjects, plan.options, MOST_FORESEEN) if plan else {}
    return {str(client.id): _of(client, chosen[client.id], plan, known, budget) for client in busy}


def _of(
    client: Client,
    models: Sequence[Stored],
    plan: suites.Plan | None,
    known: Mapping[forecast.Pair, forecast.Forecast],
    budget: str,
) -> Times:
    budget_s = suites.BUDGETS_S.get(budget, suites.BUDGETS_S["quick"])
    seconds: list[float] = []
    grounds: list[str] = []
    problems: list[str] = []
    for model in models:
        told = known.get((client.id, model["digest"]))
        document = stored.as_model(model)
        problems += _problems(client, document, plan, budget, known)
        cells = forecast.measurable(plan.cells, document) if plan and told else []
        found = told.job_s(cells, budget_s) if told else None
        if told is not None and found is not None:
            seconds.append(found)
            grounds.append(told.ground)
    left = len(models) - len(seconds)
    return Times(
        jobs=len(models),
        at_most_s=len(models) * budget_s,
        known=len(seconds),
        known_s=sum(seconds),
        likely_s=sum(seconds) + left * budget_s,
        grounds=tuple(dict.fromkeys(grounds)),
        problems=tuple(dict.fromkeys(problems)),
    )


def _problems(
    client: Client,
    model: ModelInstallation,
    plan: suites.Plan | None,
    budget: str,
    known: Mapping[forecast.Pair, forecast.Forecast],
) -> list[str]:
    """Why the start would refuse this model on this machine."""
    reason = suites.unsuitable(model) or (suites.useless(plan.cells, model) if plan else None)
    if reason or plan is None:
        return [reason] if reason else []
    refusal = targets.too_small(targets.Chosen("", client, model), plan, budget, known)
    return [refusal.message] if refusal else []


def together(times: Iterable[Times]) -> str:
    """The whole session in words; machines work side by side, so it takes as long as the longest of them."""
    every = list(times)
    if all(each.known == each.jobs for each in every):
        return about_words(max((each.known_s for each in every), default=0.0))
    known, jobs = sum(each.known for each in every), sum(each.jobs for each in every)
    return f"time known for {known} of {plural(jobs, 'job')} only" if known else "time not known yet"


def about_words(seconds: float) -> str:
    """`about 5 min 10 s`"""
    return f"about {duration(_rounded(seconds))}"


def _rounded(seconds: float) -> float:
    """To ten seconds from a minute on: a forecast is no finer."""
    return float(round(seconds, -1)) if seconds >= 60 else float(max(1, round(seconds)))
