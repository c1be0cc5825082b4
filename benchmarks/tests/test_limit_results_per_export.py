"""One exported file may have so many results."""

import json

import pytest

from benchmarks.exports import FORMATS
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_results(settings, database):
    settings.EXPORT_RESULTS_MAXIMUM = 1
    forge = world.machine("forge")
    world.result(forge, "llama3.2:3b")
    world.result(forge, "qwen3:8b")


def test_one_too_many_is_refused_with_the_number_and_how_to_raise_it():
    page = signed_in().get("/results.csv")

    assert page.status_code == 422
    assert "One file has at most 1 results; these are 2." in words(page)
    assert "Filter them, or raise OBT_RESULTS_PER_EXPORT and start the server again." in words(page)


@pytest.mark.parametrize("format", FORMATS)
def test_the_api_refuses_one_too_many_before_it_begins_the_file(format):
    answer = Api().get("results/export", format=format)

    assert problem(answer, 422)["detail"] == (
        "One file has at most 1 results, and these are more. "
        "Filter them, or raise OBT_RESULTS_PER_EXPORT and start the server again."
    )


def test_the_api_exports_fewer():
    answer = Api().get("results/export", format="jsonl", model="qwen3:8b", cell=world.CELLS[0])

    assert answer.status_code == 200
    assert {json.loads(line)["model"] for line in b"".join(answer.streaming_content).splitlines()} == {"qwen3:8b"}


def test_fewer_are_exported():
    answer = signed_in().get("/results.csv?model=qwen3:8b")

    assert answer.status_code == 200
    assert b"".join(answer.streaming_content).count(b"\r\n") == 2
