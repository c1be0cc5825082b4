"""The user API under `/api/v1`: for scripts with a token and for the browser's session.

Routes parse, call one verb and answer; each names its role with `callers.open_to`. `site.py` is the mount, `shapes.py`
the building blocks of the types, `problems.py` the errors, `strictness.py` what callers may send.
"""

from benchmarks.api import audit, clients, compare, jobs, models, results, samples, sessions
from benchmarks.api.site import UserApi

api = UserApi()
for _part in (clients, models, sessions, jobs, results, samples, compare, audit):
    api.add_router("", _part.router)
