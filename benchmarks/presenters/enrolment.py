"""What became of enrolment tokens: how far a machine is, and all tokens with who made and who used them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents import enrolment as verbs
from agents.documents import Client, EnrolmentToken
from agents.enrolment import TokenState
from benchmarks.presenters import machines

LINES_SHOWN = 50
LOOKS = {
    TokenState.OPEN: ("live", "acc"),
    TokenState.USED: ("check", "good"),
    TokenState.EXPIRED: ("dashed", "dim"),
    TokenState.REVOKED: ("cross", "dim"),
}


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


@dataclass(frozen=True)
class TokenLine:
    """A token as the list shows it. `client_id` is there while the machine is."""

    id: str
    state: TokenState
    name: str | None
    again: bool  # made for a machine that there was already
    client_id: str | None
    made_by: str | None
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None  # used or revoked

    @property
    def shape(self) -> str:
        return LOOKS[self.state][0]

    @property
    def tone(self) -> str:
        return LOOKS[self.state][1]

    @property
    def is_open(self) -> bool:
        return self.state is TokenState.OPEN


def enrolment(token: EnrolmentToken) -> Enrolment:
    """The checklist of a token: used, heard of since, its Ollama, its hardware and models."""
    client = Client.objects(id=token.client).first() if token.client else None
    # One that is enrolled again has spoken before: only what it says from now on counts.
    heard = client if client and client.last_seen_at and client.last_seen_at >= token.used_at else None
    facts = [
        (client is not None, f"Registered as {client.name}" if client else "Waiting for the agent to register"),
        (heard is not None, "First report"),
        (heard is not None and bool((heard.ollama or {}).get("reachable")), _ollama_words(heard)),
        (heard is not None and heard.hardware_config is not None, "Hardware read"),
        (heard is not None and heard.models_hash is not None, _models_words(heard)),
    ]
    first_open = next((i for i, (done, _) in enumerate(facts) if not done), None)
    steps = [
        Step("done" if done else "now" if i == first_open else "todo", words) for i, (done, words) in enumerate(facts)
    ]
    is_over = client is None and verbs.state_of(token) is not TokenState.OPEN
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


def token_lines() -> list[TokenLine]:
    """The newest tokens, open ones first; two questions."""
    known = [(token, verbs.state_of(token)) for token in verbs.tokens()]
    known.sort(key=lambda each: each[1] is not TokenState.OPEN)
    shown = known[:LINES_SHOWN]
    about = {token.client or token.for_client for token, _ in shown} - {None}
    names = {client.id: client.name for client in Client.objects(id__in=about).only("name")}
    return [_line(token, state, names) for token, state in shown]


def _line(token: EnrolmentToken, state: TokenState, names: dict[object, str]) -> TokenLine:
    about = token.client or token.for_client
    return TokenLine(
        id=token.id,
        state=state,
        name=names.get(about, token.name),
        again=token.for_client is not None,
        client_id=str(about) if about in names else None,
        made_by=token.created_by,
        made_at=token.created_at,
        expires_at=token.expires_at,
        ended_at=token.used_at or token.revoked_at,
    )
