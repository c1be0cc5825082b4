"""What every page shows around its own content."""

from typing import Any

from django.http import HttpRequest
from pymongo.errors import PyMongoError

from agents.documents import Client
from benchmarks.documents import Job
from benchmarks.lifecycle import State
from obt_site import places, publishing
from obt_site.access import Role, role_of

RUNNING = [State.RUNNING.value, State.CANCELLING.value, State.LOST.value]
WAITING = [State.QUEUED.value, State.OFFERED.value]


def page(request: HttpRequest) -> dict[str, Any]:
    """`role` (word or None), `bar` and `more` (places), `work` {running, queued}, `simulated_machines` (names), `demo`.

    Strangers learn nothing; where they may read (`is_stranger`), the places that are open to them.
    """
    user = getattr(request, "user", None)
    role = role_of(user)
    is_stranger = publishing.is_on() and not (user and user.is_authenticated)
    if is_stranger:
        around = {"role": Role.VIEWER.word, "is_stranger": True, "bar": places.open_to_strangers(), "work": None}
    elif role is None:
        return {"role": None, "work": None, "simulated_machines": [], "demo": False}
    else:
        around = {"role": role.word, "bar": places.open_to(places.BAR, role), "more": places.open_to(places.MORE, role)}
    if getattr(request, "database_is_away", False):  # known already: asking again would take seconds
        return {**around, "work": None, "simulated_machines": [], "demo": False}
    try:
        simulated, demo = simulated_machines()
        running = {} if is_stranger else {"work": work()}
        return {**around, **running, "simulated_machines": simulated, "demo": demo}
    except PyMongoError:  # the page that says so must still come
        return {**around, "work": None, "simulated_machines": [], "demo": False}


def work() -> dict[str, int]:
    """How many jobs run and wait, for the top bar."""
    return {
        "running": Job.objects(state__in=RUNNING).count(),
        "queued": Job.objects(state__in=WAITING).count(),
    }


def simulated_machines() -> tuple[list[str], bool]:
    """The names of the machines that measure the simulator instead of an Ollama, and whether the demo's are here."""
    clients = list(Client.objects.only("name", "ollama", "has_agent"))
    simulated = [client for client in clients if (client.ollama or {}).get("simulated")]
    return sorted(one.name for one in simulated if one.has_agent), not all(one.has_agent for one in clients)
