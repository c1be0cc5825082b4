"""So many jobs may wait for all machines together."""

import pytest

from benchmarks import sessions
from benchmarks.documents import Session
from benchmarks.tests import world
from obt_site.errors import Invalid


@pytest.fixture
def forge(settings, database):
    settings.QUEUED_JOBS_MAXIMUM = 3
    forge = world.machine("forge")
    world.session(forge, *world.MODELS[:2])
    return forge


def test_one_too_many_is_refused_with_the_number_and_how_to_raise_it(forge):
    with pytest.raises(Invalid) as refusal:
        world.session(forge, *world.MODELS[:2])

    assert refusal.value.detail == (
        "At most 3 jobs may wait for all machines together; with these it would be 4. "
        "Choose fewer, or raise OBT_JOBS_QUEUED and start the server again."
    )
    assert Session.objects.count() == 1


def test_what_is_queued_again_counts_too(forge):
    ended = world.session(forge, world.MODELS[2])
    sessions.cancel(ended)
    world.session(forge, world.MODELS[1])
    (job,) = sessions.jobs_of(ended)

    for again in (lambda: sessions.retry(ended), lambda: sessions.retry_job(job)):
        with pytest.raises(Invalid) as refusal:
            again()
        assert refusal.value.detail == (
            "At most 3 jobs may wait for all machines together; with these it would be 4. "
            "Wait until some have run, or raise OBT_JOBS_QUEUED and start the server again."
        )
    assert [job.state for job in sessions.jobs_of(ended)] == ["cancelled"]


def test_a_job_that_runs_waits_no_more(forge):
    (offer,) = world.sync(forge).jobs
    world.acknowledge(forge, offer)

    world.session(forge, *world.MODELS[:2])

    assert Session.objects.count() == 2
