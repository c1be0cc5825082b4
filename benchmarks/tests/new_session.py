"""The new-session form, as a browser sends it."""

from benchmarks.tests import world
from obt_site.tests.people import signed_in

ADDRESS = "/sessions/new"


def pick(machine, model=world.MODELS[0]):
    """A model on a machine, as forms name it."""
    return f"{machine.id}:{model}"


def post(machine, do="start", browser=None, **typed):
    """Send the form for one model of this machine; `typed` replaces or adds fields."""
    return (browser or signed_in()).post(ADDRESS, {"do": do, "pick": [pick(machine)], "budget": "quick", **typed})
