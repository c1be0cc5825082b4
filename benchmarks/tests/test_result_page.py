"""/results/<id>: the numbers, the samples behind them, and whether they can be trusted."""

from dataclasses import replace

import pytest

from agent.obt_agent import contract, metrics
from agent.obt_agent.validity import SENTENCES
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import all_tags, links, signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def delivered(machine, **fields):
    offer = world.running(machine, world.MODELS[0])
    return world.deliver(machine, offer, world.body(offer, **fields))


def with_a_left_out_sample(machine):
    """tg128 has a seventh sample that stopped early."""
    offer = world.running(machine, world.MODELS[0])
    whole = world.body(offer)
    cells = list(whole.cells)
    at = next(i for i, run in enumerate(cells) if run.spec.name == "tg128")
    early = world.sample(cells[at].spec, 6)
    raw = replace(early.raw, eval_count=97, done_reason="stop")
    early = replace(early, raw=raw, timing=replace(early.timing, chunk_ns=[]))
    cells[at] = replace(cells[at], samples=[*cells[at].samples, early])
    return world.deliver(machine, offer, replace(whole, cells=cells))


def test_the_headline_numbers_have_their_interval_and_n(forge):
    result = world.result(forge, rate=100.0)

    page = words(signed_in().get(f"/results/{result.id}"))

    assert "Decode, tg128 100.2 tok/s 100.0–100.5 n 6" in page
    assert "Load, page-cache warm 2.00 s range 2.00–2.00 n 3" in page
    assert "Prefill, pp512" in page
    assert "TTFT, chat512/128" in page


def test_the_decode_rate_is_chosen_and_another_cell_by_its_address(forge):
    result = world.result(forge)
    browser = signed_in()

    first, other = browser.get(f"/results/{result.id}"), browser.get(f"/results/{result.id}?cell=pp512")

    assert "Decode, tok/s:" in words(first)
    assert "Prefill, tok/s:" in words(other)
    assert "?cell=chat512%2F128#samples" in links(first)


@pytest.mark.parametrize("cell", ["nope", "<b>", "", "tg128%00"])
def test_a_cell_that_is_none_shows_the_reference(forge, cell):
    result = world.result(forge)

    assert "Decode, tok/s:" in words(signed_in().get(f"/results/{result.id}?cell={cell}"))


def test_every_sample_is_drawn_warm_ups_and_left_out_ones_with_their_reason(forge):
    result = with_a_left_out_sample(forge)

    page = signed_in().get(f"/results/{result.id}")

    marks = [tag.get("class") for _, tag in all_tags(page) if tag.get("class") in ("pt", "pt-w", "pt-x")]
    assert (marks.count("pt"), marks.count("pt-w"), marks.count("pt-x")) == (7, 2, 2)  # with one of each in the legend
    assert f"left out: sample 7, t{SENTENCES['wrong_length'][1:-1]}" in words(page)
    assert "1 left out" in words(page)


def test_the_same_is_a_table_with_counts_and_times(forge):
    result = world.result(forge)

    page = words(signed_in().get(f"/results/{result.id}"))

    assert "The same as a table" in page
    assert "w1" in page
    assert "128 tok" in page


def test_each_formula_stands_beside_its_number(forge):
    result = world.result(forge)

    page = words(signed_in().get(f"/results/{result.id}"))

    for name in ("decode_rate", "prefill_rate", "ttft", "load_time", "itl"):
        assert metrics.FORMULAS[name] in page


def test_a_clean_result_says_what_was_checked(forge):
    page = words(signed_in().get(f"/results/{world.result(forge).id}"))

    assert "Valid" in page
    assert "Nothing came from the prompt cache." in page
    assert "The whole model was on the GPU." in page
    assert "10 of 10 checks clean" in page


def test_what_was_left_out_is_the_first_thing_said_about_trust(forge):
    page = words(signed_in().get(f"/results/{with_a_left_out_sample(forge).id}"))

    trust = page[page.rindex("Can it be trusted?") :]
    assert f"1 sample was left out of tg128. {SENTENCES['wrong_length']}" in trust
    assert trust.index("left out of tg128") < trust.index("Nothing came from the prompt cache.")


def test_telemetry_has_its_panels_and_says_why_one_is_missing(forge):
    page = words(signed_in().get(f"/results/{world.result(forge).id}"))

    assert "every 200 ms, on one clock with the samples" in page
    assert "CPU use" in page
    assert "the driver does not say" in page


def test_telemetry_of_another_machine_is_called_so_and_energy_left_out(forge):
    offer = world.running(forge, world.MODELS[0])
    whole = world.body(offer)
    result = world.deliver(forge, offer, replace(whole, telemetry=replace(whole.telemetry, of_this_machine=False)))

    page = words(signed_in().get(f"/results/{result.id}"))

    assert "not of this machine" in page
    assert "Energy per output token Ollama ran in a container or on another host" in page


def test_without_telemetry_it_says_so(forge):
    result = delivered(forge, telemetry=None)

    assert "No telemetry came with this result." in words(signed_in().get(f"/results/{result.id}"))


def test_the_environment_is_the_one_it_was_measured_on(forge):
    page = words(signed_in().get(f"/results/{world.result(forge).id}"))

    for fact in ("Ollama 0.24.0", "Context 4096", "Placement 100 % GPU", "Flash attention unknown", "Agent 0.1.0"):
        assert fact in page


def test_a_simulated_one_says_so_twice(forge):
    page = words(signed_in().get(f"/results/{world.result(forge, simulated=True).id}"))

    assert "simulated" in page
    assert "The simulator answered, not a real Ollama." in page


def test_a_failed_one_says_why_and_leads_to_its_session(forge):
    error = contract.JobError("load_failed", "Ollama could not load it.")
    result = delivered(forge, outcome="failed", cells=[], error=error, environment=None, telemetry=None)

    page = signed_in().get(f"/results/{result.id}")

    assert "This job did not finish. Ollama could not load it." in words(page)
    assert "Nothing was measured." in words(page)
    assert f"/sessions/{result.session}" in links(page)


def test_a_skipped_cell_is_a_row_that_says_why(forge):
    offer = world.running(forge, world.MODELS[0])
    whole = world.body(offer)
    cells = [contract.CellRun(whole.cells[0].spec, [], skipped="budget: shed first"), *whole.cells[1:]]

    page = words(signed_in().get(f"/results/{world.deliver(forge, offer, replace(whole, cells=cells)).id}"))

    assert "skipped: budget: shed first" in page


def test_it_leads_to_the_raw_json_and_to_running_it_again(forge):
    result = world.result(forge)
    operator, viewer = signed_in(Role.OPERATOR), signed_in(Role.VIEWER, "vi")

    page = operator.get(f"/results/{result.id}")
    again = operator.get(next(link for link in links(page) if link.startswith("/sessions/new")))

    assert f"/api/v1/results/{result.id}" in links(page)
    assert "1 job: 1 model on 1 machine" in words(again)
    assert "Run again" not in words(viewer.get(f"/results/{result.id}"))


def test_one_that_does_not_exist_leads_on(database):
    page = signed_in().get("/results/nope")

    assert page.status_code == 404
    assert "There is no such result." in words(page)
