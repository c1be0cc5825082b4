"""GET results/{id} and what it adds to the list; flags with their sentences wherever they are told."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract, metrics
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api

pytestmark = pytest.mark.django_db
LLAMA = world.MODELS[0]
OFF = "The prompt was more than 2 % longer or shorter than asked."


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def delivered(forge, cells=("tg128",), change=lambda run: run, **fields):
    offer = world.running(forge, LLAMA, cells=list(cells))
    body = world.body(offer, **fields)
    return world.deliver(forge, offer, replace(body, cells=[change(run) for run in body.cells]))


def with_one_off_target(run):
    """The last sample's prompt missed its target; the cell was shortened to three, so it still has its number."""
    last = replace(run.samples[-1], prompt=contract.Prompt(64, 256, "0" * 64, "n"))
    return replace(run, samples=[*run.samples[:-1], last], stopped="budget: shortened to 3 of 6 repetitions")


def test_it_has_the_whole_environment_with_the_reasons_of_what_is_missing(api, forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    body = world.body(offer)
    environment = replace(
        body.environment, engine="go-runner", power_source="battery", missing={"cpu_governor": "not on this system"}
    )
    result = world.deliver(forge, offer, replace(body, environment=environment))

    told = api.get(f"results/{result.id}").json()["environment"]

    assert (told["engine"], told["power_source"], told["cpu_governor"]) == ("go-runner", "battery", None)
    assert told["missing"] == {"cpu_governor": "not on this system"}
    assert told["hardware"]["gpus"][0]["name"] == "NVIDIA GeForce RTX 4090"
    assert told["options"]["seed"] == 42


def test_one_that_failed_before_anything_was_read_has_no_environment(api, forge):
    error = contract.JobError("load_failed", "It does not load.")
    result = delivered(forge, environment=None, telemetry=None, outcome="failed", error=error)

    assert api.get(f"results/{result.id}").json()["environment"] is None


def test_it_has_the_formula_of_each_of_its_metrics(api, forge):
    result = delivered(forge, ["tg128", "pp512"])

    told = api.get(f"results/{result.id}").json()

    named = {name for cell in told["cells"] for name in (*cell["metrics"], *cell["missing"])}
    assert told["formulas"] == {name: metrics.FORMULAS[name] for name in named}


def test_it_tells_how_each_cell_drifted(api, forge):
    def rising(run):
        samples = [
            replace(sample, raw=replace(sample.raw, eval_duration=round(sample.raw.eval_duration * (1 - i / 50))))
            for i, sample in enumerate(run.samples)
        ]
        return replace(run, samples=samples)

    result = delivered(forge, ["tg128"], rising)

    drift = api.get(f"results/{result.id}").json()["drift"]["tg128"]

    assert drift["change_percent"] == pytest.approx(9.4, abs=0.5)
    assert (drift["n"], drift["drifted"], drift["steady"]) == (6, True, True)


def test_three_values_have_no_drift(api, forge):
    result = delivered(forge, ["load"])

    assert api.get(f"results/{result.id}").json()["drift"] == {"load": None}


def test_each_cell_tells_its_order_its_times_and_why_it_stopped(api, forge):
    offer = world.running(forge, LLAMA, cells=["tg128", "pp512", "pp128"])
    whole = world.body(offer)
    later = [
        replace(one, timing=replace(one.timing, start_s=one.timing.start_s + 100)) for one in whole.cells[0].samples
    ]
    runs = [
        replace(whole.cells[0], samples=later, expected_s=20.0, took_s=22.5, stopped="precise: within 1.2 %"),
        whole.cells[1],
        contract.CellRun(whole.cells[2].spec, [], skipped="skipped: budget"),
    ]
    result = world.deliver(forge, offer, replace(whole, cells=runs))

    told = {cell["cell"]: cell for cell in api.get(f"results/{result.id}").json()["cells"]}

    assert {name: cell["order"] for name, cell in told.items()} == {"pp512": 0, "tg128": 1, "pp128": None}
    assert (told["tg128"]["expected_s"], told["tg128"]["took_s"]) == (20.0, 22.5)
    assert told["tg128"]["stopped"] == "precise: within 1.2 %"
    assert (told["pp128"]["skipped"], told["pp128"]["took_s"]) == ("skipped: budget", None)


def test_a_cell_with_too_few_valid_samples_has_no_headline_and_says_why(api, forge):
    result = delivered(forge, ["tg128"], lambda run: replace(with_one_off_target(run), stopped=None))

    (cell,) = api.get(f"results/{result.id}").json()["cells"]

    assert "decode_rate" not in cell["metrics"]
    assert cell["missing"]["decode_rate"] == (
        "too few valid samples: 5 of the 6 it needs (left out: 1 prompt off target)"
    )
    assert not cell["valid"]


def test_flags_come_with_how_often_and_what_they_mean(api, forge):
    result = delivered(forge, ["tg128"], with_one_off_target)

    (cell,) = api.get(f"results/{result.id}").json()["cells"]
    listed = api.get("results").json()["items"][0]["cells"][0]

    assert (cell["flags"], cell["flag_counts"]) == (["prompt_off_target"], {"prompt_off_target": 1})
    assert cell["flag_sentences"] == listed["flag_sentences"] == {"prompt_off_target": OFF}


def test_samples_carry_the_sentences_of_their_flags_and_what_went_on_around_them(api, forge):
    seen = contract.Surroundings(server_version="0.24.0", telemetry_gap_s=0.2, throttle=[])

    def watched(run):
        changed = with_one_off_target(run)
        return replace(changed, samples=[replace(one, surroundings=seen) for one in changed.samples])

    result = delivered(forge, ["tg128"], watched)

    items = api.get(f"results/{result.id}/samples").json()["items"]

    assert [item["flag_sentences"] for item in items[-2:]] == [{}, {"prompt_off_target": OFF}]
    assert items[0]["surroundings"]["server_version"] == "0.24.0"
    assert (items[0]["surroundings"]["throttle"], items[0]["surroundings"]["clock_step_s"]) == ([], None)
    assert items[0]["loaded_models"] == 1


def test_comparisons_carry_the_flags_of_the_cells_they_used(api, forge):
    result = delivered(forge, ["tg128"], with_one_off_target)
    clean = delivered(forge)

    query = {"base": f"session={result.session}", "with": f"session={clean.session}"}
    (row,) = api.get("compare", **query).json()["rows"]

    assert row["base"]["flag_sentences"] == {"prompt_off_target": OFF}
    assert (row["with"]["flags"], row["with"]["flag_sentences"]) == ([], {})


def test_limits_of_goodput_stand_with_their_cell(api, forge):
    result = delivered(forge, ["c2"], lambda run: replace(run, spec=replace(run.spec, slo=contract.Slo(ttft_ms=500.0))))

    (cell,) = api.get(f"results/{result.id}").json()["cells"]

    assert cell["limits"] == {"ttft_ms": 500.0, "itl_ms": None, "e2e_ms": None}
