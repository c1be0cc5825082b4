"""The proofs behind OBT's numbers: `python -m agent.bench` runs them, prints a table and writes it as JSON.

A proof is a module with `rows(settings: Settings) -> Iterable[Row]`. It yields each row as soon as it is measured and
raises `CannotRun` with a sentence when this machine lacks what it needs.
"""

from __future__ import annotations

from typing import NamedTuple


class Proof(NamedTuple):
    """`name`: what `--only` takes. `module`: imported only when it runs. `what`: its row's name when it cannot run."""

    name: str
    module: str
    what: str


PROOFS = (
    Proof("rates", "agent.bench.ollama_bench", "decode and prefill rate against Ollama's bench"),
    Proof("truth", "agent.bench.truth", "TTFT and ITL against the truth"),
    Proof("cpu", "agent.bench.cpu", "agent's CPU while measuring"),
    Proof("memory", "agent.bench.memory", "agent's memory, whatever Ollama sends"),
    Proof("telemetry", "agent.bench.telemetry", "telemetry on against off"),
    Proof("repeatability", "agent.bench.repeatability", "repeatability"),
    Proof("sessions", "agent.bench.whole_session", "a whole session"),
    Proof("eras", "agent.bench.eras", "eras of Ollama"),
    Proof("lies", "agent.bench.lies", "lies other tools tell"),
    Proof("pages", "obt_site.bench.pages", "weight and time of pages"),
    Proof("credentials", "obt_site.bench.credentials", "checking a credential"),
    Proof("syncs", "obt_site.bench.syncs", "syncs per second"),
    Proof("api", "obt_site.bench.api", "time of API lists"),
    Proof("lighthouse", "obt_site.bench.lighthouse", "pages as Lighthouse sees them"),
)
