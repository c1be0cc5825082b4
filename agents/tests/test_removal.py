"""Removing a machine: what goes, and what stays."""

import pytest

from agents import credentials, removal, verbs
from agents.documents import Event, ModelInstallation
from benchmarks import results, sessions
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.errors import Conflict, NotFound, Unauthenticated

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_its_waiting_jobs_are_cancelled_and_its_models_go(forge):
    session = world.session(forge)
    assert removal.consequences(forge) == removal.Consequences(waiting=2, running=0, models=3)

    removal.remove(forge, "ada")

    assert sessions.find(str(session.id)).state == "cancelled"
    assert ModelInstallation.objects(client=forge.id).count() == 0
    with pytest.raises(NotFound):
        verbs.find(str(forge.id))


def test_its_results_stay_with_its_name(forge):
    result = world.result(forge)

    removal.remove(forge, "ada")

    assert results.find(result.id).client_name == "forge"


def test_a_job_that_runs_is_being_cancelled_and_its_agent_is_refused(database):
    forge, credential = world.register("forge")
    verbs.take_in(forge, world.sync_request(models=[world.model(world.MODELS[0])], models_hash="m"))
    offer = world.running(verbs.find(str(forge.id)), world.MODELS[0])
    header = f"Bearer {credential}"
    assert credentials.authenticate(header).id == forge.id

    removal.remove(verbs.find(str(forge.id)), "ada")

    assert sessions.find_job(offer.job).state == "cancelling"
    with pytest.raises(Unauthenticated):
        credentials.authenticate(header)


def test_a_job_of_a_removed_machine_cannot_be_retried(forge):
    session = world.session(forge, world.MODELS[0])
    removal.remove(forge, "ada")
    (job,) = sessions.jobs_of(session)

    with pytest.raises(Conflict, match="was removed"):
        sessions.retry_job(job)


def test_the_event_says_who_removed_it(forge):
    removal.remove(forge, "ada")

    last = Event.objects.order_by("-number").first()
    assert (last.kind, last.words) == ("machine_removed", "forge was removed by ada; its results stay")


def test_another_machine_may_take_its_name(forge):
    removal.remove(forge, "ada")

    assert world.machine("forge").id != forge.id


def test_the_api_removes_a_machine_for_administrators_only(forge):
    refused = Api(Role.OPERATOR, "op").send("delete", f"clients/{forge.id}")
    admin = Api(Role.ADMIN, "ada")
    done, again = admin.send("delete", f"clients/{forge.id}"), admin.send("delete", f"clients/{forge.id}")

    assert refused.status_code == 403
    assert (done.status_code, done.content) == (204, b"")
    problem(again, 404)
