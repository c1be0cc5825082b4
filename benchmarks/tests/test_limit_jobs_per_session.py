"""A session may have so many jobs."""

import pytest

from benchmarks import sessions
from benchmarks.documents import Session
from benchmarks.tests import world
from obt_site.errors import Invalid


def test_one_too_many_is_refused_with_the_number_and_how_to_raise_it(settings, database):
    settings.SESSION_JOBS_MAXIMUM = 1
    forge = world.machine("forge")

    with pytest.raises(Invalid) as refusal:
        world.session(forge, *world.MODELS[:2])

    assert refusal.value.detail == (
        "A session has at most 1 jobs; these are 2. "
        "Choose fewer, or raise OBT_JOBS_PER_SESSION and start the server again."
    )
    assert refusal.value.errors[0].field == "targets"
    assert Session.objects.count() == 0


def test_as_many_as_the_limit_are_started(settings, database):
    settings.SESSION_JOBS_MAXIMUM = 2

    session = world.session(world.machine("forge"), *world.MODELS[:2])

    assert len(sessions.jobs_of(session)) == 2
