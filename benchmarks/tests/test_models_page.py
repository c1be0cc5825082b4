"""/models: models × machines, what is known of each pair, and choosing."""

import re
from dataclasses import replace

import pytest

from agent.obt_agent import contract
from agents import hardware, verbs
from benchmarks.presenters.matrix import ROWS_SHOWN
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import by_id, links, signed_in, tags, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def picks(page):
    return [tag["value"] for tag in tags(page, "input") if tag.get("name") == "pick"]


def installed(machine, *models):
    """Replace what is installed on the machine."""
    verbs.take_in(machine, world.sync_request(models=list(models), models_hash=str(len(models))))


def test_without_a_machine_it_leads_to_adding_one(database):
    page = signed_in(Role.ADMIN).get("/models")

    assert "No machine yet" in words(page)
    assert "/machines/add" in links(page)


def test_without_a_model_it_says_how_to_get_one(database):
    world.machine("forge", models=[])

    assert "ollama pull llama3.2" in words(signed_in().get("/models"))


def test_every_installed_model_can_be_chosen_on_its_machine(forge):
    atlas = world.machine("atlas", models=["qwen3:8b"])

    page = signed_in().get("/models")

    assert set(picks(page)) == {f"{forge.id}:{name}" for name in world.MODELS} | {f"{atlas.id}:qwen3:8b"}
    assert "3 models on 2 machines" in words(page)


def test_a_cell_has_the_latest_valid_median_and_half_its_interval(forge):
    world.result(forge, world.MODELS[0], rate=50.0)
    world.result(forge, world.MODELS[0], rate=100.0)

    page = words(signed_in().get("/models"))

    assert re.search(r"100\.2 ±0\.[23] ", page)
    assert "50.1" not in page


def test_the_number_of_an_embedding_model_says_its_own_unit(forge):
    embeds = "nomic-embed-text:latest"
    installed(forge, world.model(embeds, capabilities=["embedding"]), world.model(world.MODELS[0]))
    world.result(forge, world.MODELS[0])
    browser = signed_in()
    assert "items/s" not in words(browser.get("/models"))

    offer = world.running(forge, embeds, cells=["embed256x1"])
    world.deliver(forge, offer)
    page = words(browser.get("/models"))

    assert "in tok/s, of embedding models in items/s," in page
    assert len(re.findall(r"\d items/s ", page)) == 1


def test_a_result_of_another_digest_is_marked(forge):
    world.result(forge, world.MODELS[0])
    installed(forge, world.model(world.MODELS[0], digest="newer"))

    assert "other digest" in words(signed_in().get("/models"))


def test_a_real_result_goes_before_a_newer_simulated_one(forge):
    world.result(forge, world.MODELS[0], rate=100.0)
    world.result(forge, world.MODELS[0], rate=300.0, simulated=True)

    page = words(signed_in().get("/models"))

    assert "100.2" in page
    assert "simulated" not in page


def test_what_runs_and_what_failed_is_said(forge):
    offer = world.running(forge, world.MODELS[0])
    world.deliver(forge, offer, world.body(offer, outcome="failed", cells=[]))
    world.running(forge, world.MODELS[1])

    page = words(signed_in().get("/models"))

    assert "Failed" in page
    assert "Running" in page
    assert "not run" in page


def test_a_model_larger_than_the_memory_does_not_fit(database):
    small = replace(world.HARDWARE, memory_total_bytes=4 * world.GIB, gpus=[])
    machine = world.machine("pi5", gear=small)
    installed(machine, world.model("huge:70b", size_bytes=40 * world.GIB))

    assert "does not fit" in words(signed_in().get("/models"))


def test_a_model_partly_on_the_cpu_says_its_share(forge):
    offer = world.running(forge, world.MODELS[0])
    placed, whole = contract.Placement(100, 47), world.body(offer)
    runs = [replace(run, samples=[replace(each, placement=placed) for each in run.samples]) for run in whole.cells]
    world.deliver(forge, offer, replace(whole, cells=runs))

    assert "47 % GPU" in words(signed_in().get("/models"))


def test_models_that_cannot_be_measured_have_no_box(forge):
    installed(forge, world.model("sees:1b", capabilities=["vision"]))

    page = signed_in().get("/models")

    assert picks(page) == []
    assert "cannot be measured" in words(page)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=LLAMA", {"llama3.2:3b"}),
        ("q=3+qwen", {"qwen3:8b"}),
        ("family=gemma3", {"gemma3:4b"}),
        ("tested=yes", {"llama3.2:3b"}),
        ("tested=no", {"qwen3:8b", "gemma3:4b"}),
        ("tested=perhaps", set(world.MODELS)),
        ("q=nothing-like-it", set()),
    ],
)
def test_filters_narrow_the_rows(forge, query, shown):
    world.result(forge, "llama3.2:3b")

    page = signed_in().get(f"/models?{query}")

    assert {pick.partition(":")[2] for pick in picks(page)} == shown


def test_a_filter_that_finds_nothing_leads_back_to_all(forge):
    page = signed_in().get("/models?q=zzz")

    assert "No model fits these filters." in words(page)
    assert by_id(page, "q")["value"] == "zzz"


def test_a_machine_filter_keeps_only_its_column(forge):
    atlas = world.machine("atlas")

    assert {pick.partition(":")[0] for pick in picks(signed_in().get(f"/models?client={atlas.id}"))} == {str(atlas.id)}


def test_hundreds_of_models_show_the_first_and_lead_to_the_others(forge):
    installed(forge, *(world.model(f"model-{i:03}:1b") for i in range(ROWS_SHOWN + 20)))
    browser = signed_in()

    first, rest = browser.get("/models"), browser.get(f"/models?from={ROWS_SHOWN}")

    assert len(picks(first)) == ROWS_SHOWN
    assert f"Models 1 to {ROWS_SHOWN} of {ROWS_SHOWN + 20}." in words(first)
    assert "Show more: 20 models left" in words(first)
    assert len({*picks(first), *picks(rest)}) == ROWS_SHOWN + 20


def test_one_name_with_two_digests_is_made_visible(forge):
    atlas = world.machine("atlas", models=[])
    installed(atlas, world.model("qwen3:8b", digest="another"))

    assert "2 digests another atlas 8b forge" in words(signed_in().get("/models"))


def test_a_viewer_reads_and_cannot_choose(forge):
    page = signed_in(Role.VIEWER).get("/models")

    assert picks(page) == []
    assert "llama3.2" in words(page)
    assert "An operator can start sessions." in words(page)


def test_equal_hardware_is_read_once_for_all_machines(database):
    for name in ("a", "b", "c"):
        world.machine(name)

    assert hardware.HardwareConfig.objects.count() == 1
    assert words(signed_in().get("/models")).count("RTX 4090") == 3


def test_a_model_that_was_measured_leads_to_its_history_and_no_other_does(forge):
    world.result(forge, world.MODELS[0])
    browser = signed_in()
    only = browser.get("/models")
    world.machine("atlas")

    both = browser.get("/models")

    assert [link for link in links(only) if link.startswith("/history?")] == [
        f"/history?model=llama3.2%3A3b&client={forge.id}"
    ]
    assert [link for link in links(both) if link.startswith("/history?")] == ["/history?model=llama3.2%3A3b"]
