"""GET compare."""

from urllib.parse import urlencode

import pytest

from benchmarks import compare
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem

pytestmark = pytest.mark.django_db
LLAMA, QWEN, _ = world.MODELS


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def get(api, base, other, **query):
    return api.get("compare", base=urlencode(base), **{"with": urlencode(other)}, **query)


@pytest.fixture
def sessions(forge):
    """Two sessions of one model, the second 10 % faster, as filters."""
    return [{"session": str(world.result(forge, LLAMA, rate=rate).session)} for rate in (100.0, 110.0)]


def test_it_tells_each_cells_medians_change_interval_p_and_verdict(api, sessions):
    response = get(api, *sessions)

    assert response.status_code == 200, response.content
    rows = {row["cell"]: row for row in response.json()["rows"]}
    assert list(rows) == ["load", "pp512", "tg128", "chat512/128"]
    row = rows["tg128"]
    assert (row["metric"], row["unit"], row["higher_is_better"]) == ("decode_rate", "tok/s", True)
    assert (row["base"]["median"], row["with"]["median"]) == (pytest.approx(100.25), pytest.approx(110.275))
    assert (row["base"]["n"], row["with"]["n"], row["compared"]) == (6, 6, "samples")
    assert row["change_percent"] == pytest.approx(10)
    assert row["low_percent"] < 10 < row["high_percent"]
    assert row["coverage"] == pytest.approx(0.9589, abs=0.0001)
    assert (row["p"], row["method"]) == (pytest.approx(2 / 924), "exact")
    assert row["p_corrected"] >= row["p"]
    assert (row["verdict"], row["reasons"]) == ("faster", [])


def test_too_few_samples_have_no_p_and_say_so(api, sessions):
    row = get(api, *sessions).json()["rows"][0]

    assert (row["verdict"], row["p"], row["p_corrected"], row["low_percent"]) == ("too few samples", None, None, None)
    assert "too few" in row["reasons"][0]


def test_a_result_leads_to_what_it_was_read_from(api, sessions):
    row = get(api, *sessions).json()["rows"][0]

    (used,) = row["base"]["results"]
    assert api.get(f"results/{used}").json()["session"] == sessions[0]["session"]
    assert (row["base"]["client_name"], row["base"]["model"], row["base"]["left_out"]) == ("forge", LLAMA, 0)


def test_what_is_not_comparable_says_which_condition_differs(api, forge, sessions):
    simulated = {"session": str(world.result(forge, LLAMA, simulated=True).session)}

    row = get(api, sessions[0], simulated).json()["rows"][0]

    assert (row["verdict"], row["change_percent"], row["p"]) == ("not comparable", None, None)
    assert "Answered by: Ollama against the simulator." in row["reasons"]


def test_two_named_models_are_the_subject(api, forge):
    world.result(forge, LLAMA, rate=100.0)
    world.result(forge, QWEN, rate=50.0)

    found = get(api, {"model": LLAMA, "cell": "tg128"}, {"model": QWEN, "cell": "tg128"}).json()

    (row,) = found["rows"]
    assert (found["about"], row["verdict"]) == (["model"], "slower")
    assert {one["condition"] for one in row["varied"]} == {"Model digest"}
    assert {"base", "with", "sentence", "group"} < set(row["varied"][0])


def test_what_may_differ_can_be_said(api, sessions):
    assert get(api, *sessions, about="ollama,settings").json()["about"] == ["ollama", "settings"]


def test_another_metric_can_be_asked_for(api, sessions):
    assert {row["metric"] for row in get(api, *sessions, metric="e2e_latency").json()["rows"]} == {"e2e_latency"}


def test_filters_that_find_nothing_give_no_rows(api):
    found = get(api, {"model": "a"}, {"model": "b"}).json()

    assert found == {"about": ["model"], "rows": [], "base_has_more": False, "with_has_more": False}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "base"),
        ({"base": "model=a"}, "with"),
        ({"base": "", "with": "model=a"}, "base"),
        ({"base": "model", "with": "model=a"}, "base"),
        ({"base": "model=a", "with": "&".join(["model=a"] * 30)}, "with"),
        ({"base": "model=%ff", "with": "model=a"}, "base"),
        ({"base": "model=a%00", "with": "model=a"}, "base.model"),
        ({"base": "model=", "with": "model=a"}, "base.model"),
        ({"base": "nope=a", "with": "model=a"}, "base.nope"),
        ({"base": "client[$ne]=a", "with": "model=a"}, "base.client[$ne]"),
        ({"base": "limit=5", "with": "model=a"}, "base.limit"),
        ({"base": "sort=-created_at", "with": "model=a"}, "base.sort"),
        ({"base": "model=a", "with": "model=a&model=b"}, "with.model"),
        ({"base": "client=forge", "with": "model=a"}, "base.client"),
        ({"base": "model=a", "with": "since=yesterday"}, "with.since"),
        ({"base": "model=a", "with": "valid=maybe"}, "with.valid"),
        ({"base": "model=a", "with": "model=b", "about": "weather"}, "about"),
        ({"base": "model=a", "with": "model=b", "about": ""}, "about"),
        ({"base": "model=a", "with": "model=b", "metric": "gpu_share"}, "metric"),
        ({"base": "model=a", "with": "model=b", "metrics": "ttft"}, "metrics"),
        ({"base": "model=" + "a" * 3000, "with": "model=b"}, "base"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(api, query, field):
    problem(api.get("compare", **query), 422, field)


def test_everything_wrong_with_both_filters_is_told_at_once(api):
    found = problem(api.get("compare", base="nope=1", **{"with": "client=x&valid=maybe"}), 422)

    assert [error["field"] for error in found["errors"]] == ["base.nope", "with.client", "with.valid"]


def test_more_cells_than_can_be_read_in_time_are_refused_with_a_way_on(api, sessions, monkeypatch):
    monkeypatch.setattr(compare, "MOST_ROWS", 3)

    found = problem(get(api, *sessions), 422)

    assert found["detail"] == "These are 4 cells; at most 3 are compared at a time. Add cell= or model=."
    assert get(api, {**sessions[0], "cell": "tg128"}, {**sessions[1], "cell": "tg128"}).status_code == 200


def test_a_stranger_may_not(database):
    problem(get(Api(None), {"model": "a"}, {"model": "b"}), 401)
