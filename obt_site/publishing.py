"""What strangers may see where OBT_PUBLIC_READ is on: measurements, and nothing about people, networks and doors.

They read results, comparisons, histories, models and the fleet, as pages and over the API. They do not see who did
what, sessions and their notes, machines' pages, host names, addresses of Ollama, texts of errors (which hold addresses
and paths), events, people, tokens, settings and the audit; and they change nothing. `docs/access.md` has it by route.
"""

from dataclasses import replace

from django.conf import settings

from agent.obt_agent import contract
from obt_site import actor

REASON = "The reason is shown to people who have signed in."
NOT_SHOWN = "not shown"


def is_on() -> bool:
    """Whether strangers may read."""
    return bool(settings.PUBLIC_READ)


def to_a_stranger() -> bool:
    """Whether what is being made now is for somebody who has not signed in."""
    return actor.current().kind == actor.STRANGER


def reason(text: str) -> str:
    """Why something failed, as this reader may know it."""
    return REASON if to_a_stranger() else text


def private(text: str | None) -> str | None:
    """What strangers are not told at all."""
    return None if to_a_stranger() else text


def environment(found: contract.RunEnvironment | None) -> contract.RunEnvironment | None:
    """What a result was measured on, for strangers without where its Ollama is."""
    if found is None or not to_a_stranger():
        return found
    return replace(found, ollama=replace(found.ollama, url=NOT_SHOWN, message=None))
