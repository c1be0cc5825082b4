"""GET models."""

import pytest

from agents import verbs
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(database):
    return Api()


def install(name, *models):
    """A machine with exactly these models."""
    client, _ = world.register(name)
    verbs.take_in(client, world.sync_request(hostname=name, models=list(models), models_hash=f"models-of-{name}"))
    return client


def test_a_model_on_two_machines_is_one_row_with_both(api):
    forge = install("forge", world.model("llama3.2:3b"))
    atlas = install("atlas", world.model("llama3.2:3b"))

    (row,) = api.get("models").json()["items"]

    assert row == {
        "name": "llama3.2:3b",
        "digest": "digest-of-llama3.2:3b",
        "size_bytes": 2 * world.GIB,
        "format": "gguf",
        "family": "llama3.2",
        "parameter_size": "3.2B",
        "quantization": "Q4_K_M",
        "capabilities": ["completion"],
        "context_length": 131072,
        "remote": False,
        "clients": [str(forge.id), str(atlas.id)],
    }


def test_one_name_with_two_contents_is_two_rows(api):
    install("forge", world.model("llama3.2:latest", "old"))
    install("atlas", world.model("llama3.2:latest", "new"))

    assert [row["digest"] for row in api.get("models").json()["items"]] == ["new", "old"]


@pytest.fixture
def zoo(database):
    forge = install(
        "forge",
        world.model("llama3.2:3b", size_bytes=300, capabilities=["completion", "tools"]),
        world.model("Qwen3:8b", size_bytes=800, quantization="Q8_0"),
        world.model("nomic-embed", size_bytes=None, capabilities=["embedding"]),
    )
    install("atlas", world.model("llama3.2:3b", size_bytes=300, capabilities=["completion", "tools"]))
    return forge


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"search": "QWEN"}, ["Qwen3:8b"]),
        ({"search": "3"}, ["llama3.2:3b", "Qwen3:8b"]),
        ({"search": ".*"}, []),
        ({"family": "llama3.2"}, ["llama3.2:3b"]),
        ({"quantization": "Q8_0"}, ["Qwen3:8b"]),
        ({"capability": "tools"}, ["llama3.2:3b"]),
        ({"capability": "tools", "search": "qwen"}, []),
        ({"sort": "name"}, ["llama3.2:3b", "nomic-embed", "Qwen3:8b"]),
        ({"sort": "-name"}, ["Qwen3:8b", "nomic-embed", "llama3.2:3b"]),
        ({"sort": "-size"}, ["Qwen3:8b", "llama3.2:3b", "nomic-embed"]),
        ({"sort": "size"}, ["nomic-embed", "llama3.2:3b", "Qwen3:8b"]),
        ({"sort": "-clients"}, ["llama3.2:3b", "nomic-embed", "Qwen3:8b"]),
    ],
)
def test_it_filters_and_sorts(api, zoo, query, names):
    assert [row["name"] for row in api.get("models", **query).json()["items"]] == names


def test_it_lists_the_models_of_one_machine(api, zoo):
    assert len(api.get("models", client=str(zoo.id)).json()["items"]) == 3
    assert api.get("models", client="f" * 24).json()["items"] == []


@pytest.mark.parametrize("sort", ["name", "-name", "size", "-size", "clients", "-clients"])
def test_pages_follow_each_other_in_every_order(api, zoo, sort):
    whole = api.get("models", sort=sort).json()["items"]

    assert walk(api, "models", sort=sort, limit=1) == whole


def test_a_size_that_is_not_known_is_null(api, zoo):
    (row,) = api.get("models", search="nomic").json()["items"]

    assert row["size_bytes"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort", "speed"),
        ("client", "forge"),
        ("client", '{"$ne": ""}'),
        ("search", ""),
        ("search", "x" * 121),
        ("search", "nul\0"),
        ("family[$ne]", "x"),
        ("cursor", "WzFd"),
    ],
)
def test_it_refuses_what_is_no_filter(api, name, value):
    problem(api.get("models", **{name: value}), 422, name)
