"""The verbs on machines: enrol, register, take in a sync, rename, pause, remove. Only these write clients."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from django.conf import settings
from mongoengine.errors import NotUniqueError

from agent.obt_agent import contract, wire
from agents import credentials, hardware, presence
from agents.documents import Client, EnrolmentToken, ModelInstallation
from benchmarks import live
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Invalid, NotFound, Unauthenticated
from obt_site.text import one_line

TOKEN_PREFIX = "obte"  # noqa: S105  (a prefix, not a secret)
TOKEN_BYTES = 24
NAME_LENGTH = 100
HISTORY_LENGTH = 60  # readings, one per sync: about ten minutes
NAME_TRIES = 1000


def find(client_id: str) -> Client:
    """The client, or NotFound."""
    client: Client | None = Client.objects(id=client_id).first() if ObjectId.is_valid(client_id) else None
    if client is None:
        raise NotFound("There is no such machine. It may have been removed.")
    return client


# -- enrolment -------------------------------------------------------------------------------------------------------


def create_enrolment_token(
    name: str | None = None, by: str = "system", lifetime: timedelta | None = None
) -> tuple[str, datetime]:
    """A one-use token and when it expires. The text is returned once; only its hash is kept."""
    token = f"{TOKEN_PREFIX}_{secrets.token_urlsafe(TOKEN_BYTES)}"
    expires_at = now() + (lifetime or settings.ENROLMENT_TOKEN_LIFETIME)
    name = check_name(name) if name else None
    EnrolmentToken(id=token_id(token), name=name, created_by=by, expires_at=expires_at).save(force_insert=True)
    return token, expires_at


def token_id(token: str) -> str:
    """Under what an enrolment token is kept: its sha256, hex. Who knows it cannot enrol with it."""
    return hashlib.sha256(token.encode()).hexdigest()


def register(request: contract.RegisterRequest) -> contract.RegisterResponse:
    """Make the machine a client, once per token. Raises Unauthenticated when the token is unknown, used or too old."""
    if not contract.OLDEST_PROTOCOL <= request.protocol <= contract.PROTOCOL:
        raise Conflict(
            f"This server speaks agent protocol {contract.OLDEST_PROTOCOL} to {contract.PROTOCOL}, the agent"
            f" {request.protocol}. Install the agent that came with this server."
        )
    moment, issued, identity = now(), credentials.issue(), ObjectId()
    token = EnrolmentToken.objects(id=token_id(request.token)).first()
    if token is None or token.used_at or token.expires_at < moment:
        raise Unauthenticated(_why_not(token))
    used = EnrolmentToken.objects(id=token.id, used_at=None).update_one(set__used_at=moment, set__client=identity)
    if not used:
        raise Unauthenticated(_why_not(EnrolmentToken.objects(id=token.id).first()))
    client = _insert_client(identity, token.name or request.name or request.hostname, request, issued)
    live.fleet_changed()
    return contract.RegisterResponse(str(client.id), client.name, issued.text, moment.isoformat())


def _why_not(token: EnrolmentToken | None) -> str:
    if token is None:
        return "This enrolment token is not known. Make a new one on the fleet page."
    if token.used_at:
        return "This enrolment token was already used; each works once. Make a new one on the fleet page."
    return "This enrolment token has expired; each works for an hour. Make a new one on the fleet page."


def _insert_client(
    identity: ObjectId, wanted: str, request: contract.RegisterRequest, issued: credentials.Issued
) -> Client:
    """Two machines of one name become `name` and `name-2`."""
    wanted = one_line(wanted)[: NAME_LENGTH - 5].strip() or "machine"
    for i in range(1, NAME_TRIES):
        client = Client(
            id=identity,
            name=wanted if i == 1 else f"{wanted}-{i}",
            hostname=request.hostname,
            credential_id=issued.id,
            credential_hash=issued.hash,
            agent_version=request.agent_version,
            protocol=request.protocol,
        )
        try:
            return client.save(force_insert=True)  # type: ignore[no-any-return]
        except NotUniqueError:
            continue
    raise Conflict(f"There are too many machines called “{wanted}”. Give this one a name with --name.")


def check_name(name: str) -> str:
    """A machine's name, trimmed; raises Invalid when it is empty or too long."""
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        message = f"A machine's name has 1 to {NAME_LENGTH} printable characters."
        raise Invalid(message, [FieldError("name", message)])
    return name


# -- sync ------------------------------------------------------------------------------------------------------------


def take_in(client: Client, request: contract.SyncRequest) -> list[str]:
    """Store what a sync says of the machine; returns what the agent should send whole: "hardware", "models"."""
    moment = now()
    changes: dict[str, Any] = {
        "last_seen_at": moment,
        "agent_version": request.agent_version,
        "protocol": request.protocol,
        "boot_id": request.boot_id,
        "hostname": request.hostname or client.hostname,
        "refusal": request.refusal,
        "loaded": wire.encode(request.loaded),
        **_ollama(client, request.ollama, moment),
        **_reading(client, request.reading, moment),
    }
    resend: list[str] = []
    if request.hardware is not None:
        changes["hardware_config"] = hardware.keep(request.hardware).id
    elif request.hardware_hash is not None and request.hardware_hash != client.hardware_config:
        resend.append("hardware")
    if request.models is not None:
        _keep_models(client, request.models)
        changes |= {"models_hash": request.models_hash, "models_count": len(request.models), "models_at": moment}
    elif request.models_hash is not None and request.models_hash != client.models_hash:
        resend.append("models")
    changes |= _state(client, changes, moment)
    Client._get_collection().update_one({"_id": client.id}, {"$set": changes})
    live.fleet_changed()
    return resend


def _ollama(client: Client, state: contract.OllamaState, moment: datetime) -> dict[str, Any]:
    known = client.ollama or {}
    same = known and known.get("reachable") == state.reachable and known.get("problem") == state.problem
    since = client.ollama_since if same and client.ollama_since else moment
    return {"ollama": wire.encode(state), "ollama_since": since}


def _reading(client: Client, reading: contract.HostReading | None, moment: datetime) -> dict[str, Any]:
    if reading is None:
        return {}
    memory = None
    if reading.memory_used_bytes is not None and reading.memory_total_bytes:
        memory = 100 * reading.memory_used_bytes / reading.memory_total_bytes
    gpu = reading.gpus[0].utilisation_percent if reading.gpus else None
    entry = {"at": moment, "cpu": reading.cpu_percent, "memory": memory, "gpu": gpu}
    return {"reading": wire.encode(reading), "history": [*client.history, entry][-HISTORY_LENGTH:]}


def _state(client: Client, changes: dict[str, Any], moment: datetime) -> dict[str, Any]:
    verdict = presence.judge(moment, changes["ollama"], changes["ollama_since"], moment)
    if verdict.state == client.state and verdict.reason == client.reason:
        return {}
    since = verdict.since or (client.state_since if verdict.state == client.state else moment)
    return {"state": verdict.state.value, "reason": verdict.reason, "state_since": since}


def _keep_models(client: Client, models: list[contract.InstalledModel]) -> None:
    """Make the stored list equal to the sent one, touching only what differs."""
    known = {model.name: model for model in ModelInstallation.objects(client=client.id)}
    sent = {model.name: model for model in models}
    gone = [model.id for name, model in known.items() if name not in sent]
    if gone:
        ModelInstallation.objects(id__in=gone).delete()
    for name, model in sent.items():
        fields = wire.encode(model)
        if name in known and all(known[name][key] == value for key, value in fields.items()):
            continue
        document = known.get(name) or ModelInstallation(client=client.id)
        for key, value in {**fields, "seen_at": now()}.items():
            document[key] = value
        document.save()


# -- by people -------------------------------------------------------------------------------------------------------


def rename(client: Client, name: str) -> Client:
    """Give the machine another name; a taken one is a Conflict."""
    try:
        Client.objects(id=client.id).update_one(set__name=check_name(name))
    except NotUniqueError:
        raise Conflict(f"Another machine is already called “{name.strip()[:NAME_LENGTH]}”.") from None
    live.fleet_changed()
    return find(str(client.id))


def set_paused(client: Client, paused: bool) -> Client:
    """A paused machine stays in sight and gets no new job."""
    Client.objects(id=client.id).update_one(set__paused=paused)
    live.fleet_changed()
    live.wake(client.id)
    return find(str(client.id))


def set_labels(client: Client, labels: list[str]) -> Client:
    """Replace the machine's labels."""
    cleaned = list(dict.fromkeys(label.strip() for label in labels if label.strip()))
    if len(cleaned) > 20 or any(len(label) > 60 for label in cleaned):
        message = "A machine has at most 20 labels of at most 60 characters."
        raise Invalid(message, [FieldError("labels", message)])
    Client.objects(id=client.id).update_one(set__labels=cleaned)
    live.fleet_changed()
    return find(str(client.id))


def models_of(client: Client) -> list[ModelInstallation]:
    """The machine's models by name."""
    return sorted(ModelInstallation.objects(client=client.id), key=lambda model: model.name)
