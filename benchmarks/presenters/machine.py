"""One machine's page, and what became of an enrolment token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from agents import verbs
from agents.documents import Client, EnrolmentToken, ModelInstallation
from benchmarks import listing
from benchmarks.listing import ResultFilters
from benchmarks.presenters import figures, machines, stored
from benchmarks.presenters.environment import Fact, hardware_facts
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.machines import MachineRow, Sentence
from benchmarks.presenters.stored import Stored
from obt_site.clock import now

RESULTS_SHOWN = 10


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
class MachineView:
    """Everything a machine's page shows."""

    client: Client
    row: MachineRow
    needs: Sequence[Sentence]
    facts: Sequence[Fact]
    models: Sequence[ModelLine]
    jobs: Sequence[JobLine]
    results: Sequence[ResultLine]

    @property
    def all_well(self) -> bool:
        return not self.needs


def machine_view(client: Client) -> MachineView:
    """What is stored of the machine; six queries."""
    content = stored.hardware_of([client.hardware_config]).get(client.hardware_config or "")
    jobs = [job for job in stored.open_jobs() if job["client"] == client.id]
    sessions = stored.sessions_by_id({job["session"] for job in jobs})
    row = machines.row(client, content, jobs, sessions, {})
    filters = ResultFilters(client=str(client.id), simulated="any", outcome="any")
    results = listing.results(filters, None, RESULTS_SHOWN).items
    return MachineView(
        client=client,
        row=row,
        needs=machines.needs(client, row),
        facts=[*_about(client), *hardware_facts(content)],
        models=_models(client),
        jobs=[_job(job, sessions) for job in jobs],
        results=[_result(result) for result in results],
    )


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


def _models(client: Client) -> list[ModelLine]:
    models = list(ModelInstallation._get_collection().find({"client": client.id}))
    latest = _latest_valid(client.id, [model["name"] for model in models])
    loaded = {each.get("name") for each in client.loaded}
    models.sort(key=lambda model: (model.get("size_bytes") or 0, model["name"]))
    return [_model(model, loaded, latest.get(model["name"])) for model in models]


def _latest_valid(client: ObjectId, names: Sequence[str]) -> dict[str, Stored]:
    """The newest valid result of each model here."""
    found: dict[str, Stored] = {}
    if names:
        for result in stored.results_where({"client": client, "number": {"$gt": 0}}):
            if result["valid"]:
                found.setdefault(result["model"], result)
    return found


def _model(model: Stored, loaded: set[Any], result: Stored | None) -> ModelLine:
    return ModelLine(
        name=model["name"],
        pick=f"{model['client']}:{model['name']}",
        digest=model["digest"],
        size_bytes=model.get("size_bytes"),
        quantization=model.get("quantization"),
        parameter_size=model.get("parameter_size"),
        loaded=model["name"] in loaded,
        unsuitable=stored.unsuitable(model),
        figure=figures.decode_of(result["cells"]) if result else None,
        result=result["_id"] if result else None,
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


# -- enrolment -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One thing that has to happen until a new machine can be used. `look`: done, now, todo."""

    look: str
    words: str


@dataclass(frozen=True)
class Enrolment:
    """How far the machine with this token is."""

    token_id: str
    expires_at: datetime
    is_over: bool
    client_id: str | None
    name: str | None
    steps: Sequence[Step]

    @property
    def is_ready(self) -> bool:
        return all(step.look == "done" for step in self.steps)


def enrolment(token: EnrolmentToken) -> Enrolment:
    """The checklist of a token: used, heard of, its Ollama, its hardware and models."""
    client = Client.objects(id=token.client).first() if token.client else None
    facts = [
        (client is not None, f"Registered as {client.name}" if client else "Waiting for the agent to register"),
        (client is not None and client.last_seen_at is not None, "First report"),
        (client is not None and bool((client.ollama or {}).get("reachable")), _ollama_words(client)),
        (client is not None and client.hardware_config is not None, "Hardware read"),
        (client is not None and client.models_hash is not None, _models_words(client)),
    ]
    first_open = next((i for i, (done, _) in enumerate(facts) if not done), None)
    steps = [
        Step("done" if done else "now" if i == first_open else "todo", words) for i, (done, words) in enumerate(facts)
    ]
    is_over = client is None and (token.used_at is not None or token.expires_at < now())
    name = client.name if client else token.name
    return Enrolment(token.id, token.expires_at, is_over, str(client.id) if client else None, name, steps)


def _ollama_words(client: Client | None) -> str:
    ollama = (client.ollama if client else None) or {}
    if ollama.get("reachable"):
        return f"Ollama {ollama.get('version') or ''} answers at {ollama.get('url')}"
    return str(ollama.get("message") or "Its Ollama answers")


def _models_words(client: Client | None) -> str:
    if client is None or client.models_hash is None:
        return "Its models listed"
    return f"{machines.plural(client.models_count or 0, 'model')} found"


def find_enrolment(token_id: str) -> Enrolment | None:
    """The enrolment with this id; None when there is none."""
    token = EnrolmentToken.objects(id=token_id).first()
    return enrolment(token) if token is not None else None


def enrolment_of(token: str) -> Enrolment:
    """The enrolment of a token that was made just now."""
    return enrolment(EnrolmentToken.objects.get(id=verbs.token_id(token)))
