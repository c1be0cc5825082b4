"""What became of an enrolment token: how far its machine is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents import verbs
from agents.documents import Client, EnrolmentToken
from benchmarks.presenters import machines
from obt_site.clock import now


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
