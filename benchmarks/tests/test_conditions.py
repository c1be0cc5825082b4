"""The comparison key and the conditions behind it; the step that derives them for results of before."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract, wire
from benchmarks import conditions, suites
from benchmarks.conditions import Difference
from benchmarks.documents import Result, Session
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api
from obt_site import mongo, schema

LLAMA = world.MODELS[0]
MEASURED_ON = {
    "simulated": "Ollama",
    "suite_version": "standard 1",
    "digest": f"digest-of-{LLAMA}",
    "quantization": "Q4_K_M",
    "format": "gguf",
    "ollama_version": "0.24.0",
    "engine": "go-runner",
    "local": "on this machine",
    "placement": "100 % on the GPU",
    "option_temperature": "0",
    "option_seed": "42",
    "option_repeat_penalty": "1",
    "gpus": "NVIDIA GeForce RTX 4090",
    "driver": "570.86.16",
    "cpu": "AMD Ryzen 9 7950X",
    "cpu_cores": "16 physical, 32 logical",
    "memory": "64.00 GB",
    "os": "Ubuntu 24.04",
    "kernel": "6.8.0",
    "architecture": "x86_64",
}


@pytest.fixture
def forge(database):
    return world.machine("forge")


def measured(forge, cells=("tg128",), change=lambda environment: environment):
    """A result whose environment is changed by a function before it is delivered."""
    offer = world.running(forge, LLAMA, cells=list(cells))
    body = world.body(offer)
    return world.deliver(forge, offer, replace(body, environment=change(body.environment)))


def with_hardware(**fields):
    return lambda environment: replace(environment, hardware=replace(environment.hardware, **fields))


def with_gpu(**fields):
    return with_hardware(gpus=[replace(world.HARDWARE.gpus[0], **fields)])


def with_model(**fields):
    return lambda environment: replace(environment, model=replace(environment.model, **fields))


def test_a_result_is_stored_with_everything_that_affects_its_speed(forge):
    result = Result.objects.get(id=measured(forge).id)

    assert result.conditions == MEASURED_ON
    assert result.comparison_key == conditions.key(MEASURED_ON)


@pytest.mark.django_db
def test_the_api_tells_conditions_and_keys(forge):
    result = measured(forge)

    found = Api().get(f"results/{result.id}").json()

    assert (found["conditions"], found["comparison_key"]) == (MEASURED_ON, result.comparison_key)
    assert found["cells"][0]["conditions"]["num_ctx"] == "4096"
    assert found["cells"][0]["comparison_key"] == result.cells[0]["comparison_key"]


def test_a_cell_adds_its_context_lengths_and_placement(forge):
    (cell,) = measured(forge).cells

    assert cell["conditions"] == {
        "kind": "decode", "prompt_tokens": "32", "output_tokens": "128", "depth": "0", "concurrency": "1",
        "batch": "1", "num_ctx": "4096", "placement": "100 % on the GPU",
    }  # fmt: skip
    assert cell["comparison_key"] == conditions.key({**MEASURED_ON, **cell["conditions"]})


def test_the_same_measurement_again_has_the_same_keys(forge):
    one, two = measured(forge), measured(forge)

    assert one.comparison_key == two.comparison_key
    assert one.cells[0]["comparison_key"] == two.cells[0]["comparison_key"]


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        (with_hardware(cpu=contract.Cpu("Intel", 8, 16)), "cpu", "CPU: AMD Ryzen 9 7950X against Intel."),
        (with_hardware(memory_total_bytes=32 * world.GIB), "memory", "Memory: 64.00 GB against 32.00 GB."),
        (with_hardware(gpus=[]), "gpus", "GPU: NVIDIA GeForce RTX 4090 against none."),
        (with_gpu(driver_version="580.1"), "driver", "GPU driver: 570.86.16 against 580.1."),
        (with_gpu(power_limit_w=250.0), "gpu_power_limit", "GPU power limit: unknown against 250 W."),
        (
            with_hardware(os=replace(world.HARDWARE.os, kernel="6.14.0")),
            "kernel",
            "Kernel: 6.8.0 against 6.14.0.",
        ),
        (with_hardware(os=replace(world.HARDWARE.os, name="Debian 13")), "os", "Operating system: Ubuntu"),
        (
            lambda one: replace(one, ollama=replace(one.ollama, version="0.30.1")),
            "ollama_version",
            "Ollama version: 0.24.0 against 0.30.1.",
        ),
        (
            lambda one: replace(one, ollama=replace(one.ollama, version="0.30.1")),
            "engine",
            "Engine: go-runner against llama-server.",
        ),
        (
            lambda one: replace(one, ollama=replace(one.ollama, local=False)),
            "local",
            "Ollama runs: on this machine against elsewhere.",
        ),
        (
            lambda one: replace(one, ollama=replace(one.ollama, simulated=True)),
            "simulated",
            "Answered by: Ollama against the simulator.",
        ),
        (
            lambda one: replace(one, options=replace(one.options, num_gpu=20)),
            "option_num_gpu",
            "Option num_gpu: unknown against 20.",
        ),
        (
            lambda one: replace(one, server=contract.ServerSettings(flash_attention="on")),
            "server_flash_attention",
            "Server setting flash_attention: unknown against on.",
        ),
        (with_model(quantization="Q8_0"), "quantization", "Quantisation: Q4_K_M against Q8_0."),
        (with_model(format="safetensors"), "format", "Model format: gguf against safetensors."),
    ],
)
def test_each_condition_changes_the_key_and_is_named_in_words(forge, change, name, told):
    one, two = measured(forge), measured(forge, change=change)

    found = {each.name: each.sentence for each in conditions.differences(one.conditions, two.conditions)}

    assert one.comparison_key != two.comparison_key
    assert found[name].startswith(told)


def test_what_does_not_affect_speed_changes_nothing(forge):
    one = measured(forge)
    two = measured(forge, change=lambda each: replace(each, agent_version="9.9.9", python_version="3.14"))

    assert one.comparison_key == two.comparison_key


def test_another_placement_is_another_condition_of_its_cell(forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    run = world.run_of(offer.cells[0])
    half = [replace(each, placement=contract.Placement(2 * world.GIB, world.GIB)) for each in run.samples]
    spilled = world.deliver(forge, offer, world.body(offer, cells=[replace(run, samples=half)]))

    (found,) = conditions.differences(measured(forge).cells[0]["conditions"], spilled.cells[0]["conditions"])

    assert found.sentence == "Placement: 100 % on the GPU against 50 % on the GPU."


def test_a_cell_that_was_not_run_has_no_conditions(forge):
    offer = world.running(forge, LLAMA, cells=["tg128", "pp512"])
    whole = world.body(offer)
    cells = [whole.cells[0], contract.CellRun(whole.cells[1].spec, [], skipped="budget")]

    result = world.deliver(forge, offer, replace(whole, cells=cells))

    assert (result.cells[1]["conditions"], result.cells[1]["comparison_key"]) == (None, None)


def test_a_result_that_failed_before_anything_was_read_still_has_a_key(forge):
    offer = world.running(forge, LLAMA)
    error = contract.JobError("load_failed", "It does not load.")
    body = replace(world.body(offer), outcome="failed", cells=[], environment=None, telemetry=None, error=error)

    result = world.deliver(forge, offer, body)

    assert result.conditions == {
        "simulated": "Ollama",
        "suite_version": "standard 1",
        "digest": f"digest-of-{LLAMA}",
    }


def test_power_source_and_governor_count_as_soon_as_an_agent_tells_them():
    environment = {"power_source": "battery", "cpu_governor": "powersave"}

    found = conditions.of_result({"environment": environment}, wire.encode(world.HARDWARE))

    assert (found["power_source"], found["cpu_governor"]) == ("battery", "powersave")


@pytest.mark.parametrize(
    ("group", "about", "allowed"),
    [
        ("ollama", ["ollama"], True),
        ("ollama", ["machine", "model"], False),
        ("placement", ["model"], True),  # a larger model may not fit: its own consequence
        ("placement", ["ollama"], False),
        ("context", ["machine"], False),  # machines are never compared at different context lengths
        ("measurement", ["measurement", *conditions.GROUPS], False),
        ("source", ["source", *conditions.GROUPS], False),
    ],
)
def test_only_what_a_comparison_is_about_may_differ(group, about, allowed):
    assert conditions.allowed(Difference("x", group, "1", "2"), about) is allowed


def as_of_version_1(result):
    """The stored document as the first version left it."""
    later = ("conditions", "comparison_key", "suite_version")
    plain = {name: value for name, value in result.to_mongo().items() if name not in later}
    plain["cells"] = [
        {name: value for name, value in cell.items() if name not in ("conditions", "comparison_key")}
        for cell in plain["cells"]
    ]
    mongo.database()["results"].replace_one({"_id": result.id}, {**plain, "schema": 1})


def test_old_results_are_given_the_keys_that_new_ones_get(forge):
    made = [measured(forge, cells=["load", "tg128"]), measured(forge, change=with_hardware(gpus=[]))]
    expected = [result.to_mongo().to_dict() for result in made]
    for result in made:
        as_of_version_1(result)
    mongo.database()[schema.META].update_one({}, {"$set": {"version": 1}})

    assert schema.upgrade() == 1
    assert schema.upgrade() == schema.VERSION

    for result, before in zip(made, expected, strict=True):
        after = Result.objects.get(id=result.id).to_mongo().to_dict()
        assert {**after, "created_at": None} == {**before, "created_at": None}


def test_the_step_goes_on_where_a_crash_left_it(forge):
    done, left = measured(forge), measured(forge)
    as_of_version_1(left)

    conditions.add_keys(mongo.database())
    conditions.add_keys(mongo.database())

    assert Result.objects.get(id=left.id).comparison_key == done.comparison_key
    assert mongo.database()["results"].count_documents({"schema": conditions.SCHEMA}) == 2


def test_keys_of_before_suites_had_versions_are_those_of_the_first(forge):
    result = measured(forge)
    older = {name: value for name, value in result.conditions.items() if name != "suite_version"}
    before = {"conditions": older, "comparison_key": conditions.key(older), "schema": 2}
    mongo.database()["results"].update_one({"_id": result.id}, {"$set": before, "$unset": {"suite_version": 1}})
    mongo.database()["sessions"].update_many({}, {"$unset": {"suite_version": 1}})
    mongo.database()[schema.META].update_one({}, {"$set": {"version": 2}})

    assert schema.upgrade() == 2

    after = Result.objects.get(id=result.id)
    assert (after.suite_version, after.comparison_key) == ("1", result.comparison_key)
    assert Session.objects.get(id=result.session).suite_version == "1"


def test_another_version_of_the_suite_is_another_measurement(forge, monkeypatch):
    before = measured(forge)
    monkeypatch.setitem(suites.SUITE_VERSIONS, "standard", "2")

    after = measured(forge)

    (found,) = conditions.differences(before.conditions, after.conditions)
    assert (found.group, found.sentence) == ("measurement", "Suite version: standard 1 against standard 2.")
    assert not conditions.allowed(found, conditions.GROUPS)


def test_the_engine_is_the_one_the_agent_named(forge):
    assert measured(forge, change=lambda one: replace(one, engine="mlx")).conditions["engine"] == "mlx"
