"""Excluding results and marking them as not valid: what leaves them out, who is asked for them, what comes back."""

import csv
import io

import pytest

from benchmarks import fixes, listing, results, shelf
from benchmarks.api.compare import read_filter
from benchmarks.documents import Result
from benchmarks.listing import ResultFilters
from benchmarks.presenters import leaderboard
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site import actor
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.errors import Conflict, Invalid
from obt_site.tests.people import links, signed_in, words

pytestmark = pytest.mark.django_db
WHY = "thermal paste was missing"


@pytest.fixture
def forge(database):
    return world.machine("forge")


@pytest.fixture
def two(forge):
    """Two results of one model, the newer and faster one of which is excluded."""
    good, bad = world.result(forge, rate=100.0), world.result(forge, rate=400.0)
    with actor.acting(actor.Actor(actor.PERSON, "ada", "1")):
        return good, fixes.exclude(bad, WHY)


def ids(filters):
    return [each.id for each in listing.results(filters, None, 50).items]


def test_it_is_kept_with_who_said_so_and_why(two):
    assert two[1].excluded["reason"] == WHY
    assert two[1].excluded["by"] == "ada"
    assert Result.objects(id=two[1].id).first().cells == two[1].cells


def test_lists_leave_it_out_and_have_it_when_asked(two):
    good, bad = two
    session = str(bad.session)

    assert ids(ResultFilters()) == [good.id]
    assert ids(ResultFilters(session=session)) == []
    assert ids(ResultFilters(ids=(good.id, bad.id))) == [good.id]
    assert ids(ResultFilters(excluded="with")) == [bad.id, good.id]
    assert ids(ResultFilters(excluded="only")) == [bad.id]


def test_everything_that_reads_the_shelf_leaves_it_out(two):
    good, bad = two

    assert [one.id for one in shelf.results()] == [good.id]
    assert [one.id for one in shelf.every()] == [bad.id, good.id]


def test_the_results_page_says_so_and_shows_it_with_a_mark_when_asked(two):
    good, bad = two
    browser = signed_in()

    usual, asked = browser.get("/results?runs=all"), browser.get("/results?runs=all&excluded=with")
    only = browser.get("/results?runs=all&excluded=only")

    assert f"/results/{good.id}" in links(usual)
    assert f"/results/{bad.id}" not in links(usual)
    assert "1 result that somebody has excluded is left out" in words(usual)
    assert f"/results/{bad.id}" in links(asked)
    assert " excluded " in words(asked)
    assert [link for link in links(only) if link.startswith("/results/") and link.count("-")] == [f"/results/{bad.id}"]


def test_where_only_excluded_ones_fit_one_click_shows_them(forge):
    fixes.exclude(world.result(forge), WHY)

    page = signed_in().get("/results")

    assert "with those that are excluded" in words(page)
    assert any("excluded=with" in link for link in links(page))


def test_the_csv_leaves_it_out_and_says_which_one_it_is_when_asked(two):
    good, bad = two
    browser = signed_in()

    def rows(query):
        text = b"".join(browser.get(f"/results.csv?runs=all{query}").streaming_content).decode()
        return {row["result"]: row["excluded"] for row in csv.DictReader(io.StringIO(text))}

    assert rows("") == {good.id: "false"}
    assert rows("&excluded=with") == {good.id: "false", bad.id: "true"}


def test_board_history_and_compare_leave_it_out(two, forge):
    good, bad = two
    browser = signed_in()

    assert f"/results/{bad.id}" not in links(browser.get("/"))
    assert f"/results/{good.id}" in links(browser.get("/"))
    assert f"/results/{bad.id}" not in links(browser.get(f"/history?model={world.MODELS[0]}&client={forge.id}"))
    assert "400" not in words(browser.get(f"/compare?base=result%3D{good.id}&with=result%3D{bad.id}"))


def test_its_own_page_says_who_excluded_it_and_why(two):
    page = words(signed_in().get(f"/results/{two[1].id}"))

    assert "Excluded from results by ada" in page
    assert WHY in page


def test_the_api_leaves_it_out_tells_of_it_and_compares_without_it(two):
    good, bad = two
    api = Api()

    def listed(**query):
        return [item["id"] for item in api.get("results", **query).json()["items"]]

    assert listed() == [good.id]
    assert listed(excluded="with") == [bad.id, good.id]
    assert listed(excluded="only") == [bad.id]
    assert api.get(f"results/{bad.id}").json()["excluded"]["reason"] == WHY
    assert api.get(f"results/{good.id}").json()["excluded"] is None
    problem(api.get("results", excluded="maybe"), 422, "excluded")
    assert read_filter("base", "excluded=with")[0].excluded == "with"


def test_taking_it_back_brings_it_back_everywhere(two):
    good, bad = two
    fixes.include(bad)

    assert ids(ResultFilters()) == [bad.id, good.id]
    assert [one.id for one in shelf.results()] == [bad.id, good.id]
    with pytest.raises(Conflict, match="nothing to take back"):
        fixes.include(results.find(bad.id))


def test_both_ways_are_in_the_audit(two):
    fixes.include(two[1])

    out, back = AuditEntry.objects(action="result.exclude").first(), AuditEntry.objects(action="result.include").first()
    assert (out.before, out.after) == ({"excluded": None}, {"excluded": WHY})
    assert (back.before, back.after) == ({"excluded": WHY}, {"excluded": None})


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 501])
def test_a_reason_is_needed(forge, reason):
    result = world.result(forge)

    with pytest.raises(Invalid, match="Say why"):
        fixes.exclude(result, reason)
    with pytest.raises(Invalid, match="Say why"):
        fixes.mark_invalid(result, reason)

    assert results.find(result.id).excluded is None


def test_a_result_marked_as_not_valid_does_not_count_and_says_why(forge):
    result = fixes.mark_invalid(world.result(forge), "wrong machine")
    browser = signed_in()

    assert not result.valid
    assert ids(ResultFilters(valid=True)) == []
    assert leaderboard.latest_valid(shelf.results(), [str(forge.id)]) == {}
    assert "Marked as not valid" in words(browser.get(f"/results/{result.id}"))

    assert fixes.unmark_invalid(result).valid


def test_taking_a_mark_back_does_not_make_bad_samples_good(forge):
    offer = world.running(forge, world.MODELS[0])
    short = world.run_of(offer.cells[2])
    few = type(short)(short.spec, short.samples[:2])
    result = world.deliver(forge, offer, world.body(offer, cells=[few]))
    assert not result.valid

    marked = fixes.mark_invalid(result, "x")

    assert not fixes.unmark_invalid(marked).valid


def test_a_session_is_named_and_described_anew(forge):
    session = world.session(forge)

    changed = fixes.describe(session, "  New\tname ", "two\nlines")

    assert (changed.name, changed.note) == ("New name", "two\nlines")
    with pytest.raises(Invalid):
        fixes.describe(changed, " ", "")
    with pytest.raises(Invalid) as refused:
        fixes.describe(changed, "x", "n" * 2001)
    assert [error.field for error in refused.value.errors] == ["note"]


def test_viewers_and_operators_have_no_way_to_exclude(two):
    for name, role in (("vi", Role.VIEWER), ("op", Role.OPERATOR)):
        address = f"/admin/documents/results/{two[0].id}/exclude/"
        assert signed_in(role, name).post(address, {"reason": "x"}).status_code in (302, 403)
    assert results.find(two[0].id).excluded is None
