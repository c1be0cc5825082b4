"""The log of what happened: what is written down, and what is not worth a line."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.obt_agent import contract
from agents import events, hardware, presence, verbs
from agents.documents import Client as Machine
from agents.documents import Event
from benchmarks import sessions, sweeper
from benchmarks.tests import world
from obt_site.clock import now
from obt_site.errors import Conflict

GIB = 1024**3
AWAY = contract.OllamaState("http://127.0.0.1:11434", False, problem="refused", message="Ollama refused it")


@pytest.fixture
def forge(database):
    machine = world.machine("forge")
    Event.objects.delete()
    return machine


def told() -> list[tuple[str, str]]:
    """Kind and words of every event, oldest first."""
    return [(event.kind, event.words) for event in Event.objects.order_by("number")]


def kinds() -> list[str]:
    return [kind for kind, _ in told()]


def again(machine, **fields):
    verbs.take_in(verbs.find(str(machine.id)), world.sync_request(**fields))


def test_a_new_machine_says_by_whom_it_was_added_and_its_first_report_says_nothing(database):
    machine = world.machine("forge")

    assert told() == [("machine_registered", "forge was added by system")]
    assert Event.objects.first().client == machine.id


def test_a_sync_that_changes_nothing_writes_nothing(forge):
    again(forge)
    again(forge, hardware=world.HARDWARE, hardware_hash=hardware.content_hash(world.HARDWARE))
    again(forge, models=[world.model(name) for name in world.MODELS], models_hash="models-1")

    assert told() == []


def test_an_ollama_that_goes_and_comes_back_with_another_version_is_three_events(forge):
    again(forge, ollama=AWAY)
    again(forge, ollama=AWAY)
    again(forge, ollama=contract.OllamaState("http://127.0.0.1:11434", True, version="0.30.1", local=True))

    assert told() == [
        ("ollama_away", "forge: Ollama refused it"),
        ("ollama_back", "forge: Ollama answers again"),
        ("ollama_version", "forge: Ollama 0.24.0 → 0.30.1"),
    ]


def test_another_version_of_ollama_or_of_the_agent_is_told_with_both(forge):
    state = contract.OllamaState("http://127.0.0.1:11434", True, version="0.30.1", local=True)

    again(forge, ollama=state, agent_version="0.2.0")

    assert ("ollama_version", "forge: Ollama 0.24.0 → 0.30.1") in told()
    assert ("agent_version", "forge: agent 0.1.0 → 0.2.0") in told()


def test_changed_hardware_says_what_was_before_and_keeps_when(forge):
    driver = replace(world.HARDWARE.gpus[0], driver_version="580.01")
    other = replace(world.HARDWARE, gpus=[driver], memory_total_bytes=128 * GIB)

    again(forge, hardware=other, hardware_hash=hardware.content_hash(other))

    ((kind, words),) = told()
    assert kind == "hardware_changed"
    assert "memory total 64 GB → 128 GB" in words
    assert "GPU driver version 570.86.16 → 580.01" in words
    stored = verbs.find(str(forge.id))
    assert [each["config"] for each in stored.hardware_history][-1] == stored.hardware_config
    assert len(stored.hardware_history) == 2


def test_models_that_came_went_or_have_another_digest_are_one_event(forge):
    models = [world.model("qwen3:8b", "another"), world.model("new:1b"), world.model("llama3.2:3b")]

    again(forge, models=models, models_hash="models-2")

    words = "forge: new:1b added; gemma3:4b removed; qwen3:8b with another digest"
    assert told() == [("models_changed", words)]


def test_many_models_are_counted_and_three_are_named(forge):
    models = [world.model(name) for name in (*world.MODELS, "a:1b", "b:1b", "c:1b", "d:1b")]

    again(forge, models=models, models_hash="models-2")

    assert told() == [("models_changed", "forge: 4 models added: a:1b, b:1b, c:1b …")]


def test_a_machine_that_falls_silent_is_told_once_and_that_it_came_back(forge):
    Machine.objects(id=forge.id).update_one(set__last_seen_at=now() - timedelta(hours=3))

    presence.refresh_all()
    presence.refresh_all()
    again(forge)

    assert kinds() == ["machine_offline", "machine_back"]
    assert "forge is back after 3 h" in told()[1][1]


def test_after_a_stretch_in_which_the_server_was_away_no_machine_is_blamed(forge):
    sweeper.sweep()
    hour_ago = now() - timedelta(hours=1)
    from obt_site import mongo

    mongo.database()["leases"].update_many({}, {"$set": {"swept_at": hour_ago, "until": hour_ago}})
    Machine.objects(id=forge.id).update_one(set__last_seen_at=hour_ago)

    sweeper.sweep()

    assert told() == []


def test_what_people_do_to_a_machine_is_told_once_each(forge):
    machine = verbs.rename(forge, "anvil")
    machine = verbs.rename(machine, "anvil")
    machine = verbs.set_paused(machine, True)
    machine = verbs.set_paused(machine, True)
    machine = verbs.set_paused(machine, False)
    machine = verbs.set_labels(machine, ["lab", "lab", " "])
    verbs.set_labels(machine, ["lab"])

    assert told() == [
        ("machine_renamed", "forge is called anvil now"),
        ("machine_paused", "anvil is paused: it gets no new job"),
        ("machine_resumed", "anvil takes jobs again"),
        ("machine_labelled", "anvil is labelled lab"),
    ]


def test_a_session_is_told_when_it_starts_and_when_it_has_ended(forge):
    result = world.result(forge)

    number = sessions.find(str(result.session)).number
    assert kinds() == ["session_started", "session_finished"]
    assert told()[1][1] == f"#{number} llama3.2:3b on forge has ended: 1 succeeded"
    assert Event.objects.first().session == result.session


def test_a_failed_job_says_why_and_its_session_that_it_has_failures(forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("model_missing", "The model is gone.")

    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[], error=error))

    assert kinds()[-2:] == ["job_failed", "session_failed"]
    assert ("job_failed", "llama3.2:3b on forge failed: The model is gone") in told()


def test_a_cancelled_session_is_told(forge):
    session = world.session(forge)

    sessions.cancel(session)

    assert kinds() == ["session_started", "session_cancelled"]


def test_a_late_result_is_told_once_however_often_it_is_sent(forge):
    offer = world.running(forge, world.MODELS[0])
    sessions.cancel(sessions.find(str(sessions.find_job(offer.job).session)))
    world.deliver(forge, offer)
    other = world.body(offer, rate=50.0)

    for _ in range(2):
        with pytest.raises(Conflict):
            world.deliver(forge, offer, other)

    assert kinds().count("result_late") == 1


def test_an_event_that_cannot_be_written_fails_nothing(forge, monkeypatch, caplog):
    def away(name):
        raise ConnectionError("the database is away")

    monkeypatch.setattr(events.numbers, "following", away)

    assert verbs.rename(forge, "anvil").name == "anvil"
    assert told() == []
    assert "machine_renamed" in caplog.text


def test_only_the_newest_are_kept(database):
    for i in range(12):
        events.report("machine_paused", f"event {i}")

    removed = events.trim(keep=5)

    assert removed == 7
    assert [words for _, words in told()] == [f"event {i}" for i in range(7, 12)]


def test_every_kind_that_is_reported_is_known():
    from pathlib import Path

    import agents
    import benchmarks

    rooms = [Path(room.__file__).parent for room in (agents, benchmarks)]
    source = " ".join(path.read_text() for room in rooms for path in room.glob("*.py"))
    assert [kind for kind in events.KINDS if f'"{kind}"' not in source.replace(f'"{kind}": Kind(', "")] == []
