"""The demo: believable, marked as simulated, of the same shape as what is real, and gone without a trace."""

import random
from io import StringIO
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command

from agents import presence
from agents.documents import Client, HardwareConfig, ModelInstallation
from benchmarks import measured, numbers, queue, shelf, sweeper
from benchmarks.demo import machines, marks, models, speeds
from benchmarks.demo.add import Asked, Made, add
from benchmarks.demo.remove import KINDS, remove
from benchmarks.documents import Job, Result, SampleBlock, Session, TelemetrySeries
from benchmarks.tests import world
from obt_site import mongo
from obt_site.clock import now
from obt_site.errors import Conflict
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db

SMALL = Asked(machines=12, models=20, results=40, whole=40)
TINY = Asked(machines=3, models=8, results=12, whole=4)


def stored() -> dict[str, list[dict[str, Any]]]:
    """Everything in the database but the counters and the audit, which keeps what was done, by collection."""
    return {
        name: sorted(mongo.database()[name].find(), key=lambda one: str(one["_id"]))
        for name in mongo.database().list_collection_names()
        if name not in ("counters", "meta", "audit")
    }


def shape(document: Any, depth: int = 2) -> Any:
    """The names in a document, and in what it holds."""
    if not isinstance(document, dict) or depth == 0:
        return None
    return {name: shape(value, depth - 1) for name, value in document.items()}


def test_it_makes_as_many_as_were_asked_for(database):
    made = add(SMALL)

    assert (made.machines, made.models, made.results) == (12, 20, 40)
    assert Client.objects.count() == 12
    assert Result.objects.count() == 40
    assert Session.objects.count() == made.sessions
    assert len({one.name for one in ModelInstallation.objects}) == 20


def test_the_same_seed_makes_the_same_numbers_and_another_one_others(database):
    def medians() -> list[Any]:
        found = sorted(shelf.Shelf().results(), key=lambda one: one.number)
        return [(one.client_name, one.model, list(one.values)) for one in found]

    seen = []
    for seed in (1, 1, 2):
        add(Asked(TINY.machines, TINY.models, TINY.results, seed, 0))
        seen.append(medians())
        remove()

    assert seen[0] == seen[1] != seen[2]


def test_all_of_it_is_marked_as_simulated(database):
    add(SMALL)

    assert all(result.simulated for result in Result.objects)
    assert all(client.ollama["simulated"] for client in Client.objects)


def test_every_id_of_it_says_that_it_is_made_up_and_no_other_does(database):
    add(TINY)

    for kind in KINDS:
        assert all(marks.made_up(one.id) for one in kind.objects), kind
    assert not marks.made_up(ObjectId())
    assert not marks.made_up("nonsense")


def test_a_result_of_it_has_the_shape_of_a_real_one(database):
    real = world.result(world.machine("mine")).to_mongo().to_dict()
    add(SMALL)

    made = next(r for r in Result.objects if r.outcome == "succeeded" and r.placement and r.cells).to_mongo().to_dict()

    assert shape(made, 1) == shape(real, 1)
    assert shape(made["environment"]) == shape(real["environment"])
    assert [set(cell) for cell in made["cells"][:1]] == [set(cell) for cell in real["cells"][:1]]
    assert {type(made[name]) for name in real} == {type(real[name]) for name in real}


def test_jobs_and_sessions_of_it_have_the_shape_of_real_ones(database):
    result = world.result(world.machine("mine"))
    session, job = Session.objects.get(id=result.session), Job.objects.get(id=result.job)
    add(SMALL)

    made = next(r for r in Result.objects(simulated=True) if r.outcome == "succeeded")

    lived = {"deliveries", "progress", "progress_seq", "expected_s", "expected_from", "note"}  # not made up
    assert set(session.to_mongo()) - set(Session.objects.get(id=made.session).to_mongo()) <= lived
    assert set(job.to_mongo()) - set(Job.objects.get(id=made.job).to_mongo()) <= lived


def test_medians_follow_from_the_samples_that_are_kept(database):
    add(SMALL)
    checked = 0
    for result in Result.objects(outcome="succeeded"):
        for cell in result.cells:
            numbers_of = measured.values(result, cell["cell"], cell["headline"]) if cell["valid"] else []
            if numbers_of:
                summary = cell["metrics"][cell["headline"]]
                assert summary["n"] == len(numbers_of)
                assert min(numbers_of) <= summary["low"] <= summary["median"] <= summary["high"] <= max(numbers_of)
                checked += 1
    assert checked > 50


def test_only_as_many_results_as_asked_keep_their_samples(database):
    add(Asked(TINY.machines, TINY.models, results=60, whole=5))

    having = {block.result for block in SampleBlock.objects.only("result")}
    assert 0 < len(having) < 50
    assert TelemetrySeries.objects.count() <= len(having)


def test_larger_models_are_slower_and_faster_machines_faster():
    small, large = (next(m for m in models.published(80) if m.name == name) for name in ("llama3.2:3b", "qwen3:32b"))
    fleet = {machine.name: machine for machine in machines.FLEET}

    def rate(name: str, model: models.Model) -> float:
        return speeds.speed(fleet[name], model, 1.0, 1.0, random.Random(1)).decode

    assert rate("forge", small) > rate("mini", small) > rate("pebble", small)
    assert rate("forge", small) > 3 * rate("forge", large)
    assert speeds.speed(fleet["wisp"], large, 1.0, 1.0, random.Random(1)).gpu_share < 0.5


def test_machines_are_in_several_states_and_stay_in_them_while_the_server_runs(database):
    add(Asked(machines=12, models=20, results=0))
    before = {client.name: client.state for client in Client.objects}
    assert set(before.values()) == {"online", "offline", "degraded"}
    Client.objects(name="forge").update_one(set__last_seen_at=now() - presence.settings.OFFLINE_AFTER * 3)

    presence.refresh_all()

    assert {client.name: client.state for client in Client.objects} == before
    assert presence.of(Client.objects.get(name="forge")).state == "online"
    assert presence.of(Client.objects.get(name="lark")).state == "offline"


def test_nothing_of_it_is_handed_out_or_swept(database):
    add(SMALL)
    before = {job.id: job.state for job in Job.objects}

    sweeper.sweep()

    assert {job.id: job.state for job in Job.objects} == before
    held = {session.id for session in Session.objects(paused=True)}
    waiting = {job.client for job in Job.objects(state="queued") if job.session not in held}
    assert waiting == {client.id for client in Client.objects(paused=True)}
    assert all(queue.with_agent(client) == [] for client in Client.objects)


def test_nothing_in_it_is_later_than_now(database):
    add(SMALL)

    assert all(result.created_at < now() for result in Result.objects)
    numbered = sorted(Result.objects, key=lambda one: one.number)
    assert [one.created_at for one in numbered] == sorted(one.created_at for one in numbered)


def test_removing_it_leaves_everything_else_as_it_was(database):
    forge = world.machine("mine")
    world.result(forge)
    world.session(forge)
    before = stored()
    add(TINY)
    assert stored() != before

    remove()

    assert stored() == before


def test_what_was_shown_of_it_is_gone_at_once(database):
    mine = world.result(world.machine("mine"))
    kept = shelf.Shelf()
    add(TINY)
    assert len(kept.results()) == TINY.results + 1

    remove()

    assert [one.id for one in kept.results()] == [mine.id]


def test_hardware_that_a_real_machine_has_too_is_kept(database):
    world.machine("mine", gear=machines.FLEET[0].gear)
    add(TINY)

    remove()

    assert HardwareConfig.objects.count() == 1


def test_what_an_interrupted_demo_left_is_refused_and_removed(database):
    before = stored()

    class Interrupted(Exception):
        pass

    def tell(done: int, wanted: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        add(TINY, tell)
    with pytest.raises(Conflict, match="already here"):
        add(TINY)
    remove()

    assert stored() == before
    assert add(TINY).results == TINY.results


def test_a_machine_of_the_same_name_is_not_touched(database):
    world.machine("forge")
    before = stored()

    with pytest.raises(Conflict, match="rename yours"):
        add(TINY)

    assert stored() == before


def test_numbers_of_results_that_come_meanwhile_are_not_given_twice(database):
    first = numbers.reserve("results", 5)

    assert (first, numbers.following("results"), numbers.reserve("results", 2)) == (1, 6, 7)
    assert numbers.latest("results") == 8


def test_models_have_names_of_their_own_and_the_same_name_other_content_on_some_machines(database):
    names = [model.name for model in models.published(300)]
    assert len(set(names)) == 300

    add(Asked(machines=12, models=300, results=0))

    digests: dict[str, set[str]] = {}
    for one in ModelInstallation.objects:
        digests.setdefault(one.name, set()).add(one.digest)
    assert 5 < sum(len(found) > 1 for found in digests.values()) < 100


def test_the_command_says_what_it_made_and_what_it_took_away(database):
    said = StringIO()

    call_command("demo", machines=2, models=5, results=8, stdout=said, stderr=StringIO())
    call_command("demo", remove=True, stdout=said)
    call_command("demo", remove=True, stdout=said)

    made, removed, nothing = said.getvalue().splitlines()
    assert made.startswith("Made up: 2 machines, 5 models, ")
    assert "simulated" in made
    assert removed.startswith("Removed: ")
    assert "8 results" in removed
    assert nothing == "There is nothing of the demo here."


@pytest.mark.parametrize("name", ["machines", "models", "results"])
def test_the_command_refuses_fewer_than_none(database, name):
    with pytest.raises(CommandError, match="0 or more"):
        call_command("demo", **{name: -1})


def test_none_of_anything_is_a_demo_too(database):
    assert add(Asked(machines=0, models=0, results=0)) == Made(0, 0, 0, 0)
    assert add(Asked(machines=2, models=0, results=5)) == Made(2, 0, 0, 0)


def test_every_page_shows_it(database):
    add(SMALL)
    browser = signed_in()
    result, session = Result.objects.order_by("-number").first(), Session.objects.first()
    machine = Client.objects.get(name="forge")

    assert "This is the demo" in words(browser.get("/fleet"))
    assert "demo --remove" not in words(browser.get("/fleet"))
    for address in ("/fleet", "/models", "/sessions", "/results", f"/machines/{machine.id}"):
        assert browser.get(address).status_code == 200, address
    assert "simulat" in words(browser.get(f"/results/{result.id}")).lower()
    assert browser.get(f"/sessions/{session.id}").status_code == 200
