"""The fleet and its newest numbers as OpenMetrics text, which Prometheus reads too.

All are gauges but for the number of results stored. A model's numbers on a machine are those of its newest valid
result; the simulator's are labelled as such. Times are in seconds, as that world has them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.obt_agent import __version__
from agents import presence
from agents.documents import Client
from agents.presence import Presence
from benchmarks import explore, numbers, shelf
from benchmarks.documents import Job, Session
from benchmarks.lifecycle import TERMINAL, State
from benchmarks.shelf import Short
from obt_site.clock import now
from obt_site.text import one_line

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
MOST_LATEST = 5000  # pairs of model and machine
MS = 1 / 1000
Labels = dict[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True)
class Family:
    """Numbers of one name: what they are, and each with its labels."""

    name: str
    help: str
    samples: Iterable[Sample]
    kind: str = "gauge"

    def lines(self) -> Iterator[str]:
        """As they are written."""
        yield f"# HELP {self.name} {_escaped(self.help)}"
        yield f"# TYPE {self.name} {self.kind}"
        suffix = "_total" if self.kind == "counter" else ""
        for labels, value in self.samples:
            told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{self.name}{suffix}{{{told}}} {value!r}" if told else f"{self.name}{suffix} {value!r}"


# Ours → its name there, what it is, and the factor to the unit in that name.
LATEST = {
    "decode_rate": ("obt_decode_tokens_per_second", "Decode rate, median", 1.0),
    "prefill_rate": ("obt_prefill_tokens_per_second", "Prefill rate, median", 1.0),
    "ttft": ("obt_ttft_seconds", "Time to the first token, median", MS),
    "load_time": ("obt_load_seconds", "Load time with the page cache warm, median", 1.0),
    "output_throughput": ("obt_output_throughput_tokens_per_second", "Output of concurrent requests, median", 1.0),
    "energy_per_output_token": ("obt_energy_joules_per_output_token", "Energy of the GPU while decoding, median", 1.0),
}


def text() -> str:
    """All of it. Reads machines, open jobs and sessions, and this process's shelf of results."""
    lines = [line for family in families() for line in family.lines()]
    return "\n".join([*lines, "# EOF", ""])


def families() -> list[Family]:
    """What there is to say now."""
    clients = list(Client.objects.order_by("name"))
    newest = explore.latest(shelf.results())[:MOST_LATEST]
    return [
        Family("obt_build_info", "The version that runs.", [({"version": __version__}, 1)]),
        *_machines(clients),
        *_work(),
        Family("obt_results", "Results stored so far.", [({}, numbers.latest("results"))], "counter"),
        *_latest(newest),
    ]


def _machines(clients: list[Client]) -> list[Family]:
    states = {client.name: presence.of(client).state for client in clients}
    counted = Counter(states.values())
    ages = [
        ({"machine": client.name}, max((now() - client.last_seen_at).total_seconds(), 0.0))
        for client in clients
        if client.last_seen_at is not None
    ]
    return [
        Family("obt_machines", "Machines by state.", [({"state": each.value}, counted[each]) for each in Presence]),
        Family(
            "obt_machine_up",
            "Whether the machine is online and its Ollama answers.",
            [({"machine": name}, int(state is Presence.ONLINE)) for name, state in states.items()],
        ),
        Family("obt_machine_heard_of_seconds", "Seconds since the agent's last report.", ages),
    ]


def _work() -> list[Family]:
    states = [state for state in State if state not in TERMINAL]
    jobs = [({"state": state.value}, Job.objects(state=state.value).count()) for state in states]
    sessions = [({"state": state}, Session.objects(state=state).count()) for state in ("queued", "running")]
    return [
        Family("obt_jobs", "Jobs that have not ended, by state; queued ones are the depth of the queue.", jobs),
        Family("obt_sessions", "Sessions that have not ended, by state.", sessions),
    ]


def _latest(newest: list[Short]) -> Iterator[Family]:
    for metric, (name, words, factor) in LATEST.items():
        found = [(one, median) for one in newest if (median := one.median(metric)) is not None]
        yield Family(name, f"{words}, of the newest result.", [(_about(one), factor * value) for one, value in found])
    times = [(_about(one), one.created_at.timestamp()) for one in newest]
    yield Family("obt_latest_result_timestamp_seconds", "When the newest result was stored.", times)


def _about(one: Short) -> Labels:
    return {
        "machine": one.client_name,
        "model": one.model,
        "quantization": one.quantization or "",
        "simulated": "true" if one.simulated else "false",
    }


def _escaped(value: str) -> str:
    return one_line(value).replace("\\", "\\\\").replace('"', '\\"')
