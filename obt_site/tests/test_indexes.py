"""Every query of a list is served by a declared index: recorded as it is sent to the database while pages are shown."""

from collections.abc import Iterator
from typing import Any

import pymongo.monitoring
import pytest
from django.test import Client as Browser

from benchmarks import sessions, sweeper
from benchmarks.tests import world
from obt_site import indexes, mongo
from obt_site.access import Role
from obt_site.accounts import setup
from obt_site.tokens import create_token

# Read whole on purpose: a fleet's machines and their models are what these pages show. A few thousand small documents.
READ_WHOLE = {"clients", "model_installations"}
# Collections of one document, or of one per kind: no index could serve them better.
TINY = {"meta", "leases", "counters"}
PAGES = [
    "/",
    "/?size=5b",
    "/home/live",
    "/events",
    "/events?machine={client}&kind=job_failed&since=24h",
    "/events/live?after=1",
    "/machines/{client}/live",
    "/machines/{client}/remove",
    "/fleet",
    "/fleet/live",
    "/machines/{client}",
    "/models",
    "/models?q=llama",
    "/sessions",
    "/sessions?machine={client}&q=forge&by=jo",
    "/queue",
    "/palette?q=forge",
    "/palette?q=%231",
    "/sessions/new",
    "/sessions/new?pick={client}:llama3.2:3b&pick={client}:gemma3:4b",
    "/sessions/{session}",
    "/sessions/{session}/live",
    "/results",
    "/results?model=llama3.2:3b",
    "/results?chart=scatter&runs=all",
    "/results/views",
    "/results/{result}",
    "/metrics",
    "/audit",
    "/audit?by=jo&kind=machine&q=forge",
    "/audit?about={client}",
    "/audit/1",
    "/admin/documents/sessions/",
    "/admin/documents/jobs/?state=queued",
    "/admin/documents/results/?machine={client}",
    "/admin/documents/results/{result}/delete/",
]
CALLS = [
    "clients",
    "models",
    "sessions",
    "sessions/{session}",
    "jobs/{job}",
    "results",
    "results?model=llama3.2:3b",
    "results?client={client}",
    "results?session={session}",
    "results?digest=x",
    "results?family=llama3.2",
    "results?simulated=any",
    "results/{result}",
    "results/{result}/samples",
    "results/{result}/telemetry",
    "sessions?client={client}&search=forge&state=queued",
    "clients?label=lab&state=online",
    "results/export",
    "results/export?client={client}&format=benchstat",
    "results/export?session={session}&format=markdown",
    "events",
    "events?client={client}&kind=job_failed",
    "events?kind=job_failed",
    "compare?base=session%3D{session}&with=session%3D{session}",
    "compare?base=client%3D{client}&with=model%3Dllama3.2:3b",
]


class Recorder(pymongo.monitoring.CommandListener):
    """Keeps every read and conditional write that is sent."""

    def __init__(self) -> None:
        self.filters: list[tuple[str, dict[str, Any]]] = []

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        command = event.command
        if event.command_name in ("find", "distinct"):
            self.filters.append(
                (command[event.command_name], dict(command.get("filter") or command.get("query") or {}))
            )
        elif event.command_name == "aggregate":
            first = command["pipeline"][0] if command["pipeline"] else {}
            self.filters.append((command["aggregate"], dict(first.get("$match", {}))))
        elif event.command_name == "update":
            self.filters += [(command["update"], dict(update["q"])) for update in command["updates"]]

    def succeeded(self, event: pymongo.monitoring.CommandSucceededEvent) -> None:
        return

    def failed(self, event: pymongo.monitoring.CommandFailedEvent) -> None:
        return


def is_served(collection: str, asked: dict[str, Any]) -> bool:
    """Whether the filter names `_id` or the first key of a declared index of the collection."""
    if collection in TINY or (collection in READ_WHOLE and not asked):
        return True
    leading = {index.keys[0][0] for index in indexes.INDEXES if index.collection == collection} | {"_id"}
    return bool(leading & set(asked))


@pytest.fixture
def recorder(database: str) -> Iterator[Recorder]:
    listener = Recorder()
    mongo.connect(database, event_listeners=[listener])
    yield listener
    mongo.connect(database)


@pytest.fixture
def names(recorder: Recorder) -> dict[str, str]:
    forge = world.machine("forge")
    result = world.result(forge)
    world.running(forge, "qwen3:8b")
    return {
        "client": str(forge.id),
        "session": str(result.session),
        "job": str(result.job),
        "result": result.id,
    }


def unserved(recorder: Recorder) -> list[tuple[str, dict[str, Any]]]:
    return [(collection, asked) for collection, asked in recorder.filters if not is_served(collection, asked)]


def test_a_query_without_an_index_would_be_found(recorder):
    from benchmarks.documents import Job

    list(Job.objects(model="llama3.2:3b"))

    assert unserved(recorder) == [("jobs", {"model": "llama3.2:3b"})]


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_each_page_asks_only_what_an_index_serves(recorder, names, page):
    browser = Browser()
    browser.force_login(setup.create_administrator("jo", "a-long-passphrase-7"))
    recorder.filters.clear()

    answer = browser.get(page.format(**names))

    assert answer.status_code == 200
    assert recorder.filters
    assert unserved(recorder) == []


@pytest.mark.django_db
@pytest.mark.parametrize("call", CALLS)
def test_each_list_of_the_api_asks_only_what_an_index_serves(recorder, names, call):
    token = create_token("test", Role.VIEWER)
    recorder.filters.clear()

    answer = Browser().get("/api/v1/" + call.format(**names), headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200, answer.content
    assert unserved(recorder) == []


def test_sync_sweep_and_the_verbs_ask_only_what_an_index_serves(recorder, names):
    from agents import verbs

    forge = verbs.find(names["client"])
    world.sync(forge)
    sweeper.sweep()
    sweeper.mend()
    sessions.cancel(sessions.find(names["session"]))

    assert unserved(recorder) == []


def test_the_declared_indexes_are_what_the_database_has(database):
    for index in indexes.INDEXES:
        assert index.name in mongo.database()[index.collection].index_information()
