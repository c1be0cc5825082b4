"""What a sync changed of a machine, told as events: the machine as it was, and what is stored of it now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents import events, hardware
from agents.documents import Client
from agents.presence import Presence
from obt_site import formatting

NAMED = 3  # models that a sentence names before it only counts
KEPT = 50  # names that an event keeps beside its sentence


@dataclass(frozen=True)
class ModelChanges:
    """Names of models, in order: new on the machine, gone from it, and of another digest."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    other_digest: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.other_digest)


def report(before: Client, changes: Mapping[str, Any], moment: datetime) -> None:
    """Presence, Ollama, hardware and agent: an event for each that is not what it was."""
    if before.last_seen_at is None:
        return  # its first report: there is nothing it could differ from
    _report_presence(before, changes, moment)
    _report_ollama(before, changes["ollama"])
    _report_hardware(before, changes.get("hardware_config"))
    old, new = before.agent_version, changes["agent_version"]
    if old and old != new:
        events.report("agent_version", f"{before.name}: agent {old} → {new}", client=before, before=old, after=new)


def _report_presence(before: Client, changes: Mapping[str, Any], moment: datetime) -> None:
    if before.state != Presence.OFFLINE or changes.get("state", before.state) == Presence.OFFLINE:
        return
    away_s = (moment - before.last_seen_at).total_seconds()
    words = f"{before.name} is back after {formatting.duration(round(away_s))}"
    events.report("machine_back", words, client=before, away_s=away_s)


def _report_ollama(before: Client, ollama: Mapping[str, Any]) -> None:
    known = before.ollama
    if not known:
        return
    if known.get("reachable") and not ollama["reachable"]:
        why = ollama.get("message") or "Ollama does not answer"
        events.report("ollama_away", f"{before.name}: {why}", client=before, problem=ollama.get("problem"))
    elif ollama["reachable"] and not known.get("reachable"):
        events.report("ollama_back", f"{before.name}: Ollama answers again", client=before)
    old, new = before.ollama_version or known.get("version"), ollama.get("version")
    if old and new and old != new:
        events.report("ollama_version", f"{before.name}: Ollama {old} → {new}", client=before, before=old, after=new)


def _report_hardware(before: Client, config: str | None) -> None:
    if config is None or before.hardware_config is None or config == before.hardware_config:
        return
    contents = hardware.contents([before.hardware_config, config])
    found = hardware.differences(contents.get(before.hardware_config, {}), contents.get(config, {}))
    words = "; ".join(change.words for change in found) or "it reports its hardware in another way"
    plain = [{"what": each.what, "before": each.before, "after": each.after} for each in found]
    events.report("hardware_changed", f"{before.name}: {words}", client=before, changes=plain)


def report_models(client: Client, found: ModelChanges) -> None:
    """One event for a list of models that differs from the one before it."""
    if not found or client.models_hash is None:
        return
    parts = [
        _counted(found.added, "added"),
        _counted(found.removed, "removed"),
        _counted(found.other_digest, "with another digest"),
    ]
    events.report(
        "models_changed",
        f"{client.name}: {'; '.join(filter(None, parts))}",
        client=client,
        added=found.added[:KEPT],
        removed=found.removed[:KEPT],
        other_digest=found.other_digest[:KEPT],
    )


def _counted(names: Iterable[str], what: str) -> str:
    """`qwen3:8b added`, `7 models removed: a, b, c …`."""
    all_names = tuple(names)
    if len(all_names) <= 1:
        return f"{all_names[0]} {what}" if all_names else ""
    more = " …" if len(all_names) > NAMED else ""
    return f"{len(all_names)} models {what}: {', '.join(all_names[:NAMED])}{more}"
