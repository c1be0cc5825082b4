"""Whatever stands in an address: pages and lists of the API answer it, or say what is wrong with it."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.api import api as mounted
from benchmarks.tests import world
from benchmarks.tests.api_calls import BASE, Api
from obt_site.access import Role
from obt_site.tests import nasties
from obt_site.tests.people import signed_in
from obt_site.tests.test_nasties_pages import LISTS

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
FEW = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
SCHEMA = mounted.get_openapi_schema(path_prefix=BASE)["paths"]
API_LISTS = {
    path.removeprefix(BASE): [one["name"] for one in methods["get"]["parameters"] if one["in"] == "query"]
    for path, methods in SCHEMA.items()
    if "get" in methods and "{" not in path
}
GOOD = ["1", "50", "name", "-size", "true", "any", "tg128", "2026-01-31", "2026-01-31T12:00:00Z", "0" * 24,
        "llama3.2:3b", "decode_rate", "client=x", "session%3Dx", "csv", "jsonl"]  # fmt: skip
values = st.one_of(
    st.sampled_from(GOOD),
    st.sampled_from([text for text in nasties.TEXTS.values() if len(text) < 6000]),
    st.text(max_size=30),
    st.integers().map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)


def queries(names):
    """Query strings of some of these names, some of them strange, some of them twice."""
    name = st.sampled_from(list(names)) | st.sampled_from(["x", "name[$ne]", "", "limit", "cursor"])
    return st.lists(st.tuples(name, values), max_size=5).map(
        lambda pairs: "&".join(f"{quote(one)}={quote(value, errors='replace')}" for one, value in pairs)
    )


@pytest.fixture
def stored(database):
    forge = world.machine("forge")
    world.result(forge)
    world.running(forge, *world.MODELS)


@pytest.mark.parametrize("page", LISTS)
@given(data=st.data())
@FEW
def test_a_page_answers_every_query(stored, page, data):
    browser = _signed_in()
    query = data.draw(queries(LISTS[page]))

    assert browser.get(f"{page}?{query}").status_code < 500, query


@pytest.mark.parametrize("path", API_LISTS)
@given(data=st.data())
@FEW
def test_a_list_of_the_api_answers_every_query_or_names_what_is_wrong(stored, path, data):
    query = data.draw(queries(API_LISTS[path]))

    response = _api().client.get(f"{BASE}{path}?{query}", headers=_api().headers)

    assert response.status_code in (200, 304, 422), (query, response.status_code)
    if response.status_code == 422:
        assert response.json()["errors"], query


_callers: dict[str, object] = {}


@pytest.fixture(autouse=True)
def _fresh_callers(database):
    """One person and one token for all examples of a test."""
    _callers.clear()


def _signed_in():
    if "page" not in _callers:
        _callers["page"] = signed_in(Role.ADMIN)
        _callers["page"].raise_request_exception = False
    return _callers["page"]


def _api():
    if "api" not in _callers:
        _callers["api"] = Api(Role.ADMIN)
    return _callers["api"]
