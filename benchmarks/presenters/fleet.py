"""The fleet page: every machine, what needs a look, and the latest results."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from benchmarks.presenters import figures, stored
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.machines import MachineRow, Sentence, needs, plural, row
from benchmarks.presenters.stored import Stored

LATEST_RESULTS = 6
REFERENCE_WITHIN = 300  # results that are looked through for one model to compare machines by
SHOWS = ("all", "online", "offline")


@dataclass(frozen=True)
class LatestResult:
    id: str
    model: str
    client_name: str
    figure: Figure | None
    valid: bool
    outcome: str
    simulated: bool
    created_at: datetime


@dataclass(frozen=True)
class Fleet:
    """Everything the fleet page shows."""

    rows: Sequence[MachineRow]
    counts: Mapping[str, int]
    show: str
    needs: Sequence[Sentence]
    latest: Sequence[LatestResult]
    reference_model: str | None
    reference_scale: float
    has_models: bool
    has_results: bool
    open_work: bool

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def offline(self) -> int:
        return self.counts.get("offline", 0)

    @property
    def online(self) -> int:
        return self.total - self.offline

    @property
    def summary(self) -> str:
        """`7 machines: 2 benchmarking, 3 idle, 1 offline.`"""
        words = {"benchmarking": "benchmarking", "idle": "idle", "paused": "paused", "degraded": "without Ollama",
                 "late": "late", "offline": "offline"}  # fmt: skip
        parts = [f"{self.counts[state]} {word}" for state, word in words.items() if self.counts.get(state)]
        if self.total == 1:
            return f"1 machine, {next(iter(self.counts)).replace('degraded', 'without Ollama')}."
        return f"{plural(self.total, 'machine')}: {', '.join(parts)}."


def fleet(show: str = "all") -> Fleet:
    """The fleet as stored now. `show` is one of SHOWS; anything else shows all."""
    clients = stored.machines()
    contents = stored.hardware_of(client.hardware_config for client in clients)
    jobs = stored.open_jobs()
    sessions = stored.sessions_by_id({job["session"] for job in jobs})
    recent = stored.latest_results(REFERENCE_WITHIN)
    counted = _without_simulated(recent)
    model, references = _reference(counted)
    by_client = _by_client(jobs)
    rows = [
        row(client, contents.get(client.hardware_config or ""), by_client[client.id], sessions, references)
        for client in clients
    ]
    highest = max((each.high or each.value or 0.0 for each in references.values()), default=0.0)
    return Fleet(
        rows=[each for each in rows if _shown(each, show)],
        counts=Counter(each.state for each in rows),
        show=show if show in SHOWS else "all",
        needs=[sentence for client, each in zip(clients, rows, strict=True) for sentence in needs(client, each)],
        latest=[_latest(result) for result in counted[:LATEST_RESULTS]],
        reference_model=model,
        reference_scale=highest,
        has_models=any(client.models_count for client in clients),
        has_results=bool(recent) or stored.any_result(),
        open_work=bool(jobs),
    )


def _shown(each: MachineRow, show: str) -> bool:
    return show not in ("online", "offline") or (each.presence == "offline") == (show == "offline")


def _without_simulated(results: Sequence[Stored]) -> list[Stored]:
    """Simulated results step back as soon as there is a real one."""
    real = [result for result in results if not result.get("simulated")]
    return real or (list(results) if not stored.any_real_result() else [])


def _by_client(jobs: Iterable[Stored]) -> dict[ObjectId, list[Stored]]:
    found: dict[ObjectId, list[Stored]] = defaultdict(list)
    for job in jobs:
        found[job["client"]].append(job)
    return found


def _reference(results: Sequence[Stored]) -> tuple[str | None, dict[ObjectId, Figure]]:
    """The model measured on most machines lately, and each machine's latest valid decode rate of it."""
    by_model: dict[str, dict[ObjectId, Figure]] = defaultdict(dict)
    for result in results:
        figure = figures.decode_of(result["cells"])
        if result["valid"] and figure is not None:
            by_model[result["model"]].setdefault(result["client"], figure)
    if not by_model:
        return None, {}
    model = max(by_model, key=lambda name: len(by_model[name]))
    return model, by_model[model]


def _latest(result: Stored) -> LatestResult:
    return LatestResult(
        id=result["_id"],
        model=result["model"],
        client_name=result["client_name"],
        figure=figures.decode_of(result["cells"]) or next(map(figures.headline_of, result["cells"]), None),
        valid=bool(result["valid"]),
        outcome=result["outcome"],
        simulated=bool(result.get("simulated")),
        created_at=result["created_at"],
    )
