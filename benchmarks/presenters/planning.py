"""The new-session page: what was chosen, what it means per machine, and what may go wrong."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bson import ObjectId
from django.conf import settings

from agents.documents import Client
from benchmarks import installed, suites
from benchmarks.presenters import form_groups, plan_machines, plan_times, session_form, stored
from benchmarks.presenters.form_groups import Group
from benchmarks.presenters.machines import plural
from benchmarks.presenters.plan_machines import Choice, MachinePlan, pick_of
from benchmarks.presenters.plan_times import Times
from benchmarks.presenters.plan_words import CELL_WORDS
from benchmarks.presenters.session_form import Form
from benchmarks.presenters.stored import Stored
from obt_site.ceilings import full
from obt_site.errors import FieldError, Invalid
from obt_site.formatting import short_digest

MODELS_LISTED = 400  # beyond this many the form sends to the models page instead of listing all
DIFFERENCES_SAID = 3


@dataclass(frozen=True)
class Plan:
    """The whole of it. `errors` are sentences by field name; errors of choices stand beside them."""

    form: Form
    machines: Sequence[MachinePlan]
    strays: Sequence[Choice]
    cells: Sequence[tuple[str, str, bool]]  # name, what it measures, ticked
    groups: Sequence[Group] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    too_many_to_list: bool = False
    measures: str = ""  # how many cells, or why they cannot be
    is_wrong: bool = False
    notices: Sequence[str] = ()  # what concerns several machines

    @property
    def jobs(self) -> int:
        return sum(machine.jobs for machine in self.machines)

    @property
    def busy(self) -> list[MachinePlan]:
        """Only the machines that have something to do."""
        return [machine for machine in self.machines if machine.jobs]

    @property
    def times(self) -> list[Times]:
        return [machine.times for machine in self.machines if machine.times]

    @property
    def at_most_s(self) -> float:
        return max((each.at_most_s for each in self.times), default=0.0)

    @property
    def longest_s(self) -> float:
        """What a machine's line is drawn against."""
        return max((each.likely_s for each in self.times), default=0.0)

    @property
    def expected(self) -> str:
        """The whole session in words."""
        return plan_times.together(self.times)

    @property
    def shows_more(self) -> bool:
        """Whether the folded part has something in it."""
        has_more = any(each.value or each.error for group in self.groups for each in group.inputs)
        return has_more or self.form.prompts > 1 or any(group.error for group in self.groups)

    @property
    def wrong(self) -> int:
        """How many things were refused."""
        beside = sum(bool(choice.error) for machine in self.machines for choice in machine.choices)
        found = beside + len(self.strays) + len(set(self.errors) - {"targets"})
        return (found or 1) if self.errors else 0

    @property
    def focus(self) -> str:
        """The first input, in the order of the page, that is wrong: where the cursor goes."""
        beside = [choice.pick for machine in self.machines for choice in machine.choices if choice.error]
        inputs = [each.name for group in self.groups for each in group.inputs]
        wrong = [name for name in ("budget", "cells", *inputs, "name", "note") if name in self.errors]
        return next(iter(beside + wrong), "")

    @property
    def models(self) -> int:
        return len({choice.model for machine in self.machines for choice in machine.choices if choice.ticked})

    @property
    def in_words(self) -> str:
        """`6 jobs: 3 models on 2 machines`"""
        return f"{plural(self.jobs, 'job')}: {plural(self.models, 'model')} on {plural(len(self.busy), 'machine')}"


def plan(form: Form, errors: Sequence[FieldError] = ()) -> Plan:
    """The form as a plan: every machine with its models, ticked as chosen, and the time they will take."""
    clients = stored.machines()
    every = installed.of(clients)
    listed, listed_all = _listed(form, every)
    asked, problems = _asked(form)
    beside = session_form.by_input(errors, form)
    by_pick = _errors_by_pick(form, errors)
    rows = plan_machines.machines(form, clients, listed, by_pick, asked)
    known = {choice.pick for machine in rows for choice in machine.choices}
    ticked = form.cells if form.cells or form.is_own else suites.SUITES.get(form.suite, ())
    return Plan(
        form=form,
        machines=[machine for machine in rows if machine.choices],
        strays=_strays(form, known, by_pick),
        cells=[(name, CELL_WORDS.get(name, ""), name in ticked) for name in suites.SUITES["standard"]],
        groups=form_groups.groups(form, beside),
        errors=beside,
        too_many_to_list=not listed_all,
        measures=plural(len(asked.cells), "cell") if asked else problems[0].message,
        is_wrong=asked is None,
        notices=[*(_too_many(form) or _no_room(form, errors)), *_differences(form, clients, every)],
    )


def _listed(form: Form, every: Mapping[ObjectId, Sequence[Stored]]) -> tuple[dict[ObjectId, list[Stored]], bool]:
    """Models by client, the smallest first: all where they are few, else only the chosen ones."""
    lists_all = sum(len(models) for models in every.values()) <= MODELS_LISTED
    picks = set(form.picks)
    found = {
        client: [model for model in models if lists_all or pick_of(model) in picks] for client, models in every.items()
    }
    for models in found.values():
        models.sort(key=lambda model: (model.get("size_bytes") or 0, model["name"]))
    return found, lists_all


def _too_many(form: Form) -> list[str]:
    most = settings.SESSION_JOBS_MAXIMUM
    if len(form.picks) <= most:
        return []
    rule = "A session has at most {} jobs; these are"
    return [full(rule, most, len(form.picks), "Untick some of them", "OBT_JOBS_PER_SESSION")]


def _no_room(form: Form, errors: Iterable[FieldError]) -> list[str]:
    """What is wrong with the choice as a whole; without one it stands beside the choices."""
    return [error.message for error in errors if error.field == "targets"] if form.picks else []


def _differences(form: Form, clients: Sequence[Client], every: Mapping[ObjectId, Sequence[Stored]]) -> list[str]:
    """Chosen models that are not the same on all of the chosen machines, though they have one name."""
    picks = set(form.picks)
    having: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for client in clients:
        for model in every[client.id]:
            if pick_of(model) in picks:
                having[model["name"]][model["digest"]].append(client.name)
    differing = {name: digests for name, digests in having.items() if len(digests) > 1}
    said = [
        f"{name} is not the same model everywhere: "
        + "; ".join(f"{short_digest(digest)} on {', '.join(names)}" for digest, names in digests.items())
        + ". Their numbers do not compare."
        for name, digests in list(differing.items())[:DIFFERENCES_SAID]
    ]
    left = len(differing) - len(said)
    return said + [f"{plural(left, 'more model')} differ{'s' if left == 1 else ''} between machines."] * bool(left)


def _asked(form: Form) -> tuple[suites.Plan | None, list[FieldError]]:
    """The cells as they would be measured, or what is wrong with them."""
    try:
        return suites.plan(form.suite, form.budget, **session_form.asked(form)), []
    except Invalid as refusal:
        return None, refusal.errors


def _strays(form: Form, known: set[str], wrong: Mapping[str, str]) -> list[Choice]:
    """Picks that no machine has any more."""
    return [
        Choice(pick, pick.partition(":")[2] or pick, None, None, True, wrong.get(pick, "It is no longer installed."))
        for pick in dict.fromkeys(form.picks)
        if pick not in known
    ]


def _errors_by_pick(form: Form, errors: Iterable[FieldError]) -> dict[str, str]:
    """`targets.3.model` belongs to the fourth pick."""
    found = {}
    for error in errors:
        parts = error.field.split(".")
        if parts[0] == "targets" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(form.picks):
            found[form.picks[int(parts[1])]] = error.message
    return found
