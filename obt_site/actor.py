"""Who acts: the person, token, machine or command behind what the server is doing now.

Set where a caller is let in (`obt_site/access.py`, `benchmarks/api/callers.py`, `agents/api.py`, commands), read where
a change is written down (`obt_site/audit.py`). A context variable, so that verbs need no parameter for it and two
requests never see each other's.
"""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

PERSON, TOKEN, AGENT, COMMAND, SYSTEM = "person", "token", "agent", "command", "system"
STRANGER = "stranger"  # nobody who is known: someone at the sign-in page, or a reader where reading is public


@dataclass(frozen=True)
class Actor:
    """`id` is the user's, token's or client's, where there is one; `address` is where a request came from."""

    kind: str
    name: str
    id: str | None = None
    address: str | None = None


THE_SERVER = Actor(SYSTEM, "OBT")
_actor: ContextVar[Actor] = ContextVar("actor", default=THE_SERVER)


def current() -> Actor:
    """Who acts; the server itself where nobody else does."""
    return _actor.get()


def acts(actor: Actor) -> None:
    """From here to the end of the request, this one acts."""
    _actor.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """In this block, this one acts."""
    before = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(before)


def command(name: str) -> Actor:
    """The person at the terminal who runs `manage.py NAME`."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        who = "?"
    return Actor(COMMAND, f"{who}: manage.py {name}")
