"""GET results and GET results/{id}."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.obt_agent import contract
from benchmarks.documents import Result
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk
from obt_site.clock import now, rfc3339

pytestmark = pytest.mark.django_db
LLAMA, QWEN, GEMMA = world.MODELS


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def ids(response):
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["items"]]


def fail(client, **fields):
    offer = world.running(client, LLAMA)
    error = contract.JobError("out_of_memory", "The model does not fit.")
    return world.deliver(client, offer, replace(world.body(offer), outcome="failed", error=error, **fields))


def test_it_tells_what_was_measured(api, forge):
    result = world.result(forge, LLAMA, rate=100.0)

    found = api.get(f"results/{result.id}").json()

    assert (found["session"], found["job"], found["client"]) == (str(result.session), str(result.job), str(forge.id))
    assert (found["model"], found["digest"], found["ollama_version"]) == (LLAMA, f"digest-of-{LLAMA}", "0.24.0")
    assert (found["family"], found["quantization"]) == ("llama3.2", "Q4_K_M")
    assert found["hardware_config"] == forge.hardware_config
    assert (found["simulated"], found["outcome"], found["valid"]) == (False, "succeeded", True)
    assert [cell["cell"] for cell in found["cells"]] == ["load", "pp512", "tg128", "chat512/128"]


def test_a_cell_has_its_median_with_interval_and_unit(api, forge):
    result = world.result(forge, LLAMA, rate=100.0)

    cell = next(cell for cell in api.get(f"results/{result.id}").json()["cells"] if cell["cell"] == "tg128")

    rate = cell["metrics"]["decode_rate"]
    assert rate["median"] == pytest.approx(100.25, rel=1e-6)
    assert (rate["low"], rate["high"]) == (pytest.approx(100.0, rel=1e-6), pytest.approx(100.5, rel=1e-6))
    assert (rate["unit"], rate["n"], cell["n"]) == ("tok/s", 6, 6)
    assert (cell["kind"], cell["valid"], cell["flags"], cell["skipped"], cell["stopped"]) == (
        "decode", True, [], None, None,
    )  # fmt: skip


def test_a_metric_without_a_number_is_left_out_with_its_reason(api, forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    run = world.run_of(offer.cells[0])
    nowhere = [replace(sample, placement=None) for sample in run.samples]
    result = world.deliver(forge, offer, world.body(offer, cells=[replace(run, samples=nowhere)]))

    (cell,) = api.get(f"results/{result.id}").json()["cells"]

    assert "gpu_share" not in cell["metrics"]
    assert "size" in cell["missing"]["gpu_share"]


def test_samples_that_failed_a_gate_are_named_and_not_counted(api, forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    run = world.run_of(offer.cells[0])
    cut = replace(run.samples[-1], raw=replace(run.samples[-1].raw, done_reason="stop"))
    result = world.deliver(forge, offer, world.body(offer, cells=[replace(run, samples=[*run.samples[:-1], cut])]))

    (cell,) = api.get(f"results/{result.id}").json()["cells"]

    assert (cell["flags"], cell["n"], cell["left_out"], cell["valid"]) == (["wrong_length"], 5, 1, False)


def test_it_lists_results_newest_first(api, forge):
    made = [world.result(forge, model).id for model in (LLAMA, QWEN, GEMMA)]

    assert ids(api.get("results")) == made[::-1]
    listed, whole = api.get("results").json()["items"][0], api.get(f"results/{made[-1]}").json()
    assert {name: whole[name] for name in listed} == listed


def test_pages_survive_results_that_arrive_in_between(api, forge):
    made = [world.result(forge).id for _ in range(5)]
    page = api.get("results", limit=2).json()

    world.result(forge)
    following = api.get("results", limit=3, cursor=page["next"]).json()

    assert [item["id"] for item in page["items"] + following["items"]] == made[::-1]
    assert following["next"] is None


def test_a_filtered_list_has_the_same_pages_as_the_whole(api, forge):
    made = [world.result(forge, model).id for _ in range(4) for model in (LLAMA, QWEN)]

    assert [item["id"] for item in walk(api, "results", limit=1, model=QWEN)] == made[::-1][::2]


@pytest.fixture
def two(forge):
    """A result of forge and one of atlas that differ in everything that can be asked for."""
    atlas = world.machine("atlas")
    one = world.result(forge, LLAMA)
    offer = world.running(atlas, QWEN, cells=["tg64"])
    body = world.body(offer)
    environment = replace(body.environment, model=world.model(QWEN, offer.digest, quantization="Q8_0"))
    short = replace(body.cells[0], samples=body.cells[0].samples[:3])
    other = world.deliver(atlas, offer, replace(body, environment=environment, cells=[short]))
    return one, other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client", lambda one: str(one.client)),
        ("model", lambda one: one.model),
        ("digest", lambda one: one.digest),
        ("family", lambda one: one.family),
        ("quantization", lambda one: one.quantization),
        ("session", lambda one: str(one.session)),
        ("cell", lambda one: one.cells[-1]["cell"]),
        ("valid", lambda one: "true" if one.valid else "false"),
    ],
)
def test_each_filter_lets_its_own_through_and_nothing_else(api, two, name, value):
    one, other = two

    assert ids(api.get("results", **{name: value(one)})) == [one.id]
    assert ids(api.get("results", **{name: value(other)})) == [other.id]


def test_filters_hold_together(api, two):
    one, other = two

    assert ids(api.get("results", model=one.model, family=one.family, suite="standard", valid="true")) == [one.id]
    assert ids(api.get("results", model=one.model, quantization=other.quantization)) == []


def test_since_is_included_and_until_is_not(api, forge):
    old, middle, new = (world.result(forge).id for _ in range(3))
    moment = now() - timedelta(days=3)
    for i, each in enumerate((old, middle, new)):
        Result.objects(id=each).update_one(set__created_at=moment + timedelta(days=i))
    at = rfc3339(moment + timedelta(days=1))

    assert ids(api.get("results", since=at)) == [new, middle]
    assert ids(api.get("results", until=at)) == [old]
    assert ids(api.get("results", since=at, until=at)) == []


def test_a_simulators_results_are_shown_until_a_real_one_exists(api, forge):
    toy = world.machine("toy", simulated=True)
    made_up = world.result(toy, simulated=True)
    assert ids(api.get("results")) == [made_up.id]

    real = world.result(forge)

    assert ids(api.get("results")) == [real.id]
    assert ids(api.get("results", simulated="true")) == [made_up.id]
    assert ids(api.get("results", simulated="false")) == [real.id]
    assert ids(api.get("results", simulated="any")) == [real.id, made_up.id]


def test_a_session_asked_for_by_its_id_shows_its_simulated_results(api, forge):
    made_up = world.result(world.machine("toy", simulated=True), simulated=True)
    world.result(forge)

    assert ids(api.get("results", session=str(made_up.session))) == [made_up.id]


def test_results_that_measured_nothing_are_shown_only_when_asked_for(api, forge):
    partial = fail(forge)
    empty = fail(forge, cells=[])

    assert ids(api.get("results")) == [partial.id]
    assert ids(api.get("results", outcome="failed")) == [empty.id, partial.id]
    assert ids(api.get("results", outcome="any")) == [empty.id, partial.id]
    assert ids(api.get("results", outcome="succeeded")) == []


def test_newest_first_is_the_only_order(api, forge):
    world.result(forge)

    assert api.get("results", sort="-created_at").status_code == 200
    body = problem(api.get("results", sort="decode_rate"), 422, "sort")
    assert "-created_at" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client", "forge"),
        ("client[$ne]", ""),
        ("client", '{"$ne": ""}'),
        ("model", ""),
        ("model", "x" * 301),
        ("model", "nul\0"),
        ("digest[$gt]", ""),
        ("valid", "yes"),
        ("simulated", "perhaps"),
        ("outcome", "lost"),
        ("since", "yesterday"),
        ("since", "2026-01-31T12:00:00"),
        ("since", "1769860800"),
        ("since", "0001-01-01T00:00:00+23:59"),
        ("until", "2026-02-30T00:00:00Z"),
        ("session", "1"),
        ("limit", "1e3"),
        ("order", "asc"),
    ],
)
def test_it_refuses_what_is_no_filter(api, name, value):
    problem(api.get("results", **{name: value}), 422, name)


def test_it_refuses_a_filter_given_twice(api):
    problem(api.client.get("/api/v1/results?model=a&model=b", headers=api.headers), 422, "model")


@pytest.mark.parametrize("wrong", ["nothing", "%00", "x" * 2000, "ffffffffffffffffffffffff-1"])
def test_a_result_that_is_not_there_is_not_found(api, wrong):
    problem(api.get(f"results/{wrong}"), 404)
