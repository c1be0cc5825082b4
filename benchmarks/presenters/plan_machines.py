"""The plan of each machine: what was chosen on it, how long it takes, and what a person should know before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bson import ObjectId

from agents import presence
from agents.documents import Client
from agents.presence import Presence
from benchmarks import suites
from benchmarks.presenters import plan_times, stored
from benchmarks.presenters.machines import look, plural
from benchmarks.presenters.matrix_cells import capacity, too_big
from benchmarks.presenters.plan_times import Times
from benchmarks.presenters.session_form import Form
from benchmarks.presenters.stored import Stored

ByClient = Mapping[ObjectId, Sequence[Stored]]
GPU_ROOM = 1.0  # weights alone; the cache comes on top
PROBLEMS_SAID = 3


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
    times: Times | None = None

    @property
    def jobs(self) -> int:
        return self.times.jobs if self.times else 0

    @property
    def problems(self) -> Sequence[str]:
        """What the start would refuse, as much of it as a person reads."""
        every = self.times.problems if self.times else ()
        more = len(every) - PROBLEMS_SAID
        return [*every[:PROBLEMS_SAID], *([f"{more} more cannot be measured so."] if more > 0 else [])]


def machines(
    form: Form, clients: Sequence[Client], models: ByClient, wrong: Mapping[str, str], asked: suites.Plan | None
) -> list[MachinePlan]:
    """Every machine with its models; times and warnings where something is chosen. `wrong`: sentences by pick."""
    contents = stored.hardware_of(client.hardware_config for client in clients)
    ahead: dict[ObjectId, list[Stored]] = defaultdict(list)
    for job in stored.open_jobs():
        ahead[job["client"]].append(job)
    ticked = set(form.picks)
    chosen = {client: [each for each in its if pick_of(each) in ticked] for client, its in models.items()}
    times = plan_times.by_machine(clients, chosen, asked, form.budget)
    return [
        _machine(
            client,
            contents.get(client.hardware_config or ""),
            _choices(models.get(client.id, ()), contents.get(client.hardware_config or ""), ticked, wrong),
            ahead[client.id],
            times.get(str(client.id)),
        )
        for client in clients
    ]


def pick_of(model: Stored) -> str:
    """What stands for a model on a machine in forms and addresses."""
    return f"{model['client']}:{model['name']}"


def _machine(
    client: Client, content: Stored | None, choices: Sequence[Choice], ahead: Sequence[Stored], times: Times | None
) -> MachinePlan:
    verdict = presence.of(client)
    return MachinePlan(
        id=str(client.id),
        name=client.name,
        state=look(verdict.state, client.paused, bool(ahead)),
        hardware=stored.hardware_line(content),
        choices=choices,
        warnings=_warnings(client, verdict.state, ahead) if times else (),
        times=times,
    )


def _choices(
    models: Sequence[Stored], content: Stored | None, ticked: set[str], wrong: Mapping[str, str]
) -> list[Choice]:
    return [
        _choice(model, content, ticked, wrong)
        for model in models
        if pick_of(model) in ticked or not stored.unsuitable(model)
    ]


def _choice(model: Stored, content: Stored | None, ticked: set[str], wrong: Mapping[str, str]) -> Choice:
    pick = pick_of(model)
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


def _warnings(client: Client, state: Presence, ahead: Sequence[Stored]) -> list[str]:
    """What a person should know before jobs are queued for this machine."""
    found = []
    if state is Presence.OFFLINE:
        found.append("It is offline. Its jobs wait until it reports again, for at most 24 hours.")
    elif state is Presence.DEGRADED:
        found.append("Its Ollama does not answer. Its jobs start when it does.")
    elif state is Presence.LATE:
        found.append("Its last report is overdue. Its jobs start when it reports again.")
    if client.paused:
        found.append("It is paused. Its jobs start when it is resumed.")
    if (client.ollama or {}).get("simulated"):
        found.append("It runs the simulator. Its results will be marked simulated.")
    if (client.ollama or {}).get("local") is False:
        found.append("Its Ollama runs elsewhere: hardware and telemetry will not be of the machine that computes.")
    if ahead:
        come = "come" + "s" * (len(ahead) == 1)
        found.append(f"{plural(len(ahead), 'job')} of other sessions {come} first{_how_long(ahead)}.")
    return found


def _how_long(ahead: Sequence[Stored]) -> str:
    """`: about 5 min`; nothing where no job's time was foreseen. A job that runs already counts whole."""
    known = [job["expected_s"] for job in ahead if job.get("expected_s") is not None]
    if not known:
        return ""
    about = plan_times.about_words(sum(known))
    return f": {about}" if len(known) == len(ahead) else f": {about} for {len(known)} of them, the others not known"
