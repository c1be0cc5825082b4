"""Removing a machine: what goes with it, and what stays.

Its credential dies with it, so that its agent is refused from then on; jobs that wait for it are cancelled; the list of
its models goes. Results stay, with its name, and so do its hardware configs, sessions and events.
"""

from dataclasses import asdict, dataclass

from agents import events
from agents.documents import Client, ModelInstallation
from benchmarks import lifecycle, live, sessions
from benchmarks.documents import Job
from benchmarks.lifecycle import State
from obt_site import audit
from obt_site.errors import Conflict

OPEN = [state.value for state in State if state not in lifecycle.TERMINAL]


@dataclass(frozen=True)
class Consequences:
    """What removing a machine would end."""

    waiting: int
    running: int
    models: int


def consequences(client: Client) -> Consequences:
    """Counted now; a job may start or end before somebody says yes."""
    states = [job.state for job in _open_jobs(client)]
    waiting = sum(state in (State.QUEUED, State.OFFERED) for state in states)
    return Consequences(waiting, len(states) - waiting, client.models_count or 0)


def remove(client: Client, by: str) -> None:
    """Remove the machine. Safe to repeat after a crash in its middle: the machine itself goes last but its leftovers.

    It is paused first, so that nothing is handed out meanwhile; what was queued for it while its jobs were being
    cancelled is cancelled after it is gone.
    """
    lost = consequences(client)
    Client.objects(id=client.id).update_one(set__paused=True)
    _cancel_jobs(client)
    Client.objects(id=client.id).delete()
    _cancel_jobs(client)
    ModelInstallation.objects(client=client.id).delete()
    words = f"{client.name} was removed by {by}; its results stay"
    events.report("machine_removed", words, client=client, hostname=client.hostname)
    before = {"name": client.name, "hostname": client.hostname, **asdict(lost)}
    audit.record(
        "machine.remove", f"{client.name} was removed", about=("machine", client.id, client.name), before=before
    )
    live.fleet_changed()
    live.wake(client.id)


def _open_jobs(client: Client) -> list[Job]:
    return list(Job.objects(client=client.id, state__in=OPEN))


def _cancel_jobs(client: Client) -> None:
    for job in _open_jobs(client):
        try:
            sessions.end_job(job)
        except Conflict:
            continue  # it ended by itself meanwhile
    for job in Job.objects(client=client.id, state=State.FAILED.value):
        if job.not_before is not None:
            sessions.end_job(job)
