"""The user API under `/api/v1`: for scripts with a token and for the browser's session.

Routes parse, call one verb and answer; each names its role with `callers.open_to`. `site.py` is the mount, `shapes.py`
the building blocks of the types, `problems.py` the errors, `strictness.py` what callers may send, `once.py` and
`etags.py` what saves them from doing and fetching a thing twice.
"""

from benchmarks.api import (
    audit,
    clients,
    compare,
    enrolments,
    events,
    export,
    jobs,
    models,
    results,
    samples,
    sessions,
    tokens,
)
from benchmarks.api.site import UserApi

PARTS = (clients, enrolments, models, sessions, jobs, export, results, samples, compare, events, tokens, audit)

api = UserApi()
for _part in PARTS:  # `export` before `results`, whose {id} it would be
    api.add_router("", _part.router)
