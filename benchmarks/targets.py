"""What a session is asked to run on: models on machines, checked before anything is queued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId
from django.conf import settings

from agents.documents import Client, ModelInstallation
from benchmarks import expected, forecast, suites
from benchmarks.forecast import Forecast
from obt_site.ceilings import full
from obt_site.errors import FieldError, Invalid


@dataclass(frozen=True)
class Target:
    """One model on one client, by the client's id and Ollama's full model name."""

    client: str
    model: str


@dataclass(frozen=True)
class Chosen:
    """A target that can run. `field`: where it was named. `expected_s`: None when nothing is known, else its ground."""

    field: str
    client: Client
    model: ModelInstallation
    expected_s: float | None = None
    expected_from: str | None = None


def check(targets: Sequence[Target], plan: suites.Plan) -> list[Chosen]:
    """The targets, each once, in the order they were asked for; raises Invalid with an error per target."""
    most = settings.SESSION_JOBS_MAXIMUM
    if not targets or len(targets) > most:
        message = _how_many(len(targets), most)
        raise Invalid(message, [FieldError("targets", message)])
    clients = _clients(targets)
    chosen: dict[Target, Chosen] = {}
    problems: list[FieldError] = []
    for i, target in enumerate(targets):
        try:
            found = _resolve(clients.get(target.client), target, f"targets.{i}", plan)
            chosen.setdefault(target, found)
        except Invalid as error:
            problems += error.errors
    if problems:
        raise Invalid(problems[0].message if len(problems) == 1 else f"{len(problems)} targets cannot run.", problems)
    return list(chosen.values())


def _how_many(targets: int, most: int) -> str:
    if not targets:
        return "Choose at least one model on one machine."
    return full("A session has at most {} jobs; these are", most, targets, "Choose fewer", "OBT_JOBS_PER_SESSION")


def foreseen(chosen: Sequence[Chosen], plan: suites.Plan, budget: str) -> list[Chosen]:
    """The targets with the time they will take, where it is known; raises Invalid for too small a budget."""
    known = forecast.known([forecast.subject(one.client, one.model.digest) for one in chosen], plan.options)
    problems = [problem for one in chosen if (problem := too_small(one, plan, budget, known))]
    if problems:
        raise Invalid(problems[0].message if len(problems) == 1 else f"{len(problems)} targets cannot run.", problems)
    return [_with_time(one, plan, known.get((one.client.id, one.model.digest))) for one in chosen]


def too_small(
    one: Chosen, plan: suites.Plan, budget: str, known: Mapping[forecast.Pair, Forecast]
) -> FieldError | None:
    """What is wrong when the cells that must run are known, by the machine's own results, not to fit the budget."""
    told = known.get((one.client.id, one.model.digest))
    needed = expected.obligatory(forecast.measurable(plan.cells, one.model), told.speeds) if told else None
    if told is None or needed is None or not told.own or needed.seconds <= plan.budget_s:
        return None
    names = " and ".join(needed.names)
    verb, need = ("runs", "needs") if len(needed.names) == 1 else ("run", "need")
    return FieldError(
        f"{one.field}.model",
        f"{names} always {verb} and {need} about {needed.seconds:.0f} s for {one.model.name} on {one.client.name}"
        f" ({told.ground}); the {budget} budget is {plan.budget_s:.0f} s. Choose a larger one.",
    )


def _with_time(one: Chosen, plan: suites.Plan, told: Forecast | None) -> Chosen:
    seconds = told.job_s(forecast.measurable(plan.cells, one.model), plan.budget_s) if told else None
    if told is None or seconds is None:
        return one
    return Chosen(one.field, one.client, one.model, seconds, told.ground)


def _clients(targets: Sequence[Target]) -> dict[str, Client]:
    ids = {target.client for target in targets if ObjectId.is_valid(target.client)}
    return {str(client.id): client for client in Client.objects(id__in=ids)}


def _resolve(client: Client | None, target: Target, field: str, plan: suites.Plan) -> Chosen:
    if client is None:
        message = "There is no machine with this id; GET /api/v1/clients lists them."
        raise Invalid(message, [FieldError(f"{field}.client", message)])
    model = ModelInstallation.objects(client=client.id, name=target.model).first()
    if model is None:
        message = f"{client.name} has no model “{target.model[:80]}”. Its models are listed on its page."
        raise Invalid(message, [FieldError(f"{field}.model", message)])
    unsuitable = suites.unsuitable(model) or suites.useless(plan.cells, model)
    if unsuitable:
        raise Invalid(unsuitable, [FieldError(f"{field}.model", unsuitable)])
    return Chosen(field, client, model)
