"""The new-session page: what was chosen, what it means per machine, and what may go wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bson import ObjectId

from agents import presence
from agents.documents import Client, ModelInstallation
from agents.presence import Presence
from benchmarks import suites
from benchmarks.presenters import form_groups, plan_times, session_form, stored
from benchmarks.presenters.form_groups import Group
from benchmarks.presenters.machines import look, plural
from benchmarks.presenters.matrix_cells import capacity, too_big
from benchmarks.presenters.plan_times import Times
from benchmarks.presenters.session_form import Form
from benchmarks.presenters.stored import Stored
from obt_site.errors import FieldError, Invalid

ByClient = Mapping[ObjectId, Sequence[Stored]]
MODELS_LISTED = 400  # beyond this many the form sends to the models page instead of listing all
GPU_ROOM = 1.0  # weights alone; the cache comes on top


@dataclass(frozen=True)
class Choice:
    """A model on a machine, ticked or not."""

    pick: str
    model: str
    size_bytes: int | None
    quantization: str | None
    ticked: bool
    error: str = ""
    warning: str = ""


@dataclass(frozen=True)
class MachinePlan:
    """What a session would do on one machine."""

    id: str
    name: str
    state: str
    hardware: str | None
    choices: Sequence[Choice]
    warnings: Sequence[str]
    waiting: int
    times: Times | None = None

    @property
    def jobs(self) -> int:
        return self.times.jobs if self.times else 0


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
        return any(each.value or each.error for group in self.groups for each in group.inputs)

    @property
    def models(self) -> int:
        return len({choice.model for machine in self.machines for choice in machine.choices if choice.ticked})

    @property
    def in_words(self) -> str:
        """`6 jobs: 3 models on 2 machines`"""
        return f"{plural(self.jobs, 'job')}: {plural(self.models, 'model')} on {plural(len(self.busy), 'machine')}"


CELL_WORDS = {
    "load": "time to load the model, page cache warm",
    "pp128": "prefill of 128 tokens",
    "pp512": "prefill of 512 tokens",
    "pp2048": "prefill of 2,048 tokens",
    "pp8192": "prefill of 8,192 tokens",
    "tg128": "decode of 128 tokens",
    "tg128@2048": "decode of 128 tokens after 2,048",
    "tg128@8192": "decode of 128 tokens after 8,192",
    "chat512/128": "512 tokens in, 128 out: TTFT, ITL, end to end",
    "c1": "one request, 512 tokens in, 128 out",
    "c2": "two such requests at the same time",
    "c4": "four such requests at the same time",
    "c8": "eight such requests at the same time",
    "embed256x1": "embedding models: one text of 256 tokens",
    "embed256x32": "embedding models: 32 texts of 256 tokens",
}
BUDGET_WORDS = {"quick": "Quick", "standard": "Standard", "full": "Full"}


def plan(form: Form, errors: Sequence[FieldError] = ()) -> Plan:
    """The form as a plan: every machine with its models, ticked as chosen, and the time they will take."""
    clients = stored.machines()
    by_client, listed_all = _models(form)
    asked, problems = _asked(form)
    beside = session_form.by_input(errors, form)
    rows = _machines(form, clients, by_client, _errors_by_pick(form, errors), asked)
    known = {choice.pick for machine in rows for choice in machine.choices}
    ticked = form.cells or (() if form.other_cells or form.has_prompt else suites.SUITES.get(form.suite, ()))
    return Plan(
        form=form,
        machines=[machine for machine in rows if machine.choices],
        strays=_strays(form, known, _errors_by_pick(form, errors)),
        cells=[(name, CELL_WORDS.get(name, ""), name in ticked) for name in suites.SUITES["standard"]],
        groups=form_groups.groups(form, beside),
        errors=beside,
        too_many_to_list=not listed_all,
        measures=plural(len(asked.cells), "cell") if asked else problems[0].message,
        is_wrong=asked is None,
    )


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


def _machines(
    form: Form, clients: Sequence[Client], models: ByClient, wrong: Mapping[str, str], asked: suites.Plan | None
) -> list[MachinePlan]:
    contents = stored.hardware_of(client.hardware_config for client in clients)
    queued = Counter(job["client"] for job in stored.open_jobs())
    ticked = set(form.picks)
    chosen = {client: [each for each in its if _pick(each) in ticked] for client, its in models.items()}
    budget_s = suites.BUDGETS_S.get(form.budget, suites.BUDGETS_S["quick"])
    times = plan_times.by_machine(clients, chosen, asked, budget_s)
    return [
        _machine(
            client,
            contents.get(client.hardware_config or ""),
            _choices(models.get(client.id, ()), contents.get(client.hardware_config or ""), ticked, wrong),
            queued.get(client.id, 0),
            times.get(str(client.id)),
        )
        for client in clients
    ]


def _models(form: Form) -> tuple[dict[ObjectId, list[Stored]], bool]:
    """Models by client: all where they are few, else only the chosen ones."""
    found: dict[ObjectId, list[Stored]] = {}
    collection = ModelInstallation._get_collection()
    models = list(collection.find().limit(MODELS_LISTED + 1))
    listed_all = len(models) <= MODELS_LISTED
    if not listed_all:
        names = sorted({target.model for target in form.targets})
        picks = set(form.picks)
        models = [each for each in collection.find({"name": {"$in": names}}) if _pick(each) in picks]
    for model in sorted(models, key=lambda model: (model.get("size_bytes") or 0, model["name"])):
        found.setdefault(model["client"], []).append(model)
    return found, listed_all


def _pick(model: Stored) -> str:
    return f"{model['client']}:{model['name']}"


def _errors_by_pick(form: Form, errors: Iterable[FieldError]) -> dict[str, str]:
    """`targets.3.model` belongs to the fourth pick."""
    found = {}
    for error in errors:
        parts = error.field.split(".")
        if parts[0] == "targets" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(form.picks):
            found[form.picks[int(parts[1])]] = error.message
    return found


def _machine(
    client: Client, content: Stored | None, choices: Sequence[Choice], queued: int, times: Times | None
) -> MachinePlan:
    verdict = presence.of(client)
    return MachinePlan(
        id=str(client.id),
        name=client.name,
        state=look(verdict.state, client.paused, bool(queued)),
        hardware=stored.hardware_line(content),
        choices=choices,
        warnings=_warnings(client, verdict.state, queued) if times else (),
        waiting=queued,
        times=times,
    )


def _choices(
    models: Sequence[Stored], content: Stored | None, ticked: set[str], wrong: Mapping[str, str]
) -> list[Choice]:
    return [
        _choice(model, content, ticked, wrong)
        for model in models
        if _pick(model) in ticked or not stored.unsuitable(model)
    ]


def _choice(model: Stored, content: Stored | None, ticked: set[str], wrong: Mapping[str, str]) -> Choice:
    pick = _pick(model)
    size = model.get("size_bytes")
    warning = ""
    if too_big(size, capacity(content)):
        warning = "Larger than the machine's memory: it will probably not load."
    elif _beyond_gpu(size, content):
        warning = "Larger than the GPU's memory: part of it will run on the CPU."
    return Choice(pick, model["name"], size, model.get("quantization"), pick in ticked, wrong.get(pick, ""), warning)


def _beyond_gpu(size_bytes: int | None, content: Stored | None) -> bool:
    sizes = [gpu.get("memory_total_bytes") for gpu in (content or {}).get("gpus") or []]
    room = sum(size for size in sizes if size)
    return bool(size_bytes and room and size_bytes > room * GPU_ROOM)


def _warnings(client: Client, state: Presence, queued: int) -> list[str]:
    """What a person should know before jobs are queued for this machine."""
    found = []
    if state is Presence.OFFLINE:
        found.append("It is offline. Its jobs wait until it reports again, for at most 24 hours.")
    elif state is Presence.DEGRADED:
        found.append("Its Ollama does not answer. Its jobs start when it does.")
    if client.paused:
        found.append("It is paused. Its jobs start when it is resumed.")
    if (client.ollama or {}).get("simulated"):
        found.append("It runs the simulator. Its results will be marked simulated.")
    if (client.ollama or {}).get("local") is False:
        found.append("Its Ollama runs elsewhere: hardware and telemetry will not be of the machine that computes.")
    if queued:
        found.append(f"{plural(queued, 'job')} of other sessions come{'s' if queued == 1 else ''} first.")
    return found
