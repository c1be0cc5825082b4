"""One machine's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from agents.documents import Client, ModelInstallation
from benchmarks import listing, shelf
from benchmarks.listing import ResultFilters
from benchmarks.presenters import figures, leaderboard, machines, stored
from benchmarks.presenters.credential import CredentialView, credential_view
from benchmarks.presenters.environment import Fact, hardware_facts
from benchmarks.presenters.event_log import EventLine, latest_events
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.machines import MachineRow, Sentence
from benchmarks.presenters.past import Past, past_of
from benchmarks.presenters.stored import Stored
from benchmarks.shelf import Short
from obt_site.charts import Panel

RESULTS_SHOWN = 10
EVENTS_SHOWN = 10
# What a machine's history keeps: its key, its name and unit, and the ends of its scale where those are fixed.
QUANTITIES: Sequence[tuple[str, str, str, float | None, float | None]] = (
    ("cpu", "CPU", "%", 0.0, 100.0),
    ("memory", "Memory", "%", 0.0, 100.0),
    ("gpu", "GPU", "%", 0.0, 100.0),
    ("gpu_memory", "GPU memory", "%", 0.0, 100.0),
    ("power_w", "Power", "W", 0.0, None),
    ("temperature_c", "Temp.", "°C", None, None),
)


@dataclass(frozen=True)
class ModelLine:
    """One model on this machine."""

    name: str
    pick: str
    digest: str
    size_bytes: int | None
    quantization: str | None
    parameter_size: str | None
    loaded: bool
    unsuitable: str | None
    figure: Figure | None
    result: str | None
    other_digest: bool  # whether that result is of other content than what is installed now


@dataclass(frozen=True)
class JobLine:
    """A job that waits or runs here."""

    session_id: str
    session_number: int | None
    model: str
    state: str
    since: datetime | None


@dataclass(frozen=True)
class ResultLine:
    id: str
    model: str
    figure: Figure | None
    valid: bool
    outcome: str
    simulated: bool
    session_number: int | None
    created_at: datetime


@dataclass(frozen=True)
class MachineNow:
    """What of a machine's page changes by itself."""

    row: MachineRow
    needs: Sequence[Sentence]
    jobs: Sequence[JobLine]
    panels: Sequence[Panel]
    panels_s: float | None  # how long they are

    @property
    def readings(self) -> Sequence[tuple[float, Sequence[float | None]]]:
        """The numbers of the panels as a table: seconds before the last reading, and a value per panel."""
        if not self.panels or self.panels_s is None:
            return []
        at_s = [point[0] for point in self.panels[0].points]
        columns = [[point[1] for point in panel.points] for panel in self.panels]
        rows = zip(at_s, zip(*columns, strict=True), strict=True)
        return [(at - self.panels_s, values) for at, values in reversed(list(rows))]


@dataclass(frozen=True)
class MachineView:
    """Everything a machine's page shows."""

    client: Client
    now: MachineNow
    facts: Sequence[Fact]
    models: Sequence[ModelLine]
    results: Sequence[ResultLine]
    past: Sequence[Past]
    events: Sequence[EventLine]
    credential: CredentialView

    @property
    def row(self) -> MachineRow:
        return self.now.row

    @property
    def newest_event(self) -> int:
        """Its number; 0 before there is one."""
        return self.events[0].number if self.events else 0


def machine_view(client: Client) -> MachineView:
    """What is stored of the machine; a fixed number of questions."""
    content = _content(client)
    filters = ResultFilters(client=str(client.id), simulated="any", outcome="any")
    measured = [one for one in shelf.results() if one.client == str(client.id)]
    return MachineView(
        client=client,
        now=machine_now(client, content),
        facts=[*_about(client), *hardware_facts(content)],
        models=_models(client, measured),
        results=[_result(result) for result in listing.results(filters, None, RESULTS_SHOWN).items],
        past=past_of(client, measured),
        events=latest_events(client, EVENTS_SHOWN),
        credential=credential_view(client),
    )


def machine_now(client: Client, content: Stored | None = None) -> MachineNow:
    """Its state, work and readings; three questions where its hardware `content` is not at hand."""
    jobs = [job for job in stored.open_jobs() if job["client"] == client.id]
    sessions = stored.sessions_by_id({job["session"] for job in jobs})
    row = machines.row(client, content or _content(client), jobs, sessions, {})
    panels, panels_s = readings(client) if row.is_there else ([], None)
    return MachineNow(row, machines.needs(client, row), [_job(job, sessions) for job in jobs], panels, panels_s)


def _content(client: Client) -> Stored | None:
    return stored.hardware_of([client.hardware_config]).get(client.hardware_config or "")


def readings(client: Client) -> tuple[list[Panel], float | None]:
    """The readings of the last minutes, a panel per quantity that was ever read, and how many seconds they span."""
    history = list(client.history)
    if len(history) < 2:
        return [], None
    start = history[0]["at"]
    at_s = [(each["at"] - start).total_seconds() for each in history]
    found = []
    for key, name, unit, floor, ceiling in QUANTITIES:
        values = [each.get(key) for each in history]
        if any(value is not None for value in values):
            found.append(Panel(name, unit, list(zip(at_s, values, strict=True)), floor, ceiling))
    return found, at_s[-1]


def _about(client: Client) -> list[Fact]:
    ollama = client.ollama or {}
    simulated = " (simulator)" if ollama.get("simulated") else ""
    version = ollama.get("version")
    where = {True: "", False: ", on another machine or in a container", None: ""}[ollama.get("local")]
    return [
        ("Ollama", f"{version}{simulated}" if version else None, "it has not answered yet"),
        ("At", f"{ollama['url']}{where}" if ollama.get("url") else None, "not reported yet"),
        ("Host name", client.hostname, "not reported"),
        ("Agent", client.agent_version, "not reported"),
    ]


def _models(client: Client, measured: Sequence[Short]) -> list[ModelLine]:
    models = list(ModelInstallation._get_collection().find({"client": client.id}))
    latest: dict[str, Short] = {}
    for one in measured:
        if one.valid:
            latest.setdefault(one.model, one)
    loaded = {each.get("name") for each in client.loaded}
    models.sort(key=lambda model: (model.get("size_bytes") or 0, model["name"]))
    return [_model(model, loaded, latest.get(model["name"])) for model in models]


def _model(model: Stored, loaded: set[Any], result: Short | None) -> ModelLine:
    return ModelLine(
        name=model["name"],
        pick=f"{model['client']}:{model['name']}",
        digest=model["digest"],
        size_bytes=model.get("size_bytes"),
        quantization=model.get("quantization"),
        parameter_size=model.get("parameter_size"),
        loaded=model["name"] in loaded,
        unsuitable=stored.unsuitable(model),
        figure=leaderboard.rate_of(result) if result else None,
        result=result.id if result else None,
        other_digest=bool(result and result.digest and result.digest != model["digest"]),
    )


def _job(job: Stored, sessions: Mapping[ObjectId, Stored]) -> JobLine:
    session = sessions.get(job["session"])
    number = session["number"] if session else None
    return JobLine(str(job["session"]), number, job["model"], job["state"], job.get("started_at") or job["created_at"])


def _result(result: Any) -> ResultLine:
    figure = figures.decode_of(result.cells) or next(map(figures.headline_of, result.cells), None)
    return ResultLine(
        result.id,
        result.model,
        figure,
        result.valid,
        result.outcome,
        result.simulated,
        result.session_number,
        result.created_at,
    )
