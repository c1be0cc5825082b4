"""The verbs on machines: take in a sync, rename, label, pause. How one comes is in `enrolment.py`, how it goes in
`removal.py`, and its credential in `credentials.py`; nothing else writes clients."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from agent.obt_agent import contract, wire
from agents import changes as seen_changes
from agents import doubles, events, hardware, presence, recent
from agents.documents import Client, ModelInstallation
from benchmarks import live
from obt_site import audit
from obt_site.clock import now
from obt_site.errors import Conflict, FieldError, Invalid, NotFound
from obt_site.text import one_line

NAME_LENGTH = 100
HARDWARE_HISTORY_LENGTH = 50  # changes of the hardware
LABELS_MAXIMUM, LABEL_LENGTH = 20, 60
NAME_TRIES = 1000


def find(client_id: str) -> Client:
    """The client, or NotFound."""
    client: Client | None = Client.objects(id=client_id).first() if ObjectId.is_valid(client_id) else None
    if client is None:
        raise NotFound("There is no such machine. It may have been removed.")
    return client


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
        **doubles.judge(client, request.boot_id, request.hostname, moment),
    }
    resend: list[str] = []
    other_models = seen_changes.ModelChanges()
    if request.hardware is not None:
        changes |= _hardware(client, hardware.keep(request.hardware).id, moment)
    elif request.hardware_hash is not None and request.hardware_hash != client.hardware_config:
        resend.append("hardware")
    if request.models is not None:
        other_models = _keep_models(client, request.models)
        changes |= {"models_hash": request.models_hash, "models_count": len(request.models), "models_at": moment}
    elif request.models_hash is not None and request.models_hash != client.models_hash:
        resend.append("models")
    changes |= _state(client, changes, moment)
    Client._get_collection().update_one({"_id": client.id}, {"$set": changes})
    seen_changes.report(client, changes, moment)
    doubles.report(client, changes)
    seen_changes.report_models(client, other_models)
    live.fleet_changed()
    return resend


def _hardware(client: Client, config: str, moment: datetime) -> dict[str, Any]:
    if config == client.hardware_config:
        return {}
    history = [*client.hardware_history, {"config": config, "at": moment}]
    return {"hardware_config": config, "hardware_history": history[-HARDWARE_HISTORY_LENGTH:]}


def _ollama(client: Client, state: contract.OllamaState, moment: datetime) -> dict[str, Any]:
    known = client.ollama or {}
    same = known and known.get("reachable") == state.reachable and known.get("problem") == state.problem
    since = client.ollama_since if same and client.ollama_since else moment
    version = state.version or client.ollama_version
    return {"ollama": wire.encode(state), "ollama_since": since, "ollama_version": version}


def _reading(client: Client, reading: contract.HostReading | None, moment: datetime) -> dict[str, Any]:
    if reading is None:
        return {}
    memory = None
    if reading.memory_used_bytes is not None and reading.memory_total_bytes:
        memory = 100 * reading.memory_used_bytes / reading.memory_total_bytes
    entry = {"at": moment, "cpu": reading.cpu_percent, "memory": memory, **_gpu(reading)}
    return {"reading": wire.encode(reading), "recent": recent.with_one_more(client.recent, entry)}


def _gpu(reading: contract.HostReading) -> dict[str, Any]:
    """The first GPU of a reading, as the history keeps it: % of use and memory, W, °C."""
    if not reading.gpus:
        return {"gpu": None}
    gpu = reading.gpus[0]
    memory = None
    if gpu.memory_used_bytes is not None and gpu.memory_total_bytes:
        memory = 100 * gpu.memory_used_bytes / gpu.memory_total_bytes
    return {
        "gpu": gpu.utilisation_percent,
        "gpu_memory": memory,
        "power_w": gpu.power_w,
        "temperature_c": gpu.temperature_c,
    }


def _state(client: Client, changes: dict[str, Any], moment: datetime) -> dict[str, Any]:
    verdict = presence.judge(moment, changes["ollama"], changes["ollama_since"], moment)
    if verdict.state == client.state and verdict.reason == client.reason:
        return {}
    since = verdict.since or (client.state_since if verdict.state == client.state else moment)
    return {"state": verdict.state.value, "reason": verdict.reason, "state_since": since}


def _keep_models(client: Client, models: list[contract.InstalledModel]) -> seen_changes.ModelChanges:
    """Make the stored list equal to the sent one, touching only what differs; returns what that was."""
    known = {model.name: model for model in ModelInstallation.objects(client=client.id)}
    digests = {name: model.digest for name, model in known.items()}
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
    return seen_changes.ModelChanges(
        added=tuple(name for name in sent if name not in known),
        removed=tuple(name for name in known if name not in sent),
        other_digest=tuple(name for name in sent if name in digests and digests[name] != sent[name].digest),
    )


# -- by people -------------------------------------------------------------------------------------------------------


def _about(client: Client) -> tuple[str, Any, str]:
    return ("machine", client.id, client.name)


def rename(client: Client, name: str) -> Client:
    """Give the machine another name; a taken one is a Conflict."""
    wanted = check_name(name)
    try:
        Client.objects(id=client.id).update_one(set__name=wanted)
    except NotUniqueError:
        raise Conflict(f"Another machine is already called “{name.strip()[:NAME_LENGTH]}”.") from None
    renamed = find(str(client.id))
    if wanted != client.name:
        words = f"{client.name} is called {wanted} now"
        events.report("machine_renamed", words, client=renamed, before=client.name, after=wanted)
        audit.record(
            "machine.rename", words, about=_about(renamed), before={"name": client.name}, after={"name": wanted}
        )
    live.fleet_changed()
    return renamed


def set_paused(client: Client, paused: bool) -> Client:
    """A paused machine stays in sight and gets no new job."""
    Client.objects(id=client.id).update_one(set__paused=paused)
    if paused != client.paused:
        words = "is paused: it gets no new job" if paused else "takes jobs again"
        events.report("machine_paused" if paused else "machine_resumed", f"{client.name} {words}", client=client)
        audit.record(
            "machine.pause" if paused else "machine.resume",
            f"{client.name} {words}",
            about=_about(client),
            before={"paused": not paused},
            after={"paused": paused},
        )
    live.fleet_changed()
    live.wake(client.id)
    return find(str(client.id))


def check_labels(labels: Sequence[str]) -> list[str]:
    """Labels, trimmed, each once; raises Invalid when there are too many or one is too long."""
    cleaned = list(dict.fromkeys(label for each in labels if (label := one_line(each).strip())))
    if len(cleaned) > LABELS_MAXIMUM or any(len(label) > LABEL_LENGTH for label in cleaned):
        message = f"A machine has at most {LABELS_MAXIMUM} labels of at most {LABEL_LENGTH} characters."
        raise Invalid(message, [FieldError("labels", message)])
    return cleaned


def set_labels(client: Client, labels: Sequence[str]) -> Client:
    """Replace the machine's labels."""
    cleaned = check_labels(labels)
    Client.objects(id=client.id).update_one(set__labels=cleaned)
    if cleaned != list(client.labels):
        words = f"{client.name} is labelled {', '.join(cleaned)}" if cleaned else f"{client.name} has no labels now"
        events.report("machine_labelled", words, client=client, before=list(client.labels), after=cleaned)
        old = {"labels": list(client.labels)}
        audit.record("machine.label", words, about=_about(client), before=old, after={"labels": cleaned})
    live.fleet_changed()
    return find(str(client.id))
