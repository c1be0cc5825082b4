"""What one result is taken away as: Markdown, samples as CSV, the numbers of its telemetry panels."""

import csv
import io
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.obt_agent import contract
from benchmarks.presenters.result_exports import code, plain
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tests.people import links, signed_in, tags, words
from obt_site.text import harmless

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_markdown_has_hardware_versions_numbers_and_validity(forge):
    result = world.result(forge)

    answer = signed_in().get(f"/results/{result.id}.md")
    text = answer.content.decode()

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert text.startswith("### `llama3.2:3b` on `forge`\n")
    assert "- GPU: `NVIDIA GeForce RTX 4090, 24 GB`" in text
    assert "- Ollama: `0.24.0`" in text
    assert "| `tg128` | Decode | 100.2 tok/s | 100.0–100.5 | 6 |" in text
    assert "| `load` | Load time | 2.00 s | range 2.00–2.00 | 3 |" in text
    assert "- ✓ Nothing came from the prompt cache." in text


def test_markdown_says_that_it_is_simulated(forge):
    result = world.result(forge, simulated=True)

    assert "**Simulated:" in signed_in().get(f"/results/{result.id}.md").content.decode()


def test_markdown_of_a_failed_result_says_what_happened(forge):
    offer = world.running(forge, world.MODELS[0])
    error = contract.JobError("load_failed", "Ollama could not load it.")
    body = world.body(offer, outcome="failed", cells=[], error=error, environment=None, telemetry=None)
    result = world.deliver(forge, offer, body)

    text = signed_in().get(f"/results/{result.id}.md").content.decode()

    assert "Nothing was measured." in text
    assert "Ollama could not load it." in text


def test_names_cannot_become_markup_or_call_people():
    assert code("a`b|c\nd") == "`a'b¦c d`"
    assert plain("*x* [y](z) <b> | @jo") == "\\*x\\* \\[y\\](z) \\<b\\> \\| @\u200bjo"


def test_the_page_has_the_markdown_to_copy(forge):
    result = world.result(forge)

    page = signed_in().get(f"/results/{result.id}")

    assert "as-markdown" in {tag.get("data-copy") for tag in tags(page, "button")}
    assert "| `tg128` | Decode | 100.2 tok/s" in words(page)
    assert {f"/results/{result.id}.md", f"/results/{result.id}/samples.csv"} <= set(links(page))


def test_csv_has_a_line_per_request_with_units_in_its_columns(forge):
    result = world.result(forge)

    answer = signed_in().get(f"/results/{result.id}/samples.csv")
    lines = list(csv.DictReader(io.StringIO(answer.content.decode())))

    decode = [line for line in lines if line["cell"] == "tg128"]
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [line["sample"] for line in decode] == ["w1", "1", "2", "3", "4", "5", "6"]
    assert float(decode[1]["value"]) == pytest.approx(100.0)
    assert (decode[1]["metric"], decode[1]["unit"], decode[1]["output_tokens"]) == ("decode_rate", "tok/s", "128")
    assert {"began_s", "ttft_ms", "e2e_ms"} <= set(decode[0])


def test_csv_says_why_a_sample_was_left_out_and_leaves_missing_values_empty(forge):
    offer = world.running(forge, world.MODELS[0], cells=["tg128"])
    body = world.body(offer)
    (run,) = body.cells
    broken = replace(run.samples[-1], raw=replace(run.samples[-1].raw, eval_count=None, eval_duration=None))
    result = world.deliver(forge, offer, replace(body, cells=[replace(run, samples=[*run.samples[:-1], broken])]))

    lines = list(csv.DictReader(io.StringIO(signed_in().get(f"/results/{result.id}/samples.csv").content.decode())))

    assert (lines[-1]["state"], lines[-1]["value"], lines[-1]["output_tokens"]) == ("left_out", "", "")
    assert lines[-1]["why"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_text_of_the_csv_is_a_formula(text):
    assert harmless(text) == f"'{text}"


def test_the_panels_are_those_of_the_page_as_numbers(forge):
    result = world.result(forge)

    found = signed_in().get(f"/results/{result.id}/telemetry.json").json()

    (panel,) = found["panels"]
    assert (panel["name"], panel["unit"], len(panel["values"]), len(panel["t_s"])) == ("CPU use", "%", 50, 50)
    assert {cell for cell, *_ in found["phases"]} == set(world.CELLS)
    assert found["length_s"] > 0


def test_the_chart_library_is_loaded_only_where_there_is_a_recording(forge):
    offer = world.running(forge, world.MODELS[0])
    without = world.deliver(forge, offer, world.body(offer, telemetry=None))
    browser = signed_in()
    loaded = lambda page: [tag["src"] for tag in tags(page, "script") if "uplot" in tag.get("src", "")]  # noqa: E731

    assert loaded(browser.get(f"/results/{world.result(forge).id}"))
    assert not loaded(browser.get(f"/results/{without.id}"))
    assert not loaded(browser.get("/results"))


def test_a_result_leads_to_its_history_and_to_the_one_before_it(forge):
    first, second = world.result(forge), world.result(forge, rate=110.0)
    browser = signed_in()

    page = browser.get(f"/results/{second.id}")
    compare = next(link for link in links(page) if link.startswith("/compare?"))
    asked = parse_qs(urlsplit(compare).query)

    assert (asked["base"], asked["with"]) == ([f"result={first.id}"], [f"result={second.id}"])
    assert f"/history?model=llama3.2%3A3b&client={forge.id}" in links(page)
    assert "One side is missing" in words(
        browser.get(next(link for link in links(browser.get(f"/results/{first.id}")) if link.startswith("/compare?")))
    )


@pytest.mark.parametrize("what", [".md", "/samples.csv", "/telemetry.json"])
def test_what_does_not_exist_and_who_may_not_see_it(forge, what, client):
    result = world.result(forge)

    assert signed_in(Role.VIEWER).get(f"/results/nope{what}").status_code == 404
    assert client.get(f"/results/{result.id}{what}").status_code in (302, 403)
