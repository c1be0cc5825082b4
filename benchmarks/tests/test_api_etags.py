"""`ETag` and `If-None-Match` on what dashboards poll."""

import pytest

from benchmarks import sessions
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api
from obt_site.access import Role

pytestmark = pytest.mark.django_db
POLLED = [
    "clients",
    "clients/{client}",
    "models",
    "sessions",
    "sessions/{session}",
    "jobs/{job}",
    "results",
    "results/{result}",
    "results/{result}/samples",
    "results/{result}/telemetry",
    "events",
    "compare?base=client%3D{client}&with=client%3D{client}",
]


@pytest.fixture
def names(database):
    forge = world.machine("forge")
    result = world.result(forge)
    return {"client": str(forge.id), "session": str(result.session), "job": str(result.job), "result": result.id}


@pytest.fixture
def api(database):
    return Api()


def ask(api, path, tag):
    api.headers = {**api.headers, "If-None-Match": tag}
    return api.get(path)


@pytest.mark.parametrize("path", POLLED)
def test_what_has_not_changed_is_not_sent_again(api, names, path):
    path = path.format(**names)
    first = api.get(path)

    again = ask(api, path, first["ETag"])

    assert first.status_code == 200
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= {name.strip() for name in again["Vary"].split(",")}
    assert again["X-Request-ID"]


@pytest.mark.parametrize("form", ["*", "W/{tag}", '"other", {tag}'])
def test_the_header_may_have_every_form_it_has(api, names, form):
    tag = api.get("models")["ETag"]

    assert ask(api, "models", form.format(tag=tag)).status_code == 304


@pytest.mark.parametrize("tag", ["", '"other"', "nonsense", '"', "W/", "\xff"])
def test_another_tag_gets_the_whole_answer(api, names, tag):
    assert ask(api, "models", tag).status_code == 200


def test_what_has_changed_is_sent(api, names):
    path = f"sessions/{names['session']}"
    tag = api.get(path)["ETag"]
    other = world.session(world.machine("atlas"))

    assert ask(api, path, tag).status_code == 304
    changed = f"sessions/{other.id}"
    tag = api.get(changed)["ETag"]
    sessions.cancel(other)
    assert ask(api, changed, tag).status_code == 200


def test_a_new_result_changes_the_list(api, names):
    tag = api.get("results")["ETag"]
    world.result(world.machine("atlas"))

    assert ask(api, "results", tag).status_code == 200


def test_a_refusal_and_a_post_have_no_tag(database, names):
    api = Api(Role.OPERATOR)

    assert not api.get("clients/nobody").has_header("ETag")
    assert not api.post(f"sessions/{names['session']}/resume").has_header("ETag")


def test_a_tag_opens_nothing_to_a_stranger(database, names):
    tag = Api().get("models")["ETag"]

    assert ask(Api(None), "models", tag).status_code == 401
