"""What the pages of the whole fleet read: machines with their hardware and open jobs, and results in short form."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from agents.documents import Client
from benchmarks import shelf
from benchmarks.presenters import leaderboard, stored
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.leaderboard import ByModel
from benchmarks.presenters.machines import MachineRow, Sentence, needs, plural, row
from benchmarks.presenters.stored import Stored
from benchmarks.shelf import Short

STATE_WORDS = {"benchmarking": "benchmarking", "idle": "idle", "paused": "paused", "degraded": "without Ollama",
               "late": "late", "offline": "offline"}  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """All machines by name, and every result that counts beside others, newest first."""

    clients: Sequence[Client]
    rows: Sequence[MachineRow]
    needs: Sequence[Sentence]
    jobs: Sequence[Stored]
    sessions: Mapping[ObjectId, Stored]  # of the open jobs
    results: Sequence[Short]
    by_model: ByModel
    reference_model: str | None
    references: Mapping[str, Figure]

    @property
    def counts(self) -> Mapping[str, int]:
        return Counter(each.state for each in self.rows)

    @property
    def names(self) -> Mapping[str, str]:
        return {each.id: each.name for each in self.rows}

    @property
    def has_models(self) -> bool:
        return any(each.models_count for each in self.rows)

    @property
    def summary(self) -> str:
        """`7 machines: 2 benchmarking, 3 idle, 1 offline.`"""
        counts, total = self.counts, len(self.rows)
        if total == 0:
            return "No machine yet."
        if total == 1:
            return f"1 machine, {STATE_WORDS[self.rows[0].state]}."
        parts = [f"{counts[state]} {word}" for state, word in STATE_WORDS.items() if counts.get(state)]
        return f"{plural(total, 'machine')}: {', '.join(parts)}."


def ground() -> Ground:
    """As stored now: four questions, and one more where results are new."""
    clients = stored.machines()
    contents = stored.hardware_of(client.hardware_config for client in clients)
    jobs = stored.open_jobs()
    sessions = stored.sessions_by_id({job["session"] for job in jobs})
    results = leaderboard.counted(shelf.results())
    by_model = leaderboard.latest_valid(results, [str(client.id) for client in clients])
    model = leaderboard.reference(by_model)
    references = leaderboard.figures_of(by_model, model)
    by_client: dict[ObjectId, list[Stored]] = defaultdict(list)
    for job in jobs:
        by_client[job["client"]].append(job)
    rows = [
        row(client, contents.get(client.hardware_config or ""), by_client[client.id], sessions, references)
        for client in clients
    ]
    found = [sentence for client, each in zip(clients, rows, strict=True) for sentence in needs(client, each)]
    return Ground(clients, rows, found, jobs, sessions, results, by_model, model, references)


@dataclass(frozen=True)
class LatestResult:
    """A result in one line."""

    id: str
    model: str
    client_name: str
    figure: Figure | None
    valid: bool
    outcome: str
    simulated: bool
    created_at: datetime


def latest_of(one: Short) -> LatestResult:
    """A result in one line, from its short form."""
    figure = leaderboard.rate_of(one)
    return LatestResult(
        one.id, one.model, one.client_name, figure, one.valid, one.outcome, one.simulated, one.created_at
    )
