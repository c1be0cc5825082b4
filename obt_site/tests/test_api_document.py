"""docs/api.md: every route has an example, every example a route, and all of them work on a real server."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import Resolver404, resolve

from agent.simulator import SimulatedOllama
from agents.documents import Client
from benchmarks.api import api
from benchmarks.documents import Result, Session
from obt_site.tests import api_document
from obt_site.tests.api_document import Example, examples

pytestmark = pytest.mark.timeout(300)
BESIDE = {("GET", "/metrics"), ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/api/v1/openapi.json")}
VARIABLES = {
    "CLIENT": "client_id",
    "SESSION": "session_id",
    "JOB": "job_id",
    "QUEUED": "job_id",
    "RESULT": "result_id",
    "ENROLMENT": "token_id",
    "SPARE": "token_id",
}


def routes() -> set[tuple[str, str]]:
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items()
    return {(method.upper(), path) for path, methods in paths for method in methods} | BESIDE


def called(example: Example) -> set[tuple[str, str]]:
    """The routes an example's curl lines ask: method and path with the route's own names."""
    found = set()
    for line in re.split(r"\bcurl\b", example.text.replace("\\\n", " "))[1:]:
        method = re.search(r"-X (\w+)", line)
        address = re.search(r"\$OBT_URL(/[^\s\"?]*)", line)
        assert address, line
        path = re.sub(r"\$(\w+)", lambda name: "{" + VARIABLES.get(name[1], name[1]) + "}", address[1])
        found.add((method[1] if method else "GET", path))
    return found


def test_every_route_has_an_example() -> None:
    missing = routes() - {(one.method, one.path) for one in examples() if one.text}

    assert missing == set(), f"docs/api.md has no example of {sorted(missing)}"


def test_every_example_has_a_route() -> None:
    strangers = {(one.method, one.path) for one in examples()} - routes()

    assert strangers == set(), f"docs/api.md describes what is not there: {sorted(strangers)}"


def test_no_call_is_described_twice() -> None:
    heads = [(one.method, one.path) for one in examples()]

    assert len(heads) == len(set(heads))


@pytest.mark.parametrize("example", examples(), ids=lambda one: f"{one.method} {one.path}")
def test_an_example_makes_the_call_it_stands_under(example: Example) -> None:
    assert called(example) == {(example.method, example.path)}


@pytest.mark.parametrize("example", examples(), ids=lambda one: f"{one.method} {one.path}")
def test_a_described_address_is_one_of_the_site(example: Example) -> None:
    try:
        resolve(re.sub(r"\{\w+\}", "0" * 24, example.path))
    except Resolver404:
        pytest.fail(f"{example.path} leads nowhere")


@pytest.fixture
def ollama() -> Iterator[SimulatedOllama]:
    with SimulatedOllama() as running:
        yield running


def test_a_stranger_enrols_a_machine_runs_a_session_and_downloads_its_results(
    server, ollama: SimulatedOllama, tmp_path: Path
) -> None:
    api_document.run(api_document.script(), server, tmp_path, OBT_OLLAMA_URL=ollama.url)

    (session,) = Session.objects
    (result,) = Result.objects
    assert (session.state, result.session) == ("succeeded", session.id)
    rows = list(csv.DictReader((tmp_path / "results.csv").open()))
    assert [row["cell"] for row in rows] == ["load", "tg128"]
    assert "decode_rate_tok_per_s_median" in rows[1]  # a busy machine may have had to leave all samples out
    assert "`tg128`" in (tmp_path / "results.md").read_text()


def test_every_example_works_after_the_ones_before_it(server, ollama: SimulatedOllama, tmp_path: Path) -> None:
    told = [f"echo '--- {one.method} {one.path}' >&2\n{one.text}\necho" for one in examples()]
    lines = "\n".join([api_document.script(), api_document.general(), *told])

    said = api_document.run(lines, server, tmp_path, OBT_OLLAMA_URL=ollama.url)

    assert "304" in said
    assert Client.objects.count() == 0
    assert {path.name for path in tmp_path.glob("results.*")} >= {"results.csv", "results.benchstat"}
