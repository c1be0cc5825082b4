"""The proof about the API's lists: what it compares, and when it says no."""

import pytest

from agent.bench import PROOFS
from benchmarks.tests import world
from obt_site.bench import api

pytestmark = pytest.mark.django_db


def test_it_is_one_of_the_proofs() -> None:
    assert "obt_site.bench.api" in [proof.module for proof in PROOFS]


@pytest.mark.parametrize(("api_ms", "verb_ms", "met"), [(12.9, 10.0, True), (13.1, 10.0, False)])
def test_a_list_is_met_when_it_takes_little_more_than_its_verb(api_ms: float, verb_ms: float, met: bool) -> None:
    row = api.row("results?limit=50", api_ms, verb_ms)

    assert row.ok is met
    assert row.what == "API: results"


def test_every_list_is_asked_and_so_is_its_verb(database: str) -> None:
    from django.test import Client

    world.result(world.machine("forge"))
    headers, browser = api._token(), Client()

    for path, verb in api.verbs():
        api._get(browser, path, headers)
        assert verb() is not None
    assert {path.partition("?")[0] for path, _ in api.verbs()} == {"clients", "models", "sessions", "results", "events"}


def test_both_are_asked_equally_often() -> None:
    asked: list[str] = []

    api.in_turns(lambda: asked.append("a"), lambda: asked.append("v"), times=3)

    assert "".join(asked) == "av" * 4
