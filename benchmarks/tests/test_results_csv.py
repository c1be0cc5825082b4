"""/results.csv: every row of the view, units in the names of the columns, nothing that runs as a formula."""

import csv
import io

import pytest
from django.test import override_settings

from benchmarks.tests import world
from obt_site.tests.people import links, signed_in
from obt_site.text import harmless

pytestmark = pytest.mark.django_db


@pytest.fixture
def forge(database):
    return world.machine("forge", models=[*world.MODELS, "=cmd|'/c calc'!A1"])


def lines(query: str = "") -> list[dict[str, str]]:
    answer = signed_in().get(f"/results.csv{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_a_line_has_the_whole_numbers_and_their_units(forge):
    result = world.result(forge)
    cell = next(cell for cell in result.cells if cell["cell"] == "tg128")["metrics"]["decode_rate"]

    (line,) = lines()

    assert line["result"] == result.id
    assert float(line["decode_rate_tok_per_s_median"]) == cell["median"]
    assert float(line["decode_rate_tok_per_s_low"]) == cell["low"]
    assert (line["decode_rate_n"], line["decode_rate_cell"]) == (str(cell["n"]), "tg128")
    assert "ttft_ms_median" in line
    assert "load_time_s_median" in line


def test_what_was_not_measured_is_empty_and_never_zero(forge):
    world.result(forge)
    (line,) = lines()
    assert line["energy_per_output_token_j_per_tok_median"] == ""


@override_settings(PAGE_ITEMS=1)
def test_it_has_every_row_of_the_view_in_its_order_not_only_a_page(forge):
    world.result(forge, rate=50.0)
    world.result(forge, rate=70.0)
    world.result(forge, "qwen3:8b", rate=60.0)
    rates = [float(line["decode_rate_tok_per_s_median"]) for line in lines("?runs=all&sort=decode_rate&group=none")]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == 3


def test_a_name_is_never_a_formula(forge):
    world.result(forge, "=cmd|'/c calc'!A1")
    (line,) = lines()
    assert line["model"] == "'=cmd|'/c calc'!A1"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\ta", "\ra"])
def test_each_start_of_a_formula_gets_an_apostrophe(text):
    assert harmless(text) == f"'{text}"
    assert harmless("a=1") == "a=1"


def test_the_page_leads_to_it_with_its_filters(forge):
    world.result(forge)
    assert "/results.csv?valid=true" in links(signed_in().get("/results?valid=true"))


def test_nonsense_in_the_address_is_left_out(forge):
    world.result(forge)
    assert len(lines("?valid=perhaps&client=x&page=-1")) == 1


def test_strangers_are_sent_to_sign_in(client, database):
    assert client.get("/results.csv").status_code == 302
