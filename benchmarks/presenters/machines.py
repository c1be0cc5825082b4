"""A machine as lists show it: what it is, what it does, and what of it needs a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId
from django.urls import reverse

from agents import doubles, presence
from agents.documents import Client
from agents.presence import Presence
from benchmarks.lifecycle import State
from benchmarks.presenters import stored
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.stored import Stored
from obt_site.formatting import filesize

NO_GPU = "CPU only"
SYSTEMS = {"Darwin": "macOS"}
MACHINE_PAUSED = "The machine is paused: it takes no new job."
LOW_DISK_BYTES = 10 * 10**9  # less than one model of middling size
RUNNING = frozenset({State.RUNNING, State.CANCELLING, State.OFFERED})


@dataclass(frozen=True)
class Sentence:
    """What is wrong, in words: the fact, when it began, what follows, and the one thing to do about it."""

    tone: str
    fact: str  # without its full stop: "since …" may follow
    since: datetime | None
    consequence: str
    url: str
    action: str = "See it"


@dataclass(frozen=True)
class Reading:
    """The last reading of a machine, of its first GPU where it has one. None: not read."""

    cpu_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk_free_bytes: int | None = None
    gpu_percent: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_memory_total_bytes: int | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    has_gpu: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def power_missing(self) -> str:
        return self._why("power_w")

    @property
    def temperature_missing(self) -> str:
        return self._why("temperature_c")

    def _why(self, name: str) -> str:
        """Why a quantity of the GPU is missing."""
        return self.missing.get(f"gpu_0_{name}") or ("not readable on this system" if self.has_gpu else "no GPU")


@dataclass(frozen=True)
class Work:
    """The job a machine has, or how many wait for it."""

    session_id: str
    session_number: int | None
    model: str
    cell: str | None
    index: int | None
    of: int | None
    state: str
    remaining_s: float | None
    done_share: float | None  # of the job's samples


@dataclass(frozen=True)
class MachineRow:
    """A machine as the fleet lists it."""

    id: str
    name: str
    state: str  # the look of obt_site.states: idle, benchmarking, paused, degraded, late, offline
    presence: str
    reason: str | None
    since: datetime | None
    os: str | None
    hardware: str | None
    ollama_version: str | None
    simulated: bool
    reading: Reading
    cpu_use: Sequence[float | None]  # % over the last readings, oldest first
    gpu_use: Sequence[float | None]
    work: Work | None
    waiting: int
    last_seen_at: datetime | None
    labels: Sequence[str]
    system: str | None  # Linux, macOS, Windows
    gpu: str  # what a filter calls it: the first GPU's short name, or NO_GPU
    reference: Figure | None = None
    models_count: int | None = None

    @property
    def is_there(self) -> bool:
        """Whether the last reading still says something."""
        return self.presence != Presence.OFFLINE

    @property
    def trouble(self) -> str:
        """What keeps it from working, in the few words its row has room for; the sentence stands below."""
        words = {"degraded": "Ollama does not answer", "late": "Its report is overdue"}
        return words.get(self.presence) or ("Takes no job" if self.reason else "")

    @property
    def short_version(self) -> str | None:
        """Ollama's version without the mark of the simulator, which has a badge of its own."""
        return self.ollama_version.split("-")[0] if self.ollama_version and self.simulated else self.ollama_version

    @property
    def tone(self) -> str:
        """Blue lines where something is measured."""
        return "acc" if self.state == "benchmarking" else ""


def plural(count: int, word: str) -> str:
    """`1 machine`, `7 machines`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def row(
    client: Client,
    content: Stored | None,
    jobs: Sequence[Stored],
    sessions: Mapping[ObjectId, Stored],
    references: Mapping[str, Figure],
) -> MachineRow:
    """One machine from what is stored of it and of its open jobs."""
    verdict = presence.of(client)
    current = next((job for job in jobs if job["state"] in RUNNING), None)
    read = reading(client.reading)
    ollama = client.ollama or {}
    history = list(client.history)
    system = (content or {}).get("os", {}).get("system")
    return MachineRow(
        id=str(client.id),
        name=client.name,
        state=look(verdict.state, client.paused, current is not None),
        presence=verdict.state.value,
        reason=verdict.reason or client.refusal,
        since=verdict.since,
        os=(content or {}).get("os", {}).get("name"),
        hardware=stored.hardware_line(content),
        ollama_version=ollama.get("version"),
        simulated=bool(ollama.get("simulated")),
        reading=read,
        cpu_use=[point.get("cpu") for point in history],
        gpu_use=[point.get("gpu") for point in history] if read.has_gpu else [],
        work=_work(current, sessions) if current is not None else None,
        waiting=sum(job["state"] == State.QUEUED for job in jobs),
        last_seen_at=client.last_seen_at,
        labels=list(client.labels),
        system=SYSTEMS.get(system, system),
        gpu=gpu_word(content),
        reference=references.get(str(client.id)),
        models_count=client.models_count,
    )


def look(state: Presence, paused: bool, working: bool) -> str:
    """The word of obt_site.states for a machine."""
    if state is not Presence.ONLINE:
        return state.value
    if working:
        return "benchmarking"
    return "paused" if paused else "idle"


def reading(stored_reading: Mapping[str, Any] | None) -> Reading:
    """The wire's HostReading as stored, in short."""
    plain = stored_reading or {}
    gpus = plain.get("gpus") or []
    gpu = gpus[0] if gpus else {}
    return Reading(
        cpu_percent=plain.get("cpu_percent"),
        memory_used_bytes=plain.get("memory_used_bytes"),
        memory_total_bytes=plain.get("memory_total_bytes"),
        disk_free_bytes=plain.get("disk_free_bytes"),
        gpu_percent=gpu.get("utilisation_percent"),
        gpu_memory_used_bytes=gpu.get("memory_used_bytes"),
        gpu_memory_total_bytes=gpu.get("memory_total_bytes"),
        power_w=gpu.get("power_w"),
        temperature_c=gpu.get("temperature_c"),
        has_gpu=bool(gpus),
        missing=plain.get("missing") or {},
    )


def _work(job: Stored, sessions: Mapping[ObjectId, Stored]) -> Work:
    progress = job.get("progress") or {}
    session = sessions.get(job["session"])
    index = progress.get("index")
    return Work(
        session_id=str(job["session"]),
        session_number=session["number"] if session else None,
        model=job["model"],
        cell=progress.get("cell"),
        index=None if index is None or progress.get("warmup") else min(index + 1, progress.get("of") or index + 1),
        of=progress.get("of"),
        state=job["state"],
        remaining_s=progress.get("remaining_s"),
        done_share=progress["done"] / progress["total"] if progress.get("total") and "done" in progress else None,
    )


def gpu_word(content: Stored | None) -> str:
    """`RTX 4090`: the first GPU as filters call it."""
    gpus = (content or {}).get("gpus") or []
    return stored.MAKERS.sub("", gpus[0]["name"]).strip(" ,") or gpus[0]["name"] if gpus else NO_GPU


def needs(client: Client, each: MachineRow) -> list[Sentence]:
    """What about this machine needs a person."""
    url = reverse("machine", args=[each.id])
    found = _needs_of_credential(client, f"{url}#credential")
    return found if client.credential_revoked_at is not None else [*found, *_needs_of_state(client, each, url)]


def _needs_of_credential(client: Client, url: str) -> list[Sentence]:
    if client.credential_revoked_at is not None:
        fact, then = f"{client.name}: its credential was revoked", "Its agent is refused until it is enrolled again."
        return [Sentence("warn", fact, None, then, url, "Enrol it again")]
    if doubles.is_doubled(client):
        fact = f"Two agents use the credential of {client.name}: {doubles.where(client.boots)}"
        then = "A result may be of either machine. Let one of them be a machine of its own."
        return [Sentence("warn", fact, None, then, url, "What to do")]
    return []


def _needs_of_state(client: Client, each: MachineRow, url: str) -> list[Sentence]:
    waiting = f"{plural(each.waiting, 'job')} wait{'s' if each.waiting == 1 else ''} for it." if each.waiting else ""
    if each.presence != "online" and each.reason:
        tone = "dim" if each.presence == "offline" else "warn"
        return [Sentence(tone, f"{client.name}: {each.reason.rstrip('.')}", each.since, waiting, url)]
    if client.refusal:
        return [Sentence("warn", f"{client.name} takes no job: {client.refusal.rstrip('.')}", None, waiting, url)]
    found = [Sentence("warn", f"{client.name} is paused", None, waiting, url)] if client.paused and each.waiting else []
    free = each.reading.disk_free_bytes
    if each.is_there and free is not None and free < LOW_DISK_BYTES:
        value, unit = filesize(free)
        fact = f"{client.name} has {value} {unit} of disk left"
        found.append(Sentence("warn", fact, None, "Few models fit into that.", f"{url}#models", "See its models"))
    return found
