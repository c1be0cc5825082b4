"""What happened: a log of sentences that is kept short, written by the verbs and read by pages.

`report` never fails the verb that calls it: an event that could not be written is only missing from the log. Nothing is
reported where nothing changed. The sweeper trims the log to the newest KEEP events.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from agents.documents import Client, Event
from benchmarks import live, numbers
from obt_site.text import one_line

log = logging.getLogger(__name__)

COUNTER = "events"
KEEP = 20_000  # events
WORDS_LENGTH = 1000


@dataclass(frozen=True)
class Kind:
    """What an event is about, as filters name it, and how it looks: a glyph and a tone of `obt_site/states.py`."""

    word: str
    shape: str = "info"
    tone: str = "dim"


KINDS: Mapping[str, Kind] = {
    "machine_registered": Kind("Machine added", "check", "good"),
    "machine_offline": Kind("Machine went offline", "cross", "warn"),
    "machine_back": Kind("Machine came back", "check", "good"),
    "machine_renamed": Kind("Machine renamed"),
    "machine_labelled": Kind("Labels changed"),
    "machine_enrolled_again": Kind("Machine enrolled again", "check", "good"),
    "credential_renewed": Kind("Credential renewed"),
    "credential_revoked": Kind("Credential revoked", "cross", "warn"),
    "credential_shared": Kind("Credential used twice", "triangle", "warn"),
    "machine_paused": Kind("Machine paused", "pause"),
    "machine_resumed": Kind("Machine resumed", "ring", "good"),
    "machine_removed": Kind("Machine removed", "cross"),
    "machine_merged": Kind("Machines merged"),
    "ollama_away": Kind("Ollama away", "triangle", "warn"),
    "ollama_back": Kind("Ollama back", "check", "good"),
    "ollama_version": Kind("Ollama version changed"),
    "hardware_changed": Kind("Hardware changed", "triangle", "warn"),
    "models_changed": Kind("Models changed"),
    "agent_version": Kind("Agent version changed"),
    "session_started": Kind("Session started", "live", "acc"),
    "session_finished": Kind("Session finished", "check", "good"),
    "session_failed": Kind("Session finished with failures", "square", "bad"),
    "session_cancelled": Kind("Session cancelled", "cross"),
    "job_failed": Kind("Job failed", "square", "bad"),
    "result_invalid": Kind("Result not valid", "triangle", "warn"),
    "result_late": Kind("Late result kept", "info", "warn"),
}


def report(
    kind: str,
    words: str,
    *,
    client: Client | None = None,
    client_id: ObjectId | None = None,
    client_name: str | None = None,
    session: ObjectId | None = None,
    job: ObjectId | None = None,
    result: str | None = None,
    **data: Any,
) -> None:
    """Write one event down. A database that is away, or words that cannot be stored, cost the event and no more."""
    try:
        Event(
            number=numbers.following(COUNTER),
            kind=kind,
            words=one_line(words)[:WORDS_LENGTH],
            client=client.id if client is not None else client_id,
            client_name=client.name if client is not None else client_name,
            session=session,
            job=job,
            result=result,
            data=data,
        ).save(force_insert=True)
        live.event_reported()
    except Exception:
        log.exception("an event was not written: %s", kind)


def trim(keep: int = KEEP) -> int:
    """Remove all but the newest `keep` events; returns how many went."""
    newest_gone = numbers.latest(COUNTER) - keep
    if newest_gone <= 0:
        return 0
    return int(Event._get_collection().delete_many({"number": {"$lte": newest_gone}}).deleted_count)
