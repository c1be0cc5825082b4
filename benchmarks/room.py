"""Whether there is room for one more session, or more jobs: how many are under way, how many wait for all machines."""

from django.conf import settings

from benchmarks.documents import Job, Session
from benchmarks.lifecycle import State
from obt_site.ceilings import full
from obt_site.errors import FieldError, Invalid

UNDER_WAY = ("queued", "running")
WAITING = (State.QUEUED.value, State.OFFERED.value)


def check(jobs: int) -> None:
    """Raises Invalid when a session with so many jobs would be one too many. Two that start at once may both fit."""
    most = settings.SESSIONS_UNDER_WAY_MAXIMUM
    sessions = Session.objects(state__in=UNDER_WAY).count() + 1
    if sessions > most:
        rule = "At most {} sessions may be under way; with this one it would be"
        raise _none(full(rule, most, sessions, "Wait until one has ended", "OBT_SESSIONS_UNDER_WAY"))
    check_waiting(jobs, "Choose fewer", "targets")


def check_waiting(jobs: int, instead: str = "Wait until some have run", field: str | None = None) -> None:
    """Raises Invalid, at this field of a form, when so many more jobs could not wait; it says what to do `instead`."""
    most = settings.QUEUED_JOBS_MAXIMUM
    waiting = Job.objects(state__in=WAITING).count() + jobs
    if waiting > most:
        rule = "At most {} jobs may wait for all machines together; with these it would be"
        raise _none(full(rule, most, waiting, instead, "OBT_JOBS_QUEUED"), field)


def _none(message: str, field: str | None = "targets") -> Invalid:
    return Invalid(message, [FieldError(field, message)] if field else [])
